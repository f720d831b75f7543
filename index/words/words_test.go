package words

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
)

// fold is what the index does, as far as these tests go.
func fold(s string) []byte { return norm.NFKD.Bytes([]byte(strings.ToLower(s))) }

func languages(t testing.TB) *Languages {
	t.Helper()
	l, err := New([]string{"en", "de", "fr", "es", "it", "nl", "pt"})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestMatch(t *testing.T) {
	l := languages(t)
	for _, tt := range []struct {
		needle, term string
		distance     int // -1: they have nothing to do with each other
	}{
		{"invoice", "invoice", 0},
		{"INVOICES", "invoice", 0},
		{"invoice", "invoices", 0},
		{"invoice", "invoice's", 0},
		{"invoice", "invoices-2024", 0},
		{"invioce", "invoices", 1}, // two letters changed places
		{"invoces", "invoice", 1},  // one is missing
		{"invoice", "invoke", -1},
		{"invoice", "voice", -1},         // the first letter is never wrong
		{"attachement", "attachment", 0}, // forms of the same word, as French goes
		{"atachement", "attachment", 1},
		{"wednesday", "wensday", 2},
		{"run", "running", 0},
		{"running", "run", 0},
		{"run", "rum", -1}, // in short words every letter counts
		{"company", "companies", 0},
		{"haus", "Häuser", 0},
		{"Häuser", "haus", 0},
		{"Rechnung", "rechnungen", 0},
		{"grusse", "Grüße", 0},
		{"GRÜSSE", "Grüße", 0},
		{"Grüße", "grusse", 0},
		{"koeln", "Köln", 0},
		{"koln", "Köln", 0},
		{"strasenfest", "Straßenfest", 1},
		{"facture", "factures", 0},
		{"cheval", "chevaux", 0},
		{"société", "societe", 0},
		{"societe", "sociétés", 0},
		{"canción", "canciones", 0},
		{"helo", "hello", 0}, // French leaves double letters out
		{"helo", "help", 1},
		{"hello", "hallo", 1},
		{"hello", "bell", -1},
		{"книга", "книги", 1}, // Russian is not among the languages
		{"привет", "превет", 1},
		{"2024", "2024-11-23", 0},
		{"2024", "2025", -1},
		{"2024", "20241", -1},
		{"12345", "12346", -1},
		{"abc", "abc1", -1}, // letters and digits are no word
		{"straße", "strasse", 0},
		{"the", "the", 0},
		{"question", "quest", -1},
	} {
		sought := l.Query(fold(tt.needle))
		if len(sought) != 1 {
			t.Fatalf("%q is %d words", tt.needle, len(sought))
		}
		got := -1
		term := fold(tt.term)
		if slices.ContainsFunc(sought[0].First, func(first string) bool { return strings.HasPrefix(string(term), first) }) {
			if _, d, ok := sought[0].Match(term, true); ok {
				got = int(d)
			}
		}
		if got != tt.distance {
			t.Errorf("%q and %q: %d, want %d", tt.needle, tt.term, got, tt.distance)
		}
	}
	// Names have no forms.
	w := &l.Query(fold("Peters"))[0]
	for term, want := range map[string]int{"peters": 0, "peter": 1, "petersen": -1, "peterson": -1, "petr": -1} {
		got := -1
		if _, d, ok := w.Match([]byte(term), false); ok {
			got = int(d)
		}
		if got != want {
			t.Errorf("name %q: %d, want %d", term, got, want)
		}
	}
}

func TestQuery(t *testing.T) {
	l := languages(t)
	for needle, want := range map[string][]string{
		"The invoice":         {"invoice", "the"}, // what has to be there first
		"late, late, LATE":    {"late"},
		"東京都":                 {"東京", "京都"},
		"a1b2 4711 123456789": {"4711"},
		"!?":                  nil,
		"":                    nil,
	} {
		var got []string
		for _, w := range l.Query(fold(needle)) {
			got = append(got, w.Text)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", needle, got, want)
		}
	}
	if w := l.Query(fold("東京")); !w[0].Pair {
		t.Error("東京 has forms")
	}
	if w := l.Query(fold(strings.Repeat("word other third ", 1000))); len(w) != 3 {
		t.Errorf("%d words", len(w))
	}
}

// naive is the distance by its definition.
func naive(a, b string) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}

func FuzzDistance(f *testing.F) {
	f.Add("invoice", "invioce")
	f.Add("ab", "ba")
	f.Add("", "a")
	f.Add("abcdef", "abdcfe")
	f.Fuzz(func(t *testing.T, a, b string) {
		a, b = a[:min(len(a), maxCompared)], b[:min(len(b), maxCompared)]
		for limit := range uint8(3) {
			want, begins := naive(a, b), naive(a, "")
			for i := range b {
				begins = min(begins, naive(a, b[:i+1]))
			}
			whole, beginning := distanceOf([]byte(a), []byte(b), limit)
			if int(whole) != min(want, int(limit)+1) || int(beginning) != min(begins, int(limit)+1) {
				t.Errorf("%q, %q within %d: %d, %d, want %d, %d", a, b, limit, whole, beginning, want, begins)
			}
		}
	})
}

func TestWords(t *testing.T) {
	long := strings.Repeat("ab", 51)
	for text, want := range map[string][]string{
		"it's a plain text, of words.": {"it", "plain", "text", "of", "words"},
		"abc123 4711 1234567 2024":     {"4711", "2024"},
		"anna.schmidt@example.org":     {"anna", "schmidt", "example", "org"},
		"l'été":                        {"été"},
		"Gru\u0308\u00dfe":             {"Grüße"},
		long + " x":                    nil,
		"東京":                           {"東京"},
		"東":                            {"東"},
		"東京都 a":                        {"東京", "京都"},
		"カ\u3099キ":                     {"ガキ"},
		"a\xffbc":                      {"bc"},
		"":                             nil,
	} {
		var got []string
		words([]byte(text), func(w []byte) bool { got = append(got, string(w)); return true })
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestCheck(t *testing.T) {
	if err := Check([]string{"en", "ru", "tr"}); err != nil {
		t.Error(err)
	}
	for _, names := range [][]string{{"xx"}, {"en", "de", "en"}, {""}} {
		if err := Check(names); err == nil {
			t.Errorf("%q are taken", names)
		}
	}
	if _, err := New([]string{"xx"}); err == nil {
		t.Error("a language that nobody knows is accepted")
	}
}

// FuzzMatch: whatever the mail and the needle are, it ends, and says what can be.
func FuzzMatch(f *testing.F) {
	f.Add([]byte("l'été à la plage"), []byte("plage"))
	f.Add([]byte("東\xff京\xfe \x00 a\u0301\u0302"), []byte("a\u0301"))
	l := languages(f)
	f.Fuzz(func(t *testing.T, needle, term []byte) {
		sought := l.Query(needle)
		if len(sought) > maxWords {
			t.Errorf("%d words", len(sought))
		}
		for i := range sought {
			for _, stemmed := range []bool{false, true} {
				if word, d, ok := sought[i].Match(term, stemmed); ok && (len(word) == 0 || d > Far) {
					t.Errorf("%q, distance %d", word, d)
				}
			}
		}
	})
}
