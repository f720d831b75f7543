package imap

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"roost/index"
	"roost/internal/auth"
	"roost/maildir"
)

// testServer is a server on loopback with the users "user" and "other" (password "secret") and real Maildirs.
type testServer struct {
	t        testing.TB
	srv      *Server
	addr     string
	root     string         // of "user"
	state    string         // the directory of state directories
	store    *maildir.Store // of "user"
	fullText *index.Index   // of "user"
	stop     func()         // ends the server and closes the stores
}

// testAuth knows two users.
type testAuth struct {
	tlsOnly bool                         // no passwords without TLS
	extra   map[string]map[string]string // extra fields by user
}

func (a testAuth) Password(_ context.Context, _ auth.Request, user, password string) (*auth.User, error) {
	if (user == "user" || user == "other") && password == "secret" {
		return &auth.User{Name: user, Extra: a.extra[user]}, nil
	}
	return nil, auth.ErrFailed
}

func (a testAuth) Mechanisms(req auth.Request) []string {
	if a.tlsOnly && req.TLS == nil {
		return nil
	}
	return []string{"PLAIN"}
}

func (a testAuth) Start(ctx context.Context, req auth.Request, mech string) (auth.Exchange, error) {
	if mech != "PLAIN" {
		return nil, auth.ErrFailed
	} else if a.tlsOnly && req.TLS == nil {
		return nil, auth.ErrPrivacyRequired
	}
	return &testPlain{a: a}, nil
}

type testPlain struct {
	a testAuth
	u *auth.User
}

func (p *testPlain) Next(response []byte) ([]byte, bool, error) {
	if response == nil {
		return nil, false, nil
	}
	parts := strings.Split(string(response), "\x00")
	if len(parts) != 3 {
		return nil, false, auth.ErrFailed
	}
	var err error
	p.u, err = p.a.Password(context.Background(), auth.Request{}, parts[1], parts[2])
	return nil, err == nil, err
}

func (p *testPlain) User() *auth.User { return p.u }

// newTestServer serves fresh Maildirs until the test ends.
func newTestServer(t testing.TB, change func(*Options)) *testServer {
	t.Helper()
	ts := &testServer{t: t, root: filepath.Join(t.TempDir(), "Maildir"), state: t.TempDir()}
	ts.open(change)
	return ts
}

// options are those of the store of "user" or "other".
func (ts *testServer) options(user, state string) maildir.Options {
	root := ts.root
	if user == "other" {
		root = filepath.Join(filepath.Dir(ts.root), "other")
	}
	return maildir.Options{Root: root, State: filepath.Join(state, user), Separator: '/', Create: true}
}

