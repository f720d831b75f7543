package imap

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"roost/internal/tlsconf"
)

// lockedBuffer is a log that a test reads while the server writes.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func logTo(o *Options) *lockedBuffer {
	log := &lockedBuffer{}
	o.Log = slog.New(slog.NewTextHandler(log, nil))
	return log
}

// ends waits until the server has no connections.
func (ts *testServer) ends() {
	ts.t.Helper()
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
		ts.srv.mu.Lock()
		n := len(ts.srv.conns) + len(ts.srv.byAddr) + len(ts.srv.byUser)
		ts.srv.mu.Unlock()
		if n == 0 {
			return
		}
	}
	ts.t.Fatal("connections do not end")
}

// rest reads until the server closes the connection.
func (tc *testClient) rest() string {
	tc.t.Helper()
	tc.c.SetReadDeadline(time.Now().Add(10 * time.Second))
	b, err := io.ReadAll(tc.r)
	if err != nil && errors.Is(err, context.DeadlineExceeded) {
		tc.t.Fatal("the connection stays open")
	}
	return string(b)
}

func TestLoginTimeout(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, func(o *Options) { o.Limits.Login = 150 * time.Millisecond })
	silent, slow := ts.dial(), ts.dial()
	go func() {
		// An octet now and then does not make it longer.
		for range 100 {
			if _, err := slow.c.Write([]byte("a")); err != nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	for _, tc := range []*testClient{silent, slow} {
		if got := tc.rest(); got != "* BYE Login took too long\r\n" {
			t.Errorf("got %q", got)
		}
	}
	ts.ends()
}

func TestAutologout(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, func(o *Options) { o.Limits.Idle = 150 * time.Millisecond })
	waiting, idling := ts.login(), ts.login()
	idling.ok("SELECT INBOX")
	idling.send("x IDLE\r\n")
	idling.line()
	for _, tc := range []*testClient{waiting, idling} {
		if got := tc.rest(); got != "* BYE Autologout, idle for too long\r\n" {
			t.Errorf("got %q", got)
		}
	}
	ts.ends()
}

// A client that asks for much and reads nothing must not hold the server up.
func TestClientThatDoesNotRead(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, func(o *Options) { o.Limits.Write = 150 * time.Millisecond })
	tc := ts.login()
	for range 1000 {
		tc.c.SetWriteDeadline(time.Now().Add(time.Second))
		if _, err := tc.c.Write([]byte(strings.Repeat("x STATUS INBOX (MESSAGES)\r\n", 20))); err != nil {
			break
		}
		ts.srv.mu.Lock()
		n := len(ts.srv.conns)
		ts.srv.mu.Unlock()
		if n == 0 {
			return
		}
		if _, err := tc.c.Write(bytes.Repeat([]byte("x LIST \"\" *\r\n"), 1000)); err != nil {
			break // dropped, or our own buffers are full: the server no longer reads
		}
	}
	ts.ends()
}

func TestConnectionLimits(t *testing.T) {
	t.Parallel()
	for text, set := range map[string]func(*Limits){
		"Too many connections":                   func(l *Limits) { l.Connections = 2 },
		"Too many connections from your address": func(l *Limits) { l.PerAddress = 2 },
	} {
		ts := newTestServer(t, func(o *Options) {
			set(&o.Limits)
			logTo(o)
		})
		one, two := ts.login(), ts.dial()
		if got := ts.connect().rest(); got != "* BYE [UNAVAILABLE] "+text+"\r\n" {
			t.Errorf("got %q", got)
		}
		two.ok("LOGOUT")
		two.rest()
		one.ok("LOGOUT")
		one.rest()
		ts.ends()
		ts.login().ok("NOOP")
	}
}

func init() {
	commands["XPANIC"] = row{always, 0, func(*session, *command) error { panic("on purpose") }}
}

// A panic ends its session, is in the log with a stack, and nobody else notices.
func TestPanicEndsOneSession(t *testing.T) {
	t.Parallel()
	var log *lockedBuffer
	ts := newTestServer(t, func(o *Options) { log = logTo(o) })
	other, tc := ts.login(), ts.login()
	other.ok("SELECT INBOX")
	tc.ok("SELECT INBOX")
	tc.send("x XPANIC\r\n")
	tc.rest()
	other.ok("NOOP")
	if got := log.String(); !strings.Contains(got, "on purpose") || !strings.Contains(got, "server_test.go") {
		t.Errorf("the log says %q", got)
	}
	other.ok("LOGOUT")
	other.rest()
	ts.ends()
}

