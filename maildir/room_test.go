package maildir

import (
	"slices"
	"testing"
)

func TestGrown(t *testing.T) {
	for _, n := range []int{0, 1, 1000, manyOctets / 4, 3<<20 + 5} {
		s := []uint32{1, 2, 3}
		got := grown(s, n)
		if !slices.Equal(got, s) || cap(got) < len(s)+n {
			t.Errorf("room for %d: %v of %d", n, got, cap(got))
		}
		if more := grown(got, n); cap(more) != cap(got) {
			t.Errorf("room for %d that is there: made anew", n)
		}
		full := got[:len(s)+n]
		for i, v := range full[len(s):] {
			if v != 0 {
				t.Fatalf("room for %d: element %d is %d", n, i, v)
			}
		}
	}
	// One at a time: not copied each time.
	var s []uint32
	for made := 0; len(s) < manyOctets; {
		before := cap(s)
		if s = append(grown(s, 1), 7); cap(s) != before {
			if made++; made > 60 {
				t.Fatalf("%d times for %d elements", made, len(s))
			}
		}
	}
}
