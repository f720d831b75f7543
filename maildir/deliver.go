package maildir

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"
)

// Delivery collects 1..n messages for one mailbox and commits them together (APPEND, MULTIAPPEND, COPY, LMTP). One goroutine uses it.
//
// A message is written to tmp/ and fsynced outside all locks, while the next one is written. Commit, when all are durable, takes the locks, puts the files in place, fsyncs
// their directories, appends the lines to dovecot-uidlist and fsyncs that, and only then reports UIDs. Whoever waits for the lock meanwhile
// queues up, and the next holder commits the whole queue with one lock, one fsync per directory and one write (group commit).
type Delivery struct {
	m     *Mailbox
	items []*item
	move  bool // the sources of links are removed afterwards
	done  bool
	held  amount // room reserved, which becomes the messages' own with Commit
	lent  amount // after Commit of a move: room that the sources still take

	flushes flusher // of files in tmp/

	intent *intent // after Commit of a move: to be ended when the sources are gone
}

// item is one message on its way in.
type item struct {
	tmp      string // name in tmp/; empty for a link
	from     *dir   // for a link: the directory of the source
	name     string // for a link: the name of the source
	path     string // of the source, below the root; empty when it belongs to another store
	instead  string // what goes for it, below the root (Replace)
	base     string // base name wanted
	guid     string // message GUID when base cannot be kept or is not the GUID
	flags    Flags
	keywords []string
	size     int64
	wire     int64
	time     int64

	// Set while it is put in place.
	fn    fileName
	in    recordState
	kw    Keywords
	extra string
	put   bool
}

// commit is a Delivery waiting for its turn.
type commit struct {
	items  []*item
	move   bool
	old    uint32  // UID of the message here that the only item replaces, or 0
	held   *amount // of the Delivery
	lent   amount  // of the Delivery: more than was reserved
	done   chan struct{}
	uids   []uint32
	intent *intent
	err    error
}

// NewDelivery starts an APPEND.
func (m *Mailbox) NewDelivery() (*Delivery, error) {
	if err := m.failed(); err != nil {
		return nil, err
	}
	return &Delivery{m: m}, nil
}

// Add streams one message into tmp/. r is read to its end; CRLF becomes LF, so that what is served is what came in. A zero date
// means now. Flags and keywords as in SetFlags.
func (d *Delivery) Add(r io.Reader, flags Flags, keywords []string, date time.Time) error {
	if date.IsZero() {
		date = time.Now()
	}
	base := d.m.store.newBase()
	f, err := d.m.createTmp(base)
	if err != nil {
		return d.m.goneOr(err)
	}
	it := &item{tmp: base, flags: flags, keywords: keywords, time: date.Unix()}
	d.items = append(d.items, it)
	size, wire, err := storeMessage(f, r)
	if err == nil {
		err = d.m.tmp.setTimes(base, date)
	}
	if err != nil {
		f.Close()
		return d.m.goneOr(fileError("write", d.m.tmp.path()+"/"+base, err))
	}
	d.flushes.flush(d.m.tmp, f)
	it.size, it.wire = size, wire
	it.base = withSizes(base, size, wire)
	return nil
}

// Reserve keeps room in the quota for a message of so many octets, until the Delivery is committed or aborted. ErrQuota when there is none.
// What a message takes as stored is not more than what it has on its way.
func (d *Delivery) Reserve(ctx context.Context, octets int64) error {
	return d.reserve(ctx, amount{octets, 1})
}

// ReserveMore keeps room for more octets of the message that Reserve was called for.
func (d *Delivery) ReserveMore(ctx context.Context, octets int64) error {
	return d.reserve(ctx, amount{octets, 0})
}

// ReserveInstead is Reserve for a message that takes the place of another one.
func (d *Delivery) ReserveInstead(ctx context.Context, octets int64, src *Mailbox, old uint32) error {
	more := amount{octets, 1}
	if src.store == d.m.store {
		if freed, known := src.sizesOf([]uint32{old}); known {
			more = more.minus(freed)
		}
	}
	return d.reserve(ctx, more)
}

func (d *Delivery) reserve(ctx context.Context, a amount) error {
	if err := d.m.store.reserve(ctx, d.held, a); err != nil {
		return err
	}
	d.held.add(a)
	return nil
}

