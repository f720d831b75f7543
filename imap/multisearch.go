package imap

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"roost/imap/wire"
	"roost/maildir"
)

// ESEARCH, the command of MULTISEARCH (RFC 7377): a UID SEARCH in any mailboxes, with an answer for each that has a match, as soon as it is known. One of
// them is open at a time, beside the selected one, which stays as it is.

var (
	errNothingSelected = bad("No mailbox is selected, say with IN where to search")
	errOnlySelected    = bad("$ and SAVE are for the selected mailbox alone")
	errNothingFollowed = bad("No mailbox is selected that UPDATE could be about")
)

// covers tells whether a filter is about a mailbox which is not selected.
func covers(f *wire.MailboxFilter, e *listEntry, sep byte) bool {
	switch f.Kind {
	case wire.FilterInboxes:
		return e.name == inbox
	case wire.FilterPersonal:
		return true
	case wire.FilterSubscribed:
		return e.subscribed
	case wire.FilterMailboxes:
		return slices.Contains(f.Mailboxes, e.name)
	case wire.FilterSubtree, wire.FilterSubtreeOne:
		return slices.ContainsFunc(f.Mailboxes, func(top string) bool {
			rest, ok := strings.CutPrefix(e.name, top)
			if !ok || rest == "" {
				return ok
			}
			return rest[0] == sep && (f.Kind == wire.FilterSubtree || strings.IndexByte(rest[1:], sep) < 0)
		})
	}
	return false
}

// spellOut adds to the mailboxes that a filter names what other commands would find them as.
func spellOut(f *wire.MailboxFilter) {
	for _, name := range f.Mailboxes {
		f.Mailboxes = append(f.Mailboxes, spellings(name)[1:]...)
	}
}

// cmdESearch is ESEARCH. Mailboxes that are not there, or vanish meanwhile, have no match (§2.2).
func (s *session) cmdESearch(c *command) error {
	req, err := wire.ParseESearch(c.args)
	if req == nil {
		return err
	}
	o := searchReturn(req.Return, true)
	if err = s.esearch(c, req, o, err); err != nil && o.Save && !isBad(err) {
		s.saved = nil // RFC 5182 §2.1
	}
	return err
}

// esearch is an ESEARCH whose parsing ended with err.
func (s *session) esearch(c *command, req *wire.ESearch, o searchOptions, err error) error {
	if err == nil {
		if err := s.expandFilters(&req.Search); err != nil { // there may be "$" in them
			return err
		}
	}
	only := !slices.ContainsFunc(req.Sources, func(f wire.MailboxFilter) bool { return f.Kind != wire.FilterSelected })
	switch {
	case s.view == nil && (len(req.Sources) == 0 || slices.ContainsFunc(req.Sources, func(f wire.MailboxFilter) bool { return f.Kind == wire.FilterSelected })):
		return errNothingSelected
	case s.view == nil && o.Update: // RFC 7377 §2.2
		return errNothingFollowed
	case !only && (o.Save || savedIn(req.Key)):
		return errOnlySelected
	case err != nil:
		return err
	case s.uidOnly && numbersIn(req.Key): // RFC 9586 §3
		return errUIDRequired
	}
	if o.Update && s.view.followed(c.tag) >= 0 {
		return errTagReuse
	}
	news, err := s.newsItems(o.Fetch)
	if err != nil {
		return err
	}
	names, err := s.sources(req.Sources)
	if err != nil {
		return err
	}
	var failed error
	var selected *sorted // what UPDATE follows
	for i, name := range names {
		s.progress.upTo = percent * (i + 1) / len(names)
		uids, err := s.searchMailbox(c, name, req, o)
		if s.view != nil && s.view.box.Name() == name {
			selected = &sorted{uids: uids}
		}
		var unopened *openError
		if errors.As(err, &unopened) { // the others are searched, and the client is told that these are not all
			failed = cmp.Or(failed, unopened.error)
		} else if err != nil {
			return err
		}
	}
	if failed != nil {
		return failed
	}
	if len(names) > 1 {
		c.lowest = 0
	}
	switch {
	case !o.Update:
	case selected != nil:
		s.follow(c, news, req.Key, nil, *selected)
	default: // answered all the same (RFC 5267 §4.3.1)
		s.writeNoUpdate(c.tag, "Only the selected mailbox is followed")
	}
	return nil
}

