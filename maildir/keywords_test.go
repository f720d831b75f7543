package maildir

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestParseKeywords(t *testing.T) {
	for text, want := range map[string][]string{
		"":                                      nil,
		"0 $Forwarded\n1 Junk\n":                {"$Forwarded", "Junk"},
		"1 b\n0 a":                              {"a", "b"},
		"0 with space\n":                        {"with space"},
		"3 d\n":                                 {"", "", "", "d"},
		"0 a\n1 A\n2 b\n":                       {"a", "", "b"},
		"0\nx y\n-1 a\n26 z\n300 q\n 1 r\n2 \n": nil,
		"25 z\n":                                append(slices.Repeat([]string{""}, 25), "z"),
	} {
		if got := parseKeywords([]byte(text)); !slices.Equal(got, want) {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func TestWriteKeywords(t *testing.T) {
	d := testRoot(t)
	p, _ := d.perm()
	if names, fi, err := readKeywords(d); names != nil || fi != (fileInfo{}) || err != nil {
		t.Error(names, fi, err)
	}
	first, err := writeKeywords(d, p, []string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	// Readers notice a new version only by a later second.
	second, err := writeKeywords(d, p, []string{"a", "b c"})
	if err != nil {
		t.Fatal(err)
	}
	third, err := writeKeywords(d, p, []string{"a", "b c", "d"})
	if err != nil {
		t.Fatal(err)
	}
	if second.mtime/1e9 <= first.mtime/1e9 || third.mtime/1e9 <= second.mtime/1e9 {
		t.Error("times do not ascend", first.mtime, second.mtime, third.mtime)
	}
	names, fi, err := readKeywords(d)
	if !slices.Equal(names, []string{"a", "b c", "d"}) || fi != third || err != nil {
		t.Errorf("%q %+v, wrote %+v, %v", names, fi, third, err)
	}
	for _, bad := range [][]string{{"a"}, {"x", "b c", "d"}, {"a", "b c", "d", "e\nf"}, {"a", "", "d"}, make([]string, 27)} {
		if _, err := writeKeywords(d, p, bad); !errors.Is(err, errSlots) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	d.inject(func(op, path string) error {
		if op == "fsync" && strings.HasSuffix(path, keywordsTemp) {
			return unix.ENOSPC
		}
		return nil
	})
	if _, err := writeKeywords(d, p, []string{"a", "b c", "d", "e"}); !errors.Is(err, ErrFull) {
		t.Error(err)
	}
	d.inject(nil)
	if got := text(t, d, keywordsName); got != "0 a\n1 b c\n2 d\n" {
		t.Errorf("%q", got)
	}
	if names := listDir(t, d); len(names) != 1 {
		t.Error(names)
	}
	// A version from the future stays behind the next one.
	future := time.Now().Add(time.Hour)
	d.setTimes(keywordsName, future)
	if fi, err := writeKeywords(d, p, []string{"a", "b c", "d", "e"}); err != nil || fi.mtime/1e9 != future.Unix()+1 {
		t.Error(fi.mtime, err)
	}
}

func TestMoreKeywords(t *testing.T) {
	d := testRoot(t)
	p, _ := d.perm()
	want := map[string][]string{"1.a b": {"k27", `back\slash`}, "é": {"k28"}, "tab\t\\": {"two words", "x"}}
	write := func(m map[string][]string) {
		t.Helper()
		if _, err := writeMoreKeywords(d, p, func(emit func(string, []string)) {
			for base, names := range m {
				emit(base, names)
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	write(want)
	got := map[string][]string{}
	fi, err := readMoreKeywords(d, func(base string, names []string) { got[base] = names })
	if err != nil || fi.size == 0 || len(got) != len(want) {
		t.Fatal(got, err)
	}
	for base, names := range want {
		if !slices.Equal(got[base], names) {
			t.Errorf("%q: %q", base, got[base])
		}
	}
	write(map[string][]string{"gone": nil})
	if names := listDir(t, d); len(names) != 0 {
		t.Error(names)
	}
}

func FuzzKeywords(f *testing.F) {
	f.Add([]byte("0 a\n1 b c\n25 z\n"), "base", `k\ey`)
	f.Add([]byte("7 x\n7 X\n\n8 \x00\n"), "\xff \n", "\\040")
	f.Fuzz(func(t *testing.T, b []byte, base, name string) {
		names := parseKeywords(b)
		if len(names) > maxLetters {
			t.Fatal(len(names))
		}
		seen := map[string]bool{}
		for _, n := range names {
			if n != "" && seen[asciiLower(n)] {
				t.Fatalf("%q twice", n)
			}
			seen[asciiLower(n)] = true
		}
		parseMoreKeywords(bytes.NewReader(b), func(base string, names []string) {
			if base == "" || len(names) == 0 {
				t.Fatalf("%q %q", base, names)
			}
		})
		for _, s := range []string{base, name} {
			if e := escapeWord(s); strings.ContainsAny(e, " \n\t\r") || unescapeWord(e) != s {
				t.Fatalf("%q → %q → %q", s, e, unescapeWord(e))
			}
		}
	})
}
