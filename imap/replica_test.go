package imap

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Clients of all kinds and another program work on the same mailboxes, at random, while the server is restarted, killed and robbed of its state. Each
// client keeps a replica of the mailbox from the responses alone, as a mail program does, and holds every response against what the RFCs allow at that
// moment (replica_client_test.go). In the end, and now and then before, a client that has asked for news has what the directory has.
//
// A seed is run in one of two ways. Stepwise, one command or file operation follows the other, and what happens depends on the seed alone, as far as
// the watcher's threads allow. Freely, every client is a goroutine.
//
//	replica_world_test.go   the server, the trace, what is known of messages, what the directories hold
//	replica_client_test.go  a client's replica and what it checks
//	replica_steps_test.go   what clients do
//	replica_context_test.go searches that they follow
//	replica_files_test.go   what other programs do to the files

var (
	replicaSeeds  = flag.Int("replica.seeds", 6, "how many seeds TestReplicas runs in each mode")
	replicaStart  = flag.Uint64("replica.start", 1, "the first of them")
	replicaTime   = flag.Duration("replica.time", 0, "begin no more seeds after this; 0: no limit")
	replicaSteps  = flag.Int("replica.steps", 150, "steps of a seed")
	replicaMode   = flag.String("replica.mode", "", "only \"steps\" or \"free\"")
	replicaShrink = flag.Bool("replica.shrink", false, "leave out steps of a failing seed as long as it fails")
)

func TestReplicas(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	for _, mode := range []string{"steps", "free"} {
		if *replicaMode != "" && *replicaMode != mode {
			continue
		}
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			for n := range *replicaSeeds {
				seed := *replicaStart + uint64(n)
				t.Run(fmt.Sprint(seed), func(t *testing.T) {
					t.Parallel()
					if *replicaTime > 0 && time.Since(begun) > *replicaTime {
						t.Skip("the time is up")
					}
					if mode == "free" {
						newWorld(t, seed).runFree(*replicaSteps)
					} else {
						runSteps(t, seed, *replicaSteps)
					}
				})
			}
		})
	}
}

// runSteps runs a seed stepwise, and shrinks it when it fails.
func runSteps(t *testing.T, seed uint64, n int) {
	steps := make([]int, n)
	for i := range steps {
		steps[i] = i
	}
	w := newWorld(t, seed)
	w.runSteps(steps)
	if !w.failed() || !*replicaShrink {
		return
	}
	fails := func(steps []int) bool {
		w := newWorld(t, seed)
		w.quiet = true
		w.runSteps(steps)
		return w.failed()
	}
	for size := len(steps) / 2; size > 0; size /= 2 {
		for at := 0; at < len(steps); {
			less := slices.Concat(steps[:at], steps[min(at+size, len(steps)):])
			if fails(less) {
				steps = less
			} else {
				at += size
			}
		}
	}
	t.Logf("these steps are enough: %v", steps)
	newWorld(t, seed).runSteps(steps)
}

// runSteps does the steps with these numbers one after the other. What a step does depends on its number, the seed and how things stand.
func (w *world) runSteps(steps []int) {
	defer w.end()
	for _, i := range steps {
		if w.failed() {
			return
		}
		w.note("-- step %d", i)
		rnd := rand.New(rand.NewPCG(w.seed, uint64(i)))
		switch roll := rnd.IntN(200); {
		case roll < 3:
			w.event(rnd)
		case roll < 30:
			w.meddle(rnd)
		case roll < 50:
			w.compare(w.clients[rnd.IntN(len(w.clients))])
		default:
			w.clients[rnd.IntN(len(w.clients))].step(rnd)
		}
	}
	w.compareAll()
}

// runFree lets all clients work at the same time, each as many steps as there are for one of them.
func (w *world) runFree(steps int) {
	defer w.end()
	var clients, others sync.WaitGroup
	quit := make(chan struct{})
	for _, c := range w.clients {
		rnd := rand.New(rand.NewPCG(w.seed, 1<<32+uint64(c.n)))
		clients.Go(func() {
			for range steps / 2 {
				if w.failed() {
					return
				}
				c.step(rnd)
			}
		})
	}
	others.Go(func() {
		rnd := rand.New(rand.NewPCG(w.seed, 1<<33))
		for wait(quit, time.Duration(rnd.IntN(20))*time.Millisecond) {
			w.meddle(rnd)
		}
	})
	others.Go(func() {
		rnd := rand.New(rand.NewPCG(w.seed, 1<<34))
		for wait(quit, time.Duration(50+rnd.IntN(500))*time.Millisecond) {
			w.event(rnd)
		}
	})
	clients.Wait()
	close(quit)
	others.Wait()
	w.compareAll()
}

