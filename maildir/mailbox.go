package maildir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Mailbox is one open mailbox, shared by all sessions of the process and reference counted. All methods may be called by many
// goroutines.
type Mailbox struct {
	store              *Store
	box, cur, new, tmp *dir
	log                *slog.Logger

	// write is held (by having sent to it) by whoever changes files or the uidlist or scans the directories. It comes before
	// dovecot-uidlist.lock and before mu. A channel, so that waiting for it can be given up.
	write chan struct{}

	// moving is held, as write is, by who moves messages away: copying them and removing them are two steps. It comes before write, and
	// nobody who holds it waits for that of another mailbox.
	moving chan struct{}

	// commits gathers deliveries that wait for write, so that one lock and one fsync serve all of them (deliver.go).
	commits struct {
		sync.Mutex
		queue []*commit
	}

	// mu protects everything below. Held for memory operations only, never across a system call. What is marked (w) changes only
	// with write held as well, so the holder of write reads it without mu.
	mu        sync.Mutex
	name      string            // current UTF-8 name
	storage   string            // current storage name
	err       error             // not nil: the mailbox is gone (ErrGone) and all operations fail
	keyResets uint64            // how often the key for URLs was reset
	recs      *records          // (w) but for size, wire, time and meta of a record
	frozen    *snapshot         // not nil: of recs there are only UIDs and sums so far (thaw.go)
	blind     bool              // recs come from the uidlist, no scan has seen the files yet
	hdr       uidlistHeader     // (w) Next is the effective next UID
	list      uidlistPos        // (w) how much of dovecot-uidlist has been read
	keywords  keywordTable      // (w)
	pending   map[string]listed // (w) lines of the uidlist whose file we have not seen yet, by base name
	dead      map[string]uint32 // (w) base names that the uidlist still lists although clients know that they are gone → UID
	seen      dirTimes          // (w) the directory times that recs reflect
	now       ModSeq            // latest change
	recent    uint32            // UIDs from here on have not been claimed as \Recent
	changed   history           // new messages and flag changes
	expunged  history
	counted   Status                // counters as of counted.ModSeq
	lent      map[uint32]amount     // messages that are being moved, and the room that their copies borrow of them (quota.go)
	waiters   map[chan struct{}]int // how often each waits
	hints     hints
	ready     bool // memory is filled: until then whoever loads it changes it without mu
	unsaved   bool // the snapshot is behind

	thawing sync.Mutex // held while frozen is read; before mu

	// Set while loading, constant afterwards.
	key          inode // of box
	newID, curID inode // of new and cur
	cache        *metaCache
	watching     bool
	loaded       chan struct{} // closed when load is done
	loadErr      error

	watches []int32 // the hub's, which protects them

	kept keeper

	// Protected by Store.mu.
	refs int
	idle time.Time // when refs became 0

	readOnly atomic.Bool // the lock file cannot be written

	polling atomic.Bool // guards saved
	saved   time.Time
}

// dirTimes are the mtimes (ns) of new/ and cur/ at the start of the last complete scan or after our own last change, and when
// to look again although they did not change: a change in the same clock tick as the scan leaves no other trace.
type dirTimes struct {
	new, cur int64
	again    time.Time // zero: no need
}

// Name is the current UTF-8 name.
func (m *Mailbox) Name() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.name
}

// Gone tells whether the mailbox was deleted or replaced, as far as has been noticed.
func (m *Mailbox) Gone() bool { return m.failed() != nil }

// ReadOnly tells whether the file system lets nothing be changed, as far as was tried. Changes fail with ErrPermission then.
func (m *Mailbox) ReadOnly() bool { return m.readOnly.Load() }

// lockWrite takes the write lock or gives up with ctx.
func (m *Mailbox) lockWrite(ctx context.Context) error {
	select {
	case m.write <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *Mailbox) unlockWrite() { <-m.write }

// nextModSeq returns the modseq of a change that happens now: a hybrid clock, so that losing the state directory can never
// make a change look old. Called with mu held.
func (m *Mailbox) nextModSeq() ModSeq {
	m.now = max(m.now+1, ModSeq(time.Now().UnixMicro()))
	m.unsaved = true
	return m.now
}

// Touch gives the mailbox a later ModSeq, for what changed of it and is not of its messages. Any number of goroutines may call it.
func (m *Mailbox) Touch() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.nextModSeq()
}

