package maildir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// lockPatience is how long a mailbox that another program is working on delays its deletion.
const lockPatience = 10 * time.Second

// Delete removes a mailbox with its messages; mailboxes below it stay (RFC 9051 §6.3.5), and so do subscriptions. One rename makes it disappear at
// once, the files are removed afterwards. ErrCannot for INBOX, ErrNotFound, ErrHasChildren for a bare parent.
func (s *Store) Delete(name string) error {
	remains, err := s.detach(name)
	if errors.Is(err, fs.ErrNotExist) { // somebody else deleted or renamed it meanwhile
		return fmt.Errorf("%w: %s", ErrNotFound, name)
	} else if err != nil {
		return err
	}
	s.treeChanged()
	if len(remains) == 0 {
		return nil
	}
	if err := s.empty(remains); err != nil {
		s.log.Warn("a mailbox was deleted, but not all of its files could be removed", "mailbox", name, "cause", err)
	}
	return nil
}

// detach makes a mailbox disappear and returns what is left to remove. fs.ErrNotExist when another program was faster.
func (s *Store) detach(name string) (remains []string, err error) {
	s.tree.Lock()
	defer s.tree.Unlock()
	storage, box, err := s.find(name)
	if err != nil {
		return nil, err
	}
	defer box.close()
	if storage == inbox {
		return nil, fmt.Errorf("%w: INBOX cannot be deleted", ErrCannot)
	}
	fi, err := box.statSelf()
	if err != nil {
		return nil, err
	}
	if ok, err := s.selectable(storage, box); err != nil {
		return nil, err
	} else if !ok {
		return nil, s.deleteBare(storage, box)
	}
	// Under the lock nobody is in the middle of an append or a rename.
	ctx, cancel := context.WithTimeout(s.ctx, lockPatience)
	defer cancel()
	lock, err := lockUIDList(ctx, box)
	if err != nil {
		return nil, err
	}
	if s.names.layout == MaildirPP {
		remains, err = s.trash(s.root, storage)
	} else {
		remains, err = s.strip(box)
	}
	if len(remains) > 0 {
		s.boxGone(inode{fi.dev, fi.ino}) // before others have the lock: they would put back what they miss
	}
	unlocked := lock.unlock()
	if len(remains) == 0 {
		return nil, err
	}
	// From here on it is deleted, whatever goes wrong with the rest.
	s.boxRemoved(inode{fi.dev, fi.ino})
	if s.opt.State != "" {
		os.RemoveAll(boxState(s.opt.State, storage))
	}
	if s.names.layout == FS {
		err = errors.Join(err, unlocked, s.prune(storage))
	}
	if err = errors.Join(err, s.root.sync()); err != nil {
		s.log.Warn("a mailbox was deleted, but something of it remains", "mailbox", name, "cause", err)
	}
	return remains, nil
}

// strip makes a bare directory of a mailbox in the fs layout, in which others may lie. Without cur/ it is none any more.
func (s *Store) strip(box *dir) (remains []string, err error) {
	if remains, err = s.trash(box, "cur"); err != nil {
		return nil, err
	}
	for _, name := range []string{"new", "tmp"} {
		more, failed := s.trash(box, name)
		remains = append(remains, more...)
		if !errors.Is(failed, fs.ErrNotExist) {
			err = errors.Join(err, failed)
		}
	}
	return remains, errors.Join(err, removeFiles(box), box.sync())
}

// trash moves name out of d, by the one rename that makes it disappear. It returns what is to be removed: paths below the root.
func (s *Store) trash(d *dir, name string) (remains []string, err error) {
	if s.names.layout == MaildirPP {
		err := d.renameNoReplace(name, s.root, trashBox)
		if err == nil {
			return []string{trashBox}, nil
		} else if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	// The trash is in use, or a container. It may be removed by others at any moment.
	for range 10 {
		if err = s.root.mkdir(trashBox, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		var bin *dir
		if bin, err = s.root.sub(trashBox); err != nil {
			continue
		}
		unique := s.newBase()
		err = d.renameNoReplace(name, bin, unique)
		bin.close()
		if err == nil {
			return []string{unique}, nil
		}
		if _, gone := d.stat(name); gone != nil {
			return nil, gone
		}
	}
	return nil, err
}

// empty removes what trash returned, and the trash directory if that leaves it empty.
func (s *Store) empty(remains []string) error {
	if len(remains) == 1 && remains[0] == trashBox {
		return s.root.removeAll(trashBox)
	}
	bin, err := s.root.sub(trashBox)
	if err != nil {
		if absent(err) {
			return nil
		}
		return err
	}
	defer bin.close()
	for _, name := range remains {
		err = errors.Join(err, bin.removeAll(name))
	}
	s.root.rmdir(trashBox) // fails when others use it
	return err
}

// removeFiles removes the control files of a mailbox, but no directories and not the lock that the caller holds.
func removeFiles(box *dir) error {
	var names []string
	err := box.readNames(func(name string, dtype uint8) bool {
		if !isDir(box, name, dtype) && name != uidlistLock.name {
			names = append(names, name)
		}
		return true
	})
	for _, name := range names {
		if e := box.unlink(name); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// deleteBare removes a directory that holds no mailbox.
func (s *Store) deleteBare(storage string, box *dir) error {
	children := false
	err := box.readNames(func(name string, dtype uint8) bool {
		children = isDir(box, name, dtype)
		return !children
	})
	if err != nil {
		return err
	}
	if children {
		return fmt.Errorf("%w: %s", ErrHasChildren, storage)
	}
	if err := removeFiles(box); err != nil {
		return err
	}
	return s.prune(storage)
}

// prune removes a directory of the fs layout if it is empty, and then its parents that hold neither mail nor other mailboxes, as Dovecot
// 2.4 does.
func (s *Store) prune(storage string) error {
	for storage != "" {
		parent, name, err := s.openParent(storage)
		if err != nil {
			if absent(err) {
				return nil
			}
			return err
		}
		err = parent.rmdir(name)
		for range pruneTries {
			// Who waited for the lock of the mailbox takes it once more, to find that it is gone.
			if !errors.Is(err, fs.ErrExist) || !onlyLocked(parent, name) {
				break
			}
			time.Sleep(tick)
			err = parent.rmdir(name)
		}
		if err == nil {
			err = parent.sync()
		}
		parent.close()
		if errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err != nil {
			return err
		}
		storage = above(storage)
	}
	return nil
}

// pruneTries is how often prune tries to remove a directory in which there is nothing but a lock.
const pruneTries = 40

// onlyLocked tells whether there is nothing in a directory but perhaps the lock of a mailbox.
func onlyLocked(parent *dir, name string) bool {
	d, err := parent.sub(name)
	if err != nil {
		return false
	}
	defer d.close()
	only := true
	err = d.readNames(func(name string, _ uint8) bool {
		only = name == uidlistLock.name
		return only
	})
	return err == nil && only
}
