package imap

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// leftovers lists the files in all tmp/.
func (ts *testServer) leftovers() (files []string) {
	ts.t.Helper()
	for _, pattern := range []string{"tmp", "*/tmp", ".*/tmp"} {
		found, err := filepath.Glob(filepath.Join(ts.root, pattern, "*"))
		if err != nil {
			ts.t.Fatal(err)
		}
		files = append(files, found...)
	}
	return files
}

// TestAppendRefused: whatever is wrong with an APPEND, its octets are not taken for commands, nothing is stored, and the session goes on.
func TestAppendRefused(t *testing.T) {
	ts := newTestServer(t, nil)
	c := ts.login()
	c.ok("CREATE box")
	trap := "Subject: x\r\n\r\nz1 CREATE owned\r\n"
	lit := fmt.Sprintf("{%d+}\r\n%s", len(trap), trap)
	for _, tt := range []struct{ command, want string }{
		{"APPEND missing " + lit, "NO [TRYCREATE]"},
		{"APPEND missing " + lit + " " + lit, "NO [TRYCREATE]"},
		{`APPEND box (\Bogus) ` + lit, "BAD"},
		{`APPEND box "not a date" ` + lit, "BAD"},
		{"APPEND box {0+}\r\n", "NO"},
		{"APPEND box " + lit + " {0+}\r\n", "NO"}, // RFC 3502 §6.3.11: called off
		{"APPEND box " + lit + " (bad " + lit, "BAD"},
		{"APPEND box " + lit + " nonsense", "BAD"},
		{"APPEND box UTF8 (~" + lit + ")", "BAD"}, // not enabled
		{"APPEND box", "BAD"},
		{"APPEND missing {10}", "NO [TRYCREATE]"}, // synchronizing: not asked for
		{"APPEND box {9999999999999}", "NO [TOOBIG]"},
	} {
		a := c.do("%s", tt.command)
		if !strings.HasPrefix(a.status, tt.want) {
			t.Errorf("%.60q: %s, want %s", tt.command, a.status, tt.want)
		}
		c.ok("NOOP")
	}
	c.do("SELECT box").ok(t).one(t, "* 0 EXISTS")
	if a := c.do("SELECT owned"); !strings.HasPrefix(a.status, "NO") {
		t.Errorf("a literal was executed: %s", a.status)
	}
	if files := ts.leftovers(); len(files) > 0 {
		t.Errorf("left in tmp/: %v", files)
	}
}

// TestAppendDisconnect: a client that goes away in the middle leaves nothing behind.
func TestAppendDisconnect(t *testing.T) {
	ts := newTestServer(t, nil)
	for _, sent := range []string{"a APPEND INBOX {100+}\r\nSubject: x\r\n", "a APPEND INBOX {5+}\r\nabcde {100+}\r\nab", "a APPEND INBOX {5+}\r\nabcde"} {
		c := ts.login()
		c.send(sent)
		time.Sleep(10 * time.Millisecond)
		c.c.Close()
	}
	for deadline := time.Now().Add(5 * time.Second); len(ts.leftovers()) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("left in tmp/: %v", ts.leftovers())
		}
	}
	ts.login().do("SELECT INBOX").ok(t).one(t, "* 0 EXISTS")
}

// TestAppendBinary: NUL octets of a literal8 reach the file and come back, and so do those of a plain literal, in which they have no place
// (ARCHITECTURE.md).
func TestAppendBinary(t *testing.T) {
	c := newTestServer(t, nil).login()
	msg := "Subject: x\r\nContent-Transfer-Encoding: binary\r\n\r\na\x00b\r\n\x00"
	c.ok("APPEND INBOX ~{%d+}\r\n%s", len(msg), msg)
	c.ok("APPEND INBOX {%d+}\r\n%s", len(msg), msg)
	c.ok("SELECT INBOX")
	for n := 1; n <= 2; n++ {
		if got := string(c.do("FETCH %d BINARY.PEEK[]", n).ok(t).one(t, "BINARY[] ~{").literal(t)); got != msg {
			t.Errorf("%q, want %q", got, msg)
		}
		if got := string(c.do("FETCH %d BODY.PEEK[]", n).ok(t).one(t, "BODY[] {").literal(t)); got != msg {
			t.Errorf("%q, want %q", got, msg)
		}
	}
}

// TestMultiAppend: all messages or none, in order, and the selected mailbox shows them at once (RFC 3502, RFC 9051 §6.3.12).
func TestMultiAppend(t *testing.T) {
	c := newTestServer(t, nil).login()
	c.ok("SELECT INBOX")
	var b strings.Builder
	for i := range 5 {
		msg := fmt.Sprintf("Subject: n%d\r\n\r\n", i)
		fmt.Fprintf(&b, ` (\Seen k%d) "0%d-Feb-1994 21:52:25 -0800" {%d+}`+"\r\n%s", i, i+1, len(msg), msg)
	}
	a := c.do("APPEND INBOX%s", b.String()).ok(t)
	if !strings.HasSuffix(strings.SplitN(a.status, "]", 2)[0], " 1:5") {
		t.Errorf("status %q", a.status)
	}
	a.one(t, "* 5 EXISTS")
	a = c.do("FETCH 1:* (FLAGS INTERNALDATE BODY.PEEK[HEADER])").ok(t)
	for i := range 5 {
		want := time.Date(1994, 2, i+1, 21, 52, 25, 0, time.FixedZone("", -8*3600)).Local().Format(`INTERNALDATE "02-Jan-2006 15:04:05 -0700"`)
		u := a.one(t, fmt.Sprintf("* %d FETCH", i+1))
		if !strings.Contains(u.text, want) || !strings.Contains(u.text, fmt.Sprintf("k%d", i)) || string(u.literal(t)) != fmt.Sprintf("Subject: n%d\r\n\r\n", i) {
			t.Errorf("%q lacks %q", u.text, want)
		}
	}
}

// TestAppendWithoutTmp: when the disk fails in the middle, the rest of the literal is still no command.
func TestAppendWithoutTmp(t *testing.T) {
	ts := newTestServer(t, nil)
	c := ts.login()
	c.fill(1)
	tmp := filepath.Join(ts.root, "tmp")
	if err := os.Rename(tmp, tmp+"x"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(tmp, nil, 0o600); err != nil { // cannot be made good
		t.Fatal(err)
	}
	msg := strings.Repeat("z1 CREATE owned\r\n", 1000)
	a := c.do("APPEND INBOX {%d+}\r\n%s", len(msg), msg)
	if err := os.Remove(tmp); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(tmp+"x", tmp); err != nil {
		t.Fatal(err)
	}
	exists := "* 1 EXISTS"
	if strings.HasPrefix(a.status, "OK") {
		exists = "* 2 EXISTS" // the store had the directory open
	}
	c.do("SELECT INBOX").ok(t).one(t, exists)
	if a := c.do("SELECT owned"); !strings.HasPrefix(a.status, "NO") {
		t.Errorf("a literal was executed: %s", a.status)
	}
}
