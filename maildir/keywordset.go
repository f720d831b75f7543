package maildir

import (
	"iter"
	"math/bits"
	"slices"
)

// keywordsOf makes a set of slots.
func keywordsOf(slots []uint16) (k Keywords) {
	slots = slices.Clone(slots)
	slices.Sort(slots)
	for _, s := range slices.Compact(slots) {
		if s < firstMore {
			k.Letters |= 1 << s
		} else {
			k.More = append(k.More, s)
		}
	}
	return k
}

// slots yields the slots of the set, ascending.
func (k Keywords) slots() iter.Seq[uint16] {
	return func(yield func(uint16) bool) {
		for l := k.Letters; l != 0; l &= l - 1 {
			if !yield(uint16(bits.TrailingZeros32(l))) {
				return
			}
		}
		for _, s := range k.More {
			if !yield(s) {
				return
			}
		}
	}
}

// Has tells whether the slot is in the set.
func (k Keywords) Has(slot int) bool {
	if slot < firstMore {
		return slot >= 0 && k.Letters&(1<<slot) != 0
	}
	_, ok := slices.BinarySearch(k.More, uint16(slot))
	return ok
}

// Empty tells whether the set has no slot.
func (k Keywords) Empty() bool { return k.Letters == 0 && len(k.More) == 0 }

func (k Keywords) equal(o Keywords) bool {
	return k.Letters == o.Letters && slices.Equal(k.More, o.More)
}

func (k Keywords) union(o Keywords) Keywords {
	more := k.More
	if len(o.More) > 0 {
		more = slices.Concat(k.More, o.More)
		slices.Sort(more)
		more = slices.Compact(more)
	}
	return Keywords{Letters: k.Letters | o.Letters, More: more}
}

func (k Keywords) minus(o Keywords) Keywords {
	var more []uint16
	for _, s := range k.More {
		if !o.Has(int(s)) {
			more = append(more, s)
		}
	}
	return Keywords{Letters: k.Letters &^ o.Letters, More: more}
}
