package message

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// The cache form of Meta. Numbers are varints; strings carry their length in front.
//
//	meta = version size wire sent-day sent-time flags dropped email-id thread-id envelope bodystructure body header tree
//	tree = part
//	part = flags skip header-length body-length wire-header-extra wire-body-extra lines
//	       type subtype encoding id description md5 disposition location
//	       count *(name value) count *(name value) count *language
//	       (count *part / part)
//
// skip is the distance from the start of the parent's body; the extras are what line ends add.

// metaVersion changes with the format and with whatever Meta's contents depend on: CachedFields, rendering, parsing.
const metaVersion = 6

const (
	flagAllHeader = 1 << iota
	flagEmailID
	flagThreadID
	flagOnlyHeader
)

const (
	flagNUL     = 1 << iota
	flagMessage // one part follows: the embedded message
)

// maxTreeDepth bounds the recursion on cache bytes.
const maxTreeDepth = 1000

var errMeta = errors.New("cached message facts are damaged or of another version")

// AppendBinary appends the cache form. UnmarshalBinary is its inverse.
func (m *Meta) AppendBinary(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, metaVersion)
	dst = binary.AppendUvarint(dst, uint64(m.Size))
	dst = binary.AppendUvarint(dst, uint64(m.Wire))
	dst = binary.AppendVarint(dst, m.SentDay)
	dst = binary.AppendVarint(dst, m.SentTime)
	var flags uint64
	if m.HasAllHeader {
		flags |= flagAllHeader
	}
	if m.HasEmailID {
		flags |= flagEmailID
	}
	if m.HasThreadID {
		flags |= flagThreadID
	}
	if m.OnlyHeader {
		flags |= flagOnlyHeader
	}
	dst = binary.AppendUvarint(dst, flags)
	dst = binary.AppendUvarint(dst, m.dropped)
	dst = append(dst, m.EmailID[:]...)
	dst = append(dst, m.ThreadID[:]...)
	for _, b := range [...][]byte{m.Envelope, m.BodyStructure, m.Body, m.Header, m.tree} {
		dst = appendBytes(dst, b)
	}
	return dst
}

// BinarySize is no less than the length of the cache form, and hardly more.
func (m *Meta) BinarySize() int {
	return 7*binary.MaxVarintLen64 + 2*len(m.EmailID) + 5*binary.MaxVarintLen32 + len(m.Envelope) + len(m.BodyStructure) + len(m.Body) + len(m.Header) + len(m.tree)
}

// UnmarshalBinary reads the cache form, whose slices m then shares. It rejects what is torn or from another version; that the octets are the
// ones written is for the caller to know (a checksum).
func (m *Meta) UnmarshalBinary(b []byte) error {
	r := reader{b: b}
	if r.uvarint() != metaVersion {
		return errMeta
	}
	*m = Meta{Size: r.size(), Wire: r.size(), SentDay: r.varint(), SentTime: r.varint()}
	flags := r.uvarint()
	m.HasAllHeader, m.HasEmailID, m.HasThreadID = flags&flagAllHeader != 0, flags&flagEmailID != 0, flags&flagThreadID != 0
	m.OnlyHeader = flags&flagOnlyHeader != 0
	m.dropped = r.uvarint()
	m.EmailID, m.ThreadID = r.objectID(), r.objectID()
	for _, p := range [...]*[]byte{&m.Envelope, &m.BodyStructure, &m.Body, &m.Header, &m.tree} {
		*p = r.bytes()
	}
	if r.bad || len(r.b) > 0 {
		return errMeta
	}
	return nil
}

// Clone returns a copy that shares nothing with m; nil of nil.
func (m *Meta) Clone() *Meta {
	if m == nil {
		return nil
	}
	c := *m
	for _, p := range [...]*[]byte{&c.Envelope, &c.BodyStructure, &c.Body, &c.Header, &c.tree} {
		*p = bytes.Clone(*p)
	}
	return &c
}

func appendBytes[S ~string | ~[]byte](dst []byte, s S) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// reader takes values off b; after the first that is not there it is bad and gives zeros.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	return r.took(n, v)
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	return int64(r.took(n, uint64(v)))
}

