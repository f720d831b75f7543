package imap

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"roost/internal/tlsconf"
)

// countingContext is a context that counts what hangs on it.
type countingContext struct {
	context.Context
	done     chan struct{}
	children atomic.Int64
}

func (p *countingContext) Done() <-chan struct{} { return p.done }

// AfterFunc is how the context package hangs a child on a context that is not its own.
func (p *countingContext) AfterFunc(func()) func() bool {
	p.children.Add(1)
	return func() bool {
		p.children.Add(-1)
		return true
	}
}

// Whoever is refused leaves nothing behind, and neither does whoever was served.
func TestConnectionsLeaveNothing(t *testing.T) {
	t.Parallel()
	count := &countingContext{Context: context.Background(), done: make(chan struct{})}
	ts := newTestServer(t, func(o *Options) {
		o.Limits.Connections = 1
		logTo(o)
	})
	if err := ts.srv.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	ts.srv = NewServer(ts.srv.opt)
	ts.srv.cut = count
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ts.addr = l.Addr().String()
	go ts.srv.Serve(l, false)
	tc := ts.login()
	for range 20 {
		ts.connect().rest()
	}
	tc.ok("LOGOUT")
	tc.rest()
	ts.ends()
	if n := count.children.Load(); n != 0 {
		t.Errorf("%d contexts are left", n)
	}
}

// held are the XHOLD commands by server.
var held sync.Map

type hold struct{ begun, goOn chan struct{} }

func init() {
	// XHOLD runs until the test lets it go on, and then like a command that looks after its connection.
	commands["XHOLD"] = row{always, 0, func(s *session, _ *command) error {
		h, _ := held.Load(s.srv)
		close(h.(hold).begun)
		<-h.(hold).goOn
		return s.keepalive()
	}}
}

// What has begun when the server stops is finished and answered; what is waiting behind it is not begun.
func TestShutdownLetsCommandsFinish(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, nil)
	h := hold{make(chan struct{}), make(chan struct{})}
	held.Store(ts.srv, h)
	tc := ts.login()
	tc.ok("SELECT INBOX")
	tc.send("x XHOLD\r\ny CREATE late\r\n")
	<-h.begun
	done := make(chan error)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		done <- ts.srv.Shutdown(ctx)
	}()
	<-ts.srv.ctx.Done()
	select {
	case err := <-done:
		t.Fatalf("did not wait: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	close(h.goOn)
	if got, want := tc.rest(), "x OK XHOLD completed\r\n* BYE [UNAVAILABLE] Server is shutting down\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// When the time is up, a running command is told.
func TestShutdownStopsWaiting(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, func(o *Options) { logTo(o) })
	h := hold{make(chan struct{}), make(chan struct{})}
	held.Store(ts.srv, h)
	tc := ts.login()
	tc.send("x XHOLD\r\n")
	<-h.begun
	go func() {
		<-ts.srv.cut.Done()
		close(h.goOn)
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	if err := ts.srv.Shutdown(ctx); err != context.DeadlineExceeded {
		t.Error(err)
	}
	if got := tc.rest(); strings.Contains(got, "OK") {
		t.Errorf("got %q", got)
	}
	ts.ends()
}

// wiretap keeps what comes in over a connection.
type wiretap struct {
	net.Conn
	got bytes.Buffer
}

func (w *wiretap) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	w.got.Write(p[:n])
	return n, err
}

// A TLS connection ends with close_notify, whoever ends it: OpenSSL 3 reports an error otherwise.
func TestCloseNotify(t *testing.T) {
	t.Parallel()
	src, err := tlsconf.SelfSigned(t.TempDir(), "mail.example.org", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for name, last := range map[string]string{
		"LOGOUT":     "x LOGOUT\r\n",
		"not IMAP":   "GET / HTTP/1.1\r\nHost: x\r\n",
		"autologout": "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ts := newTestServer(t, func(o *Options) {
				o.TLS = tlsconf.Config(src)
				o.Limits.Login = 300 * time.Millisecond
				logTo(o)
			})
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			go ts.srv.Serve(l, true)
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			tap := &wiretap{Conn: c}
			// In TLS 1.2 the kind of a record can be seen.
			conn := tls.Client(tap, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12})
			if _, err := io.WriteString(conn, last); err != nil {
				t.Fatal(err)
			}
			said, err := io.ReadAll(conn)
			if err != nil || !bytes.Contains(said, []byte("* BYE ")) {
				t.Errorf("%q, %v", said, err)
			}
			kind, rest := byte(0), tap.got.Bytes()
			for len(rest) >= 5 {
				kind, rest = rest[0], rest[min(len(rest), 5+int(rest[3])<<8+int(rest[4])):]
			}
			if kind != 21 { // alert
				t.Errorf("the last record is of kind %d", kind)
			}
		})
	}
}

