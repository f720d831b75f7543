package imap

import (
	"bufio"
	"bytes"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"

	"roost/imap/wire"
	"roost/internal/inflate"
)

var errCompressed = no("COMPRESSIONACTIVE", "DEFLATE is active already, by COMPRESS")

// cmdCompress is COMPRESS (RFC 4978). What follows its answer is compressed in both directions until the connection ends; logging out with
// UNAUTHENTICATE changes nothing of that (RFC 8437 §2).
func (s *session) cmdCompress(c *command) error {
	mechanism, err := wire.ParseCompress(c.args)
	if err != nil {
		return err
	}
	if mechanism != "DEFLATE" {
		return bad("Unknown compression mechanism")
	}
	if s.deflated {
		return errCompressed
	}
	s.enc.Raw(c.tag).Raw(" OK DEFLATE active").CRLF()
	if err := s.enc.Flush(); err != nil {
		return err
	}
	var below io.Writer = s.conn
	if s.tls != nil {
		below = s.tls
	}
	s.deflated = true
	s.rd.Through(newInflater)
	s.enc.Reset(&deflater{w: below})
	return errAnswered
}

const (
	// deflatePiece is how much is compressed at once.
	deflatePiece = 64 << 10
	// deflateHistory is how far back a response may refer: what the library can use of it.
	deflateHistory = 8 << 10
)

// deflater compresses what is written to it, each Write so that the client can read it at once: the encoder's buffer is above. A deflate
// writer that keeps its tables takes half a megabyte, so between writes only the last octets are kept and every Write starts with them as
// its dictionary. That costs some percent of the compression.
type deflater struct {
	w    io.Writer
	last []byte // what went out last, at most deflateHistory octets
}

// packets are the buffers of what is compressed, in use during a Write.
var packets = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func (d *deflater) Write(p []byte) (int, error) {
	packet := packets.Get().(*bytes.Buffer)
	defer packets.Put(packet)
	for n := 0; n < len(p); {
		piece := p[n:min(len(p), n+deflatePiece)]
		packet.Reset()
		if err := flate.StatelessDeflate(packet, piece, false, d.last); err != nil {
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

// inflater decompresses what a client sends.
type inflater struct{ r *inflate.Reader }

// newInflater reads from a reader that has buffered the stream's beginning perhaps.
func newInflater(below *bufio.Reader) io.Reader { return inflater{inflate.NewReader(below)} }

var errStream = &wire.FatalError{Text: "Compressed data is damaged"}

func (i inflater) Read(p []byte) (int, error) {
	n, err := i.r.Read(p)
	if err == inflate.ErrCorrupt {
		err = errStream // where the next command begins cannot be known any more
	}
	return n, err
}
