package imap

import (
	"cmp"
	"math"
	"slices"

	"roost/imap/wire"
	"roost/maildir"
)

// view is what this session has been told about the selected mailbox. Sequence numbers exist only here: uids[i] has number i+1.
//
// It is two positions in the mailbox's history: everything up to seen has been told as EXISTS and FETCH, everything up to gone as EXPUNGE, and
// gone ≤ seen, because an EXPUNGE has to wait for a command during which it may be sent (RFC 9051 §7.5.1).
type view struct {
	box         *maildir.Mailbox
	readOnly    bool
	uids        []uint32 // told to the client; shared with the mailbox until they diverge, never written in place
	top         uint32   // highest UID ever told: what is not above it and not in uids is of no concern
	next        uint32   // UIDs below it are in uids or gone
	seen        maildir.ModSeq
	gone        maildir.ModSeq
	told        map[uint32]maildir.ModSeq // changes after seen that the client knows because it made them
	firstRecent uint32                    // UIDs ≥ this are \Recent in this session
	keywords    []string                  // what has been announced in FLAGS
	contexts    []*searchContext          // searches the client follows
	keyResets   uint64                    // of the mailbox, as told (urlauth.go)
	alsoFetch   map[uint32][]fetchItem    // what UPDATE wants to know of new messages, where that goes together with MessageNew; within one tell
	created     []uint32                  // messages that the client put here itself since it was told last
}

// newView begins with what the mailbox holds now.
func newView(box *maildir.Mailbox, readOnly bool) *view {
	v := &view{box: box, readOnly: readOnly}
	// The position first: what changes in between is told twice rather than not at all.
	v.seen = box.Now()
	v.keyResets = box.KeyResets()
	v.gone = v.seen
	v.uids = box.UIDs()
	v.top = last(v.uids)
	v.next = v.top + 1
	return v
}

func last(uids []uint32) uint32 {
	if len(uids) == 0 {
		return 0
	}
	return uids[len(uids)-1]
}

// seq returns the sequence number of uid, 0 when the view does not hold it.
func (v *view) seq(uid uint32) uint32 {
	near := 0
	return v.seqNear(uid, &near)
}

// seqNear is seq for who asks for one message after another, quickest in ascending order; near is what the call before left there.
func (v *view) seqNear(uid uint32, near *int) uint32 {
	from, to := *near, len(v.uids)
	if from >= to || v.uids[from] > uid {
		from = 0
	}
	// UIDs ascend by one or more, which says where this one can be.
	if from < to && v.uids[from] <= uid {
		to = min(to, from+int(min(uid-v.uids[from], math.MaxInt32))+1)
	}
	if top := last(v.uids); uid <= top && uint64(top-uid) < uint64(len(v.uids)) {
		from = max(from, len(v.uids)-1-int(top-uid))
	}
	i, ok := slices.BinarySearch(v.uids[from:to], uid)
	*near = from + i
	if ok {
		return uint32(*near + 1)
	}
	return 0
}

// knows tells whether the client has been told of the record as it is.
func (v *view) knows(rec *maildir.Record) bool {
	return rec.ModSeq <= v.seen || v.told[rec.UID] == rec.ModSeq
}

// tell remembers that the client knows these records as they are.
func (v *view) tell(recs []maildir.Record) {
	for i := range recs {
		if recs[i].ModSeq > v.seen {
			if v.told == nil {
				v.told = map[uint32]maildir.ModSeq{}
			}
			v.told[recs[i].UID] = recs[i].ModSeq
		}
	}
}

// arrived adds new messages, ascending and above top. The slice of the mailbox is used when it says the same.
func (v *view) arrived(fresh []uint32) {
	if len(fresh) == 0 {
		return
	}
	v.top = last(fresh)
	v.next = max(v.next, v.top+1)
	n := len(v.uids) + len(fresh)
	all := v.box.UIDs()
	if len(all) >= n && all[n-1] == v.top && (len(v.uids) == 0 || all[len(v.uids)-1] == last(v.uids)) && sameEnds(all, v.uids) {
		v.uids = all[:n:n]
		return
	}
	v.uids = append(v.uids[:len(v.uids):len(v.uids)], fresh...)
}

// sameEnds tells whether all begins with uids. Both are ascending lists of UIDs of one mailbox, of which uids was a prefix once: if
// they share their memory nothing has to be compared.
func sameEnds(all, uids []uint32) bool {
	return len(uids) == 0 || &all[0] == &uids[0] || slices.Equal(all[:len(uids)], uids)
}

