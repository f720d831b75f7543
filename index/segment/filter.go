package segment

// filters say of the terms of every filterJumps jumps which trigrams occur in them, NUL before and behind each term included: most of them need not be
// looked through for a needle of some length. Each is a set of hashes, one bit for each.
type filters []byte

const (
	filterJumps = 4
	filterSize  = 1024 // octets, for about 4 KiB of terms
)

// trigram hashes three octets to the place of a bit.
func trigram(a, b, c byte) uint32 {
	return (uint32(a) | uint32(b)<<8 | uint32(c)<<16) * 0x9e3779b1 >> (32 - 13)
}

// filterWriter makes them, one set after another.
type filterWriter struct {
	set []byte // being made; empty: none
	*spill
}

// next ends a set and begins another one.
func (f *filterWriter) next() {
	f.Write(f.set)
	f.set = append(f.set[:0], make([]byte, filterSize)...)
}

// add adds a term, with a NUL before and behind it.
func (f *filterWriter) add(term []byte) {
	set := f.set
	for i := 2; i < len(term); i++ {
		h := trigram(term[i-2], term[i-1], term[i])
		set[h/8] |= 1 << (h % 8)
	}
}

// may tells whether a pattern, of which the trigrams are given, may occur behind the jumps of set i.
func (f filters) may(i int, grams []uint32) bool {
	set := f[i*filterSize:][:filterSize]
	for _, h := range grams {
		if set[h/8]&(1<<(h%8)) == 0 {
			return false
		}
	}
	return true
}

// filtered is scan for those jumps whose filters do not rule it out.
func (f *field) filtered(pattern []byte, lo, hi int, into *Bitset) {
	var grams []uint32
	for i := 2; i < len(pattern); i++ {
		grams = append(grams, trigram(pattern[i-2], pattern[i-1], pattern[i]))
	}
	if len(grams) == 0 {
		f.scan(pattern, lo, hi, into)
		return
	}
	for lo < hi {
		for lo < hi && !f.filters.may(lo/filterJumps, grams) {
			lo += filterJumps
		}
		end := lo
		for end < hi && f.filters.may(end/filterJumps, grams) {
			end += filterJumps
		}
		if lo < end {
			f.scan(pattern, lo, min(end, hi), into)
		}
		lo = end
	}
}
