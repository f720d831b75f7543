package maildir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// tryAppend appends a message that takes so many octets as stored, if the quota allows it.
func tryAppend(m *Mailbox, octets int) error {
	d, err := m.NewDelivery()
	if err != nil {
		return err
	}
	defer d.Abort()
	if err := d.Reserve(bg, int64(octets)); err != nil {
		return err
	}
	if err := d.Add(strings.NewReader(strings.Repeat("x", octets)), 0, nil, time.Time{}); err != nil {
		return err
	}
	_, err = d.Commit(bg)
	return err
}

func wantQuota(t *testing.T, s *Store, want Quota) {
	t.Helper()
	got, _, err := s.Quota(bg)
	if err != nil || got != want {
		t.Errorf("in use: %+v, %v; want %+v", got, err, want)
	}
}

func openAll(t *testing.T, s *Store, names ...string) (list []*Mailbox) {
	t.Helper()
	for _, name := range names {
		if err := s.Create(name); err != nil && !errors.Is(err, ErrExists) {
			t.Fatal(err)
		}
		m, err := s.Open(name)
		must(t, err)
		list = append(list, m)
		t.Cleanup(m.Release)
	}
	return list
}

// What adds messages is refused where it would go beyond the limit and nowhere else, and what is refused leaves nothing behind.
func TestQuota(t *testing.T) {
	b := newBox(t)
	b.store.LimitQuota(Quota{Storage: 1000, Messages: 4, Mailboxes: 2}, false)
	other := openAll(t, b.store, "Other")[0]
	if err := b.store.Create("Third"); !errors.Is(err, ErrQuota) {
		t.Errorf("a third mailbox: %v", err)
	}
	must(t, tryAppend(b.Mailbox, 600))
	if err := tryAppend(b.Mailbox, 401); !errors.Is(err, ErrQuota) {
		t.Errorf("401 octets more: %v", err)
	}
	wantQuota(t, b.store, Quota{600, 1, 2})
	must(t, tryAppend(other, 400))
	if _, err := b.CopyTo(bg, b.UIDs(), other); !errors.Is(err, ErrQuota) {
		t.Errorf("a copy: %v", err)
	}
	pairs, err := b.MoveTo(bg, b.UIDs(), other)
	if err != nil || len(pairs) != 1 {
		t.Fatalf("a move takes nothing: %v, %v", pairs, err)
	}
	wantQuota(t, b.store, Quota{1000, 2, 2})
	// What replaces another message has its room.
	for _, c := range []struct {
		octets int
		want   error
	}{{401, ErrQuota}, {400, nil}, {10, nil}} {
		d, err := b.NewDelivery()
		must(t, err)
		old := other.UIDs()[0]
		err = d.ReserveInstead(bg, int64(c.octets), other, old)
		if !errors.Is(err, c.want) {
			t.Errorf("%d octets instead of 400: %v", c.octets, err)
		}
		if err == nil && c.octets == 10 {
			must(t, d.Add(strings.NewReader(strings.Repeat("x", 10)), 0, nil, time.Time{}))
			_, err = d.Replace(bg, other, old)
			must(t, err)
		}
		d.Abort()
	}
	wantQuota(t, b.store, Quota{610, 2, 2})
	// Two at once that fit only one by one.
	d1, err := b.NewDelivery()
	must(t, err)
	must(t, d1.Reserve(bg, 300))
	if err := tryAppend(b.Mailbox, 300); !errors.Is(err, ErrQuota) {
		t.Errorf("beside one under way: %v", err)
	}
	d1.Abort()
	must(t, tryAppend(b.Mailbox, 300))
	// A limit on messages alone.
	b.store.LimitQuota(Quota{Messages: 4}, false)
	must(t, tryAppend(b.Mailbox, 5000))
	if err := tryAppend(b.Mailbox, 1); !errors.Is(err, ErrQuota) {
		t.Errorf("a fifth message: %v", err)
	}
	// Removing is always possible.
	_, err = b.Expunge(bg, b.UIDs())
	must(t, err)
	wantQuota(t, b.store, Quota{600, 1, 2})
	other.store.LimitQuota(Quota{}, false)
	must(t, b.store.Delete("Other"))
	b.store.LimitQuota(Quota{Messages: 4}, false)
	wantQuota(t, b.store, Quota{0, 0, 1})
}

