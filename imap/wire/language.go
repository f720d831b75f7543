package wire

import "strings"

// ParseLanguage parses LANGUAGE and returns the language ranges in lower case, none for a question.
//
//	language-cmd      = "LANGUAGE" *(SP lang-range-quoted)             ; RFC 5255 §3.5
//	lang-range-quoted = astring                                        ; a language-range
//	language-range    = (1*8ALPHA *("-" 1*8alphanum)) / "*"            ; RFC 4647 §2.1
func ParseLanguage(d *Decoder) (ranges []string, err error) {
	for !d.End() {
		var r string
		if !d.ExpectSP() || !d.ExpectAString(&r) || !d.expect(isLanguageRange(r), "a language range") {
			return nil, d.Err()
		}
		ranges = append(ranges, strings.ToLower(r))
	}
	return ranges, d.Err()
}

func isLanguageRange(r string) bool {
	if r == "*" {
		return true
	}
	for i, part := range strings.Split(r, "-") {
		if len(part) < 1 || len(part) > 8 {
			return false
		}
		for j := range len(part) {
			if c := part[j] | 0x20; (c < 'a' || c > 'z') && (i == 0 || !isDigit(part[j])) {
				return false
			}
		}
	}
	return true
}
