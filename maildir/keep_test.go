package maildir

import (
	"sync"
	"testing"
)

type keepKey int

// What is kept with mailboxes takes the room that mailboxes leave; of more, what was used last stays.
func TestKeep(t *testing.T) {
	b := NewBudget(1, 4*mailboxOctets, 4*mailboxOctets, 4)
	stores := newBudgetStores(t, b, 1)
	open := func(name string) *Mailbox {
		t.Helper()
		m, err := stores[0].Open(name)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	check := func(what string, m *Mailbox, want ...any) {
		t.Helper()
		for i, w := range want {
			if got := m.Kept(keepKey(i)); got != w {
				t.Errorf("%s: under %d is %v, want %v", what, i, got, w)
			}
		}
	}
	const half = mailboxOctets / 2
	a := open("A") // leaves room for three
	check("nothing", a, nil)
	a.Keep(keepKey(0), "old", half)
	a.Keep(keepKey(0), "zero", 2*half)
	a.Keep(keepKey(1), "one", 2*half)
	a.Keep(keepKey(2), "two", half)
	check("all", a, "zero", "one", "two")
	a.Keep(keepKey(3), "three", 2*half) // zero has not been used for longest
	check("one more", a, nil, "one", "two", "three")
	a.Keep(keepKey(4), "huge", 7*half)
	check("too much", a, nil, "one", "two", "three", nil)

	c := open("B") // takes as much as one, which goes
	check("a mailbox more", a, nil, nil, "two", "three")
	a.Keep(keepKey(3), nil, half)
	c.Keep(keepKey(3), "another mailbox", half)
	check("by mailbox", a, nil, nil, "two", nil)
	check("by mailbox", c, nil, nil, nil, "another mailbox")
	c.Release()
	if c = open("B"); c.Kept(keepKey(3)) == nil {
		t.Error("gone although the mailbox stayed in memory")
	}
	c.Release()
	c.closeUnused()
	if c = open("B"); c.Kept(keepKey(3)) != nil {
		t.Error("there although the mailbox left memory")
	}
	c.Release()
	a.Release()
	for _, m := range []*Mailbox{a, c} {
		m.closeUnused()
	}
	if b.keptOctets != 0 || b.kept.Len() != 0 {
		t.Errorf("%d octets in %d values are counted when nothing is kept", b.keptOctets, b.kept.Len())
	}
}

// Many at once keep and ask; the books are right afterwards.
func TestKeepConcurrent(t *testing.T) {
	b := NewBudget(1, 3*mailboxOctets, 0, 0)
	stores := newBudgetStores(t, b, 1)
	m, err := stores[0].Open("A")
	if err != nil {
		t.Fatal(err)
	}
	defer m.Release()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 500 {
				key := keepKey((i + j) % 6)
				m.Keep(key, j, mailboxOctets/int64(2+j%5))
				if v := m.Kept(key); v != nil && (v.(int) < 0 || v.(int) >= 500) {
					t.Error(v)
				}
			}
		})
	}
	wg.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	var sum int64
	for _, k := range m.kept.values {
		sum += k.octets
		if k.place == nil {
			t.Error("a value is not counted")
		}
	}
	if sum != b.keptOctets || b.kept.Len() != len(m.kept.values) || b.total+sum > b.most {
		t.Errorf("%d octets of %d values are counted, %d of %d are kept beside %d of %d", b.keptOctets, b.kept.Len(), sum, len(m.kept.values), b.total, b.most)
	}
}
