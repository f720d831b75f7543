package maildir

import (
	"slices"
	"sort"
)

// history remembers which UIDs changed at which modseq, bounded in memory: a query that reaches further back than it
// remembers says so.
type history struct {
	list  []event // ascending modseq
	floor ModSeq  // events at or below it may have been dropped
}

type event struct {
	at  ModSeq
	uid uint32
}

// maxHistory bounds list: 16 octets each.
const maxHistory = 1 << 16

func (h *history) add(at ModSeq, uid uint32) {
	if len(h.list) >= maxHistory {
		half := len(h.list) / 2
		h.floor = h.list[half-1].at
		// Events of one modseq may straddle the cut: all at or below floor count as dropped.
		h.list = append(h.list[:0:0], h.list[half:]...)
	}
	h.list = append(h.list, event{at, uid})
}

// forget drops everything: whoever asks about what was before at hears that it is not known.
func (h *history) forget(at ModSeq) { *h = history{floor: at} }

// since returns the UIDs with an event after at, ascending and unique. ok is false when the history does not reach back that far.
func (h *history) since(at ModSeq) (uids []uint32, ok bool) {
	if at < h.floor {
		return nil, false
	}
	i := sort.Search(len(h.list), func(i int) bool { return h.list[i].at > at })
	for _, e := range h.list[i:] {
		uids = append(uids, e.uid)
	}
	slices.Sort(uids)
	return slices.Compact(uids), true
}
