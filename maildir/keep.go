package maildir

import (
	"container/list"
	"sync"
)

// What callers have computed from the messages of a mailbox, and what would take long to compute again, can be kept with it. It goes when the
// mailbox leaves memory, and before that when the Budget has no room for it: mailboxes come first, of what is kept that which was used last.

// keeper is what is kept with a mailbox.
type keeper struct {
	mu     sync.Mutex // protects values; a leaf, may be taken with Budget.mu held
	values map[any]*kept
}

// kept is a value, and where the Budget has it.
type kept struct {
	box    *Mailbox
	key    any
	value  any
	octets int64
	place  *list.Element // in Budget.kept, which Budget.mu protects; nil: not there
}

// Keep keeps a value that others may read under a key of its own type, in place of one that was there before. It takes so many octets, and may be gone
// at once. For who has the mailbox open.
func (m *Mailbox) Keep(key, value any, octets int64) {
	k := &kept{box: m, key: key, value: value, octets: octets}
	m.kept.mu.Lock()
	old := m.kept.values[key]
	if m.kept.values == nil {
		m.kept.values = map[any]*kept{}
	}
	m.kept.values[key] = k
	m.kept.mu.Unlock()
	m.store.opt.Budget.keep(k, old)
}

// Kept returns what is kept under a key, nil when nothing is.
func (m *Mailbox) Kept(key any) any {
	m.kept.mu.Lock()
	k := m.kept.values[key]
	m.kept.mu.Unlock()
	if k == nil {
		return nil
	}
	m.store.opt.Budget.useKept(k)
	return k.value
}

// keeps tells whether a value is still there.
func (m *Mailbox) keeps(k *kept) bool {
	m.kept.mu.Lock()
	defer m.kept.mu.Unlock()
	return m.kept.values[k.key] == k
}

// unkeep forgets a value, unless there is another one by now.
func (m *Mailbox) unkeep(k *kept) {
	m.kept.mu.Lock()
	defer m.kept.mu.Unlock()
	if m.kept.values[k.key] == k {
		delete(m.kept.values, k.key)
	}
}

// keep counts a value in place of an old one, which may be nil, and makes room for it.
func (b *Budget) keep(k, old *kept) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if old != nil {
		b.uncount(old)
	}
	switch {
	case b.total+k.octets > b.most: // not even with all others gone
		k.box.unkeep(k)
	case k.box.keeps(k): // otherwise somebody was quicker
		k.place = b.kept.PushBack(k)
		b.keptOctets += k.octets
		b.trim()
	}
}

// useKept notes that a value was used.
func (b *Budget) useKept(k *kept) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if k.place != nil {
		b.kept.MoveToBack(k.place)
	}
}

// uncount takes a value out of the books. Called with mu held.
func (b *Budget) uncount(k *kept) {
	if k.place != nil {
		b.kept.Remove(k.place)
		b.keptOctets -= k.octets
		k.place = nil
	}
}

// trim gives up values, those first that nobody has used for longest, until the others have room beside the mailboxes. Called with mu held.
func (b *Budget) trim() {
	for b.total+b.keptOctets > b.most && b.kept.Len() > 0 {
		k := b.kept.Front().Value.(*kept)
		b.uncount(k)
		k.box.unkeep(k)
	}
}

// dropKept gives up all that is kept with a mailbox. Called with mu held.
func (b *Budget) dropKept(m *Mailbox) {
	m.kept.mu.Lock()
	values := m.kept.values
	m.kept.values = nil
	m.kept.mu.Unlock()
	for _, k := range values {
		b.uncount(k)
	}
}
