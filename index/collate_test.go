package index

import (
	"slices"
	"testing"
)

func TestCollate(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", ""},
		{"Re: abc_Z9", "RE: ABC_Z9"},
		{"Ǆ", "Dz\u030c"}, // the example of RFC 5051 §2
		{"é", "E\u0301"},
		{"µ", "\u039c"},
		{"ﬁ", "fi"}, // has no title case of its own
		{"각", "\u1100\u1161\u11a8"},
		{"ı", "I"},
		{"ß", "ß"},
		{"a\xffé", "a\xffé"},
	} {
		if got := Collate(tt.in); got != tt.want {
			t.Errorf("Collate(%q) = %+q, want %+q", tt.in, got, tt.want)
		}
	}
	// Between the capitals and the small letters of ASCII lie [ \ ] ^ _ `: case must not decide what sorts before them.
	order := []string{"", " ", "1", "[", "_", "a", "A", "ä", "Zebra", "z", "μ", "Μ", "ν", "б", "Б", "в", "日"}
	slices.SortStableFunc(order, func(a, b string) int {
		switch a, b := Collate(a), Collate(b); {
		case a < b:
			return -1
		case a > b:
			return 1
		}
		return 0
	})
	if want := []string{"", " ", "1", "a", "A", "ä", "z", "Zebra", "[", "_", "μ", "Μ", "ν", "б", "Б", "в", "日"}; !slices.Equal(order, want) {
		t.Errorf("%q, want %q", order, want)
	}
}

// TestCollateAndFold: what the collation takes for equal, Fold does too.
func TestCollateAndFold(t *testing.T) {
	seen := map[string]rune{}
	for r := rune(0); r < 0x20000; r++ {
		if r >= 0xd800 && r <= 0xdfff {
			continue
		}
		key := Collate(string(r))
		if other, ok := seen[key]; !ok {
			seen[key] = r
		} else if Fold(string(r)) != Fold(string(other)) {
			t.Errorf("%U and %U are equal, and folded differ", r, other)
		}
	}
}
