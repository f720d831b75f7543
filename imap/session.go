package imap

import (
	"container/list"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	goimap "github.com/emersion/go-imap/v2"

	"roost/imap/wire"
	"roost/index"
	"roost/internal/auth"
	"roost/internal/tlsconf"
	"roost/maildir"
)

// state of a session, as bits so that a dispatch row can name several.
type state uint8

const (
	notAuthenticated state = 1 << iota
	authenticated
	selected
)

// session is one connection's protocol state. One goroutine owns it: it reads commands, runs them and writes all responses. Others may
// cancel ctx and interrupt or close conn.
type session struct {
	srv    *Server
	log    *slog.Logger
	ctx    context.Context // of commands: ends when the connection closes or the server no longer waits for them
	cancel context.CancelFunc
	conn   *timedConn
	tls    *tlsconf.Conn // nil in plaintext
	remote netip.Addr
	rd     *wire.Reader
	enc    *wire.Encoder

	id        uint64 // of all sessions of the process
	state     state
	user      *auth.User
	mail      *maildir.Store
	fullText  *index.Index // nil: none
	release   func()       // gives mail back
	stay      func() bool  // no longer ends the session when mail is moved away
	off       *disabled    // capabilities that are turned off
	view      *view        // the selected mailbox, nil when none
	polled    time.Time    // when the directories were looked at last
	rev2      bool         // ENABLE IMAP4rev2
	condstore bool         // the client knows of mod-sequences (RFC 7162 §3.1)
	qresync   bool         // ENABLE QRESYNC
	uidOnly   bool         // ENABLE UIDONLY
	notify    *notifier    // nil before NOTIFY
	annotated metadataNews
	utf8      bool         // ENABLE UTF8=ACCEPT
	saved     []uint32     // "$" (RFC 5182): UIDs ascending
	fetched   fetchMemo    // section_stream.go
	mistakes  int          // bad commands before login
	named     bool         // what the client says of itself is in the log
	layer     *compression // nil: there was no COMPRESS below the reader yet
	ending    bool         // after this command the connection is closed
	lastAlive time.Time    // when keepalive looked at the connection last
	progress  progress     // of the running command

	stranger *list.Element // of Server.strangers, nil once logged in; protected by Server.mu
}

func newSession(srv *Server, c net.Conn) *session {
	s := &session{srv: srv, id: srv.sessions.Add(1), state: notAuthenticated, off: srv.off}
	s.conn = newTimedConn(c, srv.opt.Limits.Write)
	if a, err := netip.ParseAddrPort(c.RemoteAddr().String()); err == nil {
		s.remote = a.Addr().Unmap()
	}
	s.log = s.logger("")
	s.ctx, s.cancel = context.WithCancel(srv.cut)
	s.limitLogin()
	s.rd = wire.NewReader(s.conn, srv.opt.Limits.beforeLogin())
	s.enc = wire.NewEncoder(s.conn)
	return s
}

// logger returns the log of this session, as what is known of it at the time.
func (s *session) logger(user string) *slog.Logger {
	log := s.srv.log.With("remote", s.remote)
	if user != "" {
		log = log.With("user", user)
	}
	return log
}

// limitLogin bounds the time until the next login.
func (s *session) limitLogin() { s.conn.limit(time.Now().Add(s.srv.opt.Limits.Login), 0) }

// close gives back everything.
func (s *session) close() {
	s.cancel()
	if s.tls != nil && !s.conn.deaf.Load() {
		// OpenSSL 3 takes a connection that ends without it for one that an attacker cut. An error concerns nobody any more.
		_ = s.tls.CloseWrite()
	}
	s.conn.Close()
	s.rd.Done()
	s.logout()
}

// run is the life of the session. What waits in IDLE is below it, on a stack that Go halves when less than a quarter of it is in use; so this
// and what is between has small frames.
func (s *session) run(implicitTLS bool) {
	if implicitTLS {
		if err := s.startTLS(); err != nil {
			s.log.Info("TLS handshake failed", "cause", err)
			return
		}
	}
	s.greet()
	for s.enc.Flush() == nil && !s.ending {
		if err := s.next(); err != nil {
			s.bye(err)
			return
		}
	}
}

// greet writes the first line.
func (s *session) greet() {
	s.enc.Raw("* OK [CAPABILITY ").Raw(s.capabilities()).Raw("] ").Raw(s.srv.opt.Hostname).Raw(" Roost ready").CRLF()
}

// next reads and runs one command. An error ends the session.
func (s *session) next() error {
	if err := s.srv.ctx.Err(); err != nil {
		return err
	}
	if s.rd.Buffered() == 0 {
		if s.state != notAuthenticated {
			s.conn.limit(time.Time{}, s.srv.opt.Limits.Idle)
		}
		s.rd.Done() // who waits holds no memory
		if s.notify != nil {
			if err := s.awaitNotify(false); err != nil {
				return err
			}
		} else if err := s.rd.Peek(); err != nil {
			return err
		}
	}
	if s.state != notAuthenticated {
		s.conn.limit(time.Time{}, s.srv.opt.Limits.Write)
	}
	f, err := s.rd.ReadCommand(s.continuation)
	var syntax *wire.SyntaxError
	if errors.As(err, &syntax) {
		switch s.enc.Raw(tagOf(syntax.Tag)); syntax.Code {
		case "":
			s.enc.Raw(" BAD ")
		case wire.Unavailable:
			s.enc.Raw(" NO [").Raw(syntax.Code).Raw("] ").Raw(syntax.Text).CRLF()
			s.log.Warn("a command was refused, no room for it (limits.memory)")
			return nil
		default:
			s.enc.Raw(" BAD [").Raw(syntax.Code).Raw("] ")
		}
		s.enc.Raw(syntax.Text).CRLF()
		return s.mistake()
	}
	if err != nil {
		return err
	}
	f.Args.UTF8 = s.utf8 || s.rev2
	err = s.dispatch(f)
	s.progress = progress{}
	return err
}

