package message

import (
	"bytes"
	"io"
	"math/bits"
	"sync"
)

const (
	// maxBoundary is how much of a boundary parameter counts: RFC 2046 §5.1.1 allows 70 octets, Dovecot compares 80.
	maxBoundary = 80
	// boundaryLine is how much of a line must be seen to judge it: as much as there may be of any line (RFC 5322 §2.1.1), because the dashes that make it
	// the last one stand behind the whole boundary, however much of that is compared.
	boundaryLine = 1000
	// headerBudget times Limits.HeaderBytes is how much of all headers together is kept in the part tree.
	headerBudget = 4
)

// Parse reads the whole message once. It never fails on broken mail, only on read errors.
func Parse(r io.ReaderAt, size int64, lim Limits) (*Message, error) {
	p := parsers.Get().(*parser)
	defer p.release()
	p.s, p.lim, p.budget, p.parts = newScanner(r, 0, size), lim, headerBudget*lim.HeaderBytes, 0
	root := p.run()
	if p.s.err != nil {
		return nil, p.s.err
	}
	end := p.s.mark()
	return &Message{Root: root, Size: end.off, Wire: mark{}.wire(end)}, nil
}

// parsers are those that are not in use, with nothing open.
var parsers = sync.Pool{New: func() any { return &parser{boundaries: make(map[string]*openPart)} }}

// release gives a parser back that has closed all parts.
func (p *parser) release() {
	p.s.close()
	p.s = nil
	clear(p.open[:cap(p.open)])
	if len(p.boundaries) > 0 { // it panicked
		return
	}
	p.fields.shrink()
	parsers.Put(p)
}

// parser is the state of one Parse. Parts are opened and closed like brackets, on a stack: there is no recursion.
type parser struct {
	s      *scanner
	lim    Limits
	parts  int
	open   []*openPart // from the root to the innermost part
	fields contentFields
	budget int // octets of header values that may still be kept

	// The boundaries of the open multiparts. A line is looked up by its prefixes of the lengths that occur, longest first, so that the work per
	// line does not grow with the number of open parts.
	boundaries map[string]*openPart
	counts     [maxBoundary + 1]int // open boundaries by length
	lengths    [2]uint64            // bit n: counts[n] > 0
}

// openPart is a part whose end has not been seen.
type openPart struct {
	part     *Part
	body     mark
	level    int       // index in parser.open
	boundary string    // of a multipart, as far as it counts
	surplus  string    // what goes on behind that
	bound    bool      // boundary is being looked for
	shadowed *openPart // outer multipart with the same boundary
}

// run parses the file and returns the root. What is called hit here is the multipart whose boundary line stands at the scanner's position; final
// says that the line is its last. Parts inside hit have been closed by whoever found it.
func (p *parser) run() *Part {
	hit, final := p.header(nil)
	root := p.open[0].part
	for {
		if hit == nil {
			if hit, final = p.body(); hit == nil {
				break
			}
		}
		p.s.skipLine()
		switch {
		case final:
			p.unbind(hit)
			hit, final = p.toBoundary() // the epilogue
		case p.parts < p.lim.Parts:
			hit, final = p.header(hit)
			continue
		default:
			p.s.skipAll()
			hit = nil
		}
		if hit == nil {
			break
		}
	}
	p.closeTo(0, p.s.mark())
	return root
}

// body reads the body of the innermost part: to the next boundary of an open multipart, or to the end of the file (nil).
func (p *parser) body() (hit *openPart, final bool) {
	for {
		top := p.open[len(p.open)-1]
		part := top.part
		switch nested := isMultipart(part) && top.boundary != "" || isMessage(part); {
		case nested && (len(p.open) >= p.lim.Depth || p.parts >= p.lim.Parts):
			// Not looked into, so it must not claim to hold anything.
			part.Type, part.Subtype, part.Params = "application", "octet-stream", nil
		case nested && isMessage(part):
			if hit, final = p.header(top); hit != nil {
				return hit, final
			}
			continue
		case nested:
			p.bind(top)
		}
		return p.toBoundary()
	}
}

// header opens a new part inside parent and reads its header. The header may be cut short by a boundary.
func (p *parser) header(parent *openPart) (hit *openPart, final bool) {
	start := p.s.mark()
	part := &Part{HeaderOff: start.off}
	digest := false
	switch {
	case parent == nil:
	case isMessage(parent.part):
		parent.part.Message = part
	default:
		parent.part.Children = append(parent.part.Children, part)
		digest = equalFold(parent.part.Subtype, "digest")
	}
	o := &openPart{part: part, level: len(p.open)}
	p.open = append(p.open, o)
	p.parts++

	p.fields.reset(min(p.lim.HeaderBytes, p.budget))
	end := start // of the header, should a boundary follow: without the last line end (RFC 2046 §5.1.1)
	for {
		if hit, final = p.boundaryHere(); hit != nil {
			break
		}
		line, whole := p.s.line()
		if len(line) == 0 || isEmptyLine(line) {
			p.s.skip(len(line))
			end = p.s.mark()
			break
		}
		p.fields.start(line)
		for !whole {
			p.s.skip(len(line))
			if line, whole = p.s.line(); len(line) > 0 {
				p.fields.add(line)
			}
		}
		end = p.s.skipField(line)
	}
	part.BodyOff = end.off
	part.WireHeader = start.wire(end)
	o.body = end
	p.budget -= p.fields.used
	o.boundary = p.fields.fill(part, digest, p.lim.Params)
	if len(o.boundary) > maxBoundary {
		o.boundary, o.surplus = o.boundary[:maxBoundary], o.boundary[maxBoundary:]
	}
	if hit != nil {
		if isMessage(part) { // it has no body, but a client must see a message in it
			part.Message = &Part{HeaderOff: end.off, BodyOff: end.off, End: end.off, Type: "text", Subtype: "plain", Encoding: "7bit"}
			p.parts++
		}
		p.closeTo(hit.level+1, end)
	}
	return hit, final
}

