package maildir

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"slices"
	"time"
)

// How a Maildir is read while others change it.
//
// Truth is spread over three things that no single operation reads together: the names in new/ and cur/, dovecot-uidlist, and
// the keyword files. Dovecot, and we, change them only under dovecot-uidlist.lock; mutt, mbsync, notmuch and
// delivery agents know no lock. So:
//
//  1. readdir is not atomic against rename: while somebody sets flags in cur/, a scan misses files that exist all the time and sees others
//     twice. A file that a scan did not show is therefore only suspected to be gone. It is given up when two scans in a row,
//     during which neither directory's mtime moved and that lie more than one clock tick after the last change, both did not show it. While somebody
//     keeps renaming, nobody is given up: the record stays, marked missing, and the next Sync looks again.
//  2. A base name seen twice is mostly a rename in flight. Only when both files are there at the same time it is a duplicate.
//  3. Identity is the base name; a UID belongs to it as long as a line of the uidlist says so. A base name whose line outlived its file and
//     which turns up again gets a new UID: clients were told that the old one is gone.
//  4. New names are numbered under the lock, in the order Dovecot would number them, and the lines are on disk before anybody hears of the UID.
//  5. The mtime of a directory says "nothing changed" only if it is older than the clock tick in which it was read. Our own changes move it too: as we
//     hold the lock we may take the new mtime as known if the old one was; what a program without lock did in that very moment shows
//     itself through the watcher, or, without one, through one more scan a second later.
//
// Sync is the one door: NOOP, IDLE, STATUS, the watcher and every change below go through refresh.

// tick is longer than the clock granularity of any local file system and kernel; a directory mtime younger than this may hide a second change.
const tick = 25 * time.Millisecond

// recheckAfter is when a directory that changed just now is looked at again if nothing watches it.
const recheckAfter = 1100 * time.Millisecond

// scanTries bounds the scans of one refresh.
const scanTries = 4

// Sync notices what others did since; cheap when nothing changed. ErrGone when the mailbox was deleted.
func (m *Mailbox) Sync(ctx context.Context) error {
	if err := m.failed(); err != nil {
		return err
	}
	if fresh, err := m.unchanged(); err != nil || fresh {
		return err
	}
	return m.update(ctx, func(*update) error { return nil })
}

// rescan reads the directories again whatever their mtimes say.
func (m *Mailbox) rescan(ctx context.Context) error {
	return m.update(ctx, func(u *update) error { return u.scan(true) })
}

// unchanged tells whether the directories are as we know them.
func (m *Mailbox) unchanged() (bool, error) {
	m.mu.Lock()
	seen, list, doubt := m.seen, m.list, m.hints.all
	m.mu.Unlock()
	if doubt {
		return false, nil
	}
	if !seen.again.IsZero() && !time.Now().Before(seen.again) {
		return false, nil
	}
	newSt, curSt, err := m.statDirs()
	if err != nil {
		return false, err
	}
	if newSt.mtime != seen.new || curSt.mtime != seen.cur {
		return false, nil
	}
	st, err := m.box.stat(uidlistName)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && st.ino == list.ino && st.size == list.size, err
}

// statDirs stats new/ and cur/ and finds out when the mailbox was deleted.
func (m *Mailbox) statDirs() (newSt, curSt fileInfo, err error) {
	if newSt, err = m.new.statSelf(); err != nil {
		return
	}
	if curSt, err = m.cur.statSelf(); err != nil {
		return
	}
	if curSt.nlink == 0 || newSt.nlink == 0 {
		m.gone(ErrGone)
		err = ErrGone
	}
	return
}

// update is a change in progress: m.write and dovecot-uidlist.lock are held.
type update struct {
	m    *Mailbox
	ctx  context.Context
	lock *dotlock
	// known: before our own changes the directories were as m.seen says, so that their mtimes afterwards are ours.
	known bool
	again bool // look once more
}

// update runs fn with the locks held and memory up to date. What fn changes in the directories counts as seen.
func (m *Mailbox) update(ctx context.Context, fn func(*update) error) error {
	return m.withLocks(ctx, func(u *update) error { return u.run(fn) })
}

// run is update with the locks held already.
func (u *update) run(fn func(*update) error) error {
	if err := u.refresh(); err != nil {
		return err
	}
	err := fn(u)
	if err != nil {
		// Something was left half done or was undone: look at what is there before believing anything.
		u.m.mu.Lock()
		u.m.hints.all = true
		u.m.mu.Unlock()
		return err
	}
	u.settle()
	return nil
}

