package wire

import (
	"strings"
	"unicode/utf8"

	"roost/internal/utf7"
)

// inbox is the one name that is case-insensitive (RFC 9051 §5.1).
const inbox = "INBOX"

// ExpectMailbox takes a mailbox name and returns it in UTF-8, INBOX in upper case.
//
// Unless Decoder.UTF8 is set names come in modified UTF-7, and what is not is refused, since it would be another name
// tomorrow. Names with raw 8-bit octets are taken as UTF-8 in either mode: modified UTF-7 has none, so nothing is ambiguous.
//
//	mailbox = "INBOX" / astring
func (d *Decoder) ExpectMailbox(name *string) bool {
	var s string
	if !d.rawAString(&s, isAString8Char) {
		return false
	}
	text, ok := d.mailboxName(s)
	if !ok {
		return d.Fail("mailbox name is not valid " + d.nameEncoding())
	}
	if strings.EqualFold(text, inbox) {
		text = inbox
	}
	*name = text
	return true
}

// ExpectListMailbox takes a mailbox name pattern of LIST or LSUB and returns it in UTF-8. A pattern in broken modified UTF-7 is kept as
// it is: it is a question, and its answer is that nothing matches.
//
//	list-mailbox = 1*list-char / string
func (d *Decoder) ExpectListMailbox(pattern *string) bool {
	var s string
	if !d.rawAString(&s, isList8Char) || !d.expectUTF8(s) {
		return false
	}
	text, ok := d.mailboxName(s)
	if !ok {
		text = s
	}
	*pattern = text
	return true
}

func (d *Decoder) nameEncoding() string {
	if d.UTF8 {
		return "UTF-8"
	}
	return "modified UTF-7"
}

// mailboxName converts a name as sent to UTF-8.
func (d *Decoder) mailboxName(s string) (string, bool) {
	if strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s) {
		return "", false
	}
	if d.UTF8 || !isASCII(s) || isPlainName(s) {
		return s, true
	}
	text, err := utf7.Decode(s)
	return text, err == nil
}

// isPlainName tells whether s means itself also in modified UTF-7. Raw control octets, which it does not allow, are left to the
// store, which refuses them with a better word.
func isPlainName(s string) bool { return strings.IndexByte(s, '&') < 0 }

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
