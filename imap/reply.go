package imap

import (
	"errors"

	goimap "github.com/emersion/go-imap/v2"

	"roost/imap/wire"
	"roost/maildir"
)

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

// badCharset says what a client can always use; others are taken as well (RFC 9051 §6.4.4).
const badCharset goimap.ResponseCode = "BADCHARSET (US-ASCII UTF-8)"

// storeErrors are the kinds of errors of maildir with the code that tells the client about it (RFC 5530).
//
// OVERQUOTA also stands for a full disk: what the client can do about it, delete something, is the same, mail programs have words for it, and Dovecot
// answers so. LIMIT is about limits of the implementation, and UNAVAILABLE would have clients try the same again and again.
var storeErrors = []struct {
	err  error
	code goimap.ResponseCode
	text string
}{
	{maildir.ErrNotFound, goimap.ResponseCodeNonExistent, "No such mailbox"},
	{maildir.ErrNoSelect, goimap.ResponseCodeNonExistent, "This name only holds other mailboxes"},
	{maildir.ErrExists, goimap.ResponseCodeAlreadyExists, "Mailbox already exists"},
	{maildir.ErrInvalidName, goimap.ResponseCodeCannot, "Not a valid mailbox name"},
	{maildir.ErrCannot, goimap.ResponseCodeCannot, "Not possible with this mailbox"},
	{maildir.ErrHasChildren, "HASCHILDREN", "Mailbox has children"},
	{maildir.ErrGone, "EXPUNGEISSUED", "It was removed meanwhile"},
	{maildir.ErrLocked, goimap.ResponseCodeInUse, "Mailbox is locked by another program, try again"},
	{maildir.ErrQuota, goimap.ResponseCodeOverQuota, "Over quota"},
	{maildir.ErrFull, goimap.ResponseCodeOverQuota, "No space left"},
	{maildir.ErrPermission, goimap.ResponseCodeNoPerm, "The file system does not permit this"},
	{maildir.ErrLimit, goimap.ResponseCodeLimit, "A limit of the server was reached"},
	{maildir.ErrMemory, goimap.ResponseCodeUnavailable, "The server is short of memory, try again later"},
	{maildir.ErrTooBig, goimap.ResponseCodeTooBig, "Message is too big"},
}

// answer chooses the reply to an error; nil when the error is one of the connection, which ends the session.
func (s *session) answer(c *command, err error) *response {
	var r *response
	var syntax *wire.SyntaxError
	var charset *wire.CharsetError
	switch {
	case errors.As(err, &r):
		return r
	case errors.Is(err, maildir.ErrMoved):
		return errMailMoved
	case errors.As(err, &syntax):
		return &response{goimap.StatusResponseTypeBad, goimap.ResponseCode(syntax.Code), syntax.Text}
	case errors.As(err, &charset):
		return &response{goimap.StatusResponseTypeNo, badCharset, charset.Error()}
	}
	for _, k := range storeErrors {
		if errors.Is(err, k.err) {
			text := k.text
			if k.err == maildir.ErrInvalidName || k.err == maildir.ErrCannot {
				text = sentence(err) // says what is wrong with the name, and nothing of the server
			} else if k.err == maildir.ErrPermission || k.err == maildir.ErrFull || k.err == maildir.ErrLocked || k.err == maildir.ErrMemory {
				s.log.Warn("command failed", "command", c.name, "cause", err)
			}
			return &response{goimap.StatusResponseTypeNo, k.code, text}
		}
	}
	if s.isConnError(err) {
		return nil
	}
	s.log.Error("command failed", "command", c.name, "cause", err)
	return &response{goimap.StatusResponseTypeNo, goimap.ResponseCodeServerBug, "Internal error, see the server's log"}
}

// isConnError tells whether an error means the end of the connection. Once that has failed, whatever an error says, it cannot be
// answered; before, EOF and the like are about files.
func (s *session) isConnError(err error) bool {
	var fatal *wire.FatalError
	return err != nil && (s.conn.broken.Load() || s.ctx.Err() != nil || errors.As(err, &fatal))
}

// maxText bounds what a response line says of a name that the client sent.
const maxText = 300

// sentence is the error's text with a capital, fit for a response line.
func sentence(err error) string {
	text := err.Error()
	b := []byte(text[:min(len(text), maxText)])
	for i, c := range b {
		if c < ' ' || c >= 0x7f {
			b[i] = '?'
		}
	}
	if len(b) > 0 && b[0] >= 'a' && b[0] <= 'z' {
		b[0] -= 'a' - 'A'
	}
	return string(b)
}

// finish sends the tagged response.
func (s *session) finish(c *command, err error) error {
	kind, code, text := "OK", c.okCode, c.okText
	if err != nil {
		r := s.answer(c, err)
		if r == nil {
			return err
		}
		if r.kind == goimap.StatusResponseTypeBye {
			return r
		}
		kind, code, text = string(r.kind), string(r.code), r.text
	}
	if c.cut && kind != "BAD" {
		partly := limitCode(s.messageLimit(), c.lowest)
		if kind == "OK" && code == "" {
			code, text = partly, "Completed for some messages, the limit was reached"
		} else { // RFC 9738 §3.1: there is one code in a line
			s.enc.Raw("* NO [").Raw(partly).Raw("] The limit was reached").CRLF()
		}
	}
	if text == "" {
		text = c.name + " completed"
	}
	s.enc.Raw(c.tag).SP().Raw(kind).SP()
	if code != "" {
		s.enc.Raw("[").Raw(code).Raw("] ")
	}
	s.enc.Raw(text).CRLF()
	if kind == "BAD" && err != errCancelled && err != errLogInFirst { // a person may change their mind, and a mail program is still one
		return s.mistake()
	}
	return nil
}
