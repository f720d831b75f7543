package message

import (
	"html"
	"unicode"
	"unicode/utf8"
)

// flow gathers text, with white space as a reader sees it.
type flow struct {
	out   []byte
	begun bool   // there was text before
	sep   string // goes between that and the next text
	pre   int    // elements open in which line ends are meant
}

func (f *flow) space() {
	if f.sep == "" {
		f.sep = " "
	}
}

func (f *flow) line() { f.sep = "\r\n" }

// begin is called before text is appended to out.
func (f *flow) begin() {
	if f.begun {
		f.out = append(f.out, f.sep...)
	}
	f.begun, f.sep = true, ""
}

// running says which octets are part of words, whatever stands beside them. The others: white space, markup, and the first octets of
// U+00A0, U+00AD and U+200B.
var running = func() (t [256]bool) {
	for c := range t {
		t[c] = !isHTMLSpace(byte(c)) && c != '<' && c != '&' && c != 0xC2 && c != 0xE2
	}
	return t
}()

func isHTMLSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' && c != '\v' }

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// feed takes text in, up to the first "<", and returns how much. If that is less and no "<" is there, the rest is too short to be understood, which it is
// not when b is the last of the text.
func (f *flow) feed(b []byte, last bool) int {
	i := 0
	for i < len(b) {
		end := i
		for end < len(b) {
			if running[b[end]] {
				end++
			} else if b[end] == ' ' && end > i && end+1 < len(b) && running[b[end+1]] {
				end += 2
			} else {
				break
			}
		}
		if end > i {
			f.begin()
			f.out = append(f.out, b[i:end]...)
			i = end
			continue
		}
		switch c := b[i]; c {
		case '<':
			return i
		case '&':
			var buf [maxEntity]byte
			text, n := appendEntity(buf[:0], b[i:], last)
			if n == 0 {
				return i
			}
			f.decoded(text)
			i += n
		case 0xC2, 0xE2:
			if !last && !utf8.FullRune(b[i:]) {
				return i
			}
			_, n := utf8.DecodeRune(b[i:])
			f.decoded(b[i : i+n])
			i += n
		default:
			if c == '\n' && f.pre > 0 {
				f.line()
			} else {
				f.space()
			}
			i++
		}
	}
	return i
}

// decoded takes in one character, or the two that some entities are.
func (f *flow) decoded(text []byte) {
	switch r, n := utf8.DecodeRune(text); {
	case n < len(text):
	case r == '\u00a0', r < utf8.RuneSelf && isHTMLSpace(byte(r)):
		f.space()
		return
	case r == '\u00ad', r == '\u200b':
		return
	}
	f.begin()
	f.out = append(f.out, text...)
}

// verbatim takes in text as it stands, except for its white space.
func (f *flow) verbatim(b []byte) {
	for len(b) > 0 {
		n := f.feed(b, true)
		if n < len(b) { // "<"
			f.begin()
			f.out = append(f.out, b[n])
			n++
		}
		b = b[n:]
	}
}

// maxEntity is longer than any entity; the longest name has 33 octets. A number may have zeros in front of it, but not so many.
const maxEntity = 40

// appendEntity appends what the character reference at the start of b stands for and returns its length; if it is none, its "&". The length is 0 if more
// than b is needed to know.
func appendEntity(dst, b []byte, last bool) ([]byte, int) {
	n := 1
	if n < len(b) && b[n] == '#' {
		n++
	}
	for n < len(b) && n < maxEntity && (isLetter(b[n]) || '0' <= b[n] && b[n] <= '9') {
		n++
	}
	switch {
	case n == len(b) && n < maxEntity && !last:
		return dst, 0
	case n == maxEntity, n == 1:
		return append(dst, '&'), 1
	}
	if b[1] == '#' {
		value, digits := refNumber(b[2:n])
		if digits == 0 {
			return append(dst, '&'), 1
		}
		n = 2 + digits
		if n < len(b) && b[n] == ';' {
			n++
		}
		if value > unicode.MaxLatin1 && value < 0xD800 {
			return utf8.AppendRune(dst, value), n
		}
	} else if n < len(b) && b[n] == ';' {
		n++
	}
	switch string(b[1:n]) {
	case "nbsp;":
		return append(dst, "\u00a0"...), n
	case "amp;":
		return append(dst, '&'), n
	}
	ref := string(b[:n])
	text := html.UnescapeString(ref)
	if text == ref {
		return append(dst, '&'), 1
	}
	return append(dst, text...), n
}

// refNumber reads digits, or hexadecimal ones behind an x, and returns how many octets they are. Large values become unicode.MaxRune+1.
func refNumber(b []byte) (value rune, n int) {
	base, first := rune(10), 0
	if len(b) > 0 && b[0]|0x20 == 'x' {
		base, first = 16, 1
	}
	for n = first; n < len(b); n++ {
		digit := rune(b[n]) - '0'
		if base == 16 && isLetter(b[n]) {
			digit = rune(b[n]|0x20) - 'a' + 10
		}
		if digit >= base {
			break
		}
		value = min(value*base+digit, unicode.MaxRune+1)
	}
	if n == first {
		return 0, 0
	}
	return value, n
}
