package imap

import (
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"roost/imap/wire"
	"roost/index"
	"roost/internal/auth"
	"roost/maildir"
)

// indexMail gives the test server an index of what is in its INBOX.
func (ts *testServer) indexMail() {
	ts.t.Helper()
	x, err := index.Open(ts.t.TempDir(), index.Options{}, slog.New(slog.DiscardHandler))
	if err != nil {
		ts.t.Fatal(err)
	}
	ts.t.Cleanup(func() { x.Close() })
	if err := x.Update(ts.t.Context(), index.Follower{Store: ts.store}); err != nil {
		ts.t.Fatal(err)
	}
	ts.fullText = x
}

// TestSearchLongNeedle looks for 64 KiB and more: in one line, over many lines, in a header field.
func TestSearchLongNeedle(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 32))
	line := func(n int, alphabet string) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = alphabet[rng.IntN(len(alphabet))]
		}
		return string(b)
	}
	const n = 64 << 10
	texts := []string{line(n, "ab"), line(n, "ab cd. "), strings.Repeat("a", 3*n), strings.Repeat("many words of a line\n", 2*n/20)}
	box := testMailbox(t)
	var raw []string
	for i, text := range texts {
		raw = append(raw, fmt.Sprintf("Subject: %d\nContent-Type: text/plain\n\nbefore %s behind\n", i, text))
	}
	raw = append(raw, "Subject: "+line(n, "xy")+"\n\nnothing\n")
	put(t, box, make([]known, len(raw)), raw)
	s := searchSession(box)
	s.fullText = testIndex(t, box)
	for i, text := range texts {
		needle := strings.ReplaceAll(text[:n], "\n", "\r\n")[:n]
		for _, c := range []struct {
			needle string
			found  bool
		}{{needle, true}, {strings.ToUpper(needle), true}, {needle[1:], true}, {needle[:n-1] + "Z", false}, {"z" + needle[1:], false}} {
			for _, headers := range []bool{false, true} {
				got := s.mustSearch(t, &wire.KeyText{Headers: headers, Value: c.needle}, wire.SearchReturn{})
				if found := slices.Contains(got, uint32(i+1)); found != c.found || len(got) > 1 {
					t.Errorf("text %d, headers %v: found in %v", i, headers, got)
				}
			}
		}
	}
	subject := raw[len(raw)-1][len("Subject: "):][:n]
	for _, key := range []wire.SearchKey{&wire.KeyText{Headers: true, Value: subject}, &wire.KeyHeader{Field: "Subject", Value: subject[5:]}} {
		if got := s.mustSearch(t, key, wire.SearchReturn{}); !slices.Equal(got, []uint32{uint32(len(raw))}) {
			t.Errorf("found in %v", got)
		}
	}
}

// TestSearchHostileStrings: what is no string of text, or too much of it, is answered, and the session goes on.
func TestSearchHostileStrings(t *testing.T) {
	ts := newTestServer(t, nil)
	for i := range 3 {
		ts.deliver("", "cur", ":2,", fmt.Sprintf("Subject: s%d\n\nbody needle%d \x00 \xff\n", i, i))
	}
	ts.indexMail()
	tc := ts.login()
	tc.ok("SELECT INBOX")
	var many strings.Builder
	for i := range 999 {
		fmt.Fprintf(&many, "OR BODY absent%d ", i)
	}
	for _, c := range []struct{ keys, want string }{
		{"BODY {5+}\r\na\x00bcd", "BAD "},
		{"BODY \"a\x00b\"", "BAD "},
		{"CHARSET UTF-8 BODY {3+}\r\na\xff\xfe", "BAD "},
		{"CHARSET UTF-8 TEXT {2+}\r\n\xc3(", "BAD "},
		{"CHARSET X-NONE BODY a", "NO [BADCHARSET ("},
		{"CHARSET " + strings.Repeat("X", 5000) + " BODY a", "NO [BADCHARSET ("},
		{"BODY {65536+}\r\n" + strings.Repeat("n", 65536), "OK "},
		{"BODY {65536+}\r\n" + strings.Repeat("need ", 65536/5) + "x", "OK "},
		{many.String() + "BODY needle2", "OK "},
	} {
		lines, tagged := tc.cmd("UID SEARCH %s", c.keys)
		if !strings.HasPrefix(tagged, c.want) {
			t.Errorf("%.60q: %.200s, want %s", c.keys, tagged, c.want)
		}
		if found := slices.Contains(lines, "* SEARCH 3"); found != (c.keys[:2] == "OR") {
			t.Errorf("%.60q: %q", c.keys, lines)
		}
	}
	// Octets that are no text in a message are none to it, and what is around them is found.
	for key, want := range map[string]string{"BODY needle1": "* SEARCH 2", "NOT BODY needle": "* SEARCH", "BODY needle": "* SEARCH 1 2 3"} {
		if lines := tc.ok("UID SEARCH %s", key); !slices.Contains(lines, want) {
			t.Errorf("%s: %q", key, lines)
		}
	}
}

