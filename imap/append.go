package imap

import (
	"fmt"
	"io"

	goimap "github.com/emersion/go-imap/v2"

	"roost/imap/wire"
	"roost/maildir"
)

var (
	errAppendTooBig = no("TOOBIG", "Message is too big")
	errOneMessage   = bad("There must be one message")
	errAppendEmpty  = no(goimap.ResponseCodeCannot, "Message is empty, nothing was appended")
)

// cmdAppend is APPEND (RFC 9051 §6.3.12) with one or more messages (RFC 3502). A message is not asked for before it is clear that it will be
// taken, and goes to the disk as it comes in. All are committed at the end, or none. When it returns an error, what the client has under way
// of the command has been read.
func (s *session) cmdAppend(c *command) error { return s.skipRest(s.appendMessages(c)) }

// skipRest reads what is left of a refused command with messages.
func (s *session) skipRest(err error) error {
	if err != nil && !s.isConnError(err) {
		if skip := s.rd.SkipCommand(); skip != nil {
			return skip
		}
	}
	return err
}

func (s *session) appendMessages(c *command) error {
	name, err := wire.ParseAppendMailbox(c.args)
	if err != nil {
		return err
	}
	msg, err := wire.ParseAppendMessage(c.args)
	if err != nil {
		return err
	}
	box, err := s.openTarget(name)
	if err != nil {
		return err
	}
	defer box.Release()
	delivery, err := box.NewDelivery()
	if err != nil {
		return err
	}
	defer delivery.Abort() // no effect once committed
	for n := 1; err == nil; n++ {
		if most := s.saveLimit(); most > 0 && n > most {
			return tooMany(most, 0)
		}
		reserve := func(octets int64) error { return delivery.Reserve(s.ctx, octets) }
		if err := s.appendOne(c, delivery, msg, reserve); err != nil {
			return err
		}
		if msg, err = wire.ParseAppendMessage(c.args); err == nil && !s.has("MULTIAPPEND") {
			return errOneMessage
		}
	}
	if err != io.EOF {
		return err
	}
	var uids []uint32
	err = s.blocking(func() (err error) {
		uids, err = delivery.Commit(s.ctx)
		return err
	})
	if err != nil {
		return err
	}
	s.created(box, uids)
	if s.has("UIDPLUS") {
		c.okCode = appendUID(box, uids)
	}
	return nil
}

// appendUID is the response code of RFC 4315 §3.
func appendUID(box *maildir.Mailbox, uids []uint32) string {
	return fmt.Sprintf("APPENDUID %d %s", box.Status().UIDValidity, wire.AppendSet(nil, uids))
}

// appendOne decides whether one message is taken, and takes it. reserve keeps room for it in the quota.
func (s *session) appendOne(c *command, delivery *maildir.Delivery, msg *wire.AppendMessage, reserve func(octets int64) error) error {
	flags, keywords, err := splitFlags(msg.Flags, true)
	if err != nil {
		return err
	}
	if msg.Catenate {
		more := reserve
		room := func(octets int64) error {
			err := more(octets)
			more = func(octets int64) error { return delivery.ReserveMore(s.ctx, octets) }
			return err
		}
		return s.catenate(c, room, func(r io.Reader) error { return delivery.Add(r, flags, keywords, msg.Date) })
	}
	lit := msg.Literal
	switch {
	case msg.UTF8 && !s.utf8: // RFC 6855 §4
		return bad("UTF8 is not enabled")
	case lit.Binary && !msg.UTF8 && !s.has("BINARY"):
		return bad("Literals of this kind are not taken")
	case lit.Size > s.srv.opt.Limits.Append: // RFC 7889 §4
		return errAppendTooBig
	case lit.Size == 0: // RFC 3502 §6.3.11: how a client that has begun calls it off
		return errAppendEmpty
	}
	if err := reserve(lit.Size); err != nil {
		return err
	}
	if !lit.NonSync {
		if err := s.continuation(); err != nil {
			return err
		}
	}
	// NUL is not for plain literals, but refusing it would keep old mail from being moved here (ARCHITECTURE.md).
	rd := &watchedReader{r: s.rd.Literal(lit)}
	if err := delivery.Add(rd, flags, keywords, msg.Date); err != nil {
		if rd.err != nil {
			return rd.err // the client is gone
		}
		return err
	}
	return s.rd.ReadContinuation(c.frame, s.continuation)
}

// watchedReader keeps the error of the connection apart from those of the disk.
type watchedReader struct {
	r   io.Reader
	err error
}

func (w *watchedReader) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}
