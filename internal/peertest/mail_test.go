package peertest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// letter makes a message whose subject is unlike any other's.
func letter(subject string, lines int) string {
	return fmt.Sprintf("Date: Tue, 02 Jan 2024 03:04:05 +0000\nFrom: Ann Other <ann@example.org>\nTo: peer@example.net\nSubject: %s\nMessage-ID: <%s@example.org>\n"+
		"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n%s",
		subject, strings.ReplaceAll(subject, " ", "."), strings.Repeat("Grüße aus dem Körper, line by line.\n", lines))
}

// crlf is a stored message as it goes over the wire.
func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

// box is a Maildir in a test's directory, written as a delivery agent and a user's mail program would have.
type box struct {
	t    *testing.T
	root string
	seq  int
}

func newBox(t *testing.T) *box {
	t.Helper()
	b := &box{t: t, root: filepath.Join(t.TempDir(), "Maildir")}
	b.folder("")
	return b
}

// folder makes a Maildir++ folder by its name on disk, "" is INBOX.
func (b *box) folder(name string) {
	b.t.Helper()
	for _, sub := range []string{"tmp", "new", "cur"} {
		must(b.t, os.MkdirAll(filepath.Join(b.dir(name), sub), 0o700))
	}
}

func (b *box) dir(folder string) string {
	if folder == "" {
		return b.root
	}
	return filepath.Join(b.root, "."+folder)
}

// deliver puts a message into new/, or with flags into cur/.
func (b *box) deliver(folder, flags, text string) {
	b.t.Helper()
	b.seq++
	name := fmt.Sprintf("%d.M%dP1.peers", 1700000000+b.seq, b.seq)
	sub := "new"
	if flags != "" {
		sub, name = "cur", name+":2,"+flags
	}
	tmp := filepath.Join(b.dir(folder), "tmp", name)
	must(b.t, os.WriteFile(tmp, []byte(text), 0o600))
	date := time.Date(2024, 2, 3, 4, 5, b.seq%60, 0, time.UTC)
	must(b.t, os.Chtimes(tmp, date, date))
	must(b.t, os.Rename(tmp, filepath.Join(b.dir(folder), sub, name)))
}

// files are the messages of a folder.
func (b *box) files(folder string) []string {
	b.t.Helper()
	var all []string
	for _, sub := range []string{"new", "cur"} {
		entries, err := os.ReadDir(filepath.Join(b.dir(folder), sub))
		must(b.t, err)
		for _, e := range entries {
			all = append(all, filepath.Join(b.dir(folder), sub, e.Name()))
		}
	}
	return all
}

// file is the message with this subject in a folder; there must be one.
func (b *box) file(folder, subject string) string {
	b.t.Helper()
	var found []string
	for _, path := range b.files(folder) {
		text, err := os.ReadFile(path)
		must(b.t, err)
		if bytes.Contains(text, []byte("Subject: "+subject+"\n")) {
			found = append(found, path)
		}
	}
	if len(found) != 1 {
		b.t.Fatalf("%d messages with subject %q in %q, want one; there are %q", len(found), subject, folder, b.files(folder))
	}
	return found[0]
}

// flagsOf are the letters of a message's file name.
func flagsOf(path string) string {
	_, flags, _ := strings.Cut(filepath.Base(path), ":2,")
	return flags
}

// corpus is real mail, as Maildirs store it: with LF.
func corpus(t *testing.T) map[string]string {
	t.Helper()
	root := filepath.Join("..", "..", "..", "shared", "corpus")
	all := map[string]string{}
	err := filepath.Walk(root, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() || info.Size() > 1<<18 || filepath.Ext(path) != ".eml" {
			return err
		}
		text, err := os.ReadFile(path)
		all[filepath.Base(path)] = strings.ReplaceAll(string(text), "\r\n", "\n")
		return err
	})
	if os.IsNotExist(err) {
		return nil
	}
	must(t, err)
	return all
}

// wellKnown fills a Maildir with what the tests of clients expect: an INBOX with flags and keywords, folders inside folders, a name beyond ASCII.
func (b *box) wellKnown() {
	b.t.Helper()
	write(b.t, filepath.Join(b.root, "dovecot-keywords"), "0 $Forwarded\n1 Work\n")
	b.deliver("", "", letter("first", 1))
	b.deliver("", "S", letter("second", 2000))
	b.deliver("", "FRSa", letter("third", 3))
	b.deliver("", "b", letter("fourth", 4))
	b.folder("Lists.Go")
	b.deliver("Lists.Go", "S", letter("in a folder", 1))
	b.folder("B&APw-ro") // Büro
	b.deliver("B&APw-ro", "", letter("im Büro", 1))
	write(b.t, filepath.Join(b.root, "subscriptions"), "V\t2\n\nINBOX\nLists\tGo\nB&APw-ro\n")
}

// addCorpus delivers real mail into a folder and returns the texts in the order of their numbers.
func (b *box) addCorpus(folder string) []string {
	b.t.Helper()
	mail := corpus(b.t)
	var names []string
	for name := range mail {
		names = append(names, name)
	}
	slices.Sort(names)
	var texts []string
	for _, name := range names {
		b.deliver(folder, "S", mail[name])
		texts = append(texts, mail[name])
	}
	return texts
}