func (m *Mailbox) createTmp(name string) (*os.File, error) {
	p, err := m.box.perm()
	if err != nil {
		return nil, err
	}
	return m.tmp.createAs(name, p)
}

// goneOr is ErrGone instead of an error that a mailbox has which was removed meanwhile.
func (m *Mailbox) goneOr(err error) error {
	if gone := m.failed(); gone != nil && errors.Is(err, fs.ErrNotExist) {
		return gone
	}
	return err
}

// Abort removes the files in tmp/. Safe after Commit.
func (d *Delivery) Abort() {
	if d.done {
		return
	}
	d.done = true
	d.flushes.wait()
	d.m.store.release(d.held)
	d.held = amount{}
	for _, it := range d.items {
		if it.tmp != "" {
			d.m.tmp.unlink(it.tmp)
		}
	}
}

// Commit numbers and links all of them durably and returns their UIDs in order. All or none.
func (d *Delivery) Commit(ctx context.Context) ([]uint32, error) {
	if d.done || len(d.items) == 0 {
		return nil, nil
	}
	defer d.Abort()
	if err := d.flushes.wait(); err != nil {
		return nil, err
	}
	c := &commit{items: d.items, move: d.move, held: &d.held, lent: d.lent, done: make(chan struct{})}
	uids, err := d.m.commit(ctx, c)
	if err == nil {
		d.done, d.intent = true, c.intent
	}
	return uids, err
}

// commit queues c and waits until its items are in place, by this goroutine's hand or another's.
func (m *Mailbox) commit(ctx context.Context, c *commit) ([]uint32, error) {
	m.commits.Lock()
	m.commits.queue = append(m.commits.queue, c)
	m.commits.Unlock()
	select {
	case <-c.done:
		return c.uids, c.err
	case m.write <- struct{}{}:
	case <-ctx.Done():
		if m.withdraw(c) {
			return nil, ctx.Err()
		}
		<-c.done // somebody is at it already
		return c.uids, c.err
	}
	defer m.unlockWrite()
	m.commits.Lock()
	queue := m.commits.queue
	m.commits.queue = nil
	m.commits.Unlock()
	if len(queue) > 0 {
		// Others are in the queue: this client's going away must not fail them.
		err := m.locked(context.WithoutCancel(ctx), func(u *update) error {
			return u.run(func(u *update) error { return u.commit(queue) })
		})
		for _, q := range queue {
			if q.err == nil && err != nil {
				q.err, q.uids = err, nil
			}
			close(q.done)
		}
	}
	<-c.done
	return c.uids, c.err
}

// withdraw takes a commit out of the queue; false when it is being worked on.
func (m *Mailbox) withdraw(c *commit) bool {
	m.commits.Lock()
	defer m.commits.Unlock()
	for i, q := range m.commits.queue {
		if q == c {
			m.commits.queue = append(m.commits.queue[:i:i], m.commits.queue[i+1:]...)
			return true
		}
	}
	return false
}

// commit puts a queue of commits in place. A commit that fails is undone by itself; what fails all of them undoes all.
func (u *update) commit(queue []*commit) (err error) {
	m := u.m
	var named, placed []*commit
	taken := map[string]bool{} // base names used in this round
	for _, c := range queue {
		if c.err = u.name(c, taken); c.err == nil {
			named = append(named, c)
		}
	}
	// Keywords beyond the letters have no place in the name. Without the line of their message they mean nothing, so they can
	// come first.
	if err := u.writeMore(named); err != nil {
		return err
	}
	var dirs recordState
	usedCur := false
	for _, c := range named {
		if c.err = u.place(c); c.err != nil {
			u.undo(c)
			continue
		}
		placed = append(placed, c)
		for _, it := range c.items {
			dirs |= it.in
			usedCur = usedCur || it.in == 0
		}
	}
	defer func() {
		for _, c := range placed {
			if err != nil {
				u.undo(c)
			} else if !c.move {
				c.intent.end()
			}
		}
	}()
	if dirs&inNew != 0 {
		if err := m.new.sync(); err != nil {
			return err
		}
	}
	if usedCur {
		if err := m.cur.sync(); err != nil {
			return err
		}
	}
	next := m.hdr.Next
	var lines []byte
	for _, c := range placed {
		for _, it := range c.items {
			if next == maxUID {
				return ErrLimit
			}
			lines = appendUIDLine(lines, next, []byte(it.extra), []byte(it.fn.base))
			c.uids = append(c.uids, next)
			next++
		}
	}
	if err := u.appendList(lines, next-1); err != nil {
		return err
	}
	var added, held amount
	m.mu.Lock()
	for _, c := range placed {
		for i, it := range c.items {
			r := m.addRecord(c.uids[i], sighting{name: it.fileName(), in: it.in}, it.extra)
			m.recs.setSize(r, it.size)
			r.wire, r.time = it.wire, it.time
			m.recs.setMore(r, it.kw.More)
			added.add(amount{max(it.size, 0), 1})
		}
		held.add(*c.held)
		held.add(c.lent)
		*c.held = amount{}
	}
	m.accountLocked(held)
	m.mu.Unlock()
	m.store.logSizes(added)
	for _, c := range placed {
		if c.old != 0 {
			u.removeOld(c)
		}
	}
	return nil
}

