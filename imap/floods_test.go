package imap

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// What a logged-in client sends is bounded, too: much of what mail programs send is taken, too much is refused in a short answer, and the
// session goes on wherever it is known where the next command begins.
func TestFloodsAfterLogin(t *testing.T) {
	t.Parallel()
	var ranges, keywords strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&ranges, "%d,", 2*i+1)
	}
	for i := range 5_000 {
		fmt.Fprintf(&keywords, "k%d ", i)
	}
	for name, c := range map[string]struct{ text, want string }{
		"many UIDs":            {"x UID FETCH " + ranges.String() + "1 FLAGS", "x OK "},
		"many UIDs in search":  {"x UID SEARCH UID " + ranges.String() + "1", "x OK "},
		"many patterns":        {`x LIST "" (` + strings.Repeat("* ", 999) + "*)", "x OK "},
		"slow pattern":         {`x LIST "" ` + strings.Repeat("*a", 30_000), "x OK "},
		"too many patterns":    {`x LIST "" (` + strings.Repeat("* ", 20_000) + "*)", "x BAD "},
		"same items":           {"x STATUS INBOX (" + strings.Repeat("MESSAGES ", 10_000) + "MESSAGES)", "x OK "},
		"parentheses":          {"x SEARCH " + strings.Repeat("(", 1<<20), "x BAD "},
		"parentheses, a line":  {"x SEARCH " + strings.Repeat("(", 60_000), "x BAD "},
		"NOT":                  {"x SEARCH " + strings.Repeat("NOT ", 100_000) + "ALL", "x BAD "},
		"NOT, a line":          {"x SEARCH " + strings.Repeat("NOT ", 15_000) + "ALL", "x BAD "},
		"OR":                   {"x SEARCH " + strings.Repeat("OR ALL ", 9_000) + "ALL", "x BAD "},
		"keywords":             {"x STORE 1 +FLAGS (" + keywords.String() + "k)", "x NO [LIMIT] "},
		"long line":            {"x NOOP " + strings.Repeat("y", 1<<20), "x BAD [TOOBIG] "},
		"long atom":            {"x SELECT " + strings.Repeat("y", 100_000), "x NO [CANNOT] "},
		"long tag":             {strings.Repeat("y", 1000) + " NOOP", "* BAD "},
		"NUL":                  {"x NOOP" + strings.Repeat("\x00", 1<<16), "x BAD "},
		"huge literal":         {"x SELECT {2147483647}", "x BAD [TOOBIG] "},
		"larger than any":      {"x SELECT {99999999999999999999999}", "x BAD [TOOBIG] "},
		"refused and sent":     {"x SELECT {2000000+}\r\n" + strings.Repeat("y", 2_000_000), "x BAD [TOOBIG] "},
		"huge and on its way":  {"x SELECT {9223372036854775807+}", "* BYE "},
		"huge message":         {"x APPEND INBOX {9223372036854775807}", "x NO [TOOBIG] "},
		"huge message coming":  {"x APPEND INBOX {9223372036854775807+}", "* BYE "},
		"many literals":        {"x SELECT " + strings.Repeat("{500000+}\r\n"+strings.Repeat("y", 500_000)+" ", 12), "x BAD [TOOBIG] "},
		"nested list-mailbox":  {`x LIST "" ` + strings.Repeat("(", 60_000), "x BAD "},
		"flags of an APPEND":   {"x APPEND INBOX (" + keywords.String() + "k) {3+}\r\nabc", "x NO [LIMIT] "},
		"a literal in a quote": {`x SELECT "a{5+}` + "\r\nhello", "x BAD "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ts := newTestServer(t, func(o *Options) { logTo(o) })
			ts.deliver("", "cur", ":2,", "Subject: one\n\nbody\n")
			tc := ts.login()
			tc.ok("SELECT INBOX")
			start := time.Now()
			go io.WriteString(tc.c, c.text+"\r\n") // the server may hang up in the middle
			got := tc.line()
			for strings.HasPrefix(got, "* ") && !strings.HasPrefix(got, c.want) {
				got = tc.line()
			}
			if !strings.HasPrefix(got, c.want) || len(got) > 500 {
				t.Fatalf("got %q, want %q", got, c.want)
			}
			if d := time.Since(start); d > 5*time.Second {
				t.Errorf("took %v", d)
			}
			if c.want == "* BYE " {
				tc.rest()
				ts.ends()
				return
			}
			tc.ok("NOOP")
		})
	}
}
