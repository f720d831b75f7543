package imap

import (
	"errors"
	"fmt"

	goimap "github.com/emersion/go-imap/v2"

	"roost/imap/wire"
	"roost/maildir"
)

// cmdCopy is COPY and UID COPY (RFC 9051 §6.4.7).
func (s *session) cmdCopy(c *command) error {
	uids, dst, err := s.copyTarget(c)
	if err != nil {
		return err
	}
	defer dst.Release()
	if len(uids) == 0 {
		return nil // UIDs that do not exist are no error, and there is nothing to report
	}
	if err := s.checkSaved(uids); err != nil {
		return err
	}
	var pairs []maildir.Pair
	err = s.blocking(func() (err error) {
		pairs, err = s.view.box.CopyTo(s.ctx, uids, dst)
		return err
	})
	if err != nil {
		return someGone(err)
	}
	if len(pairs) == 0 {
		return errSomeGone
	}
	s.createdPairs(dst, pairs)
	if s.has("UIDPLUS") {
		c.okCode = copyUID(dst, pairs) // names what was still there to copy
	}
	return nil
}

// cmdMove is MOVE and UID MOVE (RFC 6851, RFC 9051 §6.4.8). COPYUID comes in an untagged OK before the EXPUNGE responses, which the sync
// behind the command sends.
func (s *session) cmdMove(c *command) error {
	uids, dst, err := s.copyTarget(c)
	if err != nil {
		return err
	}
	defer dst.Release()
	if len(uids) == 0 {
		return nil
	}
	uids = s.limited(c, uids)
	var pairs []maildir.Pair
	err = s.blocking(func() (err error) {
		pairs, err = s.view.box.MoveTo(s.ctx, uids, dst)
		return err
	})
	s.createdPairs(dst, pairs)
	if len(pairs) > 0 && s.has("UIDPLUS") {
		s.enc.Raw("* OK [").Raw(copyUID(dst, pairs)).Raw("] Moved").CRLF()
	}
	if len(pairs) == 0 && err == nil {
		return errSomeGone
	}
	return someGone(err)
}

// copyTarget parses COPY or MOVE and opens the target; Release it.
func (s *session) copyTarget(c *command) ([]uint32, *maildir.Mailbox, error) {
	req, err := wire.ParseCopy(c.args)
	if err != nil {
		return nil, nil, err
	}
	uids, err := s.resolve(req.Set, c.isUID())
	if err != nil {
		return nil, nil, err
	}
	dst, err := s.openTarget(req.Name)
	return uids, dst, err
}

var errTryCreate = no(goimap.ResponseCodeTryCreate, "No such mailbox")

// openTarget opens the mailbox that messages are to be put into; Release it. A client may create a missing one and try again
// (RFC 9051 §6.3.12).
func (s *session) openTarget(name string) (*maildir.Mailbox, error) {
	box, err := s.openMailbox(name)
	if errors.Is(err, maildir.ErrNotFound) || errors.Is(err, maildir.ErrNoSelect) {
		return nil, errTryCreate
	}
	return box, err
}

// copyUID is the response code of RFC 4315 §3: UIDVALIDITY of the target, and the UIDs there and here in the same order.
func copyUID(dst *maildir.Mailbox, pairs []maildir.Pair) string {
	from, to := make([]uint32, len(pairs)), make([]uint32, len(pairs))
	for i, p := range pairs {
		from[i], to[i] = p.Src, p.Dst
	}
	return fmt.Sprintf("COPYUID %d %s %s", dst.Status().UIDValidity, wire.AppendSet(nil, from), wire.AppendSet(nil, to))
}

// createdPairs notes the copies as the client's own.
func (s *session) createdPairs(dst *maildir.Mailbox, pairs []maildir.Pair) {
	uids := make([]uint32, len(pairs))
	for i, p := range pairs {
		uids[i] = p.Dst
	}
	s.created(dst, uids)
}

// someGone names the messages as the ones removed, where the store says that something was.
func someGone(err error) error {
	if errors.Is(err, maildir.ErrGone) {
		return errSomeGone
	}
	return err
}
