package imap

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"roost/imap/wire"
	"roost/maildir"
)

// creatableUses are the attributes that CREATE … USE may give (RFC 6154 §2, §3; RFC 8457; RFC 9979, where clients look after what is in the mailbox).
// \All and \Flagged are views of other mailboxes, which we have not.
var creatableUses = map[string]string{
	`\archive`: `\Archive`, `\drafts`: `\Drafts`, `\junk`: `\Junk`, `\sent`: `\Sent`, `\trash`: `\Trash`, `\important`: `\Important`,
	`\memos`: `\Memos`, `\scheduled`: `\Scheduled`, `\snoozed`: `\Snoozed`,
}

var errUseAttr = no("USEATTR", "Special use is not supported or given to another mailbox")

// cmdCreate is CREATE (RFC 9051 §6.3.4), with special use (RFC 6154 §3).
func (s *session) cmdCreate(c *command) error {
	req, err := wire.ParseCreate(c.args)
	if err != nil {
		return err
	}
	use := ""
	if len(req.SpecialUse) > 1 {
		return errUseAttr
	}
	for _, attr := range req.SpecialUse {
		use = creatableUses[strings.ToLower(attr)]
		if use == "" {
			return errUseAttr
		}
		for _, taken := range s.specialUse() {
			if taken == use {
				return errUseAttr
			}
		}
	}
	if err := s.changeNames(func() error { return s.mail.Create(req.Name) }, req.Name); err != nil {
		return err
	}
	name := strings.TrimSuffix(req.Name, string(s.mail.Separator()))
	if box, err := s.mail.Open(name); err == nil && s.has("OBJECTID") { // RFC 8474 §4.1; not of a name that only holds others
		st := box.Status()
		box.Release()
		c.okCode = "MAILBOXID (" + mailboxID(&st) + ")"
	}
	if use == "" {
		return nil
	}
	err = s.mail.SetSpecialUse(name, use)
	if err != nil {
		// RFC 6154 §3: all or nothing.
		if undo := s.mail.Delete(name); undo != nil {
			s.log.Warn("cannot remove a mailbox that could not be given its special use", "mailbox", name, "cause", undo)
		}
	}
	return err
}

// trueName is what a mailbox that the client names so is called; false when there is none.
func (s *session) trueName(name string) (string, bool) {
	box, err := s.mail.Open(name)
	if err != nil {
		return "", false
	}
	defer box.Release()
	return box.Name(), true
}

// cmdDelete is DELETE (RFC 9051 §6.3.5).
func (s *session) cmdDelete(c *command) error {
	req, err := wire.ParseMailbox(c.args)
	if err != nil {
		return err
	}
	given, err := s.mail.SpecialUse()
	if err != nil {
		return err
	}
	name, own := req.Name, false
	if s.view != nil || len(given) > 0 {
		if box, err := s.mail.Open(req.Name); err == nil { // under whatever spelling
			name, own = box.Name(), s.view != nil && box == s.view.box
			box.Release()
		}
	}
	remove := func() error { return s.blocking(func() error { return s.mail.Delete(req.Name) }) }
	if err := s.changeNames(remove, req.Name); err != nil {
		return err
	}
	if own {
		// Allowed, but nothing of the view is true any more: this session loses its selection; others, who did not ask for it, their
		// connection (errMailboxGone).
		s.unselect()
		s.enc.Raw("* OK [CLOSED] Selected mailbox was deleted").CRLF()
	}
	if given[name] != "" {
		s.setUse(name, "")
	}
	return nil
}

// setUse changes the special use of a mailbox that the command has changed already: a failure is no reason to say that nothing was done.
func (s *session) setUse(name, attr string) {
	if err := s.mail.SetSpecialUse(name, attr); err != nil {
		s.log.Warn("cannot write down a special use", "mailbox", name, "attribute", attr, "cause", err)
	}
}

// cmdRename is RENAME (RFC 9051 §6.3.6).
func (s *session) cmdRename(c *command) error {
	req, err := wire.ParseRename(c.args)
	if err != nil {
		return err
	}
	given, err := s.mail.SpecialUse()
	if err != nil {
		return err
	}
	from := req.From
	if len(given) > 0 {
		if name, ok := s.trueName(from); ok {
			from = name
		}
	}
	rename := func() error { return s.blocking(func() error { return s.mail.Rename(req.From, req.To) }) }
	if err := s.changeNames(rename, req.From, req.To); err != nil {
		return err
	}
	if req.From == inbox {
		return nil // its messages moved, it did not
	}
	sep := string(s.mail.Separator())
	to := strings.TrimSuffix(req.To, sep)
	for name, attr := range given {
		if rest, ok := strings.CutPrefix(name, from); ok && (rest == "" || strings.HasPrefix(rest, sep)) {
			s.setUse(name, "")
			s.setUse(to+rest, attr)
		}
	}
	if s.rev2 {
		if name, ok := s.trueName(to); ok {
			s.writeList(name, req.From)
		}
	}
	return nil
}

