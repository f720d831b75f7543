package imap

import (
	"container/list"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"roost/imap/wire"
	"roost/index"
	"roost/internal/auth"
	"roost/maildir"
)

// Folder is a mailbox with a role that the configuration gives it.
type Folder struct {
	Name       string // UTF-8, with the user's separator
	SpecialUse string // `\Sent` …, or empty
	Auto       Auto
}

// Auto says what happens to a configured folder that does not exist.
type Auto uint8

// What happens at login.
const (
	AutoNo        Auto = iota // nothing
	AutoCreate                // it is created
	AutoSubscribe             // it is created and subscribed
)

// Limits bound what one client and all of them can take. A zero field means its default.
type Limits struct {
	Line        int           // octets of a command line without literals; 64 KiB + some
	Literal     int           // octets of a literal that is held in memory
	Command     int           // octets of a command with its literals
	Commands    int64         // octets of the commands of all connections together, beyond what each may always have
	Searching   int           // goroutines that read messages for SEARCH, of all connections together
	Depth       int           // nesting of parentheses, NOT and OR
	Append      int64         // octets of a message (APPENDLIMIT)
	Connections int           // in all
	BeforeLogin int           // that have not logged in: the oldest one goes when there is another
	PerUser     int           // of one user
	PerAddress  int           // from one address
	Messages    int           // that a command may be about (MESSAGELIMIT); 0: as many as there are
	Saved       int           // that a command may store (SAVELIMIT), when Messages is 0
	Metadata    int           // octets of an annotation (METADATA)
	Notify      int           // mailboxes that one client is told about (NOTIFY), which are kept open
	Login       time.Duration // from connection to login
	Idle        time.Duration // without a command: autologout (RFC 9051 §5.4: at least 30 minutes)
	Write       time.Duration // for the client to take a piece of a response
}

func (l Limits) withDefaults() Limits {
	def := func(p *int, n int) {
		if *p == 0 {
			*p = n
		}
	}
	def(&l.Line, 128<<10)
	def(&l.Literal, 1<<20)
	def(&l.Command, 4<<20)
	def(&l.Depth, 1000)
	def(&l.Searching, 16*runtime.GOMAXPROCS(0))
	def(&l.Connections, 5000)
	def(&l.BeforeLogin, 1000)
	def(&l.PerUser, 100)
	def(&l.PerAddress, 200)
	def(&l.Metadata, 64<<10)
	def(&l.Notify, 1000)
	if l.Commands == 0 {
		l.Commands = 256 << 20
	}
	if l.Append == 0 {
		l.Append = 100 << 20
	}
	if l.Login == 0 {
		l.Login = time.Minute
	}
	if l.Idle == 0 {
		l.Idle = 30 * time.Minute
	}
	if l.Write == 0 {
		l.Write = 2 * time.Minute
	}
	return l
}

// before login a client needs little.
func (l Limits) beforeLogin() wire.Limits {
	return wire.Limits{Line: 8 << 10, Literal: 4 << 10, Command: 16 << 10, Depth: 20, Discard: 64 << 10}
}

func (l Limits) afterLogin(b *wire.Budget) wire.Limits {
	return wire.Limits{Line: l.Line, Literal: l.Literal, Command: l.Command, Depth: l.Depth, Budget: b, Discard: 2*l.Append + 1<<20}
}

// Options configure a Server.
type Options struct {
	Hostname string      // of this server, for the greeting; empty: "localhost"
	Version  string      // of the program, for ID
	TLS      *tls.Config // nil: no STARTTLS and no implicit TLS
	Auth     auth.Authenticator
	// Open opens the mail of a user and its full-text index, which may be nil; release gives them back.
	Open func(*auth.User) (mail *maildir.Store, search *index.Index, release func(), err error)
	// Find returns another user, whose mail a URL names, nil when there is none of this name; nil: there are no others.
	Find func(name string) *auth.User
	// AllowPlaintext tells whether passwords may be sent without TLS from there.
	AllowPlaintext func(remote netip.Addr) bool
	Folders        []Folder
	Admin          string   // URI of whom users may ask, for the annotation /shared/admin; may be empty
	UIDOnly        bool     // UIDONLY is offered
	Attachments    bool     // their text counts as text of the body for SEARCH
	Disable        []string // capabilities that are turned off; CheckDisable looks them over
	Limits         Limits
	Log            *slog.Logger

	progress time.Duration // between notices of progress; tests are in more of a hurry
	aging    time.Duration // between looks at what time changes in searches that are followed; likewise
}

