package imap

import (
	"bytes"
	"errors"
	"io"
	"sort"

	"roost/imap/wire"
	"roost/maildir"
)

// Message files hold LF line ends (or CRLF, or a mixture, as other programs wrote them); the wire wants CRLF. A line feed that does not
// follow a carriage return is sent as CRLF, every other octet as it is. So an offset into the octets sent is not an offset into the file,
// and a client that fetches a large message in chunks asks for one offset after another: lineMarks remembers where they are.

const (
	streamBlock = 256 << 10 // octets read from a file at once
	smallRegion = 256 << 10 // regions and chunks up to this are built in memory, so that what is announced is what is there
	markStride  = 64 << 10  // distance of remembered offsets in the file
)

// errShort tells that a file held less than its cached structure says, after a literal had been announced.
var errShort = errors.New("message file is shorter than it was")

// region is a stretch [off,end) of a message file and its length on the wire.
type region struct {
	off, end int64
	wire     int64
}

// straight tells that the region is sent as it is stored: it has no bare LF.
func (rg region) straight() bool { return rg.wire == rg.end-rg.off }

// window returns the part of n octets that a partial asks for: [from,to). A nil partial asks for all of them.
func window(p *wire.Partial, n int64) (from, to int64) {
	if p == nil {
		return 0, n
	}
	from = min(p.Offset, n)
	return from, from + min(p.Count, n-from)
}

// bareLFs counts the line feeds of block that do not follow a carriage return; prev is the octet before the block.
func bareLFs(block []byte, prev byte) int64 {
	n := bytes.Count(block, lf)
	if n == 0 {
		return 0
	}
	if prev == '\r' && block[0] == '\n' {
		n--
	}
	for rest := block; ; {
		i := bytes.IndexByte(rest, '\r')
		if i < 0 || i+1 == len(rest) {
			return int64(n)
		}
		if rest[i+1] == '\n' {
			n--
		}
		rest = rest[i+1:]
	}
}

var lf = []byte{'\n'}

// appendCRLF appends block to dst with every bare LF made CRLF; prev is the octet before the block.
func appendCRLF(dst, block []byte, prev byte) []byte {
	for len(block) > 0 {
		i := bytes.IndexByte(block, '\n')
		if i < 0 {
			return append(dst, block...)
		}
		if i > 0 {
			prev = block[i-1]
		}
		dst = append(dst, block[:i]...)
		if prev != '\r' {
			dst = append(dst, '\r')
		}
		dst = append(dst, '\n')
		prev = '\n'
		block = block[i+1:]
	}
	return dst
}

// lineMarks remembers for the region read last how many octets are sent for what lies before every markStride-th octet of it, as far as it
// has been read, and where the last chunk ended. Sequential chunks thus cost no more than what is sent, and any other chunk at most one stride
// more than its size.
type lineMarks struct {
	box  *maildir.Mailbox
	uid  uint32
	rg   region
	wire []int64  // wire[k]: octets sent for [rg.off, rg.off+k*markStride)
	last position // where the last chunk ended
}

// position is an offset in a file, and how many octets of a region are sent for what lies before it.
type position struct{ off, wire int64 }

// locate returns a file offset at or before the wire offset `at` of the region, and the wire offset it stands for: at most markStride
// stored octets before it, unless the region ends there.
func (lm *lineMarks) locate(r io.ReaderAt, box *maildir.Mailbox, uid uint32, rg region, at int64, buf []byte) (off, wire int64, err error) {
	if lm.box != box || lm.uid != uid || lm.rg != rg || len(lm.wire) == 0 {
		*lm = lineMarks{box: box, uid: uid, rg: rg, wire: append(lm.wire[:0], 0), last: position{rg.off, 0}}
	}
	if lm.last.wire <= at && at <= lm.last.wire+1 { // its last octet may have been half a line end
		return lm.last.off, lm.last.wire, nil
	}
	for {
		last := len(lm.wire) - 1
		from := rg.off + int64(last)*markStride
		if at < lm.wire[last]+markStride || from+markStride > rg.end {
			break
		}
		block := buf[:markStride]
		if _, err := io.ReadFull(io.NewSectionReader(r, from, markStride), block); err != nil {
			return 0, 0, err
		}
		prev, err := octetBefore(r, from, rg.off)
		if err != nil {
			return 0, 0, err
		}
		lm.wire = append(lm.wire, lm.wire[last]+markStride+bareLFs(block, prev))
	}
	k := sort.Search(len(lm.wire), func(i int) bool { return lm.wire[i] > at }) - 1
	return rg.off + int64(k)*markStride, lm.wire[k], nil
}

// octetBefore returns the octet in front of off, or 0 when off is where the region starts.
func octetBefore(r io.ReaderAt, off, start int64) (byte, error) {
	if off <= start {
		return 0, nil
	}
	var b [1]byte
	if _, err := r.ReadAt(b[:], off-1); err != nil && err != io.EOF {
		return 0, err
	}
	return b[0], nil
}

