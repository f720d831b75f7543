package maildir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Rename moves a mailbox and its children; RENAME INBOX moves the messages of INBOX into a new mailbox (RFC 9051 §6.3.6). UIDs, UIDVALIDITY and
// GUID travel with the directory. Missing parents of the new name are created where the layout needs them. ErrNotFound, ErrExists,
// ErrInvalidName, ErrCannot.
func (s *Store) Rename(from, to string) error {
	to = strings.TrimSuffix(to, s.names.sep)
	dst, err := s.names.storage(to)
	if err != nil {
		return err
	}
	if err := s.names.creatable(dst); err != nil {
		return err
	}
	src, err := s.locate(from)
	missing := errors.Is(err, ErrNotFound)
	switch {
	case err != nil && !missing:
		return err
	case src == inbox:
		return s.renameInbox(to)
	case strings.HasPrefix(dst, src+s.names.diskSep()):
		return fmt.Errorf("%w: %s is below %s", ErrCannot, to, from)
	}
	s.tree.Lock()
	defer s.tree.Unlock()
	if _, err := s.locate(to); err == nil {
		return fmt.Errorf("%w: %s", ErrExists, to)
	} else if !errors.Is(err, ErrNotFound) {
		return err
	}
	var moves []move
	if s.names.layout == MaildirPP {
		moves, err = s.planFlat(src, dst, to)
	} else {
		moves, err = s.planTree(src, dst)
	}
	switch {
	case err != nil:
	case len(moves) == 0:
		err = fs.ErrNotExist
	case s.names.layout == MaildirPP:
		err = s.renameFlat(moves)
	default:
		err = s.renameTree(src, dst)
		for try := 1; try < parentTries && errors.Is(err, fs.ErrNotExist); try++ {
			if _, gone := s.locate(from); gone != nil {
				break
			}
			err = s.renameTree(src, dst)
		}
	}
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %s", ErrExists, to)
	} else if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s", ErrNotFound, from)
	} else if err != nil {
		return err
	}
	var names []renamed
	for _, m := range moves {
		name, _ := s.names.name(m.to)
		s.boxRenamed(m.key, m.from, m.to, name)
		old, _ := s.names.name(m.from)
		names = append(names, renamed{from: old, to: name})
	}
	s.treeChanged(names...)
	return nil
}

// move is a directory with its old and new storage name.
type move struct {
	from, to string
	key      inode
}

// planFlat lists the directories of a Maildir++ root that are renamed: the mailbox, if it exists, and all below it.
func (s *Store) planFlat(src, dst, to string) ([]move, error) {
	var moves []move
	taken := map[string]bool{}
	err := s.root.readNames(func(name string, dtype uint8) bool {
		if (name == src || strings.HasPrefix(name, src+".")) && isDir(s.root, name, dtype) {
			moves = append(moves, move{from: name, to: dst + name[len(src):]})
		}
		if strings.HasPrefix(name, dst+".") && isDir(s.root, name, dtype) {
			taken[name] = true
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	// A missing parent is in the list of mailboxes, so its name is taken too.
	if len(taken) > 0 {
		return nil, fmt.Errorf("%w: %s", ErrExists, to)
	}
	slices.SortFunc(moves, func(a, b move) int { return strings.Compare(a.from, b.from) })
	for i := range moves {
		if len(moves[i].to) > maxName {
			return nil, invalid(moves[i].to, "too long")
		}
		fi, err := s.root.stat(moves[i].from)
		if err != nil {
			return nil, err
		}
		moves[i].key = inode{fi.dev, fi.ino}
	}
	return moves, nil
}

// renameFlat renames all or none.
func (s *Store) renameFlat(moves []move) error {
	steps := make([]step, len(moves))
	for i, m := range moves {
		steps[i] = step{stepRename, m.from, m.to}
	}
	intent, err := s.intend(steps)
	if err != nil {
		return err
	}
	defer intent.end()
	for i, m := range moves {
		err := s.root.renameNoReplace(m.from, s.root, m.to)
		if err == nil || i > 0 && errors.Is(err, fs.ErrNotExist) { // a child was deleted meanwhile
			continue
		}
		for _, done := range slices.Backward(moves[:i]) {
			if back := s.root.renameNoReplace(done.to, s.root, done.from); back != nil {
				s.log.Error("a mailbox kept its new name although renaming its parent failed", "mailbox", done.to, "cause", back)
			}
		}
		return err
	}
	return s.root.sync()
}

// planTree lists the directories of the fs layout that one rename moves.
func (s *Store) planTree(src, dst string) ([]move, error) {
	d, err := s.openDir(src)
	if absent(err) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	defer d.close()
	var moves []move
	var failed error
	err = walk(d, src, maxDepth, func(storage string, d *dir, _ bool) {
		fi, err := d.statSelf()
		failed = errors.Join(failed, err)
		to := dst + storage[len(src):]
		if len(to) > maxStorage || strings.Count(to, "/") >= maxDepth {
			failed = errors.Join(failed, invalid(to, "too long"))
		}
		moves = append(moves, move{storage, to, inode{fi.dev, fi.ino}})
	})
	return moves, errors.Join(err, failed)
}

// renameTree moves a directory with everything below it.
func (s *Store) renameTree(src, dst string) (err error) {
	into, err := s.makeParent(dst)
	if err != nil {
		return err
	}
	defer into.close()
	from, name, err := s.openParent(src)
	if err != nil {
		return err
	}
	defer from.close()
	if err := from.renameNoReplace(name, into, dst[strings.LastIndexByte(dst, '/')+1:]); err != nil {
		return errors.Join(err, s.prune(above(dst)))
	}
	return errors.Join(into.sync(), from.sync(), s.prune(above(src)))
}

// above is the storage name of the parent, "" at the top.
func above(storage string) string { return storage[:max(0, strings.LastIndexByte(storage, '/'))] }

// inboxBatch is how many messages RENAME INBOX moves under one hold of the locks.
const inboxBatch = 500

// renameInbox moves all messages of INBOX into a new mailbox. Mailboxes below INBOX stay (RFC 9051 §6.3.6). When it fails half way, the new mailbox
// holds what was moved and INBOX the rest.
func (s *Store) renameInbox(to string) error {
	if err := s.Create(to); err != nil {
		return err
	}
	if err := s.copyMetadata(inbox, to); err != nil { // RFC 5464 §4.1: INBOX keeps its own
		return err
	}
	src, err := s.Open(inbox)
	if err != nil {
		return err
	}
	defer src.Release()
	dst, err := s.Open(to)
	if err != nil {
		return err
	}
	defer dst.Release()
	ctx := context.Background()
	if err := src.Sync(ctx); err != nil {
		return err
	}
	for batch := range slices.Chunk(src.UIDs(), inboxBatch) {
		if _, err := src.MoveTo(ctx, batch, dst); err != nil {
			return err
		}
	}
	return nil
}
