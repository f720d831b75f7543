package maildir

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// What a user's mail takes is the sum over all mailboxes of what their records say, kept at each change: nothing is counted again when a
// message is added. What other programs do is noticed by the times of new/ and cur/, which are looked at once a second at most while messages
// are added; a mailbox whose times moved is opened and synced, which numbers what is new and measures files without ,S=. The sums of mailboxes that
// did not move are remembered across restarts (quotastate.go).
//
// Whoever adds messages reserves room for them first, before they are read from the network. Used and reserved together never exceed the
// limit, so however many connections add at the same time, none of them takes what another was promised. Deliveries of other programs
// ask nobody; then only adding is refused.

// Quota are limits of a mail root, of which 0 means none, or what it takes.
type Quota struct {
	Storage   int64 // octets of all messages as stored
	Messages  int64
	Mailboxes int64
}

// amount is what some messages take.
type amount struct{ octets, messages int64 }

func (a *amount) add(b amount) { a.octets, a.messages = a.octets+b.octets, a.messages+b.messages }

func (a amount) minus(b amount) amount { return amount{a.octets - b.octets, a.messages - b.messages} }

// quota is the account of a mail root.
type quota struct {
	looking sync.Mutex // held by whoever looks what other programs did; comes before all locks of mailboxes
	looked  time.Time  // protected by looking
	saved   time.Time  // protected by looking
	loaded  bool       // protected by looking: quotastate.go has been read

	mu      sync.Mutex // protects what follows; a leaf, taken with Mailbox.mu held or alone
	given   Quota      // by the configuration
	own     bool       // ChangeQuota is allowed
	limit   Quota      // in force, as of the last look
	boxes   map[inode]*boxUsage
	used    amount // sum of boxes
	held    amount // of messages on their way in; negative while messages are moved
	unsaved bool   // quotastate.go is behind
	uncount bool   // maildirsize is to be written anew
}

// boxUsage is what is known of a mailbox, open or not.
type boxUsage struct {
	amount
	new, cur int64 // mtimes (ns) of the directories that amount reflects for certain, 0: none
}

// quotaEvery is how often other programs' work is looked for.
const quotaEvery = time.Second

// lockedFor is how long a lock delays a look. Dovecot, and we, hold one for milliseconds.
const lockedFor = 250 * time.Millisecond

// LimitQuota sets the limits that the configuration gives. own: ChangeQuota may set others.
func (s *Store) LimitQuota(q Quota, own bool) {
	s.quota.mu.Lock()
	same := s.quota.given == q && s.quota.own == own
	s.quota.given, s.quota.own = q, own
	s.quota.mu.Unlock()
	if !same {
		s.quota.looking.Lock()
		defer s.quota.looking.Unlock()
		s.quota.looked = time.Time{}
	}
}

// Quota returns what the mail takes now and the limits. Without limits nobody counts, and used is zero.
func (s *Store) Quota(ctx context.Context) (used, limit Quota, err error) {
	if err := s.lookQuota(ctx, 0); err != nil {
		return used, limit, err
	}
	q := &s.quota
	q.mu.Lock()
	limit = q.limit
	used.Storage, used.Messages = q.used.octets, q.used.messages
	q.mu.Unlock()
	if limit == (Quota{}) {
		return Quota{}, limit, nil
	}
	used.Mailboxes, err = s.countBoxes()
	return used, limit, err
}

// OwnQuota tells whether ChangeQuota is allowed.
func (s *Store) OwnQuota() bool {
	s.quota.mu.Lock()
	defer s.quota.mu.Unlock()
	return s.quota.own
}

func (s *Store) countBoxes() (n int64, err error) {
	list, err := s.List()
	for i := range list {
		if !list[i].NoSelect {
			n++
		}
	}
	return n, err
}

// roomForBox tells whether there may be another mailbox; ErrQuota.
func (s *Store) roomForBox() error {
	limit, _, err := s.readLimits()
	if err != nil || limit.Mailboxes == 0 {
		return err
	}
	n, err := s.countBoxes()
	if err == nil && n >= limit.Mailboxes {
		err = fmt.Errorf("%w: %d mailboxes", ErrQuota, n)
	}
	return err
}

// reserve keeps room for more messages, beside what the caller holds, until release; ErrQuota when there is none. What makes nothing more altogether
// is always possible.
func (s *Store) reserve(ctx context.Context, have, more amount) error {
	if err := s.lookQuota(ctx, quotaEvery); err != nil {
		return err
	}
	q := &s.quota
	q.mu.Lock()
	defer q.mu.Unlock()
	over := func(limit, all, have, more int64) bool {
		return limit > 0 && more > 0 && have+more > 0 && more > limit-all
	}
	if over(q.limit.Storage, q.used.octets+q.held.octets, have.octets, more.octets) ||
		over(q.limit.Messages, q.used.messages+q.held.messages, have.messages, more.messages) {
		return ErrQuota
	}
	q.held.add(more)
	return nil
}

