// Package index answers whether a message's decoded text contains a needle, exactly as RFC 9051 §6.4.4 asks:
// case-insensitive substrings of decoded text.
//
// Terms: a text is what is searched as a whole, such as one header field or one part of a message; a needle is what is looked for. Both are
// folded (see Fold) and then compared octet by octet. No needle is found across two texts.
//
// Line ends are searched as they are decoded, CRLF; folded header fields are unfolded first. Of HTML what a reader sees is searched.
//
// That is decided by reading messages (match.go), or by the full-text index of a mail root (Index, in index.go), which gives the same answers and is
// kept up to date by a Follower. A document is what is indexed: a message by its content, however many copies there are. Lock order: Index.mu is a leaf.
//
// Files: match.go needles and messages, fold.go the comparison, collate.go the order of sorted answers, stream.go the search in a text of any length
// with constant memory; index.go the index as searches see it, follow.go filling it, publish.go what was filled becoming part of it, merge.go keeping it small, add.go one message, box.go which message is which document,
// attachments.go documents, progress.go what people are told, rank.go words as people mean them (package words). The index's own format is in package
// segment.
//
// All functions may be called concurrently.
package index

import (
	"bytes"
	"io"

	"roost/maildir/message"
)

// Needle is a folded search string. The zero Needle is the empty string, which every text contains.
type Needle struct{ folded []byte }

// NewNeedle folds s.
func NewNeedle(s string) Needle { return Needle{[]byte(Fold(s))} }

// MatchString reports whether text, folded, contains the needle.
func (n Needle) MatchString(text string) bool { return n.match([]byte(text)) }

// MatchHeader reports whether a raw header field (as message.Fields yields it), decoded and folded, contains the needle.
func (n Needle) MatchHeader(raw []byte) bool {
	if len(n.folded) == 0 {
		return true
	}
	var buf [256]byte
	return n.match(message.AppendFieldValue(buf[:0], raw))
}

func (n Needle) match(text []byte) bool {
	if len(n.folded) == 0 {
		return true
	}
	var buf [256]byte
	var f folder
	return bytes.Contains(f.append(buf[:0], text), n.folded)
}

// MatchMessage looks for every needle in a message at once and sets found[i]. When headers[i] is set, the needle is looked for in
// all header fields too (TEXT; names count, and the headers of parts), else in the body only (BODY, which the headers of embedded messages
// are part of). It stops reading as soon as all are found, or stop, which is asked after every piece of some 32 KiB, says so. An error is one
// of reading the file; then a needle not found may be there all the same.
func MatchMessage(r io.ReaderAt, m *message.Message, needles []Needle, headers []bool, found []bool, stop func() bool) error {
	s := newStream(needles, found, stop)
	defer s.release()
	s.look(nil)
	s.look(headers)
	if len(s.open) > 0 {
		if err := message.Headers(r, m, s.text); err != nil {
			return err
		}
	}
	s.look(nil)
	if s.done() {
		return nil
	}
	return message.Text(r, m, s.text)
}
