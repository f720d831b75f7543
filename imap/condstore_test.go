package imap

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What servers say of modification sequences.
var (
	fetchModSeq = regexp.MustCompile(`MODSEQ \((\d+)\)`)
	noted       = regexp.MustCompile(`\[(UIDVALIDITY|HIGHESTMODSEQ) (\d+)\]`)
)

// TestDelayedExpungeKeepsHighest: while an EXPUNGE has to wait, the client is told a HIGHESTMODSEQ below it (RFC 7162 §3.2), so that it hears of the EXPUNGE
// when it comes back after the connection broke, although it has seen a higher MODSEQ.
func TestDelayedExpungeKeepsHighest(t *testing.T) {
	for _, command := range []string{`STORE 1 +FLAGS.SILENT (\Flagged)`, "FETCH 1,3 (FLAGS MODSEQ)"} {
		ts := newTestServer(t, nil)
		c, d := ts.login(), ts.login()
		c.fill(4)
		c.ok("ENABLE QRESYNC")
		c.ok("SELECT INBOX")
		d.ok("SELECT INBOX")
		d.ok(`STORE 2 +FLAGS.SILENT (\Deleted)`)
		d.ok("EXPUNGE")
		d.ok(`STORE 1 +FLAGS.SILENT (\Seen)`)
		highest, code := "", ""
		for _, l := range c.ok("%s", command) {
			if m := fetchModSeq.FindStringSubmatch(l); m != nil {
				highest = max(highest, m[1])
			} else if m := noted.FindStringSubmatch(l); m != nil {
				code = m[2]
			}
		}
		if code == "" || code >= highest {
			t.Errorf("%s: HIGHESTMODSEQ %q, MODSEQ %q", command, code, highest)
		}
		back := ts.login()
		back.ok("ENABLE QRESYNC")
		validity := ""
		for _, l := range back.ok("EXAMINE INBOX") {
			if m := noted.FindStringSubmatch(l); m != nil && m[1] == "UIDVALIDITY" {
				validity = m[2]
			}
		}
		lines := back.ok("EXAMINE INBOX (QRESYNC (%s %s))", validity, code)
		if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "* VANISHED (EARLIER) 2") }) {
			t.Errorf("%s: not told of the EXPUNGE: %q", command, lines)
		}
		// Once it is told there is nothing to say any more.
		c.ok("NOOP")
		if lines := c.ok("STORE 1 -FLAGS.SILENT (work)"); slices.ContainsFunc(lines, noted.MatchString) {
			t.Errorf("%q", lines)
		}
	}
}

// TestRestoredHidesVanished: a message that is restored from a backup after the state was lost takes the place of one that is gone, so that all above have the
// numbers they had. The client is told of what is gone all the same.
func TestRestoredHidesVanished(t *testing.T) {
	ts := newTestServer(t, nil)
	var files []string
	for range 4 {
		files = append(files, ts.deliver("", "cur", ":2,", "Subject: x\n\nbody\n"))
	}
	c := ts.login()
	c.ok("ENABLE QRESYNC")
	c.ok("SELECT INBOX")
	os.Rename(files[2], ts.root+"/backup")
	validity, highest := "", ""
	for _, l := range c.ok("SELECT INBOX") {
		if m := noted.FindStringSubmatch(l); m != nil && m[1] == "UIDVALIDITY" {
			validity = m[2]
		} else if m != nil {
			highest = m[2]
		}
	}
	ts.stop()
	os.RemoveAll(ts.state)
	os.Rename(ts.root+"/backup", files[2])
	os.Remove(files[1])
	ts.open(nil)
	c = ts.login()
	c.ok("ENABLE QRESYNC")
	lines := c.ok("SELECT INBOX (QRESYNC (%s %s (1,3 1,4)))", validity, highest)
	if !slices.Contains(lines, "* VANISHED (EARLIER) 2") || !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "* 2 FETCH (UID 3 ") }) {
		t.Errorf("%q", lines)
	}
}
