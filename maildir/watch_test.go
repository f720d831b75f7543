package maildir

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// What another program does while we change something has its time taken for ours, and the watcher to tell of it. A snapshot that is taken before it
// has must not say that the directories are known.
func TestSnapshotBeforeEventIsRead(t *testing.T) {
	b, other := newBox(t), newBox(t)
	b.put("cur", "one:2,", "Subject: a\n\n")
	b.sync()
	time.Sleep(2 * tick)
	b.sync()

	other.mu.Lock() // the watcher waits for it with the first event, and all others wait behind
	stuck := true
	release := func() {
		if stuck {
			other.mu.Unlock()
		}
		stuck = false
	}
	defer release()
	other.put("cur", "stuck:2,", "")

	if err := b.update(bg, func(*update) error {
		return os.Rename(filepath.Join(b.dir, "cur", "one:2,"), filepath.Join(b.dir, "cur", "one:2,S"))
	}); err != nil {
		t.Fatal(err)
	}
	b.append("Subject: b\n\n", 0)
	time.Sleep(2 * tick)
	state, store := b.store.opt.State, b.store
	b.store = nil // no check: it would look
	b.Release()
	store.Close()

	again := reopen(t, b.dir, state)
	if r := again.rec(1); r.Flags != Seen {
		t.Errorf("flags %v after a restart, the file's name says \\Seen", r.Flags)
	}
	release()
}

// A second file of a known base name that the watcher tells of is another message, not the first one renamed.
func TestSecondFileIsTold(t *testing.T) {
	b := newBox(t)
	b.put("cur", "one:2,S", "Subject: a\n\n")
	b.sync()
	wake, stop := b.Wait()
	defer stop()
	must(t, os.WriteFile(filepath.Join(b.dir, "cur", "one:2,"), []byte("Subject: b\n\n"), 0o600))
	for deadline := time.After(3 * time.Second); len(b.UIDs()) < 2; {
		select {
		case <-wake:
		case <-deadline:
			t.Fatalf("UIDs %v, flags of the first %v", b.UIDs(), b.rec(1).Flags)
		}
	}
	if r := b.rec(1); r.Flags != Seen || b.body(1) != "Subject: a\n\n" {
		t.Errorf("flags %v, %q", r.Flags, b.body(1))
	}
}