// However many connections add messages by whatever way, the limit holds, and room that there is is not refused for long.
func TestQuotaRaces(t *testing.T) {
	b := newBox(t)
	boxes := append(openAll(t, b.store, "A", "B"), b.Mailbox)
	const limit = 50
	b.store.LimitQuota(Quota{Messages: limit, Storage: limit * 10}, false)
	must(t, tryAppend(b.Mailbox, 10))
	var wg sync.WaitGroup
	var added atomic.Int64
	for i := range 8 {
		wg.Go(func() {
			for n := range 30 {
				m := boxes[(i+n)%3]
				switch uids := m.UIDs(); {
				case n%3 == 1 && len(uids) > 0:
					pairs, err := m.CopyTo(bg, uids[:1], boxes[n%2])
					if err != nil && !errors.Is(err, ErrQuota) && !errors.Is(err, ErrGone) {
						t.Error(err)
					}
					added.Add(int64(len(pairs)))
				case n%3 == 2 && len(uids) > 0 && m != boxes[n%2]:
					if _, err := m.MoveTo(bg, uids[len(uids)-1:], boxes[n%2]); err != nil && !errors.Is(err, ErrGone) {
						t.Error(err)
					}
				default:
					if err := tryAppend(m, 10); err == nil {
						added.Add(1)
					} else if !errors.Is(err, ErrQuota) {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	for _, m := range boxes {
		must(t, checkMailbox(m))
	}
	used, _, err := b.store.Quota(bg)
	if err != nil || used.Messages > limit || used.Storage > limit*10 || used.Messages < added.Load() {
		t.Errorf("%+v with %d added, %v", used, added.Load(), err)
	}
	for added.Load() < limit-1 {
		must(t, tryAppend(b.Mailbox, 10))
		added.Add(1)
	}
}

// Deliveries of other programs count, also those into mailboxes that are closed, with and without sizes in their names, and what another program
// removed is free again. Nothing of that depends on the state directory.
func TestQuotaOutside(t *testing.T) {
	for _, how := range []string{"running", "restarted", "without state", "damaged state"} {
		t.Run(how, func(t *testing.T) {
			root, state := t.TempDir(), t.TempDir()
			b := reopen(t, root, state)
			limit := Quota{Storage: 1000}
			b.store.LimitQuota(limit, false)
			m, err := b.store.Open("INBOX")
			must(t, err)
			must(t, b.store.Create("Closed"))
			must(t, tryAppend(m, 100))
			m.Release()
			wantQuota(t, b.store, Quota{100, 1, 2})
			again := func() {
				t.Helper()
				if how == "running" {
					return
				}
				b.shut()
				switch how {
				case "without state":
					must(t, os.RemoveAll(state))
				case "damaged state":
					file := filepath.Join(state, usageFile)
					old, err := os.ReadFile(file)
					must(t, err)
					old[len(old)/2] ^= 0xff
					must(t, os.WriteFile(file, old, 0o600))
				}
				b = reopen(t, root, state)
				b.store.LimitQuota(limit, false)
			}
			again()
			wantQuota(t, b.store, Quota{100, 1, 2})
			closed := filepath.Join(root, ".Closed", "new")
			must(t, os.WriteFile(filepath.Join(closed, "1.M1P1.host,S=50"), []byte(strings.Repeat("x", 50)), 0o600))
			must(t, os.WriteFile(filepath.Join(closed, "2.M1P1.host"), []byte(strings.Repeat("y", 7)), 0o600))
			wantQuota(t, b.store, Quota{157, 3, 2})
			again()
			b.put("new", "3.M1P1.host", strings.Repeat("z", 1000))
			wantQuota(t, b.store, Quota{1157, 4, 2})
			if err := tryAppend(b.Mailbox, 1); !errors.Is(err, ErrQuota) {
				t.Errorf("over quota: %v", err)
			}
			must(t, os.Rename(filepath.Join(root, ".Closed"), filepath.Join(t.TempDir(), "gone")))
			again()
			wantQuota(t, b.store, Quota{1100, 2, 1})
		})
	}
}

// maildirsize is kept up to date where it is and not made where it is not; it gives the limits that nobody else gave.
func TestMaildirsize(t *testing.T) {
	b := newBox(t)
	file := filepath.Join(b.dir, sizesName)
	b.store.LimitQuota(Quota{Messages: 9}, false)
	must(t, tryAppend(b.Mailbox, 10))
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Fatalf("made: %v", err)
	}
	must(t, os.WriteFile(file, []byte("1000S,5C\n10 1\n"), 0o600))
	want := func(text string) {
		t.Helper()
		got, err := os.ReadFile(file)
		if err != nil || string(got) != text {
			t.Errorf("maildirsize is %q, %v; want %q", got, err, text)
		}
	}
	limits := func(want Quota) {
		t.Helper()
		if _, got, err := b.store.Quota(bg); err != nil || got != want {
			t.Errorf("limits %+v, %v; want %+v", got, err, want)
		}
	}
	limits(Quota{1000, 9, 0})
	must(t, tryAppend(b.Mailbox, 20))
	want("1000S,5C\n10 1\n20 1\n")
	_, err := b.CopyTo(bg, b.UIDs(), b.Mailbox)
	must(t, err)
	want("1000S,5C\n10 1\n20 1\n30 2\n")
	_, err = b.Expunge(bg, b.UIDs()[:2])
	must(t, err)
	want("1000S,5C\n10 1\n20 1\n30 2\n-30 -2\n")
	if err := tryAppend(b.Mailbox, 971); !errors.Is(err, ErrQuota) {
		t.Errorf("1001 octets: %v", err)
	}
	// Written anew when it is long, damaged, negative or wrong for a while; otherwise others may be about to append.
	for text, anew := range map[string]bool{
		"1000S,5C\n30 2\n" + strings.Repeat("1 1\n-1 -1\n", 600): true,
		"1000S\nx y\n":                true,
		"1000S\n-5 2\n":               true,
		"1000S\n" + "29 2\n":          false,
		"1000S\n" + "10 1\n" + "20 1": false,
	} {
		must(t, os.WriteFile(file, []byte(text), 0o600))
		limit, _, _ := strings.Cut(text, "\n")
		limits(Quota{1000, 9, 0})
		if anew {
			want(limit + "\n30 2\n")
		} else {
			want(text)
		}
	}
	must(t, os.WriteFile(file, []byte("1000S\n29 2\n"), 0o600))
	old := time.Now().Add(-time.Hour)
	must(t, os.Chtimes(file, old, old))
	limits(Quota{1000, 9, 0})
	want("1000S\n30 2\n")
	// A mailbox that goes takes its messages along.
	m := openAll(t, b.store, "Box")[0]
	must(t, tryAppend(m, 5))
	want("1000S\n30 2\n5 1\n")
	must(t, b.store.Delete("Box"))
	limits(Quota{1000, 9, 0})
	if z := b.store.readSizes(); z.sum != (amount{30, 2}) {
		t.Errorf("after DELETE %+v", z)
	}
	// A file of any size is no more than wrong.
	must(t, os.WriteFile(file, []byte("1000S\n"+strings.Repeat("1 1\n", 1<<20)), 0o600))
	limits(Quota{1000, 9, 0})
	want("1000S\n30 2\n")
}

// Own limits are in force as long as the configuration allows them, also after a restart.
func TestOwnQuota(t *testing.T) {
	root, state := t.TempDir(), t.TempDir()
	b := reopen(t, root, state)
	b.store.LimitQuota(Quota{Messages: 9}, false)
	if err := b.store.ChangeQuota(Quota{Storage: 5}); !errors.Is(err, ErrPermission) {
		t.Errorf("without leave: %v", err)
	}
	for i, c := range []struct {
		own  bool
		set  *Quota
		want Quota
	}{
		{true, nil, Quota{Messages: 9}}, {true, &Quota{5, 0, 7}, Quota{5, 0, 7}}, {false, nil, Quota{Messages: 9}}, {true, nil, Quota{5, 0, 7}},
		{true, &Quota{}, Quota{}},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			b := reopen(t, root, state)
			b.store.LimitQuota(Quota{Messages: 9}, c.own)
			if c.set != nil {
				must(t, b.store.ChangeQuota(*c.set))
			}
			if _, got, err := b.store.Quota(bg); err != nil || got != c.want {
				t.Errorf("limits %+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}

func FuzzMaildirsize(f *testing.F) {
	for _, seed := range []string{"", "104857600S,1000C\n79 1\n-79 -1\n", "0S\n", "1S,\n\n1\n1 2 3\n", "9223372036854775807S\n9223372036854775807 1\n1 1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		z := parseSizes(text)
		if z.limit.Storage < 0 || z.limit.Messages < 0 || !z.broken && (z.sum.octets < 0 || z.sum.messages < 0) {
			t.Errorf("%+v of %q", z, text)
		}
	})
}

// A mailbox that another program holds locked does not keep messages from being added to others.
func TestQuotaBesideLock(t *testing.T) {
	b := newBox(t)
	b.store.LimitQuota(Quota{Messages: 3}, false)
	openAll(t, b.store, "Other")
	wantQuota(t, b.store, Quota{0, 0, 2})
	other := filepath.Join(b.dir, ".Other")
	must(t, os.WriteFile(filepath.Join(other, uidlistLock.name), []byte("1:elsewhere"), 0o600))
	must(t, os.WriteFile(filepath.Join(other, "new", "1.M1P1.host,S=1"), []byte("x"), 0o600))
	done := make(chan struct{})
	go func() {
		defer close(done)
		wantQuota(t, b.store, Quota{0, 0, 2})
		if err := tryAppend(b.Mailbox, 1); err != nil {
			t.Error(err)
		}
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Error("waits for the lock of another mailbox")
	}
	must(t, os.Remove(filepath.Join(other, uidlistLock.name)))
	<-done
	wantQuota(t, b.store, Quota{2, 2, 2})
}
