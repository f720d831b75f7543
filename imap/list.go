package imap

import (
	"sort"
	"strings"

	"roost/imap/wire"
)

// listEntry is a name that LIST may answer with.
type listEntry struct {
	name        string
	exists      bool // can be selected
	parent      bool // only holds others: \Noselect in the answer
	subscribed  bool
	hasChildren bool
	use         string // special-use attribute
	below       bool   // RECURSIVEMATCH: something below is subscribed (or special)
}

// listEntries collects all mailboxes, subscribed names and configured folders, by name with INBOX first.
func (s *session) listEntries() ([]*listEntry, error) {
	infos, err := s.mail.List()
	if err != nil {
		return nil, err
	}
	byName := make(map[string]*listEntry, len(infos))
	var all []*listEntry
	get := func(name string) *listEntry {
		e := byName[name]
		if e == nil {
			e = &listEntry{name: name}
			byName[name] = e
			all = append(all, e)
		}
		return e
	}
	for _, in := range infos {
		e := get(in.Name)
		e.exists, e.parent, e.hasChildren = !in.NoSelect, in.NoSelect, in.HasChildren
	}
	subs, err := s.mail.Subscribed()
	if err != nil {
		return nil, err
	}
	for _, name := range subs {
		get(name).subscribed = true
	}
	for name, use := range s.specialUse() {
		if e := byName[name]; e != nil {
			e.use = use
		}
	}
	sort.Slice(all, func(i, j int) bool {
		if a, b := all[i].name == "INBOX", all[j].name == "INBOX"; a != b {
			return a
		}
		return all[i].name < all[j].name
	})
	return all, nil
}

// cmdList is LIST, plain (RFC 3501 §6.3.8) and extended (RFC 5258, RFC 9051 §6.3.9).
func (s *session) cmdList(c *command) error {
	req, err := wire.ParseList(c.args)
	if err != nil {
		return err
	}
	sep := s.mail.Separator()
	if !req.Extended && len(req.Patterns) == 1 && req.Patterns[0] == "" {
		// The hierarchy separator is asked for.
		s.enc.Raw(`* LIST (\Noselect) "`).Raw(string(sep)).Raw(`" ""`).CRLF()
		return nil
	}
	all, err := s.listEntries()
	if err != nil {
		return err
	}
	l := lister{s: s, req: req, sep: sep}
	for _, p := range req.Patterns {
		if p != "" {
			l.patterns = append(l.patterns, foldInbox(req.Reference+p, sep))
		}
	}
	if req.SelRecursiveMatch {
		l.markParents(all)
		all = l.withParents(all)
	}
	for _, e := range all {
		if l.matches(e.name) {
			if err := l.entry(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// lister answers one LIST.
type lister struct {
	s        *session
	req      *wire.List
	sep      byte
	patterns []string
}

func (l *lister) matches(name string) bool {
	for _, p := range l.patterns {
		if matchList(p, name, l.sep) {
			return true
		}
	}
	return false
}

// selected tells whether the selection options choose the entry itself.
func (l *lister) selected(e *listEntry) bool {
	if l.req.SelSubscribed && !e.subscribed {
		return false
	}
	if l.req.SelSpecialUse && e.use == "" {
		return false
	}
	return l.req.SelSubscribed || e.exists || e.parent
}

// markParents notes for every name whether something below it is selected by the options.
func (l *lister) markParents(all []*listEntry) {
	chosen := map[string]bool{}
	for _, e := range all {
		if !l.selected(e) {
			continue
		}
		for name := parent(e.name, l.sep); name != ""; name = parent(name, l.sep) {
			if chosen[name] {
				break
			}
			chosen[name] = true
		}
	}
	for _, e := range all {
		e.below = chosen[e.name]
		delete(chosen, e.name)
	}
	l.req.Patterns = l.req.Patterns[:0]
	for name := range chosen {
		l.req.Patterns = append(l.req.Patterns, name) // parents that are no entries yet
	}
}

// withParents adds entries for parents that neither exist nor are subscribed.
func (l *lister) withParents(all []*listEntry) []*listEntry {
	sort.Strings(l.req.Patterns)
	for _, name := range l.req.Patterns {
		all = append(all, &listEntry{name: name, below: true, hasChildren: true})
	}
	return all
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
	chosen := l.selected(e)
	if !chosen && !(l.req.SelRecursiveMatch && e.below) {
		return nil
	}
	var attrs []string
	switch {
	case e.exists:
	case l.req.Extended || s.rev2:
		attrs = append(attrs, `\NonExistent`)
	default:
		attrs = append(attrs, `\Noselect`)
	}
	if e.hasChildren {
		attrs = append(attrs, `\HasChildren`)
	} else {
		attrs = append(attrs, `\HasNoChildren`)
	}
	if e.subscribed && (l.req.SelSubscribed || l.req.RetSubscribed) {
		attrs = append(attrs, `\Subscribed`)
	}
	if e.use != "" {
		attrs = append(attrs, e.use) // always: macOS never asks for them
	}
	s.enc.Raw("* LIST (").Raw(strings.Join(attrs, " ")).Raw(`) "`).Raw(string(l.sep)).Raw(`" `).Mailbox(e.name)
	if l.req.SelRecursiveMatch && e.below {
		// RFC 5258 §3.5: which selection option the children match.
		var info []string
		if l.req.SelSubscribed {
			info = append(info, `"SUBSCRIBED"`)
		}
		if l.req.SelSpecialUse {
			info = append(info, `"SPECIAL-USE"`)
		}
		if len(info) > 0 {
			s.enc.Raw(` ("CHILDINFO" (`).Raw(strings.Join(info, " ")).Raw("))")
		}
	}
	s.enc.CRLF()
	if l.req.RetStatus != nil && e.exists {
		// RFC 5819 §2: a STATUS that fails is left out.
		if err := s.writeStatus(e.name, l.req.RetStatus); err != nil && isConnError(err) {
			return err
		}
		return s.keepalive()
	}
	return nil
}

// cmdLsub is LSUB (RFC 3501 §6.3.9). With "%", the parent of a subscribed name that matches is answered too, as \Noselect.
func (s *session) cmdLsub(c *command) error {
	req, err := wire.ParseLsub(c.args)
	if err != nil {
		return err
	}
	sep := s.mail.Separator()
	all, err := s.listEntries()
	if err != nil {
		return err
	}
	pattern := ""
	if len(req.Patterns) > 0 {
		pattern = foldInbox(req.Reference+req.Patterns[0], sep)
	}
	done := map[string]bool{}
	answer := func(name, attr string) {
		if !done[name] {
			done[name] = true
			s.enc.Raw("* LSUB (").Raw(attr).Raw(`) "`).Raw(string(sep)).Raw(`" `).Mailbox(name).CRLF()
		}
	}
	for _, e := range all {
		if !e.subscribed {
			continue
		}
		if matchList(pattern, e.name, sep) {
			attr := ""
			if !e.exists {
				attr = `\Noselect`
			}
			answer(e.name, attr)
		}
	}
	if !strings.Contains(pattern, "%") {
		return nil
	}
	for _, e := range all {
		if !e.subscribed {
			continue
		}
		for name := parent(e.name, sep); name != ""; name = parent(name, sep) {
			if matchList(pattern, name, sep) {
				answer(name, `\Noselect`)
			}
		}
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
