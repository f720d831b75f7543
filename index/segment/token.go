package segment

import (
	"bytes"
	"sync"
	"unicode"
	"unicode/utf8"
)

// class says what a character of folded text is to the tokenizer. It depends on nothing but the character, so that a needle is cut where the text
// around it would be.
type class uint8

const (
	blank  class = iota // separates terms and is none
	symbol              // is a term of its own
	word                // makes a term with its neighbours
	joiner              // between two word characters, one of them; a term of its own as well
	dense               // of a script without spaces: terms are pairs of them
)

const (
	// maxTerm is how many octets a term has at most. Longer words are cut into pieces that overlap by half.
	maxTerm = 120
	// maxSure is how long a needle may be that lies within one of these pieces, wherever it begins.
	maxSure = maxTerm / 2
)

// asciiClass are the classes of ASCII. A URL is cut at its slashes, an address is one term: what is looked for most is inside one term.
var asciiClass = func() (t [utf8.RuneSelf]class) {
	for c := range t {
		switch {
		case c <= ' ' || c == 0x7f:
			t[c] = blank
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
			t[c] = word
		case bytes.IndexByte([]byte("@_-+"), byte(c)) >= 0:
			t[c] = word
		case c == '.' || c == '\'':
			t[c] = joiner
		default:
			t[c] = symbol
		}
	}
	return t
}()

// planeClass are the classes of the basic plane.
var planeClass = sync.OnceValue(func() *[1 << 16]class {
	t := new([1 << 16]class)
	for r := range t {
		t[r] = classOf(rune(r))
	}
	return t
})

func classOf(r rune) class {
	switch {
	case r < utf8.RuneSelf:
		return asciiClass[r]
	case unicode.IsSpace(r), unicode.In(r, unicode.Cc, unicode.Cf, unicode.Z):
		return blank
	case isDense(r):
		return dense
	case unicode.In(r, unicode.L, unicode.N, unicode.M):
		return word
	}
	return symbol
}

// isDense tells of scripts that do not set spaces between words. The marks of their blocks, and the voiced marks of kana, are part of them.
func isDense(r rune) bool {
	switch {
	case r < 0x0e00:
		return false
	case r <= 0x0fff, // Thai, Lao, Tibetan
		0x1000 <= r && r <= 0x109f, // Myanmar
		0x1780 <= r && r <= 0x17ff, // Khmer
		0x2e80 <= r && r <= 0x2fdf, // radicals
		0x3005 <= r && r <= 0x3007,
		0x3040 <= r && r <= 0x312f, // kana, Bopomofo
		0x31a0 <= r && r <= 0x31bf, 0x31f0 <= r && r <= 0x31ff,
		0x3400 <= r && r <= 0x4dbf, 0x4e00 <= r && r <= 0xa4cf, // ideographs, Yi
		0xa9e0 <= r && r <= 0xa9ff, 0xaa60 <= r && r <= 0xaa7f,
		0xf900 <= r && r <= 0xfaff,
		0x1b000 <= r && r <= 0x1b16f,
		0x20000 <= r && r <= 0x3ffff:
		return true
	}
	return false
}

// lexer cuts text into runs of one kind.
type lexer struct {
	text   []byte
	at     int
	plane  *[1 << 16]class
	joined [utf8.RuneSelf]bool // joiners that were seen within words
}

// next returns the class and the size of the character at i.
func (l *lexer) next(i int) (class, int) {
	if c := l.text[i]; c < utf8.RuneSelf {
		return asciiClass[c], 1
	}
	r, size := utf8.DecodeRune(l.text[i:])
	if r < 1<<16 {
		return l.plane[r], size
	}
	return classOf(r), size
}

// run is a stretch of text that is a term, or terms.
type run struct {
	class      class
	start, end int
}

// run returns the next run: a word with the joiners in it, characters of a dense script, or one symbol or joiner; blank ones are passed over.
func (l *lexer) run() (run, bool) {
	for l.at < len(l.text) {
		start := l.at
		c, size := l.next(start)
		l.at += size
		switch c {
		case blank:
		case symbol, joiner:
			return run{c, start, l.at}, true
		case dense:
			for l.at < len(l.text) {
				c, size := l.next(l.at)
				if c != dense {
					break
				}
				l.at += size
			}
			return run{dense, start, l.at}, true
		default:
			l.word()
			return run{word, start, l.at}, true
		}
	}
	return run{}, false
}

// word goes to the end of the word at l.at.
func (l *lexer) word() {
	text, i := l.text, l.at
	for i < len(text) {
		c, size := l.next(i)
		if c == joiner && i+size < len(text) {
			if next, n := l.next(i + size); next == word {
				l.joined[text[i]] = true
				i += size + n
				continue
			}
		}
		if c != word {
			break
		}
		i += size
	}
	l.at = i
}

// Terms calls emit for every term of a folded text, as often as it occurs, and meet for every place where two words meet, with the path to it. The
// octets are the text's, or hold until the next call.
func Terms(text []byte, emit func(term []byte), meet func(term []byte, way path)) {
	l := lexer{text: text, plane: planeClass()}
	var m meeting
	for {
		r, ok := l.run()
		if !ok {
			break
		}
		t := text[r.start:r.end]
		if r.class == dense {
			if p, ok := m.last(text, r.start); ok {
				meet(p.text, p.path)
			}
		}
		if p, ok := m.next(text, r); ok {
			meet(p.text, p.path)
		}
		switch r.class {
		case word:
			for ; len(t) > maxTerm; t = t[maxSure:] {
				emit(t[:maxTerm])
			}
			emit(t)
		case dense:
			pairs(t, emit)
		default:
			emit(t)
		}
	}
	if p, ok := m.last(text, len(text)); ok {
		meet(p.text, p.path)
	}
	for c, joined := range l.joined {
		if joined {
			emit([]byte{byte(c)})
		}
	}
}

// pairs emits every two neighbours; a character that is alone as it is.
func pairs(t []byte, emit func([]byte)) {
	_, size := utf8.DecodeRune(t)
	if size == len(t) {
		emit(t)
		return
	}
	for size < len(t) {
		_, second := utf8.DecodeRune(t[size:])
		emit(t[:size+second])
		t, size = t[size:], second
	}
}

// Cut finds a place to cut a text in two, to give both to Builder.Add: the first ends at end, behind a blank, and the second begins at again, before the
// word that precedes it, because where words meet is of interest too. Both are 0 when there is no such place.
func Cut(text []byte) (end, again int) {
	isBlank := func(c byte) bool { return c < utf8.RuneSelf && asciiClass[c] == blank }
	end = bytes.LastIndexFunc(text, func(r rune) bool { return r < utf8.RuneSelf && asciiClass[r] == blank }) + 1
	again = end
	l := lexer{plane: planeClass()}
	for words := false; again > 0; again-- {
		c := text[again-1]
		if words && isBlank(c) {
			return end, again
		}
		if !words && !isBlank(c) {
			// A run without blanks: is there a word in it?
			start := again - 1
			for start > 0 && !isBlank(text[start-1]) {
				start--
			}
			l.text, l.at = text[start:again], 0
			for r, ok := l.run(); ok && !words; r, ok = l.run() {
				words = r.class == word
			}
			again = start + 1
		}
	}
	return 0, 0
}
