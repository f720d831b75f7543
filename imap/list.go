package imap

import (
	"errors"
	"slices"
	"strings"

	"roost/imap/wire"
	"roost/maildir"
)

// listEntry is a name that LIST may answer with.
type listEntry struct {
	name        string
	exists      bool   // can be selected
	unopened    bool   // … but could not be opened
	subscribed  bool   // also when it does not exist
	hasChildren bool   // that exist
	use         string // special-use attribute
	listed      bool   // the store lists it: it exists or has children
	below       bool   // RECURSIVEMATCH: the options choose something below it
	hides       bool   // … of which some is not in the answer
}

// nameList is all names there are: mailboxes, their missing parents, and subscribed names.
type nameList struct {
	all    []*listEntry
	byName map[string]*listEntry
}

func (l *nameList) get(name string) *listEntry {
	e := l.byName[name]
	if e == nil {
		e = &listEntry{name: name}
		l.byName[name] = e
		l.all = append(l.all, e)
	}
	return e
}

// sort orders by name, INBOX first.
func (l *nameList) sort() {
	slices.SortFunc(l.all, func(a, b *listEntry) int {
		if (a.name == inbox) != (b.name == inbox) {
			if a.name == inbox {
				return -1
			}
			return 1
		}
		return strings.Compare(a.name, b.name)
	})
}

// names collects what LIST and LSUB answer from.
func (s *session) names() (*nameList, error) {
	infos, err := s.mail.List()
	if err != nil {
		return nil, err
	}
	subs, err := s.mail.Subscribed()
	if err != nil {
		return nil, err
	}
	l := &nameList{byName: make(map[string]*listEntry, len(infos)+len(subs))}
	for _, in := range infos {
		e := l.get(in.Name)
		e.listed, e.exists, e.hasChildren = true, !in.NoSelect, in.HasChildren
	}
	for _, name := range subs {
		l.get(name).subscribed = true
	}
	for name, use := range s.specialUse() {
		if e := l.byName[name]; e != nil {
			e.use = use
		}
	}
	l.sort()
	return l, nil
}

// cmdList is LIST, plain (RFC 3501 §6.3.8) and extended (RFC 5258, RFC 9051 §6.3.9).
func (s *session) cmdList(c *command) error {
	req, err := wire.ParseList(c.args)
	if err != nil {
		return err
	}
	if err := s.takeStatusItems(req.RetStatus); err != nil {
		return err
	}
	l := lister{s: s, req: req, sep: s.mail.Separator()}
	if !req.Extended && req.Patterns[0] == "" {
		// The hierarchy separator is asked for.
		s.enc.Raw(`* LIST (\Noselect) "`).Raw(string(l.sep)).Raw(`" ""`).CRLF()
		return nil
	}
	for _, p := range req.Patterns {
		if p != "" { // RFC 5258 §3: in a list of patterns, an empty one matches nothing
			l.patterns = append(l.patterns, spellings(req.Reference+p)...)
		}
	}
	names, err := s.names()
	if err != nil {
		return err
	}
	if req.SelRecursiveMatch {
		l.markParents(names)
	}
	for _, e := range names.all {
		if err := s.keepalive(); err != nil {
			return err
		}
		if !l.matches(e.name) {
			continue
		}
		if err := l.entry(e); err != nil {
			return err
		}
	}
	return nil
}

// lister answers one LIST.
type lister struct {
	s        *session
	req      *wire.List
	sep      byte
	patterns []string // with the reference in front
}

func (l *lister) matches(name string) bool {
	return matchAny(l.patterns, name, l.sep)
}

// chosen tells whether the selection options choose the entry itself.
func (l *lister) chosen(e *listEntry) bool {
	if l.req.SelSpecialUse && e.use == "" {
		return false
	}
	if l.req.SelSubscribed {
		return e.subscribed
	}
	return e.listed
}

