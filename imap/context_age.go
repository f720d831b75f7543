package imap

import (
	"slices"
	"time"

	"roost/imap/wire"
)

// Searches that are followed and ask for OLDER or YOUNGER change their results without any change in the mailbox. They are looked at now and then
// (RFC 5032 §2), at those messages only that came to another side of an age meanwhile.

const (
	agingEvery = 10 * time.Second // between looks
	// maxAges bounds the ages in a search that is followed. Each is looked for by itself; to look at all messages instead would let a client
	// that does nothing but wait have a whole mailbox searched again and again.
	maxAges = 16
)

// contextsAged tells of results that came or went because time passed.
func (s *session) contextsAged() error {
	v := s.view
	if v == nil || !v.ages() {
		return nil
	}
	now := time.Now()
	for _, x := range slices.Clone(v.contexts) {
		if len(x.ages) == 0 || now.Sub(x.aged) < s.srv.opt.aging {
			continue
		}
		uids, err := s.passed(x, now)
		x.aged = now
		if err == nil && len(uids) > 0 {
			err = s.updateContext(x, uids, v.top, nil)
		}
		if err := s.lost(x, err); err != nil {
			return err
		}
	}
	return nil
}

// ages tells whether time changes what the client follows.
func (v *view) ages() bool {
	return slices.ContainsFunc(v.contexts, func(x *searchContext) bool { return len(x.ages) > 0 })
}

// passed returns the messages that have come to an age of the search since it was looked at last.
func (s *session) passed(x *searchContext, now time.Time) ([]uint32, error) {
	const slack = 2                      // seconds, for what is rounded off; it does no harm to look at a message again
	passed := now.Unix() - x.aged.Unix() // of the wall clock, which may have been set, also back
	var key wire.SearchKey
	for _, age := range x.ages {
		within := &wire.KeyAnd{Keys: []wire.SearchKey{
			&wire.KeyAge{Younger: true, Seconds: age + max(passed, 0) + slack}, &wire.KeyAge{Seconds: age + min(passed, 0) - slack},
		}}
		if key == nil {
			key = within
		} else {
			key = &wire.KeyOr{A: key, B: within}
		}
	}
	pl, err := newPlan(key, s.view, nil, nil)
	if err != nil {
		return nil, err
	}
	return s.matching(pl, s.view.uids)
}

// agesIn adds the ages in a search, each once, and not many more than maxAges.
func agesIn(key wire.SearchKey, ages []int64) []int64 {
	switch key := key.(type) {
	case *wire.KeyNot:
		return agesIn(key.Key, ages)
	case *wire.KeyFuzzy:
		return agesIn(key.Key, ages)
	case *wire.KeyOr:
		return agesIn(key.B, agesIn(key.A, ages))
	case *wire.KeyAnd:
		for _, k := range key.Keys {
			ages = agesIn(k, ages)
		}
	case *wire.KeyAge:
		if len(ages) <= maxAges && !slices.Contains(ages, key.Seconds) {
			ages = append(ages, key.Seconds)
		}
	}
	return ages
}
