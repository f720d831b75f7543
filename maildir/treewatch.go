package maildir

import (
	"slices"
	"sync"
	"time"
)

// treeWatch tells those who wait about changes of a user's mailbox names and subscriptions. What changed they find out by asking again; only a
// rename would be two changes to them, so the last ones are remembered.
type treeWatch struct {
	mu      sync.Mutex // a leaf
	now     uint64     // counts changes
	renames []renamed  // ascending by at
	waiters map[chan struct{}]struct{}
	polled  time.Time // when waiters were last sent to look for what other programs did
}

type renamed struct {
	at       uint64
	from, to string
}

const (
	maxRenames = 100
	// treePoll is how often those who wait look for mailboxes that other programs created or removed.
	treePoll = time.Minute
)

// treeChanged counts a change and wakes those who wait.
func (s *Store) treeChanged(renames ...renamed) {
	t := &s.treeWatch
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now++
	for _, r := range renames {
		r.at = t.now
		t.renames = append(t.renames, r)
	}
	if n := len(t.renames); n > maxRenames {
		t.renames = slices.Clone(t.renames[n-maxRenames:])
	}
	t.signal()
}

// wake has those who wait look at what is new, though not of names.
func (t *treeWatch) wake() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.signal()
}

// signal wakes those who wait, under mu.
func (t *treeWatch) signal() {
	for c := range t.waiters {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// pollTree makes those who wait look, now and then.
func (s *Store) pollTree() {
	t := &s.treeWatch
	t.mu.Lock()
	due := len(t.waiters) > 0 && time.Since(t.polled) > treePoll
	if due {
		t.polled = time.Now()
	}
	t.mu.Unlock()
	if due {
		s.treeChanged()
	}
}

// WaitTree has c, of capacity one, get a value after every change of names, subscriptions and annotations until stop is called.
func (s *Store) WaitTree(c chan struct{}) (stop func()) {
	t := &s.treeWatch
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiters == nil {
		t.waiters = map[chan struct{}]struct{}{}
	}
	t.waiters[c] = struct{}{}
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.waiters, c)
	}
}

// TreeChanges counts the changes of names and subscriptions that this process made or looked for.
func (s *Store) TreeChanges() uint64 {
	s.treeWatch.mu.Lock()
	defer s.treeWatch.mu.Unlock()
	return s.treeWatch.now
}

// OldName tells what a mailbox was called, if it was renamed by this process since a count of TreeChanges; empty otherwise.
func (s *Store) OldName(name string, since uint64) (old string) {
	t := &s.treeWatch
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range slices.Backward(t.renames) {
		if r.at <= since {
			break
		}
		if r.to == name {
			name, old = r.from, r.from
		}
	}
	return old
}
