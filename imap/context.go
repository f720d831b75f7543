package imap

import (
	"cmp"
	"errors"
	"slices"
	"time"

	goimap "github.com/emersion/go-imap/v2"

	"roost/imap/wire"
	"roost/maildir"
)

// CONTEXT=SEARCH and CONTEXT=SORT (RFC 5267 §4): searches whose results the client keeps, and is told how they change, together with the EXISTS,
// FETCH and EXPUNGE that tell why (sync.go). CONTEXT itself is a hint and changes nothing here (§4.2). What only time
// changes, as with YOUNGER, is in context_age.go.

const (
	// maxContexts bounds the searches that a session follows.
	maxContexts = 16
	// maxResults bounds the results of all of them, at four octets each. One search is followed whatever it finds (§4.3.1).
	maxResults = 2_000_000
	// maxSortedResults bounds what is held of messages to keep SORTs of a session in order.
	maxSortedResults = 100_000
)

// searchContext is a search that is followed.
type searchContext struct {
	tag     string
	uid     bool
	fetch   []fetchItem    // what is told of new messages among the results (RFC 5465 §7)
	named   bool           // updates name the mailbox, as all that ESEARCH answers does (RFC 7377 §2.1)
	key     wire.SearchKey // with the messages in place of sequence numbers and "$"
	by      []wire.SortCriterion
	results sorted    // as the client knows them; of a SEARCH, which has no criteria, without values
	star    bool      // "*" is among the UIDs of the key
	latest  uint32    // what that was when it was looked at last
	ages    []int64   // in the key, in seconds
	aged    time.Time // when it was looked at for what time changes
}

var errTagReuse = bad("Tag reuse")

// follow begins to tell the client about changes of a search, unless there are too many already, or a new message could change the scores of all.
func (s *session) follow(c *command, fetch []fetchItem, key wire.SearchKey, by []wire.SortCriterion, results sorted) {
	v := s.view
	if c.cut {
		s.writeNoUpdate(c.tag, "Not all messages were searched")
		return
	}
	held, inOrder := len(results.uids), 0
	if by != nil {
		inOrder = len(results.uids)
	}
	for _, x := range v.contexts {
		held += len(x.results.uids)
		if x.by != nil {
			inOrder += len(x.results.uids)
		}
	}
	ages := agesIn(key, nil)
	if len(ages) > maxAges {
		s.writeNoUpdate(c.tag, "Too many ages")
		return
	}
	if slices.ContainsFunc(by, byRelevancy) {
		s.writeNoUpdate(c.tag, "Relevancy is not followed")
		return
	}
	if len(v.contexts) == maxContexts || len(v.contexts) > 0 && held > maxResults || inOrder > maxSortedResults {
		s.writeNoUpdate(c.tag, "Too many contexts")
		return
	}
	results.uids = slices.Clone(results.uids) // perhaps the view's
	named := c.name == "ESEARCH"
	v.contexts = append(v.contexts, &searchContext{
		tag: c.tag, uid: c.isUID() || named, fetch: fetch, named: named, key: freeze(key, v, s.saved), by: by, results: results,
		star: starIn(key), latest: last(v.uids), ages: ages, aged: time.Now(),
	})
}

func (s *session) writeNoUpdate(tag, why string) {
	s.enc.Raw("* NO [NOUPDATE ").Quoted(tag).Raw("] ").Raw(why).CRLF()
}

// followed finds a context.
func (v *view) followed(tag string) int {
	return slices.IndexFunc(v.contexts, func(x *searchContext) bool { return x.tag == tag })
}

func (s *session) cmdCancelUpdate(c *command) error {
	tags, err := wire.ParseCancelUpdate(c.args)
	if err != nil {
		return err
	}
	for _, tag := range tags { // one that is not followed may just have been refused
		if i := s.view.followed(tag); i >= 0 {
			s.view.contexts = slices.Delete(s.view.contexts, i, i+1)
		}
	}
	return nil
}

// freeze replaces sequence numbers, which mean what they mean when the command comes (§4.3), and "$" by UIDs. The parser bounds the depth.
func freeze(key wire.SearchKey, v *view, saved []uint32) wire.SearchKey {
	switch key := key.(type) {
	case *wire.KeyNot:
		return &wire.KeyNot{Key: freeze(key.Key, v, saved)}
	case *wire.KeyFuzzy:
		return &wire.KeyFuzzy{Key: freeze(key.Key, v, saved)}
	case *wire.KeyOr:
		return &wire.KeyOr{A: freeze(key.A, v, saved), B: freeze(key.B, v, saved)}
	case *wire.KeyAnd:
		keys := make([]wire.SearchKey, len(key.Keys))
		for i := range keys {
			keys[i] = freeze(key.Keys[i], v, saved)
		}
		return &wire.KeyAnd{Keys: keys}
	case *wire.KeySet:
		if key.UID && !key.Set.Saved {
			return key // "*" goes on meaning the latest
		}
		set := newUIDSet(key.Set, key.UID, v, saved)
		if len(set) == 0 {
			return &wire.KeyNot{Key: &wire.KeyAnd{}}
		}
		ranges := make([]wire.Range, len(set))
		for i, r := range set {
			ranges[i] = wire.Range{First: r.first, Last: r.last}
		}
		return &wire.KeySet{UID: true, Set: wire.Set{Ranges: ranges}}
	}
	return key
}

