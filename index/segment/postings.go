package segment

import "encoding/binary"

// Postings are the documents of a term, relative to the segment's first, ascending. They are written as
//
//	doc<<1|1                        one document
//	0 bitmap                        (span+7)/8 octets, lowest bit first: more than one in sparse
//	n<<1 [length] doc delta…        n ≥ 2; from many on with the length in octets of what follows; a delta is the distance less one
//
// in unsigned varints.

const (
	sparse = 8
	many   = 16
)

// appendPostings appends docs, at least one of a segment of span documents.
func appendPostings(dst []byte, docs []uint32, span uint32) []byte {
	switch n := len(docs); {
	case n == 1:
		return binary.AppendUvarint(dst, uint64(docs[0])<<1|1)
	case uint64(n)*sparse > uint64(span):
		dst = append(dst, 0)
		at := len(dst)
		dst = append(dst, make([]byte, (span+7)/8)...)
		for _, d := range docs {
			dst[at+int(d/8)] |= 1 << (d % 8)
		}
		return dst
	case n < many:
		return appendDeltas(binary.AppendUvarint(dst, uint64(n)<<1), docs)
	default:
		dst = binary.AppendUvarint(dst, uint64(n)<<1)
		size := 0
		last := docs[0]
		size += varintLen(last)
		for _, d := range docs[1:] {
			size += varintLen(d - last - 1)
			last = d
		}
		return appendDeltas(binary.AppendUvarint(dst, uint64(size)), docs)
	}
}

func appendDeltas(dst []byte, docs []uint32) []byte {
	dst = binary.AppendUvarint(dst, uint64(docs[0]))
	last := docs[0]
	for _, d := range docs[1:] {
		dst = binary.AppendUvarint(dst, uint64(d-last-1))
		last = d
	}
	return dst
}

func varintLen(v uint32) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}

// uvarint is binary.Uvarint for what has been checked: of what is none all is taken, so that readers come to an end.
func uvarint(b []byte) (v uint64, n int) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), 1
	}
	if v, n = binary.Uvarint(b); n <= 0 {
		n = len(b)
	}
	return v, n
}

// postings reads lists one after another. What is damaged yields wrong documents, but neither a panic nor a loop without end.
type postings struct {
	b    []byte
	span uint32
}

// skip passes over a list.
func (p *postings) skip() {
	v, n := uvarint(p.b)
	p.b = p.b[n:]
	switch {
	case v&1 == 1:
		return
	case v == 0:
		p.b = p.b[min(len(p.b), int(p.span+7)/8):]
		return
	}
	if v >>= 1; v >= many {
		size, n := uvarint(p.b)
		p.b = p.b[n:]
		p.b = p.b[min(uint64(len(p.b)), size):]
		return
	}
	for ; v > 0; v-- {
		_, n := uvarint(p.b)
		p.b = p.b[n:]
	}
}

// each calls fn for the documents of a list.
func (p *postings) each(fn func(doc uint32)) {
	v, n := uvarint(p.b)
	p.b = p.b[n:]
	switch {
	case v&1 == 1:
		fn(uint32(v >> 1))
		return
	case v == 0:
		size := min(len(p.b), int(p.span+7)/8)
		for i, b := range p.b[:size] {
			for ; b != 0; b &= b - 1 {
				fn(uint32(i*8) + uint32(trailing[b&-b]))
			}
		}
		p.b = p.b[size:]
		return
	}
	if v >>= 1; v >= many {
		_, n := uvarint(p.b)
		p.b = p.b[n:]
	}
	doc, n := uvarint(p.b)
	for {
		p.b = p.b[n:]
		fn(uint32(doc))
		if v--; v == 0 || len(p.b) == 0 {
			return
		}
		var delta uint64
		delta, n = uvarint(p.b)
		doc += delta + 1
	}
}

// trailing is the place of the only bit that is set.
var trailing = func() (t [256]uint8) {
	for i := range 8 {
		t[1<<i] = uint8(i)
	}
	return t
}()
