package maildir

import (
	"context"
	"log/slog"
	"sync"
)

// This file goes when the real methods are there.

const todo = "maildir: being written"

// Options say where a user's mail is and how it is laid out.
type Options struct {
	Root        string // the Maildir
	Layout      Layout
	Separator   byte   // IMAP hierarchy separator, '/' or '.'
	State       string // this user's state directory; everything in it can be rebuilt
	Create      bool   // create Root when absent
	MaxKeywords int    // per mailbox, 0: default
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
	opt  Options
	root *dir
	log  *slog.Logger

	ctx  context.Context // ends with Close
	stop context.CancelFunc

	mu    sync.Mutex // protects boxes, and refs and idle of the mailboxes in it
	boxes openBoxes
}

// newUIDValidity allocates a UIDVALIDITY.
func (s *Store) newUIDValidity(ctx context.Context) (uint32, error) { panic(todo) }

// newBase makes a base name.
func (s *Store) newBase() string { return newBase(hostName()) }

// openBox opens the directory of a mailbox and tells its storage name.
func (s *Store) openBox(name string) (storage string, d *dir, err error) { panic(todo) }

// canonicalName spells INBOX in upper case.
func (s *Store) canonicalName(name string) string { panic(todo) }

// OpenStore opens (or creates) a mail root.
func OpenStore(o Options) (*Store, error) { panic(todo) }

// List returns all mailboxes and missing parents.
func (s *Store) List() ([]Info, error) { panic(todo) }

// Create makes a mailbox.
func (s *Store) Create(name string) error { panic(todo) }

// Delete removes a mailbox with its messages.
func (s *Store) Delete(name string) error { panic(todo) }

// Rename moves a mailbox and its children; RENAME INBOX moves the messages of INBOX into a new mailbox (RFC 9051 §6.3.6).
func (s *Store) Rename(from, to string) error { panic(todo) }

// Subscribed lists subscribed names, existing or not.
func (s *Store) Subscribed() ([]string, error) { panic(todo) }

// SetSubscribed changes the subscription list.
func (s *Store) SetSubscribed(name string, on bool) error { panic(todo) }

// Exists tells whether a mailbox can be selected, without opening it.
func (s *Store) Exists(name string) (bool, error) { panic(todo) }

// Separator is the hierarchy separator.
func (s *Store) Separator() byte { panic(todo) }

// Close writes caches and closes everything; sessions must have released their mailboxes.
func (s *Store) Close() error { panic(todo) }