func TestShutdown(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, nil)
	fresh, waiting, idling := ts.dial(), ts.login(), ts.login()
	idling.ok("SELECT INBOX")
	idling.send("x IDLE\r\n")
	idling.line()
	appending := ts.login()
	appending.send("x APPEND INBOX {100}\r\n")
	appending.line()
	appending.send("Subject: half of it\r\n")
	start := time.Now()
	ts.stop()
	if d := time.Since(start); d > 3*time.Second {
		t.Errorf("took %v", d)
	}
	for _, tc := range []*testClient{fresh, waiting, idling, appending} {
		if got := tc.rest(); got != "* BYE [UNAVAILABLE] Server is shutting down\r\n" {
			t.Errorf("got %q", got)
		}
	}
	if c, err := net.Dial("tcp", ts.addr); err == nil {
		t.Error("still listening")
		c.Close()
	}
	if err := ts.srv.Serve(nowhere{}, false); err != ErrServerClosed {
		t.Errorf("Serve after Shutdown: %v", err)
	}
}

// nowhere is a listener that nobody connects to.
type nowhere struct{ net.Listener }

func (nowhere) Close() error { return nil }

// A session that hangs in a write is cut when the time is up.
func TestShutdownCutsOff(t *testing.T) {
	t.Parallel()
	var log *lockedBuffer
	ts := newTestServer(t, func(o *Options) { log = logTo(o) })
	tc := ts.login()
	go func() {
		for {
			if _, err := tc.c.Write(bytes.Repeat([]byte("x LIST \"\" *\r\n"), 1000)); err != nil {
				return
			}
		}
	}()
	time.Sleep(200 * time.Millisecond) // both directions are full
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	err := ts.srv.Shutdown(ctx)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 3*time.Second {
		t.Errorf("%v after %v\n%s", err, time.Since(start), log)
	}
	ts.ends()
}

func TestImplicitTLS(t *testing.T) {
	t.Parallel()
	src, err := tlsconf.SelfSigned(t.TempDir(), "mail.example.org", slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	ts := newTestServer(t, func(o *Options) {
		o.TLS = tlsconf.Config(src)
		o.Auth = testAuth{tlsOnly: true}
		logTo(o)
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go ts.srv.Serve(l, true)
	ts.addr = l.Addr().String()
	conn, err := tls.Dial("tcp", ts.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"imap"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	tc := &testClient{t: t}
	tc.upgrade(conn)
	if got := tc.line(); !strings.Contains(got, "AUTH=PLAIN") || strings.Contains(got, "STARTTLS") {
		t.Errorf("greeting %q", got)
	}
	tc.ok("LOGIN user secret")
	// A browser that speaks another protocol inside TLS, and a client without TLS.
	if c, err := tls.Dial("tcp", ts.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}); err == nil {
		t.Error("HTTP is welcome")
		c.Close()
	}
	plain := ts.connect()
	plain.send("a LOGIN user secret\r\n")
	if got := plain.rest(); strings.Contains(got, "OK") {
		t.Errorf("got %q", got)
	}
}

// What comes before login is bounded: octets that arrive are counted, announced ones cost nothing.
func TestFloodsBeforeLogin(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"parentheses":       "a ID " + strings.Repeat("(", 1<<20) + "\r\n",
		"no line end":       strings.Repeat("x", 1<<20),
		"huge literal":      "a LOGIN {2147483647}\r\nb LOGIN {9223372036854775807+}\r\n",
		"literals":          "a LOGIN " + strings.Repeat("{4000+}\r\n"+strings.Repeat("x", 4000)+" ", 100) + "\r\n",
		"NUL":               strings.Repeat("\x00", 1<<17) + "\r\n",
		"empty lines":       strings.Repeat("\r\n", 100_000),
		"bare CR":           strings.Repeat("\r", 1<<17) + "\n",
		"TLS on plain port": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ts := newTestServer(t, func(o *Options) {
				logTo(o)
				o.Limits.Login = 500 * time.Millisecond
			})
			tc := ts.dial()
			go io.WriteString(tc.c, text) // the server may hang up in the middle
			got := tc.rest()
			if strings.Contains(got, "OK") || len(got) > 1000 {
				t.Errorf("got %q", got)
			}
			ts.ends()
		})
	}
}

// TestIdleMemory bounds what a connection costs that waits for news: about 16 KiB with the client's end, more with the race detector.
func TestIdleMemory(t *testing.T) {
	const n, most = 1000, 24 << 10
	ts := newTestServer(t, func(o *Options) { o.Limits.PerUser, o.Limits.PerAddress = 2*n, 2*n })
	ts.deliver("", "new", "", "Subject: one\n\nbody\n")
	for range 5 {
		ts.idler() // pools and caches fill
	}
	before := memory()
	for range n {
		ts.idler()
	}
	if per := (memory() - before) / n; per > most {
		t.Errorf("%d octets for a connection", per)
	} else {
		t.Logf("%d octets for a connection, with the client's end", per)
	}
}

// idler logs in, selects INBOX and waits in IDLE, without keeping buffers of its own.
func (ts *testServer) idler() {
	ts.t.Helper()
	tc := ts.login()
	tc.ok("SELECT INBOX")
	tc.ok("FETCH 1 (FLAGS UID)")
	tc.send("x IDLE\r\n")
	tc.line()
	tc.r = nil
}

// memory is what heap and stacks hold once the garbage is out.
func memory() int {
	for range 3 { // stacks shrink by half each time
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}
