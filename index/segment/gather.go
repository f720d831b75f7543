package segment

import (
	"encoding/binary"
	"hash/maphash"
	"slices"
)

// What a builder gathers: terms are numbered as they come, and their documents are noted as they come; a segment has them sorted.

// termTable numbers the terms of a field. It is a hash table of its own, because Go's map takes half as long again, and what is asked of a term each
// time it occurs, whether its last document is this one, lies beside it here.
type termTable struct {
	seed  maphash.Seed // so that nobody can send words that all meet in one place
	slots []termSlot   // a power of two, a quarter of them free at least; where a term belongs, or behind
	terms []gathered
}

type termSlot struct {
	hash uint32
	term uint32 // its number and 1
}

// gathered is a term.
type gathered struct {
	key  uint64 // its first octets
	at   uint32 // in the arena
	size uint32
	doc  uint32 // of its last posting, counted from 1
	way  path   // and the path, of where words meet
}

const minSlots = 256

// number returns the number of a term, which is new when it has no document.
func (t *termTable) number(term []byte, a *arena) uint32 {
	if len(t.terms)*4 >= len(t.slots)*3 {
		t.grow()
	}
	hash, key := uint32(maphash.Bytes(t.seed, term)), keyOf(term)
	mask := uint32(len(t.slots) - 1)
	i := hash & mask
	for ; ; i = (i + 1) & mask {
		s := t.slots[i]
		if s.term == 0 {
			break
		}
		if s.hash == hash {
			g := &t.terms[s.term-1]
			if g.key == key && int(g.size) == len(term) && (len(term) <= keyOctets || string(a.get(g)) == string(term)) {
				return s.term - 1
			}
		}
	}
	t.terms = append(t.terms, gathered{key: key, at: a.keep(term), size: uint32(len(term))})
	t.slots[i] = termSlot{hash, uint32(len(t.terms))}
	return uint32(len(t.terms) - 1)
}

// keyOctets are in the key of a term, by which most terms are told apart, and sorted, without looking for them in the arena.
const keyOctets = 8

// keyOf returns the first octets of a term as a number, in their order.
func keyOf(term []byte) (key uint64) {
	if len(term) >= keyOctets {
		return binary.BigEndian.Uint64(term)
	}
	for i, c := range term {
		key |= uint64(c) << (56 - 8*i)
	}
	return key
}

func (t *termTable) grow() {
	old := t.slots
	if old == nil {
		t.seed = maphash.MakeSeed()
	}
	t.slots = make([]termSlot, max(minSlots, 2*len(old)))
	t.terms = slices.Grow(t.terms, len(t.slots)*3/4-len(t.terms))
	mask := uint32(len(t.slots) - 1)
	for _, s := range old {
		if s.term != 0 {
			i := s.hash & mask
			for t.slots[i].term != 0 {
				i = (i + 1) & mask
			}
			t.slots[i] = s
		}
	}
}

// arena keeps the octets of terms.
type arena struct{ blocks [][]byte }

const arenaBlock = 256 << 10

// keep copies a term, of less octets than a block, and returns where it is.
func (a *arena) keep(term []byte) uint32 {
	n := len(a.blocks)
	if n == 0 || arenaBlock-len(a.blocks[n-1]) < len(term) {
		a.blocks = append(a.blocks, make([]byte, 0, arenaBlock))
		n++
	}
	block := &a.blocks[n-1]
	at := uint32(n-1)*arenaBlock + uint32(len(*block))
	*block = append(*block, term...)
	return at
}

func (a *arena) get(g *gathered) []byte {
	return a.blocks[g.at/arenaBlock][g.at%arenaBlock:][:g.size:g.size]
}

// list is what is only ever added to, in pieces, because a slice that grows is copied again and again.
type list[T any] struct {
	full [][]T
	last []T
	n    int
}

const (
	minPiece = 256
	maxPiece = 32 << 10
)

func (l *list[T]) add(v T) {
	if len(l.last) == cap(l.last) {
		if l.n > 0 {
			l.full = append(l.full, l.last)
		}
		l.last = make([]T, 0, min(max(2*cap(l.last), minPiece), maxPiece))
	}
	l.last = append(l.last, v)
	l.n++
}

// pieces are all of it, in order.
func (l *list[T]) pieces() [][]T { return append(slices.Clip(l.full), l.last) }

// occurrence is a document, counted from 0, of a term.
type occurrence struct{ term, doc uint32 }

// meetingPlace is one of a place where words meet.
type meetingPlace struct {
	occurrence
	way path
}
