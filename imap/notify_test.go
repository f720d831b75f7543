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

// TestNotifyFetchOrder: when a command is answered, the client has been told of every change up to the highest MODSEQ that it saw, also if
// others made changes while new messages were sent to it. With that number it comes back (RFC 7162 §3.2).
func TestNotifyFetchOrder(t *testing.T) {
	t.Parallel()
	const (
		many = fetchBatchMeta + 20
		size = 100_000 // times fetchBatchSeen that is more than sockets hold
	)
	for _, item := range []string{"BODY.PEEK[]", "BODY[]"} {
		t.Run(item, func(t *testing.T) {
			t.Parallel()
			ts := newTestServer(t, nil)
			ts.deliver("", "cur", ":2,", "Subject: old\n\nx\n")
			tc, other := ts.login(), ts.login()
			tc.ok("ENABLE QRESYNC")
			tc.ok("SELECT INBOX")
			tc.ok("NOTIFY SET (selected-delayed (MessageNew (UID MODSEQ ENVELOPE %s) MessageExpunge FlagChange))", item)
			other.ok("SELECT INBOX")
			tc.send("n APPEND INBOX {3}\r\n") // the server does not look for news while it waits for this
			tc.line()
			text := "Subject: new\n\n" + strings.Repeat(strings.Repeat("x", 79)+"\n", size/80)
			for range many {
				ts.deliver("", "new", "", text)
			}
			tc.send("x\r\n\r\n")
			for !strings.HasPrefix(tc.line(), "* 2 FETCH") {
			}
			other.ok("NOOP")
			other.ok(`STORE 1 +FLAGS (\Flagged)`)
			other.ok(`STORE %d +FLAGS (\Answered)`, many+1)
			highest, first := 0, 0
			for {
				l := tc.line()
				if strings.HasPrefix(l, "n OK") {
					break
				}
				var n, modseq int
				if _, err := fmt.Sscanf(l, "* %d FETCH", &n); err != nil {
					continue
				}
				_, after, _ := strings.Cut(l, "MODSEQ (")
				if _, err := fmt.Sscanf(after, "%d", &modseq); err != nil {
					t.Fatalf("FETCH without MODSEQ: %.100q", l)
				}
				highest = max(highest, modseq)
				if n == 1 {
					first = modseq
				}
			}
			lines := tc.ok("UID FETCH 1 (MODSEQ)")
			var modseq int
			if _, err := fmt.Sscanf(lines[len(lines)-1], "* 1 FETCH (UID 1 MODSEQ (%d))", &modseq); err != nil {
				t.Fatal(lines, err)
			}
			if first != modseq && modseq <= highest {
				t.Errorf("change %d of message 1 was not told before OK, but %d was", modseq, highest)
			}
		})
	}
}