// contextsExpunged tells of results that are about to be told as expunged: now their sequence numbers are still valid (§4.3.4).
func (s *session) contextsExpunged(gone []uint32) {
	for _, x := range s.view.contexts {
		var places []int
		for i, uid := range x.results.uids {
			if _, ok := slices.BinarySearch(gone, uid); ok {
				places = append(places, i)
			}
		}
		s.removeFrom(x, places)
	}
}

// contextsChanged tells of results that came or went with changes that the client has been told of; messages above old are new to it, news are those of
// them that others put here.
func (s *session) contextsChanged(changed []maildir.Record, old uint32, news []maildir.Record) error {
	v := s.view
	if len(v.contexts) == 0 {
		return nil
	}
	uids := make([]uint32, 0, len(changed))
	for i := range changed {
		if v.seq(changed[i].UID) != 0 {
			uids = append(uids, changed[i].UID)
		}
	}
	for _, x := range slices.Clone(v.contexts) {
		look, known := uids, old
		if now := last(v.uids); x.star && now != x.latest { // for the one it was and the one it is everything may be different
			look, known = v.with(uids, x.latest, now), 0
			x.latest = now
		}
		if len(look) == 0 {
			continue
		}
		if err := s.lost(x, s.updateContext(x, look, known, news)); err != nil {
			return err
		}
	}
	return nil
}

// with adds messages of the view, if they still are there, to others, ascending.
func (v *view) with(uids []uint32, more ...uint32) []uint32 {
	for _, uid := range more {
		if i, ok := slices.BinarySearch(uids, uid); !ok && v.seq(uid) != 0 {
			uids = slices.Insert(slices.Clone(uids), i, uid)
		}
	}
	return uids
}

// starIn tells whether "*" is among the UIDs in a search. The parser bounds the depth.
func starIn(key wire.SearchKey) bool {
	switch key := key.(type) {
	case *wire.KeyNot:
		return starIn(key.Key)
	case *wire.KeyFuzzy:
		return starIn(key.Key)
	case *wire.KeyOr:
		return starIn(key.A) || starIn(key.B)
	case *wire.KeyAnd:
		return slices.ContainsFunc(key.Keys, starIn)
	case *wire.KeySet:
		return key.UID && slices.ContainsFunc(key.Set.Ranges, func(r wire.Range) bool { return r.First == wire.Star || r.Last == wire.Star })
	}
	return false
}

// lost ends a search that could not be followed: from here on the client would believe something wrong. It returns errors of the connection.
func (s *session) lost(x *searchContext, err error) error {
	if err == nil || s.isConnError(err) {
		return err
	}
	s.writeNoUpdate(x.tag, "Some messages could not be read")
	i := s.view.followed(x.tag)
	s.view.contexts = slices.Delete(s.view.contexts, i, i+1)
	return nil
}