// Server accepts connections. Safe for concurrent use.
type Server struct {
	opt      Options
	off      *disabled     // Options.Disable
	sessions atomic.Uint64 // so far
	log      *slog.Logger
	memory   *wire.Budget    // of commands
	tokens   chan struct{}   // one for each goroutine that reads messages for SEARCH
	ctx      context.Context // ends when Shutdown begins: nothing new is begun, nobody waits any more
	cancel   context.CancelFunc
	cut      context.Context // ends when Shutdown has waited long enough: what still runs is broken off
	cutOff   context.CancelFunc

	mu        sync.Mutex // protects what follows
	listeners map[net.Listener]struct{}
	conns     map[*session]struct{}
	strangers list.List // of *session that have not logged in, oldest first
	byAddr    map[netip.Prefix]int
	byUser    map[string]int
	wg        sync.WaitGroup // sessions
}

// ErrServerClosed is what Serve returns after Shutdown.
var ErrServerClosed = errors.New("imap: server closed")

// NewServer returns a server that listens nowhere yet.
func NewServer(opt Options) *Server {
	opt.Limits = opt.Limits.withDefaults()
	if opt.progress == 0 {
		opt.progress = progressEvery
	}
	if opt.aging == 0 {
		opt.aging = agingEvery
	}
	if opt.Hostname == "" {
		opt.Hostname = "localhost"
	}
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	if opt.AllowPlaintext == nil {
		opt.AllowPlaintext = netip.Addr.IsLoopback
	}
	s := &Server{opt: opt, off: (*disabled)(nil).with(opt.Disable).with(opt.unconfigured()), log: opt.Log, memory: wire.NewBudget(opt.Limits.Commands), tokens: make(chan struct{}, opt.Limits.Searching),
		listeners: map[net.Listener]struct{}{}, conns: map[*session]struct{}{},
		byAddr: map[netip.Prefix]int{}, byUser: map[string]int{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.cut, s.cutOff = context.WithCancel(context.Background())
	return s
}

// Serve accepts connections from l until Shutdown, and closes it. implicitTLS: TLS from the first octet.
func (srv *Server) Serve(l net.Listener, implicitTLS bool) error {
	srv.mu.Lock()
	if srv.ctx.Err() != nil {
		srv.mu.Unlock()
		l.Close()
		return ErrServerClosed
	}
	srv.listeners[l] = struct{}{}
	srv.mu.Unlock()
	defer func() {
		srv.mu.Lock()
		delete(srv.listeners, l)
		srv.mu.Unlock()
		l.Close()
	}()
	delay := 5 * time.Millisecond
	for {
		c, err := l.Accept()
		if srv.ctx.Err() != nil {
			if c != nil {
				c.Close()
			}
			return ErrServerClosed
		}
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return err
			}
			// Out of file descriptors, or the client went away again: wait rather than give up.
			srv.log.Warn("accept failed", "cause", err)
			select {
			case <-time.After(delay):
			case <-srv.ctx.Done():
			}
			delay = min(2*delay, time.Second)
			continue
		}
		delay = 5 * time.Millisecond
		srv.start(c, implicitTLS)
	}
}

