package imap

import (
	"roost/imap/wire"
	"roost/maildir"
)

// cmdSelect is SELECT and EXAMINE (RFC 9051 §6.3.2, §6.3.3; RFC 3501 §6.3.1). Whatever happens, the old mailbox is no longer selected.
func (s *session) cmdSelect(c *command) error {
	req, err := wire.ParseSelect(c.args)
	if err != nil {
		return err
	}
	if req.QResync != nil && req.QResync.MatchSeqs != nil && s.uidOnly { // RFC 9586 §3.7
		return errUIDRequired
	}
	if req.QResync != nil && !s.qresync {
		return bad("QRESYNC is not enabled") // RFC 7162 §3.2.5
	}
	if s.view != nil {
		s.unselect()
		s.enc.Raw("* OK [CLOSED] Previous mailbox is closed").CRLF() // RFC 7162 §3.2.11
	}
	box, err := s.openMailbox(req.Name)
	if err != nil {
		return err
	}
	readOnly := c.name == "EXAMINE" || box.ReadOnly()
	firstRecent := box.FirstRecent()
	if !readOnly {
		err := s.blocking(func() error {
			first, err := box.ClaimRecent(s.ctx)
			if err == nil {
				firstRecent = first
			}
			return err
		})
		if err != nil && s.ctx.Err() != nil {
			box.Release()
			return err
		}
		if err != nil {
			s.log.Warn("cannot move new mail to cur", "mailbox", box.Name(), "cause", err)
		}
	}
	st := box.Status() // before the view, so that UIDNEXT is not above what is new to the client
	s.view = newView(box, readOnly)
	s.view.firstRecent = firstRecent
	s.view.next = max(st.UIDNext, s.view.next)
	var since *maildir.Changes
	if q := req.QResync; q != nil && q.UIDValidity == st.UIDValidity {
		ch := box.Changes(maildir.ModSeq(q.ModSeq))
		s.view.drop(s.view.vanished(&ch)) // or EXISTS would count messages of which the client is told nothing
		since = &ch
	}
	s.state = selected
	s.saved = nil // RFC 5182 §2.1
	s.writeFlagLists()
	s.writeExists()
	if !s.rev2 && !s.uidOnly {
		if seq := s.view.seq(box.FirstUnseen()); seq != 0 {
			s.enc.Raw("* OK [UNSEEN ").Number(int64(seq)).Raw("] First unseen message").CRLF()
		}
	}
	s.enc.Raw("* OK [UIDVALIDITY ").Number(int64(st.UIDValidity)).Raw("] UIDs valid").CRLF()
	s.enc.Raw("* OK [UIDNEXT ").Number(int64(s.view.next)).Raw("] Predicted next UID").CRLF()
	if s.has("URLAUTH") { // RFC 4467 §8
		s.enc.Raw("* OK [URLMECH ").Raw(urlMechanism).Raw("] URLs can be authorized").CRLF()
	}
	if s.has("OBJECTID") {
		s.enc.Raw("* OK [MAILBOXID (").Raw(mailboxID(&st)).Raw(")] Mailbox identifier").CRLF()
	}
	if s.has("CONDSTORE") {
		s.writeHighestModSeq()
	}
	if s.rev2 {
		// RFC 9051 §6.3.2: always. The store calls a mailbox as it was called when it was opened first, which LIST may spell otherwise.
		if !s.writeList(box.Name(), req.Name) && !s.writeList(req.Name, req.Name) {
			s.beginList(&listEntry{name: req.Name, exists: true}, true, false)
			s.enc.CRLF()
		}
	}
	if req.Condstore || req.QResync != nil {
		s.condstore = true
	}
	if since != nil {
		s.resync(req.QResync, since)
	}
	c.okCode = "READ-WRITE"
	if readOnly {
		c.okCode = "READ-ONLY"
	}
	return nil
}

// unselect forgets the selected mailbox.
func (s *session) unselect() {
	if s.view == nil {
		return
	}
	s.view.box.Release()
	s.view, s.saved = nil, nil
	s.fetched = fetchMemo{}
	s.state = authenticated
}

// cmdClose is CLOSE (RFC 9051 §6.4.1): expunge silently, then unselect. It names no HIGHESTMODSEQ: the client would not have been told of the
// expunges up to there (RFC 7162 §3.2.8).
func (s *session) cmdClose(c *command) error {
	if err := wire.ParseNone(c.args); err != nil {
		return err
	}
	if !s.view.readOnly {
		if err := s.expungeDeleted(c, s.view.uids); err != nil {
			s.log.Warn("CLOSE could not expunge", "mailbox", s.view.box.Name(), "cause", err)
		}
	}
	s.unselect()
	return nil
}

// cmdUnselect is UNSELECT (RFC 3691, RFC 9051 §6.4.2).
func (s *session) cmdUnselect(c *command) error {
	if err := wire.ParseNone(c.args); err != nil {
		return err
	}
	s.unselect()
	return nil
}
