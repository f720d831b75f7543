package segment

// Words next to each other are in a text far less often than both of them are somewhere in it. So it is kept, too, where two words meet: the last
// octets of the one, what is between them, the first octets of the other. A needle with a space in it says these as well, whatever its words
// are a part of in the text.

const (
	meetOctets = 2 // of each of the words
	meetGap    = 3 // octets at most of what is between them; of more, as many and an octet that says so
)

// pairsOf returns the field that knows where words of field f meet.
func pairsOf(f Field) (Field, bool) {
	switch f {
	case Body:
		return bodyPairs, true
	case Header:
		return headerPairs, true
	}
	return 0, false
}

// meeting finds where words meet.
type meeting struct {
	start, end  int  // of the last word
	word        bool // there is one, and no text of a dense script behind it
	left, right int  // octets of the words that the last piece has
	whole       int  // octets of text that it says; 0 when it does not say all between them
	buf         [2*meetOctets + meetGap + 1]byte
}

// next takes the next run, and returns a piece when it is a word that meets another one.
func (m *meeting) next(text []byte, r run) (p piece, ok bool) {
	switch {
	case r.class == dense:
		m.word = false
		return p, false
	case r.class != word:
		return p, false
	}
	start, end, met := m.start, m.end, m.word
	m.start, m.end, m.word = r.start, r.end, true
	if !met || end == r.start {
		return p, false
	}
	m.left, m.right = min(end-start, meetOctets), min(r.end-r.start, meetOctets)
	gap := text[end:r.start]
	m.whole = m.left + len(gap) + m.right
	b := append(m.buf[:0], text[end-m.left:end]...)
	for i, c := range gap {
		if i == meetGap {
			b, m.whole = append(b, 2), 0
			break
		}
		if c <= 2 { // NUL separates terms
			c, m.whole = 1, 0
		}
		b = append(b, c)
	}
	b = append(b, text[r.start:r.start+m.right]...)
	return piece{text: b, pair: true}, true
}
