package inflate

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"unsafe"
)

// stream is what zlib made of some pieces of text, flushing behind each.
type stream struct {
	name        string
	texts, sent []string
}

func zlibStreams(t testing.TB) (all []stream) {
	t.Helper()
	b, err := os.ReadFile("testdata/zlib.txt") // by testdata/zlib.py
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSuffix(line, "\n")
		text, sent, _ := strings.Cut(line, " ")
		raw, err := hex.DecodeString(text)
		if err != nil {
			all = append(all, stream{name: line})
			continue
		}
		octets, err := hex.DecodeString(sent)
		if err != nil {
			t.Fatal(err)
		}
		s := &all[len(all)-1]
		s.texts, s.sent = append(s.texts, string(raw)), append(s.sent, string(octets))
	}
	return all
}

// trickle is a source that has what was put in, and fails with errDry instead of waiting for more.
type trickle struct{ bytes.Buffer }

var errDry = errors.New("would wait")

func (s *trickle) Read(p []byte) (int, error) {
	if s.Len() == 0 {
		return 0, errDry
	}
	return s.Buffer.Read(p)
}

// Whatever zlib flushes is there before more has to be waited for.
func TestFlushes(t *testing.T) {
	for _, s := range zlibStreams(t) {
		in, feed := io.Pipe()
		d := NewReader(bufio.NewReader(in))
		got := make(chan string)
		want := make(chan int)
		go func() {
			for n := range want {
				b := make([]byte, n)
				_, err := io.ReadFull(d, b)
				got <- fmt.Sprintf("%q, %v", b, err)
			}
		}()
		for i, text := range s.texts {
			want <- len(text)
			if _, err := io.WriteString(feed, s.sent[i]); err != nil {
				t.Fatal(err)
			}
			if g, w := <-got, fmt.Sprintf("%q, <nil>", text); g != w {
				t.Fatalf("%s, piece %d: got %s\nwant %s", s.name, i, g, w)
			}
		}
		close(want)
		feed.Close()
	}
}

// Behind whatever zlib flushed, and behind what ends a stream, what comes next is not of the stream any more; and what is, is too much.
func TestEnd(t *testing.T) {
	const plain = "a LOGIN user secret\r\n"
	for _, s := range zlibStreams(t) {
		for i := range s.texts {
			for what, last := range map[string]string{"": "", " finished": "\x03\x00", " closed": "\x01\x00\x00\xff\xff", " flushed again": "\x00\x00\x00\xff\xff"} {
				if what != "" && !strings.HasSuffix(s.sent[i], "\x00\x00\xff\xff") {
					continue // behind a partial flush there are bits left
				}
				src := bufio.NewReader(iotest.OneByteReader(strings.NewReader(strings.Join(s.sent[:i+1], "") + last + plain)))
				d := NewReader(src)
				if _, err := io.CopyN(io.Discard, d, int64(len(strings.Join(s.texts[:i+1], "")))); err != nil {
					t.Fatal(err)
				}
				if err := d.End(); err != nil {
					t.Fatalf("%s%s, piece %d: %v", s.name, what, i, err)
				}
				if got, _ := io.ReadAll(src); string(got) != plain {
					t.Fatalf("%s%s, piece %d: left %q", s.name, what, i, got)
				}
				if _, err := d.Read(make([]byte, 1)); err == nil {
					t.Fatal("read behind the end")
				}
			}
			if len(s.texts[i]) < 2 {
				continue // all of the block before has been read, and how this one begins could be anything
			}
			d := NewReader(bufio.NewReader(strings.NewReader(strings.Join(s.sent[:i+1], ""))))
			io.CopyN(io.Discard, d, int64(len(strings.Join(s.texts[:i+1], ""))-1))
			if err := d.End(); err != ErrCorrupt {
				t.Errorf("%s, piece %d: an octet more: %v", s.name, i, err)
			}
		}
	}
	// A last block with data, by every level of compress/flate, and a stream that breaks off.
	for level := flate.HuffmanOnly; level <= flate.BestCompression; level++ {
		var wire bytes.Buffer
		w, err := flate.NewWriter(&wire, level)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, "x UNAUTHENTICATE\r\n")
		w.Close()
		whole := wire.Len()
		wire.WriteString(plain)
		for cut := whole; cut >= whole-3; cut-- {
			octets := wire.String()
			if cut < whole {
				octets = octets[:cut]
			}
			src := bufio.NewReader(strings.NewReader(octets))
			d := NewReader(src)
			if _, err := io.CopyN(io.Discard, d, int64(len("x UNAUTHENTICATE\r\n"))); err != nil {
				break // cut too early
			}
			if err := d.End(); err != nil {
				t.Fatalf("level %d: %v", level, err)
			}
			if got, _ := io.ReadAll(src); cut == whole && string(got) != plain || cut < whole && len(got) > 0 {
				t.Fatalf("level %d: left %q", level, got)
			}
		}
	}
}

// inflate decompresses by the source and reads of size.
func inflate(in io.Reader, size int) ([]byte, error) {
	d := NewReader(bufio.NewReader(in))
	var out []byte
	buf := make([]byte, size)
	for {
		n, err := d.Read(buf)
		out = append(out, buf[:n]...)
		if err != nil || len(out) > 8<<20 {
			return out, err
		}
		if n == 0 {
			return out, errors.New("nothing was read")
		}
	}
}

