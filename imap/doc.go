// Package imap serves IMAP4rev1 (RFC 3501) and IMAP4rev2 (RFC 9051) over network connections: listeners, sessions, and one
// file per family of commands. It knows nothing of files and nothing of the full-text index; those are behind maildir and index.
//
// # Terms
//
// A session is the protocol state of one connection. A view is what a session has told its client about the selected
// mailbox; sequence numbers exist only there. A command is one line (with literals) of a client; its row in the dispatch table says
// in which states it may be sent, and whether EXPUNGE may be sent while it runs.
//
// # Invariants
//
//   - One goroutine owns a connection: it reads, runs commands and writes. While it waits in IDLE a helper goroutine may peek at the input, nothing
//     else.
//   - A client is never told of an EXPUNGE during FETCH, STORE or SEARCH, never of a message that it was not told of before, and sequence
//     numbers in responses are those of the moment they are sent (RFC 9051 §7.5.1).
//   - Nothing is written to a client with a lock of a mailbox held.
//   - An error is a response: handlers return it, and finish chooses the line. What went wrong in the server is in the log and not
//     in the response.
//   - A panic ends its session and nothing else.
//
// # Locks
//
// Server.mu protects the table of connections and is never held across input or output. The locks of maildir are below it and not
// visible here.
//
// # Files
//
//	server.go      listeners, limits, shutdown
//	conn.go        deadlines of a connection
//	session.go     the loop of one session
//	dispatch.go    the table of commands
//	capability.go  the table of capabilities
//	reply.go       errors to responses
//	auth.go        LOGIN, AUTHENTICATE, STARTTLS and relatives
//	select.go      SELECT, EXAMINE, CLOSE, UNSELECT
//	view.go        the view: sets and sequence numbers
//	sync.go        untagged responses about changes
//	idle.go        IDLE
//	list.go        LIST, LSUB, match.go their patterns
//	mailbox.go     CREATE, DELETE, RENAME, SUBSCRIBE, STATUS
//	fetch*.go, section*.go  FETCH
//	search*.go     SEARCH
//	store.go, copy.go, append.go, expunge.go  the commands of these names
package imap
