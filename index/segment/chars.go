package segment

import (
	"math/bits"
	"unicode/utf8"
)

// Needles of one or two characters are in so many terms that looking through the dictionary for them takes long. So it is kept which octets of ASCII
// a text has, and of the body also which two next to each other, whatever they are: most are in most texts, so that they take little room. In
// headers, with their identifiers, that would be nearly all of them in nearly all messages.

// charsOf returns the field that knows the needles of n octets of field f.
func charsOf(f Field, n int) (Field, bool) {
	switch {
	case f == Body:
		return bodyChars, true
	case f == Header && n == 1:
		return headerChars, true
	}
	return 0, false
}

// chars is a set of octets of ASCII and of pairs of them.
type chars struct {
	single [utf8.RuneSelf / 64]uint64
	pair   [utf8.RuneSelf * utf8.RuneSelf / 64]uint64
}

// add adds what is in a text.
func (c *chars) add(text []byte) {
	last := byte(0xff)
	for _, b := range text {
		if b < utf8.RuneSelf {
			c.single[b/64] |= 1 << (b % 64)
			if last < utf8.RuneSelf {
				i := uint(last)<<7 | uint(b)
				c.pair[i/64] |= 1 << (i % 64)
			}
		}
		last = b
	}
}

// charTerms is how many there are.
const charTerms = utf8.RuneSelf + utf8.RuneSelf*utf8.RuneSelf

// each calls fn for all of them but those with NUL, of pairs only if asked for, with a number below charTerms that no other has, and empties the set.
func (c *chars) each(paired bool, fn func(number int, term []byte)) {
	var term [2]byte
	for i, w := range c.single {
		for ; w != 0; w &= w - 1 {
			n := i*64 + bits.TrailingZeros64(w)
			if term[0] = byte(n); term[0] != 0 {
				fn(n, term[:1])
			}
		}
	}
	for i, w := range c.pair {
		if !paired {
			break
		}
		for ; w != 0; w &= w - 1 {
			n := i*64 + bits.TrailingZeros64(w)
			if term[0], term[1] = byte(n>>7), byte(n&0x7f); term[0] != 0 && term[1] != 0 {
				fn(utf8.RuneSelf+n, term[:])
			}
		}
	}
	*c = chars{}
}

// isChars tells whether a needle is one or two octets that are kept.
func isChars(needle []byte) bool {
	for _, b := range needle {
		if b == 0 || b >= utf8.RuneSelf {
			return false
		}
	}
	return len(needle) == 1 || len(needle) == 2
}
