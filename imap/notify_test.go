package imap

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// More mailboxes than one session may keep open are refused, however few were named; when they become too many later, the client hears that
// there will be nothing more.
func TestNotifyLimit(t *testing.T) {
	t.Parallel()
	const maxNotified = 20
	ts := newTestServer(t, func(o *Options) { o.Limits.Notify = maxNotified })
	for i := range maxNotified {
		for _, sub := range []string{"cur", "new", "tmp"} {
			if err := os.MkdirAll(filepath.Join(ts.root, fmt.Sprintf(".a.%d", i), sub), 0o700); err != nil {
				t.Fatal(err)
			}
		}
	}
	tc := ts.login()
	if _, tagged := tc.cmd("NOTIFY SET (personal (MessageNew MessageExpunge))"); !strings.HasPrefix(tagged, "NO [NOTIFICATIONOVERFLOW]") {
		t.Errorf("INBOX and %d more: %s", maxNotified, tagged)
	}
	tc.ok("NOTIFY SET (subtree a (MessageNew MessageExpunge))")
	other := ts.login()
	other.ok("CREATE a/more")
	if l := tc.line(); !strings.HasPrefix(l, "* OK [NOTIFICATIONOVERFLOW]") {
		t.Error(l)
	}
	other.ok("APPEND a/1 {14+}\r\nSubject: x\r\n\r\n")
	if lines := tc.ok("NOOP"); len(lines) > 0 {
		t.Errorf("told behind the overflow: %q", lines)
	}
	tc.ok(`LIST "" *`)
	tc.ok("NOTIFY SET (mailboxes a/1 (MessageNew MessageExpunge))")
	other.ok("APPEND a/1 {14+}\r\nSubject: x\r\n\r\n")
	if l := tc.line(); !strings.HasPrefix(l, "* STATUS a/1 (MESSAGES 2 ") {
		t.Error(l)
	}
}

// TestNotifyAfterList: a mailbox that a client learned of by LIST, before NOTIFY could tell of it, is told of when it goes.
func TestNotifyAfterList(t *testing.T) {
	ts := newTestServer(t, nil)
	tc, other := ts.login(), ts.login()
	tc.ok("NOTIFY SET (personal (MailboxName))")
	const text = "Subject: x\r\n\r\n"
	tc.send(fmt.Sprintf("a CREATE Short\r\nb LIST \"\" *\r\nc APPEND INBOX {%d}\r\n", len(text))) // the server does not wait in between
	for tc.line() != "+ Ready" {
	}
	other.ok("DELETE Short")
	tc.send(text + "\r\n")
	for !strings.HasPrefix(tc.line(), "c OK") {
	}
	if l := tc.line(); l != `* LIST (\NonExistent \HasNoChildren) "/" Short` {
		t.Error(l)
	}
}
