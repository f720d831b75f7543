package imap

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"roost/maildir"
)

func TestSplitFlags(t *testing.T) {
	flags, keywords, err := splitFlags([]string{`\seen`, "$Forwarded", `\DELETED`, "$forwarded", "x"}, false)
	if err != nil || flags != maildir.Seen|maildir.Deleted || !slices.Equal(keywords, []string{"$Forwarded", "x"}) {
		t.Errorf("%v %v %v", flags, keywords, err)
	}
	for _, name := range []string{`\Recent`, `\Nope`, `\*`} {
		if _, _, err := splitFlags([]string{name}, false); err == nil {
			t.Errorf("STORE of %s was taken", name)
		}
	}
	if _, keywords, err := splitFlags([]string{`\recent`}, true); err != nil || len(keywords) != 0 {
		t.Errorf(`\Recent in APPEND: %v %v`, keywords, err)
	}
}

// TestStoreTells: STORE answers once, .SILENT not at all, and others are told by their next command.
func TestStoreTells(t *testing.T) {
	ts := newTestServer(t, nil)
	c, d := ts.login(), ts.login()
	c.fill(3)
	c.ok("SELECT INBOX")
	d.ok("SELECT INBOX")
	a := c.do(`STORE 1:2 +FLAGS (\Flagged work)`).ok(t)
	for i := 1; i <= 2; i++ {
		u := a.one(t, fmt.Sprintf("* %d FETCH", i))
		if !strings.Contains(u.text, `\Flagged`) || !strings.Contains(u.text, "work") || strings.Contains(u.text, "UID") {
			t.Error(u.text)
		}
	}
	if a := c.do("NOOP").ok(t); len(a.untagged) > 0 {
		t.Errorf("told again: %q", a.texts())
	}
	d.do("NOOP").ok(t).one(t, "* 2 FETCH")
	if a := c.do(`UID STORE 2 FLAGS (\Flagged work)`).ok(t); !strings.Contains(a.one(t, "* 2 FETCH").text, "UID 2") {
		t.Errorf("no change is answered, too: %q", a.texts())
	}
	if a := c.do(`STORE 3 +FLAGS.SILENT (\Seen)`).ok(t); len(a.untagged) > 0 {
		t.Errorf(".SILENT says %q", a.texts())
	}
	if a := c.do("NOOP").ok(t); len(a.untagged) > 0 {
		t.Errorf("told of a silent change: %q", a.texts())
	}
	// RFC 9051 §6.4.6: .SILENT does not hide what others did.
	d.do(`STORE 3 +FLAGS.SILENT (\Draft)`).ok(t)
	a = c.do(`STORE 3 +FLAGS.SILENT (\Answered)`).ok(t)
	if u := a.one(t, "* 3 FETCH"); !strings.Contains(u.text, `\Draft`) || !strings.Contains(u.text, `\Answered`) {
		t.Error(u.text)
	}
}

// TestStoreSilentMeetsRename: what another program changed the moment before is told although nobody had noticed it yet.
func TestStoreSilentMeetsRename(t *testing.T) {
	ts := newTestServer(t, nil)
	const messages = 20
	var files []string
	for range messages {
		files = append(files, ts.deliver("", "cur", ":2,", "Subject: x\n\nbody\n"))
	}
	c := ts.login()
	c.ok("ENABLE IMAP4rev2")
	c.ok("SELECT INBOX")
	c.ok("STORE 1:* FLAGS.SILENT (work)")
	for i, file := range files {
		if err := os.Rename(file+"a", file+"FSa"); err != nil {
			t.Fatal(err)
		}
		a := c.do([]string{`STORE %d -FLAGS.SILENT (\Draft)`, `STORE %d +FLAGS.SILENT (\Answered other)`}[i%2], i+1).ok(t)
		if u := a.one(t, fmt.Sprintf("* %d FETCH", i+1)); !strings.Contains(u.text, `\Seen`) || !strings.Contains(u.text, "work") {
			t.Error(u.text)
		}
	}
	if a := c.do("NOOP").ok(t); len(a.untagged) > 0 {
		t.Errorf("told again: %q", a.texts())
	}
}

// TestConcurrentStores: many clients change flags and fetch in one mailbox; in the end all agree.
func TestConcurrentStores(t *testing.T) {
	ts := newTestServer(t, nil)
	ts.login().fill(20)
	const clients = 6
	var wg sync.WaitGroup
	var all []*testClient
	for i := range clients {
		d := ts.login()
		d.ok("ENABLE IMAP4rev2") // has no \Recent, in which they may differ
		d.ok("SELECT INBOX")
		all = append(all, d)
		wg.Go(func() {
			for n := range 15 {
				d.cmd("UID STORE %d:%d +FLAGS (k%d)", n+1, n+3, i)
				d.cmd("UID FETCH %d BODY[]", n+1)
				d.cmd("UID STORE %d -FLAGS.SILENT (\\Seen)", n+1)
			}
		})
	}
	wg.Wait()
	var first []string
	for i, d := range all {
		d.ok("NOOP")
		texts := d.do("FETCH 1:20 (UID FLAGS)").ok(t).texts()
		if i == 0 {
			first = texts
		} else if !slices.Equal(texts, first) {
			t.Errorf("client %d sees %q, client 0 %q", i, texts, first)
		}
	}
	if len(first) != 20 || !strings.Contains(first[5], "k0") || !strings.Contains(first[5], "k5") {
		t.Errorf("%q", first)
	}
}
