package maildir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

const (
	folderMark = "maildirfolder"  // says to quota-aware delivery agents that this is not the root
	sharedMark = "dovecot-shared" // its existence in the root is inherited by new mailboxes
)

// Create makes a mailbox. A name that ends in a separator announces that others will be made below it (RFC 9051 §6.3.4): the fs layout makes a
// bare directory then, Maildir++ a normal mailbox. ErrExists, ErrInvalidName.
func (s *Store) Create(name string) error {
	stem, parentOnly := strings.CutSuffix(name, s.names.sep)
	if _, err := s.names.storage(stem); err != nil {
		return err
	}
	s.tree.Lock()
	defer s.tree.Unlock()
	err := s.create(stem, parentOnly)
	for try := 1; try < parentTries && errors.Is(err, fs.ErrNotExist); try++ {
		err = s.create(stem, parentOnly)
	}
	if errors.Is(err, fs.ErrExist) {
		err = fmt.Errorf("%w: %s", ErrExists, stem)
	} else if err == nil {
		s.treeChanged()
	}
	return err
}

// parentTries is how often something is made anew because others removed the empty directory it was to go in.
const parentTries = 10

// create is one try of Create.
func (s *Store) create(stem string, parentOnly bool) error {
	storage, d, err := s.find(stem)
	if err == nil {
		defer d.close()
		ok, err := s.selectable(storage, d)
		if err == nil && (ok || parentOnly) {
			err = fmt.Errorf("%w: %s", ErrExists, stem)
		}
		if err != nil {
			return err
		}
		if err := s.roomForBox(); err != nil {
			return err
		}
		return s.furnish(storage, d) // a bare directory becomes a mailbox
	} else if !errors.Is(err, ErrNotFound) {
		return err
	}
	if err := s.names.creatable(storage); err != nil {
		return err
	}
	if !parentOnly || s.names.layout == MaildirPP {
		if err := s.roomForBox(); err != nil {
			return err
		}
	}
	return s.makeBox(storage, parentOnly)
}

// makeBox makes the directory of a mailbox, and the mailbox in it.
func (s *Store) makeBox(storage string, parentOnly bool) error {
	parent, err := s.makeParent(storage)
	if err != nil {
		return err
	}
	defer parent.close()
	base := storage[strings.LastIndexByte(storage, '/')+1:]
	p, err := s.permFor(storage, parent)
	if err != nil {
		return err
	}
	// Making the directory claims the name.
	if err := parent.mkdirAs(base, p); err != nil {
		return err
	}
	if parentOnly && s.names.layout == FS {
		return parent.sync()
	}
	box, err := parent.sub(base)
	if err != nil {
		return err
	}
	defer box.close()
	if err := s.furnish(storage, box); err != nil {
		// Only what is still empty goes: somebody may be using it already.
		unfurnish(box)
		return errors.Join(err, parent.rmdir(base))
	}
	return parent.sync()
}

// makeParent opens the directory that a new mailbox's directory goes in. In the fs layout it makes missing parents, which hold no mail; until
// something is in them others may remove them, and what follows fails with fs.ErrNotExist.
func (s *Store) makeParent(storage string) (*dir, error) {
	d, err := s.root.again()
	if err != nil || s.names.layout == MaildirPP {
		return d, err
	}
	parts := strings.Split(storage, "/")
	for _, part := range parts[:len(parts)-1] {
		next, err := d.sub(part)
		if errors.Is(err, fs.ErrNotExist) {
			var p perm
			if p, err = d.perm(); err == nil {
				if err = d.mkdirAs(part, p); err == nil {
					err = d.sync()
				}
			}
			if err == nil || errors.Is(err, fs.ErrExist) {
				next, err = d.sub(part)
			}
		}
		d.close()
		if err != nil {
			if absent(err) && !errors.Is(err, fs.ErrNotExist) {
				err = fmt.Errorf("%w: %s is there and not a directory", ErrCannot, decodePart(part))
			}
			return nil, err
		}
		d = next
	}
	return d, nil
}

// permFor is how a new mailbox's directory is made: like that of the nearest parent which exists.
func (s *Store) permFor(storage string, above *dir) (perm, error) {
	if s.names.layout == MaildirPP {
		for i := strings.LastIndexByte(storage, '.'); i > 0; i = strings.LastIndexByte(storage[:i], '.') {
			if d, err := s.root.sub(storage[:i]); err == nil {
				defer d.close()
				return d.perm()
			}
		}
	}
	return above.perm()
}

// makeDirs makes what is missing of cur/, new/ and tmp/.
func (s *Store) makeDirs(box *dir) error {
	p, err := box.perm()
	if err != nil {
		return err
	}
	for _, name := range []string{"cur", "new", "tmp"} {
		if err := box.mkdirAs(name, p); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// furnish makes a mailbox of a directory, durably.
func (s *Store) furnish(storage string, box *dir) error {
	if err := s.makeDirs(box); err != nil {
		return err
	}
	p, err := box.perm()
	if err != nil {
		return err
	}
	var marks []string
	if s.names.layout == MaildirPP {
		marks = append(marks, folderMark)
	}
	if _, err := s.root.stat(sharedMark); err == nil {
		marks = append(marks, sharedMark)
	}
	for _, mark := range marks {
		f, err := box.createAs(mark, p)
		if err == nil {
			err = f.Close()
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if err := s.startUIDList(box, p); err != nil {
		return err
	}
	return box.sync()
}

// startUIDList gives a new mailbox its UIDVALIDITY and GUID, unless another program found it first and did so.
func (s *Store) startUIDList(box *dir, p perm) error {
	lock, err := lockUIDList(context.Background(), box)
	if err != nil {
		return err
	}
	defer lock.unlock()
	if _, err := box.stat(uidlistName); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	validity, err := newUIDValidity(s.root)
	if err != nil {
		return err
	}
	hdr := uidlistHeader{Validity: validity, Next: 1, GUID: newGUID()}
	_, err = writeUIDList(box, p, hdr, func(func(uid uint32, base, extra []byte)) {})
	return err
}

// unfurnish takes back what furnish made, as far as it is empty.
func unfurnish(box *dir) {
	for _, name := range []string{"cur", "new", "tmp"} {
		if box.rmdir(name) != nil {
			return
		}
	}
	for _, name := range []string{folderMark, sharedMark, uidlistTemp, uidlistName} {
		box.unlink(name)
	}
}
