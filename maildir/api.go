package maildir

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

// AllFlags is a message with all of them.
const AllFlags = Seen | Answered | Flagged | Deleted | Draft

// FlagSets is a set of combinations of system flags: bit 1<<f stands for the messages that have the flags f and no others.
type FlagSets uint32

// AllFlagSets are all combinations.
const AllFlagSets FlagSets = 1<<(AllFlags+1) - 1

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

// Info is one line of a mailbox list, sorted by name with INBOX first.
type Info struct {
	Name        string
	NoSelect    bool // exists only as a parent
	HasChildren bool
	NoInferiors bool
}
