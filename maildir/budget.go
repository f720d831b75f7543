package maildir

import (
	"container/list"
	"sync"
	"unsafe"
)

// Budget bounds the memory that all mail roots of a process take together. Nil bounds nothing. Safe for concurrent use.
//
// What a mailbox takes is known once it is loaded, and looked at again when its last user leaves. So mailboxes that are loaded at the same
// moment, and those that grow while they are in use, can go beyond the budget; the next ones are then refused.
type Budget struct {
	parsing chan struct{} // a token for each message that may be parsed at the same time
	most    int64         // octets of all mailboxes in memory
	warm    int64         // octets of those that nobody uses
	boxes   int           // how many nobody uses: each has files open

	mu      sync.Mutex // protects what follows; a leaf, taken with Store.mu held or alone
	held    map[*Mailbox]*holding
	total   int64      // octets of all in held
	resting *list.List // of *Mailbox that nobody used when they were put there, the one for longest first
	idle    int64      // octets of those in resting

	kept       *list.List // of *kept, the one unused for longest first (keep.go)
	keptOctets int64      // octets of those, which are not in total
}

// holding is what a Budget knows of a mailbox.
type holding struct {
	octets int64
	rest   *list.Element // in resting; nil: in use
}

// mailboxOctets is what a mailbox without messages takes, with its directories, watches and cache file.
const mailboxOctets = 32 << 10

// MailboxFiles is how many files an open mailbox has: four directories and its cache.
const MailboxFiles = 5

// NewBudget returns a budget: how many messages are parsed at the same time, how many octets mailboxes may take, and those of them that nobody
// uses and that are only kept because clients come back, of which there may be so many boxes.
func NewBudget(parsing int, mailboxes, warm int64, boxes int) *Budget {
	return &Budget{parsing: make(chan struct{}, max(parsing, 1)), most: mailboxes, warm: warm, boxes: boxes, held: map[*Mailbox]*holding{}, resting: list.New(), kept: list.New()}
}

// parse waits for its turn to parse a message; done must be called afterwards.
func (b *Budget) parse() (done func()) {
	if b == nil {
		return func() {}
	}
	b.parsing <- struct{}{}
	return func() { <-b.parsing }
}

// admit makes room for a mailbox that is going to be loaded, by closing those that nobody uses. ErrMemory when there is none.
func (b *Budget) admit() error {
	if b == nil {
		return nil
	}
	b.shrink()
	b.mu.Lock()
	full := b.total >= b.most
	b.mu.Unlock()
	if full {
		return ErrMemory
	}
	return nil
}

// use counts a mailbox that is in use.
func (b *Budget) use(m *Mailbox) {
	if b == nil {
		return
	}
	octets := m.octets()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.remove(m)
	b.held[m] = &holding{octets: octets}
	b.total += octets
	b.trim()
}

// rest counts a mailbox that nobody uses any more; shrink must follow. It may be used again at any time, and is then left alone.
func (b *Budget) rest(m *Mailbox, octets int64) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.remove(m)
	b.held[m] = &holding{octets, b.resting.PushBack(m)}
	b.total += octets
	b.idle += octets
	b.trim()
}

// drop forgets a mailbox that is closed.
func (b *Budget) drop(m *Mailbox) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.remove(m)
	b.dropKept(m)
}

// remove takes a mailbox out of the books. Called with mu held.
func (b *Budget) remove(m *Mailbox) {
	h := b.held[m]
	if h == nil {
		return
	}
	delete(b.held, m)
	b.total -= h.octets
	if h.rest != nil {
		b.resting.Remove(h.rest)
		b.idle -= h.octets
	}
}

// shrink closes mailboxes that nobody uses, those first that nobody has used for longest, until there is room for another one and the rest of
// them are within their share. Called without locks.
func (b *Budget) shrink() {
	for b != nil {
		b.mu.Lock()
		oldest := b.resting.Front()
		if oldest == nil || b.idle <= b.warm && b.total < b.most && b.resting.Len() <= b.boxes {
			b.mu.Unlock()
			return
		}
		m := oldest.Value.(*Mailbox)
		h := b.held[m]
		b.resting.Remove(oldest)
		h.rest = nil
		b.idle -= h.octets
		b.mu.Unlock()
		m.closeUnused()
	}
}

// octets is about what the records of a mailbox take.
func (m *Mailbox) octets() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	rs := m.recs
	if m.frozen != nil { // counts as what it takes when it is read
		return mailboxOctets + int64(len(rs.uids))*(int64(unsafe.Sizeof(record{}))+4) + m.frozen.sections[textSection].octets
	}
	n := int64(cap(rs.list))*int64(unsafe.Sizeof(record{})) + 4*int64(cap(rs.uids)+len(rs.table))
	for _, c := range rs.text.chunks {
		n += int64(cap(c))
	}
	return mailboxOctets + n
}