// wait waits; false when quit is closed.
func wait(quit <-chan struct{}, d time.Duration) bool {
	select {
	case <-quit:
		return false
	case <-time.After(d):
		return true
	}
}

// settleTime is how long a client may have to ask until it has been told all: a removed file counts as gone after two scans that did not see it.
const settleTime = 10 * time.Second

// until calls fn until it is content or the time is up, and returns what it said last. What is asked again and again is not in the trace.
func (w *world) until(d time.Duration, fn func() string) (problem string) {
	defer w.muted.Store(false)
	end := time.Now().Add(d)
	for try := 0; ; try++ {
		if problem = fn(); problem == "" || time.Now().After(end) {
			return problem
		}
		w.muted.Store(try > 3)
		time.Sleep(time.Duration(min(try, 50)) * time.Millisecond)
	}
}

// compare holds the replica of a client that asks for news against the directory.
func (w *world) compare(c *replica) {
	if c.conn == nil || c.box == "" {
		return
	}
	problem := w.until(settleTime, func() string {
		if c.endIdle(); c.conn != nil && c.box != "" {
			c.cmd("NOOP")
			c.learn()
		}
		if c.conn == nil || c.box == "" || w.failed() {
			return ""
		}
		if problem := w.difference(c); problem != "" {
			return problem
		}
		return c.contextDifference()
	})
	if problem != "" {
		c.fault("after NOOP: %s", problem)
	}
}

// difference says how a replica differs from the directory with its UIDVALIDITY.
func (w *world) difference(c *replica) string {
	d := w.directory(c.validity)
	if d == nil {
		return "" // deleted
	}
	var got, want []string
	for _, m := range c.msgs {
		got = append(got, fmt.Sprintf("%d (%s)", m.uid, m.flags))
	}
	for _, uid := range d.uids() {
		want = append(want, fmt.Sprintf("%d (%s)", uid, d.messages[uid].flags))
	}
	if d.unnumbered > 0 {
		return fmt.Sprintf("%d files have no UID", d.unnumbered)
	}
	if slices.Equal(got, want) {
		return ""
	}
	return fmt.Sprintf("the client has %s,\n the directory has %s", strings.Join(got, ", "), strings.Join(want, ", "))
}

// compareAll has every client compare what it has open, then what it is told by NOTIFY, and then come back to every mailbox.
func (w *world) compareAll() {
	for _, c := range w.clients {
		if w.failed() {
			return
		}
		w.compare(c)
		w.compareStatus(c)
	}
	for _, c := range w.clients {
		for _, name := range w.mailboxes() {
			if w.failed() {
				return
			}
			if c.ready() && c.open(name, "SELECT", w.rnd) {
				w.compare(c)
			}
		}
	}
	w.audit()
}

// compareStatus holds what NOTIFY said of mailboxes that are not selected against the directories.
func (w *world) compareStatus(c *replica) {
	if c.notify == 0 || !c.ready() {
		return
	}
	problem := w.until(settleTime, func() string {
		if !c.ready() {
			return ""
		}
		c.cmd("NOOP")
		c.learn()
		if c.conn == nil {
			return ""
		}
		for _, name := range w.mailboxes() {
			d := w.directoryOf(name)
			if d == nil || c.box != "" && c.validity == d.validity {
				continue
			}
			unseen := 0
			for _, m := range d.messages {
				if !strings.Contains(m.flags, `\Seen`) {
					unseen++
				}
			}
			want := fmt.Sprintf("MESSAGES %d UNSEEN %d UIDVALIDITY %d", len(d.messages), unseen, d.validity)
			st := c.status[name]
			if got := fmt.Sprintf("MESSAGES %d UNSEEN %d UIDVALIDITY %d", st["MESSAGES"], st["UNSEEN"], st["UIDVALIDITY"]); got != want {
				return fmt.Sprintf("of %s the client knows %s, the directory has %s", name, got, want)
			}
		}
		return ""
	})
	if problem != "" {
		c.fault("NOTIFY: %s", problem)
	}
}
