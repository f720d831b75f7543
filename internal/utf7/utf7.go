// Package utf7 converts mailbox names between UTF-8 and the modified UTF-7 of IMAP (RFC 3501 §5.1.3).
//
// A name in modified UTF-7 is printable US-ASCII. "&" starts a shift, "-" ends it; between them stands UTF-16BE
// in base64 with "," for "/" and without padding; "&-" is "&" itself. Every text has exactly one spelling, and
// only that one is accepted: a mailbox name is an identity, two spellings of one name would be two doors to one mailbox.
//
// Both functions are safe for concurrent use and take time linear in their argument.
package utf7

import (
	"encoding/base64"
	"errors"
	"unicode/utf16"
	"unicode/utf8"
)

// ErrInvalid is returned for names that are not modified UTF-7 in its one canonical spelling.
var ErrInvalid = errors.New("utf7: not valid modified UTF-7")

// base64 as RFC 3501 §5.1.3 modifies it.
var encoding = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").WithPadding(base64.NoPadding)

// direct tells whether c represents itself (apart from "&", which is doubled as "&-").
func direct(c byte) bool { return 0x20 <= c && c <= 0x7e }

// plain tells whether s is the same in both forms.
func plain(s string) bool {
	for i := range len(s) {
		if !direct(s[i]) || s[i] == '&' {
			return false
		}
	}
	return true
}

// Encode returns the modified UTF-7 of the UTF-8 text s. Bytes that are not UTF-8 become U+FFFD.
func Encode(s string) string {
	if plain(s) {
		return s
	}
	out := make([]byte, 0, len(s)+len(s)/2+8)
	var units []byte // one shift's UTF-16BE
	for i := 0; i < len(s); {
		if c := s[i]; direct(c) {
			out = append(out, c)
			if c == '&' {
				out = append(out, '-')
			}
			i++
			continue
		}
		units = units[:0]
		for i < len(s) && !direct(s[i]) {
			r, n := utf8.DecodeRuneInString(s[i:])
			i += n
			if hi, lo := utf16.EncodeRune(r); hi != utf8.RuneError {
				units = append(units, byte(hi>>8), byte(hi), byte(lo>>8), byte(lo))
			} else {
				units = append(units, byte(r>>8), byte(r))
			}
		}
		out = append(out, '&')
		out = encoding.AppendEncode(out, units)
		out = append(out, '-')
	}
	return string(out)
}

// Decode returns the UTF-8 of a name in modified UTF-7, or ErrInvalid. It accepts s exactly when s is what Encode
// makes of the result, so unpaired surrogates, shifted printable ASCII, adjoining shifts, stray bits and raw 8-bit all fail.
func Decode(s string) (string, error) {
	if plain(s) {
		return s, nil
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		c := s[i]
		i++
		if !direct(c) {
			return "", ErrInvalid
		}
		if c != '&' {
			out = append(out, c)
			continue
		}
		end := i
		for end < len(s) && s[end] != '-' {
			end++
		}
		if end == len(s) {
			return "", ErrInvalid
		}
		if end == i {
			out = append(out, '&')
		} else {
			units, err := encoding.DecodeString(s[i:end])
			if err != nil || len(units)%2 != 0 {
				return "", ErrInvalid
			}
			out = appendUTF16(out, units)
		}
		i = end + 1
	}
	text := string(out)
	if Encode(text) != s { // the one canonical spelling
		return "", ErrInvalid
	}
	return text, nil
}

// appendUTF16 appends UTF-16BE as UTF-8; unpaired surrogates become U+FFFD.
func appendUTF16(out, units []byte) []byte {
	for i := 0; i < len(units); i += 2 {
		r := rune(units[i])<<8 | rune(units[i+1])
		if utf16.IsSurrogate(r) {
			var low rune
			if i+4 <= len(units) {
				low = rune(units[i+2])<<8 | rune(units[i+3])
			}
			if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
				i += 2
			}
		}
		out = utf8.AppendRune(out, r)
	}
	return out
}
