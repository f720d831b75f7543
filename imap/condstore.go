package imap

import (
	"fmt"
	"slices"
	"strconv"

	"roost/imap/wire"
	"roost/maildir"
)

// CONDSTORE and QRESYNC (RFC 7162). MODSEQs are the store's; this file holds what several commands share. A position in the mailbox's history that
// the client may come back with is always view.gone: up to there it has been told of everything.

// useCondstore notes that the client knows of mod-sequences, by the first command that says so (RFC 7162 §3.1).
func (s *session) useCondstore() {
	if s.condstore {
		return
	}
	s.condstore = true
	if s.view != nil {
		s.writeHighestModSeq()
	}
}

func (s *session) writeHighestModSeq() {
	s.enc.Raw("* OK [").Raw(s.highestModSeq()).Raw("] Highest").CRLF()
}

// highestModSeq is the response code of that name.
func (s *session) highestModSeq() string {
	return "HIGHESTMODSEQ " + strconv.FormatUint(uint64(s.view.gone), 10)
}

// writeModSeq writes the FETCH item.
func (s *session) writeModSeq(rec *maildir.Record) {
	s.enc.Raw("MODSEQ (").Number(int64(rec.ModSeq)).Raw(")")
}

// writeChange tells of the flags of a message of the view as they are now.
func (s *session) writeChange(rec *maildir.Record) {
	if !s.beginFetch(rec) {
		return
	}
	if !s.uidOnly {
		s.enc.Raw("UID ").Number(int64(rec.UID)).SP()
	}
	s.enc.Raw("FLAGS ")
	s.writeFlags(rec)
	if s.condstore {
		s.enc.SP()
		s.writeModSeq(rec)
	}
	s.enc.Raw(")").CRLF()
}

// vanishedLine bounds the ranges in one VANISHED response, for clients that read lines.
const vanishedLine = 1000

// writeVanished writes VANISHED responses (RFC 7162 §3.2.10); EARLIER: of messages that are not in the view.
func (s *session) writeVanished(set uidSet, earlier bool) {
	for chunk := range slices.Chunk(set, vanishedLine) {
		s.enc.Raw("* VANISHED ")
		if earlier {
			s.enc.Raw("(EARLIER) ")
		}
		for i, r := range chunk {
			if i > 0 {
				s.enc.Raw(",")
			}
			s.enc.Number(int64(r.first))
			if r.last > r.first {
				s.enc.Raw(":").Number(int64(r.last))
			}
		}
		s.enc.CRLF()
	}
}

// vanishedIn returns what of the given UIDs is gone since the changes were asked for and not in the view. When nobody remembers, it is all that
// is not there (RFC 7162 §3.2.10.1).
func (v *view) vanishedIn(ch *maildir.Changes, of uidSet) uidSet {
	if ch.Unknown {
		return of.minus(v.uids)
	}
	var gone []uint32
	for _, uid := range ch.Expunged {
		if v.seq(uid) == 0 && of.has(uid) {
			gone = append(gone, uid)
		}
	}
	return savedSet(gone)
}

// changedIn returns the records of the view among the changes that are in the set.
func (v *view) changedIn(ch *maildir.Changes, of uidSet) []maildir.Record {
	return slices.DeleteFunc(ch.Changed, func(r maildir.Record) bool { return !of.has(r.UID) || v.seq(r.UID) == 0 })
}

// resync answers the QRESYNC parameter of SELECT: ch, what happened since the client was here last (RFC 7162 §3.2.5). Sequence match data would
// tell from where on to look when nobody remembers (§3.2.5.2), if expunged messages never came back. Here one that is restored from a backup may, after its
// uidlist line, once the state is lost that knew better; then numbers agree although a message below is gone. So it is not used.
func (s *session) resync(q *wire.QResync, ch *maildir.Changes) {
	v := s.view
	if v.next <= 1 {
		return
	}
	known := uidSet{{1, v.next - 1}}
	if q.Known != nil {
		known = knownUIDs(q.Known).intersect(known)
	}
	s.writeVanished(v.vanishedIn(ch, known), true)
	changed := v.changedIn(ch, known)
	s.announceKeywords()
	for i := range changed {
		s.writeChange(&changed[i])
	}
}

// knownUIDs makes a set of ranges of a client, in which there is no "*".
func knownUIDs(ranges []wire.Range) uidSet {
	set := make(uidSet, len(ranges))
	for i, r := range ranges {
		set[i] = uidRange{min(r.First, r.Last), max(r.First, r.Last)}
	}
	return set.normalise()
}

// changedSince limits a FETCH to what changed (RFC 7162 §3.1.4.1) and tells, if asked to, what vanished (§3.2.6).
func (s *session) changedSince(req *wire.Fetch, uids []uint32) []uint32 {
	v := s.view
	ch := v.box.Changes(maildir.ModSeq(*req.ChangedSince))
	if req.Vanished {
		var of uidSet
		if req.Set.Saved {
			of = savedSet(s.saved)
		} else {
			ranges := slices.Clone(req.Set.Ranges)
			for i := range ranges {
				if ranges[i].First == wire.Star {
					ranges[i].First = max(v.top, 1)
				}
				if ranges[i].Last == wire.Star {
					ranges[i].Last = max(v.top, 1)
				}
			}
			of = knownUIDs(ranges).intersect(uidSet{{1, max(v.next, 2) - 1}})
		}
		s.writeVanished(v.vanishedIn(&ch, of), true)
	}
	var changed []uint32
	for i := range ch.Changed {
		if _, ok := slices.BinarySearch(uids, ch.Changed[i].UID); ok {
			changed = append(changed, ch.Changed[i].UID)
		}
	}
	return changed
}

// modified is the response code of a STORE that left messages alone (RFC 7162 §3.1.3).
func (s *session) modified(c *command, uids []uint32) string {
	slices.Sort(uids)
	nums := uids
	if !c.isUID() {
		nums = nil
		for _, uid := range uids {
			if seq := s.view.seq(uid); seq != 0 {
				nums = append(nums, seq)
			}
		}
	}
	return fmt.Sprintf("MODIFIED %s", wire.AppendSet(nil, nums))
}