// markParents notes on every name whether the options choose something below it, and whether the patterns leave some of that out. It adds
// the names in between that are not listed (RFC 5258 §3.5).
func (l *lister) markParents(names *nameList) {
	for _, e := range names.all[:len(names.all):len(names.all)] {
		if !l.chosen(e) {
			continue
		}
		hidden := !l.matches(e.name)
		for name := parent(e.name, l.sep); name != ""; name = parent(name, l.sep) {
			p := names.get(name)
			if p.below && (p.hides || !hidden) {
				break // and so for all above
			}
			p.below, p.hides = true, p.hides || hidden
		}
	}
	names.sort()
}

// parent is the name one level up, "" at the top.
func parent(name string, sep byte) string {
	if i := strings.LastIndexByte(name, sep); i > 0 {
		return name[:i]
	}
	return ""
}

// entry writes the response for one name, if the options choose it.
func (l *lister) entry(e *listEntry) error {
	s := l.s
	chosen := l.chosen(e)
	if !chosen && !e.hides { // RFC 9051 §6.3.9.6: no redundant CHILDINFO
		return nil
	}
	var status []string
	if l.req.RetStatus != nil && e.exists && chosen {
		// Before LIST, which must say that there is no STATUS because the mailbox cannot be selected (RFC 5819 §2).
		var err error
		if status, err = s.statusValues(e.name, l.req.RetStatus); s.isConnError(err) {
			return err
		}
		e.unopened = unselectable(err)
	}
	s.beginList(e, l.req.Extended || s.rev2, l.req.SelSubscribed || l.req.RetSubscribed)
	if e.below {
		s.enc.Raw(` ("CHILDINFO" (`).Raw(l.childInfo()).Raw("))")
	}
	s.enc.CRLF()
	if status != nil { // one that fails for another reason is left out
		s.writeStatusValues(e.name, l.req.RetStatus, status)
	}
	if l.req.RetMetadata != nil && e.exists && chosen {
		s.listMetadata(e.name, l.req.RetMetadata)
	}
	return nil
}

// unselectable tells whether that is why a mailbox could not be opened, now or at all.
func unselectable(err error) bool {
	return slices.ContainsFunc([]error{maildir.ErrNotFound, maildir.ErrNoSelect, maildir.ErrGone, maildir.ErrCannot}, func(kind error) bool {
		return errors.Is(err, kind)
	})
}

// beginList writes a LIST response up to the name. extended: the client knows attributes younger than RFC 3501.
func (s *session) beginList(e *listEntry, extended, subscribed bool) {
	if s.notify != nil && s.notify.names != nil && e.exists && !s.notify.names[e.name].exists {
		// NOTIFY has not told of it yet; now the client knows it, and wants to hear when it goes.
		told := *e
		told.subscribed = told.subscribed && subscribed
		s.notify.names[e.name] = told
	}
	s.beginName("LIST", s.listAttributes(e, extended, subscribed), e.name)
}

// beginName writes what LIST, LSUB and XLIST answer for a name.
func (s *session) beginName(kind string, attrs []string, name string) {
	s.enc.Raw("* ").Raw(kind).Raw(" (").Raw(strings.Join(attrs, " ")).Raw(`) "`).Raw(string(s.mail.Separator())).Raw(`" `).Mailbox(name)
}

func (s *session) listAttributes(e *listEntry, extended, subscribed bool) []string {
	var attrs []string
	switch {
	case e.unopened:
		attrs = append(attrs, `\Noselect`)
	case e.exists:
	case extended:
		attrs = append(attrs, `\NonExistent`) // implies \Noselect (RFC 9051 §7.3.1)
	default:
		attrs = append(attrs, `\Noselect`)
	}
	if s.has("CHILDREN") {
		if e.hasChildren {
			attrs = append(attrs, `\HasChildren`)
		} else {
			attrs = append(attrs, `\HasNoChildren`)
		}
	}
	if e.subscribed && subscribed {
		attrs = append(attrs, `\Subscribed`)
	}
	if e.use != "" && s.has("SPECIAL-USE") {
		attrs = append(attrs, e.use) // always: macOS never asks for them
	}
	return attrs
}

