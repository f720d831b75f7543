package maildir

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var long = flag.Bool("long", false, "run the long form of the tests")

// fastDir is a temporary directory in memory where there is one: fsync costs nothing there.
func fastDir(t *testing.T) string {
	t.Helper()
	if dir, err := os.MkdirTemp("/dev/shm", "roost-test"); err == nil {
		t.Cleanup(func() { os.RemoveAll(dir) })
		return dir
	}
	return t.TempDir()
}

// contents counts the bodies of all messages of mailboxes.
func contents(t *testing.T, boxes ...*Mailbox) map[string]int {
	t.Helper()
	all := map[string]int{}
	for _, m := range boxes {
		if err := m.Sync(bg); err != nil {
			t.Fatal(err)
		}
		if err := checkMailbox(m); err != nil {
			t.Fatal(err)
		}
		b := box{Mailbox: m, t: t}
		for _, uid := range m.UIDs() {
			all[b.body(uid)]++
		}
	}
	return all
}

// TestFaults lets every file operation of every change fail in turn: what failed has not happened (append, copy) or has happened to some
// messages whole (store, expunge, move), nothing is lost or half there, and the next operation works.
func TestFaults(t *testing.T) {
	add := func(m *Mailbox, bodies ...string) error {
		d, err := m.NewDelivery()
		if err != nil {
			return err
		}
		defer d.Abort()
		for i, body := range bodies {
			if err := d.Add(strings.NewReader(body), Flags(i)*Seen, nil, time.Time{}); err != nil {
				return err
			}
		}
		_, err = d.Commit(bg)
		return err
	}
	replace := func(src, dst *Mailbox) error {
		d, err := dst.NewDelivery()
		if err != nil {
			return err
		}
		defer d.Abort()
		if err := d.Add(strings.NewReader("instead\n"), Draft, []string{"kw"}, time.Time{}); err != nil {
			return err
		}
		_, err = d.Replace(bg, src, src.UIDs()[1])
		return err
	}
	many := make([]string, 30)
	for i := range many {
		many[i] = fmt.Sprintf("kw%d", i)
	}
	ops := []struct {
		name string
		run  func(src, dst *Mailbox) error
		gain int // messages more afterwards
		lose int // messages of before that are gone afterwards
		part bool
	}{
		{"append", func(src, _ *Mailbox) error { return add(src, "new one\n", "new two\n") }, 2, 0, false},
		{"copy", func(src, dst *Mailbox) error { _, err := src.CopyTo(bg, src.UIDs(), dst); return err }, 3, 0, false},
		{"move", func(src, dst *Mailbox) error { _, err := src.MoveTo(bg, src.UIDs(), dst); return err }, 0, 0, true},
		{"store", func(src, _ *Mailbox) error {
			_, _, err := src.SetFlags(bg, src.UIDs(), FlagChange{Op: Add, Flags: Flagged, Keywords: many})
			return err
		}, 0, 0, false},
		{"expunge", func(src, _ *Mailbox) error { _, err := src.Expunge(bg, src.UIDs()[:2]); return err }, -2, 2, true},
		{"claim", func(src, _ *Mailbox) error { _, err := src.ClaimRecent(bg); return err }, 0, 0, false},
		{"replace", func(src, _ *Mailbox) error { return replace(src, src) }, 0, 1, false},
		{"replace elsewhere", func(src, dst *Mailbox) error { return replace(src, dst) }, 0, 1, false},
	}
	errnos := []error{unix.ENOSPC}
	if *long {
		errnos = append(errnos, unix.EIO, unix.EACCES, unix.EMFILE)
	}
	for _, errno := range errnos {
		for _, op := range ops {
			t.Run(fmt.Sprintf("%s/%v", op.name, errno), func(t *testing.T) {
				stride := int64(4) // the long form tries every operation
				if *long {
					stride = 1
				}
				for n := int64(1); ; n += stride {
					b := reopen(t, fastDir(t), fastDir(t))
					if err := b.store.Create("Dst"); err != nil {
						t.Fatal(err)
					}
					dst, err := b.store.Open("Dst")
					if err != nil {
						t.Fatal(err)
					}
					for i := range 3 {
						b.append(fmt.Sprintf("message %d\n", i), Flags(i)*Seen)
					}
					before := contents(t, b.Mailbox, dst)
					var count atomic.Int64
					var failed atomic.Pointer[string]
					b.store.root.inject(func(what, path string) error {
						if count.Add(1) == n {
							s := what + " " + path
							failed.Store(&s)
							return errno
						}
						return nil
					})
					err = op.run(b.Mailbox, dst)
					b.store.root.inject(nil)
					after := contents(t, b.Mailbox, dst)
					at := "nothing"
					if p := failed.Load(); p != nil {
						at = *p
					}
					if err != nil && !errors.Is(err, errno) && !errors.Is(err, ErrGone) {
						t.Errorf("fault at %s: error %v", at, err)
					}
					gained := -len(before)
					for _, k := range after {
						gained += k
					}
					lost := 0
					for body := range before {
						if after[body] == 0 {
							lost++
						}
					}
					if lost > op.lose || err != nil && !op.part && lost > 0 || err == nil && lost != op.lose {
						t.Errorf("fault at %s: %d are lost (%v)", at, lost, err)
					}
					switch {
					case err == nil && gained != op.gain:
						t.Errorf("fault at %s: no error, but %d messages more, want %d", at, gained, op.gain)
					case err != nil && !op.part && gained != 0:
						t.Errorf("fault at %s: %v, but %d messages more", at, err, gained)
					}
					// Life goes on.
					if uid := b.append("later\n", 0); !slices.Contains(b.UIDs(), uid) {
						t.Errorf("fault at %s: append afterwards failed", at)
					}
					dst.Release()
					b.shut()
					if failed.Load() == nil {
						break // there was no n-th operation
					}
				}
			})
		}
	}
}
