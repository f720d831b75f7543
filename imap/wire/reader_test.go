package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
)

var testLimits = Limits{Line: 8192, Literal: 4096, Command: 16384, Depth: 50}

// transcript reads everything in input and describes each frame or error in a line.
func transcript(t *testing.T, rd io.Reader, lim Limits) string {
	t.Helper()
	r := NewReader(rd, lim)
	var out []string
	for {
		conts := 0
		f, err := r.ReadCommand(func() error { conts++; return nil })
		plus := strings.Repeat("+", conts)
		var syntax *SyntaxError
		switch {
		case err == nil:
			out = append(out, fmt.Sprintf("%s%s|%s|%q", plus, f.Tag, f.Name, f.Args.buf))
		case errors.As(err, &syntax):
			out = append(out, fmt.Sprintf("%s%s BAD %s%s", plus, syntax.Tag, syntax.Code, syntax.Text))
		default:
			if err != io.EOF {
				out = append(out, err.Error())
			}
			return strings.Join(out, "\n")
		}
	}
}

func TestReadCommand(t *testing.T) {
	long := strings.Repeat("x", 9000)
	for _, tt := range []struct{ name, in, want string }{
		{"plain", "a NOOP\r\nb noop\r\n", "a|NOOP|\"\"\nb|NOOP|\"\""},
		{"pipelined after DONE-like word", "DONE\r\nb NOOP\r\n", "DONE BAD command name missing\nb|NOOP|\"\""},
		{"bare LF", "a NOOP\nb NOOP\n", "a|NOOP|\"\"\nb|NOOP|\"\""},
		{"uid", "a uid fetch 1 FLAGS\r\n", `a|UID FETCH|" 1 FLAGS"`},
		{"uid alone", "a uid\r\nb uid \r\n", "a|UID|\"\"\nb|UID|\"\""},
		{"empty lines", "\r\n\r\na NOOP\r\n", `a|NOOP|""`},
		{"too many empty lines", strings.Repeat("\r\n", maxBlank) + "a NOOP\r\n", " BAD empty command\na|NOOP|\"\""},
		{"sync literal", "a LOGIN {3}\r\njoe \"x\"\r\n", `+a|LOGIN|" {3}\r\njoe \"x\""`},
		{"two literals", "a LOGIN {3}\r\njoe {1+}\r\nx\r\n", `+a|LOGIN|" {3}\r\njoe {1+}\r\nx"`},
		{"literal with line ends", "a LOGIN {8+}\r\na\r\nb c\r\n {1+}\r\nx\r\n", `a|LOGIN|" {8+}\r\na\r\nb c\r\n {1+}\r\nx"`},
		{"literal announced with LF", "a LOGIN {1+}\nx y\n", `a|LOGIN|" {1+}\r\nx y"`},
		{"literal8", "a X ~{2+}\r\n\x00\x01\r\n", `a|X|" ~{2+}\r\n\x00\x01"`},
		{"empty literal", "a LOGIN {0+}\r\n {0}\r\n\r\n", `+a|LOGIN|" {0+}\r\n {0}\r\n"`},
		{"no literal", "a X {}\r\na X {-1}\r\na X {5\r\na X {+}\r\na X 5}\r\na X {5 }\r\n",
			`a|X|" {}"` + "\n" + `a|X|" {-1}"` + "\n" + `a|X|" {5"` + "\n" + `a|X|" {+}"` + "\n" + `a|X|" 5}"` + "\n" + `a|X|" {5 }"`},
		{"huge sync literal", "a X {2147483648999}\r\nb NOOP\r\n", "a BAD TOOBIGliteral too large\nb|NOOP|\"\""},
		{"overflowing sync literal", "a X {99999999999999999999999}\r\nb NOOP\r\n", "a BAD TOOBIGliteral too large\nb|NOOP|\"\""},
		{"huge literal", "a X {2147483648999+}\r\nb NOOP\r\n", "too much data in a refused command"},
		{"overflowing literal", "a X {99999999999999999999999+}\r\nb NOOP\r\n", "too much data in a refused command"},
		{"large literal is consumed", "a X {5000+}\r\n" + strings.Repeat("b NOOP\r\n", 625) + " {3+}\r\nxyz\r\nc NOOP\r\n",
			"a BAD TOOBIGliteral too large\nc|NOOP|\"\""},
		{"large literal, then a sync one", "a X {5000+}\r\n" + long[:5000] + " {3}\r\nc NOOP\r\n", "a BAD TOOBIGliteral too large\nc|NOOP|\"\""},
		{"command too large", "a X" + strings.Repeat(" {4096+}\r\n"+long[:4096], 5) + "\r\nc NOOP\r\n", "a BAD TOOBIGliteral too large\nc|NOOP|\"\""},
		{"command too large by lines", "a X {4096+}\r\n" + long[:4096] + " " + long[:8000] + " {1+}\r\nx" + long[:8000] + "\r\nc NOOP\r\n",
			"a BAD TOOBIGcommand too large\nc|NOOP|\"\""},
		{"long line", "a X " + long + "\r\nc NOOP\r\n", "a BAD TOOBIGline too long\nc|NOOP|\"\""},
		{"long line, then a literal", "a X " + long + " {8+}\r\nx NOOP\r\n\r\nc NOOP\r\n", "a BAD TOOBIGline too long\nc|NOOP|\"\""},
		{"long tag", long + "\r\nc NOOP\r\n", " BAD TOOBIGline too long\nc|NOOP|\"\""},
		{"NUL", "a NO\x00OP\r\nc NOOP\r\n", "a BAD NUL or bare CR in a line\nc|NOOP|\"\""},
		{"bad tag", "(a NOOP\r\n+ NOOP\r\n* OK\r\n\"a\" NOOP\r\na+b NOOP\r\nc NOOP\r\n",
			strings.Repeat(" BAD invalid tag\n", 5) + `c|NOOP|""`},
		{"bad tag with literal", "( {6+}\r\na X\r\nb\r\nc NOOP\r\n", " BAD invalid tag\nc|NOOP|\"\""},
		{"bad tag with sync literal", "( {6}\r\nc NOOP\r\n", " BAD invalid tag\nc|NOOP|\"\""},
		{"bad name", "a  NOOP\r\na (\r\na LOGIN(\r\na " + strings.Repeat("n", 65) + "\r\nc NOOP\r\n",
			strings.Repeat("a BAD invalid command name\n", 4) + `c|NOOP|""`},
		{"bare CR", "a X\rb NOOP\r\nc NOOP\r\n", "a BAD NUL or bare CR in a line\nc|NOOP|\"\""},
		{"HTTP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET|/|\" HTTP/1.1\"\nHost:|X|\"\""},
		{"SSH", "SSH-2.0-OpenSSH_9.6\r\n", "SSH-2.0-OpenSSH_9.6 BAD command name missing"},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "TLS handshake on a plaintext connection"},
		{"end in a line", "a NOO", "unexpected EOF"},
		{"end in a literal", "a X {5+}\r\nab", "unexpected EOF"},
		{"end behind a literal", "a X {2+}\r\nab", "unexpected EOF"},
		{"end in a refused literal", "a X {5000+}\r\nab", "unexpected EOF"},
		{"end before a literal", "a X {5}\r\n", "unexpected EOF"},
		{"8-bit", "a X \xe9\r\n", `a|X|" \xe9"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := transcript(t, strings.NewReader(tt.in), testLimits); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
			if got := transcript(t, iotest.OneByteReader(strings.NewReader(tt.in)), testLimits); got != tt.want {
				t.Errorf("octet by octet: got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestReadCommandErrors(t *testing.T) {
	boom := errors.New("boom")
	if _, err := NewReader(strings.NewReader("a X {1}\r\nx\r\n"), testLimits).ReadCommand(func() error { return boom }); err != boom {
		t.Errorf("error of cont: got %v", err)
	}
	if _, err := NewReader(iotest.ErrReader(boom), testLimits).ReadCommand(nil); err != boom {
		t.Errorf("error of the stream: got %v", err)
	}
	// A flood without a line end stops at Limits.Discard.
	lim := testLimits
	lim.Discard = 1 << 20
	var fatal *FatalError
	if _, err := NewReader(zeros{}, lim).ReadCommand(nil); !errors.As(err, &fatal) {
		t.Errorf("endless line: got %v", err)
	}
	lim.Discard = 100
	in := "a X {5000+}\r\n" + strings.Repeat("x", 5000) + "\r\n"
	if _, err := NewReader(strings.NewReader(in), lim).ReadCommand(nil); !errors.As(err, &fatal) {
		t.Errorf("literal above Discard: got %v", err)
	}
}

// zeros is an endless stream of "0".
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

// An announced size must not be allocated before its octets arrive.
func TestNoMemoryForAnnouncement(t *testing.T) {
	lim := Limits{Line: 8192, Literal: 1 << 30, Command: 1 << 30, Depth: 50}
	r := NewReader(strings.NewReader("a X {1000000000+}\r\nabc"), lim)
	if _, err := r.ReadCommand(nil); err != io.ErrUnexpectedEOF {
		t.Fatal(err)
	}
	if cap(r.buf) > 4*literalStep {
		t.Errorf("%d octets held for 3 received", cap(r.buf))
	}
}

// One megabyte of "(" before login (CVE-2026-27857) is one short answer.
func TestFloodOfParentheses(t *testing.T) {
	in := "a LIST " + strings.Repeat("(", 1<<20) + "\r\nb NOOP\r\n"
	r := NewReader(strings.NewReader(in), testLimits)
	_, err := r.ReadCommand(nil)
	var syntax *SyntaxError
	if !errors.As(err, &syntax) || syntax.Tag != "a" {
		t.Fatalf("got %v", err)
	}
	if cap(r.buf) > 4*testLimits.Line {
		t.Errorf("%d octets held", cap(r.buf))
	}
	if f, err := r.ReadCommand(nil); err != nil || f.Tag != "b" {
		t.Errorf("next command: %v, %v", f, err)
	}
}

func TestReadLine(t *testing.T) {
	r := NewReader(strings.NewReader("DONE\r\nb NOOP\r\nab\x00\r\n"+strings.Repeat("x", 100)+"\r\n\r\nend"), testLimits)
	if err := r.Peek(); err != nil {
		t.Fatal(err)
	}
	if r.Buffered() == 0 {
		t.Error("nothing buffered after Peek")
	}
	if line, err := r.ReadLine(10); err != nil || string(line) != "DONE" {
		t.Errorf("got %q, %v", line, err)
	}
	if f, err := r.ReadCommand(nil); err != nil || f.Name != "NOOP" {
		t.Errorf("command in the same packet: %v, %v", f, err)
	}
	var syntax *SyntaxError
	if _, err := r.ReadLine(10); !errors.As(err, &syntax) {
		t.Errorf("NUL: %v", err)
	}
	if _, err := r.ReadLine(10); !errors.As(err, &syntax) || syntax.Code != "TOOBIG" {
		t.Errorf("long line: %v", err)
	}
	if line, err := r.ReadLine(10); err != nil || len(line) != 0 {
		t.Errorf("empty line: %q, %v", line, err)
	}
	if _, err := r.ReadLine(10); err != io.ErrUnexpectedEOF {
		t.Errorf("cut line: %v", err)
	}
	if err := r.Peek(); err != io.EOF {
		t.Errorf("Peek at the end: %v", err)
	}
}

// STARTTLS and LOGIN in one packet: the second line must be gone (CVE-2021-33515).
func TestResetDropsBuffered(t *testing.T) {
	r := NewReader(strings.NewReader("a STARTTLS\r\nb LOGIN x y\r\n"), testLimits)
	if f, err := r.ReadCommand(nil); err != nil || f.Name != "STARTTLS" {
		t.Fatal(f, err)
	}
	if r.Buffered() == 0 {
		t.Fatal("the injected line is not in the buffer: the test tests nothing")
	}
	r.Reset(strings.NewReader("c NOOP\r\n"))
	if f, err := r.ReadCommand(nil); err != nil || f.Tag != "c" {
		t.Errorf("got %v, %v", f, err)
	}
}

func TestSetLimits(t *testing.T) {
	line := "a X " + strings.Repeat("x", 100) + "\r\n"
	r := NewReader(strings.NewReader(line+line), Limits{Line: 20, Literal: 20, Command: 40, Depth: 5})
	if _, err := r.ReadCommand(nil); err == nil {
		t.Error("long line accepted")
	}
	r.SetLimits(testLimits)
	if _, err := r.ReadCommand(nil); err != nil {
		t.Error(err)
	}
}

// A line of exactly the limit is accepted, one octet more is not, whatever the buffers in between are.
func TestLineLimitIsExact(t *testing.T) {
	for _, limit := range []int{10, streamBuffer - 2, streamBuffer - 1, streamBuffer, streamBuffer + 1, 3*streamBuffer - 1, 3 * streamBuffer} {
		lim := testLimits
		lim.Line = limit
		fits := "a X " + strings.Repeat("x", limit-4) + "\r\n"
		long := "b X " + strings.Repeat("x", limit-3) + "\r\n"
		r := NewReader(strings.NewReader(fits+long+fits), lim)
		if _, err := r.ReadCommand(nil); err != nil {
			t.Errorf("limit %d: line of that length: %v", limit, err)
		}
		var syntax *SyntaxError
		if _, err := r.ReadCommand(nil); !errors.As(err, &syntax) || syntax.Tag != "b" {
			t.Errorf("limit %d: line above it: %v", limit, err)
		}
		if _, err := r.ReadCommand(nil); err != nil {
			t.Errorf("limit %d: line after it: %v", limit, err)
		}
	}
}

func BenchmarkReadCommand(b *testing.B) {
	for _, tt := range []struct{ name, line string }{
		{"noop", "a1 NOOP\r\n"},
		{"fetch", "a1 UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (From To Subject Date)])\r\n"},
		{"set20000", "a1 UID FETCH 1" + strings.Repeat(",33", 20000) + " FLAGS\r\n"},
	} {
		b.Run(tt.name, func(b *testing.B) {
			src := bytes.NewReader(nil)
			r := NewReader(src, Limits{Line: 1 << 20, Literal: 1 << 20, Command: 1 << 20, Depth: 50})
			b.SetBytes(int64(len(tt.line)))
			b.ReportAllocs()
			for b.Loop() {
				src.Reset([]byte(tt.line))
				f, err := r.ReadCommand(nil)
				if err != nil {
					b.Fatal(err)
				}
				if f.Name == "UID FETCH" {
					if _, err := ParseFetch(f.Args); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

// In IDLE a helper waits in Peek while the owner does other things; then the owner reads on.
func TestPeekFromAnotherGoroutine(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	r := NewReader(server, testLimits)
	ready := make(chan error)
	go func() { ready <- r.Peek() }()
	go io.WriteString(client, "DONE\r\nb NOOP\r\n")
	if err := <-ready; err != nil {
		t.Fatal(err)
	}
	if line, err := r.ReadLine(10); err != nil || string(line) != "DONE" {
		t.Errorf("got %q, %v", line, err)
	}
	if f, err := r.ReadCommand(nil); err != nil || f.Tag != "b" {
		t.Errorf("got %+v, %v", f, err)
	}
}

// pieceReader gives the octets of a stream in pieces, the last of them together with the error.
type pieceReader struct {
	pieces []string
	err    error
}

func (p *pieceReader) Read(b []byte) (int, error) {
	if len(p.pieces) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.pieces[0])
	if p.pieces[0] = p.pieces[0][n:]; p.pieces[0] == "" {
		p.pieces = p.pieces[1:]
	}
	if len(p.pieces) == 0 {
		return n, p.err
	}
	return n, nil
}

// TestPeek: who waits has no buffer, and loses nothing: neither octets nor an error that came with them.
func TestPeek(t *testing.T) {
	boom := errors.New("boom")
	long := "b NOOP " + strings.Repeat("x", 200)
	r := NewReader(&pieceReader{pieces: []string{"a NO", "OP\r\n", long + "\r\nc NOOP\r\nd", " IDLE\r\n"}, err: boom}, Limits{Line: 1 << 10, Command: 1 << 10})
	for _, want := range []string{"a", "b", "c", "d"} {
		for range 2 {
			if err := r.Peek(); err != nil {
				t.Fatal(want, err)
			}
		}
		if r.Buffered() == 0 {
			t.Fatal(want, "was not buffered")
		}
		f, err := r.ReadCommand(nil)
		if err != nil || f.Tag != want {
			t.Fatalf("%+v, %v, want %s", f, err, want)
		}
		r.Done()
		if r.Buffered() == 0 && r.br != nil {
			t.Errorf("a buffer behind %s", want)
		}
	}
	if err := r.Peek(); err != boom || r.Buffered() != 0 || r.br != nil {
		t.Errorf("at the end: %v, %d octets", err, r.Buffered())
	}
}
