package imap

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestCatenatePieces puts messages together from pieces of themselves, of random lengths and both line ends.
func TestCatenatePieces(t *testing.T) {
	ts := newTestServer(t, nil)
	r := rand.New(rand.NewPCG(3, 4))
	var large strings.Builder
	large.WriteString("Subject: large\n\n")
	for large.Len() < 3*streamBlock {
		large.WriteString(strings.Repeat("x", r.IntN(100)))
		large.WriteString([]string{"\n", "\r\n", "\r"}[r.IntN(3)])
	}
	stored := []string{"Subject: small\n\n\n\none\ntwo\r\nthree", large.String(), strings.Repeat("y", 2*streamBlock)}
	for _, text := range stored {
		ts.deliver("", "cur", ":2,S", text)
	}
	tc := ts.login()
	tc.ok("SELECT INBOX")
	for i := range stored {
		want := tc.ok("FETCH %d BODY.PEEK[]", i+1)[0]
		_, want, _ = strings.Cut(want, "\r\n")
		want = strings.TrimSuffix(want, ")")
		var parts []string
		for at := 0; at < len(want); {
			n := 1 + r.IntN(max(1, len(want)/3))
			parts = append(parts, fmt.Sprintf(`URL "/INBOX/;UID=%d/;PARTIAL=%d.%d"`, i+1, at, n))
			at += n
		}
		tc.ok("APPEND INBOX CATENATE (%s)", strings.Join(parts, " "))
		tc.ok("NOOP")
		got := tc.ok("FETCH %d BODY.PEEK[]", len(stored)+i+1)[0]
		if _, got, _ = strings.Cut(got, "\r\n"); strings.TrimSuffix(got, ")") != want {
			t.Errorf("message %d: of %d octets came %d, in %d parts", i+1, len(want), len(got)-1, len(parts))
		}
	}
}

// TestCatenateParts has one part too many.
func TestCatenateParts(t *testing.T) {
	ts := newTestServer(t, nil)
	ts.deliver("", "cur", ":2,S", "a: b\n\n")
	tc := ts.login()
	tc.ok("SELECT INBOX")
	tc.ok("APPEND INBOX CATENATE (%s)", strings.Repeat(" URL ;UID=1", maxCatParts)[1:])
	if _, tagged := tc.cmd("APPEND INBOX CATENATE (%s TEXT {3+}\r\nabc)", strings.Repeat(" URL ;UID=1", maxCatParts)[1:]); !strings.HasPrefix(tagged, "NO [LIMIT]") {
		t.Error(tagged)
	}
	tc.ok("NOOP")
}
