package maildir

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync/atomic"
)

// SetFlags changes flags of the uids (ascending) that exist. changed holds the records of all of them as they are afterwards; modified
// holds the UIDs left alone because of UnchangedSince. After an error some may have been changed; with ErrFull, all for which there was room: on
// a full disk there may be some for one file name and not for another.
func (m *Mailbox) SetFlags(ctx context.Context, uids []uint32, ch FlagChange) (changed []Record, modified []uint32, err error) {
	var full error
	err = m.inTurns(ctx, uids, func(u *update, uids []uint32) (int, error) {
		set, err := u.keywordSet(ch.Keywords, ch.Op != Remove && m.anyTakes(uids, &ch))
		if err != nil {
			return 0, err
		}
		saved := !m.keywords.unsaved
		results := make([]flagging, len(uids))
		n, err := u.turn(uids, func(i int, uid uint32) (err error) {
			results[i], err = u.setFlags(uid, &ch, set)
			return err
		})
		if err != nil {
			return n, err
		}
		var done []uint32
		var were []moreKeywords // of those whose keywords changed that are not in the names
		for i, uid := range uids[:n] {
			for try := 0; results[i].outcome == flagsLost && try <= findTries; try++ {
				if try > 0 { // the scan for one shows where the others are
					err = u.scan(true)
				}
				if err == nil {
					results[i], err = u.setFlags(uid, &ch, set)
				}
				if err != nil {
					return n, err
				}
			}
			switch r := &results[i]; r.outcome {
			case flagsRefused:
				modified = append(modified, uid)
			case flagsFull:
				full = cmp.Or(full, r.full)
			case flagsSet:
				done = append(done, uid)
				if r.more {
					were = append(were, moreKeywords{uid, r.was})
				}
			}
		}
		err = u.flushMore()
		if err != nil && len(were) > 0 {
			m.takeBack(were, saved)
		} else {
			err = u.postpone(err)
		}
		changed = m.Records(done, changed)
		return n, err
	})
	return changed, modified, cmp.Or(err, full)
}

// moreKeywords are the keywords of a message beyond the letters.
type moreKeywords struct {
	uid   uint32
	slots []uint16
}

// takeBack restores keywords that could not be written, so that nobody is shown what the next start does not know. saved tells that the file had all before.
func (m *Mailbox) takeBack(were []moreKeywords, saved bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, w := range were {
		if r := m.recs.find(w.uid); r != nil {
			m.setMore(r, w.slots)
			m.touch(r)
		}
	}
	m.keywords.unsaved = !saved
}

// apply computes flags and keywords after the change.
func (ch *FlagChange) apply(flags Flags, kw, set Keywords) (Flags, Keywords) {
	switch ch.Op {
	case Add:
		return flags | ch.Flags, kw.union(set)
	case Remove:
		return flags &^ ch.Flags, kw.minus(set)
	default:
		return ch.Flags, set
	}
}

// takes tells whether the change is made to the record, as far as UnchangedSince is concerned.
func (ch *FlagChange) takes(r *record) bool {
	return ch.UnchangedSince == nil || r.modseq <= *ch.UnchangedSince
}

// anyTakes tells whether the change is made to any of the messages.
func (m *Mailbox) anyTakes(uids []uint32, ch *FlagChange) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.ContainsFunc(uids, func(uid uint32) bool {
		r := m.recs.find(uid)
		return r != nil && ch.takes(r)
	})
}

func (m *Mailbox) keywordsOf(r *record) Keywords {
	k := Keywords{Letters: r.letters}
	if r.state&hasMore != 0 {
		k.More = m.recs.more[r.uid]
	}
	return k
}

// flagging is what became of the flags of one message.
type flagging struct {
	outcome flagOutcome
	more    bool     // the keywords beyond the letters changed
	was     []uint16 // what they were then
	full    error    // why there is no room, with flagsFull
}

type flagOutcome uint8

const (
	flagsGone    flagOutcome = iota // there is no such message
	flagsLost                       // its file is not where it was: another program renamed or removed it
	flagsRefused                    // changed since UnchangedSince
	flagsFull                       // the directory cannot take the new name
	flagsSet
)

