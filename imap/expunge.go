package imap

import (
	"slices"

	"roost/imap/wire"
	"roost/maildir"
)

// The EXPUNGE or VANISHED responses are sent by the sync that follows each of these commands.

// cmdExpunge is EXPUNGE (RFC 9051 §6.4.3).
func (s *session) cmdExpunge(c *command) error {
	if err := wire.ParseNone(c.args); err != nil {
		return err
	}
	return s.expungeDeleted(c, s.view.uids)
}

// cmdUIDExpunge is UID EXPUNGE (RFC 4315 §2.1, RFC 9051 §6.4.9).
func (s *session) cmdUIDExpunge(c *command) error {
	set, err := wire.ParseUIDSet(c.args)
	if err != nil {
		return err
	}
	uids, err := s.resolve(set, true)
	if err != nil {
		return err
	}
	if s.messageLimit() > 0 {
		uids = s.limited(c, s.deleted(uids))
	}
	return s.expungeDeleted(c, uids)
}

// deleted returns those of uids, ascending, that have \Deleted.
func (s *session) deleted(uids []uint32) (deleted []uint32) {
	var recs []maildir.Record
	for batch := range slices.Chunk(uids, storeBatch) {
		recs = s.view.box.Records(batch, recs[:0])
		for i := range recs {
			if recs[i].Flags&maildir.Deleted != 0 {
				deleted = append(deleted, recs[i].UID)
			}
		}
	}
	return deleted
}

// expungeBatch is how many messages one Expunge call is given. It lets others at the mailbox in between, and tidies up at its end.
const expungeBatch = 10_000

// expungeDeleted removes those of uids (ascending, of the view) that have \Deleted. What the client has not been told of yet stays. CLOSE
// uses it, too.
func (s *session) expungeDeleted(c *command, uids []uint32) error {
	done := 0
	for batch := range batches(c, uids, expungeBatch) {
		done += len(batch)
		deleted := s.deleted(batch)
		if len(deleted) == 0 {
			continue
		}
		var err error
		s.during(done-len(batch), len(uids), func() { _, err = s.view.box.Expunge(s.ctx, deleted) })
		if err != nil {
			return err
		}
		if err := s.keepalive(); err != nil {
			return err
		}
	}
	return nil
}
