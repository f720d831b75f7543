package maildir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// load opens the directories and fills memory from snapshot, uidlist and directories.
func (m *Mailbox) load() error {
	for _, sub := range []struct {
		d    **dir
		id   *inode
		name string
	}{{&m.cur, &m.curID, "cur"}, {&m.new, &m.newID, "new"}, {&m.tmp, new(inode), "tmp"}} {
		d, err := m.box.sub(sub.name)
		if errors.Is(err, fs.ErrNotExist) {
			if err = m.makeDir(sub.name); err == nil {
				d, err = m.box.sub(sub.name)
			}
		}
		if absent(err) {
			if _, said := m.store.unopened.Swap(m.storage, true); !said {
				m.log.Warn("a mailbox cannot be opened", "mailbox", m.box.path(), "cause", sub.name+" is not a directory")
			}
			return fmt.Errorf("%w: its %s is not a directory", ErrCannot, sub.name)
		} else if err != nil {
			return err
		}
		*sub.d = d
		fi, err := d.statSelf()
		if err != nil {
			return err
		}
		*sub.id = inode{fi.dev, fi.ino}
	}
	m.store.unopened.Delete(m.storage)
	m.saved = time.Now()
	m.readOnly.Store(!m.box.writable())
	m.cleanTmp()
	var snap *snapshot
	died := false
	if m.store.opt.State == "" {
		m.cache = &metaCache{log: m.log}
	} else {
		state := boxState(m.store.opt.State, m.storage)
		if err := os.MkdirAll(state, 0o700); err != nil {
			m.log.Warn("the state directory cannot be used", "cause", err)
		}
		died = markOpen(state)
		snap = m.loadSnapshot(state)
		m.cache = openCache(filepath.Join(state, "meta"), m.log)
	}
	m.watching = hub.add(m) // before the scan, so that nothing falls between
	same := snap != nil && snap.settled && !exhausted(snap.hdr.Next) && m.matches(snap)
	if same && !died && m.suffices(snap) {
		m.adopt(snap)
		m.frozen = snap
		m.cache.n = snap.cacheN
	} else {
		if snap != nil {
			if err := snap.readAll(); err != nil {
				m.log.Warn("dropping the snapshot, it will be rebuilt", "mailbox", m.box.path(), "cause", err)
				snap, same = nil, false
			}
		}
		if err := m.fill(snap, same, m.notOurs(snap)); err != nil {
			return err
		}
		m.attachCache(snap)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.changed.forget(m.now)
	if m.frozen == nil {
		m.recall(snap, died)
	}
	m.ready = true
	m.accountLocked(amount{})
	return nil
}

func (m *Mailbox) makeDir(name string) error {
	p, err := m.box.perm()
	if err != nil {
		return err
	}
	if err := m.box.mkdirAs(name, p); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// suffices tells whether nothing but a snapshot of the mailbox as it is says anything of its records: no keywords beyond the letters, no message
// cache with other entries.
func (m *Mailbox) suffices(snap *snapshot) bool {
	plain, err := m.sameFile(moreKeywordsName, fileInfo{})
	c := m.cache
	return err == nil && plain && snap.more == 0 && c.gen == snap.cacheGen && c.end == snap.cacheEnd && !c.wasteful(snap.cacheN, int(snap.cached)) &&
		(&update{m: m}).readKeywords() == nil
}

// adopt takes over what a snapshot of the mailbox as it is says.
func (m *Mailbox) adopt(snap *snapshot) {
	m.hdr, m.list, m.seen, m.recs = snap.hdr, snap.list, snap.seen, snap.recs
	m.now, m.recent = snap.now, snap.recent
}

// notOurs returns the GUID that the uidlist says if it is another mailbox's, of which this one is a copy.
func (m *Mailbox) notOurs(snap *snapshot) (guid string) {
	hdr := readUIDListHeader(m.box)
	if hdr.GUID == "" || snap != nil && (snap.hdr.GUID == hdr.GUID || snap.hdr.Validity == hdr.Validity) || !m.box.writable() {
		return ""
	}
	of := m.store.original(m, hdr.GUID)
	if of == "" {
		return ""
	}
	m.log.Warn("a mailbox is a copy of another and gets an identity of its own", "mailbox", m.box.path(), "original", storagePath(of))
	return hdr.GUID
}

// fill brings the records into memory: from the snapshot alone when nothing moved since it was taken (same). notOurs is a GUID that the
// uidlist may not have.
func (m *Mailbox) fill(snap *snapshot, same bool, notOurs string) error {
	if same {
		m.adopt(snap)
		m.dead = snap.dead
		err := (&update{m: m}).readKeywords()
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, uid := range snap.hadMore {
			if r := m.recs.find(uid); r.state&hasMore == 0 {
				m.touch(r)
			}
		}
		return err
	}
	m.unsaved = true
	m.now = max(ModSeq(time.Now().UnixMicro()), 1)
	if snap != nil {
		m.now = max(m.now, snap.now+1)
	}
	return m.withLocks(context.Background(), func(u *update) error {
		if err := u.loadList(snap, notOurs); err != nil {
			return err
		}
		if err := u.readKeywords(); err != nil {
			return err
		}
		m.mu.Lock()
		for i := range m.recs.list {
			m.keywords.restore(m.recs, &m.recs.list[i])
		}
		m.mu.Unlock()
		if err := u.scan(true); err != nil {
			return err
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		m.overlay(snap)
		return nil
	})
}

// matches tells whether uidlist and directories are still those of the snapshot.
func (m *Mailbox) matches(snap *snapshot) bool {
	st, err := m.box.stat(uidlistName)
	if err != nil || st.ino != snap.list.ino || st.dev != snap.list.dev || st.size != snap.list.size || st.ctime != snap.list.ctime {
		return false
	}
	newSt, curSt, err := m.statDirs()
	return err == nil && newSt.ino == snap.newIno && curSt.ino == snap.curIno &&
		newSt.mtime == snap.seen.new && curSt.mtime == snap.seen.cur
}

// loadList reads the whole uidlist into empty memory. Every line becomes a record marked missing; the scan that follows finds the
// files, and the records that it does not find are dropped.
func (u *update) loadList(snap *snapshot, notOurs string) error {
	m := u.m
	var doubled []uint32
	hdr, pos, err := readUIDList(m.box, uidlistPos{}, func(bool) {}, func(uid uint32, base, extra []byte) error {
		for r := m.recs.byBase(string(base)); r != nil; r = m.recs.byBase(string(base)) {
			// The last line of a name is the one that counts: it reappeared, and was numbered again. Those before are found here once more after
			// each rehash, until they are removed.
			doubled = append(doubled, r.uid)
			m.recs.forget(r.uid, string(base))
		}
		r := newRecord(uid, string(base))
		r.state, r.modseq = missing, m.now
		m.recs.add(r, string(base), string(extra))
		return nil
	})
	absent := errors.Is(err, fs.ErrNotExist)
	damaged := errors.Is(err, errDamaged)
	if err != nil && !absent && !damaged {
		return err
	}
	renamed := false
	if hdr.GUID != "" && hdr.GUID == notOurs {
		hdr.GUID = ""
	} else if snap != nil && hdr.Validity != 0 && hdr.Validity == snap.hdr.Validity && hdr.GUID != "" && snap.hdr.GUID != "" && hdr.GUID != snap.hdr.GUID {
		// Clients know the mailbox of this name and UIDVALIDITY by another GUID (RFC 8474 §4): a copy that was looked at has taken its place, as when
		// it is restored. So it is this mailbox again, and all that is remembered of it counts.
		hdr.GUID, renamed = snap.hdr.GUID, true
	}
	if damaged {
		m.log.Warn("repairing dovecot-uidlist", "mailbox", m.box.path(), "cause", err)
	}
	m.mu.Lock()
	slices.Sort(doubled)
	m.recs.remove(slices.Compact(doubled))
	known := snap != nil && (hdr.Validity == 0 || snap.hdr.Validity == hdr.Validity && snap.hdr.GUID == hdr.GUID)
	if exhausted(hdr.Next) || known && exhausted(snap.hdr.Next) {
		// Messages get new UIDs, with another UIDVALIDITY (RFC 9051 §2.3.1.1): otherwise no mail could come any more.
		m.log.Warn("no UIDs are left: all messages are numbered anew", "mailbox", m.box.path())
		m.recs, hdr, snap, absent = newRecords(), uidlistHeader{}, nil, true
	}
	if snap != nil && hdr.Validity == 0 {
		// The snapshot remembers what the uidlist no longer says.
		hdr.Validity, hdr.GUID, hdr.Extra = snap.hdr.Validity, snap.hdr.GUID, snap.hdr.Extra
		if absent || len(m.recs.list) == 0 {
			m.recs, hdr.Next = snap.recs, snap.hdr.Next
			m.recs.nameAll()
			for i := range m.recs.list {
				m.recs.list[i].state |= missing
			}
		}
	}
	rewrite := renamed || absent || damaged || hdr.V1 || hdr.GUID == "" || hdr.Validity == 0
	if snap != nil && snap.hdr.Validity == hdr.Validity && snap.hdr.GUID == hdr.GUID {
		if hdr.Next < snap.hdr.Next {
			// An older uidlist was restored. What it lists is what the user wants back, but new UIDs start where they ended.
			hdr.Next = snap.hdr.Next
			rewrite = true
		} else {
			m.retire(snap)
		}
	}
	m.setHeader(hdr)
	m.list = pos
	m.mu.Unlock()
	if u.denied != nil && !absent && !damaged && hdr.GUID != "" && hdr.Validity != 0 {
		return nil // it says all
	}
	if rewrite {
		return u.rewriteList()
	}
	return nil
}

// retire drops the lines of messages that clients were told are gone: a file of that name that turns up gets a new UID. Called with
// mu held.
func (m *Mailbox) retire(snap *snapshot) {
	var told []uint32
	for i := range m.recs.list {
		r := &m.recs.list[i]
		if r.uid < snap.hdr.Next && snap.recs.find(r.uid) == nil {
			told = append(told, r.uid)
			m.dead[string(m.recs.baseOf(r))] = r.uid
		}
	}
	m.recs.remove(told)
}

// overlay gives records what the snapshot knows of them, unless they changed meanwhile. Called with mu held.
func (m *Mailbox) overlay(snap *snapshot) {
	m.recent = m.hdr.Next
	for i := range m.recs.list {
		if r := &m.recs.list[i]; r.state&inNew != 0 {
			m.recent = r.uid
			break
		}
	}
	if snap == nil || snap.hdr.Validity != m.hdr.Validity || snap.hdr.GUID != m.hdr.GUID {
		return
	}
	m.recent = snap.recent
	if snap.recs == m.recs {
		return
	}
	for i := range m.recs.list {
		r := &m.recs.list[i]
		s := snap.recs.find(r.uid)
		if s == nil || string(snap.recs.baseOf(s)) != string(m.recs.baseOf(r)) {
			continue
		}
		m.recs.setSize(r, s.size)
		r.wire, r.time, r.meta = s.wire, s.time, s.meta
		_, had := slices.BinarySearch(snap.hadMore, r.uid)
		if r.flags == s.flags && r.letters == s.letters && !had && r.state&hasMore == 0 { // what roost-keywords said then is not known
			r.modseq = s.modseq
		}
	}
}

// recall takes over what the snapshot knows of expunges, and adds those that nobody noticed meanwhile. If a process died that had the mailbox
// open, clients may know more than the snapshot: then everything counts as changed. Called with mu held.
func (m *Mailbox) recall(snap *snapshot, died bool) {
	if snap == nil || snap.hdr.Validity != m.hdr.Validity || snap.hdr.GUID != m.hdr.GUID {
		m.expunged.forget(m.now)
		return
	}
	if died {
		at := m.nextModSeq()
		for i := range m.recs.list {
			m.recs.list[i].modseq = at
		}
		m.changed.forget(at)
		m.expunged.forget(at)
		return
	}
	missed := m.expunged.list // found while loading
	m.expunged = snap.expunged
	for _, e := range missed {
		m.expunged.add(m.now, e.uid)
	}
	if m.recs == snap.recs {
		return
	}
	for i := range snap.recs.list {
		if uid := snap.recs.list[i].uid; m.recs.find(uid) == nil {
			m.expunged.add(m.now, uid)
		}
	}
}

// attachCache connects records with their cache entries.
func (m *Mailbox) attachCache(snap *snapshot) {
	from := int64(0)
	if snap != nil && snap.cacheGen == m.cache.gen && snap.cacheEnd <= m.cache.end {
		from = snap.cacheEnd
		m.cache.n = snap.cacheN
	} else {
		for i := range m.recs.list {
			m.recs.list[i].meta = 0
		}
	}
	m.cache.recover(from, func(at, uid, sum uint32) {
		if r := m.recs.find(uid); r != nil && baseSum(m.recs.baseOf(r)) == sum {
			r.meta = at
		}
	})
	live := 0
	for i := range m.recs.list {
		if m.recs.list[i].meta != 0 {
			live++
		}
	}
	if !m.cache.wasteful(m.cache.n, live) {
		return
	}
	fresh, err := m.cache.compact(filepath.Join(boxState(m.store.opt.State, m.storage), "meta"), func(yield func(at, uid, sum uint32)) {
		for i := range m.recs.list {
			if r := &m.recs.list[i]; r.meta != 0 {
				yield(r.meta, r.uid, baseSum(m.recs.baseOf(r)))
			}
		}
	}, func(uid, at uint32) { m.recs.find(uid).meta = at })
	if err != nil {
		m.log.Warn("cannot compact the message cache", "mailbox", m.box.path(), "cause", err)
		for i := range m.recs.list {
			m.recs.list[i].meta = 0
		}
		return
	}
	m.cache.close()
	m.cache = fresh
	m.unsaved = true
}

// tmpAge is when a file in tmp/ belongs to nobody any more (qmail's rule, as Dovecot has it).
const tmpAge = 36 * time.Hour

// cleanTmp removes what crashed deliveries left.
func (m *Mailbox) cleanTmp() {
	old := time.Now().Add(-tmpAge).UnixNano()
	var names []string
	m.tmp.readNames(func(name string, _ uint8) bool {
		if st, err := m.tmp.stat(name); err == nil && st.isRegular() && st.ctime < old {
			names = append(names, name)
		}
		return true
	})
	for _, name := range names {
		m.tmp.unlink(name)
	}
}
