package imap

import (
	"bufio"
	"bytes"
	"compress/flate"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"roost/internal/tlsconf"
)

// deflateConn is a client's end of a compressed connection, with the standard library.
type deflateConn struct {
	net.Conn
	r io.Reader
	w *flate.Writer
	b *bufio.Writer // of w, which writes in pieces
}

func newDeflateConn(c net.Conn) *deflateConn {
	b := bufio.NewWriter(c)
	w, err := flate.NewWriter(b, flate.BestSpeed)
	if err != nil {
		panic(err)
	}
	return &deflateConn{c, flate.NewReader(c), w, b}
}

func (c *deflateConn) Read(p []byte) (int, error) { return c.r.Read(p) }

func (c *deflateConn) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	if err == nil {
		err = c.w.Flush()
	}
	if err == nil {
		err = c.b.Flush() // whole: behind what it needs of a LOGOUT the server hangs up
	}
	return n, err
}

// compressed logs in and compresses.
func (ts *testServer) compressed() *testClient {
	ts.t.Helper()
	tc := ts.login()
	tc.ok("COMPRESS DEFLATE")
	tc.upgrade(newDeflateConn(tc.c))
	return tc
}

// UNAUTHENTICATE ends the stream in both directions (RFC 8437 §4.1), for a client that flushes and for one that closes its own, also when the
// next command is in the same packet.
func TestCompressionEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*flate.Writer) error{"flushed": (*flate.Writer).Flush, "closed": (*flate.Writer).Close} {
		ts := newTestServer(t, nil)
		tc := ts.login()
		tc.ok("COMPRESS DEFLATE")
		var packet bytes.Buffer
		w, err := flate.NewWriter(&packet, flate.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, "x NOOP\r\n")
		w.Flush()
		io.WriteString(w, "y UNAUTHENTICATE\r\n")
		if err := end(w); err != nil {
			t.Fatal(err)
		}
		packet.WriteString("z LOGIN other secret\r\n")
		tc.send(packet.String())
		said, err := io.ReadAll(flate.NewReader(tc.r)) // the last block ends it
		if err != nil || string(said) != "x OK NOOP completed\r\ny OK Logged out, compression ends here\r\n" {
			t.Errorf("%s: %q, %v", name, said, err)
		}
		if l := tc.line(); !strings.HasPrefix(l, "z OK ") {
			t.Errorf("%s: %q", name, l)
		}
		tc.ok("SELECT INBOX")
	}
	// Who goes on compressing in the same block is told, and not guessed at.
	ts := newTestServer(t, nil)
	tc := ts.compressed()
	tc.send("y UNAUTHENTICATE\r\nz LOGIN other secret\r\n")
	if l := tc.line(); l != "* BYE Compressed data behind UNAUTHENTICATE" {
		t.Errorf("%q", l)
	}
}

// Clients may begin and end compression as often as they like.
func TestCompressionAgain(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, nil)
	tc := ts.login()
	for range 50 {
		tc.ok("COMPRESS DEFLATE")
		tc.upgrade(newDeflateConn(tc.c))
		tc.ok("UNAUTHENTICATE")
		tc.upgrade(tc.c.(*deflateConn).Conn)
		tc.ok("LOGIN user secret")
	}
	// What is sent before the answer would be read as it is.
	tc.send("x COMPRESS DEFLATE\r\ny NOOP\r\n")
	if l := tc.line(); !strings.HasPrefix(l, "x BAD ") {
		t.Errorf("%q", l)
	}
	if l := tc.line(); !strings.HasPrefix(l, "y OK ") {
		t.Errorf("%q", l)
	}
}

// FuzzDeflater: what is written in pieces is what a client reads, and each piece can be read before the next is written.
func FuzzDeflater(f *testing.F) {
	f.Add([]byte("* 1 FETCH (UID 7)\r\n* 2 FETCH (UID 8)\r\n"), uint16(19))
	f.Add(bytes.Repeat([]byte("ab"), 50_000), uint16(40_000))
	f.Add(bytes.Repeat([]byte("abcdefgh"), 2000), uint16(8192))
	f.Add([]byte{}, uint16(1))
	noise := make([]byte, 100_000)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	f.Add(noise, uint16(65_535))
	f.Add(append(bytes.Repeat([]byte("* OK\r\n"), 100), noise[:300]...), uint16(7))
	f.Fuzz(func(t *testing.T, text []byte, size uint16) {
		var wire bytes.Buffer
		d := &deflater{w: &wire, ended: new(bool)}
		r := flate.NewReader(&wire)
		step := int(size) + 1
		for n := 0; n < len(text); n += step {
			piece := text[n:min(len(text), n+step)]
			if n, err := d.Write(piece); n != len(piece) || err != nil {
				t.Fatal(n, err)
			}
			got := make([]byte, len(piece))
			if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, piece) {
				t.Fatalf("piece at %d: %v", n, err)
			}
			if len(d.last) > deflateHistory || !bytes.HasSuffix(text[:n+len(piece)], d.last) {
				t.Fatalf("remembers %d octets", len(d.last))
			}
		}
	})
}

