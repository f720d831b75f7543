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
//   - One goroutine owns a session and its connection: it reads, runs commands and writes. While it waits in IDLE a helper goroutine may peek
//     at the input, nothing else (idle.go); what blocks may be run by one that touches neither (progress.go). Other goroutines may interrupt or close the connection.
//   - A client is never told of an EXPUNGE during FETCH, STORE or SEARCH, never of one of a message that it was not told of before, and
//     sequence numbers in responses are those of the moment they are sent (RFC 9051 §7.5.1). Only sync.go tells.
//   - Nothing is written to a client with a lock of a mailbox held. What is kept with a mailbox for all sessions is immutable and needs no lock.
//   - An error is a response: handlers return it, and finish chooses the line (reply.go). What went wrong in the server is in the log and
//     not in the response. Once the connection has failed every error means its end.
//   - What varies by command, capability, FETCH item, SEARCH key or STATUS item is a row of a table.
//   - What a client can take is bounded by Limits: connections, time, memory. An announced size costs nothing.
//   - A panic ends its session and nothing else.
//   - Shutdown begins nothing new and ends what waits; a command that runs is finished and answered, as long as there is time.
//   - What came of a command is told, also when the session has to end behind it: a client that does not hear of its APPEND does it again.
//
// # Locks
//
// Server.mu protects the table of connections; it is a leaf, never held across input or output. timedConn.mu protects its deadlines, a
// leaf too. The locks of maildir are below and not visible here: no lock of this package is held when it is called.
//
// # Files
//
//	server.go      listeners, limits, shutdown
//	conn.go        deadlines of a connection; peer_linux.go: has the client hung up
//	session.go     the life of one session
//	dispatch.go    the table of commands
//	reply.go       errors to responses
//	progress.go    what takes long (INPROGRESS)
//	capability.go  the table of capabilities; CAPABILITY, ENABLE, ID, NAMESPACE
//	disable.go     capabilities that the administrator has turned off
//	language.go    LANGUAGE
//	messagelimit.go  MESSAGELIMIT, SAVELIMIT
//	auth.go        STARTTLS, LOGIN, AUTHENTICATE, UNAUTHENTICATE, LOGOUT
//	compress.go    COMPRESS
//	select.go      SELECT, EXAMINE, CLOSE, UNSELECT
//	view.go        what a session has been told: sets and sequence numbers
//	sync.go        untagged responses about changes
//	objectid.go    identifiers of messages, conversations and mailboxes
//	condstore.go   CONDSTORE and QRESYNC: what their commands share
//	idle.go        IDLE, and waiting for several things at once; notify.go, notify_names.go: NOTIFY
//	quota.go       GETQUOTA, GETQUOTAROOT, SETQUOTA
//	metadata.go    GETMETADATA, SETMETADATA and what else has annotations
//	list.go        LIST, LSUB and XLIST; match.go: their patterns
//	mailbox.go     CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, STATUS
//	fetch*.go, section*.go  FETCH
//	search*.go     SEARCH, and what SORT and THREAD share with it
//	sort*.go       SORT; subject.go: base subjects
//	thread*.go     THREAD
//	uidlists.go    lists of UIDs
//	context.go     searches whose results the client follows; context_age.go: what time changes in them
//	uidbatches.go  UIDBATCHES
//	multisearch.go ESEARCH in many mailboxes; filters.go: searches that are kept by name
//	catenate.go    messages made of others (CATENATE); url.go: messages that URLs name; urlauth.go: URLAUTH
//	uidonly.go     UIDONLY
//	store.go, copy.go, append.go, replace.go, expunge.go  the commands of these names
//
// Protocol behaviour is tested by testdata/transcripts, see transcript_test.go for their language.
package imap
