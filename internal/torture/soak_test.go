package torture

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestSoak loads the server with everything at once: clients that change messages, clients that read and search, clients that come and go, one that
// waits, and a delivery agent. Memory and file descriptors do not grow, and in the end all is there that was acknowledged. The long form has the
// race detector in the server.
func TestSoak(t *testing.T) {
	took := 4 * time.Second
	var flags []string
	if *long {
		took, flags = *soak, []string{"-race"}
	}
	dir := workDir(t)
	s := serve(t, build(t, flags...), dir)
	c, err := s.client()
	check(t, err)
	_, _, err = c.do("CREATE Arch")
	check(t, err)
	var workers []*worker
	var wg sync.WaitGroup
	var commands atomic.Int64
	end := time.Now().Add(took)
	run := func(name string, step func() error) {
		wg.Go(func() {
			for time.Now().Before(end) && !t.Failed() {
				if err := step(); err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
				commands.Add(1)
			}
		})
	}
	for i := range 6 {
		w := newWorker(i, 50)
		workers = append(workers, w)
		check(t, w.connect(s))
		run("worker", w.step)
	}
	for i := range 3 {
		r := &reader{rnd: rand.New(rand.NewPCG(uint64(i), 3))}
		r.c, err = s.client()
		check(t, err)
		run("reader", r.step)
	}
	for range 2 {
		run("visitor", func() error {
			c, err := s.client()
			if err != nil {
				return err
			}
			defer c.conn.Close()
			if _, _, err := c.do("SELECT INBOX"); err != nil {
				return err
			}
			_, _, err = c.do("LOGOUT")
			return err
		})
	}
	waiter, err := s.client()
	check(t, err)
	_, _, err = waiter.do("SELECT INBOX")
	check(t, err)
	run("waiter", func() error {
		time.AfterFunc(100*time.Millisecond, func() { waiter.conn.Write([]byte("DONE\r\n")) })
		_, _, err := waiter.do("IDLE")
		return err
	})
	n := 0
	run("delivery", func() error {
		time.Sleep(20 * time.Millisecond)
		n++
		return deliver(filepath.Join(dir, "Maildir"), n)
	})
	var samples []sample
	for time.Now().Before(end) && !t.Failed() {
		time.Sleep(took / 60)
		x, err := measure(s.cmd.Process.Pid)
		check(t, err)
		samples = append(samples, x)
	}
	wg.Wait()
	c, err = s.client() // the server ended the first one, which said nothing for half an hour
	check(t, err)
	audit(t, c, workers, owners{})
	if t.Failed() {
		t.Fatalf("%s", s.log.String())
	}
	// What it needs it has by half of the time.
	half := len(samples) / 2
	before, after := most(samples[:half]), most(samples[half:])
	t.Logf("%d commands in %v; memory %d MiB, then %d MiB; files %d, then %d", commands.Load(), took, before.memory>>20, after.memory>>20,
		before.files, after.files)
	if after.memory > before.memory*5/4+16<<20 {
		t.Errorf("memory grows: %v", samples)
	}
	if after.files > before.files+10 {
		t.Errorf("open files grow: %v", samples)
	}
	s.stop()
	s.blame()
}

// deliver puts the n-th message into new/ and takes away the one that came 100 before, whatever became of its name.
func deliver(maildir string, n int) error {
	name := func(n int) string { return fmt.Sprintf("%d.M1P1.delivery", 1700000000+n) }
	tmp := filepath.Join(maildir, "tmp", name(n))
	if err := os.WriteFile(tmp, []byte(fmt.Sprintf("Subject: delivered-%d\n\nhello\n", n)), 0o600); err != nil {
		return err
	}
	if err := os.Rename(tmp, filepath.Join(maildir, "new", name(n))); err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(maildir, "[cn][ue][rw]", name(n-100)+"*"))
	for _, path := range old {
		os.Remove(path) // or it was renamed just now, and stays
	}
	return err
}

// reader asks for all sorts of things.
type reader struct {
	c   *client
	rnd *rand.Rand
}

func (r *reader) step() error {
	_, _, err := r.c.do("%s", []string{
		"SELECT INBOX", "EXAMINE Arch", "NOOP", `LIST "" "*" RETURN (STATUS (MESSAGES UNSEEN))`, "STATUS Arch (MESSAGES UIDNEXT)",
	}[r.rnd.IntN(5)])
	if err == nil && r.rnd.IntN(4) == 0 {
		_, _, err = r.c.do("SELECT INBOX")
		for _, command := range []string{
			"UID FETCH 1:* (FLAGS ENVELOPE BODYSTRUCTURE RFC822.SIZE)", "UID SEARCH TEXT w1-1", "UID SEARCH OR FLAGGED SUBJECT delivered",
			"UID FETCH 1:* BODY.PEEK[]", "UID SORT (SUBJECT) UTF-8 ALL", "UID FETCH 1:* (BODY.PEEK[TEXT]<10.1000>)", "UID THREAD REFERENCES UTF-8 SEEN",
		} {
			if err == nil && r.rnd.IntN(2) == 0 {
				_, _, err = r.c.do("%s", command)
			}
			if refused(err) && strings.Contains(err.Error(), "[EXPUNGEISSUED]") {
				err = nil // somebody was faster
			}
		}
	}
	return err
}

// sample is what a process holds.
type sample struct{ memory, files int }

func measure(pid int) (sample, error) {
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return sample{}, err
	}
	pages, err := strconv.Atoi(string(bytes.Fields(statm)[1]))
	if err != nil {
		return sample{}, err
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return sample{pages * os.Getpagesize(), len(files)}, err
}

func most(samples []sample) (m sample) {
	for _, s := range samples {
		m.memory, m.files = max(m.memory, s.memory), max(m.files, s.files)
	}
	return m
}
