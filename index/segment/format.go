package segment

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
)

// A segment is one file:
//
//	magic
//	texts       compressed blocks (texts.go)
//	per field   terms: NUL term NUL term … NUL, sorted; postings in the order of the terms; jumps: where every 64th term and its postings begin;
//	            filters: what trigrams are in the terms of every 4 jumps (filter.go)
//	documents   32 octets each, ascending numbers
//	blocks      16 octets for each block of texts
//	contents    where all these are
//	checksum    CRC-32C of everything before
//
// Numbers are little-endian. The file is written once, under another name, and renamed when it is whole.

// magic ends with the version of format, tokenizer and folding together: what another version wrote is not read.
const magic = "roostFT7"

// Suffix ends the names of segments.
const Suffix = ".seg"

// jumpTerms is how many terms a jump passes over.
const jumpTerms = 64

const (
	jumpSize  = 12 // offset of the term 4 (in jumps of one segment: below 4 GiB), of its postings 8
	docSize   = 32 // identity 16, number 4, block of its texts 4, their offset in it 4, their size 4 with a flag
	blockSize = 16 // offset 8, octets compressed 4, octets 4
)

// opaque in the size of a document's texts says that its terms were too many: it may contain anything.
const opaque = 1 << 31

// ErrDamaged says that a file is no segment, or not any more, or of another version.
var ErrDamaged = errors.New("not a whole segment of this version")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// section is a place in the file.
type section struct{ off, size uint64 }

// contents say where everything is.
type contents struct {
	first, last uint32 // document numbers
	fields      [Fields]fieldSections
	docs        section
	blocks      section
}

// fieldSections say where a field is.
type fieldSections struct{ terms, posts, jumps, filters section }

func (c *contents) append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, c.first)
	dst = binary.LittleEndian.AppendUint32(dst, c.last)
	for _, s := range c.sections() {
		dst = binary.LittleEndian.AppendUint64(dst, s.off)
		dst = binary.LittleEndian.AppendUint64(dst, s.size)
	}
	return dst
}

func (c *contents) sections() []*section {
	out := []*section{&c.docs, &c.blocks}
	for i := range c.fields {
		f := &c.fields[i]
		out = append(out, &f.terms, &f.posts, &f.jumps, &f.filters)
	}
	return out
}

const contentsSize = 8 + 16*(2+4*int(Fields))

// parse reads contents of a file of size octets.
func (c *contents) parse(b []byte, size uint64) error {
	c.first, c.last = binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
	b = b[8:]
	for _, s := range c.sections() {
		s.off, s.size = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
		if s.off > size || s.size > size-s.off {
			return ErrDamaged
		}
		b = b[16:]
	}
	if c.first > c.last || c.docs.size == 0 || c.docs.size%docSize != 0 || c.blocks.size%blockSize != 0 {
		return ErrDamaged
	}
	for i := range c.fields {
		if f := &c.fields[i]; f.jumps.size%jumpSize != 0 || f.filters.size != filterSize*((f.jumps.size/jumpSize+filterJumps-1)/filterJumps) {
			return ErrDamaged
		}
	}
	return nil
}

// output is a segment file being written. Errors are kept until finish.
type output struct {
	f   *os.File
	w   *bufio.Writer
	at  uint64
	crc uint32
	err error
	c   contents
}

