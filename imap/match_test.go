package imap

import (
	"regexp"
	"strings"
	"testing"
)

func TestMatchList(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "a/b", true}, {"*", "", true}, {"", "a", false}, {"%", "a", true}, {"%", "a/b", false}, {"%/%", "a/b", true},
		{"a*", "a/b", true}, {"a*c", "abc", true}, {"a*c", "abd", false}, {"a%b", "ab", true}, {"a%b", "a/b", false},
		{"*%", "a/b", true}, {"%*", "a/b", true}, {"a", "A", false}, {"a/", "a", false}, {"é%", "été", true}, {"%té", "été", true}, {"%t", "été", false},
		{"inbox", "INBOX", true}, {"iNb*", "INBOX/sub", true}, {"inbox/sub", "INBOX/sub", true}, {"inbox/SUB", "INBOX/sub", false},
		{"inboxes", "INBOXES", false}, {"%x", "INBOX", true}, {"%X", "INBOX", true},
	} {
		if got := matchList(c.pattern, c.name, '/'); got != c.want {
			t.Errorf("%q matches %q: %v", c.pattern, c.name, got)
		}
	}
}

// A pattern that makes matchers with backtracking take exponential time.
func TestMatchListIsFast(t *testing.T) {
	if matchList(strings.Repeat("*a", 5000)+"b", strings.Repeat("a", 250), '/') {
		t.Error("matches")
	}
}

func FuzzMatchList(f *testing.F) {
	f.Add("a*/%b", "a/b/c")
	f.Add("*%*", "INBOX/é")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if len(pattern) > 30 || len(name) > 60 || strings.HasPrefix(name, inbox) {
			t.Skip()
		}
		var re strings.Builder
		for i := range len(pattern) {
			switch pattern[i] {
			case '*':
				re.WriteString(`(?s:.*)`)
			case '%':
				re.WriteString(`[^/]*`)
			default:
				re.WriteString(regexp.QuoteMeta(latin1(pattern[i : i+1])))
			}
		}
		want := regexp.MustCompile(`^(?:` + re.String() + `)$`).MatchString(latin1(name))
		if got := matchList(pattern, name, '/'); got != want {
			t.Errorf("%q matches %q: %v", pattern, name, got)
		}
	})
}

// latin1 makes characters of octets, which is what matchList works on.
func latin1(s string) string {
	r := make([]rune, len(s))
	for i := range len(s) {
		r[i] = rune(s[i])
	}
	return string(r)
}
