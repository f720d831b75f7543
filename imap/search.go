package imap

import (
	"math"
	"slices"
	"sync/atomic"

	"roost/imap/wire"
	"roost/maildir"
)

// SEARCH and UID SEARCH (RFC 9051 §6.4.4) with ESEARCH (RFC 4731), SEARCHRES (RFC 5182), WITHIN (RFC 5032) and SAVEDATE (RFC 8514);
// FUZZY (RFC 6203) is in search_fuzzy.go.
// search_plan.go plans, this file runs the plan over the candidates with search_work.go, search_result.go answers.

const (
	scanChunk     = 4096 // candidates whose records are copied at once, when records decide
	scanChunkFile = 32   // the same when messages are looked into: the unit of work of a processor
	scanChunkMany = 256  // the same of many, because neighbours in the cache are quicker to read
)

// scanOrder says which matches are wanted, so that a scan may end early.
type scanOrder uint8

const (
	scanAll scanOrder = iota
	scanFirst
	scanLast
)

func (s *session) cmdSearch(c *command) error {
	req, err := wire.ParseSearch(c.args)
	if req == nil {
		return err
	}
	return s.searched(c, req, searchReturn(req.Return, s.rev2), nil, err)
}

// searched is a SEARCH or SORT, the latter by some criteria, whose parsing ended with err.
func (s *session) searched(c *command, req *wire.Search, o searchOptions, by []wire.SortCriterion, err error) error {
	if o.Update && s.view.followed(c.tag) >= 0 {
		return errTagReuse // RFC 5267 §4.3
	}
	news, unknown := s.newsItems(o.Fetch)
	if unknown != nil {
		return unknown
	}
	var pl *plan
	var found sorted
	o.scored = o.Relevancy || slices.ContainsFunc(by, byRelevancy)
	if err == nil {
		if by != nil {
			s.progress.upTo = percent / 2
		}
		pl, found.uids, err = s.find(req, o)
		s.progress.upTo = percent
	}
	if err == nil {
		c.cut, c.lowest = pl.lowest != 0, pl.lowest
		if pl.modSeq {
			s.useCondstore()
		}
	}
	if err == nil && by != nil {
		if o.Update && !slices.ContainsFunc(by, byRelevancy) {
			found, err = s.sortRows(found.uids, by) // of which contexts keep the values
		} else {
			found.uids, err = s.sort(found.uids, by, pl.relevance)
		}
	}
	if err != nil {
		if o.Save && !isBad(err) {
			s.saved = nil // RFC 5182 §2.1: a NO, be it for the charset, empties "$"; a BAD leaves it alone
		}
		return err
	}
	s.writeSearch(c, o, found.uids, pl)
	if o.Update {
		s.follow(c, news, req.Key, by, found)
	}
	if o.Save {
		s.saved = o.toSave(found.uids)
	}
	return nil
}

// find plans and runs a search in the mailbox of the view. One that asks for mod-sequences has to be followed by useCondstore.
func (s *session) find(req *wire.Search, o searchOptions) (*plan, []uint32, error) {
	if err := s.expandFilters(req); err != nil {
		return nil, nil, err
	}
	if s.utf8 && req.Charset != "" && req.Charset != "UTF-8" { // RFC 9755 §3; UTF-8 contradicts nothing
		return nil, nil, bad("With UTF8=ACCEPT search strings are UTF-8")
	}
	if s.uidOnly && numbersIn(req.Key) {
		return nil, nil, errUIDRequired
	}
	pl, err := newPlan(req.Key, s.view, s.view.box.KeywordNames(), s.saved)
	if err != nil {
		return nil, nil, err
	}
	pl.most = s.messageLimit()
	uids, err := s.search(pl, o)
	return pl, uids, err
}

