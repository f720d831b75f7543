package imap

import (
	"bytes"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

// wireForm is the obvious implementation of what appendCRLF does.
func wireForm(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if s[i] == '\n' && (i == 0 || s[i-1] != '\r') {
			b.WriteByte('\r')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func TestAppendCRLF(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", ""},
		{"a", "a"},
		{"\n", "\r\n"},
		{"\n\n", "\r\n\r\n"},
		{"\r\n", "\r\n"},
		{"\r\n\n", "\r\n\r\n"},
		{"\r", "\r"},
		{"\r\r\n", "\r\r\n"},
		{"a\nb\r\nc\rd\n", "a\r\nb\r\nc\rd\r\n"},
		{"\x00\n\x00", "\x00\r\n\x00"},
	} {
		if got := string(appendCRLF(nil, []byte(tt.in), 0)); got != tt.want {
			t.Errorf("appendCRLF(%q) = %q, want %q", tt.in, got, tt.want)
		}
		if got, want := bareLFs([]byte(tt.in), 0), int64(len(tt.want)-len(tt.in)); got != want {
			t.Errorf("bareLFs(%q) = %d, want %d", tt.in, got, want)
		}
	}
	if got := string(appendCRLF(nil, []byte("\nx"), '\r')); got != "\nx" {
		t.Errorf("a CR before the block was not seen: %q", got)
	}
	if got := bareLFs([]byte("\nx"), '\r'); got != 0 {
		t.Errorf("bareLFs after a CR = %d", got)
	}
}

func TestBlocksJoinSeamlessly(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		in := randomLines(rng, rng.IntN(40))
		want := wireForm(in)
		rd := crlfReader{r: strings.NewReader(in), end: int64(len(in))}
		var got []byte
		buf := make([]byte, 1+rng.IntN(5))
		for {
			var err error
			if got, err = rd.next(got, buf); err != nil {
				break
			}
		}
		if string(got) != want {
			t.Fatalf("%q in blocks of %d: %q, want %q", in, len(buf), got, want)
		}
	}
}

func randomLines(rng *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = "\r\n\nab"[rng.IntN(5)]
	}
	return string(b)
}

// TestLineMarks locates random wire offsets of a file larger than several strides, with all kinds of line ends.
func TestLineMarks(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, kind := range []string{"mixed", "LF", "CRLF"} {
		var in string
		switch kind {
		case "mixed":
			in = "head\n" + randomLines(rng, 5*markStride+17)
		case "LF":
			in = "head\n" + strings.Repeat(strings.Repeat("x", 70)+"\n", 4*markStride/71)
		case "CRLF":
			in = "head\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 4*markStride/71)
		}
		rg := region{off: 5, end: int64(len(in))}
		want := wireForm(in[5:])
		rg.wire = int64(len(want))
		rd := &countingReaderAt{r: strings.NewReader(in)}
		buf := make([]byte, streamBlock)
		var lm lineMarks
		for i := range 120 {
			at := rng.Int64N(rg.wire)
			if i > 100 {
				at = rg.wire - 1 // the worst place to look from the start every time
			}
			before := rd.n
			off, wire, err := lm.locate(rd, nil, 1, rg, at, buf)
			if err != nil {
				t.Fatal(err)
			}
			if wire > at || at-wire > 2*markStride {
				t.Fatalf("%s: offset %d: mark stands for %d", kind, at, wire)
			}
			prev, err := octetBefore(rd, off, rg.off)
			if err != nil {
				t.Fatal(err)
			}
			cr := crlfReader{r: rd, off: off, end: rg.end, prev: prev}
			out, err := cr.next(nil, buf)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := out[at-wire:], want[at:]; !strings.HasPrefix(want, string(got)) || len(got) == 0 {
				t.Fatalf("%s: octets at %d differ", kind, at)
			}
			if i > 100 && rd.n-before > 2*streamBlock {
				t.Fatalf("%s: a repeated look-up read %d octets", kind, rd.n-before)
			}
		}
	}
}

// TestChunksInTurn reads a region in chunks, each where the one before ended, also between CR and LF: nothing is read twice.
func TestChunksInTurn(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	buf := make([]byte, streamBlock)
	for range 300 {
		in := "head\n" + randomLines(rng, rng.IntN(500))
		rg := region{off: 5, end: int64(len(in))}
		want := wireForm(in[5:])
		rg.wire = int64(len(want))
		rd := &countingReaderAt{r: strings.NewReader(in)}
		var lm lineMarks
		block := buf[:1+rng.IntN(20)]
		for at, n := int64(0), int64(0); at < rg.wire; at += n {
			n = min(1+rng.Int64N(30), rg.wire-at)
			before := rd.n
			off, wire, err := lm.locate(rd, nil, 1, rg, at, buf)
			if err != nil {
				t.Fatal(err)
			}
			prev, err := octetBefore(rd, off, rg.off)
			if err != nil {
				t.Fatal(err)
			}
			cr := crlfReader{r: rd, off: off, end: min(rg.end, off+at+n-wire), prev: prev}
			var out []byte
			for cr.sent < at+n-wire {
				if out, err = cr.next(out, block); err != nil {
					t.Fatal(err)
				}
			}
			if got := string(out[at-wire:][:n]); got != want[at:at+n] {
				t.Fatalf("%d octets at %d of %q: %q", n, at, in, got)
			}
			lm.ended(at+n, cr.off, cr.block, cr.before, cr.sent-(at+n-wire))
			if read := int64(rd.n - before); read > n+2 {
				t.Fatalf("%d octets at %d of %q: %d were read", n, at, in, read)
			}
		}
	}
}

type countingReaderAt struct {
	r io.ReaderAt
	n int
}

func (c *countingReaderAt) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.r.ReadAt(p, off)
	c.n += n
	return n, err
}

func FuzzAppendCRLF(f *testing.F) {
	f.Add("a\nb\r\nc\rd\n", 3)
	f.Add("\r\n\n\r\r\n", 1)
	f.Fuzz(func(t *testing.T, in string, cut int) {
		want := wireForm(in)
		if got := string(appendCRLF(nil, []byte(in), 0)); got != want {
			t.Fatalf("%q, want %q", got, want)
		}
		if got := bareLFs([]byte(in), 0); got != int64(len(want)-len(in)) {
			t.Fatalf("bareLFs = %d, want %d", got, len(want)-len(in))
		}
		if cut <= 0 || cut >= len(in) {
			return
		}
		got := appendCRLF(nil, []byte(in[:cut]), 0)
		got = appendCRLF(got, []byte(in[cut:]), in[cut-1])
		if !bytes.Equal(got, []byte(want)) {
			t.Fatalf("cut at %d: %q, want %q", cut, got, want)
		}
	})
}

func BenchmarkAppendCRLF(b *testing.B) {
	in := bytes.Repeat([]byte(strings.Repeat("x", 70)+"\n"), 1000)
	out := make([]byte, 0, 2*len(in))
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		out = appendCRLF(out[:0], in, 0)
	}
}
