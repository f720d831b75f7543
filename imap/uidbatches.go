package imap

import (
	"roost/imap/wire"
)

// UIDBATCHES (RFC 10022): UIDs that cut the mailbox into pieces of so many messages, from the newest. They are at hand in the view, so
// there is nothing to keep clients from asking often (§6).

const (
	minBatch      = 500     // §3.1.3.2
	maxBatchRange = 100_000 // messages that a range of batches may span (§3.1.5)
)

func (s *session) cmdUIDBatches(c *command) error {
	req, err := wire.ParseUIDBatches(c.args)
	if err != nil {
		return err
	}
	if req.Size < minBatch {
		return no("TOOFEW", "Minimum batch size is 500")
	}
	if req.First > 0 && uint64(req.Last-req.First+1)*uint64(req.Size) > maxBatchRange {
		return no("TOOMANY", "Too many messages")
	}
	s.enc.Raw("* UIDBATCHES (TAG ").String(c.tag).Raw(")")
	for i, r := range uidBatches(s.view.uids, req) {
		if i == 0 {
			s.enc.SP()
		} else {
			s.enc.Raw(",")
		}
		s.enc.Number(int64(r.last)).Raw(":").Number(int64(r.first))
	}
	s.enc.CRLF()
	return nil
}

// uidBatches returns the batches asked for, the newest first. Each begins where the one before ended, and the oldest ends at 1, so that a client
// sees that there are no others (§3.1.4).
func uidBatches(uids []uint32, req *wire.UIDBatches) (out []uidRange) {
	size := int(req.Size)
	from, count := 0, (len(uids)+size-1)/size
	if req.First > 0 {
		from, count = int(req.First)-1, min(count, int(req.Last))
	}
	for i := from; i < count; i++ {
		end := len(uids) - i*size
		r := uidRange{first: 1, last: uids[end-1]}
		if end > size {
			r.first = uids[end-size-1] + 1
		}
		out = append(out, r)
	}
	return out
}
