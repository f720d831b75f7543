package peertest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestOrderAsDovecot compares SORT and THREAD of both servers on the same mail.
func TestOrderAsDovecot(t *testing.T) {
	d := newDovecot(t)
	rng := rand.New(rand.NewPCG(11, 12))
	pick := func(words ...string) string { return words[rng.IntN(len(words))] }
	for _, sub := range []string{"cur", "new", "tmp"} {
		must(t, os.Mkdir(filepath.Join(d.root, sub), 0o700))
	}
	const groups, size = 30, 8
	for i := range groups * size {
		// Identifiers of one group refer to each other, in time and out of it.
		id := func() string { return fmt.Sprintf("<%d.%d@x>", i/size, rng.IntN(size+3)) }
		sent := time.Date(2024, 1, 1+rng.IntN(20), rng.IntN(24), rng.IntN(60), rng.IntN(60), 0, time.FixedZone("", (rng.IntN(21)-10)*3600))
		header := fmt.Sprintf("From: %s\nTo: %s\nCc: %s\nSubject: %s%s %d%s\n",
			pick("Ann <zoe@x.example>", "bob@x.example", `"Éric" <e@x.example>`, "=?utf-8?q?=C3=84nne?= <a@y.example>"),
			pick("c@z.example, d@z.example", "Carl <q@z.example>", "B@z.example"), pick("x@x.example", "y@x.example"),
			pick("", "Re: ", "[list] ", "Fwd: Re: ", "re[2]: "), pick("alpha", "Beta", "=?utf-8?q?gr=C3=BCn?="), rng.IntN(groups), pick("", "", " (fwd)"))
		if rng.IntN(10) > 0 {
			header += "Date: " + sent.Format(time.RFC1123Z) + "\n"
		}
		if rng.IntN(12) > 0 {
			header += "Message-ID: " + id() + "\n"
		}
		if n := rng.IntN(4); n > 0 {
			refs := ""
			for range n {
				refs += " " + id()
			}
			header += pick("References:", "References:", "In-Reply-To:") + refs + "\n"
		}
		name := filepath.Join(d.root, "cur", fmt.Sprintf("%d.M%dP1.test:2,", 1700000000+i, i))
		must(t, os.WriteFile(name, []byte(header+"\n"+strings.Repeat("x", rng.IntN(9))+"\n"), 0o600))
		arrival := time.Date(2024, 2, 1+rng.IntN(20), 0, 0, rng.IntN(3), 0, time.UTC)
		must(t, os.Chtimes(name, arrival, arrival))
	}
	d.own()
	theirs := d.client("dovecot")
	theirs.must(t, "SELECT INBOX")
	ours := d.roost().client("roost")
	ours.must(t, "SELECT INBOX")
	for _, command := range []string{
		"UID SORT (SUBJECT) UTF-8 ALL", "SORT (REVERSE SUBJECT REVERSE DATE) UTF-8 ALL", "SORT (DATE) UTF-8 ALL", "SORT (ARRIVAL) UTF-8 ALL", "SORT (REVERSE ARRIVAL) UTF-8 ALL",
		"SORT (FROM) UTF-8 ALL", "SORT (TO CC) UTF-8 ALL", "SORT (SIZE REVERSE TO) UTF-8 ALL", "SORT (DISPLAYFROM) UTF-8 ALL", "SORT (REVERSE DISPLAYTO DATE) UTF-8 ALL",
		"UID SORT RETURN (MIN MAX COUNT) (SUBJECT DATE) UTF-8 SUBJECT alpha",
		"THREAD REFERENCES UTF-8 ALL", "UID THREAD REFERENCES UTF-8 10:200 NOT SUBJECT alpha", "THREAD REFS UTF-8 ALL", "THREAD ORDEREDSUBJECT UTF-8 ALL",
	} {
		a, b := answerTo(ours.must(t, command)), answerTo(theirs.must(t, command))
		if a != b {
			t.Errorf("%s:\nroost   %s\ndovecot %s", command, a, b)
		}
	}
	ours.logout(t)
	theirs.logout(t)
}

// answerTo is the untagged answer, one thread a line, without the tag in an ESEARCH.
func answerTo(lines []string) string {
	text := strings.Join(lines, "\n")
	if i := strings.Index(text, ") UID"); i >= 0 {
		text = text[i:]
	}
	var b strings.Builder
	depth := 0
	for _, c := range text {
		if c == '(' {
			if depth == 0 {
				b.WriteByte('\n')
			}
			depth++
		} else if c == ')' {
			depth--
		}
		b.WriteRune(c)
	}
	return b.String()
}