// savedIn tells whether "$" is among the keys.
func savedIn(key wire.SearchKey) bool {
	switch key := key.(type) {
	case *wire.KeyNot:
		return savedIn(key.Key)
	case *wire.KeyOr:
		return savedIn(key.A) || savedIn(key.B)
	case *wire.KeyAnd:
		return slices.ContainsFunc(key.Keys, savedIn)
	case *wire.KeyFuzzy:
		return savedIn(key.Key)
	case *wire.KeySet:
		return key.Set.Saved
	}
	return false
}

// sources lists the mailboxes to search, each once: the selected one by the name that it has now.
func (s *session) sources(filters []wire.MailboxFilter) (names []string, err error) {
	selected := ""
	if s.view != nil {
		selected = s.view.box.Name()
	}
	if len(filters) == 0 {
		return []string{selected}, nil
	}
	list, err := s.names()
	if err != nil {
		return nil, err
	}
	for i := range filters {
		spellOut(&filters[i])
	}
	for _, e := range list.all {
		if e.exists && slices.ContainsFunc(filters, func(f wire.MailboxFilter) bool {
			return f.Kind == wire.FilterSelected && e.name == selected || covers(&f, e, s.mail.Separator())
		}) {
			names = append(names, e.name)
		}
	}
	return names, nil
}

// openError is why a mailbox could not be opened.
type openError struct{ error }

// searchMailbox searches one mailbox, writes its answer and returns what it found. The error is an openError if it could not be opened.
func (s *session) searchMailbox(c *command, name string, req *wire.ESearch, o searchOptions) ([]uint32, error) {
	if err := s.keepalive(); err != nil {
		return nil, err
	}
	view := s.view
	if view == nil || view.box.Name() != name {
		box, err := s.openMailbox(name)
		if errors.Is(err, maildir.ErrNotFound) || errors.Is(err, maildir.ErrNoSelect) || errors.Is(err, maildir.ErrGone) {
			return nil, nil
		} else if err != nil {
			if s.isConnError(err) {
				return nil, err
			}
			return nil, &openError{err}
		}
		defer box.Release()
		view = newView(box, true)
		view.firstRecent = box.FirstRecent()
	}
	o.Update = o.Update && view == s.view // what is not followed need not be found to the last
	pl, uids, err := s.findIn(view, &req.Search, o)
	if err != nil {
		return nil, err
	}
	if pl.modSeq {
		s.useCondstore()
	}
	if pl.lowest != 0 {
		c.cut, c.lowest = true, pl.lowest
	}
	if len(uids) > 0 { // §2.1: no answer where nothing is found, whatever was asked for
		s.writeResults(c.tag, o, uids, pl, view.box)
	}
	if o.Save {
		s.saved = o.toSave(uids)
	}
	return uids, nil
}

// findIn is find in a mailbox that need not be selected.
func (s *session) findIn(v *view, req *wire.Search, o searchOptions) (*plan, []uint32, error) {
	selected := s.view
	s.view = v
	defer func() { s.view = selected }()
	return s.find(req, o)
}

// writeResults writes the answer of one mailbox, which always has UIDs (§2.1).
func (s *session) writeResults(tag string, o searchOptions, uids []uint32, pl *plan, box *maildir.Mailbox) {
	if !(o.Min || o.Max || o.All || o.Count || o.Relevancy || o.Partial != nil) {
		return
	}
	s.enc.Raw("* ESEARCH (TAG ").String(tag)
	s.writeMailboxCorrelator(box)
	s.enc.Raw(") UID")
	var top maildir.ModSeq
	if pl.modSeq {
		top = o.highest(box, uids)
	}
	s.writeResult(o, uids, uids, top, pl)
}

// writeMailboxCorrelator writes which mailbox a response is about (§2.1).
func (s *session) writeMailboxCorrelator(box *maildir.Mailbox) {
	_, validity := box.Identity()
	s.enc.Raw(" MAILBOX ").Mailbox(box.Name()).Raw(" UIDVALIDITY ").Number(int64(validity))
}