// ended remembers that a chunk ended at a wire offset of the region, with which block, of stored octets behind prev, was read as far as end; left
// octets sent for it belong to what follows.
func (lm *lineMarks) ended(wire, end int64, block []byte, prev byte, left int64) {
	for i := len(block) - 1; i >= 0 && left > 0; i-- {
		before := prev
		if i > 0 {
			before = block[i-1]
		}
		if left--; block[i] == '\n' && before != '\r' {
			left--
		}
		end--
	}
	lm.last = position{end, wire + left} // left is -1 where CR and LF were parted
}

// crlfReader yields a region as it is sent, starting at any stored offset of it.
type crlfReader struct {
	r        io.ReaderAt
	off, end int64
	prev     byte

	block  []byte // what next has read last, behind before
	before byte
	sent   int64 // octets that came of all that was read
}

// next reads up to len(buf) stored octets and appends them, converted, to dst. io.EOF at the end of the region or of the file.
func (c *crlfReader) next(dst, buf []byte) ([]byte, error) {
	n := min(int64(len(buf)), c.end-c.off)
	if n <= 0 {
		return dst, io.EOF
	}
	got, err := c.r.ReadAt(buf[:n], c.off)
	if got == 0 {
		if err == nil {
			err = io.EOF
		}
		return dst, err
	}
	start := len(dst)
	c.block, c.before = buf[:got], c.prev
	dst = appendCRLF(dst, c.block, c.prev)
	c.prev = c.block[got-1]
	c.off += int64(got)
	c.sent += int64(len(dst) - start)
	return dst, nil
}

// writeRegion writes a region, or the chunk of it that a partial asks for, as a literal. Only a failure that leaves the client waiting
// for announced octets is an error.
func (f *fetcher) writeRegion(m *fetchMessage, rg region, p *wire.Partial) error {
	f.grow()
	stored := rg.end - rg.off
	switch {
	case stored <= smallRegion:
		out := f.convertAll(m, rg)
		from, to := window(p, int64(len(out)))
		return f.literal(out[from:to])
	case rg.straight():
		from, to := window(p, stored)
		return f.stream(m, &crlfReader{r: m.file, off: rg.off + from, end: rg.off + to}, 0, to-from, true)
	case p == nil:
		return f.stream(m, &crlfReader{r: m.file, off: rg.off, end: rg.end}, 0, rg.wire, false)
	}
	from, to := window(p, rg.wire)
	if from == to {
		return f.literal(nil)
	}
	off, wire, err := f.s.fetched.marks.locate(m.file, f.box, m.rec.UID, rg, from, f.in)
	if err != nil {
		f.logFile(m, err)
		return f.literal(nil)
	}
	prev, err := octetBefore(m.file, off, rg.off)
	if err != nil {
		f.logFile(m, err)
		return f.literal(nil)
	}
	f.s.fetched.keep(f.box, m)
	rd := &crlfReader{r: m.file, off: off, end: min(rg.end, off+to-wire), prev: prev} // no octet is sent as less than one
	if err := f.stream(m, rd, from-wire, to-from, false); err != nil {
		return err
	}
	f.s.fetched.marks.ended(to, rd.off, rd.block, rd.before, rd.sent-(to-wire))
	return nil
}

// convertAll returns a small region as it is sent. A file that ends early yields what is there.
func (f *fetcher) convertAll(m *fetchMessage, rg region) []byte {
	rd := crlfReader{r: m.file, off: rg.off, end: rg.end}
	out, err := f.out[:0], error(nil)
	for err == nil {
		out, err = rd.next(out, f.in)
	}
	if err != io.EOF {
		f.logFile(m, err)
	}
	f.out = out
	return out
}

// stream announces n octets and sends them, leaving out the first skip octets that rd yields. verbatim: rd's octets need no conversion.
func (f *fetcher) stream(m *fetchMessage, rd *crlfReader, skip, n int64, verbatim bool) error {
	f.enc.Literal(n, f.binary)
	for n > 0 {
		var out []byte
		var err error
		if verbatim {
			out, err = rd.nextVerbatim(f.in)
		} else {
			out, err = rd.next(f.out[:0], f.in)
			f.out = out
		}
		if err != nil {
			return f.lost(m, err)
		}
		drop := min(skip, int64(len(out)))
		skip -= drop
		out = out[drop:]
		out = out[:min(n, int64(len(out)))]
		n -= int64(len(out))
		f.enc.Write(out)
		if err := f.alive(); err != nil {
			return err
		}
	}
	return nil
}

// nextVerbatim is next without conversion.
func (c *crlfReader) nextVerbatim(buf []byte) ([]byte, error) {
	n := min(int64(len(buf)), c.end-c.off)
	if n <= 0 {
		return nil, io.EOF
	}
	got, err := c.r.ReadAt(buf[:n], c.off)
	c.off += int64(got)
	if got == 0 {
		if err == nil {
			err = io.EOF
		}
		return nil, err
	}
	return buf[:got], nil
}

// literal writes octets that are in memory.
func (f *fetcher) literal(b []byte) error {
	f.enc.Literal(int64(len(b)), f.binary)
	f.enc.Write(b)
	return nil
}
