package message

import (
	"bytes"
	"io"
	"sync"
)

// bufSize is the window through which files are read: all the memory a message needs apart from its result.
const bufSize = 64 << 10

// scanner reads a range of a file once, forward, through a window of constant size, and counts on the way.
type scanner struct {
	r      io.ReaderAt
	buf    []byte
	window *[]byte // which buf is of
	base   int64   // file offset of buf[0]
	pos    int     // consumed up to here
	n      int     // read up to here
	end    int64   // where to stop reading
	err    error   // first read error

	// Of all that was consumed:
	lf, bare int64 // line feeds, and those not preceded by CR
	nul      int64 // offset of the last NUL, -1: none
	prev     byte  // last octet
}

// mark is a position with the counts up to it; two of them tell the sizes of what lies between.
type mark struct{ off, lf, bare int64 }

// wire is the number of octets between two marks as sent to a client.
func (m mark) wire(to mark) int64 { return to.off - m.off + to.bare - m.bare }

// scanBuffers are the windows of scanners that are closed.
var scanBuffers = sync.Pool{New: func() any { b := make([]byte, bufSize); return &b }}

// newScanner starts a scan; close it.
func newScanner(r io.ReaderAt, from, to int64) *scanner {
	window := scanBuffers.Get().(*[]byte)
	return &scanner{r: r, buf: (*window)[:max(min(bufSize, to-from), 256)], window: window, base: from, end: to, nul: -1}
}

// close gives the window back. What more and rest returned does not hold any more.
func (s *scanner) close() {
	scanBuffers.Put(s.window)
	s.buf, s.window = nil, nil
}

func (s *scanner) off() int64   { return s.base + int64(s.pos) }
func (s *scanner) mark() mark   { return mark{s.off(), s.lf, s.bare} }
func (s *scanner) rest() []byte { return s.buf[s.pos:s.n] }

// more reads until the window holds at least want octets (no more than it has room for); false when the range ends before.
func (s *scanner) more(want int) bool {
	for s.n-s.pos < want {
		if s.err != nil || s.base+int64(s.n) >= s.end {
			return false
		}
		if s.pos > 0 {
			copy(s.buf, s.buf[s.pos:s.n])
			s.base += int64(s.pos)
			s.n -= s.pos
			s.pos = 0
		}
		at := s.base + int64(s.n)
		room := s.buf[s.n:]
		room = room[:min(int64(len(room)), s.end-at)]
		n, err := s.r.ReadAt(room, at)
		s.n += n
		if n < len(room) {
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF // shorter than announced
			}
			s.err = err
		}
	}
	return true
}

// skip consumes n octets of the window.
func (s *scanner) skip(n int) {
	if n == 0 {
		return
	}
	b := s.buf[s.pos : s.pos+n]
	if lf := bytes.Count(b, newline); lf > 0 {
		bare := lf - bytes.Count(b, crlf)
		if b[0] == '\n' && s.prev == '\r' {
			bare--
		}
		s.lf += int64(lf)
		s.bare += int64(bare)
	}
	if bytes.IndexByte(b, 0) >= 0 {
		s.nul = s.off() + int64(bytes.LastIndexByte(b, 0))
	}
	s.prev = b[n-1]
	s.pos += n
}

// skipField consumes a whole line, which the window holds, and returns the mark in front of its line end. It is skip for short lines.
func (s *scanner) skipField(line []byte) mark {
	n := len(line)
	if n == 0 || line[n-1] != '\n' {
		s.skip(n)
		return s.mark()
	}
	content := len(trimLineEnd(line))
	if i := bytes.IndexByte(line, 0); i >= 0 {
		s.nul = s.off() + int64(i)
	}
	m := mark{s.off() + int64(content), s.lf, s.bare}
	s.lf++
	if content == n-1 && (n > 1 || s.prev != '\r') {
		s.bare++
	}
	s.prev = '\n'
	s.pos += n
	return m
}

// skipAll consumes everything up to the end of the range.
func (s *scanner) skipAll() {
	for s.skip(s.n - s.pos); s.more(1); s.skip(s.n - s.pos) {
	}
}

// skipLine consumes everything up to and including the next LF.
func (s *scanner) skipLine() {
	for {
		b, whole := s.line()
		s.skip(len(b))
		if whole {
			return
		}
	}
}

// line returns the line at the current position including its LF, or, when it does not fit the window, a beginning of it and whole false.
// Empty and whole at the end. Nothing is consumed.
func (s *scanner) line() (b []byte, whole bool) {
	for want := 256; ; want *= 4 {
		if i := bytes.IndexByte(s.rest(), '\n'); i >= 0 {
			return s.rest()[:i+1], true
		}
		if s.n-s.pos >= len(s.buf)/2 {
			return s.rest(), false
		}
		if !s.more(min(want, len(s.buf)/2)) {
			if i := bytes.IndexByte(s.rest(), '\n'); i < 0 {
				return s.rest(), true
			}
		}
	}
}

var (
	newline = []byte("\n")
	crlf    = []byte("\r\n")
	dashes  = []byte("\n--")
)

func isEmptyLine(b []byte) bool {
	return len(b) == 1 && b[0] == '\n' || len(b) == 2 && b[0] == '\r' && b[1] == '\n'
}

// trimLineEnd cuts a final LF or CRLF.
func trimLineEnd(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == '\n' {
		b = b[:n-1]
		if n > 1 && b[n-2] == '\r' {
			b = b[:n-2]
		}
	}
	return b
}
