package index

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Collate returns the form of s that the collation i;unicode-casemap compares octet by octet, for order and for equality (RFC 5051 §2):
// characters in title case, then decomposed (NFKD). It is what SORT and THREAD have to use (RFC 5256 §1, I18NLEVEL=1 of RFC 5255). Fold is
// for finding: its order means nothing, and it takes more for the same. What is not UTF-8 is compared as it is.
func Collate(s string) string {
	ascii := true
	for i := range len(s) {
		ascii = ascii && s[i] < utf8.RuneSelf
	}
	switch {
	case ascii:
		return strings.ToUpper(s)
	case !utf8.ValidString(s):
		return s
	}
	return norm.NFKD.String(strings.Map(unicode.ToTitle, s))
}