// toBoundary reads from the start of a line to the next boundary line, or to the end of the file (nil). The line end before a boundary line
// belongs to the boundary, except that of another boundary line or of a header's empty line, as Dovecot counts.
func (p *parser) toBoundary() (hit *openPart, final bool) {
	s := p.s
	if len(p.boundaries) == 0 {
		s.skipAll()
		return nil, false
	}
	if hit, final = p.boundaryHere(); hit != nil {
		p.closeTo(hit.level+1, s.mark())
		return hit, final
	}
	from := 0 // in s.rest(): no boundary line starts before
	for {
		b := s.rest()
		i := bytes.Index(b[from:], dashes)
		if i < 0 {
			s.skip(max(len(b)-len("\r\n-"), 0))
			if !s.more(len(s.rest()) + 1) {
				s.skipAll()
				return nil, false
			}
			from = 0
			continue
		}
		i += from
		if len(b)-i <= boundaryLine {
			s.skip(max(i-1, 0))
			s.more(1 + 1 + boundaryLine)
			i, b = min(i, 1), s.rest()
		}
		if hit, final = p.match(b[i+1:]); hit != nil {
			end := i
			if i > 0 && b[i-1] == '\r' {
				end--
			}
			s.skip(end)
			p.closeTo(hit.level+1, s.mark())
			s.skip(i + 1 - end)
			return hit, final
		}
		from = i + len(dashes)
	}
}

// boundaryHere tells whether the line at the current position is a boundary line of an open multipart.
func (p *parser) boundaryHere() (hit *openPart, final bool) {
	if len(p.boundaries) == 0 {
		return nil, false
	}
	p.s.more(boundaryLine)
	return p.match(p.s.rest())
}

// match looks up a line (b may go on behind it) among the open boundaries.
//
// RFC 2046 §5.1.1: a boundary need only be the beginning of the line. Of several the longest counts, of equal ones the innermost;
// "--x--" ends x even if there is a boundary "x--" outside of it.
func (p *parser) match(b []byte) (hit *openPart, final bool) {
	if len(b) < 2 || b[0] != '-' || b[1] != '-' {
		return nil, false
	}
	b = b[2:min(len(b), boundaryLine)]
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		b = trimLineEnd(b[:i+1])
	}
	if hit = p.longest(b); hit == nil {
		return nil, false
	}
	if n := len(hit.boundary); n == len(b) && n > 2 && string(b[n-2:]) == "--" {
		if inner := p.boundaries[string(b[:n-2])]; inner != nil && inner.level > hit.level {
			hit = inner
		}
	}
	after := b[len(hit.boundary):]
	if n := len(hit.surplus); n <= len(after) && string(after[:n]) == hit.surplus {
		after = after[n:]
	}
	return hit, len(after) >= 2 && after[0] == '-' && after[1] == '-'
}

// longest returns the multipart with the longest boundary that b begins with.
func (p *parser) longest(b []byte) *openPart {
	n := min(len(b), maxBoundary)
	lengths := p.lengths
	for w := n >> 6; w >= 0; w-- {
		set := lengths[w]
		if w == n>>6 {
			set &= 1<<(n&63+1) - 1
		}
		for set != 0 {
			bit := bits.Len64(set) - 1
			set &^= 1 << bit
			if o := p.boundaries[string(b[:w<<6+bit])]; o != nil {
				return o
			}
		}
	}
	return nil
}

func (p *parser) bind(o *openPart) {
	o.bound = true
	o.shadowed = p.boundaries[o.boundary]
	p.boundaries[o.boundary] = o
	n := len(o.boundary)
	p.counts[n]++
	p.lengths[n>>6] |= 1 << (n & 63)
}

// unbind forgets the boundary of o, which must be the innermost open multipart that has one.
func (p *parser) unbind(o *openPart) {
	if !o.bound {
		return
	}
	o.bound = false
	if o.shadowed != nil {
		p.boundaries[o.boundary] = o.shadowed
	} else {
		delete(p.boundaries, o.boundary)
	}
	n := len(o.boundary)
	if p.counts[n]--; p.counts[n] == 0 {
		p.lengths[n>>6] &^= 1 << (n & 63)
	}
}

// closeTo ends all parts from the innermost to the one at level.
func (p *parser) closeTo(level int, end mark) {
	for i := len(p.open) - 1; i >= level; i-- {
		o := p.open[i]
		p.unbind(o)
		o.part.End = end.off
		o.part.WireBody = o.body.wire(end)
		o.part.Lines = end.lf - o.body.lf
		o.part.HasNUL = p.s.nul >= o.body.off
	}
	p.open = p.open[:level]
}

// Find returns the part that an IMAP part number names (RFC 9051 §6.4.5: numbers descend through multiparts and
// embedded messages; part 1 of a non-multipart is its body), or nil.
func (m *Message) Find(path []uint32) *Part {
	var p *Part
	for i, n := range path {
		in := m.Root // what the number counts in
		if i > 0 {
			in = p
			if p.Message != nil {
				in = p.Message
			}
		}
		switch {
		case isMultipart(in) && len(in.Children) == 0 && n == 1:
			p = noPart(in)
		case isMultipart(in):
			if n < 1 || uint64(n) > uint64(len(in.Children)) {
				return nil
			}
			p = in.Children[n-1]
		case n != 1 || in == p: // a leaf has no parts
			return nil
		default:
			p = in
		}
	}
	return p
}
