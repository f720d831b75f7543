package peertest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestInterIMAP keeps two accounts in step, both Roost's. InterIMAP knows nothing but QRESYNC, and is the one that sends known UIDs and sequence
// numbers with it.
func TestInterIMAP(t *testing.T) {
	path := need(t, "interimap")
	b, r, mailboxes := account(t)
	near := newBox(t)
	other := startRoost(t, near.root)
	home := t.TempDir()
	must(t, os.Mkdir(filepath.Join(home, "data"), 0o700))
	side := func(name, kind, port string) string {
		return fmt.Sprintf("[%s]\ntype = %s\nhost = localhost\nport = %s\nSTARTTLS = NO\nSSL_verify = NO\nusername = %s\npassword = %s\n", name, kind, port, login, password)
	}
	rc := write(t, filepath.Join(home, "rc"), "database = "+filepath.Join(home, "data", "db")+"\n"+side("local", "imap", other.port)+"auth = LOGIN\n"+side("remote", "imaps", r.tlsPort))
	interimap := func(args ...string) string {
		t.Helper()
		return program{home: home, args: append([]string{path, "--config=" + rc}, args...)}.run(t)
	}
	hold := map[string]string{"a": "$Forwarded", "b": "Work", "D": `\Draft`, "F": `\Flagged`, "R": `\Answered`, "S": `\Seen`}
	compare := func() {
		t.Helper()
		for _, mailbox := range mailboxes {
			agree(t, mailbox, other.kept(mailbox, hold), r.kept(mailbox, hold))
		}
	}
	interimap()
	compare()

	mailboxes = changeFar(t, b, r)
	near.deliver("", "S", letter("eighth", 8))
	c := other.client("near")
	c.must(t, "RENAME B&APw-ro Office")
	c.must(t, "SELECT Real")
	c.must(t, `STORE 2 +FLAGS (\Flagged Later)`)
	c.must(t, `STORE 3,10 +FLAGS (\Deleted)`)
	c.must(t, "EXPUNGE")
	c.must(t, "MOVE 1 Lists.Go")
	c.logout(t)
	interimap("--target=database", "--rename", "B&APw-ro", "Office")
	contains(t, "InterIMAP", interimap("--debug"), "SELECT Real (QRESYNC (", "VANISHED (EARLIER) ")
	compare()

	interimap() // of what it had done itself
	compare()
}
