package imap

import (
	"slices"

	"roost/imap/wire"
)

// uidRange is an inclusive range of UIDs.
type uidRange struct{ first, last uint32 }

// uidSet is a set of UIDs: ranges, ascending, neither touching nor overlapping. Its size is bounded by what the client sent, however many
// messages it names.
type uidSet []uidRange

// newUIDSet turns a set of a search into UIDs of the view. A sequence number that the view does not have is no error there (RFC 7377 §2).
func newUIDSet(set wire.Set, uid bool, v *view, saved []uint32) uidSet {
	if set.Saved {
		return savedSet(saved)
	}
	if len(v.uids) == 0 {
		return uidSet{}
	}
	highest := uint32(len(v.uids))
	if uid {
		highest = v.uids[len(v.uids)-1]
	}
	out := make(uidSet, 0, len(set.Ranges))
	for _, r := range set.Ranges {
		a, b := r.First, r.Last
		if a == wire.Star {
			a = highest
		}
		if b == wire.Star {
			b = highest
		}
		a, b = min(a, b), max(a, b)
		if !uid {
			if a > highest {
				continue
			}
			a, b = v.uids[a-1], v.uids[min(b, highest)-1]
		}
		out = append(out, uidRange{a, b})
	}
	return out.normalise()
}

// savedSet is "$": UIDs ascending.
func savedSet(uids []uint32) uidSet {
	out := uidSet{}
	for _, uid := range uids {
		if n := len(out); n > 0 && out[n-1].last+1 == uid {
			out[n-1].last = uid
		} else {
			out = append(out, uidRange{uid, uid})
		}
	}
	return out
}

// normalise sorts and merges in place.
func (s uidSet) normalise() uidSet {
	slices.SortFunc(s, func(a, b uidRange) int { return int(int64(a.first) - int64(b.first)) })
	out := s[:0]
	for _, r := range s {
		if n := len(out); n > 0 && uint64(r.first) <= uint64(out[n-1].last)+1 {
			out[n-1].last = max(out[n-1].last, r.last)
		} else {
			out = append(out, r)
		}
	}
	return out
}

// has tells whether uid is in the set.
func (s uidSet) has(uid uint32) bool {
	i, _ := slices.BinarySearchFunc(s, uid, func(r uidRange, uid uint32) int {
		if r.last < uid {
			return -1
		}
		return 1
	})
	return i < len(s) && s[i].first <= uid
}

// minus takes UIDs, ascending, out of the set.
func (s uidSet) minus(uids []uint32) uidSet {
	out := make(uidSet, 0, len(s))
	for _, r := range s {
		i, _ := slices.BinarySearch(uids, r.first)
		uids = uids[i:]
		from := uint64(r.first)
		for len(uids) > 0 && uids[0] <= r.last {
			if from < uint64(uids[0]) {
				out = append(out, uidRange{uint32(from), uids[0] - 1})
			}
			from = uint64(uids[0]) + 1
			uids = uids[1:]
		}
		if from <= uint64(r.last) {
			out = append(out, uidRange{uint32(from), r.last})
		}
	}
	return out
}

// intersect merges two sets.
func (s uidSet) intersect(t uidSet) uidSet {
	out := uidSet{}
	for len(s) > 0 && len(t) > 0 {
		if a, b := max(s[0].first, t[0].first), min(s[0].last, t[0].last); a <= b {
			out = append(out, uidRange{a, b})
		}
		if s[0].last < t[0].last {
			s = s[1:]
		} else {
			t = t[1:]
		}
	}
	return out
}
