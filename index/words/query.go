package words

import (
	"bytes"
	"math/bits"
	"slices"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxNeedle is how much of what is looked for is read, in octets, maxWords how many words of it count.
const maxNeedle, maxWords = 4 << 10, 16

// Far is the largest distance of words that Match finds.
const Far = 2

// Word is a word that is looked for. Safe for concurrent use.
type Word struct {
	// Text is the word as it was written, composed. Of a pair of characters of a script without spaces there are no forms.
	Text string
	Pair bool
	// Joins says that it is a stop word in some language, and need not be there when there are others.
	Joins bool
	// First are the first characters that terms of such words have.
	First []string

	langs []*language
	stems []string // by language; empty where it says nothing
	name  string   // without accents
	typed uint8    // how many letters may differ
	roots []root   // different ones
}

// root is a stem, or the word itself, in the form that words are compared with first.
type root struct {
	octets []byte
	ascii  bool
	mask   uint32
}

func newRoot(s string) root { return root{[]byte(s), isASCII([]byte(s)), letterMask([]byte(s))} }

// letterMask has a bit for each small letter of ASCII that is in b.
func letterMask(b []byte) (mask uint32) {
	for _, c := range b {
		if c -= 'a'; c < 26 {
			mask |= 1 << c
		}
	}
	return mask
}

// Query cuts a folded needle into words, each once, those that have to be there first.
func (l *Languages) Query(needle []byte) (out []Word) {
	needle = needle[:min(len(needle), maxNeedle)]
	words(needle, func(text []byte) bool {
		w := Word{Text: string(text), name: plain(string(text)), langs: l.langs}
		if slices.ContainsFunc(out, func(o Word) bool { return o.name == w.name }) {
			return true
		}
		r, _ := utf8.DecodeRune(text)
		w.Pair = classOf(r) == dense
		w.First = []string{norm.NFKD.String(string(r))}
		_, size := utf8.DecodeRuneInString(w.First[0])
		w.First[0] = w.First[0][:size]
		if first, size := utf8.DecodeRuneInString(w.name); first != utf8.RuneError && w.name[:size] != w.First[0] {
			w.First = append(w.First, w.name[:size])
		}
		roots := []string{w.name}
		for _, lang := range l.langs {
			t := lang.term(text)
			w.stems = append(w.stems, t)
			if t == "" {
				w.Joins = true
			} else if !slices.Contains(roots, t) {
				roots = append(roots, t)
			}
		}
		for _, s := range roots {
			w.roots = append(w.roots, newRoot(s))
		}
		switch n := utf8.RuneCountInString(w.name); {
		case !isLetters(w.name):
		case n >= 8:
			w.typed = Far
		case n >= 4:
			w.typed = 1
		}
		out = append(out, w)
		return len(out) < maxWords
	})
	slices.SortStableFunc(out, func(a, b Word) int {
		switch {
		case a.Joins == b.Joins:
			return 0
		case b.Joins:
			return -1
		}
		return 1
	})
	return out
}

// isLetters tells whether typing errors make sense in a word: not in numbers, nor in pairs of characters.
func isLetters(word string) bool {
	for _, r := range word {
		if classOf(r) != letter {
			return false
		}
	}
	return word != ""
}

// Match holds the word that a term of folded text begins with against w: the distance of both is 0 when they are the same, or forms of the same word if
// there are such (stemmed, not so of names), and more with typing errors. ok is false when they have nothing to do with each other.
func (w *Word) Match(term []byte, stemmed bool) (found []byte, distance uint8, ok bool) {
	n := 0
	for n < len(term) && 'a' <= term[n] && term[n] <= 'z' {
		n++
	}
	if n < len(term) && (term[n] >= utf8.RuneSelf || '0' <= term[n] && term[n] <= '9') {
		return w.matchAny(term, stemmed)
	}
	found = term[:n]
	if string(found) == w.name {
		return found, 0, n > 0
	}
	if n < minWord || n > maxWord || !w.worthy(found, stemmed) {
		return nil, 0, false
	}
	distance, ok = w.compare(string(found), string(found), stemmed)
	return found, distance, ok
}

// worthy tells, quickly, whether a word without accents may be one that is looked for.
func (w *Word) worthy(name []byte, stemmed bool) bool {
	limit := max(w.typed, 1) // of stems the last letter may be another one
	for i := range w.roots {
		r := &w.roots[i]
		if !stemmed && (i > 0 || len(name) > len(r.octets)+int(w.typed)*utf8.UTFMax) {
			return false
		}
		begin := name[:min(len(name), len(r.octets)+int(limit)*utf8.UTFMax)]
		if bits.OnesCount32(r.mask&^letterMask(begin)) > int(limit) {
			continue
		}
		var d uint8
		if r.ascii && isASCII(begin) {
			_, d = distanceOf(r.octets, begin[:min(len(begin), len(r.octets)+int(limit))], limit)
		} else {
			_, d = distanceOf(bytes.Runes(r.octets), bytes.Runes(begin), limit)
		}
		if d <= limit {
			return true
		}
	}
	return false
}

// matchAny is Match for terms that begin with other than letters of ASCII.
func (w *Word) matchAny(term []byte, stemmed bool) (found []byte, distance uint8, ok bool) {
	words(term, func(word []byte) bool {
		found = word
		return false
	})
	if found == nil {
		return nil, 0, false
	}
	text := string(found)
	name := plain(text)
	if name == w.name {
		return found, 0, true
	}
	if !w.worthy([]byte(name), stemmed) {
		return nil, 0, false
	}
	distance, ok = w.compare(text, name, stemmed)
	return found, distance, ok
}

// compare compares a word, composed and without accents, with what is looked for.
func (w *Word) compare(text, name string, stemmed bool) (least uint8, ok bool) {
	least = w.typed + 1
	joins := false
	closer := func(a, b string) {
		if w.typed > 0 {
			d, _ := distanceOf([]rune(a), []rune(b), w.typed)
			least = min(least, d)
		}
	}
	closer(w.name, name)
	if stemmed {
		for i, lang := range w.langs {
			if w.stems[i] == "" {
				continue
			}
			switch t := lang.term([]byte(text)); t {
			case "":
				joins = true
			case w.stems[i]:
				return 0, true
			default:
				closer(w.stems[i], t)
			}
		}
	}
	return least, least <= w.typed && !joins // nobody mistypes a word and gets "has"
}
