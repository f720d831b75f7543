package imap

import (
	"context"
	"net"
	"time"

	goimap "github.com/emersion/go-imap/v2"

	"roost/imap/wire"
	"roost/internal/auth"
	"roost/maildir"
)

// state of a session, as bits so that a dispatch row can name several.
type state uint8

const (
	notAuthenticated state = 1 << iota
	authenticated
	selected
)

// session is one connection's protocol state. One goroutine owns it: it reads commands, runs them and writes all responses.
type session struct {
	srv  *Server
	ctx  context.Context // ends when the connection closes or the server stops
	conn net.Conn
	rd   *wire.Reader
	enc  *wire.Encoder

	state     state
	user      *auth.User
	mail      *maildir.Store
	view      *view     // the selected mailbox, nil when none
	rev2      bool      // ENABLE IMAP4rev2
	utf8      bool      // ENABLE UTF8=ACCEPT
	condstore bool      // ENABLE CONDSTORE or implied
	saved     []uint32  // "$" (RFC 5182): UIDs ascending
	fetched   fetchMemo // section_stream.go
}

// command is one command being run.
type command struct {
	tag, name string // name as in the dispatch table: "UID FETCH"
	args      *wire.Decoder
	frame     *wire.Frame
	okCode    string // response code text of the final OK without brackets, e.g. "APPENDUID 1 2"
	okText    string // text of the final OK, "<Name> completed" when empty
}

// isUID tells whether the command was prefixed with UID.
func (c *command) isUID() bool { return len(c.name) > 4 && c.name[:4] == "UID " }

// response is an error that is sent as a tagged NO or BAD (or BYE).
type response struct {
	kind goimap.StatusResponseType
	code goimap.ResponseCode
	text string
}

func (r *response) Error() string { return string(r.kind) + " " + r.text }

func no(code goimap.ResponseCode, text string) error {
	return &response{goimap.StatusResponseTypeNo, code, text}
}
func bad(text string) error {
	return &response{goimap.StatusResponseTypeBad, "", text}
}

// view is what this session has been told about the selected mailbox. Sequence numbers exist only here: uids[i] has number i+1.
type view struct {
	box         *maildir.Mailbox
	readOnly    bool
	uids        []uint32 // told to the client; shared with the mailbox until they diverge, never written in place
	seen        maildir.ModSeq
	firstRecent uint32 // UIDs ≥ this are \Recent in this session
	keywords    int    // how many keyword slots have been announced in FLAGS
}

// seq returns the sequence number of uid, 0 when the view does not hold it.
func (v *view) seq(uid uint32) uint32 { panic("imap: being written") }

// tell notes that the client has been told of these records as they are now (by FETCH or STORE), so that sync does not tell it again.
func (v *view) tell(recs []maildir.Record) { panic("imap: being written") }

// knows tells whether the client has been told of the record as it is now.
func (v *view) knows(rec *maildir.Record) bool { panic("imap: being written") }

// resolve returns the UIDs of the view that set names, ascending, without duplicates. A sequence number above the view's count is a BAD
// (bad(...)); UIDs that do not exist are ignored. "$" is s.saved limited to the view.
func (s *session) resolve(set wire.Set, uid bool) ([]uint32, error) { panic("imap: being written") }

// sync asks the mailbox for changes and tells the client: EXISTS, RECENT, FLAGS, FETCH, and EXPUNGE only if expunge is set. poll: also look
// at the directories for what other programs did.
func (s *session) sync(poll, expunge bool) error { panic("imap: being written") }

// writeFlags writes the FLAGS list "(\Seen $Forwarded)" of a record.
func (s *session) writeFlags(rec *maildir.Record) { panic("imap: being written") }

// announceKeywords sends FLAGS and PERMANENTFLAGS when the mailbox has keywords that the client has not been told of.
func (s *session) announceKeywords() { panic("imap: being written") }

// continuation writes a "+ " line and flushes: the client may send its literal.
func (s *session) continuation() error { panic("imap: being written") }

// isStoreError tells whether err is one that is answered with a tagged NO (package maildir's kinds), after which the session goes on.
func isStoreError(err error) bool { panic("imap: being written") }

// keepalive is called now and then by long-running handlers: it extends the write deadline and returns an error when the client is gone.
func (s *session) keepalive() error { panic("imap: being written") }

// Server accepts connections. See Options.
type Server struct{ opt Options }

// Options configure a Server.
type Options struct {
	MaxAppend                 int64 // largest message, octets (APPENDLIMIT)
	IdleTimeout, LoginTimeout time.Duration
}