// start begins a session, or refuses the connection when there are too many.
func (srv *Server) start(c net.Conn, implicitTLS bool) {
	s := newSession(srv, c)
	srv.mu.Lock()
	lim := srv.opt.Limits
	why := ""
	switch {
	case srv.ctx.Err() != nil:
		why = "Server is shutting down"
	case len(srv.conns) >= lim.Connections:
		why = "Too many connections"
	case srv.byAddr[customer(s.remote)] >= lim.PerAddress:
		why = "Too many connections from your address"
	default:
		srv.conns[s] = struct{}{}
		srv.byAddr[customer(s.remote)]++
		srv.greet(s)
		srv.wg.Add(1)
	}
	srv.mu.Unlock()
	if why != "" {
		s.log.Warn("connection refused", "cause", why)
		if !implicitTLS {
			c.SetDeadline(time.Now().Add(100 * time.Millisecond))
			c.Write([]byte("* BYE [UNAVAILABLE] " + why + "\r\n"))
		}
		s.close()
		return
	}
	go func() {
		defer s.contain()
		defer srv.forget(s)
		defer s.close()
		defer s.contain()
		s.run(implicitTLS)
	}()
}

// contain is deferred: a panic ends this session and is in the log.
func (s *session) contain() {
	if p := recover(); p != nil {
		s.log.Error("a session panicked and was ended", "panic", p, "stack", string(debug.Stack()))
	}
}

// forget takes an ended session out of the tables.
func (srv *Server) forget(s *session) {
	addr := customer(s.remote)
	srv.mu.Lock()
	delete(srv.conns, s)
	srv.acquaint(s)
	if srv.byAddr[addr]--; srv.byAddr[addr] <= 0 {
		delete(srv.byAddr, addr)
	}
	srv.mu.Unlock()
	srv.wg.Done()
}

// Connections is how many there are at the moment.
func (srv *Server) Connections() int {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	return len(srv.conns)
}

// customer is what connections are counted by: an address, or the /64 that one IPv6 customer has.
func customer(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // of no address (a connection without one): the zero Prefix
	return p
}

// greet counts a session that has not logged in. When there are too many the oldest one has to go: who
// means it logs in sooner than a flood fills the list. Called with mu held.
func (srv *Server) greet(s *session) {
	if srv.strangers.Len() >= srv.opt.Limits.BeforeLogin {
		oldest := srv.strangers.Front().Value.(*session)
		srv.acquaint(oldest)
		oldest.conn.pushed.Store(true)
		oldest.conn.interrupt()
		oldest.log.Warn("closing", "cause", "too many connections that have not logged in")
	}
	s.stranger = srv.strangers.PushBack(s)
}

// acquaint takes a session out of the list of those that have not logged in; false when it is not there. Called with mu held.
func (srv *Server) acquaint(s *session) bool {
	if s.stranger == nil {
		return false
	}
	srv.strangers.Remove(s.stranger)
	s.stranger = nil
	return true
}

// enter counts a login; errUserLimit when the user has too many connections, errTurnedAway when the session had to go meanwhile.
func (srv *Server) enter(s *session, user string) error {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if srv.byUser[user] >= srv.opt.Limits.PerUser {
		return errUserLimit
	}
	if !srv.acquaint(s) {
		return errTurnedAway
	}
	srv.byUser[user]++
	return nil
}

// leave undoes enter. A session that is not over counts as one that has not logged in again.
func (srv *Server) leave(s *session, user string) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if srv.byUser[user]--; srv.byUser[user] <= 0 {
		delete(srv.byUser, user)
	}
	if s.ctx.Err() == nil {
		srv.greet(s)
	}
}

// Shutdown stops accepting, lets running commands finish, says BYE to every client, and returns when all sessions have ended or ctx
// has, in which case connections are cut.
func (srv *Server) Shutdown(ctx context.Context) error {
	defer srv.cutOff()
	srv.mu.Lock()
	srv.cancel()
	for l := range srv.listeners {
		l.Close()
	}
	for s := range srv.conns {
		s.conn.interrupt()
	}
	srv.mu.Unlock()
	done := make(chan struct{})
	go func() {
		srv.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	srv.cutOff()
	srv.mu.Lock()
	for s := range srv.conns {
		s.conn.Close()
	}
	srv.mu.Unlock()
	select {
	case <-done:
	case <-time.After(time.Second):
	}
	return ctx.Err()
}
