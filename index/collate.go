package index

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Collate returns the form of s that the collation i;unicode-casemap compares octet by octet, for order and for equality (RFC 5051 §2):
// characters in title case, then decomposed (NFKD). It is what SORT and THREAD have to use (RFC 5256 §1, I18NLEVEL=1 of RFC 5255). Fold is
// for finding: its order means nothing, and it takes more for the same.
func Collate(s string) string {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return norm.NFKD.String(strings.Map(unicode.ToTitle, s))
		}
	}
	return strings.ToUpper(s)
}
