package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// deliveries puts messages into new/ as an MTA does and waits until an idling client is told; the figure is the median of those times.
func deliveries(s *side, m *meter) (outcome, error) {
	c, err := s.open("INBOX", false)
	if err != nil {
		return outcome{}, err
	}
	defer c.close()
	before, err := s.holds(c, "INBOX")
	if err != nil {
		return outcome{}, err
	}
	if err := c.idle(); err != nil {
		return outcome{}, err
	}
	text := []byte(strings.ReplaceAll(string(letter(s.rng)), "\r\n", "\n"))
	s.settle()
	var times []float64
	err = m.time(func() error {
		for i := range s.opt.deliveries {
			took, err := s.deliver(c, i, text)
			if err != nil {
				return err
			}
			times = append(times, took.Seconds())
			time.Sleep(time.Duration(20+s.rng.IntN(60)) * time.Millisecond) // mail does not come in step with the server's timers
		}
		return nil
	})
	if err != nil {
		return outcome{}, err
	}
	if err := c.done(); err != nil {
		return outcome{}, err
	}
	// The mailbox becomes what it was.
	var n int
	fmt.Sscan(before.same, &n)
	if _, err := c.do(`STORE %d:* +FLAGS.SILENT (\Deleted)`, n+1); err != nil {
		return outcome{}, err
	}
	_, err = c.do("EXPUNGE")
	return outcome{values: []float64{summarize(times).median}}, err
}

// deliver puts a message into new/ and returns how long the idling client waits for news of it.
func (s *side) deliver(c *client, i int, text []byte) (time.Duration, error) {
	start, err := s.put(i, text)
	if err != nil {
		return 0, err
	}
	_, err = c.until(" EXISTS")
	return time.Since(start), err
}

// put puts message i into new/ as an MTA does and returns when.
func (s *side) put(i int, text []byte) (time.Time, error) {
	box := filepath.Join(s.mail, mainUser, "Maildir")
	name := fmt.Sprintf("%d.M%dP%d_%d.bench", time.Now().Unix(), time.Now().Nanosecond()/1000, os.Getpid(), i)
	tmp := filepath.Join(box, "tmp", name)
	if err := os.WriteFile(tmp, text, 0o600); err != nil {
		return time.Time{}, err
	}
	if owner := s.opt.owner(); owner >= 0 {
		if err := os.Chown(tmp, owner, owner); err != nil {
			return time.Time{}, err
		}
	}
	start := time.Now()
	return start, os.Rename(tmp, filepath.Join(box, "new", name))
}

// logins counts how often clients connect, log in, select and log out in a second.
func logins(s *side, m *meter) (outcome, error) {
	all := make([]*client, s.opt.loginClients)
	var count atomic.Int64
	s.settle()
	err := m.time(func() error {
		end := time.Now().Add(s.opt.loginTime)
		return each(all, func(i int, _ *client) error {
			for time.Now().Before(end) {
				c, err := s.dialBuffer(manyUser(i), false, 4<<10)
				if err != nil {
					return err
				}
				for _, command := range []string{"SELECT INBOX", "LOGOUT"} {
					if _, err := c.do("%s", command); err != nil {
						c.close()
						return err
					}
				}
				c.close()
				count.Add(1)
			}
			return nil
		})
	})
	return outcome{values: []float64{float64(count.Load()) / m.wall.Seconds()}}, err
}

// connections measures the memory of one of many connections that idle in a selected mailbox.
func connections(secure bool) func(*side, *meter) (outcome, error) {
	return func(s *side, m *meter) (outcome, error) {
		n := s.opt.idle
		if s.name() == "Dovecot" {
			n = s.opt.idleDovecot()
		}
		if err := s.restart(); err != nil {
			return outcome{}, err
		}
		// Everybody was there before, so that what is shared by connections is not counted as theirs.
		if err := idlers(s, manyUsers, secure, func() error { return nil }); err != nil {
			return outcome{}, err
		}
		s.settle()
		before, err := memory(s.processes())
		if err != nil {
			return outcome{}, err
		}
		var after int64
		err = m.time(func() error {
			return idlers(s, n, secure, func() error {
				s.settle()
				after, err = memory(s.processes())
				return err
			})
		})
		return outcome{values: []float64{float64(after-before) / float64(n)}}, err
	}
}

