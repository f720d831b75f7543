package imap

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"roost/imap/wire"
)

func TestNewUIDSet(t *testing.T) {
	v := &view{uids: []uint32{3, 5, 8, 13, 21}}
	star := wire.Star
	for _, tt := range []struct {
		name   string
		ranges []wire.Range
		uid    bool
		want   []uint32 // of the view
	}{
		{"numbers", []wire.Range{{First: 1, Last: 1}, {First: 4, Last: 5}}, false, []uint32{3, 13, 21}},
		{"backwards", []wire.Range{{First: 3, Last: 2}}, false, []uint32{5, 8}},
		{"star", []wire.Range{{First: star, Last: star}}, false, []uint32{21}},
		{"star first", []wire.Range{{First: star, Last: 4}}, false, []uint32{13, 21}},
		{"beyond the end", []wire.Range{{First: 5, Last: 6}, {First: 7, Last: 9}}, false, []uint32{21}}, // RFC 7377 §2
		{"star before the end", []wire.Range{{First: 9, Last: star}}, false, []uint32{21}},
		{"uids", []wire.Range{{First: 4, Last: 13}}, true, []uint32{5, 8, 13}},
		{"uids overlapping", []wire.Range{{First: 8, Last: 13}, {First: 1, Last: 8}}, true, []uint32{3, 5, 8, 13}},
		{"uid star", []wire.Range{{First: star, Last: star}}, true, []uint32{21}},
		{"uid beyond star", []wire.Range{{First: 4000000000, Last: star}}, true, []uint32{21}}, // RFC 9051 §9, seq-range
		{"uid that is not there", []wire.Range{{First: 4, Last: 4}, {First: math.MaxUint32, Last: math.MaxUint32}}, true, nil},
	} {
		set := newUIDSet(wire.Set{Ranges: tt.ranges}, tt.uid, v, nil)
		var got []uint32
		for _, uid := range v.uids {
			if set.has(uid) {
				got = append(got, uid)
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	if set := newUIDSet(wire.Set{Ranges: []wire.Range{{First: 1, Last: star}}}, false, &view{}, nil); len(set) != 0 {
		t.Errorf("1:* in an empty mailbox: %v", set)
	}
	if set := newUIDSet(wire.Set{Saved: true}, false, v, []uint32{5, 8, 21}); !set.has(8) || set.has(13) || !set.has(21) {
		t.Errorf("$: %v", set)
	}
}

func TestUIDSetAlgebra(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	random := func() uidSet {
		s := uidSet{}
		for range rng.IntN(8) {
			a := 1 + rng.Uint32N(40)
			s = append(s, uidRange{a, a + rng.Uint32N(6)})
		}
		return s
	}
	naive := func(s uidSet, uid uint32) bool {
		return slices.ContainsFunc(s, func(r uidRange) bool { return r.first <= uid && uid <= r.last })
	}
	for range 5000 {
		a, b := random(), random()
		na, nb := slices.Clone(a).normalise(), slices.Clone(b).normalise()
		both := na.intersect(nb)
		for uid := range uint32(50) {
			if na.has(uid) != naive(a, uid) {
				t.Fatalf("%v normalised to %v differs at %d", a, na, uid)
			}
			if both.has(uid) != (naive(a, uid) && naive(b, uid)) {
				t.Fatalf("%v ∩ %v = %v differs at %d", a, b, both, uid)
			}
		}
		for i := 1; i < len(na); i++ {
			if na[i].first <= na[i-1].last+1 {
				t.Fatalf("%v is not normal", na)
			}
		}
	}
}

// TestManyRanges: what a command line can hold must not cost per message and range.
func TestManyRanges(t *testing.T) {
	v := &view{uids: make([]uint32, 200000)}
	for i := range v.uids {
		v.uids[i] = uint32(i + 1)
	}
	var ranges []wire.Range
	for i := uint32(0); i < 50000; i++ {
		ranges = append(ranges, wire.Range{First: 4*i + 1, Last: 4*i + 2})
	}
	set := newUIDSet(wire.Set{Ranges: ranges}, true, v, nil)
	pl := &plan{view: v, within: set, root: constant(true)}
	if got := len(pl.candidates()); got != 100000 {
		t.Errorf("%d candidates, want 100000", got)
	}
}
