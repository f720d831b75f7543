package segment

import (
	"context"
	"slices"
	"unicode/utf8"
)

// piece is what a needle says of one term: that it contains text, and whether it begins or ends with it.
type piece struct {
	text        []byte
	left, right bool // the term begins, ends there
	pair        bool // the term is of where two words meet (pairs.go)
	path        path // then, of two words, what is known of them
	deep        int  // octets of a path that terms have at least
}

// Query is what a needle, folded, says of the terms of a text that contains it. Immutable.
type Query struct {
	pieces []piece
	sure   bool // a text that has such a term contains the needle
	pairs  bool // the same, in fields of which it is known where words meet

	chars []byte // one or two characters, to look up where these are known

	// joined is a word with a joiner before or behind it, which are part of one term where the text goes on, and several terms otherwise.
	joined []byte
	// closing is in texts where that word and the joiner behind it are several terms; nil when the joiner is before it.
	closing *piece

	// certain are terms of where words meet that contain all of the needle, which other texts may contain as well; nil when there are none.
	certain *piece
}

// maxPieces is how many terms of a long needle are looked up: each one makes less of a difference.
const maxPieces = 16

// NewQuery cuts a folded needle where a text with it would be cut. Within the needle the places are known where terms begin and end; at its own
// beginning and end the text may go on.
func NewQuery(needle []byte) *Query {
	q := new(Query)
	if isChars(needle) {
		q.chars = needle
	}
	l := lexer{text: needle, plane: planeClass()}
	open := func(i int) bool { return i == 0 || i == len(needle) }
	var (
		m      meeting
		words  int
		others int  // runs that are no words
		joins  int  // and joiners at an end of the needle
		first  bool // the first word may begin before the needle
	)
	for {
		r, ok := l.run()
		if !ok {
			break
		}
		whole := open(r.start) && open(r.end)
		t := needle[r.start:r.end]
		// A joiner that is the first or last character of the needle may join in the text.
		left := !open(r.start) && !(r.start == 1 && asciiJoiner(needle[0]))
		right := !open(r.end) && !(r.end == len(needle)-1 && asciiJoiner(needle[r.end]))
		if p, ok := m.next(needle, r); ok {
			p.text = slices.Clone(p.text)
			p.left = m.left == leftOctets || words > 1 || !first
			p.right = true // its first octet
			said, deep := p.path.said()
			p.path.open(words == 1 && first, !right)
			q.pieces = append(q.pieces, p)
			if p.left && m.whole > 0 && said > 0 && m.whole+said == len(needle) { // without a path the place is all of it (pairs)
				p.deep = deep
				q.certain = &p
			}
			q.pairs = words == 1 && m.whole == len(needle)
		} else {
			q.pairs = false
		}
		if r.class != word {
			others++
		}
		if r.class == joiner {
			joins++
		}
		switch r.class {
		case word:
			if words++; words == 1 {
				first = !left
			}
			p := piece{text: t, left: left, right: right}
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
			pairs(t, func(pair []byte) { q.pieces = append(q.pieces, piece{text: pair, left: true, right: true}) })
		default:
			q.sure = whole
			q.pieces = append(q.pieces, piece{text: t, left: true, right: true})
		}
	}
	if words == 1 && others == 1 && joins == 1 && 2 < len(needle) && len(needle) <= maxSure && m.end-m.start+1 == len(needle) {
		q.joined = needle
	}
	if p, ok := m.last(needle, len(needle)); ok {
		p = piece{text: p.text, left: m.left == leftOctets || words > 1 || !first, pair: true}
		if !(m.end == len(needle)-1 && asciiJoiner(needle[m.end])) {
			q.pieces = append(q.pieces, p)
		} else if q.joined != nil {
			q.closing = &p
		}
	}
	if !q.sure && !q.pairs && q.joined == nil && q.certain == nil && isMeeting(needle, m.start, m.end) {
		q.certain = &piece{text: needle, pair: true}
	}
	// What is in the dictionary as it stands is found at once, what only contains it is not; and the rare ones are long, mostly.
	rank := func(p piece) int {
		switch {
		case p.pair && p.left:
			return 0
		case p.left:
			return 1
		case p.pair:
			return 2
		}
		return 3
	}
	slices.SortStableFunc(q.pieces, func(a, b piece) int {
		if c := rank(a) - rank(b); c != 0 {
			return c
		}
		return len(b.text) - len(a.text)
	})
	q.pieces = q.pieces[:min(len(q.pieces), maxPieces)]
	return q
}

// inTerm returns the documents with a term that the joined needle is within, and those that may have it in several terms.
func (ss Segments) inTerm(ctx context.Context, q *Query, f Field) (sure, maybe *Bitset, err error) {
	if sure, err = ss.withTerm(ctx, piece{text: q.joined}, f); err != nil {
		return nil, nil, err
	}
	for _, p := range q.pieces {
		if p.pair {
			continue
		}
		if !p.left || !p.right { // the word: the joiner is another term, so that this one begins or ends there
			p.left, p.right = asciiJoiner(q.joined[0]), !asciiJoiner(q.joined[0])
		}
		set, err := ss.withTerm(ctx, p, f)
		if err != nil {
			return nil, nil, err
		}
		if maybe == nil {
			maybe = set
		} else {
			maybe.and(set)
		}
	}
	if meets, known := meetingsOf(f); known && q.closing != nil {
		set, err := ss.withTerm(ctx, *q.closing, meets)
		if err != nil {
			return nil, nil, err
		}
		maybe.and(set)
	}
	return sure, maybe, nil
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
