package imap

import (
	"errors"
	"strings"

	"roost/imap/wire"
	"roost/maildir"
)

// creatableUses are the attributes that CREATE … USE may give (RFC 6154 §2, §3; RFC 8457). \All and \Flagged are views of other
// mailboxes, which we have not.
var creatableUses = map[string]string{
	`\archive`: `\Archive`, `\drafts`: `\Drafts`, `\junk`: `\Junk`, `\sent`: `\Sent`, `\trash`: `\Trash`, `\important`: `\Important`,
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
		known, ok := creatableUses[strings.ToLower(attr)]
		if !ok {
			return errUseAttr
		}
		for _, taken := range s.specialUse() {
			if strings.EqualFold(taken, known) {
				return errUseAttr
			}
		}
		use = known
	}
	if err := s.mail.Create(req.Name); err != nil {
		return err
	}
	if use != "" {
		return s.mail.SetSpecialUse(strings.TrimSuffix(req.Name, string(s.mail.Separator())), use)
	}
	return nil
}

// cmdDelete is DELETE (RFC 9051 §6.3.5).
func (s *session) cmdDelete(c *command) error {
	req, err := wire.ParseMailbox(c.args)
	if err != nil {
		return err
	}
	if s.view != nil && s.view.box.Name() == req.Name {
		// Not forbidden, but nothing of the view would be true afterwards: the client loses its selection, as with a failed SELECT.
		s.unselect()
		s.enc.Raw("* OK [CLOSED] Mailbox is deleted").CRLF()
	}
	if err := s.mail.Delete(req.Name); err != nil {
		return err
	}
	return s.mail.SetSpecialUse(req.Name, "")
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
	if err := s.mail.Rename(req.From, req.To); err != nil {
		return err
	}
	if req.From == "INBOX" {
		return nil // its messages moved, it did not
	}
	sep := string(s.mail.Separator())
	for name, attr := range given {
		if rest, ok := strings.CutPrefix(name, req.From); ok && (rest == "" || strings.HasPrefix(rest, sep)) {
			if err := errors.Join(s.mail.SetSpecialUse(name, ""), s.mail.SetSpecialUse(req.To+rest, attr)); err != nil {
				return err
			}
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
	return s.mail.SetSubscribed(req.Name, on)
}

// cmdStatus is STATUS (RFC 9051 §6.3.11).
func (s *session) cmdStatus(c *command) error {
	req, err := wire.ParseStatus(c.args)
	if err != nil {
		return err
	}
	return s.writeStatus(req.Name, req.Items)
}

// writeStatus writes one STATUS response.
func (s *session) writeStatus(name string, items []wire.StatusItem) error {
	box, err := s.mail.Open(name)
	if err != nil {
		return err
	}
	defer box.Release()
	st := box.Status()
	var size int64
	for _, it := range items {
		if it == "SIZE" {
			if size, err = box.StatusSize(); err != nil {
				return err
			}
		}
	}
	s.enc.Raw("* STATUS ").Mailbox(name).Raw(" (")
	for i, it := range items {
		if i > 0 {
			s.enc.SP()
		}
		s.enc.Raw(string(it)).SP()
		switch it {
		case "MESSAGES":
			s.enc.Number(int64(st.Messages))
		case "UIDNEXT":
			s.enc.Number(int64(st.UIDNext))
		case "UIDVALIDITY":
			s.enc.Number(int64(st.UIDValidity))
		case "UNSEEN":
			s.enc.Number(int64(st.Unseen))
		case "DELETED":
			s.enc.Number(int64(st.Deleted))
		case "RECENT":
			s.enc.Number(int64(st.Recent))
		case "SIZE":
			s.enc.Number(size)
		case "APPENDLIMIT":
			s.enc.Number(s.srv.opt.Limits.Append)
		default:
			s.enc.Raw("0")
		}
	}
	s.enc.Raw(")").CRLF()
	return nil
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
