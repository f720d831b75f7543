package maildir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Options say where a user's mail is and how it is laid out.
type Options struct {
	Root        string // the Maildir
	Layout      Layout
	Separator   byte    // IMAP hierarchy separator, '/' or '.'
	State       string  // this user's state directory; everything in it can be rebuilt
	Create      bool    // create Root when absent
	MaxKeywords int     // per mailbox, 0: default
	MaxMetadata int     // annotations of a mailbox, 0: default
	Budget      *Budget // of all mail roots; nil: no bounds
	Quota       Quota   // limits, which LimitQuota changes
	OwnQuota    bool    // ChangeQuota is allowed
}

// Layout is how mailboxes map to directories.
type Layout uint8

// Layouts.
const (
	MaildirPP Layout = iota // ".A.B" in the root
	FS                      // "A/B"
)

// Store is one user's mail root. Names are UTF-8 with the configured separator; INBOX in any case. Safe for concurrent use.
type Store struct {
	opt   Options
	names naming
	root  *dir
	log   *slog.Logger

	rootID inode // of root when it was opened

	ctx  context.Context // ends with Close, or when the root was moved away
	stop context.CancelCauseFunc

	moved sync.Once // runs lose

	// tree is held by whoever creates, deletes, renames or subscribes to mailboxes. It comes before all locks of mailboxes.
	tree sync.Mutex

	treeWatch treeWatch
	quota     quota

	attributes   attributes
	metadataNews metadataNews
	keys         accessKeys
	twins        twins

	cleaning atomic.Bool    // somebody removes a stale trash directory
	cleaners sync.WaitGroup // which Close waits for

	unopened sync.Map // storage names that the log says cannot be opened: they are tried again and again

	mu     sync.Mutex // protects what follows, and refs and idle of the mailboxes in it
	boxes  openBoxes
	places map[string]inode // storage name → what was opened last under it
}

// OpenStore opens (or creates) a mail root.
func OpenStore(o Options) (*Store, error) {
	if o.Separator != '/' && o.Separator != '.' {
		return nil, fmt.Errorf("separator %q: only / and . are possible", o.Separator)
	}
	if o.Create {
		if err := makeRoot(o.Root); err != nil {
			return nil, err
		}
	}
	root, err := openRoot(o.Root)
	if err != nil {
		return nil, err
	}
	s := &Store{opt: o, names: naming{o.Layout, string(o.Separator)}, root: root, log: slog.Default(), boxes: openBoxes{}, places: map[string]inode{}}
	s.LimitQuota(o.Quota, o.OwnQuota)
	fi, err := root.statSelf()
	if err == nil && o.Create {
		err = s.makeDirs(root)
	}
	if err != nil {
		root.close()
		return nil, err
	}
	s.rootID = inode{fi.dev, fi.ino}
	if !root.writable() {
		s.log.Warn("the Maildir cannot be written to: its mailboxes are read-only, new messages get no UIDs", "maildir", o.Root)
	}
	s.ctx, s.stop = context.WithCancelCause(context.Background())
	s.finishIntents()
	go s.lookAfter()
	return s, nil
}

// Close writes caches and closes everything; sessions must have released their mailboxes.
func (s *Store) Close() error {
	s.stop(nil)
	s.closeAll()
	s.cleaners.Wait()
	s.quota.looking.Lock()
	s.saveUsage(0)
	s.quota.looking.Unlock()
	return s.root.close()
}

// Separator is the hierarchy separator.
func (s *Store) Separator() byte { return s.opt.Separator }

// newUIDValidity allocates a UIDVALIDITY.
func (s *Store) newUIDValidity(context.Context) (uint32, error) { return newUIDValidity(s.root) }

// newBase makes a base name.
func (s *Store) newBase() string { return newBase(lockHost) }

// canonicalName is a name of a mailbox as List has it. What is not there only gets its INBOX in upper case.
func (s *Store) canonicalName(name string) string {
	storage, err := s.locate(name)
	if err != nil {
		storage = ""
	}
	return s.shownName(name, storage)
}

// shownName is canonicalName where the storage name is known; "" is none.
func (s *Store) shownName(name, storage string) string {
	if storage != "" {
		if shown, usable := s.names.name(storage); usable {
			return shown
		}
	}
	parts, err := s.names.split(name)
	if err != nil {
		return name
	}
	return strings.Join(parts, s.names.sep)
}

// absent tells whether an error of opening a directory means that there is no mailbox: nothing, or something else of that name. A
// symbolic link counts as something else.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP)
}

// openDir opens the directory of a storage name, or fails so that absent says true.
func (s *Store) openDir(storage string) (*dir, error) { return s.openPath(storagePath(storage)) }

// storagePath is the path of a mailbox's directory below the root.
func storagePath(storage string) string {
	if storage == inbox {
		return "."
	}
	return storage
}

// openPath opens a directory by its path below the root, "." for the root.
func (s *Store) openPath(p string) (*dir, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	d, err := s.root.again()
	if err != nil || p == "." {
		return d, err
	}
	for part := range strings.SplitSeq(p, "/") {
		next, err := d.sub(part)
		d.close()
		if err != nil {
			return nil, err
		}
		d = next
	}
	return d, nil
}

// openParent opens the directory in which the directory of a storage name lies, and tells its name there.
func (s *Store) openParent(storage string) (parent *dir, name string, err error) {
	if i := strings.LastIndexByte(storage, '/'); i >= 0 && s.names.layout == FS {
		parent, err = s.openPath(storage[:i]) // INBOX, too, is a directory of that name when others are in it
		return parent, storage[i+1:], err
	}
	parent, err = s.root.again()
	return parent, storage, err
}

// find opens the directory that a name stands for. With ErrNotFound, storage is where it would be created.
func (s *Store) find(name string) (storage string, d *dir, err error) {
	list, err := s.names.candidates(name)
	if err != nil {
		return "", nil, err
	}
	for _, storage := range list {
		if d, err = s.openDir(storage); err == nil {
			return storage, d, nil
		} else if !absent(err) {
			return "", nil, err
		}
	}
	storage, err = s.names.storage(name)
	if err == nil {
		err = fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	return storage, nil, err
}

// locate is find without opening.
func (s *Store) locate(name string) (storage string, err error) {
	storage, d, err := s.find(name)
	if err == nil {
		d.close()
	}
	return storage, err
}

// openBox opens the directory of a mailbox and tells its storage name. ErrNotFound, ErrNoSelect, ErrInvalidName.
func (s *Store) openBox(name string) (storage string, d *dir, err error) {
	storage, d, err = s.find(name)
	if err != nil {
		return "", nil, err
	}
	if ok, err := s.selectable(storage, d); err != nil || !ok {
		d.close()
		if err == nil {
			err = fmt.Errorf("%w: %s", ErrNoSelect, name)
		}
		return "", nil, err
	}
	return storage, d, nil
}

// selectable tells whether a directory holds a mailbox. In the fs layout it may only hold others; in Maildir++ every directory is one.
func (s *Store) selectable(storage string, d *dir) (bool, error) {
	if s.names.layout == MaildirPP || storage == inbox {
		return true, nil
	}
	fi, err := d.stat("cur")
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && fi.isDir(), err
}

// Exists tells whether a mailbox can be selected, without opening it.
func (s *Store) Exists(name string) (bool, error) {
	_, d, err := s.openBox(name)
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrNoSelect) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	return true, d.close()
}