func tagOf(tag string) string {
	if tag == "" {
		return "*"
	}
	return tag
}

// maxMistakes is how many commands before login may be bad.
const maxMistakes = 2

var errNoClient = &wire.FatalError{Text: "This is an IMAP server, and that was not IMAP"}

// mistake counts what no mail program sends before login. When there are too many the connection goes: it is a port scanner, or a browser
// made to talk to us (cross-protocol attacks).
func (s *session) mistake() error {
	if s.state == notAuthenticated {
		if s.mistakes++; s.mistakes >= maxMistakes {
			return errNoClient
		}
	}
	return nil
}

// bye ends the session with a word to the client, if it can still hear it.
func (s *session) bye(err error) {
	var fatal *wire.FatalError
	var answer *response
	text := ""
	switch {
	case s.srv.ctx.Err() != nil:
		text = "[UNAVAILABLE] Server is shutting down"
	case errors.As(err, &answer):
		text = answer.text
	case err == errHandshake:
		return // nothing we could say would be understood
	case errors.As(err, &fatal):
		text = fatal.Text
		s.log.Info("closing", "cause", fatal.Text)
	case s.mail != nil && s.mail.Check() != nil:
		text = errMailMoved.text
	case errors.Is(err, os.ErrDeadlineExceeded):
		switch {
		case s.conn.pushed.Load():
			text = "[UNAVAILABLE] Too many connections that have not logged in"
		case s.state == notAuthenticated:
			text = "Login took too long"
		default:
			text = "Autologout, idle for too long"
		}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return
	default:
		s.log.Info("connection lost", "cause", err)
		return
	}
	s.enc.Raw("* BYE ").Raw(text).CRLF()
	s.enc.Flush()
}

// continuation asks for a synchronizing literal or the next SASL response.
func (s *session) continuation() error {
	s.enc.Raw("+ Ready").CRLF()
	return s.enc.Flush()
}

// keepalive is called now and then by long-running handlers: it returns an error when the client is gone or the server waits no longer.
func (s *session) keepalive() error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	if now := time.Now(); now.Sub(s.lastAlive) > time.Second {
		s.lastAlive = now
		if !s.conn.listening(now) {
			s.cancel()
			return io.EOF
		}
	}
	return nil
}

// startTLS makes the connection a TLS one. Whatever the client sent in plaintext behind the command is dropped (CVE-2021-33515).
func (s *session) startTLS() error {
	t := tlsconf.Server(s.conn, s.srv.opt.TLS)
	if err := t.HandshakeContext(s.srv.ctx); err != nil {
		return err
	}
	s.tls, s.layer = t, nil
	s.rd.Reset(t)
	s.enc.Reset(t)
	return nil
}

// request describes where this session's logins come from.
func (s *session) request() auth.Request {
	req := auth.Request{Remote: s.remote}
	if s.tls != nil {
		cs := s.tls.ConnectionState()
		req.TLS, req.Endpoint = &cs, s.tls.Endpoint()
	}
	return req
}

// login makes the session an authenticated one.
func (s *session) login(u *auth.User) error {
	if err := s.srv.enter(s, u.Name); err != nil {
		return err
	}
	mail, fullText, release, err := s.srv.opt.Open(u)
	if err != nil {
		s.srv.leave(s, u.Name)
		s.log.Error("cannot open the mail of a user", "user", u.Name, "cause", err)
		return no(goimap.ResponseCodeUnavailable, "Mail cannot be opened, ask the administrator to look at the log")
	}
	s.user, s.mail, s.fullText, s.release = u, mail, fullText, release
	s.stay = context.AfterFunc(mail.Context(), s.conn.interrupt)
	s.state = authenticated
	s.mistakes = 0
	s.rd.SetLimits(s.srv.opt.Limits.afterLogin(s.srv.memory))
	s.log = s.logger(u.Name)
	s.disableFor(u.Extra[disableField])
	s.createFolders()
	return nil
}

// logout forgets the user.
func (s *session) logout() {
	s.endNotify()
	s.unselect()
	if s.user == nil {
		return
	}
	s.stay()
	s.release()
	s.srv.leave(s, s.user.Name)
	s.user, s.mail, s.fullText, s.release, s.saved = nil, nil, nil, nil, nil
	s.rev2, s.condstore, s.qresync, s.utf8, s.enc.UTF8, s.named = false, false, false, false, false, false
	s.uidOnly = false
	s.state, s.off, s.annotated = notAuthenticated, s.srv.off, metadataNews{}
	s.log = s.logger("")
}

// command is one command being run.
type command struct {
	tag, name string // name as in the dispatch table: "UID FETCH"
	args      *wire.Decoder
	frame     *wire.Frame
	cut       bool   // the limit of messages ended the command (messagelimit.go)
	lowest    uint32 // UID down to which messages were looked at when it did; 0 when they were in several mailboxes
	okCode    string // response code text of the final OK without brackets, e.g. "APPENDUID 1 2"
	okText    string // text of the final OK, "<Name> completed" when empty
}

// isUID tells whether the command was prefixed with UID.
func (c *command) isUID() bool { return strings.HasPrefix(c.name, "UID ") }