// withLocks runs fn with the locks held and wakes those who wait if something changed.
func (m *Mailbox) withLocks(ctx context.Context, fn func(*update) error) error {
	if err := m.lockWrite(ctx); err != nil {
		return err
	}
	defer m.unlockWrite()
	return m.locked(ctx, fn)
}

// locked is withLocks for the holder of write.
func (m *Mailbox) locked(ctx context.Context, fn func(*update) error) error {
	if err := m.failed(); err != nil {
		return err
	}
	lock, err := lockUIDList(ctx, m.box)
	if err != nil {
		if _, _, gone := m.statDirs(); gone != nil {
			return gone
		}
		return err
	}
	defer lock.unlock()
	before := m.Now()
	err = fn(&update{m: m, ctx: ctx, lock: lock})
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.now != before {
		m.wake()
	}
	return err
}

// settle takes the directory times that our own changes left as seen, if we knew the directories before.
func (u *update) settle() {
	m := u.m
	if !u.known {
		return
	}
	newSt, curSt, err := m.statDirs()
	if err != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if newSt.mtime == m.seen.new && curSt.mtime == m.seen.cur {
		return
	}
	m.seen.new, m.seen.cur = newSt.mtime, curSt.mtime
	if !m.watched() {
		m.seen.again = time.Now().Add(recheckAfter)
	}
}

// refresh brings memory in line with the disk: uidlist, keywords, directories.
func (u *update) refresh() error {
	reread, err := u.readList()
	if err != nil {
		return err
	}
	if err := u.readKeywords(); err != nil {
		return err
	}
	return u.scan(reread)
}

// sighting is a file that a scan saw and that is not as memory has it. Small: a first scan collects one per message.
type sighting struct {
	name  string
	in    recordState // inNew or 0
	again bool        // the scan saw this base name before
}

func (s sighting) base() string { return parseFileName(s.name).base }

// scan reads the directories and applies what is different. Without force only those whose mtime moved.
func (u *update) scan(force bool) error {
	m := u.m
	newSt, curSt, err := m.statDirs()
	if err != nil {
		return err
	}
	again := m.seen.again
	due := !again.IsZero() && !time.Now().Before(again)
	m.mu.Lock()
	force = force || m.hints.all
	m.hints.all = false
	m.mu.Unlock()
	if !force && !due && newSt.mtime == m.seen.new && curSt.mtime == m.seen.cur {
		u.known = true
		return nil
	}
	// Only new/ changed: nothing that is known to be in cur/ can have gone.
	partial := !force && !due && curSt.mtime == m.seen.cur && !m.hasMissing() && len(m.pending) == 0
	var absent []uint32 // missing in the last scan that was undisturbed
	for try := 0; ; try++ {
		sc := scanner{m: m, seen: make([]bool, len(m.recs.list))}
		if err := sc.read(m.new, inNew); err != nil {
			return err
		}
		if !partial {
			if err := sc.read(m.cur, 0); err != nil {
				return err
			}
		}
		if err := u.apply(&sc); err != nil {
			return err
		}
		newEnd, curEnd, err := m.statDirs()
		if err != nil {
			return err
		}
		unseen := append(sc.unseen(partial), sc.unseenLines()...)
		calm := newEnd.mtime == newSt.mtime && curEnd.mtime == curSt.mtime
		settled := calm && time.Now().UnixNano()-max(newSt.mtime, curSt.mtime) > int64(tick)
		if len(unseen) == 0 && !u.again {
			u.scanned(newSt, curSt, calm, nil)
			return nil
		}
		u.again = false
		if partial {
			// A file has left new/: cur/ tells where to.
			partial = false
			continue
		}
		if calm && absent != nil && slices.Equal(absent, unseen) && settled {
			u.scanned(newSt, curSt, true, nil)
			u.drop(unseen)
			return u.number(sc.added, false)
		}
		if try >= scanTries {
			u.scanned(newSt, curSt, false, unseen)
			return u.number(sc.added, true)
		}
		absent = nil
		if calm {
			absent = unseen
		}
		if !settled {
			select {
			case <-time.After(tick):
			case <-u.ctx.Done():
				u.scanned(newSt, curSt, false, unseen)
				return u.ctx.Err()
			}
		}
		newSt, curSt, err = m.statDirs()
		if err != nil {
			return err
		}
	}
}

