package maildir

import (
	"bufio"
	"bytes"
	"io"
	"sync"
)

// storeBuffers are what writing a message takes.
type storeBuffers struct {
	out *bufio.Writer
	in  [1 << 15]byte
}

var storePool = sync.Pool{New: func() any { return &storeBuffers{out: bufio.NewWriterSize(nil, 1<<16)} }}

// storeMessage writes what r has into f, with LF for CRLF. It returns how many octets that are, and how many will be sent of them.
func storeMessage(f io.Writer, r io.Reader) (size, wire int64, err error) {
	b := storePool.Get().(*storeBuffers)
	defer storePool.Put(b)
	defer b.out.Reset(nil)
	b.out.Reset(f)
	w := storeWriter{w: b.out}
	if _, err = io.CopyBuffer(&w, r, b.in[:]); err == nil {
		err = w.close()
	}
	return w.size, w.wire, err
}

// storeWriter turns CRLF into LF and counts: size as stored, wire as it will be sent. A CR that precedes CRLF would be
// lost to the reader, who turns a bare LF into CRLF and leaves CRLF alone; so CR CR LF stays as it is.
type storeWriter struct {
	w          *bufio.Writer
	cr         int // CRs held back, 2 stands for more
	size, wire int64
}

func (s *storeWriter) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if s.cr > 0 || p[0] == '\r' || p[0] == '\n' {
			s.byte(p[0])
			p = p[1:]
			continue
		}
		i := bytes.IndexAny(p, "\r\n")
		if i < 0 {
			i = len(p)
		}
		s.w.Write(p[:i])
		s.size += int64(i)
		s.wire += int64(i)
		p = p[i:]
	}
	// bufio.Writer keeps its first error for Flush; stop early all the same.
	if _, err := s.w.Write(nil); err != nil {
		return 0, err
	}
	return n, nil
}

func (s *storeWriter) byte(c byte) {
	switch {
	case c == '\r':
		if s.cr == 2 {
			s.emit('\r')
			s.wire++
		} else {
			s.cr++
		}
	case c == '\n':
		if s.cr == 2 {
			s.emit('\r')
			s.emit('\r')
			s.emit('\n')
			s.wire += 3
		} else {
			s.emit('\n')
			s.wire += 2
		}
		s.cr = 0
	default:
		s.flushCR()
		s.emit(c)
		s.wire++
	}
}

func (s *storeWriter) emit(c byte) {
	s.w.WriteByte(c)
	s.size++
}

func (s *storeWriter) flushCR() {
	for ; s.cr > 0; s.cr-- {
		s.emit('\r')
		s.wire++
	}
}

func (s *storeWriter) close() error {
	s.flushCR()
	return s.w.Flush()
}
