package imap

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"roost/imap/wire"
)

// Those who do not log in push each other out, and not those who do.
func TestConnectionsBeforeLogin(t *testing.T) {
	t.Parallel()
	var log *lockedBuffer
	ts := newTestServer(t, func(o *Options) {
		o.Limits.BeforeLogin = 2
		log = logTo(o)
	})
	known := ts.login()
	oldest, second := ts.dial(), ts.dial()
	third := ts.dial()
	if got := oldest.rest(); got != "* BYE [UNAVAILABLE] Too many connections that have not logged in\r\n" {
		t.Errorf("the oldest got %q", got)
	}
	second.ok("LOGIN user secret")
	fourth := ts.dial() // takes the place of the second
	third.ok("NOOP")
	fourth.ok("NOOP")

	// Who logs out of an account without leaving is one of them again, and the youngest.
	known.ok("UNAUTHENTICATE")
	third.rest()
	fourth.ok("LOGIN user secret")
	known.ok("LOGIN user secret")
	second.ok("NOOP")
	for _, tc := range []*testClient{known, second, fourth} {
		tc.ok("LOGOUT")
		tc.rest()
	}
	ts.ends()
	if n := ts.srv.strangers.Len(); n != 0 {
		t.Errorf("%d strangers at the end", n)
	}
	if n := strings.Count(log.String(), "too many connections that have not logged in"); n != 2 {
		t.Errorf("%d connections in the log:\n%s", n, log)
	}
}

// What the commands of all connections take together is bounded: those for which there is no room are refused, the session goes on, and
// what is done gives its room back.
func TestCommandMemory(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, func(o *Options) {
		o.Limits.Commands = 550 << 10
		logTo(o)
	})
	const size = 250 << 10
	big := func(tag string) string {
		return fmt.Sprintf("%s SELECT {%d+}\r\n%s", tag, size, bytes.Repeat([]byte("y"), size))
	}
	holders := []*testClient{ts.login(), ts.login()}
	for _, tc := range holders {
		tc.send(big("x")) // without its end
	}
	left := func() int64 { return ts.srv.memory.Left() }
	for until := time.Now().Add(10 * time.Second); left() > 100<<10; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%d octets left, while two commands are held", left())
		}
	}
	other := ts.login()
	for name, text := range map[string]string{
		"literal":     big("x") + "\r\n",
		"asked first": fmt.Sprintf("x SELECT {%d}\r\n", size),
		"long line":   "x SELECT " + strings.Repeat("y", 120<<10) + "\r\n",
	} {
		other.send(text)
		if got := other.line(); !strings.HasPrefix(got, "x NO [UNAVAILABLE] ") {
			t.Errorf("%s: %q", name, got)
		}
		other.ok("NOOP")
	}
	for _, tc := range holders {
		tc.send("\r\n")
		if got := tc.line(); !strings.HasPrefix(got, "x NO ") || strings.Contains(got, "UNAVAILABLE") {
			t.Errorf("a command with room: %q", got)
		}
	}
	for until := time.Now().Add(10 * time.Second); left() != 550<<10; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%d octets left, when nobody holds any", left())
		}
	}
	other.send(big("x") + "\r\n")
	if got := other.line(); !strings.HasPrefix(got, "x NO ") || strings.Contains(got, wire.Unavailable) {
		t.Errorf("with all the room again: %q", got)
	}
	gone := ts.login()
	gone.send(big("x"))
	gone.c.Close()
	for _, tc := range append(holders, other) {
		tc.ok("LOGOUT")
		tc.rest()
	}
	ts.ends()
	if left() != 550<<10 {
		t.Errorf("%d octets left at the end", left())
	}
}

// One token is enough for searches of many sessions.
func TestSearchingTakesTurns(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, func(o *Options) { o.Limits.Searching = 1 })
	for i := range 50 {
		ts.deliver("", "cur", ":2,", fmt.Sprintf("Subject: %d\n\nneedle%d\n", i, i%2))
	}
	clients := make([]*testClient, 5)
	for i := range clients {
		clients[i] = ts.login()
		clients[i].ok("SELECT INBOX")
	}
	for _, tc := range clients {
		tc.send("x SEARCH RETURN (COUNT) BODY needle1\r\n")
	}
	for _, tc := range clients {
		if got := tc.line(); !strings.Contains(got, "COUNT 25") {
			t.Errorf("got %q", got)
		}
	}
	if n := len(ts.srv.tokens); n > 1 {
		t.Errorf("%d tokens are taken", n)
	}
}