// writeList tells an IMAP4rev2 client of a mailbox that it did not ask LIST for, with OLDNAME if the client knows it as old
// (RFC 9051 §6.3.9.7). It says false, and nothing to the client, if LIST does not have the name.
func (s *session) writeList(name, old string) bool {
	names, err := s.names()
	if err != nil {
		s.log.Warn("cannot list mailboxes", "cause", err)
		return false
	}
	e := names.byName[name]
	if e == nil {
		return false
	}
	s.beginList(e, true, false)
	if old != name {
		s.enc.Raw(` ("OLDNAME" (`).Mailbox(old).Raw("))")
	}
	s.enc.CRLF()
	return true
}

// childInfo names the selection options that something below meets (RFC 5258 §3.5). RECURSIVEMATCH never comes without another one.
func (l *lister) childInfo() string {
	var info []string
	if l.req.SelSubscribed {
		info = append(info, `"SUBSCRIBED"`)
	}
	if l.req.SelSpecialUse {
		info = append(info, `"SPECIAL-USE"`)
	}
	return strings.Join(info, " ")
}

// cmdLsub is LSUB (RFC 3501 §6.3.9). With "%", the parent of a subscribed name that matches is answered too, as \Noselect.
func (s *session) cmdLsub(c *command) error {
	req, err := wire.ParseLsub(c.args)
	if err != nil {
		return err
	}
	names, err := s.names()
	if err != nil {
		return err
	}
	sep := s.mail.Separator()
	patterns := spellings(req.Reference + req.Patterns[0])
	answer := func(name string, attrs ...string) {
		s.beginName("LSUB", attrs, name)
		s.enc.CRLF()
	}
	parents := map[string]bool{}
	for _, e := range names.all {
		if !e.subscribed {
			continue
		}
		if matchAny(patterns, e.name, sep) {
			if e.exists {
				answer(e.name)
			} else {
				answer(e.name, `\Noselect`)
			}
			continue
		}
		if !strings.Contains(patterns[0], "%") {
			continue
		}
		for name := parent(e.name, sep); name != "" && !parents[name]; name = parent(name, sep) {
			parents[name] = true
			if p := names.byName[name]; (p == nil || !p.subscribed) && matchAny(patterns, name, sep) {
				answer(name, `\Noselect`)
			}
		}
	}
	return nil
}

// xlistUses are the attributes that XLIST has another name for.
var xlistUses = map[string]string{`\All`: `\AllMail`, `\Flagged`: `\Starred`, `\Junk`: `\Spam`}

// cmdXlist is XLIST, the LIST with special uses that Google had before RFC 6154. Old clients send it without being offered it; it is not, because
// some that know both would leave out LIST-EXTENDED then.
func (s *session) cmdXlist(c *command) error {
	req, err := wire.ParseLsub(c.args)
	if err != nil {
		return err
	}
	names, err := s.names()
	if err != nil {
		return err
	}
	patterns := spellings(req.Reference + req.Patterns[0])
	for _, e := range names.all {
		if !e.listed || !matchAny(patterns, e.name, s.mail.Separator()) {
			continue
		}
		attrs := s.listAttributes(e, false, false)
		for i, attr := range attrs {
			if other := xlistUses[attr]; other != "" {
				attrs[i] = other
			}
		}
		if e.name == inbox {
			attrs = append(attrs, `\Inbox`)
		}
		s.beginName("XLIST", attrs, e.name)
		s.enc.CRLF()
	}
	return nil
}

// specialUse maps existing names to their attribute: what CREATE … USE gave, then the configuration. Each attribute goes to one mailbox.
func (s *session) specialUse() map[string]string {
	uses := map[string]string{}
	taken := map[string]bool{}
	given, err := s.mail.SpecialUse()
	if err != nil {
		s.log.Warn("cannot read special uses", "cause", err)
	}
	for name, attr := range given {
		uses[name] = attr
		taken[strings.ToLower(attr)] = true
	}
	for _, f := range s.srv.opt.Folders {
		if f.SpecialUse == "" || taken[strings.ToLower(f.SpecialUse)] || uses[f.Name] != "" {
			continue
		}
		if ok, err := s.mail.Exists(f.Name); err == nil && ok {
			uses[f.Name] = f.SpecialUse
			taken[strings.ToLower(f.SpecialUse)] = true
		}
	}
	return uses
}
