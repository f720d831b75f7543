package message

import (
	"slices"
	"strings"
	"testing"
)

func TestMessageIDs(t *testing.T) {
	for text, want := range map[string][]string{
		"":                                  nil,
		"<a@b>":                             {"a@b"},
		" <a@b>\r\n\t<c@d> (x) <e@f>x":      {"a@b", "c@d", "e@f"},
		"<a@b><c@d>,<e@f>":                  {"a@b", "c@d", "e@f"},
		`<"01KF8"@xxx.com> <01KF8@xxx.com>`: {"01KF8@xxx.com", "01KF8@xxx.com"}, // the RFC's example
		`<"a\"\\b@c"@d>`:                    {`a"\b@c@d`},
		`<"a>b<"@d>`:                        {"a>b<@d"},
		"<a\r\n b @ c>":                     {"ab@c"},
		"<a@[1.2.3.4]>":                     {"a@[1.2.3.4]"},
		"<A@b> <a@B>":                       {"A@b", "a@B"}, // case counts
		"<a@b@c>":                           {"a@b@c"},
		"Your message of 1 May <x@y>":       {"x@y"},
		"<>":                                nil,
		"<a> <@> <@b> <a@> a@b":             nil,
		"<a@b <c@d>":                        {"c@d"},
		"<a@b":                              nil,
		`<"a@b> <c@d>`:                      nil,
		"<<a@b>>":                           {"a@b"},
		"<\xff@b>":                          {"\xff@b"},
	} {
		var got []string
		MessageIDs([]byte(text), func(id []byte) bool {
			got = append(got, string(id))
			return true
		})
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	n := 0
	MessageIDs([]byte("<a@b> <c@d>"), func([]byte) bool { n++; return false })
	if n != 1 {
		t.Errorf("went on %d times", n)
	}
	// Were time not linear, this would not end.
	for _, unit := range []string{"<", `<"`, "<a@", `"<`, "<\\"} {
		MessageIDs([]byte(strings.Repeat(unit, 1<<20)), func([]byte) bool { return true })
	}
}