func (ts *testServer) open(change func(*Options)) {
	t := ts.t
	t.Helper()
	stores := map[string]*maildir.Store{}
	for _, user := range []string{"user", "other"} {
		s, err := maildir.OpenStore(ts.options(user, ts.state))
		if err != nil {
			t.Fatal(err)
		}
		stores[user] = s
	}
	ts.store = stores["user"]
	opt := Options{
		Hostname: "mail.example.org", Version: "test", Auth: testAuth{},
		Open: func(u *auth.User) (*maildir.Store, *index.Index, func(), error) {
			x := ts.fullText
			if u.Name != "user" {
				x = nil
			}
			return stores[u.Name], x, func() {}, nil
		},
		Find: func(name string) *auth.User {
			if stores[name] == nil {
				return nil
			}
			return &auth.User{Name: name}
		},
		Log: slog.New(slog.NewTextHandler(testLog{t}, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	if change != nil {
		change(&opt)
	}
	ts.srv = NewServer(opt)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ts.addr = l.Addr().String()
	go ts.srv.Serve(l, false)
	ts.stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := ts.srv.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		for _, s := range stores {
			s.Close()
		}
	})
	t.Cleanup(ts.stop)
}

// testLog sends the server's log to the test's.
type testLog struct{ t testing.TB }

func (l testLog) Write(p []byte) (int, error) {
	fmt.Fprintf(os.Stderr, "%s: %s", l.t.Name(), p)
	return len(p), nil
}

var delivered atomic.Int64

// deliver puts a message into new/ or cur/ of a mailbox ("" is INBOX) like a delivery agent, and returns its file name.
func (ts *testServer) deliver(mailbox, sub, info, body string) string {
	ts.t.Helper()
	dir := ts.root
	if mailbox != "" {
		dir = filepath.Join(ts.root, "."+mailbox)
	}
	name := fmt.Sprintf("%d.M%dP1.test%s", 1700000000+delivered.Add(1), delivered.Load(), info)
	tmp := filepath.Join(dir, "tmp", name)
	if err := os.WriteFile(tmp, []byte(body), 0o600); err != nil {
		ts.t.Fatal(err)
	}
	date := time.Date(2024, 2, 3, 4, 5, 6, 0, time.UTC)
	os.Chtimes(tmp, date, date)
	if err := os.Rename(tmp, filepath.Join(dir, sub, name)); err != nil {
		ts.t.Fatal(err)
	}
	return filepath.Join(dir, sub, name)
}

// testClient is one connection, spoken to in lines.
type testClient struct {
	t   testing.TB
	c   net.Conn
	r   *bufio.Reader
	tag int
}

// dial connects and reads the greeting.
func (ts *testServer) dial() *testClient {
	ts.t.Helper()
	tc := ts.connect()
	tc.line()
	return tc
}

// connect is dial without the greeting.
func (ts *testServer) connect() *testClient {
	ts.t.Helper()
	c, err := net.Dial("tcp", ts.addr)
	if err != nil {
		ts.t.Fatal(err)
	}
	ts.t.Cleanup(func() { c.Close() })
	tc := &testClient{t: ts.t}
	tc.upgrade(c)
	return tc
}

// upgrade goes on with another connection on top of the old one.
func (tc *testClient) upgrade(c net.Conn) { tc.c, tc.r = c, bufio.NewReaderSize(c, 1<<16) }

// login connects and logs in as "user".
func (ts *testServer) login() *testClient {
	ts.t.Helper()
	tc := ts.dial()
	tc.ok("LOGIN user secret")
	return tc
}

func (tc *testClient) send(s string) {
	tc.t.Helper()
	if _, err := io.WriteString(tc.c, s); err != nil {
		tc.t.Fatal(err)
	}
}

// line reads one response line, with its literals inside, without the last CRLF.
func (tc *testClient) line() string {
	tc.t.Helper()
	s, err := tc.readLine()
	if err != nil {
		tc.t.Fatalf("reading: %v (after %q)", err, s)
	}
	return s
}

func (tc *testClient) readLine() (string, error) {
	tc.c.SetReadDeadline(time.Now().Add(20 * time.Second))
	var b strings.Builder
	for {
		l, err := tc.r.ReadString('\n')
		b.WriteString(l)
		if err != nil {
			return b.String(), err
		}
		l = strings.TrimSuffix(l, "\r\n")
		i := strings.LastIndexByte(l, '{')
		if i < 0 || !strings.HasSuffix(l, "}") {
			return strings.TrimSuffix(b.String(), "\r\n"), nil
		}
		var n int64
		if _, err := fmt.Sscanf(l[i:], "{%d}", &n); err != nil {
			return strings.TrimSuffix(b.String(), "\r\n"), nil
		}
		if _, err := io.CopyN(&b, tc.r, n); err != nil {
			return b.String(), err
		}
	}
}

// cmd sends a command and returns the untagged responses and the tagged one.
func (tc *testClient) cmd(format string, args ...any) (untagged []string, tagged string) {
	tc.t.Helper()
	tc.tag++
	tag := fmt.Sprintf("t%d", tc.tag)
	tc.send(tag + " " + fmt.Sprintf(format, args...) + "\r\n")
	for {
		l := tc.line()
		if rest, ok := strings.CutPrefix(l, tag+" "); ok {
			return untagged, rest
		}
		untagged = append(untagged, l)
	}
}

// ok is cmd that must succeed.
func (tc *testClient) ok(format string, args ...any) []string {
	tc.t.Helper()
	untagged, tagged := tc.cmd(format, args...)
	if !strings.HasPrefix(tagged, "OK ") {
		tc.t.Fatalf("%s: %s", fmt.Sprintf(format, args...), tagged)
	}
	return untagged
}
