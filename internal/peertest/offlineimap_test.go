package peertest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"
)

// offlineIMAP is a program that mirrors an account: each mailbox in a Maildir of its own, named as on the server.
func offlineIMAP(t *testing.T, r *roost) (near func(mailbox string) *box, sync func()) {
	t.Helper()
	path := need(t, "offlineimap")
	home := t.TempDir()
	rc := write(t, filepath.Join(home, "offlineimaprc"), fmt.Sprintf(`
[general]
accounts = roost
metadata = %[1]s/metadata
maxsyncaccounts = 1

[Account roost]
localrepository = near
remoterepository = far

[Repository near]
type = Maildir
localfolders = %[1]s/near
customflag_a = Work

[Repository far]
type = IMAP
createfolders = no
remotehost = localhost
remoteport = %[2]s
remoteuser = %[3]s
remotepass = %[4]s
ssl = yes
sslcacertfile = %[5]s
maxconnections = 2
`, home, r.tlsPort, login, password, r.certificate()))
	near = func(mailbox string) *box { return &box{t: t, root: filepath.Join(home, "near", mailbox), seq: 1000} }
	return near, func() {
		t.Helper()
		program{home: home, args: []string{path, "-c", rc, "-o", "-u", "basic"}}.run(t)
	}
}

// TestOfflineIMAP mirrors an account with offlineimap, changes both sides, and mirrors again.
func TestOfflineIMAP(t *testing.T) {
	b := newBox(t)
	b.wellKnown()
	r := startRoost(t, b.root)
	near, sync := offlineIMAP(t, r)
	same := func(folder string, far string, subjects ...string) {
		t.Helper()
		n, f := near(folder).files(""), b.files(far)
		if len(n) != len(subjects) || len(f) != len(subjects) {
			t.Errorf("%s: want %q\nnear %q\nfar %q", folder, subjects, n, f)
			return
		}
		for _, subject := range subjects {
			near(folder).file("", subject)
			b.file(far, subject)
		}
	}

	sync()
	same("INBOX", "", "first", "second", "third", "fourth")
	same("Lists.Go", "Lists.Go", "in a folder")
	same("B&APw-ro", "B&APw-ro", "im Büro")
	inbox := near("INBOX")
	if got := flagsOf(inbox.file("", "third")); got != "FRS" {
		t.Errorf("flags of the third message are %q here, want FRS", got)
	}

	old := inbox.file("", "second")
	must(t, os.Rename(old, filepath.Join(inbox.root, "cur", filepath.Base(old[:len(old)-1])+"FS")))
	must(t, os.Remove(inbox.file("", "third")))
	inbox.deliver("", "S", letter("from here", 2))
	c := r.client("roost")
	c.must(t, "SELECT INBOX")
	c.must(t, `UID STORE 4 +FLAGS (\Answered)`)
	c.must(t, `UID STORE 1 +FLAGS (\Deleted)`)
	c.must(t, "EXPUNGE")
	c.must(t, "APPEND Lists.Go", crlf(letter("from there", 3)))
	c.logout(t)
	sync()
	same("INBOX", "", "second", "fourth", "from here")
	same("Lists.Go", "Lists.Go", "in a folder", "from there")
	for subject, want := range map[string][2]string{"second": {"FS", "FS"}, "fourth": {"Ra", "Rb"}, "from here": {"S", "S"}} {
		if got := [2]string{flagsOf(inbox.file("", subject)), flagsOf(b.file("", subject))}; got != want {
			t.Errorf("%q has flags %q here and there, want %q", subject, got, want)
		}
	}
}

// TestOfflineIMAPAgrees has offlineimap run again after changes on both sides, and compares message by message, keywords as well. There is no
// real mail, because offlineimap does not keep it as it is: it writes what Python's parser makes of it.
func TestOfflineIMAPAgrees(t *testing.T) {
	b, r, mailboxes := account(t)
	near, sync := offlineIMAP(t, r)
	hold := maps.Clone(maildirFlags)
	hold["a"] = "Work"
	compare := func() {
		t.Helper()
		for _, mailbox := range mailboxes {
			agree(t, mailbox, near(mailbox).kept("", hold), r.kept(mailbox, hold))
		}
	}
	sync()
	compare()
	mailboxes = changeFar(t, b, r)
	changeNear(t, func(mailbox string) (*box, string) { return near(mailbox), "" })
	sync()
	compare()
	sync()
	compare()
}