// scanned remembers the state of the directories that a scan has seen, and the records it could not decide about.
func (u *update) scanned(newSt, curSt fileInfo, calm bool, undecided []uint32) {
	m := u.m
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, uid := range undecided {
		if r := m.recs.find(uid); r != nil {
			r.state |= missing
		}
	}
	m.seen = dirTimes{new: newSt.mtime, cur: curSt.mtime}
	u.known = calm && len(undecided) == 0
	young := time.Now().UnixNano()-max(newSt.mtime, curSt.mtime) < int64(time.Second)
	if !u.known {
		// Something moved while we looked: the times are not those of what we saw.
		m.seen.new, m.seen.cur = newSt.mtime-1, curSt.mtime-1
		m.hints.all = true
	} else if young && !m.watched() {
		m.seen.again = time.Now().Add(recheckAfter)
	}
}

func (m *Mailbox) hasMissing() bool {
	for i := range m.recs.list {
		if m.recs.list[i].state&missing != 0 {
			return true
		}
	}
	return false
}

// scanner compares directory entries with memory.
type scanner struct {
	m       *Mailbox
	seen    []bool // by index in m.recs.list
	changed []sighting
	added   []sighting
}

// read scans one directory.
func (sc *scanner) read(d *dir, in recordState) error {
	recs := sc.m.recs
	return d.readNames(func(name string, _ uint8) bool {
		if ignorable(name) {
			return true
		}
		r := recs.byBase(parseFileName(name).base)
		if r == nil {
			sc.added = append(sc.added, sighting{name: name, in: in})
			return true
		}
		i := recs.index(r.uid)
		if sc.seen[i] || r.state&(inNew|missing) != in || !recs.named(r, name) {
			sc.changed = append(sc.changed, sighting{name, in, sc.seen[i]})
		}
		sc.seen[i] = true
		return true
	})
}

// unseen lists the UIDs whose file did not show up.
func (sc *scanner) unseen(partial bool) (uids []uint32) {
	for i, seen := range sc.seen {
		r := &sc.m.recs.list[i]
		if !seen && (!partial || r.state&inNew != 0) {
			uids = append(uids, r.uid)
		}
	}
	return uids
}

// apply takes over what a scan found: new names, new flags, new messages.
func (u *update) apply(sc *scanner) error {
	m := u.m
	for _, s := range sc.changed {
		if !s.again {
			m.renamed(s)
			continue
		}
		r := m.recs.byBase(s.base())
		known, d := m.recs.name(r), m.dirOf(r)
		if known == s.name && d == m.dirFor(s.in) {
			continue
		}
		// Two names in one scan: the file system says which one is true by now.
		st, err := m.dirFor(s.in).stat(s.name)
		if err != nil {
			continue
		}
		old, err := d.stat(known)
		if err != nil {
			m.renamed(s)
		} else if err := u.duplicate(s, st, old); err != nil {
			return err
		}
	}
	return u.number(sc.added, false)
}

// renamed takes over the name and flags under which a scan saw a known file.
func (m *Mailbox) renamed(s sighting) {
	m.mu.Lock()
	defer m.mu.Unlock()
	fn := parseFileName(s.name)
	r := m.recs.byBase(fn.base)
	flags, letters := r.flags, r.letters
	m.recs.setName(r, s.name, fn, s.in)
	if r.flags != flags || r.letters != letters {
		m.touch(r)
	}
}

func (m *Mailbox) dirFor(in recordState) *dir {
	if in&inNew != 0 {
		return m.new
	}
	return m.cur
}

// touch gives a changed record its modseq. Called with mu held.
func (m *Mailbox) touch(r *record) {
	r.modseq = m.nextModSeq()
	m.changed.add(r.modseq, r.uid)
}

// duplicate deals with a second file of a known base name. Two links of one file are left alone: a delivery or copy by link()
// passes through that state. Two different files are two messages: the second gets a name of its own.
func (u *update) duplicate(s sighting, st, known fileInfo) error {
	if st.ino == known.ino && st.dev == known.dev {
		return nil
	}
	fn := parseFileName(s.name)
	fn.base = u.m.store.newBase()
	fresh := sighting{name: fn.String()}
	u.m.log.Warn("two different files have one base name: renaming one", "mailbox", u.m.box.path(), "file", s.name, "to", fresh.name)
	if err := u.m.dirFor(s.in).rename(s.name, u.m.cur, fresh.name); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	return u.number([]sighting{fresh}, true)
}

// listed is a line of the uidlist that is new to us, of a message whose file we have not seen.
type listed struct {
	uid   uint32
	extra string
}

