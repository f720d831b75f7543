package segment

// Words next to each other are in a text far less often than both of them are somewhere in it. So it is kept, too, where two words meet: the last
// two octets of the one, what is between them, the first octet of the other. A needle with a space in it says these as well, whatever its words
// are a part of in the text. Behind the last word of a text, and before a script without spaces, there is no other word: then it is only what follows.

const (
	leftOctets  = 2 // of the word before
	rightOctets = 1 // of the word behind
	meetGap     = 3 // octets at most of what is between them; of more, as many and an octet that says so
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
	made        []byte
	buf         [leftOctets + meetGap + 1 + rightOctets]byte
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
	m.left, m.right = min(end-start, leftOctets), min(r.end-r.start, rightOctets)
	m.piece(text[end-m.left:end], text[end:r.start])
	return piece{text: append(m.made, text[r.start:r.start+m.right]...), pair: true}, true
}

// last returns a piece of the last word and what is between it and end; none of a word that ends there.
func (m *meeting) last(text []byte, end int) (p piece, ok bool) {
	if !m.word || m.end >= end {
		return p, false
	}
	m.left, m.right = min(m.end-m.start, leftOctets), 0
	m.piece(text[m.end-m.left:m.end], text[m.end:end])
	return piece{text: m.made, pair: true}, true
}

// piece makes one of the end of a word and what is behind it.
func (m *meeting) piece(word, gap []byte) {
	m.whole = m.left + len(gap) + m.right
	m.made = append(m.buf[:0], word...)
	for i, c := range gap {
		if i == meetGap {
			if m.right > 0 {
				m.made = append(m.made, 2)
			}
			m.whole = 0
			return
		}
		if c <= 2 { // NUL separates terms
			c, m.whole = 1, 0
		}
		m.made = append(m.made, c)
	}
}
