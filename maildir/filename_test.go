package maildir

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestParseFileName(t *testing.T) {
	for _, c := range []struct {
		name string
		want fileName
		out  string // as written after a flag change that changes nothing
	}{
		{"1.a", fileName{base: "1.a"}, "1.a:2,"},
		{"1.a:2,", fileName{base: "1.a"}, "1.a:2,"},
		{"1.a:2,S", fileName{base: "1.a", flags: Seen}, "1.a:2,S"},
		{"1.a,S=3,W=4:2,TSRFD", fileName{base: "1.a,S=3,W=4", flags: Seen | Answered | Flagged | Deleted | Draft}, "1.a,S=3,W=4:2,DFRST"},
		{"1.a:2,Szab", fileName{base: "1.a", flags: Seen, letters: 1<<25 | 3}, "1.a:2,Sabz"},
		// Facts sheet §2: P and unknown letters keep a sorted place, a second comma ends the flags.
		{"2.a:2,RFPa", fileName{base: "2.a", flags: Flagged | Answered, letters: 1, other: "P"}, "2.a:2,FPRa"},
		{"1.a:2,FSX,ext", fileName{base: "1.a", flags: Flagged | Seen, other: "X", ext: ",ext"}, "1.a:2,FSX,ext"},
		{"1.a:2,SSPP", fileName{base: "1.a", flags: Seen, other: "P"}, "1.a:2,PS"},
		{"1.a:", fileName{base: "1.a"}, "1.a:2,"},
		{"1.a:1,S", fileName{base: "1.a"}, "1.a:2,"},
		{"1.a:3,S", fileName{base: "1.a"}, "1.a:2,"},
		{"1.a:2", fileName{base: "1.a"}, "1.a:2,"},
		{"1.a;2,S", fileName{base: "1.a;2,S"}, "1.a;2,S:2,"},
		{"1.a:x:2,S", fileName{base: "1.a", flags: Seen}, "1.a:2,S"},
	} {
		got := parseFileName(c.name)
		if got != c.want {
			t.Errorf("%q: %+v", c.name, got)
		}
		if got.String() != c.out {
			t.Errorf("%q is written as %q", c.name, got.String())
		}
	}
}

func TestSizes(t *testing.T) {
	for base, want := range map[string][2]int64{
		"1.a":                             {-1, -1},
		"1.a,S=12,W=13":                   {12, 13},
		"1.a,W=13,S=12":                   {12, 13},
		"1.a,S=12x":                       {-1, -1},
		"1.a,S=,W=3":                      {-1, 3},
		"1.a,S=-5,W=+5":                   {-1, -1},
		"1.a,S=99999999999999999999,W=0":  {-1, 0},
		"1.a,S=1,S=2":                     {1, -1},
		"1.a,U=5,S=7,W=8,FMD5=abc":        {7, 8},
		"1.a,S=9223372036854775807,W=0x1": {9223372036854775807, -1},
	} {
		if s, w := sizes(base); s != want[0] || w != want[1] {
			t.Errorf("%q: %d %d", base, s, w)
		}
	}
	if s, w := sizes(withSizes("1.a", 5, 6)); s != 5 || w != 6 {
		t.Error(s, w)
	}
}

func TestIgnorable(t *testing.T) {
	for name, want := range map[string]bool{
		"1.a": false, "1.a:2,S": false, "": true, ".x": true, ":2,S": true, "a\nb": true, "a\rb": true, "a b": false,
	} {
		if ignorable(name) != want {
			t.Errorf("%q", name)
		}
	}
}

func compareNew(a, b string) int {
	x, y := newNumberKey(a), newNumberKey(b)
	return x.compare(&y)
}

func TestCompareNew(t *testing.T) {
	want := []string{
		"msg.abc", "9.M5P1.h", "10.M1P9.h", "10.M5P1.h", "10.M5P2.h", "10.V1I2M7.h", "10.M100P1.h", "11.a", "11.b",
		"99999999999999999999999.a",
	}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, compareNew)
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestNewBase(t *testing.T) {
	seen := map[string]bool{}
	last := ""
	for range 1000 {
		b := newBase("a/b:c")
		if seen[b] || !strings.HasSuffix(b, `.a\057b\072c`) || ignorable(b) || strings.ContainsAny(b, "/:, ") {
			t.Fatal(b)
		}
		if last != "" && compareNew(last, b) >= 0 {
			t.Fatalf("%s is not after %s", b, last)
		}
		seen[b], last = true, b
	}
	if b := newBase(strings.Repeat("h", 500)); len(b) > 150 {
		t.Error(len(b))
	}
}

func FuzzFileName(f *testing.F) {
	for _, s := range []string{"1.a:2,S", "1.a,S=1,W=2:2,DFRSTabz,ext", ":2,", "::2,\x00\xff", "a:2,é", "1.M1P1.h:1,2,S"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		fn := parseFileName(s)
		if base, _, _ := strings.Cut(s, ":"); fn.base != base {
			t.Fatalf("identity of %q became %q", s, fn.base)
		}
		// What is written is read back the same, unless the ext carries a colon: the flags are behind the last one.
		out := fn.String()
		if again := parseFileName(out); !strings.Contains(fn.ext, ":") && again != fn {
			t.Fatalf("%q → %+v → %q → %+v", s, fn, out, again)
		}
		sizes(s)
		compareNew(fn.base, out)
	})
}

// TestNumberOrder: many files are sorted in two halves, by times alone where these differ.
func TestNumberOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 100, manyNames - 1, manyNames, 3*manyNames + 1} {
		added := make([]sighting, n)
		for i := range added {
			name := fmt.Sprintf("%d.M%dP%d.h:2,", 1700000000+rng.IntN(50), rng.IntN(1000), i)
			if i%3 == 0 {
				name = fmt.Sprintf("%d.%d_%d.h", 1800000000+rng.IntN(50), rng.IntN(1000), i)
			}
			added[i].name = name
		}
		want := slices.Clone(added)
		slices.SortStableFunc(want, func(a, b sighting) int {
			x, y := newNumberKey(a.base()), newNumberKey(b.base())
			return x.compare(&y)
		})
		got := make([]sighting, 0, n)
		for _, k := range numberOrder(added) {
			got = append(got, added[k.index])
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d files are in another order", n)
		}
	}
}