// What is not deflate ends the connection, with a word to the client and one in the log.
func TestDamagedStream(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ before, octets string }{
		"not compressed":   {"", "x NOOP\r\nx LOGOUT\r\n"},
		"reserved block":   {"", "\x06\x00"},
		"in the middle":    {"x NOOP\r\n", "\xff\xff\xff\xff"},
		"in a literal":     {"x LOGIN {1000+}\r\nabc", "\xff\xff\xff\xff"},
		"in a message":     {"x APPEND INBOX {1000+}\r\nSubject: half\r\n", "\xff\xff\xff\xff"},
		"in IDLE":          {"x IDLE\r\n", "\xff\xff\xff\xff"},
		"a distance ahead": {"", "\x63\x80\x61\x41\x00\x00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log *lockedBuffer
			ts := newTestServer(t, func(o *Options) { log = logTo(o) })
			tc := ts.compressed()
			if c.before != "" {
				tc.send(c.before)
			}
			io.WriteString(tc.c.(*deflateConn).Conn, c.octets)
			got := tc.rest()
			if !strings.HasSuffix(got, "* BYE Compressed data is damaged\r\n") || strings.Contains(got, "x NO") {
				t.Errorf("got %q", got)
			}
			ts.ends()
			if n := strings.Count(log.String(), "Compressed data is damaged"); n != 1 || strings.Contains(log.String(), "ERROR") {
				t.Errorf("the log says %q", log)
			}
			box, err := ts.store.Open(inbox)
			if err != nil {
				t.Fatal(err)
			}
			defer box.Release()
			if box.Status().Messages != 0 {
				t.Error("half a message is there")
			}
		})
	}
}

// What a little of input becomes is bounded as if it had come uncompressed.
func TestCompressionBomb(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ before, fill, after, want string }{
		"line":            {"x ", "y", "\r\nz NOOP\r\n", "x BAD [TOOBIG] "},
		"endless line":    {"x ", "y", "", "* BYE too much data"},
		"literal":         {"x LOGIN {2000000+}\r\n", "y", "", "* BYE too much data"},
		"refused message": {"x APPEND INBOX {1000000000+}\r\n", "y", "", "* BYE too much data"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ts := newTestServer(t, func(o *Options) {
				o.Limits.Append = 1 << 20 // of a refused command twice that is read
				logTo(o)
			})
			tc := ts.compressed()
			var octets bytes.Buffer
			w, _ := flate.NewWriter(&octets, flate.BestCompression)
			io.WriteString(w, c.before)
			most := 64 << 20
			if c.after != "" {
				most = 1 << 20
			}
			fill := bytes.Repeat([]byte(c.fill), 1<<20)
			for range most >> 20 {
				w.Write(fill)
			}
			io.WriteString(w, c.after)
			w.Flush()
			go tc.c.(*deflateConn).Conn.Write(octets.Bytes()) // the server may hang up in the middle
			if c.after != "" {
				if got := tc.line(); !strings.HasPrefix(got, c.want) {
					t.Errorf("got %q", got)
				}
				if got := tc.line(); !strings.HasPrefix(got, "z OK") {
					t.Errorf("got %q", got)
				}
				return
			}
			got := tc.rest()
			if !strings.HasPrefix(got, c.want) {
				t.Errorf("got %q", got)
			}
			ts.ends()
		})
	}
}

// Octets that decompress to nothing keep nobody from stopping the server.
func TestEmptyBlocks(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, nil)
	tc := ts.compressed()
	raw := tc.c.(*deflateConn).Conn
	flood := bytes.Repeat([]byte{0, 0, 0, 0xff, 0xff}, 10_000)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			if _, err := raw.Write(flood); err != nil {
				return
			}
		}
	}()
	ts.stop()
	raw.Close()
	<-done
}

// The end of a compressed TLS connection is close_notify as ever, and a client that closes its side is answered.
func TestCompressedEnds(t *testing.T) {
	t.Parallel()
	src, err := tlsconf.SelfSigned(t.TempDir(), "mail.example.org", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ts := newTestServer(t, func(o *Options) { o.TLS = tlsconf.Config(src) })
	for _, secure := range []bool{false, true} {
		tc := ts.dial()
		if secure {
			tc.ok("STARTTLS")
			tc.upgrade(tls.Client(tc.c, &tls.Config{InsecureSkipVerify: true}))
		}
		tc.ok("LOGIN user secret")
		tc.ok("COMPRESS DEFLATE")
		below := tc.c.(interface {
			net.Conn
			CloseWrite() error
		})
		tc.upgrade(newDeflateConn(below))
		tc.send("a SELECT INBOX\r\nb SEARCH BODY body\r\nc NOOP\r\n")
		if err := below.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		tc.c.SetReadDeadline(time.Now().Add(20 * time.Second))
		got, err := io.ReadAll(tc.r)
		// The stream of blocks has no last one; below it the end is a proper one, of which crypto/tls would tell otherwise.
		if !strings.Contains(string(got), "\r\nc OK ") || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("TLS %v: %q, %v", secure, got, err)
		}
		if _, err := below.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("TLS %v: ends with %v", secure, err)
		}
	}
	ts.ends()
}

// TestCompressedIdleMemory bounds what a compressed connection costs that waits for news: the window of what the client sends and the
// history of what it was sent.
func TestCompressedIdleMemory(t *testing.T) {
	const n, most = 300, 80 << 10
	ts := newTestServer(t, func(o *Options) { o.Limits.PerUser, o.Limits.PerAddress = 2*n, 2*n })
	ts.deliver("", "new", "", "Subject: one\n\nbody\n")
	idle := func() {
		tc := ts.compressed()
		tc.ok("SELECT INBOX")
		tc.ok("FETCH 1 (FLAGS UID)")
		tc.send("x IDLE\r\n")
		tc.line()
		tc.c, tc.r = nil, nil
	}
	for range 5 {
		idle() // pools and caches fill
	}
	before := memory()
	for range n {
		idle()
	}
	if per := (memory() - before) / n; per > most {
		t.Errorf("%d octets for a connection", per)
	} else {
		t.Logf("%d octets for a connection, with the client's end", per)
	}
}
