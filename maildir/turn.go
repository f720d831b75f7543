package maildir

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// turnTime is for how long dovecot-uidlist.lock is held while many files are renamed or unlinked, so that Dovecot beside us waits for milliseconds.
// Not shorter: making the lock file costs as much as some thirty renames, and on ext4 more than that where many files were just removed.
const turnTime = 15 * time.Millisecond

// turnSize bounds the memory of a turn.
const turnSize = 4096

// inTurns runs fn with the locks held until it has done all uids. fn returns how many of those it was given it is done with.
func (m *Mailbox) inTurns(ctx context.Context, uids []uint32, fn func(u *update, uids []uint32) (int, error)) error {
	for len(uids) > 0 {
		if err := m.update(ctx, func(u *update) error {
			n, err := fn(u, uids[:min(len(uids), turnSize)])
			uids = uids[n:]
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// hands is how many goroutines rename or unlink the files of one turn. The kernel lets one at a time into a directory, but a quarter of the time that a
// rename takes is outside that, and so is everything that we do ourselves from one to the next; a third goroutine would only wait.
const hands = 2

// manyFiles is from how many on a second goroutine is worth waking.
const manyFiles = 32

// turn calls fn for uids, from the first on, until all are done or others should have the lock, and returns how many that were. fn is called by some
// goroutines at the same time, so that what it does to memory, and what it reads there, needs mu; i is the index of uid. After an error no more are
// begun, and done counts the one that failed.
func (u *update) turn(uids []uint32, fn func(i int, uid uint32) error) (done int, err error) {
	begin := time.Now()
	var next atomic.Int64
	var stop atomic.Bool
	work := func() error {
		for !stop.Load() {
			i := int(next.Add(1)) - 1
			if i >= len(uids) {
				return nil
			}
			if err := fn(i, uids[i]); err != nil {
				stop.Store(true)
				return err
			}
			if i%16 == 15 && time.Since(begin) > turnTime {
				stop.Store(true)
			}
		}
		return nil
	}
	if n := min(hands, runtime.GOMAXPROCS(0)); n == 1 || len(uids) < manyFiles {
		err = work()
	} else {
		err = together(n, work)
	}
	return min(int(next.Load()), len(uids)), err
}

// together runs work in n goroutines, as sideBySide does.
func together(n int, work func() error) error {
	return sideBySide(slices.Repeat([]func() error{work}, n)...)
}

// sideBySide runs each of work in a goroutine, the first in this one, and returns one of the errors. A panic comes out here.
func sideBySide(work ...func() error) error {
	n := len(work)
	var others sync.WaitGroup
	errs := make([]error, n)
	panics := make([]any, n)
	for i := 1; i < n; i++ {
		others.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					panics[i] = fmt.Errorf("%v\n%s", p, debug.Stack())
				}
			}()
			errs[i] = work[i]()
		})
	}
	func() {
		defer others.Wait()
		errs[0] = work[0]()
	}()
	for i := range n {
		if panics[i] != nil {
			panic(panics[i])
		}
	}
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
