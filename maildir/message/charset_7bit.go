package message

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/transform"
)

// utf7Decoder converts UTF-7 (RFC 2152): UTF-16 in base64 between + and -, or between + and what is not base64. What breaks the rules comes
// out as replacement characters or as it stands.
type utf7Decoder struct {
	shifted bool   // behind a +
	empty   bool   // nothing came behind it yet
	bits    uint32 // the last n bits are not used yet
	n       int
	high    rune // the first half of a surrogate pair, or 0
}

// utf7Room is the most that one octet of UTF-7 can put out: two characters, and the + or - that is none of the code.
const utf7Room = 2*utf8.UTFMax + 1

func (t *utf7Decoder) Reset() { *t = utf7Decoder{} }

func (t *utf7Decoder) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	out := dst[:0]
	for ; nSrc < len(src); nSrc++ {
		if len(dst)-len(out) < utf7Room {
			return len(out), nSrc, transform.ErrShortDst
		}
		c := src[nSrc]
		if t.shifted {
			if v := sextets[c]; v < 64 {
				out = t.sextet(out, v)
				continue
			}
			plus := t.empty
			out = t.unshift(out)
			if c == '-' {
				if plus {
					out = append(out, '+')
				}
				continue
			}
			if plus { // no base64 at all: not meant as UTF-7
				out = append(out, '+')
			}
		}
		switch {
		case c == '+':
			t.shifted, t.empty = true, true
		case c < utf8.RuneSelf:
			out = append(out, c)
		default:
			out = utf8.AppendRune(out, charmap.Windows1252.DecodeByte(c))
		}
	}
	if atEOF && t.shifted {
		if len(dst)-len(out) < utf7Room {
			return len(out), nSrc, transform.ErrShortDst
		}
		plus := t.empty
		if out = t.unshift(out); plus {
			out = append(out, '+')
		}
	}
	return len(out), nSrc, nil
}

// sextet takes six bits of UTF-16.
func (t *utf7Decoder) sextet(out []byte, v uint8) []byte {
	t.empty = false
	t.bits = t.bits<<6 | uint32(v)
	if t.n += 6; t.n < 16 {
		return out
	}
	t.n -= 16
	r := rune(t.bits >> t.n & 0xffff)
	if t.high != 0 {
		pair := utf16.DecodeRune(t.high, r)
		t.high = 0
		out = utf8.AppendRune(out, pair)
		if pair != utf8.RuneError {
			return out
		}
	}
	if 0xd800 <= r && r < 0xdc00 {
		t.high = r
		return out
	}
	return utf8.AppendRune(out, r) // of a second half without its first, the replacement character
}

// unshift ends base64.
func (t *utf7Decoder) unshift(out []byte) []byte {
	if t.high != 0 {
		out = utf8.AppendRune(out, utf8.RuneError)
	}
	*t = utf7Decoder{}
	return out
}

// iso2022krDecoder converts ISO-2022-KR (RFC 1557) to EUC-KR: between SO and SI, or the end of the line, octets are without their eighth bit.
type iso2022krDecoder struct{ shifted bool }

// iso2022krDesignator announces the charset that SO shifts to.
var iso2022krDesignator = []byte("\x1b$)C")

func (t *iso2022krDecoder) Reset() { t.shifted = false }

func (t *iso2022krDecoder) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	const so, si, esc = 0x0e, 0x0f, 0x1b
	for nSrc < len(src) {
		if nDst == len(dst) {
			return nDst, nSrc, transform.ErrShortDst
		}
		c := src[nSrc]
		switch {
		case c == so:
			t.shifted = true
			nSrc++
			continue
		case c == si:
			t.shifted = false
			nSrc++
			continue
		case c == esc:
			rest := src[nSrc:]
			if bytes.HasPrefix(rest, iso2022krDesignator) {
				nSrc += len(iso2022krDesignator)
				continue
			}
			if !atEOF && bytes.HasPrefix(iso2022krDesignator, rest) {
				return nDst, nSrc, transform.ErrShortSrc
			}
		case c == '\n':
			t.shifted = false
		case t.shifted && '!' <= c && c <= '~':
			c |= 0x80
		}
		dst[nDst] = c
		nDst++
		nSrc++
	}
	return nDst, nSrc, nil
}