// What compress/flate writes is what comes back, through small and large reads, and nothing behind the last block is touched.
func TestAgainstFlate(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 200_000)
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	few := make([]byte, 300_000)
	for i := range few {
		few[i] = "abcdefgh \r\n"[rng.IntN(11)]
	}
	far := append(append(bytes.Clone(noise[:32_000]), bytes.Repeat([]byte("x"), 760)...), noise[:32_000]...)
	for name, text := range map[string][]byte{
		"nothing": nil, "an octet": {7}, "zeros": make([]byte, 1_000_000), "noise": noise, "few letters": few, "far matches": far,
		"both": append(bytes.Clone(noise), few...),
	} {
		for level := flate.HuffmanOnly; level <= flate.BestCompression; level++ {
			var wire bytes.Buffer
			w, err := flate.NewWriter(&wire, level)
			if err != nil {
				t.Fatal(err)
			}
			for rest := text; len(rest) > 0; {
				n := min(len(rest), 1+rng.IntN(100_000))
				w.Write(rest[:n])
				if rest = rest[n:]; rng.IntN(2) == 0 {
					w.Flush()
				}
			}
			w.Close()
			for _, size := range []int{1, 1000, 1 << 20} {
				if size == 1 && len(text) > 100_000 && level != flate.BestSpeed {
					continue
				}
				got, err := inflate(bytes.NewReader(wire.Bytes()), size)
				if !bytes.Equal(got, text) || err != io.EOF {
					t.Errorf("%s, level %d, reads of %d: %d octets of %d, %v", name, level, size, len(got), len(text), err)
				}
			}
			src := bufio.NewReader(io.MultiReader(bytes.NewReader(wire.Bytes()), strings.NewReader("behind")))
			if _, err := io.Copy(io.Discard, NewReader(src)); err != nil {
				t.Error(err)
			}
			if rest, _ := io.ReadAll(src); string(rest) != "behind" {
				t.Errorf("%s, level %d: %q is left", name, level, rest)
			}
		}
	}
}

func TestCorrupt(t *testing.T) {
	for name, in := range map[string]string{
		"reserved block":          "\x06",
		"length without its twin": "\x00\x01\x00\x01\x00",
		"distance before begin":   "\x63\x80\x61\x41\x00\x00",
		"symbol 286":              "\x1b\xc7",
		"too many literal codes":  "\xf4\xff\xff",
		"too many distances":      "\x04\x7f",
	} {
		if _, err := inflate(iotest.OneByteReader(strings.NewReader(in+strings.Repeat("\x00", 40))), 10); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The end of the source is its own error, and comes again.
	d := NewReader(bufio.NewReader(strings.NewReader("\x4a")))
	for range 2 {
		if n, err := d.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("%d, %v", n, err)
		}
	}
}

func TestSize(t *testing.T) {
	if n := unsafe.Sizeof(Reader{}); n > 37<<10 {
		t.Errorf("a Reader takes %d octets", n)
	}
}

// FuzzReader: of DEFLATE we read what compress/flate reads, however it comes in; of the beginning of a stream at least as much as compress/flate
// reads of it; and the same however the input is cut.
func FuzzReader(f *testing.F) {
	for _, s := range zlibStreams(f) {
		f.Add([]byte(strings.Join(s.sent, "")))
		f.Add([]byte(strings.Join(s.sent[:3], "") + "\x03\x00"))
	}
	for _, s := range []string{"a NOOP\r\n", "\x00\x00\x00\xff\xff\x03\x00", "\x63\x00", "$\x00\x80\x00Y\x01\x9f0", "\xed\xfd\x01\x01\x00\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		want, wantErr := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(in)), 4<<20))
		got, err := inflate(bytes.NewReader(in), 1000)
		byOne, errByOne := inflate(iotest.OneByteReader(bytes.NewReader(in)), 1)
		if !bytes.Equal(got, byOne) || err != errByOne {
			t.Fatalf("at once %q, %v, octet by octet %q, %v", got, err, byOne, errByOne)
		}
		var corrupt flate.CorruptInputError
		switch {
		case errors.As(wantErr, &corrupt):
			// With codes that nobody uses one of both may be stricter.
		case wantErr != nil: // the stream goes on
			// A block without a code for its end is damaged for us as for zlib.
			if err != ErrCorrupt && (!bytes.HasPrefix(got, want) || err != io.EOF) {
				t.Fatalf("got %q, %v, want at least %q", got, err, want)
			}
		case len(want) < 4<<20 && (!bytes.Equal(got, want) || err != io.EOF):
			t.Fatalf("got %q, %v, want %q", got, err, want)
		}
		// All that is known comes before the source is asked for more.
		src := &trickle{}
		src.Write(in)
		early, err := inflate(src, 1000)
		if !bytes.Equal(early, got) {
			t.Fatalf("%q before waiting, %q in all, %v", early, got, err)
		}
	})
}

func BenchmarkReader(b *testing.B) {
	text := []byte(strings.Repeat("From: Ann Other <ann@example.org>\r\nSubject: a message of some length, and another\r\n", 20_000))
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range text {
		if rng.IntN(10) == 0 {
			text[i] = byte('a' + rng.IntN(26))
		}
	}
	var wire bytes.Buffer
	w, _ := flate.NewWriter(&wire, flate.DefaultCompression)
	w.Write(text)
	w.Close()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if n, err := io.Copy(io.Discard, NewReader(bufio.NewReader(bytes.NewReader(wire.Bytes())))); n != int64(len(text)) || err != nil {
			b.Fatal(n, err)
		}
	}
}