// cmdSubscribe is SUBSCRIBE and UNSUBSCRIBE (RFC 9051 §6.3.7, §6.3.8).
func (s *session) cmdSubscribe(c *command) error {
	req, err := wire.ParseMailbox(c.args)
	if err != nil {
		return err
	}
	on := c.name == "SUBSCRIBE"
	if on {
		if ok, err := s.mail.Exists(req.Name); err != nil {
			return err
		} else if !ok {
			return maildir.ErrNotFound
		}
	}
	return s.changeNames(func() error { return s.mail.SetSubscribed(req.Name, on) }, req.Name)
}

// cmdStatus is STATUS (RFC 9051 §6.3.11).
func (s *session) cmdStatus(c *command) error {
	req, err := wire.ParseStatus(c.args)
	if err != nil {
		return err
	}
	if err := s.takeStatusItems(req.Items); err != nil {
		return err
	}
	return s.writeStatus(req.Name, req.Items)
}

// statusValue computes one data item of STATUS.
type statusValue func(s *session, box *maildir.Mailbox, st *maildir.Status) (string, error)

func counter(of func(*maildir.Status) uint32) statusValue {
	return func(_ *session, _ *maildir.Mailbox, st *maildir.Status) (string, error) {
		return decimal(int64(of(st))), nil
	}
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// statusItems are the data items of STATUS. Only SIZE may have to look at messages.
var statusItems = map[wire.StatusItem]statusValue{
	"MESSAGES":    counter(func(st *maildir.Status) uint32 { return st.Messages }),
	"UIDNEXT":     counter(func(st *maildir.Status) uint32 { return st.UIDNext }),
	"UIDVALIDITY": counter(func(st *maildir.Status) uint32 { return st.UIDValidity }),
	"UNSEEN":      counter(func(st *maildir.Status) uint32 { return st.Unseen }),
	"DELETED":     counter(func(st *maildir.Status) uint32 { return st.Deleted }),
	"RECENT":      counter(func(st *maildir.Status) uint32 { return st.Recent }),
	"HIGHESTMODSEQ": func(_ *session, _ *maildir.Mailbox, st *maildir.Status) (string, error) { // RFC 7162 §3.1.7
		return decimal(int64(st.ModSeq)), nil
	},
	"MAILBOXID": func(_ *session, _ *maildir.Mailbox, st *maildir.Status) (string, error) { // RFC 8474 §4.3
		return "(" + mailboxID(st) + ")", nil
	},
	"SIZE": func(_ *session, box *maildir.Mailbox, _ *maildir.Status) (string, error) { // RFC 8438
		n, err := box.StatusSize()
		return decimal(n), err
	},
	"DELETED-STORAGE": func(s *session, box *maildir.Mailbox, _ *maildir.Status) (string, error) { // RFC 9208 §4.1.4
		n, err := box.DeletedSize(s.ctx)
		return decimal(n), err
	},
	"APPENDLIMIT": func(s *session, _ *maildir.Mailbox, _ *maildir.Status) (string, error) { // RFC 7889 §3
		return decimal(s.srv.opt.Limits.Append), nil
	},
}

// takeStatusItems refuses items that nobody knows. Who asks for HIGHESTMODSEQ knows of mod-sequences (RFC 7162 §3.1).
func (s *session) takeStatusItems(items []wire.StatusItem) error {
	for _, it := range items {
		if statusItems[it] == nil {
			return bad("Unknown STATUS item " + string(it))
		}
	}
	if slices.Contains(items, "HIGHESTMODSEQ") {
		s.useCondstore()
	}
	return nil
}

// writeStatus writes one STATUS response, or nothing if it cannot.
func (s *session) writeStatus(name string, items []wire.StatusItem) error {
	values, err := s.statusValues(name, items)
	if err != nil {
		return err
	}
	s.writeStatusValues(name, items, values)
	return nil
}

// statusValues computes data items of STATUS.
func (s *session) statusValues(name string, items []wire.StatusItem) ([]string, error) {
	box, err := s.openMailbox(name)
	if err != nil {
		return nil, err
	}
	defer box.Release()
	st := box.Status()
	values := make([]string, len(items))
	for i, it := range items {
		if values[i], err = statusItems[it](s, box, &st); err != nil {
			return nil, err
		}
	}
	return values, nil
}

func (s *session) writeStatusValues(name string, items []wire.StatusItem, values []string) {
	s.enc.Raw("* STATUS ").Mailbox(name).Raw(" (")
	for i, it := range items {
		if i > 0 {
			s.enc.SP()
		}
		s.enc.Raw(string(it)).SP().Raw(values[i])
	}
	s.enc.Raw(")").CRLF()
}

// createFolders creates the configured folders that are to exist, at login.
func (s *session) createFolders() {
	for _, f := range s.srv.opt.Folders {
		if f.Auto == AutoNo {
			continue
		}
		err := s.mail.Create(f.Name)
		if errors.Is(err, maildir.ErrExists) {
			continue
		}
		if err == nil && f.Auto == AutoSubscribe {
			err = s.mail.SetSubscribed(f.Name, true)
		}
		if err != nil {
			s.log.Warn("cannot create a configured folder", "mailbox", f.Name, "cause", err)
		}
	}
}
