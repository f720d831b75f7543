package extract

import (
	"bufio"
	"encoding/binary"
	"io"
)

// What goes to a child is, for each document,
//
//	request  format (1: PDF, 2: Office), octets of text at most (8), nesting (4)
//	frames   length (4) and as many octets, of the document; one of no length ends it
//
// and comes back as
//
//	frames   of the text
//	answer   Kind, 0 for none; 1 if this was the child's last document
//
// with numbers little-endian. A child reads all of a document before it writes.

// formats are numbered from 1 on.
var formats = [...]Format{PDF, Office}

type request struct {
	format  Format
	output  int64
	nesting int
}

const requestSize = 1 + 8 + 4

func (q request) write(w *bufio.Writer) {
	var b [requestSize]byte
	for i, f := range formats {
		if f == q.format {
			b[0] = byte(i + 1)
		}
	}
	binary.LittleEndian.PutUint64(b[1:], uint64(q.output))
	binary.LittleEndian.PutUint32(b[9:], uint32(q.nesting))
	_, _ = w.Write(b[:]) // the error stays in w
}

func readRequest(r io.Reader) (q request, err error) {
	var b [requestSize]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return q, err
	}
	if i := int(b[0]) - 1; i >= 0 && i < len(formats) {
		q.format = formats[i]
	}
	q.output, q.nesting = int64(binary.LittleEndian.Uint64(b[1:])), int(binary.LittleEndian.Uint32(b[9:]))
	return q, nil
}

func (q request) limits() Limits { return Limits{Output: q.output, Nesting: q.nesting} }

// answer is what became of a document.
type answer struct {
	kind Kind
	last bool
}

// write ends the frames of the text, too.
func (a answer) write(w *bufio.Writer) error {
	end := [...]byte{0, 0, 0, 0, byte(a.kind), 0}
	if a.last {
		end[5] = 1
	}
	_, _ = w.Write(end[:])
	return w.Flush()
}

func readAnswer(r io.Reader) (a answer, err error) {
	var b [2]byte
	_, err = io.ReadFull(r, b[:])
	return answer{Kind(b[0]), b[1] != 0}, err
}

// frameWriter makes each Write a frame, of at least an octet.
type frameWriter struct{ w *bufio.Writer }

func (f frameWriter) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	_, _ = f.w.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(p))))
	return f.w.Write(p)
}

// frameReader reads frames to the one that ends them.
type frameReader struct {
	r    io.Reader
	left int64 // of a frame
	done bool
}

func (f *frameReader) Read(p []byte) (int, error) {
	if f.left == 0 && !f.done {
		var b [4]byte
		if _, err := io.ReadFull(f.r, b[:]); err != nil {
			return 0, io.ErrUnexpectedEOF
		}
		f.left = int64(binary.LittleEndian.Uint32(b[:]))
		f.done = f.left == 0
	}
	if f.done {
		return 0, io.EOF
	}
	n, err := f.r.Read(p[:min(int64(len(p)), f.left)])
	if f.left -= int64(n); err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
