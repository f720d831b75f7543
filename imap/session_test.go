package imap

import (
	"strings"
	"testing"
)

func TestLoginSelect(t *testing.T) {
	ts := newTestServer(t, nil)
	ts.deliver("", "new", "", "Subject: one\n\nbody\n")
	c := ts.login()
	got := strings.Join(c.ok("SELECT INBOX"), "\n")
	for _, want := range []string{"* 1 EXISTS", "* 1 RECENT", "[UIDNEXT 2]", `[PERMANENTFLAGS (\Answered`, "[UNSEEN 1]"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	c.ok(`STORE 1 +FLAGS (\Seen kw)`)
	c.ok("NOOP")
	c.ok("LOGOUT")
}