// wake tells all waiters that there is something new. Called with mu held.
func (m *Mailbox) wake() {
	for c := range m.waiters {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// gone marks the mailbox as removed and wakes everybody who has it open.
func (m *Mailbox) gone(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		m.err = err
		m.wake()
	}
}

func (m *Mailbox) failed() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err
}

// Now is the ModSeq of the latest change.
func (m *Mailbox) Now() ModSeq {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// UIDs returns all UIDs ascending. The slice is shared and immutable.
func (m *Mailbox) UIDs() []uint32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := len(m.recs.uids)
	return m.recs.uids[:n:n]
}

// KeywordNames maps slots to names; "" is an unused slot. The slice is append-only and immutable.
func (m *Mailbox) KeywordNames() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.keywords.all()
}

// Records appends the records of those uids (ascending) that exist.
func (m *Mailbox) Records(uids []uint32, dst []Record) []Record {
	m.lockAll()
	defer m.mu.Unlock()
	return m.records(uids, dst)
}

func (m *Mailbox) records(uids []uint32, dst []Record) []Record {
	list := m.recs.list
	i := 0
	for _, uid := range uids {
		// The next record asked for is mostly the next one there is.
		if i >= len(list) || list[i].uid != uid {
			r := m.recs.index(uid)
			if r < 0 {
				continue
			}
			i = r
		}
		dst = append(dst, m.recs.public(&list[i]))
		i++
	}
	return dst
}

// pickChunk is how many messages PickByFlags looks at while nobody else can use the records.
const pickChunk = 1 << 16

// PickByFlags returns those of uids (ascending) whose system flags are in a, and those of the others whose flags are in b. Messages that do not
// exist are in neither.
func (m *Mailbox) PickByFlags(uids []uint32, a, b FlagSets) (inA, inB []uint32) {
	next := 0
	for chunk := range slices.Chunk(uids, pickChunk) {
		m.lockAll()
		for _, uid := range chunk {
			r := m.recs.findNear(uid, &next)
			if r == nil {
				continue
			} else if a>>r.flags&1 != 0 {
				inA = append(inA, uid)
			} else if b>>r.flags&1 != 0 {
				inB = append(inB, uid)
			}
		}
		m.mu.Unlock()
	}
	return inA, inB
}

// Changes tells what happened since. Expunged may name UIDs that came and went since, which the caller never saw.
func (m *Mailbox) Changes(since ModSeq) Changes {
	if now := m.Now(); since == now {
		return Changes{Now: now}
	}
	m.lockAll()
	defer m.mu.Unlock()
	ch := Changes{Now: m.now}
	if since > m.now {
		since = 0 // from a clock that was ahead, or not from us: nothing is known of what happened since
	}
	if uids, ok := m.changed.since(since); ok {
		ch.Changed = m.records(uids, nil)
	} else {
		for i := range m.recs.list {
			if r := &m.recs.list[i]; r.modseq > since {
				ch.Changed = append(ch.Changed, m.recs.public(r))
			}
		}
	}
	var ok bool
	if ch.Expunged, ok = m.expunged.since(since); !ok {
		ch.Unknown = true
	}
	return ch
}

// Status returns the counters without Size.
func (m *Mailbox) Status() Status {
	m.lockSums()
	defer m.mu.Unlock()
	if n := uint32(len(m.recs.uids)); m.counted.ModSeq != m.now || m.counted.Messages != n {
		st := Status{Messages: n, ModSeq: m.now}
		if m.frozen != nil {
			st.Unseen, st.Deleted = m.frozen.unseen, m.frozen.deleted
		}
		for i := range m.recs.list {
			if f := m.recs.list[i].flags; f&Seen == 0 {
				st.Unseen++
			}
			if m.recs.list[i].flags&Deleted != 0 {
				st.Deleted++
			}
		}
		m.counted = st
	}
	st := m.counted
	st.UIDNext, st.UIDValidity, st.GUID = m.hdr.Next, m.hdr.Validity, m.hdr.GUID
	claimed, _ := slices.BinarySearch(m.recs.uids, m.recent)
	st.Recent = uint32(len(m.recs.uids) - claimed)
	return st
}

