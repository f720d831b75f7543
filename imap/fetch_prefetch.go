package imap

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"roost/maildir"
	"roost/maildir/message"
)

// metaResult is what is known of one message, or why it is not; neither when the cache has it.
type metaResult struct {
	meta *message.Meta
	err  error
}

// parseCold parses the messages whose facts are not in the cache, on all processors at once: the first FETCH of ENVELOPE on an old mailbox reads
// every file of it. It returns a result for each record, or nil when the cache has everything. What a record lacks of sizes and time is filled in.
// identify: EmailID is wanted.
func parseCold(ctx context.Context, box *maildir.Mailbox, recs []maildir.Record, identify bool) []metaResult {
	cold := box.Uncached(recs)
	if len(cold) == 0 {
		return nil
	}
	res := make([]metaResult, len(recs))
	batch := box.NewMetaBatch(identify)
	defer batch.Close()
	var next atomic.Int64
	work := func() {
		for ctx.Err() == nil {
			n := int(next.Add(1)) - 1
			if n >= len(cold) {
				return
			}
			i := cold[n]
			if err := contain(func() { res[i].meta, res[i].err = batch.Meta(&recs[i]) }); err != nil {
				res[i] = metaResult{err: err}
			}
		}
	}
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(cold)) - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
	if err := ctx.Err(); err != nil {
		for _, i := range cold {
			if res[i].meta == nil && res[i].err == nil {
				res[i].err = err
			}
		}
	}
	return res
}

// contain runs fn on a goroutine other than the session's, where a panic would end the process, and makes the panic an error.
func contain(fn func()) (err error) {
	defer func() {
		if r := recover(); r != nil {
			slog.Error("panic", "error", r, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	fn()
	return nil
}
