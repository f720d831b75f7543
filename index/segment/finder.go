package segment

import "bytes"

// finder looks for a pattern by its rarest octet. bytes.Index goes by the first one, which is often a frequent letter.
type finder struct {
	pattern []byte
	at      int  // of the rarest octet; -1: none is rare
	rarest  byte //
}

// frequent are the octets that most terms are made of, the most frequent first. Those behind the first ones are rare enough to go by.
const (
	frequent     = "\x00eaonirtsl.dcu0-1mh2gp3b5f4@67y89vwk_xzjq+"
	tooFrequent  = 6
	byFirstOctet = 2 // octets: a pattern so short is found by bytes.Index
)

func newFinder(pattern []byte) *finder {
	f := &finder{pattern: pattern, at: -1}
	rank := tooFrequent
	for i, c := range pattern {
		r := bytes.IndexByte([]byte(frequent), c)
		if r < 0 {
			r = len(frequent)
		}
		if r >= rank && len(pattern) > byFirstOctet {
			f.at, f.rarest, rank = i, c, r+1
		}
	}
	return f
}

// index is bytes.Index.
func (f *finder) index(b []byte) int {
	if f.at < 0 {
		return bytes.Index(b, f.pattern)
	}
	for i := f.at; i < len(b); i++ {
		j := bytes.IndexByte(b[i:], f.rarest)
		if j < 0 {
			return -1
		}
		i += j
		if start := i - f.at; len(b)-start < len(f.pattern) {
			return -1
		} else if bytes.Equal(b[start:start+len(f.pattern)], f.pattern) {
			return start
		}
	}
	return -1
}