// FirstUnseen returns the lowest UID of a message without \Seen, 0 when all have it.
func (m *Mailbox) FirstUnseen() uint32 {
	m.lockSums()
	defer m.mu.Unlock()
	if m.frozen != nil {
		return m.frozen.firstUnseen
	}
	for i := range m.recs.list {
		if m.recs.list[i].flags&Seen == 0 {
			return m.recs.list[i].uid
		}
	}
	return 0
}

// Identity names the mailbox and its UIDs: what a UID stands for never changes as long as both stay. The GUID is 32 hex digits.
func (m *Mailbox) Identity() (guid string, uidValidity uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.hdr.GUID, m.hdr.Validity
}

// StatusSize is the sum of RFC822.SIZE; it may have to read files whose size is not known yet.
func (m *Mailbox) StatusSize() (int64, error) {
	var sum int64
	uids := m.UIDs()
	var chunk []Record
	for len(uids) > 0 {
		n := min(len(uids), 1024)
		chunk = m.Records(uids[:n], chunk[:0])
		uids = uids[n:]
		for i := range chunk {
			if chunk[i].Wire < 0 {
				if err := m.Fill(&chunk[i]); errors.Is(err, ErrGone) {
					continue
				} else if err != nil {
					return 0, err
				}
			}
			sum += chunk[i].Wire
		}
	}
	return sum, nil
}

// FirstRecent returns the first UID nobody has claimed as \Recent.
func (m *Mailbox) FirstRecent() uint32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.recent
}

// Wait returns a channel of capacity one that gets a value after every change until stop is called. The channel already
// holds a value, so that what happened before is not missed.
func (m *Mailbox) Wait() (wake <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	c <- struct{}{}
	return c, m.WaitOn(c)
}

// WaitOn has c, of capacity one, get a value after every change until stop is called. It may wait for several mailboxes.
func (m *Mailbox) WaitOn(c chan struct{}) (stop func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.waiters == nil {
		m.waiters = map[chan struct{}]int{}
	}
	m.waiters[c]++
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.waiters[c]--; m.waiters[c] == 0 {
			delete(m.waiters, c)
		}
	}
}

// waiting tells whether anybody waits for changes.
func (m *Mailbox) waiting() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.waiters) > 0
}

// findTries bounds how often a file that another program keeps renaming is looked for.
const findTries = 10

// withFile calls fn with the directory and name of a message's file, again with its new name when another program renamed
// it meanwhile. ErrGone when the message was expunged.
func (m *Mailbox) withFile(uid uint32, fn func(d *dir, name string) error) error {
	for range findTries {
		m.lockAll()
		if m.err != nil {
			m.mu.Unlock()
			return m.err
		}
		r := m.recs.find(uid)
		if r == nil {
			m.mu.Unlock()
			return ErrGone
		}
		name, d := m.recs.name(r), m.dirOf(r)
		m.mu.Unlock()
		if err := fn(d, name); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := m.rescan(context.Background()); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s: message UID %d keeps being renamed by another program: %w", m.box.path(), uid, ErrGone)
}

// OpenMessage opens the file of a message. ErrGone when it was expunged.
func (m *Mailbox) OpenMessage(uid uint32) (f *MessageFile, err error) {
	err = m.withFile(uid, func(d *dir, name string) (err error) {
		f, err = d.openMessage(name)
		return err
	})
	return f, err
}

func (m *Mailbox) dirOf(r *record) *dir {
	if r.state&inNew != 0 {
		return m.new
	}
	return m.cur
}

// floorSeconds turns nanoseconds since the epoch into seconds.
func floorSeconds(ns int64) int64 {
	s := ns / 1e9
	if ns%1e9 < 0 {
		s--
	}
	return s
}

// newRecord starts a record for a file with this base name.
func newRecord(uid uint32, base string) record {
	s, w := sizes(base)
	if s < 0 || w < s {
		w = -1
	}
	return record{uid: uid, size: s, wire: w, time: unknownTime}
}

// maxUID is the highest UID we give out: dovecot calls a uidlist with 2^32-1 broken.
const maxUID = math.MaxUint32 - 1

// spareUIDs is how many UIDs a mailbox has at least when it is opened.
const spareUIDs = 1 << 20

// exhausted tells whether the UIDs of a mailbox come to their end, mostly because a damaged uidlist says so.
func exhausted(next uint32) bool { return next > maxUID-spareUIDs }
