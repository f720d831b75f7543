package maildir

import (
	"context"
	"io"
	"os"
	"time"

	"roost/maildir/message"
)

// ModSeq is a modification sequence: a hybrid clock below 2^53 (ARCHITECTURE.md).
type ModSeq uint64

// Flags are the system flags of a message as bits.
type Flags uint8

// System flags. Recent is a session's business and not stored here.
const (
	Seen Flags = 1 << iota
	Answered
	Flagged
	Deleted
	Draft
)

// Keywords is a set of keyword slots of one mailbox. Slot numbers mean nothing across mailboxes; Mailbox.KeywordNames gives the names.
// Slots 0–25 are the letters of dovecot-keywords, higher ones live in roost-keywords.
type Keywords struct {
	Letters uint32   // bit n: slot n, 0–25
	More    []uint16 // slots ≥ 26, ascending; immutable
}

// Record is what a mailbox knows of one message without opening it. A copy: it does not change.
type Record struct {
	UID      uint32
	Flags    Flags
	Keywords Keywords
	ModSeq   ModSeq
	Size     int64 // octets as stored, -1 when not known yet
	Wire     int64 // octets as sent (RFC822.SIZE), -1 when not known yet
	Time     int64 // INTERNALDATE: mtime in seconds since the epoch; MinInt64 when not known yet
}

// Changes is the answer to "what happened since": the basis of NOOP, IDLE and all push extensions.
type Changes struct {
	Now      ModSeq   // ask next time with this
	Changed  []Record // changed or new since, ascending UID
	Expunged []uint32 // gone since, ascending UID (only UIDs that existed at since)
	// Unknown: the expunge history does not reach back to since; Expunged is empty and the caller compares with UIDs().
	Unknown bool
}

// Status are the counters of a mailbox.
type Status struct {
	Messages, Unseen, Deleted uint32
	UIDNext, UIDValidity      uint32
	Recent                    uint32 // messages in new/ that no session has claimed
	Size                      int64  // sum of Wire; computed only when asked for (StatusSize)
	ModSeq                    ModSeq // HIGHESTMODSEQ, at least 1
	GUID                      string // 32 hex digits
}

// FlagOp is how SetFlags combines.
type FlagOp uint8

// Flag operations.
const (
	Replace FlagOp = iota
	Add
	Remove
)

// FlagChange describes a STORE. Keywords are names; new ones are created (up to the limit).
type FlagChange struct {
	Op       FlagOp
	Flags    Flags
	Keywords []string
	// UnchangedSince, when not nil, leaves messages with a greater ModSeq alone (RFC 7162).
	UnchangedSince *ModSeq
}

// Pair is a copied message: its UID in the source and in the target.
type Pair struct{ Src, Dst uint32 }

// MailboxAPI lists what *Mailbox offers; all methods may be called by many goroutines. It exists while the store is being written
// and goes when Mailbox has all of it.
type MailboxAPI interface {
	Name() string                                 // current UTF-8 name
	Release()                                     // give back what Store.Open returned
	Sync(ctx context.Context) error               // notice what others did; cheap when nothing changed. ErrGone when the mailbox was deleted
	Status() Status                               // counters without Size
	StatusSize() (int64, error)                   // sum of RFC822.SIZE; may read files whose size is unknown
	UIDs() []uint32                               // all UIDs ascending; immutable, shared
	Changes(since ModSeq) Changes                 // see Changes
	Now() ModSeq                                  // the latest change
	KeywordNames() []string                       // slot → name; append-only, immutable; "" for an unused slot
	Records(uids []uint32, dst []Record) []Record // appends the records of those uids that exist (uids ascending)
	Fill(rec *Record) error                       // make Size, Wire and Time known (may stat or read the file)
	FirstRecent() uint32                          // UIDs ≥ this are \Recent for a session that opened now with ClaimRecent
	ClaimRecent() uint32                          // SELECT: returns the first recent UID and moves new/ → cur/, so that the next session sees none
	OpenMessage(uid uint32) (*os.File, error)     // ErrGone when expunged
	Meta(uid uint32) (*message.Meta, error)       // from the cache, else parsed and cached
	CachedMeta(uid uint32) *message.Meta          // from the cache only, nil when absent
	SetFlags(ctx context.Context, uids []uint32, ch FlagChange) (changed []Record, modified []uint32, err error)
	Expunge(ctx context.Context, uids []uint32) (gone []uint32, err error) // removes these messages, whatever their flags
	CopyTo(ctx context.Context, uids []uint32, dst MailboxAPI) ([]Pair, error)
	MoveTo(ctx context.Context, uids []uint32, dst MailboxAPI) ([]Pair, error)
	NewDelivery() (Delivery, error)
	Wait() (wake <-chan struct{}, stop func()) // capacity-one channel that gets a value after every change; starts watching the directories
}

// Delivery collects 1..n messages for one mailbox and commits them together (APPEND, MULTIAPPEND, LMTP).
type Delivery interface {
	// Add streams one message into tmp/. r is read to its end; CRLF becomes LF. date zero means now.
	Add(r io.Reader, flags Flags, keywords []string, date time.Time) error
	// Commit numbers and links all of them durably and returns their UIDs in order. All or none.
	Commit(ctx context.Context) ([]uint32, error)
	// Abort removes the files in tmp/. Safe after Commit.
	Abort()
}

// StoreAPI lists what *Store offers: one user's mail root. Names are UTF-8 with the configured separator; INBOX in any case.
type StoreAPI interface {
	List() ([]Info, error)
	Create(name string) error
	Delete(name string) error
	Rename(from, to string) error
	Subscribed() ([]string, error)
	SetSubscribed(name string, on bool) error
	Open(name string) (MailboxAPI, error)
	Separator() byte
	Close() error
}

// Info is one line of a mailbox list, sorted by name with INBOX first.
type Info struct {
	Name        string
	NoSelect    bool // exists only as a parent
	HasChildren bool
	NoInferiors bool
}
