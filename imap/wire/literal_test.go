package wire

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// appendAll runs an APPEND as a session does and describes it: mailbox, then each message and its octets.
func appendAll(r *Reader, cont func() error) (string, error) {
	f, err := r.ReadCommand(cont)
	if err != nil {
		return "", err
	}
	var out string
	if f.Name == "APPEND" {
		out, err = ParseAppendMailbox(f.Args)
	} else {
		var old Set
		old, out, err = ParseReplace(f.Args)
		out = printSet(old) + " " + out
	}
	if err != nil {
		return "", err
	}
	for {
		m, err := ParseAppendMessage(f.Args)
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		out += fmt.Sprintf(" %v", m.Flags)
		if m.HasDate {
			out += m.Date.Format(" " + time.RFC3339)
		}
		if m.Catenate {
			out += " ("
			for {
				p, err := ParseCatPart(f.Args)
				if err == io.EOF {
					break
				}
				if err != nil {
					return out, err
				}
				if p.IsURL {
					out += " URL " + p.URL
				}
				if p.Literal != nil {
					if out, err = appendLiteral(r, f, *p.Literal, p.UTF8, out, cont); err != nil {
						return out, err
					}
				}
			}
			out += ")"
			continue
		}
		if out, err = appendLiteral(r, f, m.Literal, m.UTF8, out, cont); err != nil {
			return out, err
		}
	}
}

// appendLiteral reads a literal of an APPEND and adds its description to out.
func appendLiteral(r *Reader, f *Frame, lit Literal, utf8 bool, out string, cont func() error) (string, error) {
	if !lit.NonSync {
		if err := cont(); err != nil {
			return out, err
		}
	}
	body, err := io.ReadAll(r.Literal(lit))
	if err != nil {
		return out, err
	}
	if utf8 {
		out += " utf8"
	}
	if lit.Binary {
		out += " binary"
	}
	return out + fmt.Sprintf(" %q", body), r.ReadContinuation(f, cont)
}

func TestAppend(t *testing.T) {
	for _, tt := range []struct {
		in, want string
		conts    int
	}{
		{"a APPEND Sent {3}\r\nabc\r\n", `Sent [] "abc"`, 1},
		{"a APPEND Sent {3+}\r\nabc\r\n", `Sent [] "abc"`, 0},
		{"a APPEND inbox (\\Seen $Forwarded) {3+}\r\nabc\r\n", `INBOX [\Seen $Forwarded] "abc"`, 0},
		{"a APPEND x () \" 1-Feb-2026 10:11:12 +0100\" {0}\r\n\r\n", `x [] 2026-02-01T10:11:12+01:00 ""`, 1},
		{"a APPEND {5+}\r\na b c (\\Seen) {3}\r\nabc\r\n", `a b c [\Seen] "abc"`, 1},
		{"a APPEND {4}\r\nSent {3}\r\nabc\r\n", `Sent [] "abc"`, 2},
		{"a APPEND \"a b\" {3+}\r\nabc\r\n", `a b [] "abc"`, 0},
		{"a APPEND x ~{4+}\r\n\x00\r\n.\r\n", `x [] binary "\x00\r\n."`, 0},
		{"a APPEND x UTF8 (~{3+}\r\nabc)\r\n", `x [] utf8 binary "abc"`, 0},
		{"a REPLACE 4 Drafts (\\Draft) {3+}\r\nabc\r\n", `4 Drafts [\Draft] "abc"`, 0}, // RFC 8508
		{"a UID REPLACE * {3+}\r\na b ~{1}\r\nx\r\n", `* a b [] binary "x"`, 1},
		{"a APPEND x (\\Seen) {3+}\r\nabc (\\Draft) {2+}\r\nde {1}\r\nf\r\n", `x [\Seen] "abc" [\Draft] "de" [] "f"`, 1}, // RFC 3502
		{"a APPEND x UTF8 (~{1+}\r\na) UTF8 (~{1+}\r\nb) {1+}\r\nc\r\n", `x [] utf8 binary "a" [] utf8 binary "b" [] "c"`, 0},
		{"a APPEND x CATENATE (URL /y/;UID=1)\r\n", `x [] ( URL /y/;UID=1)`, 0}, // RFC 4469
		{"a APPEND x (\\Seen) CATENATE (TEXT {3}\r\nabc URL \"u v\" TEXT {1+}\r\nd)\r\n", `x [\Seen] ( "abc" URL u v "d")`, 1},
		{"a APPEND x CATENATE (URL {3}\r\nabc URL {2+}\r\nde URL f)\r\n", `x [] ( URL  "abc" URL  "de" URL f)`, 1},
		{"a APPEND x CATENATE (UTF8 (~{1+}\r\na) TEXT {1+}\r\nb UTF8 (~{1}\r\nc)) {1+}\r\nd\r\n", `x [] ( utf8 binary "a" "b" utf8 binary "c") [] "d"`, 1},
		{"a APPEND x catenate (url a) () CATENATE (URL b) {1+}\r\nc\r\n", `x [] ( URL a) [] ( URL b) [] "c"`, 0},
		{"a APPEND CATENATE CATENATE (URL a)\r\n", `CATENATE [] ( URL a)`, 0},
		{"a UID REPLACE 5 x CATENATE (TEXT {1}\r\na)\r\n", `5 x [] ( "a")`, 1},
	} {
		for _, slow := range []bool{false, true} {
			var rd io.Reader = strings.NewReader(tt.in + "b NOOP\r\n")
			if slow {
				rd = iotest.OneByteReader(rd)
			}
			r, conts := NewReader(rd, testLimits), 0
			got, err := appendAll(r, func() error { conts++; return nil })
			if err != nil || got != tt.want || conts != tt.conts {
				t.Errorf("%q:\ngot  %s, %v, %d continuations\nwant %s, %d", tt.in, got, err, conts, tt.want, tt.conts)
			}
			if f, err := r.ReadCommand(nil); err != nil || f.Tag != "b" {
				t.Errorf("%q: next command: %v, %v", tt.in, f, err)
			}
		}
	}
}