// idlers connects n clients, some at a time, lets them idle and calls fn while they do.
func idlers(s *side, n int, secure bool, fn func() error) error {
	all := make([]*client, n)
	defer func() {
		for _, c := range all {
			if c != nil {
				c.close()
			}
		}
	}()
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, 8*runtime.NumCPU())
	for range cap(errs) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				c, err := s.dialBuffer(manyUser(i), secure, 4<<10)
				if err == nil {
					all[i] = c
					if _, err = c.do("SELECT INBOX"); err == nil {
						err = c.idle()
					}
				}
				if err != nil {
					errs <- fmt.Errorf("connection %d of %d: %w", i+1, n, err)
					return
				}
			}
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		return err
	default:
	}
	if err := fn(); err != nil {
		return err
	}
	for _, c := range all {
		if err := c.done(); err != nil {
			return err
		}
	}
	return nil
}

// selectMemory measures what selecting the large mailbox adds to the memory of new processes.
func selectMemory(s *side, m *meter) (outcome, error) {
	if err := s.restart(); err != nil {
		return outcome{}, err
	}
	c, err := s.open(largeBox, false)
	if err != nil {
		return outcome{}, err
	}
	defer c.close()
	s.settle()
	before, err := memory(s.processes())
	if err != nil {
		return outcome{}, err
	}
	if err := m.time(func() error { _, err := c.do("SELECT INBOX"); return err }); err != nil {
		return outcome{}, err
	}
	s.settle()
	after, err := memory(s.processes())
	return outcome{values: []float64{float64(after-before) / float64(s.opt.messages)}}, err
}

// action is one thing that clients of the mixed load do.
type action struct {
	weight int
	run    func(c *client, rng *rand.Rand, messages int) error
}

// actions are what mail programs and phones ask of a server all day.
var actions = []action{
	{20, command(func(*rand.Rand, int) string { return "NOOP" })},
	{20, command(func(rng *rand.Rand, n int) string {
		first := 1 + rng.IntN(n)
		return fmt.Sprintf("UID FETCH %d:%d (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)", first, first+49)
	})},
	{20, command(func(rng *rand.Rand, n int) string { return fmt.Sprintf("UID FETCH %d BODY.PEEK[]", 1+rng.IntN(n)) })},
	{10, command(func(rng *rand.Rand, n int) string {
		return fmt.Sprintf(`UID STORE %d %cFLAGS (\Flagged)`, 1+rng.IntN(n), "+-"[rng.IntN(2)])
	})},
	{5, command(func(*rand.Rand, int) string { return "UID SEARCH UNSEEN" })},
	{5, command(func(rng *rand.Rand, _ int) string {
		return "UID SEARCH SUBJECT " + vocabulary[rng.IntN(len(vocabulary))]
	})},
	{5, command(func(*rand.Rand, int) string { return "STATUS " + inboundBox + " (MESSAGES UNSEEN UIDNEXT)" })},
	{5, command(func(*rand.Rand, int) string { return "SELECT INBOX" })},
	{5, command(func(rng *rand.Rand, n int) string { return fmt.Sprintf("UID COPY %d %s", 1+rng.IntN(n), inboundBox) })},
	{5, func(c *client, rng *rand.Rand, _ int) error {
		_, err := c.appendTo(inboundBox, letter(rng))
		return err
	}},
}

func command(text func(rng *rand.Rand, messages int) string) func(*client, *rand.Rand, int) error {
	return func(c *client, rng *rand.Rand, messages int) error {
		_, err := c.do("%s", text(rng, messages))
		return err
	}
}

func choose(rng *rand.Rand) action {
	sum := 0
	for _, a := range actions {
		sum += a.weight
	}
	at := rng.IntN(sum)
	for _, a := range actions {
		if at -= a.weight; at < 0 {
			return a
		}
	}
	panic("weights changed")
}

// mixed lets many clients of many users work at the same time, none of which waits between its commands.
func mixed(s *side, m *meter) (outcome, error) {
	all, err := s.clients(s.opt.mixedClients, manyUser)
	if err != nil {
		return outcome{}, err
	}
	defer closeAll(all)
	for i, c := range all {
		if i < manyUsers {
			if err := s.fresh(c, inboundBox); err != nil {
				return outcome{}, err
			}
		}
		if _, err := c.do("SELECT INBOX"); err != nil {
			return outcome{}, err
		}
	}
	s.settle()
	took := make([][]time.Duration, len(all))
	err = m.time(func() error {
		end := time.Now().Add(s.opt.mixed)
		return each(all, func(i int, c *client) error {
			rng := rand.New(rand.NewPCG(s.opt.seed, uint64(i)))
			for time.Now().Before(end) {
				start := time.Now()
				if err := choose(rng).run(c, rng, min(s.opt.messages, 1_000)); err != nil {
					return err
				}
				took[i] = append(took[i], time.Since(start))
			}
			return nil
		})
	})
	var times []time.Duration
	for _, t := range took {
		times = append(times, t...)
	}
	return outcome{values: []float64{float64(len(times)) / m.wall.Seconds(), percentile(times, 99).Seconds()}}, err
}