func (it *item) fileName() string {
	if it.in == inNew {
		return it.fn.base
	}
	return it.fn.String()
}

// name decides under which names the items of a commit go where.
func (u *update) name(c *commit, taken map[string]bool) error {
	m := u.m
	if c.old != 0 {
		path, err := m.pathOf(c.old)
		if err != nil {
			return err
		}
		c.items[0].instead = path
	}
	for _, it := range c.items {
		kw, err := u.keywordSet(it.keywords, true)
		if err != nil {
			return err
		}
		it.kw = kw
		it.fn = fileName{base: it.base, flags: it.flags, letters: kw.Letters}
		it.extra = ""
		known := func() bool {
			base := it.fn.base
			_, dead := m.dead[base]
			_, pending := m.pending[base]
			return taken[base] || dead || pending || m.recs.byBase(base) != nil
		}
		if known() {
			it.fn.base = withSizes(m.store.newBase(), it.size, it.wire)
		}
		if it.guid != "" && it.guid != it.fn.base {
			it.extra = "G" + it.guid
		}
		if it.guid != "" && it.fn.base == it.base { // a copy, whose name says when the original was saved
			it.extra = strings.TrimPrefix(it.extra+" "+saveDateKey(time.Now()), " ")
		}
		taken[it.fn.base] = true
		it.in = 0
		if it.flags == 0 && len(it.keywords) == 0 && it.tmp != "" {
			it.in = inNew // as Dovecot does: only messages with flags go to cur/ at once
		}
	}
	return nil
}

// place moves or links the files of a commit to where they belong.
func (u *update) place(c *commit) (err error) {
	m := u.m
	if c.intent, err = m.store.intend(u.steps(c)); err != nil {
		return err
	}
	for _, it := range c.items {
		to := m.dirFor(it.in)
		if it.tmp != "" {
			err = m.tmp.rename(it.tmp, to, it.fileName())
		} else {
			err = it.from.link(it.name, to, it.fileName())
		}
		if err != nil {
			return err
		}
		it.put = true
	}
	return nil
}

// steps are what place does, and what follows when messages are moved or replaced. Between stores there are none: an intent belongs to one.
func (u *update) steps(c *commit) []step {
	if len(c.items) == 1 && !c.move && c.old == 0 {
		return nil
	}
	m := u.m
	m.mu.Lock()
	box := storagePath(m.storage)
	m.mu.Unlock()
	var steps []step
	for _, it := range c.items {
		if it.tmp == "" && it.path == "" {
			return nil
		}
		to := path.Join(box, m.dirFor(it.in).base(), it.fileName())
		if it.tmp != "" {
			steps = append(steps, step{stepRename, path.Join(box, "tmp", it.tmp), to})
		} else {
			steps = append(steps, step{stepLink, it.path, to})
		}
		if c.move && it.path != "" {
			steps = append(steps, step{stepRemove, it.path, to})
		}
		if it.instead != "" {
			steps = append(steps, step{stepRemove, it.instead, to})
		}
	}
	return steps
}

// undo takes back what place did.
func (u *update) undo(c *commit) {
	c.uids = nil
	c.intent.end()
	c.intent = nil
	for _, it := range c.items {
		if !it.put {
			continue
		}
		it.put = false
		if err := u.m.dirFor(it.in).unlink(it.fileName()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			u.m.log.Error("cannot take back a file of a failed append", "mailbox", u.m.box.path(), "file", it.fileName(), "cause", err)
		}
	}
}
