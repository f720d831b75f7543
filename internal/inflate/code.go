package inflate

import "math/bits"

// code is a Huffman code (RFC 1951 §3.2.2): codes of one length are numbers in sequence, and shorter ones precede longer ones.
type code struct {
	count  [maxCode + 1]uint16   // codes of each length
	symbol [288]uint16           // ordered by code
	fast   [1 << fastBits]uint16 // by the next bits: symbol<<4 | length of a code of up to fastBits, 0: it is longer or there is none
}

// build makes the code of symbols 0, 1, … with these lengths; 0: the symbol does not occur. Of codes that are not complete only that of one symbol is
// taken, and that of none, which must not be used then.
func (c *code) build(lengths []uint8) error {
	*c = code{}
	for _, l := range lengths {
		c.count[l]++
	}
	used := len(lengths) - int(c.count[0])
	c.count[0] = 0
	var first, index [maxCode + 2]int // code and place of the first symbol of each length
	left := 1
	for l := 1; l <= maxCode; l++ {
		left = left<<1 - int(c.count[l])
		if left < 0 {
			return ErrCorrupt
		}
		first[l+1] = (first[l] + int(c.count[l])) << 1
		index[l+1] = index[l] + int(c.count[l])
	}
	if left > 0 && (used > 1 || used == 1 && c.count[1] != 1) {
		return ErrCorrupt
	}
	next := index
	for sym, l := range lengths {
		if l == 0 {
			continue
		}
		c.symbol[next[l]] = uint16(sym)
		if l <= fastBits {
			number := first[l] + next[l] - index[l]
			reversed := int(bits.Reverse16(uint16(number)) >> (16 - l)) // codes come with their highest bit first
			for i := reversed; i < len(c.fast); i += 1 << l {
				c.fast[i] = uint16(sym)<<4 | uint16(l)
			}
		}
		next[l]++
	}
	return nil
}

// decode finds the symbol whose code is behind the first pos bits, and returns the position behind it.
func (d *Reader) decode(c *code, pos uint) (sym int, end uint, err error) {
	for {
		have := d.n - pos
		if e := c.fast[d.bits>>pos&(1<<fastBits-1)]; e != 0 && uint(e&15) <= have {
			return int(e >> 4), pos + uint(e&15), nil
		}
		number, first, index := 0, 0, 0
		for l := uint(1); l <= min(have, maxCode); l++ {
			number |= int(d.bits >> (pos + l - 1) & 1)
			count := int(c.count[l])
			if number-count < first {
				return int(c.symbol[index+number-first]), pos + l, nil
			}
			index += count
			first = (first + count) << 1
			number <<= 1
		}
		if have >= maxCode {
			return 0, 0, ErrCorrupt
		}
		if err := d.more(); err != nil {
			return 0, 0, err
		}
	}
}