func (s *Store) release(a amount) {
	s.quota.mu.Lock()
	defer s.quota.mu.Unlock()
	s.quota.held = s.quota.held.minus(a)
}

// account enters what the mailbox holds by now, in exchange for what was reserved for it.
func (m *Mailbox) account(reserved amount) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.accountLocked(reserved)
}

// accountLocked is account with mu held.
func (m *Mailbox) accountLocked(reserved amount) {
	q := &m.store.quota
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held = q.held.minus(reserved)
	if m.ready && m.err == nil {
		q.set(m.key, amount{m.recs.octets, int64(len(m.recs.uids))})
	}
}

// A move within a mail root is free: the room that a source takes is lent to its copy, from the moment in which the copy counts until that in
// which the source is forgotten, by whomever it was removed.

// lend notes the messages whose room may be lent, and returns what that is at most. The caller holds moving.
func (m *Mailbox) lend(uids []uint32) (most amount) {
	m.lockAll()
	defer m.mu.Unlock()
	for _, uid := range uids {
		r := m.recs.find(uid)
		if _, twice := m.lent[uid]; twice || r == nil {
			continue
		}
		if m.lent == nil {
			m.lent = map[uint32]amount{}
		}
		a := amount{max(r.size, 0), 1}
		m.lent[uid] = a
		most.add(a)
	}
	return most
}

// unlend forgets the loans of messages and returns, as what account is to take off, the room that is no longer lent. Called with mu held.
func (m *Mailbox) unlend(uids []uint32) (back amount) {
	if len(m.lent) == 0 {
		return amount{}
	}
	for _, uid := range uids {
		back = back.minus(m.lent[uid])
		delete(m.lent, uid)
	}
	return back
}

// settle ends a move: most was what lend returned, taken what the copies borrowed.
func (m *Mailbox) settle(uids []uint32, most, taken amount) {
	m.mu.Lock()
	left := amount{}.minus(m.unlend(uids))
	m.mu.Unlock()
	m.store.release(most.minus(left).minus(taken))
}

// sizesOf is what these messages take together. known: the sizes of all of them are known.
func (m *Mailbox) sizesOf(uids []uint32) (sum amount, known bool) {
	m.lockAll()
	defer m.mu.Unlock()
	return m.sumOf(uids)
}

// sumOf is sizesOf with mu held.
func (m *Mailbox) sumOf(uids []uint32) (sum amount, known bool) {
	known = true
	for _, uid := range uids {
		if r := m.recs.find(uid); r != nil {
			sum.add(amount{max(r.size, 0), 1})
			known = known && r.size >= 0
		}
	}
	return sum, known
}

// set changes what a mailbox takes. Called with mu held.
func (q *quota) set(key inode, now amount) {
	b := q.boxes[key]
	if b == nil {
		if q.boxes == nil {
			q.boxes = map[inode]*boxUsage{}
		}
		b = &boxUsage{}
		q.boxes[key] = b
	}
	if b.amount != now {
		q.used.add(now.minus(b.amount))
		b.amount, b.new, b.cur = now, 0, 0
		q.unsaved = true
	}
}

// drop forgets a mailbox and returns what it took, if that is known.
func (q *quota) drop(key inode) (freed amount, known bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	b := q.boxes[key]
	if b == nil {
		return amount{}, false
	}
	q.used = q.used.minus(b.amount)
	delete(q.boxes, key)
	q.unsaved = true
	return b.amount, b.new != 0
}

// lookQuota brings limits and sums in line with what is on disk, unless that was done so recently.
func (s *Store) lookQuota(ctx context.Context, every time.Duration) error {
	q := &s.quota
	q.looking.Lock()
	defer q.looking.Unlock()
	if time.Since(q.looked) < every {
		return nil
	}
	limit, sizes, err := s.readLimits()
	if err != nil {
		return err
	}
	q.mu.Lock()
	q.limit = limit
	q.mu.Unlock()
	if limit == (Quota{}) && sizes == nil {
		q.looked = time.Now()
		return nil
	}
	if !q.loaded {
		q.loaded = true
		s.loadUsage()
	}
	before := q.keys()
	list, err := s.List()
	if err != nil {
		return err
	}
	for i := range list {
		if err := ctx.Err(); err != nil {
			return err
		}
		if list[i].NoSelect {
			continue
		}
		key, err := s.lookAtBox(ctx, list[i].Name)
		delete(before, key)
		if err != nil && !slices.ContainsFunc(skipped, func(kind error) bool { return errors.Is(err, kind) }) {
			return err
		}
	}
	for key := range before {
		q.drop(key)
	}
	q.looked = time.Now()
	s.mendSizes(sizes)
	s.saveUsage(saveEvery)
	return nil
}

