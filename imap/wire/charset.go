package wire

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
)

// A converter turns a search string in the client's charset into UTF-8. It fails on octets that the charset does not have: a search
// for a replacement character is not what was asked.
type converter func(string) (string, bool)

// newConverter finds a charset; no name is US-ASCII, and US-ASCII is taken as UTF-8, its superset. Names mean what they mean on the Web (where latin1 is
// windows-1252), as in the mail that is searched; what the Web does not know is looked up at IANA.
func newConverter(charset string) (converter, bool) {
	switch charset {
	case "", "US-ASCII", "ASCII", "UTF-8", "UTF8":
		return func(s string) (string, bool) { return s, utf8.ValidString(s) }, true
	}
	enc, err := htmlindex.Get(charset)
	if err != nil {
		enc, err = ianaindex.IANA.Encoding(charset)
	}
	if err != nil || enc == nil || enc == encoding.Replacement {
		return nil, false
	}
	return func(s string) (string, bool) {
		text, err := enc.NewDecoder().String(s)
		return text, err == nil && !strings.ContainsRune(text, utf8.RuneError)
	}, true
}