// However APPEND is wrong, and wherever the session stops, the next command is found.
func TestAppendRefused(t *testing.T) {
	big := strings.Repeat("z NOOP\r\n", 1000)
	for _, in := range []string{
		"a APPEND\r\n",
		"a APPEND x\r\n",
		"a APPEND x \r\n",
		"a APPEND x (\\Seen)\r\n",
		"a APPEND x abc\r\n",
		"a APPEND x \"abc\"\r\n",
		"a APPEND x {-1}\r\n",
		"a REPLACE x {3+}\r\nabc\r\n",
		"a REPLACE 1:2 x {3+}\r\nabc\r\n",
		"a REPLACE $ x {3+}\r\nabc\r\n",
		"a UID REPLACE 0 x {8000+}\r\n" + big + "\r\n",
		"a REPLACE 1 {3+}\r\nabc\r\n",
		"a APPEND x CATENATE\r\n",
		"a APPEND x CATENATE ()\r\n",
		"a APPEND x CATENATE (URL a\r\n",
		"a APPEND x CATENATE (URL a TEXT b)\r\n",
		"a APPEND x CATENATE (URL a  {8000+}\r\n" + big + "\r\n",
		"a APPEND x CATENATE (TEXT {3+}\r\nabcURL a)\r\n",
		"a APPEND x CATENATE (TEXT {3+}\r\nabc TEXTS {8000+}\r\n" + big + ")\r\n",
		"a APPEND x CATENATE (UTF8 ({3+}\r\nabc))\r\n",
		"a APPEND x CATENATE (UTF8 (~{3+}\r\nabc)\r\n",
		"a APPEND x CATENATE (URL a) x\r\n",
		"a APPEND x {8000}\r\n",                                 // client waits, gets NO
		"a APPEND x (\\Seen {8000+}\r\n" + big + "\r\n",         // list not closed
		"a APPEND x \"1-Foo-2026\" {8000+}\r\n" + big + "\r\n",  // no date
		"a APPEND x UTF8 ({8000+}\r\n" + big + ")\r\n",          // not a literal8
		"a APPEND x UTF8 (~{3+}\r\nabc\r\n",                     // not closed
		"a APPEND x {3+}\r\nabc x\r\n",                          // junk behind
		"a APPEND x {3+}\r\nabc (\r\n",                          // likewise
		"a APPEND x {3+}\r\nabc\x00\r\n",                        // likewise
		"a APPEND x {3+}\r\nabc\x00 {8000+}\r\n" + big + "\r\n", // likewise, with a literal
		"a APPEND x {3+}\r\nabc x {8000+}\r\n" + big + "\r\n",
		"a APPEND &A {8000+}\r\n" + big + " {8000+}\r\n" + big + "\r\n",
		"a APPEND {8000+}\r\n" + big + " {8000+}\r\n" + big + "\r\n", // name too long for a literal in memory
		"a APPEND x " + big[:7] + strings.Repeat("y", 9000) + " {8000+}\r\n" + big + "\r\n",
	} {
		r := NewReader(strings.NewReader(in+"b NOOP\r\n"), testLimits)
		stop := errors.New("refused")
		if got, err := appendAll(r, func() error { return stop }); err == nil {
			t.Errorf("%.60q accepted: %s", in, got)
		}
		if f, err := r.ReadCommand(nil); err != nil || f.Tag != "b" {
			t.Errorf("%.60q: next command: %+v, %v", in, f, err)
		}
	}
}

