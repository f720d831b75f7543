package imap

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What servers say of modification sequences.
var (
	fetchModSeq = regexp.MustCompile(`MODSEQ \((\d+)\)`)
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
