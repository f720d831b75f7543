package imap

import (
	"bufio"
	"bytes"
	"io"
	"sync"

	goimap "github.com/emersion/go-imap/v2"
	"github.com/klauspost/compress/flate"

	"roost/imap/wire"
	"roost/internal/inflate"
)

// errCompressed: RFC 4978 §3 has NO for compression by another layer, which TLS has no more.
var errCompressed = &response{goimap.StatusResponseTypeBad, "COMPRESSIONACTIVE", "DEFLATE is active already, by COMPRESS"}

// cmdCompress is COMPRESS (RFC 4978). What follows its answer is compressed in both directions until the connection ends, or UNAUTHENTICATE.
func (s *session) cmdCompress(c *command) error {
	mechanism, err := wire.ParseCompress(c.args)
	if err != nil {
		return err
	}
	if mechanism != "DEFLATE" {
		return bad("Unknown compression mechanism")
	}
	if s.layer.active() {
		return errCompressed
	}
	if s.layer != nil && s.rd.Buffered() > 0 { // RFC 4978 §3
		return bad("Nothing may be sent before the answer to COMPRESS")
	}
	s.enc.Raw(c.tag).Raw(" OK DEFLATE active").CRLF()
	if err := s.enc.Flush(); err != nil {
		return err
	}
	if s.layer == nil {
		s.rd.Through(func(below *bufio.Reader) io.Reader {
			s.layer = &compression{below: below}
			return s.layer
		})
	}
	s.layer.in, s.layer.ended = inflate.NewReader(s.layer.below), false
	s.enc.Reset(&deflater{w: s.below(), ended: &s.layer.ended})
	return errAnswered
}

// below is where responses go when they are not compressed.
func (s *session) below() io.Writer {
	if s.tls != nil {
		return s.tls
	}
	return s.conn
}

var errBehindEnd = &wire.FatalError{Text: "Compressed data behind UNAUTHENTICATE"}

// endCompression ends it behind the command that was read last, if nothing else has been decompressed, and the response that is in the encoder
// (RFC 8437 §4.1).
func (s *session) endCompression() error {
	s.layer.ended = true
	if err := s.enc.Flush(); err != nil {
		return err
	}
	s.enc.Reset(s.below())
	return nil
}

const (
	// deflatePiece is how much is compressed at once.
	deflatePiece = 64 << 10
	// deflateHistory is how far back a response may refer: what the library can use of it.
	deflateHistory = 8 << 10
)

// compression is the layer, of which the reader sees what it decompresses, and what comes behind it. Once there, it stays below the reader: clients can
// begin and end compression as often as they like.
type compression struct {
	below *bufio.Reader
	in    *inflate.Reader // nil: what comes is not compressed
	ended bool            // nothing more is compressed; of in the end is to be read
}

// active tells whether both sides compress.
func (c *compression) active() bool { return c != nil && c.in != nil && !c.ended }

var errStream = &wire.FatalError{Text: "Compressed data is damaged"}

func (c *compression) Read(p []byte) (int, error) {
	if c.in != nil && c.ended {
		err := c.in.End()
		if c.in = nil; err != nil {
			return 0, streamError(err)
		}
	}
	if c.in == nil {
		return c.below.Read(p)
	}
	n, err := c.in.Read(p)
	return n, streamError(err)
}

// streamError names what the client is told.
func streamError(err error) error {
	if err == inflate.ErrCorrupt {
		return errStream // where the next command begins cannot be known any more
	}
	return err
}

// deflater compresses what is written to it, each Write so that the client can read it at once: the encoder's buffer is above. A deflate
// writer that keeps its tables takes half a megabyte, so between writes only the last octets are kept and every Write starts with them as
// its dictionary. That costs some percent of the compression.
type deflater struct {
	w     io.Writer
	last  []byte // what went out last, at most deflateHistory octets
	ended *bool  // the next Write is the last one
}

// packets are the buffers of what is compressed, in use during a Write.
var packets = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func (d *deflater) Write(p []byte) (int, error) {
	packet := packets.Get().(*bytes.Buffer)
	defer packets.Put(packet)
	for n := 0; n < len(p); {
		piece := p[n:min(len(p), n+deflatePiece)]
		packet.Reset()
		if err := flate.StatelessDeflate(packet, piece, *d.ended && n+len(piece) == len(p), d.last); err != nil {
			return n, err
		}
		if _, err := d.w.Write(packet.Bytes()); err != nil {
			return n, err
		}
		d.remember(piece)
		n += len(piece)
	}
	return len(p), nil
}

// remember keeps the end of what has gone out.
func (d *deflater) remember(p []byte) {
	if d.last == nil {
		d.last = make([]byte, 0, deflateHistory)
	}
	p = p[max(0, len(p)-deflateHistory):]
	if over := len(d.last) + len(p) - deflateHistory; over > 0 {
		d.last = d.last[:copy(d.last, d.last[over:])]
	}
	d.last = append(d.last, p...)
}
