package segment

import (
	"bytes"
	"unicode/utf8"
)

// Words next to each other are in a text far less often than both of them are somewhere in it. So it is kept, too, where two words meet: the last
// two octets of the one, what is between them, the first octet of the other. A needle with a space in it says these as well, whatever its words
// are a part of in the text. Behind the last word of a text, and before a script without spaces, there is no other word: then it is only what follows.
//
// Such a term is in many texts when words of frequent endings and beginnings meet there, and then it rules out little. It is a node then, and has
// longer terms instead, with the octets that come next, one on each side in turn: its path. Which terms are nodes is nothing that a search relies on.
// It follows a path as far as the needle says it, takes all of what is below where it does not, and the node's own documents always: a segment
// that was merged has both, of those that took the term for frequent and of those that did not.

const (
	leftOctets  = 2 // of the word before
	rightOctets = 1 // of the word behind
	meetGap     = 3 // octets at most of what is between them; of more, as many and an octet that says so

	pathOctets = 6 // the second of the word behind, the third last of the word before, the third, the fourth last and so on
)

// Octets of these terms that are not text. Where a text has such an octet between words, they have replacedOctet.
const (
	pathOctet     = 1 // before a path
	replacedOctet = 2
	longOctet     = 3 // behind a gap that is longer
)

// path are the octets around a place where words meet; noOctet where a word has no such octet, and anyOctet where that is not known.
type path [pathOctets]byte

const (
	anyOctet  = 0
	noOctet   = 1
	markOctet = 2 // ends a term that only says that its beginning is a node
)

const (
	// learnDocs is how many documents at least tell what is frequent.
	learnDocs = 128
	// nodeShare of the documents have a term at least that is a node: one of so many.
	nodeShare = 24
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

// meetingsOf is pairsOf, and for fields whose texts are part of all header fields the one that knows where words meet in these: that documents are not
// in it rules them out, and no more.
func meetingsOf(f Field) (Field, bool) {
	switch f {
	case Subject, From, To, Cc, Bcc:
		return headerPairs, true
	}
	return pairsOf(f)
}

// isMeeting tells whether a needle, of which the only word is given if there is one, may lie within a term of where words meet, and then only in what
// is text there: a path has no octets that are not of words.
func isMeeting(needle []byte, start, end int) bool {
	if len(needle) > leftOctets+meetGap+rightOctets || end > start && !(start == 0 && end <= leftOctets || end == len(needle) && end-start <= rightOctets) {
		return false
	}
	between := false
	for _, c := range needle {
		if c <= longOctet || c >= utf8.RuneSelf {
			return false
		}
		between = between || asciiClass[c] == blank || asciiClass[c] == symbol
	}
	return between
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
	p = piece{text: append(m.made, text[r.start:r.start+m.right]...), pair: true}
	for i := range p.path {
		p.path[i] = noOctet
		if at := r.start + rightOctets + i/2; i%2 == 0 && at < r.end {
			p.path[i] = text[at]
		} else if at := end - leftOctets - 1 - i/2; i%2 == 1 && at >= start {
			p.path[i] = text[at]
		}
	}
	return p, true
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
				m.made = append(m.made, longOctet)
			}
			m.whole = 0
			return
		}
		if c <= longOctet { // and NUL separates terms
			c, m.whole = replacedOctet, 0
		}
		m.made = append(m.made, c)
	}
}

// said counts the octets that are there, and all before the last of them.
func (p *path) said() (n, deep int) {
	for i, c := range p {
		if c != noOctet {
			n, deep = n+1, i+1
		}
	}
	return n, deep
}

// open makes unknown what a needle does not say for sure: where its first word begins, its last one ends.
func (p *path) open(left, right bool) {
	for i, c := range p {
		if c == noOctet && (i%2 == 0 && right || i%2 == 1 && left) {
			p[i] = anyOctet
		}
	}
}

// child returns the term of a node with one octet more of a path, which takes the place of dst.
func child(dst, node []byte, depth int, c byte) []byte {
	if dst = append(dst[:0], node...); depth == 0 {
		dst = append(dst, pathOctet)
	}
	return append(dst, c)
}

// depthOf is the length of the path that a term has.
func depthOf(term []byte) int {
	if i := bytes.IndexByte(term, pathOctet); i >= 0 {
		return len(term) - i - 1
	}
	return 0
}

// below tells whether a term is of the same place as node, with more of the path.
func below(term, node []byte) bool {
	if !bytes.HasPrefix(term, node) || len(term) == len(node) {
		return false
	}
	return term[len(node)] == pathOctet || bytes.IndexByte(node, pathOctet) >= 0
}

// follow adds the documents of a place where words meet, with a path as far as that is known, of terms that have so much of it.
func (f *field) follow(place []byte, way path, deep int, into *Bitset) {
	f.from(place, func(term []byte, p *postings) bool {
		rest, ok := bytes.CutPrefix(term, place)
		if !ok {
			return false
		}
		if len(rest) > 0 {
			if rest[0] != pathOctet {
				return false // those of the path come first
			}
			for i, c := range rest[1:] {
				if i < len(way) && way[i] != anyOctet && way[i] != c {
					p.skip()
					return true
				}
			}
		}
		if len(rest) <= deep && deep > 0 {
			p.skip()
		} else {
			f.add(p, into)
		}
		return true
	})
}

// isNode tells whether a term is a node.
func (f *field) isNode(term []byte) (found bool) {
	f.from(term, func(t []byte, p *postings) bool {
		p.skip()
		found = below(t, term)
		return bytes.Equal(t, term)
	})
	return found
}
