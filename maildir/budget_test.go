package maildir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// newBudgetStores makes mail roots that share a budget, each with mailboxes A and B.
func newBudgetStores(t *testing.T, b *Budget, n int) []*Store {
	t.Helper()
	stores := make([]*Store, n)
	for i := range stores {
		s, err := OpenStore(Options{Root: filepath.Join(t.TempDir(), "m"), State: t.TempDir(), Separator: '/', Create: true, Budget: b})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		for _, name := range []string{"A", "B"} {
			if err := s.Create(name); err != nil {
				t.Fatal(err)
			}
		}
		stores[i] = s
	}
	return stores
}

// inMemory counts the mailboxes that stores have open.
func inMemory(stores []*Store) (n int) {
	for _, s := range stores {
		s.mu.Lock()
		n += len(s.boxes)
		s.mu.Unlock()
	}
	return n
}

// Mailboxes that nobody uses make room, those unused for longest first; those in use stay, and when they take all there is, no more are opened.
func TestBudget(t *testing.T) {
	b := NewBudget(1, 4*mailboxOctets, 5*mailboxOctets/2, 100)
	stores := newBudgetStores(t, b, 3)
	open := func(i int, name string) *Mailbox {
		t.Helper()
		m, err := stores[i].Open(name)
		if err != nil {
			t.Fatalf("%s of %d: %v", name, i, err)
		}
		return m
	}
	if n := inMemory(stores); n != 0 {
		t.Fatalf("%d mailboxes in memory at the beginning", n)
	}
	for i := range stores {
		for _, name := range []string{"A", "B"} {
			m := open(i, name)
			m.Release()
		}
	}
	if n := inMemory(stores); n != 2 {
		t.Errorf("%d unused mailboxes stay in memory, want 2", n)
	}
	last := stores[2]
	warm := open(2, "B")
	if n := inMemory(stores); n != 2 || inMemory([]*Store{last}) != 2 {
		t.Errorf("the mailboxes used last are not those in memory")
	}

	used := []*Mailbox{warm, open(0, "A"), open(0, "B"), open(1, "A")}
	if n := inMemory([]*Store{last}); n != 1 {
		t.Errorf("%d mailboxes of the last root, the unused one did not make room", n)
	}
	if _, err := stores[1].Open("B"); !errors.Is(err, ErrMemory) {
		t.Errorf("one more than the budget: %v", err)
	}
	again := open(0, "A") // what is in memory costs nothing
	again.Release()
	if _, err := again.store.Exists("A"); err != nil || again.failed() != nil {
		t.Errorf("a mailbox in use was closed: %v", again.failed())
	}
	used[0].Release()
	used = append(used[1:], open(1, "B"))
	for _, m := range used {
		m.Release()
	}
	for _, s := range stores {
		s.Close()
	}
	if b.total != 0 || b.idle != 0 || len(b.held) != 0 || b.resting.Len() != 0 {
		t.Errorf("after all: %d octets, %d idle, %d held, %d resting", b.total, b.idle, len(b.held), b.resting.Len())
	}
}

// However little memory they take, no more than so many stay open: each has files.
func TestBudgetBoxes(t *testing.T) {
	b := NewBudget(1, 1<<30, 1<<30, 3)
	stores := newBudgetStores(t, b, 4)
	for _, s := range stores {
		for _, m := range openAll(t, s, "A", "B") {
			m.Release()
		}
	}
	if n := inMemory(stores); n != 3 || inMemory(stores[3:]) != 2 {
		t.Errorf("%d unused mailboxes stay open, %d of them the last", n, inMemory(stores[3:]))
	}
	used := append(openAll(t, stores[0], "A", "B"), openAll(t, stores[1], "A", "B")...)
	if n := inMemory(stores); n < 4 {
		t.Errorf("%d open, 4 in use", n)
	}
	for _, m := range used {
		m.Release()
	}
	if n := inMemory(stores); n != 3 {
		t.Errorf("%d unused mailboxes stay open", n)
	}
}

// A mailbox that could not be opened leaves no watch behind, so that it is watched when it can be.
func TestFailedLoadNotWatched(t *testing.T) {
	b := newBox(t)
	must(t, b.store.Create("A"))
	list := filepath.Join(b.dir, ".A", uidlistName)
	os.Remove(list)
	must(t, os.Mkdir(list, 0o700))
	if m, err := b.store.Open("A"); err == nil {
		m.Release()
		t.Fatal("a mailbox whose uidlist is a directory can be opened")
	}
	must(t, os.Remove(list))
	m, err := b.store.Open("A")
	must(t, err)
	defer m.Release()
	if !m.watching {
		t.Error("not watched")
	}
}

// Many open and leave at the same time with hardly any room: nobody has a closed mailbox in hand, and the books are right.
func TestBudgetTogether(t *testing.T) {
	b := NewBudget(1, 1<<30, mailboxOctets, 100)
	stores := newBudgetStores(t, b, 2)
	var wg sync.WaitGroup
	for w := range 6 {
		wg.Go(func() {
			for i := range 40 {
				m, err := stores[(w+i)%2].Open(fmt.Sprintf("%c", 'A'+i/2%2))
				if err != nil {
					t.Error(err)
					return
				}
				d, err := m.NewDelivery()
				if err == nil {
					err = d.Add(strings.NewReader("Subject: x\n\n"), 0, nil, time.Now())
				}
				if err == nil {
					_, err = d.Commit(bg)
				}
				if err != nil {
					t.Errorf("a mailbox in use: %v", err)
				}
				m.Release()
			}
		})
	}
	wg.Wait()
	n := uint32(0)
	for _, s := range stores {
		for _, name := range []string{"A", "B"} {
			m, err := s.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			n += m.Status().Messages
			if err := checkMailbox(m); err != nil {
				t.Error(err)
			}
			m.Release()
		}
		s.Close()
	}
	if n != 6*40 {
		t.Errorf("%d messages, want %d", n, 6*40)
	}
	if b.total != 0 || b.idle != 0 || len(b.held) != 0 {
		t.Errorf("after all: %d octets, %d idle, %d held", b.total, b.idle, len(b.held))
	}
}

// Messages are parsed one after another when the budget says so, and all of them.
func TestBudgetOfParsing(t *testing.T) {
	b := NewBudget(1, 1<<30, 1<<30, 100)
	done := b.parse()
	entered := make(chan struct{})
	go func() {
		defer b.parse()()
		close(entered)
	}()
	select {
	case <-entered:
		t.Error("two at the same time")
	default:
	}
	done()
	<-entered
	var none *Budget
	none.parse()()
}
