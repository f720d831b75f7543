package maildir

import (
	"context"
	"io"
	"os"
	"time"

	"roost/maildir/message"
)

// This file goes when the real methods are there.

const todo = "maildir: being written"

// Name is the current UTF-8 name.
func (m *Mailbox) Name() string { panic(todo) }

// Release gives back what Store.Open returned.
func (m *Mailbox) Release() { panic(todo) }

// Sync notices what others did since; cheap when nothing changed. ErrGone when the mailbox was deleted.
func (m *Mailbox) Sync(ctx context.Context) error { panic(todo) }

// Status returns the counters without Size.
func (m *Mailbox) Status() Status { panic(todo) }

// StatusSize is the sum of RFC822.SIZE; it may have to read files whose size is not known yet.
func (m *Mailbox) StatusSize() (int64, error) { panic(todo) }

// UIDs returns all UIDs ascending. The slice is shared and immutable.
func (m *Mailbox) UIDs() []uint32 { panic(todo) }

// Changes tells what happened since.
func (m *Mailbox) Changes(since ModSeq) Changes { panic(todo) }

// Now is the ModSeq of the latest change.
func (m *Mailbox) Now() ModSeq { panic(todo) }

// KeywordNames maps slots to names; "" is an unused slot. The slice is append-only and immutable.
func (m *Mailbox) KeywordNames() []string { panic(todo) }

// Records appends the records of those uids (ascending) that exist.
func (m *Mailbox) Records(uids []uint32, dst []Record) []Record { panic(todo) }

// Fill makes Size, Wire and Time of a record known; it may stat or read the file.
func (m *Mailbox) Fill(rec *Record) error { panic(todo) }

// ClaimRecent is for SELECT: it returns the first UID that is \Recent for the caller and moves new/ to cur/, so that the next
// session sees none. FirstRecent is for EXAMINE: the same answer without claiming.
func (m *Mailbox) ClaimRecent(ctx context.Context) (uint32, error) { panic(todo) }

// FirstRecent returns the first UID nobody has claimed as \Recent.
func (m *Mailbox) FirstRecent() uint32 { panic(todo) }

// OpenMessage opens the file of a message. ErrGone when it was expunged.
func (m *Mailbox) OpenMessage(uid uint32) (*os.File, error) { panic(todo) }

// Meta returns the cached facts of a message; when they are not cached the file is parsed and the facts are cached.
func (m *Mailbox) Meta(uid uint32) (*message.Meta, error) { panic(todo) }

// CachedMeta is Meta from the cache only; nil when absent.
func (m *Mailbox) CachedMeta(uid uint32) *message.Meta { panic(todo) }

// SetFlags changes flags of the uids (ascending) that exist. changed holds every record after the change that was asked about and exists;
// modified holds the UIDs left alone because of UnchangedSince.
func (m *Mailbox) SetFlags(ctx context.Context, uids []uint32, ch FlagChange) (changed []Record, modified []uint32, err error) {
	panic(todo)
}

// Expunge removes these messages whatever their flags, and returns those it removed.
func (m *Mailbox) Expunge(ctx context.Context, uids []uint32) (gone []uint32, err error) { panic(todo) }

// CopyTo copies messages (by hard link where possible) with flags, keywords and INTERNALDATE. All or none.
func (m *Mailbox) CopyTo(ctx context.Context, uids []uint32, dst *Mailbox) ([]Pair, error) {
	panic(todo)
}

// MoveTo is CopyTo followed by removing the sources that were copied.
func (m *Mailbox) MoveTo(ctx context.Context, uids []uint32, dst *Mailbox) ([]Pair, error) {
	panic(todo)
}

// NewDelivery starts an APPEND.
func (m *Mailbox) NewDelivery() (*Delivery, error) { panic(todo) }

// Wait returns a channel of capacity one that gets a value after every change, and watches the directories until stop is called.
func (m *Mailbox) Wait() (wake <-chan struct{}, stop func()) { panic(todo) }

// Add streams one message into tmp/. r is read to its end; CRLF becomes LF. A zero date means now. Flags and keywords as in SetFlags.
func (d *Delivery) Add(r io.Reader, flags Flags, keywords []string, date time.Time) error {
	panic(todo)
}

// Commit numbers and links all of them durably and returns their UIDs in order. All or none.
func (d *Delivery) Commit(ctx context.Context) ([]uint32, error) { panic(todo) }

// Abort removes the files in tmp/. Safe after Commit.
func (d *Delivery) Abort() { panic(todo) }

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
type Store struct{}

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

// Open opens a mailbox; Release it. ErrNotFound, ErrNoSelect, ErrInvalidName.
func (s *Store) Open(name string) (*Mailbox, error) { panic(todo) }

// Exists tells whether a mailbox can be selected, without opening it.
func (s *Store) Exists(name string) (bool, error) { panic(todo) }

// Separator is the hierarchy separator.
func (s *Store) Separator() byte { panic(todo) }

// Close writes caches and closes everything; sessions must have released their mailboxes.
func (s *Store) Close() error { panic(todo) }
