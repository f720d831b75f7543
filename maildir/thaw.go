package maildir

import (
	"context"
	"slices"
)

// A mailbox that is as its snapshot says is opened frozen: of its records only the UIDs and some sums are in memory, which is all that SELECT and
// many a session ever ask for. The rest is read when it is needed: lockAll is for who has no lock, and who holds dovecot-uidlist.lock has it all.
//
// Should the rest turn out to be damaged, then the uidlist and the directories say it: the mailbox is blind from when its records are rebuilt from the
// uidlist until a scan has found the files.

// lockAll is mu.Lock with all of the records in memory. Not for who holds write and has not refreshed.
func (m *Mailbox) lockAll() {
	m.mu.Lock()
	for m.frozen != nil {
		m.mu.Unlock()
		m.thaw()
		m.mu.Lock()
	}
	m.open()
}

// lockSums is mu.Lock for who asks for UIDs and counters.
func (m *Mailbox) lockSums() {
	m.mu.Lock()
	m.open()
}

// open lets a blind mailbox see. Called with mu held, which is given away meanwhile.
func (m *Mailbox) open() {
	for m.blind && m.err == nil {
		m.mu.Unlock()
		err := m.rescan(context.Background())
		if err != nil {
			m.giveIn(err)
		}
		m.mu.Lock()
	}
}

// giveIn ends a mailbox of which neither the state directory nor the Maildir says what is in it.
func (m *Mailbox) giveIn(cause error) {
	m.log.Error("giving a mailbox up: its snapshot is damaged and the Maildir cannot be read", "mailbox", m.box.path(), "cause", cause)
	m.gone(ErrGone)
}

// thaw reads the records if they have not been. After an error there are none.
func (m *Mailbox) thaw() error {
	m.thawing.Lock()
	defer m.thawing.Unlock()
	m.mu.Lock()
	snap := m.frozen
	m.mu.Unlock()
	if snap == nil {
		return nil
	}
	damage := snap.readAll()
	if damage != nil {
		recs, err := m.listed(snap.recs.uids)
		if err != nil {
			m.giveIn(err)
			m.mu.Lock()
			defer m.mu.Unlock()
			m.frozen, m.recs = nil, newRecords()
			return m.err
		}
		m.log.Warn("dropping the snapshot, the Maildir is read instead", "mailbox", m.box.path(), "cause", damage)
		snap.recs, snap.dead = recs, map[string]uint32{}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.frozen = nil
	m.recs, m.dead, m.expunged = snap.recs, snap.dead, snap.expunged
	if damage != nil {
		m.blind, m.hints.all = true, true
		at := m.nextModSeq()
		for i := range m.recs.list {
			m.recs.list[i].modseq = at
		}
		m.changed.forget(at)
		m.expunged.forget(at)
		m.wake()
	}
	return nil
}

// listed makes records of the lines that the uidlist has for uids. Their files are still to be found.
func (m *Mailbox) listed(uids []uint32) (*records, error) {
	recs := newRecords()
	_, _, err := readUIDList(m.box, uidlistPos{}, func(bool) {}, func(uid uint32, base, extra []byte) error {
		if _, known := slices.BinarySearch(uids, uid); known && recs.byBase(string(base)) == nil {
			r := newRecord(uid, string(base))
			r.state = missing
			recs.add(r, string(base), string(extra))
		}
		return nil
	})
	return recs, err
}

// forgetFrozen closes the snapshot of a mailbox that nobody uses any more.
func (m *Mailbox) forgetFrozen() {
	m.thawing.Lock()
	defer m.thawing.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.frozen != nil {
		m.frozen.close()
		m.frozen, m.recs = nil, newRecords()
	}
}
