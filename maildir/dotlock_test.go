package maildir

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// deadPID is the id of a process that has ended.
func deadPID(t *testing.T) int {
	t.Helper()
	c := exec.Command("true")
	if err := c.Run(); err != nil {
		t.Skip("no true(1) to make a dead process with: ", err)
	}
	return c.Process.Pid
}

func TestDotlock(t *testing.T) {
	d := testRoot(t)
	l, err := lockUIDList(context.Background(), d)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := text(t, d, uidlistLock.name), fmt.Sprintf("%d:%s", os.Getpid(), lockHost); got != want {
		t.Errorf("content %q, want %q", got, want)
	}
	old := time.Now().Add(-time.Hour)
	d.setTimes(uidlistLock.name, old)
	if err := l.touch(); err != nil {
		t.Error(err)
	}
	if fi, _ := d.stat(uidlistLock.name); time.Since(time.Unix(0, fi.mtime)) > time.Minute {
		t.Error("not touched")
	}
	// A second holder in this process waits however old the lock is.
	d.setTimes(uidlistLock.name, old)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := lockUIDList(ctx, d); !errors.Is(err, ErrLocked) || !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if err := l.unlock(); err != nil {
		t.Error(err)
	}
	if names := listDir(t, d); len(names) != 0 {
		t.Error(names)
	}
}

// TestDotlockStale: which locks of others are overridden.
func TestDotlockStale(t *testing.T) {
	dead := deadPID(t)
	short := lockRules{name: uidlistLock.name, guarded: uidlistName, owner: true, stale: 300 * time.Millisecond, wait: time.Minute}
	for _, c := range []struct {
		name, content string
		age           time.Duration
		rules         *lockRules
		taken         bool
	}{
		{"dead owner", fmt.Sprintf("%d:%s", dead, lockHost), 3 * time.Second, &uidlistLock, true},
		{"dead owner, line end", fmt.Sprintf("%d:%s\n", dead, lockHost), 3 * time.Second, &uidlistLock, true},
		{"dead owner, young", fmt.Sprintf("%d:%s", dead, lockHost), 0, &uidlistLock, true},
		{"living owner", fmt.Sprintf("%d:%s", os.Getppid(), lockHost), time.Hour, &short, false},
		{"earlier process with our id", fmt.Sprintf("%d:%s", os.Getpid(), lockHost), 3 * time.Second, &uidlistLock, true},
		{"other host", fmt.Sprintf("%d:%s.x", dead, lockHost), time.Hour, &uidlistLock, false},
		{"other host, unchanged long enough", fmt.Sprintf("%d:%s.x", dead, lockHost), time.Hour, &short, true},
		{"empty", "", time.Hour, &uidlistLock, false},
		{"empty, unchanged long enough", "", time.Hour, &short, true},
		{"PID 0", "0:" + lockHost, time.Hour, &uidlistLock, false},
		{"PID -1", "-1:" + lockHost, time.Hour, &uidlistLock, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := testRoot(t)
			put(t, d, c.rules.name, c.content)
			d.setTimes(c.rules.name, time.Now().Add(-c.age))
			ctx, cancel := context.WithTimeout(context.Background(), 700*time.Millisecond)
			defer cancel()
			l, err := acquire(ctx, d, c.rules)
			if (err == nil) != c.taken {
				t.Fatalf("taken %t: %v", err == nil, err)
			}
			if err == nil {
				if err := l.unlock(); err != nil {
					t.Error(err)
				}
				if names := listDir(t, d); len(names) != 0 {
					t.Error(names)
				}
			} else if text(t, d, c.rules.name) != c.content {
				t.Error("changed a lock that is not stale")
			}
		})
	}
}

// TestDotlockChangingFile: a holder on another host that works on the file keeps his lock.
func TestDotlockChangingFile(t *testing.T) {
	d := testRoot(t)
	rules := lockRules{name: "l", guarded: "g", owner: true, stale: 200 * time.Millisecond, wait: 600 * time.Millisecond}
	put(t, d, "l", "1:elsewhere")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
				os.WriteFile(d.path()+"/g", []byte(strings.Repeat("x", i)), 0o600)
			}
		}
	})
	if _, err := acquire(context.Background(), d, &rules); !errors.Is(err, ErrLocked) {
		t.Error(err)
	}
	close(stop)
	wg.Wait()
}

func TestDotlockLost(t *testing.T) {
	d := testRoot(t)
	l, err := lockUIDList(context.Background(), d)
	if err != nil {
		t.Fatal(err)
	}
	d.unlink(uidlistLock.name)
	put(t, d, uidlistLock.name, "1:other")
	if err := l.unlock(); !errors.Is(err, errLockLost) {
		t.Error(err)
	}
	if text(t, d, uidlistLock.name) != "1:other" {
		t.Error("removed somebody else's lock")
	}
}

// TestDotlockExclusion: many waiters, a stale lock at the start, and never two holders.
func TestDotlockExclusion(t *testing.T) {
	d := testRoot(t)
	put(t, d, uidlistLock.name, fmt.Sprintf("%d:%s", deadPID(t), lockHost))
	d.setTimes(uidlistLock.name, time.Now().Add(-time.Minute))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				l, err := lockUIDList(context.Background(), d)
				if err != nil {
					t.Error(err)
					return
				}
				// The file is the witness: created only by one, removed by the same.
				f, err := d.create("witness", 0o600)
				if err != nil {
					t.Errorf("two holders: %v", err)
				} else {
					f.Close()
					d.unlink("witness")
				}
				if err := l.unlock(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if names := listDir(t, d); len(names) != 0 {
		t.Error(names)
	}
}