func (r *reader) took(n int, v uint64) uint64 {
	if n <= 0 || r.bad {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

// size reads a number that sums of a few cannot overflow.
func (r *reader) size() int64 {
	v := r.uvarint()
	if v >= 1<<60 {
		r.bad, r.b = true, nil
		return 0
	}
	return int64(v)
}

// count reads how many things of at least one octet follow.
func (r *reader) count() int {
	v := r.uvarint()
	if v > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return 0
	}
	return int(v)
}

func (r *reader) bytes() []byte {
	n := r.count()
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) objectID() (id ObjectID) {
	if len(r.b) < len(id) {
		r.bad, r.b = true, nil
		return id
	}
	r.b = r.b[copy(id[:], r.b):]
	return id
}

// appendTree appends a part and what is in it; base is where the body begins that it is in.
func appendTree(dst []byte, p *Part, base int64) []byte {
	var flags uint64
	if p.HasNUL {
		flags |= flagNUL
	}
	if p.Message != nil {
		flags |= flagMessage
	}
	header, body := p.BodyOff-p.HeaderOff, p.End-p.BodyOff
	for _, n := range [...]uint64{flags, uint64(p.HeaderOff - base), uint64(header), uint64(body),
		uint64(p.WireHeader - header), uint64(p.WireBody - body), uint64(p.Lines)} {
		dst = binary.AppendUvarint(dst, n)
	}
	for _, s := range [...]string{p.Type, p.Subtype, p.Encoding, p.ID, p.Description, p.MD5, p.Disposition, p.Location} {
		dst = appendBytes(dst, s)
	}
	for _, params := range [...][]Param{p.Params, p.DispositionParams} {
		dst = binary.AppendUvarint(dst, uint64(len(params)))
		for _, param := range params {
			dst = appendBytes(dst, param.Name)
			dst = appendBytes(dst, param.Value)
		}
	}
	dst = binary.AppendUvarint(dst, uint64(len(p.Language)))
	for _, s := range p.Language {
		dst = appendBytes(dst, s)
	}
	if p.Message != nil {
		return appendTree(dst, p.Message, p.BodyOff)
	}
	dst = binary.AppendUvarint(dst, uint64(len(p.Children)))
	for _, child := range p.Children {
		dst = appendTree(dst, child, p.BodyOff)
	}
	return dst
}

// treeReader reads what appendTree wrote.
type treeReader struct {
	reader
}

func (t *treeReader) root(size int64) (*Part, bool) {
	p := t.part(0, size, 0)
	return p, !t.bad && len(t.b) == 0
}

// part reads a part that must lie in [base, end).
func (t *treeReader) part(base, end int64, depth int) *Part {
	if t.bad || depth > maxTreeDepth {
		t.bad, t.b = true, nil
		return nil
	}
	flags := t.uvarint()
	p := Part{HasNUL: flags&flagNUL != 0, HeaderOff: base + t.size()}
	p.BodyOff = p.HeaderOff + t.size()
	p.End = p.BodyOff + t.size()
	p.WireHeader = p.BodyOff - p.HeaderOff + t.size()
	p.WireBody = p.End - p.BodyOff + t.size()
	p.Lines = t.size()
	if p.End > end {
		t.bad, t.b = true, nil
	}
	for _, s := range [...]*string{&p.Type, &p.Subtype, &p.Encoding, &p.ID, &p.Description, &p.MD5, &p.Disposition, &p.Location} {
		*s = string(t.bytes())
	}
	p.Params, p.DispositionParams = t.params(), t.params()
	if n := t.count(); n > 0 {
		p.Language = make([]string, n)
		for i := range p.Language {
			p.Language[i] = string(t.bytes())
		}
	}
	if flags&flagMessage != 0 {
		p.Message = t.part(p.BodyOff, p.End, depth+1)
	} else if n := t.count(); n > 0 {
		p.Children = make([]*Part, 0, n)
		for range n {
			child := t.part(p.BodyOff, p.End, depth+1)
			if t.bad {
				break
			}
			p.Children = append(p.Children, child)
		}
	}
	return &p
}

func (t *treeReader) params() []Param {
	n := t.count()
	if n == 0 {
		return nil
	}
	list := make([]Param, n)
	for i := range list {
		list[i] = Param{string(t.bytes()), string(t.bytes())}
	}
	return list
}