// keys are the mailboxes that something is known of.
func (q *quota) keys() map[inode]bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	keys := make(map[inode]bool, len(q.boxes))
	for key := range q.boxes {
		keys[key] = true
	}
	return keys
}

// skipped are the errors of mailboxes that went meanwhile, or that cannot be opened now and are looked at again next time.
var skipped = []error{ErrNotFound, ErrNoSelect, ErrGone, ErrInvalidName, ErrLocked}

// lookAtBox sees to it that what is known of a mailbox is true. While another program has it locked, what was true before has to do: nobody waits
// for one mailbox to add messages to another.
func (s *Store) lookAtBox(ctx context.Context, name string) (key inode, err error) {
	_, d, err := s.openBox(name)
	if err != nil {
		return key, err
	}
	self, err := d.statSelf()
	if err == nil {
		key = inode{self.dev, self.ino}
		var newSt, curSt fileInfo
		if newSt, err = d.stat("new"); err == nil {
			curSt, err = d.stat("cur")
		}
		s.quota.mu.Lock()
		b := s.quota.boxes[key]
		known := err == nil && b != nil
		same := known && b.new != 0 && b.new == newSt.mtime && b.cur == curSt.mtime
		s.quota.mu.Unlock()
		if same || known && staysLocked(ctx, d) {
			d.close()
			return key, nil
		}
	}
	d.close()
	m, err := s.Open(name)
	if err != nil {
		return key, err
	}
	defer m.Release()
	key = m.key
	if err := m.measure(ctx); err != nil {
		return key, err
	}
	m.dateUsage()
	return key, nil
}

// staysLocked tells whether a mailbox stays locked for longer than a change takes.
func staysLocked(ctx context.Context, d *dir) bool {
	for began := time.Now(); ; {
		if _, err := d.stat(uidlistLock.name); err != nil {
			return false
		}
		if ctx.Err() != nil || time.Since(began) > lockedFor {
			return true
		}
		time.Sleep(lockedFor / 50)
	}
}

// dateUsage notes for which times of the directories what is known of the mailbox is true, if that is certain.
func (m *Mailbox) dateUsage() {
	m.account(amount{})
	at := time.Now().UnixNano()
	m.mu.Lock()
	defer m.mu.Unlock()
	q := &m.store.quota
	q.mu.Lock()
	defer q.mu.Unlock()
	// As for the snapshot: times of just now may hide another change.
	if b := q.boxes[m.key]; b != nil && m.seen.again.IsZero() && !m.hints.any() && m.recs.unsized == 0 && len(m.pending) == 0 &&
		at-max(m.seen.new, m.seen.cur) > int64(tick) {
		b.new, b.cur = m.seen.new, m.seen.cur
		q.unsaved = true
	}
}

// DeletedSize is what removing the messages with \Deleted frees, in octets.
func (m *Mailbox) DeletedSize(ctx context.Context) (int64, error) {
	if err := m.measure(ctx); err != nil {
		return 0, err
	}
	m.lockAll()
	defer m.mu.Unlock()
	var sum int64
	for i := range m.recs.list {
		if r := &m.recs.list[i]; r.flags&Deleted != 0 {
			sum += max(r.size, 0)
		}
	}
	return sum, nil
}

// measure finds out the sizes of files whose names do not say them.
func (m *Mailbox) measure(ctx context.Context) error {
	m.mu.Lock()
	unsized := m.recs.unsized
	m.mu.Unlock()
	if unsized == 0 {
		return nil
	}
	m.lockAll()
	var uids []uint32
	if m.recs.unsized > 0 {
		for i := range m.recs.list {
			if m.recs.list[i].size < 0 {
				uids = append(uids, m.recs.list[i].uid)
			}
		}
	}
	m.mu.Unlock()
	for i, uid := range uids {
		if i%1000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		var st fileInfo
		err := m.withFile(uid, func(d *dir, name string) (err error) {
			st, err = d.stat(name)
			return err
		})
		if errors.Is(err, ErrGone) {
			continue
		} else if err != nil {
			return err
		}
		m.mu.Lock()
		if r := m.recs.find(uid); r != nil && r.size < 0 {
			m.recs.setSize(r, st.size)
			m.unsaved = true
		}
		m.mu.Unlock()
	}
	return nil
}