// TestSearchHugeMessage indexes and searches a message of a gigabyte, in the short form of 16 MiB, in bounded memory.
func TestSearchHugeMessage(t *testing.T) {
	size := 16 << 20
	if *long {
		size = 1 << 30
	}
	ts := newTestServer(t, nil)
	path := ts.deliver("", "cur", ":2,", "Subject: huge\n\nneedle at the beginning\n")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	chunk := []byte(strings.Repeat("Words of a text that is long, and goes on.\n", 1<<20/43))
	for n := 0; n < size; n += len(chunk) {
		if _, err := f.Write(chunk); err != nil {
			t.Fatal(err)
		}
	}
	io.WriteString(f, "the last word\n")
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	const most = 150 << 20
	search := func(how string) {
		t.Helper()
		tc := ts.login()
		tc.ok("SELECT INBOX")
		peak := watchMemory()
		for keys, want := range map[string]string{`BODY "the last word"`: "* SEARCH 1", "BODY nowhere": "* SEARCH", `BODY "goes on.` + "\"": "* SEARCH 1", `TEXT "on and words"`: "* SEARCH"} {
			if lines := tc.ok("SEARCH %s", keys); !slices.Contains(lines, want) {
				t.Errorf("%s, %s: %q", how, keys, lines)
			}
		}
		if took := peak(); took > most {
			t.Errorf("%s: %d MiB", how, took>>20)
		}
	}
	search("without an index")
	peak := watchMemory()
	ts.indexMail()
	if took := peak(); took > most {
		t.Errorf("indexing took %d MiB", took>>20)
	}
	search("with an index")
}

// TestSearchAbandoned: a client that goes away while its searches read mail ends them.
func TestSearchAbandoned(t *testing.T) {
	const searches = 20
	released := make(chan time.Time, 2)
	ts := newTestServer(t, func(o *Options) {
		open := o.Open
		o.Open = func(u *auth.User) (*maildir.Store, *index.Index, func(), error) {
			store, x, _, err := open(u)
			return store, x, func() { released <- time.Now() }, err
		}
	})
	text := "Subject: x\n\n" + strings.Repeat("a line of a text that is searched\n", 1<<20/34)
	first := ts.deliver("", "cur", ":2,", text)
	for i := range 100 { // which take time to read, and no room
		if err := os.Link(first, filepath.Join(filepath.Dir(first), fmt.Sprintf("%d.M%dP1.again:2,", 1_700_000_000+i, i))); err != nil {
			t.Fatal(err)
		}
	}
	tc := ts.login()
	tc.ok("SELECT INBOX")
	began := time.Now()
	tc.ok("SEARCH BODY nowhere")
	took := time.Since(began)
	for range searches {
		tc.send("x SEARCH BODY nowhere\r\n")
	}
	tc.c.Close()
	ended := time.Now()
	if left := (<-released).Sub(ended); left > searches/4*took {
		t.Errorf("%d searches, of which one takes %v, went on for %v", searches, took, left)
	}
}
