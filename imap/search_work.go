package imap

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"roost/index"
	"roost/index/segment"
	"roost/maildir"
)

// workKeepalive is how often the goroutine of the session looks at the connection while others work.
const workKeepalive = time.Second

// inspect calls fn for the numbers 0…n-1, each goroutine with a probe of its own, while this one looks after the connection. If that reads
// messages it is done on all processors, and the goroutines of all sessions take turns, number by number. Numbers are begun in their order; after
// fn has returned false a goroutine begins no other. Up to progress.upTo they are what the client is told of. What keeps a message from being read ends it with an error: the answer would be wrong.
func (s *session) inspect(pl *plan, n int, reads bool, fn func(p *probe, i int) bool) error {
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	in := &inspection{ctx: ctx, pl: pl, attached: s.srv.opt.Attachments, box: s.view.box, n: n, fn: fn, stop: func() bool { return ctx.Err() != nil }}
	workers := 1
	if reads {
		workers = runtime.GOMAXPROCS(0)
		in.tokens, in.ended = s.srv.tokens, ctx.Done()
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range min(workers, n) {
		wg.Go(func() {
			if err := contain(in.work); err != nil {
				in.fail(err)
			}
		})
	}
	go func() { wg.Wait(); close(done) }()

	from := s.progress.told
	for {
		tick := time.NewTimer(s.progress.until())
		select {
		case <-done:
			tick.Stop()
			if err := s.ctx.Err(); err != nil {
				return err
			}
			if errors.Is(in.err, segment.ErrDamaged) {
				return in.err
			}
			if in.err != nil {
				s.log.Error("cannot read a message", "mailbox", in.box.Name(), "cause", in.err)
				return errUnreadable
			}
			return nil
		case <-tick.C:
			err := s.keepalive()
			if err == nil {
				err = s.tellProgress(s.progress.percentAt(from, int(in.next.Load()), n), percent)
			}
			if err != nil {
				cancel()
				<-done
				return err
			}
		}
	}
}

// inspection is shared by the goroutines of one inspect.
type inspection struct {
	attached bool // attachments are part of the body
	ctx      context.Context
	pl       *plan
	box      *maildir.Mailbox
	n        int
	fn       func(p *probe, i int) bool
	stop     func() bool
	next     atomic.Int64

	tokens chan struct{}   // one is needed to read messages; nil: none are read
	ended  <-chan struct{} // stop says true

	mu  sync.Mutex // protects err
	err error      // the first
}

// work takes numbers until there are no more.
func (in *inspection) work() {
	p := &probe{pl: in.pl, box: in.box, metas: in.box.NewMetaReader(), ctx: in.ctx, stop: in.stop, known: make([]tri, len(in.pl.leaves))}
	defer p.metas.Close()
	defer p.close()
	if in.attached {
		p.documents = new(index.Documents)
		defer p.documents.Close()
	}
	for in.take(p) && p.err == nil {
	}
	if p.err != nil {
		in.fail(p.err)
	}
}

// take takes the next number; false when there is none, or no need for one.
func (in *inspection) take(p *probe) bool {
	if in.tokens != nil {
		select {
		case in.tokens <- struct{}{}:
			defer func() { <-in.tokens }()
		case <-in.ended:
			return false
		}
	}
	i := int(in.next.Add(1) - 1)
	return !in.stop() && i < in.n && in.fn(p, i)
}

func (in *inspection) fail(err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.err == nil {
		in.err = err
	}
}