// number takes new files over into memory: those that another program has numbered with its UID, the others with new UIDs, which are on
// disk before anybody hears of them.
//
// UIDs in memory only ascend, so nothing may overtake a line whose file has not been seen yet: what comes behind it waits for
// the next scan, unless there is none (final). Files that memory has already are left out.
func (u *update) number(added []sighting, final bool) error {
	m := u.m
	if len(added) == 0 {
		return nil
	}
	type numbered struct {
		sighting
		listed
	}
	var theirs []numbered
	var ours []sighting
	slices.SortFunc(added, func(a, b sighting) int { return compareNew(a.base(), b.base()) })
	for i, s := range added {
		base := s.base()
		if i > 0 && added[i-1].base() == base {
			u.again = true // renamed while we looked, or a duplicate: another scan, which knows the first, finds out
			continue
		}
		if l, ok := m.pending[base]; ok {
			theirs = append(theirs, numbered{s, l})
		} else if m.recs.byBase(base) == nil {
			ours = append(ours, s)
		}
	}
	slices.SortFunc(theirs, func(a, b numbered) int { return cmp.Compare(a.uid, b.uid) })
	if !final && len(theirs) < len(m.pending) {
		ours = nil
		for i, uid := range m.pendingUIDs() {
			if i >= len(theirs) || theirs[i].uid != uid {
				theirs = theirs[:i]
				break
			}
		}
	}
	// A line found below a UID that is in use already cannot be taken over.
	last := m.lastUID()
	for len(theirs) > 0 && theirs[0].uid <= last {
		ours = append(ours, theirs[0].sighting)
		theirs = theirs[1:]
	}
	if int64(m.hdr.Next)+int64(len(ours)) > maxUID {
		return ErrLimit
	}
	first := m.hdr.Next
	var lines []byte
	for i, s := range ours {
		lines = appendUIDLine(lines, first+uint32(i), nil, []byte(s.base()))
	}
	if err := u.appendList(lines, first+uint32(len(ours))-1); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range theirs {
		m.addRecord(t.uid, t.sighting, t.extra)
	}
	for i, s := range ours {
		m.addRecord(first+uint32(i), s, "")
	}
	return nil
}

// lastUID is the highest UID in memory.
func (m *Mailbox) lastUID() uint32 {
	if n := len(m.recs.uids); n > 0 {
		return m.recs.uids[n-1]
	}
	return 0
}

// addRecord adds a numbered file to memory. Called with mu held.
func (m *Mailbox) addRecord(uid uint32, s sighting, extra string) *record {
	fn := parseFileName(s.name)
	delete(m.pending, fn.base)
	delete(m.dead, fn.base)
	r := m.recs.add(newRecord(uid, fn.base), fn.base, extra)
	m.recs.setName(r, s.name, fn, s.in)
	m.keywords.restore(m.recs, r)
	m.hdr.Next = max(m.hdr.Next, uid+1)
	m.touch(r)
	return r
}

// drop forgets messages whose files are gone, and lines that never had one.
func (u *update) drop(uids []uint32) {
	m := u.m
	gone := make(map[uint32]bool, len(uids))
	for _, uid := range uids {
		gone[uid] = true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for base, l := range m.pending {
		if gone[l.uid] {
			m.dead[base] = l.uid
			delete(m.pending, base)
		}
	}
	m.forget(uids)
}

// unseenLines lists the UIDs of lines whose file did not show up either, ascending.
func (sc *scanner) unseenLines() (uids []uint32) {
	if len(sc.m.pending) == 0 {
		return nil
	}
	seen := make(map[string]bool, len(sc.added))
	for _, s := range sc.added {
		seen[s.base()] = true
	}
	for base, l := range sc.m.pending {
		if !seen[base] {
			uids = append(uids, l.uid)
		}
	}
	slices.Sort(uids)
	return uids
}

// pendingUIDs lists the UIDs of all lines whose file is not in memory yet, ascending.
func (m *Mailbox) pendingUIDs() (uids []uint32) {
	for _, l := range m.pending {
		uids = append(uids, l.uid)
	}
	slices.Sort(uids)
	return uids
}

// forget removes records and remembers their expunge. Called with mu held.
func (m *Mailbox) forget(uids []uint32) {
	if len(uids) == 0 {
		return
	}
	at := m.nextModSeq()
	for _, uid := range uids {
		if r := m.recs.find(uid); r != nil {
			m.dead[string(m.recs.baseOf(r))] = uid
			m.expunged.add(at, uid)
		}
	}
	m.recs.remove(uids)
}
