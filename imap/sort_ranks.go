package imap

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"

	"roost/imap/wire"
)

// ranking is the order of messages by one key, message by message: who comes first has the lower rank, equal values have one rank. Ranks are
// below n.
type ranking struct {
	ranks []uint32
	n     uint32
}

// rank returns the ranks of messages by the kth of each n values.
func rank(values []sortValue, k, n int) ranking {
	type item struct {
		num    int64
		prefix uint64 // of the text
		place  int32
	}
	items := make([]item, 0, len(values)/n)
	for i := k; i < len(values); i += n {
		v := &values[i]
		it := item{num: v.num, place: int32(len(items))}
		if len(v.text) >= 8 {
			it.prefix = binary.BigEndian.Uint64([]byte(v.text[:8]))
		} else {
			for j := range len(v.text) {
				it.prefix |= uint64(v.text[j]) << (56 - 8*j)
			}
		}
		items = append(items, it)
	}
	compare := func(a, b *item) int {
		switch {
		case a.num != b.num:
			return cmp.Compare(a.num, b.num)
		case a.prefix != b.prefix:
			return cmp.Compare(a.prefix, b.prefix)
		}
		x, y := values[int(a.place)*n+k].text, values[int(b.place)*n+k].text
		return cmp.Compare(x, y)
	}
	slices.SortFunc(items, func(a, b item) int { return compare(&a, &b) })
	r := ranking{ranks: make([]uint32, len(items))}
	for i := range items {
		if i > 0 && compare(&items[i-1], &items[i]) != 0 {
			r.n++
		}
		r.ranks[items[i].place] = r.n
	}
	if len(items) > 0 {
		r.n++
	}
	return r
}

// placesByRank returns the places 0…count-1 in the order of the criteria, of which each has a ranking of as many messages. Ties are in the order of places.
func placesByRank(count int, by []wire.SortCriterion, rankings []ranking) []uint32 {
	pairs, spare := make([]uint64, count), make([]uint64, count) // of a rank and a place
	for place := range pairs {
		pairs[place] = uint64(place)
	}
	for k := len(by) - 1; k >= 0; k-- {
		r := rankings[k]
		for i, pair := range pairs {
			place := uint32(pair)
			rank := r.ranks[place]
			if by[k].Reverse {
				rank = r.n - 1 - rank
			}
			pairs[i] = uint64(rank)<<32 | uint64(place)
		}
		pairs, spare = sortPairs(pairs, spare, r.n)
	}
	places := make([]uint32, count)
	for i, pair := range pairs {
		places[i] = uint32(pair)
	}
	return places
}

// sortPairs sorts by the upper halves, all below n, with spare as a second place to put them. Ties stay in order: it is a radix sort from the lowest
// digit.
func sortPairs(pairs, spare []uint64, n uint32) (inOrder, other []uint64) {
	const digit = 11 // bits: counters stay in the nearest cache
	for shift := 32; n > 0 && shift < 32+bits.Len32(n-1); shift += digit {
		var next [1 << digit]int
		for _, pair := range pairs {
			next[pair>>shift&(1<<digit-1)]++
		}
		at := 0
		for d, count := range next {
			next[d] = at
			at += count
		}
		for _, pair := range pairs {
			d := pair >> shift & (1<<digit - 1)
			spare[next[d]] = pair
			next[d]++
		}
		pairs, spare = spare, pairs
	}
	return pairs, spare
}