// search returns the UIDs that match, ascending; when only the lowest or highest was asked for, it may return fewer, those among them.
func (s *session) search(pl *plan, ret searchOptions) ([]uint32, error) {
	cands := pl.candidates()
	if pl.most > 0 && len(cands) > pl.most {
		cands = cands[len(cands)-pl.most:]
		if pl.lowest = cands[0]; ret.sorted { // RFC 9738 §3.3
			return nil, tooMany(pl.most, pl.lowest)
		}
	}
	if pl.root.op == opConst || len(cands) == 0 {
		return cands, nil
	}
	defer pl.closeIndex()
	pl.scored = ret.scored
	var plain []uint32 // match because of their flags
	if match, open := pl.flagSets(); open != maildir.AllFlagSets && !ret.scored {
		plain, cands = s.view.box.PickByFlags(cands, match, open)
	}
	open, sure, err := s.useIndex(pl, cands)
	if err != nil {
		return nil, err
	}
	sure = mergeUIDs(sure, plain)
	if ret.whole() || ret.sorted || ret.scored || ret.Partial != nil || ret.Update {
		found, err := s.scan(pl, open, scanAll)
		found = mergeUIDs(found, sure)
		if err == nil && ret.scored {
			pl.score(found)
		}
		return found, err
	}
	cands = mergeUIDs(open, sure)
	switch {
	case ret.Min && ret.Max:
		low, err := s.scan(pl, cands, scanFirst)
		if err != nil || len(low) == 0 {
			return nil, err
		}
		high, err := s.scan(pl, cands, scanLast)
		if err != nil || len(high) == 0 || low[0] == high[0] {
			return low, err
		}
		return append(low, high[0]), nil
	case ret.Max:
		return s.scan(pl, cands, scanLast)
	}
	return s.scan(pl, cands, scanFirst)
}

// scan evaluates the plan for the candidates. Plans that records decide run on one processor, others on all.
func (s *session) scan(pl *plan, cands []uint32, order scanOrder) ([]uint32, error) {
	sc := &scanner{cands: cands, order: order, size: min(max(len(cands)/64, scanChunkFile), scanChunkMany)}
	reads := pl.root.cost > levelFill
	if !reads {
		sc.size = scanChunk
	}
	if pl.index != nil { // texts are kept by the block, and a block is better unpacked by one goroutine
		sc.size = min(max(len(cands)/32, sc.size), 1024)
	}
	sc.chunks = (len(cands) + sc.size - 1) / sc.size
	sc.hits = make([][]uint32, sc.chunks)
	sc.bound.Store(math.MaxInt64)
	if err := s.inspect(pl, sc.chunks, reads, sc.chunk); err != nil {
		return nil, err
	}
	return sc.result(), nil
}

// scanner is a scan shared by its workers.
type scanner struct {
	cands  []uint32
	order  scanOrder
	size   int // of a chunk
	chunks int

	bound atomic.Int64 // no chunk after this one can matter
	hits  [][]uint32   // by chunk, in the order of the scan; each written by one worker
}

// chunk looks at the chunk that is the nth in the order of the scan; false when it and those behind it are of no interest.
func (sc *scanner) chunk(p *probe, n int) bool {
	if int64(n) > sc.bound.Load() {
		return false
	}
	i := n
	if sc.order == scanLast {
		i = sc.chunks - 1 - n
	}
	recs := p.records(sc.cands[i*sc.size : min(len(sc.cands), (i+1)*sc.size)])
	if sc.order == scanLast {
		slices.Reverse(recs)
	}
	for j := range recs {
		if !p.match(&recs[j]) {
			continue
		}
		sc.hits[n] = append(sc.hits[n], recs[j].UID)
		if sc.order != scanAll {
			sc.lower(int64(n))
			break
		}
	}
	return true
}

// lower tells the other workers that chunks after n are of no interest.
func (sc *scanner) lower(n int64) {
	for {
		old := sc.bound.Load()
		if n >= old || sc.bound.CompareAndSwap(old, n) {
			return
		}
	}
}

// result joins the hits.
func (sc *scanner) result() []uint32 {
	out := []uint32{}
	for _, hits := range sc.hits {
		out = append(out, hits...)
		if sc.order != scanAll && len(hits) > 0 {
			break
		}
	}
	return out
}