// updateContext looks at messages anew, ascending; at those up to old only if their answers may have changed.
func (s *session) updateContext(x *searchContext, changed []uint32, old uint32, news []maildir.Record) error {
	pl, err := newPlan(x.key, s.view, s.view.box.KeywordNames(), nil)
	if err != nil {
		return err
	}
	if pl.fixed {
		i, _ := slices.BinarySearch(changed, old+1)
		changed = changed[i:]
	}
	matches, err := s.matching(pl, changed)
	if err != nil {
		return err
	}
	present := make([]bool, len(matches))
	var places []int
	for i, uid := range x.results.uids {
		if _, ok := slices.BinarySearch(changed, uid); !ok {
			continue
		}
		if j, ok := slices.BinarySearch(matches, uid); ok {
			present[j] = true
		} else {
			places = append(places, i)
		}
	}
	s.removeFrom(x, places)
	var fresh []uint32
	for j, uid := range matches {
		if !present[j] {
			fresh = append(fresh, uid)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	if x.fetch != nil {
		known := func(r maildir.Record) bool { _, found := slices.BinarySearch(fresh, r.UID); return !found }
		if err := s.fetchResults(slices.DeleteFunc(slices.Clone(news), known), x.fetch); err != nil {
			return err
		}
	}
	add := sorted{uids: fresh}
	if x.by != nil {
		if add, err = s.sortRows(fresh, x.by); err != nil {
			return err
		}
	}
	s.addTo(x, add)
	return nil
}

// matching returns which of the messages, ascending, match.
func (s *session) matching(pl *plan, uids []uint32) ([]uint32, error) {
	if !pl.all {
		uids = slices.DeleteFunc(slices.Clone(uids), func(uid uint32) bool { return !pl.within.has(uid) })
	}
	if pl.root.op == opConst {
		if pl.root.value == not {
			return nil, nil
		}
		return uids, nil
	}
	if !pl.ranked {
		return s.scan(pl, uids, scanAll)
	}
	defer pl.closeIndex()
	open, sure, err := s.useIndex(pl, uids)
	if err != nil {
		return nil, err
	}
	found, err := s.scan(pl, open, scanAll)
	return mergeUIDs(found, sure), err
}

// removeFrom takes the results at those places, ascending, away, and says so.
func (s *session) removeFrom(x *searchContext, places []int) {
	if len(places) == 0 {
		return
	}
	s.beginUpdate(x, "REMOVEFROM")
	if x.by == nil {
		uids := make([]uint32, len(places))
		for i, place := range places {
			uids[i] = x.results.uids[place]
		}
		s.enc.Raw("0 ").Set(s.numbers(x, uids))
	} else {
		// From the end, so that each place is right when it is read.
		for end := len(places); end > 0; {
			start := end - 1
			for start > 0 && places[start-1] == places[start]-1 {
				start--
			}
			if end < len(places) {
				s.enc.SP()
			}
			from, to := places[start], places[end-1]+1
			s.enc.Number(int64(from + 1)).SP().Set(s.numbers(x, x.results.uids[from:to]))
			end = start
		}
	}
	s.enc.Raw(")").CRLF()
	x.results.remove(places, len(x.by))
}

// addTo puts results, in their order, among the others, and says so.
func (s *session) addTo(x *searchContext, add sorted) {
	if len(add.uids) == 0 {
		return
	}
	var places []int
	x.results, places = merge(x.results, add, x.by)
	s.beginUpdate(x, "ADDTO")
	if x.by == nil {
		s.enc.Raw("0 ").Set(s.numbers(x, add.uids))
	} else {
		for i := 0; i < len(places); {
			j := i + 1
			for j < len(places) && places[j] == places[j-1]+1 {
				j++
			}
			if i > 0 {
				s.enc.SP()
			}
			s.enc.Number(int64(places[i] + 1)).SP().Set(s.numbers(x, add.uids[i:j]))
			i = j
		}
	}
	s.enc.Raw(")").CRLF()
}

func (s *session) beginUpdate(x *searchContext, item string) {
	s.enc.Raw("* ESEARCH (TAG ").Quoted(x.tag)
	if x.named {
		s.writeMailboxCorrelator(s.view.box)
	}
	s.enc.Raw(")")
	if x.uid {
		s.enc.Raw(" UID")
	}
	s.enc.SP().Raw(item).Raw(" (")
}

// numbers are what the client calls the messages.
func (s *session) numbers(x *searchContext, uids []uint32) []uint32 {
	if x.uid {
		return uids
	}
	nums := make([]uint32, len(uids))
	for i, uid := range uids {
		nums[i] = s.view.seq(uid)
	}
	return nums
}

// remove takes rows of n values away.
func (rows *sorted) remove(places []int, n int) {
	kept := 0
	for i, uid := range rows.uids {
		if len(places) > 0 && places[0] == i {
			places = places[1:]
			continue
		}
		rows.uids[kept] = uid
		copy(rows.values[kept*n:(kept+1)*n], rows.values[i*n:(i+1)*n])
		kept++
	}
	clear(rows.values[kept*n:])
	rows.uids, rows.values = rows.uids[:kept], rows.values[:kept*n]
}

// merge joins two lists in order and returns the places of the second in the result.
func merge(a, b sorted, by []wire.SortCriterion) (out sorted, places []int) {
	n := len(by)
	out.uids = make([]uint32, 0, len(a.uids)+len(b.uids))
	out.values = make([]sortValue, 0, len(a.values)+len(b.values))
	for i, j := 0, 0; i < len(a.uids) || j < len(b.uids); {
		if j == len(b.uids) || i < len(a.uids) &&
			cmp.Or(compareRows(by, a.values[i*n:], b.values[j*n:]), cmp.Compare(a.uids[i], b.uids[j])) < 0 {
			out.uids, out.values = append(out.uids, a.uids[i]), append(out.values, a.values[i*n:(i+1)*n]...)
			i++
			continue
		}
		places = append(places, len(out.uids))
		out.uids, out.values = append(out.uids, b.uids[j]), append(out.values, b.values[j*n:(j+1)*n]...)
		j++
	}
	return out, places
}

// isBad tells whether an error is answered with BAD.
func isBad(err error) bool {
	var r *response
	return errors.As(err, &r) && r.kind == goimap.StatusResponseTypeBad
}
