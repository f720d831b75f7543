package maildir

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"
)

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

// touch gives a changed record its modseq. Called with mu held.
func (m *Mailbox) touch(r *record) {
	r.modseq = m.nextModSeq()
	if m.ready { // nobody can ask for what was before
		m.changed.add(r.modseq, r.uid)
	}
}

// duplicate deals with a second file of a known base name. Two links of one file are left alone: a delivery or copy by link()
// passes through that state. Two different files are two messages: the second gets a name of its own.
func (u *update) duplicate(s sighting, st, known fileInfo) error {
	if st.ino == known.ino && st.dev == known.dev || u.denied != nil {
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
		index int32 // in added
		listed
	}
	var theirs []numbered
	ours := make([]int32, 0, len(added)) // in added
	before := ""
	for i, at := range numberOrder(added) {
		base := added[at.index].base()
		if i > 0 && base == before {
			u.again = true // renamed while we looked, or a duplicate: another scan, which knows the first, finds out
			continue
		}
		before = base
		if l, ok := m.pending[base]; ok {
			theirs = append(theirs, numbered{at.index, l})
		} else if m.recs.byBase(base) == nil {
			ours = append(ours, at.index)
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
		ours = append(ours, theirs[0].index)
		theirs = theirs[1:]
	}
	if int64(m.hdr.Next)+int64(len(ours)) > maxUID {
		return ErrLimit
	}
	first := m.hdr.Next
	write := func() error {
		room := 0
		for _, i := range ours {
			room += len(added[i].name) + len("4294967295 :\n")
		}
		lines := make([]byte, 0, room)
		for i, at := range ours {
			lines = appendUIDLine(lines, first+uint32(i), nil, []byte(added[at].base()))
		}
		return u.appendList(lines, first+uint32(len(ours))-1)
	}
	remember := func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.recs.reserve(len(theirs) + len(ours))
		for _, t := range theirs {
			m.addRecord(t.uid, added[t.index], t.extra)
		}
		for i, at := range ours {
			m.addRecord(first+uint32(i), added[at], "")
		}
		return nil
	}
	// Nobody sees what is read before load is done, so of a mailbox that nobody ever read memory is filled while the disk writes.
	atOnce := !m.ready && len(m.recs.list)+len(theirs)+len(m.pending)+len(m.dead) == 0 && len(ours) >= manyFiles
	var err error
	if atOnce {
		err = sideBySide(write, remember)
	} else {
		err = write()
	}
	if err != nil && atOnce {
		m.mu.Lock()
		m.recs, m.hdr.Next = newRecords(), first
		m.mu.Unlock()
	}
	if errors.Is(err, ErrFull) || u.denied != nil && err != nil && m.ready {
		// They stay unknown, and everything else goes on: on a full disk messages have to be removed.
		m.log.Warn("new messages cannot be numbered; later", "mailbox", m.box.path(), "messages", len(ours), "cause", err)
		ours, u.later = nil, true
	} else if err != nil {
		return err
	}
	if atOnce {
		return nil
	}
	return remember()
}

// keyed is where a new file is in a list. Small and without pointers, because sorting moves it about.
type keyed struct {
	sec, usec int64
	index     int32
}

// manyNames is from how many on a second goroutine sorts half of them.
const manyNames = 4096

// numberOrder is the order in which new files get their UIDs.
func numberOrder(added []sighting) []keyed {
	order := make([]keyed, len(added))
	compare := func(a, b keyed) int {
		if a.sec != b.sec || a.usec != b.usec && a.usec >= 0 && b.usec >= 0 {
			return cmp.Or(cmp.Compare(a.sec, b.sec), cmp.Compare(a.usec, b.usec))
		}
		left, right := newNumberKey(added[a.index].base()), newNumberKey(added[b.index].base())
		return left.compare(&right)
	}
	sorted := func(from, to int) func() error {
		return func() error {
			for i := from; i < to; i++ {
				k := newNumberKey(added[i].base())
				order[i] = keyed{k.sec, k.usec, int32(i)}
			}
			slices.SortFunc(order[from:to], compare)
			return nil
		}
	}
	if len(added) < manyNames {
		sorted(0, len(added))()
		return order
	}
	mid := len(added) / 2
	sideBySide(sorted(0, mid), sorted(mid, len(added)))
	a, b, merged := order[:mid], order[mid:], make([]keyed, 0, len(order))
	for len(a) > 0 && len(b) > 0 {
		if compare(a[0], b[0]) <= 0 {
			merged, a = append(merged, a[0]), a[1:]
		} else {
			merged, b = append(merged, b[0]), b[1:]
		}
	}
	return append(append(merged, a...), b...)
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
	m.accountLocked(m.unlend(uids))
}
