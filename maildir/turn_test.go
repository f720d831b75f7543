package maildir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestTurn: a turn takes UIDs from the front, each once, whoever works on it.
func TestTurn(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(2, runtime.NumCPU())))
	uids := make([]uint32, 1000)
	for i := range uids {
		uids[i] = uint32(i) + 1
	}
	failure := errors.New("failure")
	u := &update{}
	for name, tt := range map[string]struct {
		uids []uint32
		fn   func(i int) error
		ends bool // before all are done
		err  error
	}{
		"none":  {nil, func(int) error { return nil }, false, nil},
		"few":   {uids[:manyFiles-1], func(int) error { return nil }, false, nil},
		"many":  {uids, func(int) error { return nil }, false, nil},
		"slow":  {uids, func(int) error { time.Sleep(turnTime / 20); return nil }, true, nil},
		"error": {uids, func(i int) error { return map[bool]error{true: failure}[i == 10] }, true, failure},
	} {
		t.Run(name, func(t *testing.T) {
			taken := make([]atomic.Int32, len(tt.uids))
			done, err := u.turn(tt.uids, func(i int, uid uint32) error {
				if tt.uids[i] != uid {
					t.Errorf("%d is not the index of %d", i, uid)
				}
				taken[i].Add(1)
				return tt.fn(i)
			})
			if !errors.Is(err, tt.err) || tt.ends && done == len(tt.uids) || done == 0 && len(tt.uids) > 0 {
				t.Errorf("%d of %d done, error %v", done, len(tt.uids), err)
			}
			for i := range taken {
				if n := taken[i].Load(); n > 1 || (n == 1) != (i < done) {
					t.Fatalf("%d was taken %d times, and %d are done", i, n, done)
				}
			}
		})
	}
	t.Run("panic", func(t *testing.T) {
		var others sync.WaitGroup
		others.Add(hands)
		defer func() {
			if p := recover(); !strings.Contains(fmt.Sprint(p), "in one of them") {
				t.Errorf("recovered %v", p)
			}
		}()
		me := make(chan struct{}, 1)
		me <- struct{}{}
		together(hands, func() error {
			others.Done()
			others.Wait() // all run
			select {
			case <-me:
				return nil
			default:
				panic("in one of them")
			}
		})
	})
}

// TestTurnsRenamed: another program renames and removes files between what we know and our change, among many that are changed at the same time.
func TestTurnsRenamed(t *testing.T) {
	root := t.TempDir()
	names := make([]string, 200)
	for _, d := range []string{"cur", "new", "tmp"} {
		os.MkdirAll(filepath.Join(root, d), 0o700)
	}
	for i := range names {
		names[i] = filepath.Join(root, "cur", fmt.Sprintf("%03d.M1P1.host:2,", i))
		if err := os.WriteFile(names[i], []byte("Subject: x\n\n"+fmt.Sprint(i)+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := OpenStore(Options{Root: root, Separator: '/'})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	m, err := s.Open("INBOX")
	if err != nil {
		t.Fatal(err)
	}
	defer m.Release()
	// Under the lock, so that nothing of it is noticed before.
	disturb := func(from, to string) func() error {
		return func() error {
			for i := 0; i < len(names); i += 50 {
				if err := os.Rename(names[i]+from, names[i]+to); err != nil {
					return err
				}
			}
			return os.Remove(names[len(names)-1] + from)
		}
	}
	inject := func(op string, fn func() error) {
		var once sync.Once
		m.cur.inject(func(now, path string) error {
			if now == op && strings.Contains(path, "/cur/") {
				once.Do(func() {
					if err := fn(); err != nil {
						t.Error(err)
					}
				})
			}
			return nil
		})
	}
	inject("rename", disturb("", "R"))
	changed, _, err := m.SetFlags(bg, m.UIDs(), FlagChange{Op: Add, Flags: Seen})
	m.cur.inject(nil)
	if err != nil || len(changed) != len(names)-1 {
		t.Fatalf("%d changed, %v", len(changed), err)
	}
	for i, r := range changed {
		want := Seen
		if i%50 == 0 {
			want |= Answered
		}
		if r.Flags != want {
			t.Errorf("message %d has flags %v, not %v", i, r.Flags, want)
		}
		if i > 0 && r.UID <= changed[i-1].UID {
			t.Errorf("UID %d after %d", r.UID, changed[i-1].UID)
		}
	}
	if err := checkMailbox(m); err != nil {
		t.Fatal(err)
	}
	names = names[:len(names)-1]
	for i := range names {
		if i%50 == 0 {
			names[i] += "R"
		}
		names[i] += "S"
	}
	inject("unlink", disturb("", "T"))
	uids := m.UIDs()
	gone, err := m.Expunge(bg, uids)
	m.cur.inject(nil)
	if err != nil || len(gone) < len(names)-1 {
		t.Fatalf("%d expunged of %d, %v", len(gone), len(names), err)
	}
	if err := m.Sync(bg); err != nil {
		t.Fatal(err)
	}
	if n := len(m.UIDs()); n != 0 {
		t.Errorf("%d are left", n)
	}
	if err := checkMailbox(m); err != nil {
		t.Fatal(err)
	}
}
