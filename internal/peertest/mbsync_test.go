package peertest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mbsync is a program that keeps a Maildir in step with an account.
func mbsync(t *testing.T, r *roost) (near *box, sync func() string) {
	t.Helper()
	path := need(t, "mbsync")
	home := t.TempDir()
	near = &box{t: t, root: filepath.Join(home, "near"), seq: 1000}
	near.folder("")
	rc := write(t, filepath.Join(home, "mbsyncrc"), fmt.Sprintf(`
IMAPAccount roost
Host localhost
Port %s
User %s
Pass "%s"
SSLType IMAPS
CertificateFile %s

IMAPStore far
Account roost

MaildirStore near
Inbox %s
SubFolders Maildir++

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
Remove Both
SyncState *
`, r.tlsPort, login, password, r.certificate(), near.root))
	return near, func() string {
		t.Helper()
		return program{home: home, args: []string{path, "--config", rc, "--all", "--verbose"}}.run(t)
	}
}

// TestMbsync keeps a Maildir of mbsync's in step with roost's.
func TestMbsync(t *testing.T) {
	b := newBox(t)
	b.wellKnown()
	r := startRoost(t, b.root)
	near, sync := mbsync(t, r)
	count := func(x *box, folder string, want int) {
		t.Helper()
		if files := x.files(folder); len(files) != want {
			t.Errorf("%d messages in %q of %s, want %d: %q", len(files), folder, x.root, want, files)
		}
	}
	flags := func(x *box, folder, subject, want string) {
		t.Helper()
		if got := flagsOf(x.file(folder, subject)); got != want {
			t.Errorf("%q of %s has flags %q, want %q", subject, x.root, got, want)
		}
	}
	state := func() string { // of both sides
		var all string
		for _, x := range []*box{b, near} {
			for _, folder := range []string{"", "Lists.Go", "B&APw-ro"} {
				all += fmt.Sprintln(x.files(folder))
			}
		}
		return all
	}

	sync()
	count(near, "", 4)
	count(near, "Lists.Go", 1)
	flags(near, "", "third", "FPRS") // mbsync knows $Forwarded as P
	before := state()
	sync()
	if now := state(); now != before {
		t.Errorf("the second run changed\n%s to\n%s", before, now)
	}

	// Changes on both sides: here a flag, a removal, a new message; there the same, and a flag on a message that has keywords.
	rename := func(x *box, folder, subject, flags string) {
		t.Helper()
		old := x.file(folder, subject)
		base, _, _ := strings.Cut(filepath.Base(old), ":2,")
		must(t, os.Rename(old, filepath.Join(x.dir(folder), "cur", base+":2,"+flags)))
	}
	rename(near, "", "fourth", "FS")
	rename(near, "", "third", "FPRST")
	near.deliver("Lists.Go", "S", letter("from near", 3))
	b.deliver("", "", letter("from far", 3))
	c := r.client("roost")
	c.must(t, "SELECT INBOX")
	c.must(t, `UID STORE 1 +FLAGS (\Deleted)`)
	c.must(t, `EXPUNGE`)
	c.must(t, `UID STORE 2 +FLAGS (\Flagged)`)
	c.must(t, "CREATE New.Deep")
	c.logout(t)
	sync()
	for _, x := range []*box{b, near} {
		count(x, "", 3)
		count(x, "Lists.Go", 2)
		count(x, "New.Deep", 0)
		flags(x, "", "second", "FS")
		flags(x, "Lists.Go", "from near", "S")
		x.file("", "from far")
	}
	flags(near, "", "fourth", "FS")
	flags(b, "", "fourth", "FSb") // keeps its keyword

	// The server's UIDVALIDITY and UIDs stay: nothing is fetched again after a restart, with and without the state directory.
	before = state()
	r.stop()
	must(t, os.RemoveAll(filepath.Join(r.state, "mail")))
	r.start()
	sync()
	if now := state(); now != before {
		t.Errorf("a restart changed\n%s to\n%s", before, now)
	}
}

// TestMbsyncAgrees has mbsync run again after changes on both sides, and compares message by message.
func TestMbsyncAgrees(t *testing.T) {
	b, r, mailboxes := account(t)
	b.addCorpus("Real")
	near, sync := mbsync(t, r)
	hold := maps.Clone(maildirFlags)
	hold["P"] = "$Forwarded"
	compare := func() {
		t.Helper()
		for _, mailbox := range mailboxes {
			folder := mailbox
			if mailbox == "INBOX" {
				folder = ""
			}
			agree(t, mailbox, near.kept(folder, hold), r.kept(mailbox, hold))
		}
	}
	sync()
	compare()
	mailboxes = changeFar(t, b, r)
	changeNear(t, func(mailbox string) (*box, string) {
		if mailbox == "INBOX" {
			return near, ""
		}
		return near, mailbox
	})
	sync()
	compare()
	sync()
	compare()
}
