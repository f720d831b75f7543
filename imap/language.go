package imap

import (
	"slices"
	"strings"

	"roost/imap/wire"
)

// LANGUAGE (RFC 5255 §3). Texts are in English, which is what i-default means as well (RFC 2277 §4.5), so only the name of the language changes.
// The prefix of the one namespace is empty and has no translation; no NAMESPACE response has to tell of any (§3.4).

// languages are what can be chosen; the first is used until then.
var languages = []string{"i-default", "en"}

// cmdLanguage lists the languages, or chooses the first that is there.
func (s *session) cmdLanguage(c *command) error {
	ranges, err := wire.ParseLanguage(c.args)
	if err != nil {
		return err
	}
	list := languages
	if len(ranges) > 0 {
		tag := lookupLanguage(ranges)
		if tag == "" {
			return no("", "Unsupported language")
		}
		list = []string{tag}
	}
	s.enc.Raw("* LANGUAGE (").Raw(strings.Join(list, " ")).Raw(")").CRLF()
	return nil
}

// lookupLanguage is the lookup of RFC 4647 §3.4: each range in turn is shortened until it is a language. "default" asks for what the administrator
// prefers (RFC 5255 §3.2), and "*" for no one in particular.
func lookupLanguage(ranges []string) string {
	for _, r := range ranges {
		if r == "default" || r == "*" {
			return languages[0]
		}
		for r != "" {
			if slices.Contains(languages, r) {
				return r
			}
			r = r[:max(0, strings.LastIndexByte(r, '-'))]
			if len(r) > 2 && r[len(r)-2] == '-' { // what such a letter introduces is gone
				r = r[:len(r)-2]
			}
		}
	}
	return ""
}
