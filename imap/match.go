package imap

import (
	"slices"
	"strings"

	"roost/maildir"
)

// inbox is the name of the mailbox that is always there.
const inbox = "INBOX"

// spellings are what a name or a LIST pattern is compared as: as it was sent, and as new mailboxes are named and other commands find
// them.
func spellings(pattern string) []string {
	if composed := maildir.Composed(pattern); composed != pattern {
		return []string{pattern, composed}
	}
	return []string{pattern}
}

// matchAny tells whether a name matches one of some LIST patterns.
func matchAny(patterns []string, name string, sep byte) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matchList(p, name, sep) })
}

// matchList tells whether a name matches a LIST pattern: "*" is anything, "%" anything without the separator (RFC 9051 §6.3.9). INBOX as the
// name or its first part matches in any case. It takes at most len(pattern) × len(name) steps, whatever the pattern.
func matchList(pattern, name string, sep byte) bool {
	fold := 0 // octets of name whose case does not matter
	if rest, ok := strings.CutPrefix(name, inbox); ok && (rest == "" || rest[0] == sep) {
		fold = len(inbox)
	}
	// at[i]: what of pattern has been looked at can match name[:i].
	at := make([]bool, len(name)+1)
	at[0] = true
	for p := range len(pattern) {
		c := pattern[p]
		if c == '*' || c == '%' {
			if p > 0 && pattern[p-1] == c {
				continue
			}
			for i := 1; i <= len(name); i++ {
				at[i] = at[i] || at[i-1] && (c == '*' || name[i-1] != sep)
			}
			continue
		}
		alive := false
		for i := len(name); i > 0; i-- {
			at[i] = at[i-1] && (name[i-1] == c || i <= fold && name[i-1] == upper(c))
			alive = alive || at[i]
		}
		at[0] = false
		if !alive { // mostly after the first octet
			return false
		}
	}
	return at[len(name)]
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		c -= 'a' - 'A'
	}
	return c
}
