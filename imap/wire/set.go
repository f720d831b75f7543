package wire

import "bytes"

// ExpectSet takes a sequence-set. Sets of tens of thousands of ranges are common, so this is one pass with one allocation.
//
//	sequence-set = (seq-number / seq-range) ["," sequence-set] / "$"
//	seq-range    = seq-number ":" seq-number
//	seq-number   = nz-number / "*"
func (d *Decoder) ExpectSet(s *Set) bool {
	if !d.Without["$"] && d.Special('$') {
		*s = Set{Saved: true}
		return true
	}
	var rest []byte
	if d.err == nil {
		rest = d.buf[d.pos:]
	}
	end := 0
	for end < len(rest) && (isDigit(rest[end]) || rest[end] == ',' || rest[end] == ':' || rest[end] == '*') {
		end++
	}
	ranges := make([]Range, 0, bytes.Count(rest[:end], []byte(","))+1)
	for {
		var r Range
		if !d.seqNumber(&r.First) {
			return false
		}
		r.Last = r.First
		if d.Special(':') && !d.seqNumber(&r.Last) {
			return false
		}
		ranges = append(ranges, r)
		if !d.Special(',') {
			*s = Set{Ranges: ranges}
			return true
		}
	}
}

// seqNumber takes an nz-number or "*".
func (d *Decoder) seqNumber(n *uint32) bool {
	if d.Special('*') {
		*n = Star
		return true
	}
	v, ok := d.digits(1<<32 - 1)
	*n = uint32(v)
	return d.expect(ok && v != 0, "a sequence set")
}

// ExpectPageRange takes the argument of PARTIAL (RFC 9394 §4).
//
//	partial-range       = partial-range-first / partial-range-last
//	partial-range-first = nz-number ":" nz-number
//	partial-range-last  = "-" nz-number ":" "-" nz-number
func (d *Decoder) ExpectPageRange(r *PageRange) bool {
	r.FromEnd = d.Special('-')
	return d.ExpectNzNumber(&r.First) && d.ExpectSpecial(':') && d.expect(d.Special('-') == r.FromEnd, "a range from one end") &&
		d.ExpectNzNumber(&r.Last)
}
