package imap

import (
	"context"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"roost/imap/wire"
	"roost/maildir"
)

// SEARCH and UID SEARCH (RFC 9051 §6.4.4) with ESEARCH (RFC 4731), SEARCHRES (RFC 5182), WITHIN (RFC 5032) and SAVEDATE (RFC 8514).
// search_plan.go plans, this file runs the plan over the candidates, search_result.go answers.

const (
	scanChunk     = 4096 // candidates whose records are copied at once, when records decide
	scanChunkFile = 32   // the same when messages are looked into: the unit of work of a processor
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
	if err != nil {
		if req != nil && req.Return.Save {
			s.saved = nil // an unknown charset, which is a NO, see below
		}
		return err
	}
	if s.utf8 && req.Charset != "" && req.Charset != "UTF-8" { // RFC 9755 §3
		return bad("With UTF8=ACCEPT search strings are UTF-8")
	}
	ret := searchReturn(req.Return, s.rev2)
	pl, err := newPlan(req.Key, s.view, s.view.box.KeywordNames(), s.saved)
	if err != nil {
		return err // BAD, which leaves "$" alone
	}
	if pl.modSeq {
		s.useCondstore()
	}
	uids, err := s.search(pl, ret)
	if err != nil {
		if ret.Save {
			s.saved = nil // RFC 5182 §2.1: a NO empties "$"
		}
		return err
	}
	if ret.Save {
		s.saved = ret.toSave(uids)
	}
	s.writeSearch(c, ret, uids, pl.modSeq)
	return nil
}

// search returns the UIDs that match, ascending; when only the lowest or highest was asked for, it may return fewer, those among them.
func (s *session) search(pl *plan, ret searchOptions) ([]uint32, error) {
	cands := pl.candidates()
	if pl.root.op == opConst || len(cands) == 0 {
		return cands, nil
	}
	switch {
	case ret.All || ret.Count || ret.saveAll():
		return s.scan(pl, cands, scanAll)
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
	case ret.Min:
		return s.scan(pl, cands, scanFirst)
	}
	return s.scan(pl, cands, scanAll)
}

// scan evaluates the plan for the candidates. Plans that records decide run here; others on all processors, while this goroutine looks after
// the connection.
func (s *session) scan(pl *plan, cands []uint32, order scanOrder) ([]uint32, error) {
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	sc := &scanner{pl: pl, box: s.view.box, cands: cands, order: order, size: scanChunkFile, stop: func() bool { return ctx.Err() != nil }}
	workers := runtime.GOMAXPROCS(0)
	if pl.root.cost <= levelFill {
		sc.size, workers = scanChunk, 1
	} else {
		sc.tokens, sc.ended = s.srv.tokens, ctx.Done()
	}
	sc.chunks = (len(cands) + sc.size - 1) / sc.size
	sc.hits = make([][]uint32, sc.chunks)
	sc.bound.Store(math.MaxInt64)

	done := make(chan struct{})
	var wg sync.WaitGroup
	for range min(workers, sc.chunks) {
		wg.Go(func() {
			if err := contain(sc.work); err != nil {
				sc.fail(err)
			}
		})
	}
	go func() { wg.Wait(); close(done) }()

	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return sc.result(s)
		case <-tick.C:
			if err := s.keepalive(); err != nil {
				cancel()
				<-done
				return nil, err
			}
		}
	}
}

// scanner is a scan shared by its workers.
type scanner struct {
	pl     *plan
	box    *maildir.Mailbox
	cands  []uint32
	order  scanOrder
	size   int // of a chunk
	chunks int
	stop   func() bool
	tokens chan struct{}   // one is needed to read messages; nil: none are read
	ended  <-chan struct{} // stop says true

	next  atomic.Int64 // chunk to be taken, counted in the order of the scan
	bound atomic.Int64 // no chunk after this one can matter
	hits  [][]uint32   // by chunk, in the order of the scan; each written by one worker

	mu  sync.Mutex // protects err
	err error
}

// work takes chunks until there are no more.
func (sc *scanner) work() {
	p := &probe{pl: sc.pl, box: sc.box, metas: sc.box.NewMetaReader(), stop: sc.stop, known: make([]tri, len(sc.pl.leaves))}
	defer p.metas.Close()
	defer p.close()
	for sc.chunk(p) {
	}
	if p.err != nil {
		sc.fail(p.err)
	}
}

// chunk takes the next chunk; false when there is none, or no need for one. Workers of all sessions take turns, chunk by chunk.
func (sc *scanner) chunk(p *probe) bool {
	if sc.tokens != nil {
		select {
		case sc.tokens <- struct{}{}:
			defer func() { <-sc.tokens }()
		case <-sc.ended:
			return false
		}
	}
	n := sc.next.Add(1) - 1
	if sc.stop() || n >= int64(sc.chunks) || n > sc.bound.Load() {
		return false
	}
	i := int(n)
	if sc.order == scanLast {
		i = sc.chunks - 1 - i
	}
	p.recs = sc.box.Records(sc.cands[i*sc.size:min(len(sc.cands), (i+1)*sc.size)], p.recs[:0])
	if sc.order == scanLast {
		slices.Reverse(p.recs)
	}
	for j := range p.recs {
		if !p.match(&p.recs[j]) {
			continue
		}
		sc.hits[n] = append(sc.hits[n], p.recs[j].UID)
		if sc.order != scanAll {
			sc.lower(n)
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

func (sc *scanner) fail(err error) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if sc.err == nil {
		sc.err = err
	}
}

// result joins the hits. A message that could not be read might have matched: the answer would be wrong, so there is none.
func (sc *scanner) result(s *session) ([]uint32, error) {
	if err := s.ctx.Err(); err != nil {
		return nil, err
	}
	if sc.err != nil {
		s.log.Error("search cannot read a message", "mailbox", sc.box.Name(), "cause", sc.err)
		return nil, errUnreadable
	}
	out := []uint32{}
	for _, hits := range sc.hits {
		out = append(out, hits...)
		if sc.order != scanAll && len(hits) > 0 {
			break
		}
	}
	return out, nil
}
