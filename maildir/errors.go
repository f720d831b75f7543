package maildir

import "errors"

// Kinds of errors; use errors.Is. imap chooses the response code from them.
var (
	ErrNotFound    = errors.New("no such mailbox")                      // [NONEXISTENT]
	ErrExists      = errors.New("mailbox already exists")               // [ALREADYEXISTS]
	ErrInvalidName = errors.New("invalid mailbox name")                 // [CANNOT]
	ErrCannot      = errors.New("not possible with this mailbox")       // [CANNOT], e.g. DELETE INBOX
	ErrHasChildren = errors.New("mailbox has children")                 // [HASCHILDREN]
	ErrNoSelect    = errors.New("mailbox only holds other mailboxes")   // [NONEXISTENT] on SELECT
	ErrGone        = errors.New("mailbox or message was removed")       // [EXPUNGEISSUED] or BYE
	ErrLocked      = errors.New("mailbox is locked by another program") // [INUSE]
	ErrFull        = errors.New("disk or quota full")                   // [OVERQUOTA]
	ErrQuota       = errors.New("over quota")                           // [OVERQUOTA]
	ErrPermission  = errors.New("permission denied by the file system") // [NOPERM]
	ErrLimit       = errors.New("limit reached")                        // [LIMIT]
	ErrMemory      = errors.New("too much mail is in memory")           // [UNAVAILABLE]
	ErrTooBig      = errors.New("message too big")                      // [TOOBIG]
)
