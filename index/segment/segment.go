package segment

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"sort"
	"sync/atomic"
	"syscall"
)

// Segment is an open segment. Its file is mapped, and is only ever written by the process that has the index; should another one cut it short all
// the same, readers end with a fault that Catch turns into an error. Safe for concurrent use.
type Segment struct {
	path string
	data []byte
	c    contents
	refs atomic.Int32

	opaque []uint32 // documents that may contain anything
}

// Open maps a segment and checks all of it; ErrDamaged when it is not what was written. Release it.
func Open(path string) (*Segment, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	size := st.Size()
	if size < int64(len(magic)+contentsSize+4) {
		return nil, fmt.Errorf("%s: %w", path, ErrDamaged)
	}
	c, err := verify(f, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	data, err := syscall.Mmap(int(f.Fd()), 0, int(size), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	s := &Segment{path: path, data: data, c: c}
	s.refs.Store(1)
	err = Catch(func() error {
		for i := range s.Docs() {
			if d := s.doc(i); d.opaque {
				s.opaque = append(s.opaque, d.num)
			}
		}
		return nil
	})
	return s, err
}

// verify reads the whole file, so that it need not be in memory to be checked.
func verify(f *os.File, size int64) (c contents, err error) {
	buf := make([]byte, 1<<20)
	sum, begin := uint32(0), buf[:0]
	for at := int64(0); at < size-4; {
		n, err := f.ReadAt(buf[:min(int64(len(buf)), size-4-at)], at)
		if n == 0 {
			return c, err
		}
		if at == 0 {
			begin = append(begin[:0:0], buf[:min(n, len(magic))]...)
		}
		sum = crc32.Update(sum, castagnoli, buf[:n])
		at += int64(n)
	}
	end := buf[:contentsSize+4]
	if _, err := f.ReadAt(end, size-int64(len(end))); err != nil {
		return c, err
	}
	if string(begin) != magic || binary.LittleEndian.Uint32(end[contentsSize:]) != sum {
		return c, ErrDamaged
	}
	return c, c.parse(end, uint64(size-4))
}

// unneeded tells the system that a part of the file is not needed in memory any more.
func (s *Segment) unneeded(c section) {
	page := uint64(os.Getpagesize())
	from, to := (c.off+page-1)/page*page, (c.off+c.size)/page*page
	if from < to {
		_ = syscall.Madvise(s.data[from:to], syscall.MADV_DONTNEED)
	}
}

// Retain counts a reader; Release one less, the last one unmaps the file. Remove removes the file, which readers still have.
func (s *Segment) Retain() { s.refs.Add(1) }
func (s *Segment) Release() {
	if s.refs.Add(-1) > 0 {
		return
	}
	syscall.Munmap(s.data)
	s.data = nil
}
func (s *Segment) Remove() { os.Remove(s.path) }

// First and Last are the numbers of its documents, Size is that of its file in octets, Docs the number of documents.
func (s *Segment) First() uint32 { return s.c.first }
func (s *Segment) Last() uint32  { return s.c.last }
func (s *Segment) Size() int64   { return int64(len(s.data)) }
func (s *Segment) Docs() int     { return int(s.c.docs.size / docSize) }
func (s *Segment) Path() string  { return s.path }

func (s *Segment) section(c section) []byte { return s.data[c.off : c.off+c.size] }

// doc returns entry i.
func (s *Segment) doc(i int) (d docEntry) {
	b := s.section(s.c.docs)[i*docSize:]
	copy(d.id[:], b)
	d.num, d.block = binary.LittleEndian.Uint32(b[16:]), binary.LittleEndian.Uint32(b[20:])
	d.off, d.size = binary.LittleEndian.Uint32(b[24:]), binary.LittleEndian.Uint32(b[28:])
	d.size, d.opaque = d.size&^opaque, d.size&opaque != 0
	return d
}

// lookup finds the entry of a document.
func (s *Segment) lookup(num uint32) (d docEntry, ok bool) {
	n := s.Docs()
	if num < s.c.first || num > s.c.last {
		return d, false
	}
	i := int(num - s.c.first) // where it is when none before it is missing
	if i >= n || s.doc(i).num != num {
		i = sort.Search(n, func(i int) bool { return s.doc(i).num >= num })
		if i == n {
			return d, false
		}
	}
	d = s.doc(i)
	return d, d.num == num
}

// Each calls fn for every document.
func (s *Segment) Each(fn func(num uint32, id ID)) {
	for i := range s.Docs() {
		d := s.doc(i)
		if d.id != (ID{}) {
			fn(d.num, d.id)
		}
	}
}

// ID returns what a document is; false when it is not here.
func (s *Segment) ID(num uint32) (ID, bool) {
	d, ok := s.lookup(num)
	return d.id, ok && d.id != (ID{})
}

// TextSize is the length of the texts of a document's body, in octets; 0 when they are not kept.
func (s *Segment) TextSize(num uint32) uint32 {
	d, _ := s.lookup(num)
	return d.size
}

// field are the parts of a field.
type field struct {
	terms, posts, jumps []byte
	filters             filters
	base, span          uint32
}

func (s *Segment) field(f Field) field {
	c := &s.c.fields[f]
	return field{s.section(c.terms), s.section(c.posts), s.section(c.jumps), s.section(c.filters), s.c.first, s.c.last - s.c.first + 1}
}

// count is the number of jumps.
func (f *field) count() int { return len(f.jumps) / jumpSize }

// jump returns where the terms and postings of a jump begin; those of count are the ends.
func (f *field) jump(i int) (term, post int) {
	if i >= f.count() {
		return max(len(f.terms)-1, 0), len(f.posts)
	}
	b := f.jumps[i*jumpSize:]
	return min(int(binary.LittleEndian.Uint32(b)), len(f.terms)), int(min(binary.LittleEndian.Uint64(b[4:]), uint64(len(f.posts))))
}

// scan adds the documents of the terms behind jumps lo…hi-1 that contain pattern, at whose end a NUL stands for the end of the term.
func (f *field) scan(pattern []byte, lo, hi int, into *Bitset) {
	at, _ := f.jump(lo)
	end, _ := f.jump(hi)
	terms := f.terms[:end+1] // the NUL that ends a term begins the next
	find := newFinder(pattern)
	for {
		i := find.index(terms[at:])
		if i < 0 {
			return
		}
		at += i
		lo = f.jumpOf(at, lo, hi)
		at = f.collect(pattern, lo, at, into)
	}
}

// jumpOf finds, from jump lo on, the last jump before the octet at.
func (f *field) jumpOf(at, lo, hi int) int {
	for range 8 { // it is near when matches are many
		if next, _ := f.jump(lo + 1); lo+1 >= hi || next > at {
			return lo
		}
		lo++
	}
	return lo + sort.Search(hi-lo-1, func(i int) bool {
		next, _ := f.jump(lo + i + 1)
		return next > at
	})
}

// collect adds the documents of all terms behind one jump that match; the first match is at. It returns where to go on.
func (f *field) collect(pattern []byte, jump, at int, into *Bitset) int {
	term, post := f.jump(jump) // the NUL before a term, and its postings
	end, _ := f.jump(jump + 1)
	p := postings{f.posts[post:], f.span}
	for {
		next := f.after(term)
		for next <= at {
			p.skip()
			term, next = next, f.after(next)
		}
		f.add(&p, into)
		if term = next; term >= end {
			return term
		}
		i := bytes.Index(f.terms[term:end+1], pattern)
		if i < 0 {
			return end
		}
		at = term + i
	}
}

// after returns the NUL behind the term that begins with the NUL at i.
func (f *field) after(i int) int {
	n := bytes.IndexByte(f.terms[i+1:], 0)
	if n < 0 {
		return len(f.terms)
	}
	return i + 1 + n
}

// seek adds the documents of the terms that begin with prefix, or of the one that is it.
func (f *field) seek(prefix []byte, whole bool, into *Bitset) {
	f.from(prefix, func(term []byte, p *postings) bool {
		if !bytes.HasPrefix(term, prefix) || whole && len(term) > len(prefix) {
			return false
		}
		f.add(p, into)
		return !whole
	})
}

// add adds the documents of a list.
func (f *field) add(p *postings, into *Bitset) {
	p.each(func(d uint32) { into.add(min(d, f.span-1) + f.base) })
}

// from calls fn for the terms from first on, until it returns false. It passes over the list of each that it wants more behind.
func (f *field) from(first []byte, fn func(term []byte, p *postings) bool) {
	n := f.count()
	if n == 0 {
		return
	}
	termAt := func(at int) []byte {
		t := f.terms[at+1:]
		return t[:max(bytes.IndexByte(t, 0), 0)]
	}
	jump := max(sort.Search(n, func(i int) bool {
		at, _ := f.jump(i)
		return bytes.Compare(termAt(at), first) >= 0
	})-1, 0)
	at, post := f.jump(jump)
	p := postings{f.posts[post:], f.span}
	for at+1 < len(f.terms) {
		t := termAt(at)
		if bytes.Compare(t, first) < 0 {
			p.skip()
		} else if !fn(t, &p) {
			return
		}
		at += 1 + len(t)
	}
}

// read returns the texts of a document, which hold until the next call with the same reader; nil when they are not kept.
func (s *Segment) read(d docEntry, r *TextReader) ([]byte, error) {
	if d.size == 0 {
		return nil, nil
	}
	if r.seg != s || r.block != d.block {
		var err error
		r.seg = nil
		if r.text, err = s.block(int(d.block), r.text[:0]); err != nil {
			return nil, err
		}
		r.seg, r.block = s, d.block
	}
	if uint64(d.off)+uint64(d.size) > uint64(len(r.text)) {
		return nil, ErrDamaged
	}
	return r.text[d.off : d.off+d.size], nil
}

// packed returns a block as it lies in the file, and its size unpacked.
func (s *Segment) packed(n int) (packed []byte, size int, err error) {
	blocks := s.section(s.c.blocks)
	if n >= len(blocks)/blockSize {
		return nil, 0, ErrDamaged
	}
	b := blocks[n*blockSize:]
	off, length := binary.LittleEndian.Uint64(b), uint64(binary.LittleEndian.Uint32(b[8:]))
	if off > uint64(len(s.data)) || length > uint64(len(s.data))-off {
		return nil, 0, ErrDamaged
	}
	return s.data[off : off+length], int(binary.LittleEndian.Uint32(b[12:])), nil
}

// block unpacks a block.
func (s *Segment) block(n int, dst []byte) ([]byte, error) {
	packed, _, err := s.packed(n)
	if err != nil {
		return nil, err
	}
	return zstdDecoder().DecodeAll(packed, dst)
}
