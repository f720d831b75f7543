package segment

import "math/bits"

// Bitset is a set of document numbers, counted from a base.
type Bitset struct {
	base  uint32
	words []uint64
}

func newBitset(first, last uint32) *Bitset {
	base := first &^ 63
	return &Bitset{base, make([]uint64, (last-base)/64+1)}
}

// Has tells whether a document is in the set.
func (b *Bitset) Has(doc uint32) bool {
	i := doc - b.base
	return i/64 < uint32(len(b.words)) && b.words[i/64]&(1<<(i%64)) != 0
}

func (b *Bitset) add(doc uint32) {
	i := doc - b.base
	b.words[i/64] |= 1 << (i % 64)
}

// Len counts the documents.
func (b *Bitset) Len() int {
	n := 0
	for _, w := range b.words {
		n += bits.OnesCount64(w)
	}
	return n
}

// Each calls fn for the documents, ascending.
func (b *Bitset) Each(fn func(doc uint32)) {
	for i, w := range b.words {
		for ; w != 0; w &= w - 1 {
			fn(b.base + uint32(i*64+bits.TrailingZeros64(w)))
		}
	}
}

// Or adds a set with the same base and no more words.
func (b *Bitset) Or(other *Bitset) {
	for i, w := range other.words {
		b.words[i] |= w
	}
}

// and keeps what is in a set with the same base and as many words.
func (b *Bitset) and(other *Bitset) {
	for i := range b.words {
		b.words[i] &= other.words[i]
	}
}

// without returns what is not in a set with the same base and as many words.
func (b *Bitset) without(other *Bitset) *Bitset {
	out := &Bitset{b.base, make([]uint64, len(b.words))}
	for i, w := range b.words {
		out.words[i] = w &^ other.words[i]
	}
	return out
}

func (b *Bitset) empty() bool {
	for _, w := range b.words {
		if w != 0 {
			return false
		}
	}
	return true
}