func TestCustomer(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff::2", true},
		{"2001:db8:1:2::1", "2001:db8:1:3::1", false},
		{"::1", "127.0.0.1", false},
	} {
		a, b := customer(netip.MustParseAddr(c.a)), customer(netip.MustParseAddr(c.b))
		if (a == b) != c.same || !a.IsValid() {
			t.Errorf("%s is %v, %s is %v", c.a, a, c.b, b)
		}
	}
	if customer(netip.Addr{}) != (netip.Prefix{}) {
		t.Error("no address has a network")
	}
}

// What a client says of itself is in the log once for each login, and cannot forge lines.
func TestIDIsLoggedOnce(t *testing.T) {
	t.Parallel()
	var log *lockedBuffer
	ts := newTestServer(t, func(o *Options) { log = logTo(o) })
	tc := ts.dial()
	for range 5 {
		tc.ok("ID (\"name\" {10}\r\na\r\nlevel=x)")
	}
	if got := log.String(); strings.Count(got, "msg=client") != 1 || strings.Contains(got, "\nlevel=x") {
		t.Errorf("the log says %q", got)
	}
}

// A client that has said all it has to say may close its side and still listen, as "printf … | ncat" does.
func TestHalfClosedClient(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, nil)
	for range 50 {
		ts.deliver("", "cur", ":2,", "Subject: one\n\nbody\n")
	}
	tc := ts.dial()
	tc.send("a LOGIN user secret\r\nb SELECT INBOX\r\nc FETCH 1:* (FLAGS ENVELOPE)\r\nd SEARCH BODY body\r\ne LOGOUT\r\n")
	if err := tc.c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got := tc.rest()
	for _, want := range []string{"\r\nc OK ", "\r\nd OK ", "\r\ne OK "} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %q", want, got[max(0, len(got)-200):])
		}
	}
}

// Whoever goes away while waiting is not missed for long.
func TestIdlerGoesAway(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, nil)
	for range 3 {
		tc := ts.login()
		tc.ok("SELECT INBOX")
		tc.send("x IDLE\r\n")
		tc.line()
		tc.c.Close()
	}
	ts.ends()
}

func TestListening(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	c := newTimedConn(server, time.Second)
	now := time.Now()
	if !c.listening(now) || !c.listening(now.Add(time.Hour)) {
		t.Error("a client that says nothing is gone")
	}
	client.(*net.TCPConn).CloseWrite()
	for until := time.Now().Add(5 * time.Second); stateOfPeer(server) != peerSilent; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("the end does not arrive")
		}
	}
	if !c.listening(now) || !c.listening(now.Add(halfClosed/2)) {
		t.Error("nobody works for a client that waits")
	}
	if c.listening(now.Add(2 * halfClosed)) {
		t.Error("a client that takes nothing is worked for too long")
	}
	c.silent = now.Add(-time.Hour)
	if _, err := c.Write([]byte("* 1 EXISTS\r\n")); err != nil {
		t.Fatal(err)
	}
	if !c.listening(now.Add(halfClosed / 2)) {
		t.Error("a client that takes what it is sent is gone")
	}
	// What has not been read makes the end a reset.
	client.Close()
	for until := time.Now().Add(5 * time.Second); c.listening(now); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("a reset is not noticed")
		}
	}
}
