package words

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	// maxWord is the length of the longest word in characters, minWord of the shortest: others are no words, or say nothing.
	maxWord, minWord = 30, 2
	// maxDigits is the length of the longest number that is kept: a year, an amount, a house. Longer ones identify something and are as many as there is mail.
	maxDigits = 6
	// maxChunk is the longest ASCII text without a blank that may be words: base64 and links with ids in them are longer.
	maxChunk = 100
)

// words calls fn with the words of a text, folded as index.Fold does, until fn returns false. Of letters mixed with digits, of long numbers and of
// what looks encoded nothing is passed on. Scripts that are written without spaces give pairs of characters. The word holds until fn returns.
func words(text []byte, fn func(word []byte) bool) {
	// Folded texts are decomposed; stemmers know the letters of a language as people write them.
	text = norm.NFC.Bytes(text)
	for len(text) > 0 {
		end := bytes.IndexAny(text, " \t\r\n\x00\xfe\xff")
		if end < 0 {
			end = len(text)
		}
		if chunk := text[:end]; len(chunk) <= maxChunk || !isASCII(chunk) {
			if !inChunk(chunk, fn) {
				return
			}
		}
		text = text[min(end+1, len(text)):]
	}
}

// class of a character.
type class uint8

const (
	other class = iota
	letter
	mark
	digit
	dense // of a script without spaces
)

func classOf(r rune) class {
	switch {
	case r < utf8.RuneSelf:
		switch {
		case 'a' <= r|0x20 && r|0x20 <= 'z':
			return letter
		case '0' <= r && r <= '9':
			return digit
		}
		return other
	case unicode.In(r, unicode.Mn, unicode.Mc):
		return mark
	case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar):
		if unicode.IsLetter(r) {
			return dense
		}
		return other
	case unicode.IsLetter(r):
		return letter
	case unicode.IsDigit(r):
		return digit
	}
	return other
}

// inChunk finds the words in text without blanks; false when fn returned it.
func inChunk(text []byte, fn func([]byte) bool) bool {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		switch classOf(r) {
		case letter, digit:
			n, err := wordAt(text[i:], fn)
			if !err {
				return false
			}
			i += n
		case dense:
			n, ok := pairsAt(text[i:], fn)
			if !ok {
				return false
			}
			i += n
		default:
			i += size
		}
	}
	return true
}

// wordAt takes the letters and digits that text begins with.
func wordAt(text []byte, fn func([]byte) bool) (length int, more bool) {
	letters, digits := 0, 0
	for length < len(text) {
		r, size := utf8.DecodeRune(text[length:])
		switch classOf(r) {
		case letter:
			letters++
		case digit:
			digits++
		case mark:
		default:
			size = 0
		}
		if size == 0 {
			break
		}
		length += size
	}
	if digits == 0 && minWord <= letters && letters <= maxWord || letters == 0 && minWord <= digits && digits <= maxDigits {
		return length, fn(text[:length])
	}
	return length, true
}

// pairsAt takes the characters without spaces that text begins with, by twos; one that is alone stands for itself.
func pairsAt(text []byte, fn func([]byte) bool) (length int, more bool) {
	prev := -1 // where the character before begins
	pairs := 0
	for length < len(text) {
		r, size := utf8.DecodeRune(text[length:])
		c := classOf(r)
		if c == mark {
			length += size
			continue
		}
		if c != dense {
			break
		}
		if prev >= 0 {
			pairs++
			if !fn(text[prev : length+size]) {
				return length, false
			}
		}
		prev = length
		length += size
	}
	if pairs == 0 {
		return length, fn(text[:length])
	}
	return length, true
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// plain is a word without accents, and with letters that some write as two written so.
func plain(word string) string {
	if isASCII([]byte(word)) {
		return word
	}
	out := make([]rune, 0, len(word))
	for _, r := range norm.NFD.String(word) {
		if unicode.Is(unicode.Mn, r) {
			continue
		}
		switch r {
		case 'ß':
			out = append(out, 's', 's')
		case 'æ':
			out = append(out, 'a', 'e')
		case 'œ':
			out = append(out, 'o', 'e')
		case 'ø':
			out = append(out, 'o')
		case 'đ':
			out = append(out, 'd')
		case 'ł':
			out = append(out, 'l')
		case 'ı':
			out = append(out, 'i')
		default:
			out = append(out, r)
		}
	}
	return norm.NFC.String(string(out))
}