// setFlags renames a message so that its name says what ch, with the keywords of set, makes of its flags. Other goroutines may do the same to others.
func (u *update) setFlags(uid uint32, ch *FlagChange, set Keywords) (flagging, error) {
	m := u.m
	m.mu.Lock()
	r := m.recs.find(uid)
	if r == nil {
		m.mu.Unlock()
		return flagging{outcome: flagsGone}, nil
	}
	if !ch.takes(r) {
		m.mu.Unlock()
		return flagging{outcome: flagsRefused}, nil
	}
	before := m.keywordsOf(r)
	flags, kw := ch.apply(r.flags, before, set)
	if flags == r.flags && kw.equal(before) {
		m.mu.Unlock()
		return flagging{outcome: flagsSet}, nil
	}
	from, old := m.dirOf(r), m.recs.name(r)
	renamed := flags != r.flags || kw.Letters != r.letters
	m.mu.Unlock()
	fn := parseFileName(old) // keeps what others put there
	fn.flags, fn.letters = flags, kw.Letters
	name := fn.String()
	if renamed {
		switch err := from.rename(old, m.cur, name); {
		case errors.Is(err, fs.ErrNotExist):
			return flagging{outcome: flagsLost}, nil
		case errors.Is(err, ErrFull):
			return flagging{outcome: flagsFull, full: err}, nil
		case err != nil:
			return flagging{}, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if renamed {
		m.recs.setName(r, name, fn, 0)
	}
	m.setMore(r, kw.More)
	m.touch(r)
	return flagging{outcome: flagsSet, more: !slices.Equal(kw.More, before.More), was: before.More}, nil
}

// Expunge removes these messages whatever their flags, and returns those it removed. After an error some may have been removed.
func (m *Mailbox) Expunge(ctx context.Context, uids []uint32) (gone []uint32, err error) {
	return m.expunge(ctx, uids, false)
}

// expunge is Expunge, or with durable one that survives a loss of power.
func (m *Mailbox) expunge(ctx context.Context, uids []uint32, durable bool) (gone []uint32, err error) {
	used := map[*dir]bool{}
	err = m.inTurns(ctx, uids, func(u *update, uids []uint32) (int, error) {
		from := make([]*dir, len(uids)) // where each file was that is removed
		var lost atomic.Bool
		n, err := u.turn(uids, func(i int, uid uint32) (err error) {
			from[i], err = u.tryUnlink(uid)
			if errors.Is(err, fs.ErrNotExist) {
				lost.Store(true)
				return nil
			}
			return err
		})
		if err == nil && lost.Load() {
			for i, uid := range uids[:n] {
				if from[i] == nil && err == nil {
					from[i], err = u.unlink(uid)
				}
			}
		}
		var done []uint32
		for i, uid := range uids[:n] {
			if from[i] != nil {
				done = append(done, uid)
				used[from[i]] = true
			}
		}
		m.mu.Lock()
		freed, known := m.sumOf(done)
		m.forget(done)
		m.mu.Unlock()
		gone = append(gone, done...)
		m.store.logFreed(freed, known)
		return n, err
	})
	if err == nil && durable {
		for d := range used {
			err = errors.Join(err, d.sync())
		}
	}
	if err == nil {
		err = m.update(ctx, func(u *update) error { return u.postpone(errors.Join(u.flushMore(), u.compactList())) })
	}
	return gone, err
}

// postpone forgives that there is no room for what can as well be written later: what is left out of a file of ours is in memory, and lines of messages
// that are gone do no harm. Otherwise nobody could make room.
func (u *update) postpone(err error) error {
	if errors.Is(err, ErrFull) {
		u.m.log.Warn("no room to tidy up; later", "mailbox", u.m.box.path(), "cause", err)
		return nil
	}
	return err
}

// tryUnlink removes the file of a message if it is where memory has it, and returns the directory; nil when there is no such message. Other
// goroutines may remove others.
func (u *update) tryUnlink(uid uint32) (from *dir, err error) {
	m := u.m
	m.mu.Lock()
	r := m.recs.find(uid)
	if r == nil {
		m.mu.Unlock()
		return nil, nil
	}
	from, name := m.dirOf(r), m.recs.name(r)
	m.mu.Unlock()
	if err := from.unlink(name); err != nil {
		return nil, err
	}
	return from, nil
}

// unlink removes the file of a message and returns the directory it was in; nil when there is no such message any more. A file that several scans
// did not show is as good as removed, even if other programs rename so much that nobody can be sure: should it turn up again, it is a new message.
func (u *update) unlink(uid uint32) (from *dir, err error) {
	m := u.m
	for range findTries {
		if from, err = u.tryUnlink(uid); !errors.Is(err, fs.ErrNotExist) {
			return from, err
		}
		if err := u.scan(true); err != nil {
			return nil, err
		}
	}
	r := m.recs.find(uid)
	if r != nil && r.state&missing == 0 {
		return nil, fmt.Errorf("%w: it renames %s again and again", ErrLocked, m.recs.name(r))
	}
	if r == nil {
		return nil, nil
	}
	return m.dirOf(r), nil
}

// ClaimRecent is for SELECT: it returns the first UID that is \Recent for the caller and moves new/ to cur/, so that the next
// session sees none; on a full disk they stay, because what room there is for names in cur/ is needed to mark messages for
// deletion. FirstRecent is for EXAMINE: the same answer without claiming.
func (m *Mailbox) ClaimRecent(ctx context.Context) (uint32, error) {
	m.mu.Lock()
	if m.frozen != nil && m.frozen.inNew > 0 {
		m.mu.Unlock()
		m.lockAll()
	}
	first := m.recent
	if m.recent != m.hdr.Next {
		m.recent = m.hdr.Next
		m.unsaved = true
	}
	var uids []uint32
	for i := range m.recs.list {
		if r := &m.recs.list[i]; r.state&inNew != 0 {
			uids = append(uids, r.uid)
		}
	}
	m.mu.Unlock()
	if len(uids) > 0 && m.cur.crowded() {
		return first, nil
	}
	return first, m.inTurns(ctx, uids, func(u *update, uids []uint32) (int, error) {
		return u.turn(uids, func(_ int, uid uint32) error { return u.claim(uid) })
	})
}

// claim moves a message from new/ to cur/, if it is there. Other goroutines may move others.
func (u *update) claim(uid uint32) error {
	m := u.m
	m.mu.Lock()
	r := m.recs.find(uid)
	if r == nil || r.state&inNew == 0 {
		m.mu.Unlock()
		return nil
	}
	old := m.recs.name(r)
	m.mu.Unlock()
	fn := parseFileName(old)
	name := fn.String()
	if err := m.new.rename(old, m.cur, name); errors.Is(err, fs.ErrNotExist) {
		return nil // another program was faster; the next Sync sees where it went
	} else if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.recs.setName(r, name, fn, 0)
	return nil
}