func TestSkipCommand(t *testing.T) {
	const in = "a APPEND x {10+}\r\n0123456789 {3+}\r\nabc\r\nb NOOP\r\n"
	for read := 0; read <= 10; read++ {
		r := NewReader(strings.NewReader(in), testLimits)
		f, err := r.ReadCommand(nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseAppendMailbox(f.Args); err != nil {
			t.Fatal(err)
		}
		m, err := ParseAppendMessage(f.Args)
		if err != nil {
			t.Fatal(err)
		}
		if read > 0 {
			if _, err := io.ReadFull(r.Literal(m.Literal), make([]byte, read)); err != nil {
				t.Fatal(err)
			}
		}
		if read%2 == 0 { // else ReadCommand does it
			if err := r.SkipCommand(); err != nil {
				t.Fatal(err)
			}
		}
		if f, err := r.ReadCommand(nil); err != nil || f.Tag != "b" {
			t.Errorf("after %d octets: next command: %+v, %v", read, f, err)
		}
	}
}

// A refused message may be followed by more: DiscardLiteral, then ReadContinuation.
func TestDiscardLiteral(t *testing.T) {
	r := NewReader(strings.NewReader("a APPEND x {10+}\r\n0123456789 (\\Seen) {3}\r\nb NOOP\r\n"), testLimits)
	f, err := r.ReadCommand(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseAppendMailbox(f.Args); err != nil {
		t.Fatal(err)
	}
	if _, err := ParseAppendMessage(f.Args); err != nil {
		t.Fatal(err)
	}
	if err := r.DiscardLiteral(); err != nil {
		t.Fatal(err)
	}
	if err := r.ReadContinuation(f, nil); err != nil {
		t.Fatal(err)
	}
	m, err := ParseAppendMessage(f.Args)
	if err != nil || len(m.Flags) != 1 || m.Literal != (Literal{Size: 3}) {
		t.Fatalf("got %+v, %v", m, err)
	}
	// The synchronizing one is refused by not asking for it; the command is over.
	if err := r.DiscardLiteral(); err != nil {
		t.Fatal(err)
	}
	if err := r.ReadContinuation(f, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := ParseAppendMessage(f.Args); err != io.EOF {
		t.Errorf("got %v, want io.EOF", err)
	}
	if f, err := r.ReadCommand(nil); err != nil || f.Tag != "b" {
		t.Errorf("next command: %+v, %v", f, err)
	}
}

func TestLiteralCutShort(t *testing.T) {
	r := NewReader(strings.NewReader("a APPEND x {10+}\r\n01234"), testLimits)
	if _, err := appendAll(r, nil); err != io.ErrUnexpectedEOF {
		t.Errorf("got %v", err)
	}
	r = NewReader(strings.NewReader("a APPEND x {2147483648999+}\r\n01234"), testLimits)
	if _, err := r.ReadCommand(nil); err != nil {
		t.Fatal(err)
	}
	var fatal *FatalError
	if err := r.SkipCommand(); !errors.As(err, &fatal) {
		t.Errorf("absurd literal: got %v", err)
	}
}
