package imap

import (
	"errors"
	"io"

	goimap "github.com/emersion/go-imap/v2"

	"roost/imap/wire"
	"roost/maildir"
)

var (
	errNoOld       = no(goimap.ResponseCodeNonExistent, "No such message, nothing was replaced")
	errReplaceGone = no("EXPUNGEISSUED", "The message was removed meanwhile, nothing was replaced")
)

// cmdReplace is REPLACE and UID REPLACE (RFC 8508): APPEND of one message and EXPUNGE of another, both or neither. APPENDUID comes in an
// untagged OK before the EXPUNGE or VANISHED response (§4.3), which the sync behind the command sends.
func (s *session) cmdReplace(c *command) error { return s.skipRest(s.replace(c)) }

func (s *session) replace(c *command) error {
	set, name, err := wire.ParseReplace(c.args)
	if err != nil {
		return err
	}
	msg, err := wire.ParseAppendMessage(c.args)
	if err != nil {
		return err
	}
	uids, err := s.resolve(set, c.isUID())
	if err != nil {
		return err
	}
	if len(uids) == 0 {
		return errNoOld
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
	defer delivery.Abort()                // no effect once committed
	reserve := func(octets int64) error { // RFC 8508 §3.4: what counts is the difference
		return delivery.ReserveInstead(s.ctx, octets, s.view.box, uids[0])
	}
	if err := s.appendOne(c, delivery, msg, reserve); err != nil {
		return err
	}
	if _, err := wire.ParseAppendMessage(c.args); err == nil {
		return errOneMessage
	} else if err != io.EOF {
		return err
	}
	var uid uint32
	err = s.blocking(func() (err error) {
		uid, err = delivery.Replace(s.ctx, s.view.box, uids[0])
		return err
	})
	if err != nil {
		if errors.Is(err, maildir.ErrGone) {
			return errReplaceGone
		}
		return err
	}
	s.created(box, []uint32{uid})
	if s.has("UIDPLUS") {
		s.enc.Raw("* OK [").Raw(appendUID(box, []uint32{uid})).Raw("] Replacement").CRLF()
	}
	return nil
}
