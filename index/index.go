// Package index answers whether a message's decoded text contains a needle, exactly as RFC 9051 §6.4.4 asks:
// case-insensitive substrings of decoded text.
package index

import (
	"io"

	"roost/maildir/message"
)

// Needle is a folded search string.
type Needle struct{ s string }

// NewNeedle folds s (Unicode simple case folding after NFKC).
func NewNeedle(s string) Needle { panic("index: being written") }

// MatchString reports whether text, folded, contains the needle.
func (n Needle) MatchString(text string) bool { panic("index: being written") }

// MatchHeader reports whether a raw header field (as message.Fields yields it), decoded and folded, contains the needle.
func (n Needle) MatchHeader(raw []byte) bool { panic("index: being written") }

// MatchMessage looks for every needle in a message at once and sets found[i]. When headers[i] is set, the needle is looked for in
// all header fields too (TEXT), else in the body only (BODY). It stops reading as soon as all are found, or ctx-like stop() says so.
func MatchMessage(r io.ReaderAt, m *message.Message, needles []Needle, headers []bool, found []bool, stop func() bool) error {
	panic("index: being written")
}