// create makes the file at path+".tmp".
func create(path string) (*output, error) {
	f, err := os.OpenFile(path+".tmp", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	o := &output{f: f}
	o.w = bufio.NewWriterSize(summed{o}, 256<<10)
	o.Write([]byte(magic))
	return o, nil
}

// Write implements io.Writer.
func (o *output) Write(b []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	o.at += uint64(len(b))
	_, o.err = o.w.Write(b)
	return len(b), o.err
}

// summed is the file behind the buffer. Most of what is written is a few octets long, and a checksum takes longer for each of these than for all together.
type summed struct{ o *output }

func (s summed) Write(b []byte) (int, error) {
	s.o.crc = crc32.Update(s.o.crc, castagnoli, b)
	return s.o.f.Write(b)
}

// section calls write and returns the place of what it wrote.
func (o *output) section(write func()) section {
	off := o.at
	write()
	return section{off, o.at - off}
}

// finish writes contents and checksum and gives the file its name. It is not synced: what a crash leaves is found out by the checksum.
func (o *output) finish(path string) error {
	o.Write(o.c.append(make([]byte, 0, contentsSize)))
	if o.err == nil {
		o.err = o.w.Flush() // all of it is in the checksum now
	}
	o.Write(binary.LittleEndian.AppendUint32(nil, o.crc))
	if o.err == nil {
		o.err = o.w.Flush()
	}
	if err := o.f.Close(); o.err == nil {
		o.err = err
	}
	if o.err == nil {
		o.err = os.Rename(path+".tmp", path)
	}
	if o.err != nil {
		os.Remove(path + ".tmp")
		return fmt.Errorf("writing a search index: %w", o.err)
	}
	return nil
}

// fieldWriter writes the terms of one field, which come sorted.
type fieldWriter struct {
	o     *output
	posts *spill
	jumps []byte
	grams filterWriter
	n     int
	start uint64
	buf   []byte
	span  uint32
}

func (o *output) field(s *spills) *fieldWriter {
	return &fieldWriter{o: o, posts: &s.posts, grams: filterWriter{spill: &s.filters}, start: o.at, span: o.c.last - o.c.first + 1}
}

// add writes a term and the documents it is in, relative to the segment's first.
func (w *fieldWriter) add(term []byte, docs []uint32) {
	if w.n%jumpTerms == 0 {
		at := w.o.at - w.start
		if at>>32 != 0 && w.o.err == nil {
			w.o.err = errors.New("the terms of a segment exceed 4 GiB")
		}
		w.jumps = binary.LittleEndian.AppendUint32(w.jumps, uint32(at))
		w.jumps = binary.LittleEndian.AppendUint64(w.jumps, w.posts.size)
	}
	if w.n%(jumpTerms*filterJumps) == 0 {
		w.grams.next()
	}
	w.n++
	w.buf = append(append(append(w.buf[:0], 0), term...), 0)
	w.grams.add(w.buf)
	w.o.Write(w.buf[:len(w.buf)-1])
	w.buf = appendPostings(w.buf[:0], docs, w.span)
	w.posts.Write(w.buf)
}

func (w *fieldWriter) finish(f Field) {
	c := &w.o.c.fields[f]
	if w.n > 0 {
		w.o.Write([]byte{0})
	}
	c.terms = section{w.start, w.o.at - w.start}
	c.posts = w.posts.moveTo(w.o)
	c.jumps = w.o.section(func() { w.o.Write(w.jumps) })
	w.grams.Write(w.grams.set)
	c.filters = w.grams.moveTo(w.o)
}

// spills hold what is behind the terms of a field in the file while these are written. Each field of a segment uses the same.
type spills struct{ posts, filters spill }

func newSpills(path string) *spills {
	return &spills{spill{path: path + ".posts"}, spill{path: path + ".filters"}}
}

// spill holds in memory what is little, and more in a file without a name.
type spill struct {
	path string
	mem  []byte
	f    *os.File
	size uint64
	err  error
}

const spillAt = 4 << 20

func (s *spill) Write(b []byte) (int, error) {
	s.mem = append(s.mem, b...)
	s.size += uint64(len(b))
	if len(s.mem) >= spillAt {
		s.flush()
	}
	return len(b), nil
}

func (s *spill) flush() {
	if s.f == nil && s.err == nil {
		s.f, s.err = os.OpenFile(s.path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
		if s.err == nil {
			s.err = os.Remove(s.path)
		}
	}
	if s.err == nil {
		_, s.err = s.f.Write(s.mem)
	}
	s.mem = s.mem[:0]
}

// moveTo writes everything to o and begins anew.
func (s *spill) moveTo(o *output) section {
	return o.section(func() {
		if s.f == nil {
			o.Write(s.mem)
		} else {
			s.flush()
			if s.err == nil {
				_, s.err = s.f.Seek(0, io.SeekStart)
			}
			if s.err == nil {
				_, s.err = io.Copy(o, s.f)
			}
			s.f.Close()
			s.f = nil
		}
		if o.err == nil {
			o.err = s.err
		}
		s.mem, s.size = s.mem[:0], 0
	})
}
