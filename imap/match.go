package imap

import "strings"

// matchList tells whether a name matches a LIST pattern: "*" is anything, "%" anything without the separator (RFC 9051 §6.3.9). It takes at most
// len(pattern) × len(name) steps, whatever the pattern.
func matchList(pattern, name string, sep byte) bool {
	// at[i]: pattern[:p] can match name[:i].
	at := make([]bool, len(name)+1)
	at[0] = true
	for p := range len(pattern) {
		switch c := pattern[p]; c {
		case '*', '%':
			if p > 0 && pattern[p-1] == c {
				continue
			}
			for i := 1; i <= len(name); i++ {
				at[i] = at[i] || at[i-1] && (c == '*' || name[i-1] != sep)
			}
		default:
			for i := len(name); i > 0; i-- {
				at[i] = at[i-1] && name[i-1] == c
			}
			at[0] = false
		}
	}
	return at[len(name)]
}

// foldInbox spells INBOX as the first part of a pattern or name in upper case, which it is in any case.
func foldInbox(s string, sep byte) string {
	if len(s) >= 5 && strings.EqualFold(s[:5], "INBOX") && (len(s) == 5 || s[5] == sep || s[5] == '*' || s[5] == '%') {
		return "INBOX" + s[5:]
	}
	return s
}
