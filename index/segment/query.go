package segment

import (
	"slices"
	"unicode/utf8"
)

// piece is what a needle says of one term: that it contains text, and whether it begins or ends with it.
type piece struct {
	text        []byte
	left, right bool // the term begins, ends there
}

// Query is what a needle, folded, says of the terms of a text that contains it. Immutable.
type Query struct {
	pieces []piece
	sure   bool // a text that has such a term contains the needle
}

// maxPieces is how many terms of a long needle are looked up: each one makes less of a difference.
const maxPieces = 16

// NewQuery cuts a folded needle where a text with it would be cut. Within the needle the places are known where terms begin and end; at its own
// beginning and end the text may go on.
func NewQuery(needle []byte) *Query {
	q := new(Query)
	l := lexer{text: needle, plane: planeClass()}
	open := func(i int) bool { return i == 0 || i == len(needle) }
	for {
		r, ok := l.run()
		if !ok {
			break
		}
		whole := open(r.start) && open(r.end)
		t := needle[r.start:r.end]
		switch r.class {
		case word:
			// A joiner that is the first or last character of the needle may join in the text.
			p := piece{text: t}
			p.left = !open(r.start) && !(r.start == 1 && asciiJoiner(needle[0]))
			p.right = !open(r.end) && !(r.end == len(needle)-1 && asciiJoiner(needle[r.end]))
			q.sure = whole && len(t) <= maxSure
			p.cut()
			q.pieces = append(q.pieces, p)
		case dense:
			n := utf8.RuneCount(t)
			q.sure = whole && n <= 2
			if n == 1 { // the first or second of a pair, or alone
				q.pieces = append(q.pieces, piece{text: t})
				continue
			}
			pairs(t, func(pair []byte) { q.pieces = append(q.pieces, piece{pair, true, true}) })
		default:
			q.sure = whole
			q.pieces = append(q.pieces, piece{t, true, true})
		}
	}
	// The rare ones are long, mostly. What is in the dictionary as it stands is found at once, what only contains it is not.
	slices.SortStableFunc(q.pieces, func(a, b piece) int {
		if a.left != b.left {
			return toInt(b.left) - toInt(a.left)
		}
		return len(b.text) - len(a.text)
	})
	q.pieces = slices.CompactFunc(q.pieces, func(a, b piece) bool {
		return a.left == b.left && a.right == b.right && string(a.text) == string(b.text)
	})
	q.pieces = q.pieces[:min(len(q.pieces), maxPieces)]
	return q
}

func asciiJoiner(c byte) bool { return c < utf8.RuneSelf && asciiClass[c] == joiner }

// cut shortens a piece that may not lie within one term, because long words are kept in overlapping terms.
func (p *piece) cut() {
	switch n := len(p.text); {
	case n <= maxSure:
	case p.left: // its first maxSure octets begin the word's first term
		p.text, p.right = p.text[:maxSure], false
	case p.right:
		p.text = p.text[n-maxSure:]
	default:
		p.text = p.text[:maxSure]
	}
}

func toInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