// unheard returns the UIDs among changed of messages that the client has not been told of, ascending.
func (v *view) unheard(changed []maildir.Record) []uint32 {
	i, _ := slices.BinarySearchFunc(changed, v.top+1, func(r maildir.Record, uid uint32) int { return cmp.Compare(r.UID, uid) })
	fresh := make([]uint32, 0, len(changed)-i)
	for ; i < len(changed); i++ {
		fresh = append(fresh, changed[i].UID)
	}
	return fresh
}

// vanished returns the messages of the view that are gone from the mailbox according to the changes since v.gone, ascending.
func (v *view) vanished(ch *maildir.Changes) (gone []uint32) {
	if !ch.Unknown {
		for _, uid := range ch.Expunged {
			if v.seq(uid) != 0 {
				gone = append(gone, uid)
			}
		}
		return gone
	}
	// Whatever goes or comes after ch is in the next changes: a message that is gone twice is looked for in vain the second time.
	left := v.box.UIDs()
	for _, uid := range v.uids {
		for len(left) > 0 && left[0] < uid {
			left = left[1:]
		}
		if len(left) == 0 || left[0] != uid {
			gone = append(gone, uid)
		}
	}
	return gone
}

// drop takes expunged messages (ascending) out of the view.
func (v *view) drop(gone []uint32) {
	if len(gone) == 0 {
		return
	}
	left := make([]uint32, 0, len(v.uids)-len(gone))
	for _, uid := range v.uids {
		if len(gone) > 0 && gone[0] == uid {
			gone = gone[1:]
			delete(v.told, uid)
			continue
		}
		left = append(left, uid)
	}
	if all := v.box.UIDs(); len(all) >= len(left) && slices.Equal(all[:len(left)], left) {
		left = all[:len(left):len(left)]
	}
	v.uids = left
}

// span is a range of positions in view.uids, end exclusive.
type span struct{ from, to int }

// resolve returns the UIDs of the view that set names, ascending, without duplicates. A sequence number above the view's count is a
// BAD; UIDs that do not exist are ignored. "$" is s.saved limited to the view.
func (s *session) resolve(set wire.Set, uid bool) ([]uint32, error) {
	v := s.view
	if set.Saved {
		var uids []uint32
		for _, u := range s.saved {
			if v.seq(u) != 0 {
				uids = append(uids, u)
			}
		}
		return uids, nil
	}
	spans := make([]span, 0, len(set.Ranges))
	n := len(v.uids)
	for _, r := range set.Ranges {
		lo, hi := r.First, r.Last
		if uid {
			// "*" is the highest UID in use (RFC 9051 §9, seq-range); in an empty mailbox nothing is.
			if lo == wire.Star {
				lo = last(v.uids)
			}
			if hi == wire.Star {
				hi = last(v.uids)
			}
			if lo > hi {
				lo, hi = hi, lo
			}
			from, _ := slices.BinarySearch(v.uids, lo)
			to, found := slices.BinarySearch(v.uids, hi)
			if found {
				to++
			}
			if from < to {
				spans = append(spans, span{from, to})
			}
			continue
		}
		if lo == wire.Star {
			lo = uint32(n)
		}
		if hi == wire.Star {
			hi = uint32(n)
		}
		if lo > hi {
			lo, hi = hi, lo
		}
		if lo == 0 || int64(hi) > int64(n) {
			return nil, bad("No message has that number")
		}
		spans = append(spans, span{int(lo) - 1, int(hi)})
	}
	return v.pick(spans), nil
}

// pick returns the UIDs at the positions of spans.
func (v *view) pick(spans []span) []uint32 {
	slices.SortFunc(spans, func(a, b span) int { return a.from - b.from })
	merged := spans[:0]
	for _, sp := range spans {
		if k := len(merged); k > 0 && sp.from <= merged[k-1].to {
			merged[k-1].to = max(merged[k-1].to, sp.to)
		} else {
			merged = append(merged, sp)
		}
	}
	if len(merged) == 1 {
		return v.uids[merged[0].from:merged[0].to:merged[0].to]
	}
	var uids []uint32
	for _, sp := range merged {
		uids = append(uids, v.uids[sp.from:sp.to]...)
	}
	return uids
}
