package maildir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"
)

// A Maildir, or one mailbox of it, can be put back from a backup while it is served: what was there is moved away or removed, and another
// directory has its path. Open directories stay what they were, so the path is looked at again before anything is done: whenever a mailbox
// is opened, looked at or changed, and every few seconds.

// ErrMoved ends a Store whose root is no longer where its path leads. What is there now is another Store's.
var ErrMoved = fmt.Errorf("the Maildir was moved away or replaced: %w", ErrGone)

// saveMoved bounds how long the last snapshot of a mailbox that was moved away waits for those who change it.
const saveMoved = 2 * time.Second

// Context ends when the store is closed or was moved away.
func (s *Store) Context() context.Context { return s.ctx }

// Check finds out whether the root's path still leads to the directory that is open. If not: ErrMoved, for good; from then on nothing is read or
// written there, and the state directory may be another Store's. It costs one system call.
func (s *Store) Check() error {
	if s.ctx.Err() == nil && s.rootMoved() {
		s.moved.Do(s.lose)
	}
	if context.Cause(s.ctx) == ErrMoved {
		return ErrMoved
	}
	return nil
}

// rootMoved tells whether the root's path leads elsewhere, or nowhere. Whatever keeps the path from being looked at is no reason to think so.
func (s *Store) rootMoved() bool {
	var st unix.Stat_t
	_, err := retry(func() (struct{}, error) { return struct{}{}, unix.Stat(s.opt.Root, &st) })
	if err == unix.ENOENT || err == unix.ENOTDIR {
		return true
	} else if err != nil {
		return false
	}
	now := newFileInfo(&st)
	if s.rootID == (inode{now.dev, now.ino}) {
		return false
	}
	open, err := s.root.statSelf() // some file systems number anew what is open
	return err == nil && !open.sameFile(now)
}

// lose ends everything that is open of a root that was moved away. What was told to clients is saved first, for who opens its successor.
func (s *Store) lose() {
	s.log.Warn("the Maildir was moved away or replaced: its sessions are ended, the next login opens what is there now", "maildir", s.opt.Root)
	s.mu.Lock()
	open := make([]*Mailbox, 0, len(s.boxes))
	for _, m := range s.boxes {
		open = append(open, m)
	}
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(s.ctx, saveMoved)
	defer cancel()
	for _, m := range open {
		<-m.loaded
		if m.loadErr == nil {
			m.lose(ctx, ErrMoved)
		}
	}
	s.stop(ErrMoved)
	s.mu.Lock()
	var unused []*Mailbox
	for key, m := range s.boxes {
		delete(s.boxes, key) // whoever uses it closes it
		m.gone(ErrMoved)     // also one that is being opened
		if m.refs == 0 {
			unused = append(unused, m)
		}
	}
	s.mu.Unlock()
	for _, m := range unused {
		<-m.loaded
		m.close()
	}
}

// lose waits for who changes a mailbox, until ctx ends, and gives it up.
func (m *Mailbox) lose(ctx context.Context, cause error) {
	if m.lockWrite(ctx) == nil {
		defer m.unlockWrite()
	}
	m.giveUp(cause)
}

// giveUp saves what clients know of a mailbox and then marks it as gone: the UIDs it gave out must not be given out again in its successor.
func (m *Mailbox) giveUp(cause error) {
	if m.failed() != nil {
		return
	}
	if m.store.opt.State != "" {
		s, dir := m.takeSnapshot()
		m.writeSnapshot(dir, s)
	}
	hub.remove(m) // its successor is watched
	m.gone(cause)
}

// boxMoved tells whether the path of a mailbox leads to another directory by now. That it leads nowhere says nothing: other programs rename mailboxes,
// and those who use one go on with it under its new name.
func (m *Mailbox) boxMoved() (bool, error) {
	m.mu.Lock()
	storage := m.storage
	m.mu.Unlock()
	if storage == inbox {
		return false, nil // the root, which Check looks after
	}
	fi, err := m.store.statBox(storage)
	if absent(err) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	return fi.isDir() && m.key != inode{fi.dev, fi.ino}, nil
}

// statBox is stat of what a storage name leads to now.
func (s *Store) statBox(storage string) (fileInfo, error) {
	if s.names.layout == MaildirPP {
		return s.root.stat(storage)
	}
	parent, name, err := s.openParent(storage)
	if err != nil {
		return fileInfo{}, err
	}
	defer parent.close()
	return parent.stat(name)
}

// checkMoved is ErrGone when another directory has taken the mailbox's place. write: the caller holds it.
func (m *Mailbox) checkMoved(ctx context.Context, write bool) error {
	moved, err := m.boxMoved()
	if err != nil || !moved {
		return err
	}
	m.log.Warn("a mailbox was moved away and replaced: its sessions are ended", "mailbox", m.box.path())
	if write {
		m.giveUp(ErrGone)
	} else {
		m.lose(ctx, ErrGone)
	}
	return ErrGone
}

// supersede ends a mailbox that had the place of another before, if it has not moved elsewhere.
func (s *Store) supersede(m *Mailbox, storage string) {
	select {
	case <-m.loaded:
	default:
		return
	}
	m.mu.Lock()
	same := m.storage == storage && m.err == nil
	m.mu.Unlock()
	if same && m.loadErr == nil {
		_ = m.checkMoved(s.ctx, false) // what counts is its mark
	}
}

// statSub is stat of new/ or cur/, which must be the directory that is open.
func (m *Mailbox) statSub(d *dir, id inode) (fileInfo, error) {
	fi, err := m.box.stat(d.base())
	if errors.Is(err, fs.ErrNotExist) || err == nil && id != (inode{fi.dev, fi.ino}) {
		m.giveUp(ErrGone)
		err = ErrGone
	}
	return fi, err
}
