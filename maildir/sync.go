package maildir

import (
	"context"
	"errors"
	"io/fs"
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

// Sync notices what others did since; cheap when nothing changed. ErrGone when the mailbox was deleted.
func (m *Mailbox) Sync(ctx context.Context) error {
	if err := m.failed(); err != nil {
		return err
	}
	if err := m.store.Check(); err != nil {
		return err
	}
	if err := m.checkMoved(ctx, false); err != nil {
		return err
	}
	if fresh, err := m.unchanged(); err != nil || fresh {
		return err
	}
	return m.withLocks(ctx, func(u *update) error {
		return u.look(func(*update) error { return nil })
	})
}

// rescan reads the directories again whatever their mtimes say.
func (m *Mailbox) rescan(ctx context.Context) error {
	return m.withLocks(ctx, func(u *update) error {
		return u.look(func(u *update) error { return u.scan(true) })
	})
}

// unchanged tells whether the directories are as we know them.
func (m *Mailbox) unchanged() (bool, error) {
	m.mu.Lock()
	seen, list, doubt := m.seen, m.list, m.hints.all || m.hints.half
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

// statDirs stats new/ and cur/ and finds out when they were deleted, moved away or replaced.
func (m *Mailbox) statDirs() (newSt, curSt fileInfo, err error) {
	if newSt, err = m.statSub(m.new, m.newID); err == nil {
		curSt, err = m.statSub(m.cur, m.curID)
	}
	return
}

// update is a change in progress: m.write and dovecot-uidlist.lock are held.
type update struct {
	m    *Mailbox
	ctx  context.Context
	lock *dotlock
	// denied: the mailbox can be read but not written to. Nothing is locked then, as by any reader, and nothing may be changed.
	denied error
	// known: before our own changes the directories were as m.seen says, so that their mtimes afterwards are ours.
	known bool
	again bool // look once more
	later bool // there was no room to number new files
}

// update runs fn with the locks held and memory up to date. What fn changes in the directories counts as seen.
func (m *Mailbox) update(ctx context.Context, fn func(*update) error) error {
	return m.withLocks(ctx, func(u *update) error { return u.run(fn) })
}

// run is update with the locks held already.
func (u *update) run(fn func(*update) error) error {
	return u.look(func(u *update) error {
		if u.denied != nil {
			return u.denied
		}
		return fn(u)
	})
}

// look is run for an fn that changes nothing.
func (u *update) look(fn func(*update) error) error {
	err := u.refresh()
	if err == nil {
		err = fn(u)
	}
	if err != nil {
		// Something was left half done, read or undone: look at what is there before believing anything.
		u.m.doubtful()
		return err
	}
	u.settle()
	return nil
}

// withLocks runs fn with the locks held and wakes those who wait if something changed. Where nothing can be written fn runs without
// dovecot-uidlist.lock and with denied set.
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
	if err := m.checkMoved(ctx, true); err != nil {
		return err
	}
	u := &update{m: m, ctx: ctx}
	lock, err := lockUIDList(ctx, m.box)
	if errors.Is(err, ErrPermission) {
		u.denied = err
	} else if err != nil {
		if _, _, gone := m.statDirs(); gone != nil {
			return gone
		}
		return err
	} else {
		u.lock = lock
		defer lock.unlock()
		if err := m.failed(); err != nil { // it was removed while we waited
			return err
		}
	}
	m.readOnly.Store(u.denied != nil)
	if err := m.thaw(); err != nil {
		return err
	}
	m.mu.Lock()
	m.recs.nameAll()
	before := m.now
	m.mu.Unlock()
	err = fn(u)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hints.half = false
	m.accountLocked(amount{})
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

func (m *Mailbox) dirFor(in recordState) *dir {
	if in&inNew != 0 {
		return m.new
	}
	return m.cur
}
