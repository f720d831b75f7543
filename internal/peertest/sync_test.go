package peertest

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// kept is a message as one of two sides has it: with CRLF, and with those of its flags that both sides can hold.
type kept struct {
	flags []string
	body  string
}

var (
	subjectField = regexp.MustCompile(`(?mi)^Subject: *([^\r\n]*)`)
	// ownField is what mbsync adds to all messages that it copies, wherever to.
	ownField = regexp.MustCompile(`(?m)^X-TUID: .{12}\r\n`)
)

// listing is one line for each message, in an order that both sides agree on.
func listing(mail []kept) string {
	var lines []string
	for _, m := range mail {
		slices.Sort(m.flags)
		m.body = ownField.ReplaceAllString(m.body, "")
		subject := ""
		if found := subjectField.FindStringSubmatch(m.body); found != nil {
			subject = found[1]
		}
		lines = append(lines, fmt.Sprintf("%.50q %q %d octets, %.4x", subject, m.flags, len(m.body), sha256.Sum256([]byte(m.body))))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// kept is what roost tells a new session of a mailbox; flags not in hold are left out.
func (r *roost) kept(mailbox string, hold map[string]string) []kept {
	r.t.Helper()
	c := r.client("roost")
	defer c.logout(r.t)
	m, err := c.read(mailbox)
	must(r.t, err)
	var all []kept
	for _, msg := range m.messages {
		var flags []string
		for _, flag := range strings.Fields(msg.flags) {
			for _, held := range hold {
				if flag == held {
					flags = append(flags, flag)
				}
			}
		}
		all = append(all, kept{flags, msg.body})
	}
	return all
}

// maildirFlags are what the letters of a Maildir's file names mean to all programs.
var maildirFlags = map[string]string{"D": `\Draft`, "F": `\Flagged`, "R": `\Answered`, "S": `\Seen`, "T": `\Deleted`}

// kept is what is in the files of a folder, whose letters stand for the flags of hold.
func (b *box) kept(folder string, hold map[string]string) []kept {
	b.t.Helper()
	var all []kept
	for _, path := range b.files(folder) {
		text, err := os.ReadFile(path)
		must(b.t, err)
		var flags []string
		for _, letter := range flagsOf(path) {
			if flag, ok := hold[string(letter)]; ok {
				flags = append(flags, flag)
			}
		}
		all = append(all, kept{flags, crlf(string(text))})
	}
	return all
}

// agree checks that two sides have the same messages.
func agree(t *testing.T, mailbox string, near, far []kept) {
	t.Helper()
	n, f := listing(near), listing(far)
	if n == f {
		return
	}
	only := func(a, b string) string {
		others := strings.Split(b, "\n")
		lines := slices.DeleteFunc(strings.Split(a, "\n"), func(line string) bool { return slices.Contains(others, line) })
		return strings.Join(lines[:min(len(lines), 20)], "\n")
	}
	t.Errorf("%s: %d messages near, %d far; only near:\n%s\nonly far:\n%s", mailbox, len(near), len(far), only(n, f), only(f, n))
}

// account is an account that a program keeps in step with, and its mailboxes.
func account(t *testing.T) (b *box, r *roost, mailboxes []string) {
	t.Helper()
	b = newBox(t)
	b.wellKnown()
	b.folder("Real")
	for i := range 10 {
		b.deliver("Real", "", letter(fmt.Sprintf("number %d", i), 5*i))
	}
	return b, startRoost(t, b.root), []string{"INBOX", "Lists.Go", "B&APw-ro", "Real"}
}

// changeFar does to an account, between two runs of a program, what other programs do: some by IMAP, some in the files. It returns the mailboxes
// that there are now.
func changeFar(t *testing.T, b *box, r *roost) (mailboxes []string) {
	t.Helper()
	c := r.client("the other side")
	defer c.logout(t)
	find := func(subject string) (uids []string) {
		t.Helper()
		for _, line := range c.must(t, fmt.Sprintf("UID SEARCH SUBJECT %q", subject)) {
			if found, ok := strings.CutPrefix(line, "* SEARCH"); ok {
				uids = strings.Fields(found)
			}
		}
		return uids
	}
	uid := func(subject string) string {
		t.Helper()
		uids := find(subject)
		if len(uids) != 1 {
			t.Fatalf("%q is %q, want one message", subject, uids)
		}
		return uids[0]
	}
	third := b.file("", "third")
	must(t, os.Rename(third, strings.TrimSuffix(third, ":2,FRSa")+":2,S"))
	b.deliver("", "", letter("sixth", 6))
	c.must(t, "SELECT INBOX")
	c.must(t, "UID STORE "+uid("fourth")+` +FLAGS (\Flagged)`)
	c.must(t, "UID STORE "+uid("fourth")+` -FLAGS (Work)`)
	c.must(t, "UID STORE "+uid("first")+` +FLAGS (Work)`)
	c.must(t, "UID MOVE "+uid("second")+" Lists.Go")
	c.must(t, `APPEND Lists.Go (\Draft \Seen)`, crlf(letter("seventh", 7)))
	c.must(t, `RENAME B&APw-ro Office`)
	c.must(t, `SELECT Real`)
	c.must(t, `UID STORE `+uid("number 3")+`,`+uid("number 4")+` +FLAGS (\Deleted)`)
	c.must(t, `EXPUNGE`)
	c.must(t, `UID STORE 1:* +FLAGS (\Answered \Seen)`) // neomutt takes what is answered for seen
	c.must(t, `UID STORE `+uid("number 5")+` -FLAGS (\Answered)`)
	c.must(t, `CREATE New`)
	c.must(t, `UID COPY `+uid("number 6")+`:`+uid("number 8")+` New`)
	must(t, os.Remove(b.file("Real", "number 7"))) // its copy in New stays
	for begin := time.Now(); len(find("number 7")) > 0; time.Sleep(20 * time.Millisecond) {
		if time.Since(begin) > grace {
			t.Fatal("a removed file is still listed")
		}
	}
	return []string{"INBOX", "Lists.Go", "Office", "Real", "New"}
}

// changeNear does the same to a program's own Maildirs, whose folders are asked for by the names they have on the server.
func changeNear(t *testing.T, near func(mailbox string) (b *box, folder string)) {
	t.Helper()
	flag := func(mailbox, subject, flags string) {
		t.Helper()
		b, folder := near(mailbox)
		old := b.file(folder, subject)
		base, _, _ := strings.Cut(filepath.Base(old), ":2,")
		must(t, os.Rename(old, filepath.Join(b.dir(folder), "cur", base+":2,"+flags)))
	}
	flag("INBOX", "first", "FS")
	flag("Real", "number 1", "FRS")
	flag("Real", "number 5", "R")
	real, folder := near("Real")
	must(t, os.Remove(real.file(folder, "number 2")))
	must(t, os.Remove(real.file(folder, "number 9")))
	inbox, folder := near("INBOX")
	inbox.deliver(folder, "S", letter("eighth", 8))
	lists, folder := near("Lists.Go")
	lists.deliver(folder, "FS", letter("number 9", 45)) // moved here
}
