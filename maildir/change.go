package maildir

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"time"
)

// turnTime is for how long dovecot-uidlist.lock is held while many files are renamed or unlinked, so that Dovecot beside us waits for milliseconds.
// Not shorter: making the lock file costs as much as some ten renames, and on ext4 more than that where many files were just removed.
const turnTime = 10 * time.Millisecond

// inTurns runs fn with the locks held until it has taken all uids, with turn.
func (m *Mailbox) inTurns(ctx context.Context, uids []uint32, fn func(u *update, uids *[]uint32) error) error {
	for len(uids) > 0 {
		if err := m.update(ctx, func(u *update) error { return fn(u, &uids) }); err != nil {
			return err
		}
	}
	return nil
}

// turn takes UIDs off the list until others should have the lock.
func (u *update) turn(uids *[]uint32) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		begin := time.Now()
		for n := 1; len(*uids) > 0; n++ {
			uid := (*uids)[0]
			*uids = (*uids)[1:]
			if !yield(uid) || n%16 == 0 && time.Since(begin) > turnTime {
				return
			}
		}
	}
}

// SetFlags changes flags of the uids (ascending) that exist. changed holds the records of all of them as they are afterwards; modified
// holds the UIDs left alone because of UnchangedSince. After an error some may have been changed; with ErrFull, all for which there was room: on
// a full disk there may be some for one file name and not for another.
func (m *Mailbox) SetFlags(ctx context.Context, uids []uint32, ch FlagChange) (changed []Record, modified []uint32, err error) {
	var full error
	err = m.inTurns(ctx, uids, func(u *update, uids *[]uint32) error {
		set, err := u.keywordSet(ch.Keywords, ch.Op != Remove)
		if err != nil {
			return err
		}
		var were []moreKeywords // of those whose keywords changed that are not in the names
		saved := !m.keywords.unsaved
		first := len(changed)
		for uid := range u.turn(uids) {
			r := m.recs.find(uid)
			if r == nil {
				continue
			}
			old := m.keywordsOf(r).More
			left, err := u.setFlags(uid, &ch, set)
			switch {
			case left:
				modified = append(modified, uid)
				continue
			case errors.Is(err, ErrGone):
				continue
			case errors.Is(err, ErrFull):
				full = cmp.Or(full, err)
				continue
			case err != nil:
				return err
			}
			if r := m.recs.find(uid); r != nil && !slices.Equal(m.keywordsOf(r).More, old) {
				were = append(were, moreKeywords{uid, slices.Clone(old)})
			}
			changed = m.Records([]uint32{uid}, changed)
		}
		err = u.flushMore()
		if len(were) == 0 {
			return u.postpone(err)
		}
		if err != nil {
			m.takeBack(were, saved)
			var uids []uint32
			for _, r := range changed[first:] {
				uids = append(uids, r.UID)
			}
			changed = m.Records(uids, changed[:first])
		}
		return err
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

func (m *Mailbox) keywordsOf(r *record) Keywords {
	k := Keywords{Letters: r.letters}
	if r.state&hasMore != 0 {
		k.More = m.recs.more[r.uid]
	}
	return k
}

// setFlags changes a message, and its name where that says so. left: it has changed since ch.UnchangedSince and was left alone. What another
// program did a moment ago shows when the file is no longer called as we know: then the change is made to what there is now.
func (u *update) setFlags(uid uint32, ch *FlagChange, set Keywords) (left bool, err error) {
	m := u.m
	for range findTries {
		r := m.recs.find(uid)
		if r == nil {
			return false, ErrGone
		}
		if ch.UnchangedSince != nil && r.modseq > *ch.UnchangedSince {
			return true, nil
		}
		had := m.keywordsOf(r)
		flags, kw := ch.apply(r.flags, had, set)
		if flags == r.flags && kw.equal(had) {
			return false, nil
		}
		old := m.recs.name(r)
		fn := parseFileName(old) // keeps what others put there
		fn.flags, fn.letters = flags, kw.Letters
		name := fn.String()
		named := fn.flags != r.flags || fn.letters != r.letters
		if named {
			err := m.dirOf(r).rename(old, m.cur, name)
			if errors.Is(err, fs.ErrNotExist) {
				if err := u.scan(true); err != nil {
					return false, err
				}
				continue
			}
			if err != nil {
				return false, err
			}
		}
		m.mu.Lock()
		if named {
			m.recs.setName(r, name, fn, 0)
		}
		m.setMore(r, kw.More)
		m.touch(r)
		m.mu.Unlock()
		return false, nil
	}
	return false, ErrGone
}

// Expunge removes these messages whatever their flags, and returns those it removed. After an error some may have been removed.
func (m *Mailbox) Expunge(ctx context.Context, uids []uint32) (gone []uint32, err error) {
	return m.expunge(ctx, uids, false)
}

// expunge is Expunge, or with durable one that survives a loss of power.
func (m *Mailbox) expunge(ctx context.Context, uids []uint32, durable bool) (gone []uint32, err error) {
	used := map[*dir]bool{}
	err = m.inTurns(ctx, uids, func(u *update, uids *[]uint32) error {
		var done []uint32
		defer func() {
			m.mu.Lock()
			freed, known := m.sumOf(done)
			m.forget(done)
			m.mu.Unlock()
			gone = append(gone, done...)
			m.store.logFreed(freed, known)
		}()
		for uid := range u.turn(uids) {
			if from, err := u.unlink(uid); err != nil {
				return err
			} else if from != nil {
				done = append(done, uid)
				used[from] = true
			}
		}
		return nil
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

// unlink removes the file of a message and returns the directory it was in; nil when there is no such message any more. A file that several scans
// did not show is as good as removed, even if other programs rename so much that nobody can be sure: should it turn up again, it is a new message.
func (u *update) unlink(uid uint32) (from *dir, err error) {
	m := u.m
	for range findTries {
		r := m.recs.find(uid)
		if r == nil {
			return nil, nil
		}
		from = m.dirOf(r)
		if err := from.unlink(m.recs.name(r)); !errors.Is(err, fs.ErrNotExist) {
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
	return from, nil
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
	return first, m.inTurns(ctx, uids, func(u *update, uids *[]uint32) error {
		for uid := range u.turn(uids) {
			r := m.recs.find(uid)
			if r == nil || r.state&inNew == 0 {
				continue
			}
			old := m.recs.name(r)
			fn := parseFileName(old)
			name := fn.String()
			if err := m.new.rename(old, m.cur, name); errors.Is(err, fs.ErrNotExist) {
				continue // another program was faster; the next Sync sees where it went
			} else if err != nil {
				return err
			}
			m.mu.Lock()
			m.recs.setName(r, name, fn, 0)
			m.mu.Unlock()
		}
		return nil
	})
}
