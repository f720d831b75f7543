package message

import (
	"bytes"
	"strconv"
)

// The fields of ENVELOPE in its order.
const (
	envDate = iota
	envSubject
	envFrom
	envSender
	envReplyTo
	envTo
	envCc
	envBcc
	envInReplyTo
	envMessageID
	envCount
)

var envelopeNames = [envCount]string{"date", "subject", "from", "sender", "reply-to", "to", "cc", "bcc", "in-reply-to", "message-id"}

// envelope is what ENVELOPE tells of a header: the fields' own octets. Of text fields that are repeated the last counts, the addresses
// of repeated address fields are joined, as Dovecot does it.
type envelope struct {
	text      [envCount][]byte // nil: absent
	lists     [envCount][]address
	unfolding []byte // what text and lists are parts of
}

// set takes a field, raw; most limits the addresses taken from it. It returns how many were.
func (e *envelope) set(i int, raw []byte, most int) int {
	if e.unfolding == nil {
		e.unfolding = []byte{} // what is empty is not absent
	}
	at := len(e.unfolding)
	e.unfolding = unfold(e.unfolding, fieldBody(raw))
	value := e.unfolding[at:len(e.unfolding):len(e.unfolding)]
	if i < envFrom || i > envBcc {
		e.text[i] = value
		return 0
	}
	n := len(e.lists[i])
	e.lists[i] = parseAddresses(e.lists[i], value, n+most)
	return len(e.lists[i]) - n
}

// appendTo appends the ENVELOPE value (RFC 9051 §7.5.2).
func (e *envelope) appendTo(dst []byte) []byte {
	dst = append(dst, '(')
	for i := range envCount {
		if i > 0 {
			dst = append(dst, ' ')
		}
		if i < envFrom || i > envBcc {
			dst = appendNString(dst, e.text[i])
			continue
		}
		list := e.lists[i]
		if list == nil && (i == envSender || i == envReplyTo) {
			list = e.lists[envFrom] // "defaulted from From": the server's duty
		}
		dst = appendAddresses(dst, list)
	}
	return append(dst, ')')
}

func appendAddresses(dst []byte, list []address) []byte {
	if len(list) == 0 {
		return append(dst, "NIL"...)
	}
	dst = append(dst, '(')
	for _, a := range list {
		dst = append(dst, '(')
		dst = appendNString(dst, a.name)
		dst = append(dst, ' ')
		dst = appendNString(dst, a.route)
		dst = append(dst, ' ')
		dst = appendNString(dst, a.mailbox)
		dst = append(dst, ' ')
		dst = appendNString(dst, a.host)
		dst = append(dst, ')')
	}
	return append(dst, ')')
}

// appendNString appends NIL for nil, or else a string.
func appendNString(dst, s []byte) []byte {
	if s == nil {
		return append(dst, "NIL"...)
	}
	return appendString(dst, s)
}

// appendString appends a quoted string, or a literal when the octets forbid that (RFC 9051 §4.3). NUL cannot be sent at all and becomes 0x80,
// as Dovecot has it.
func appendString[S ~string | ~[]byte](dst []byte, s S) []byte {
	quotable, nul := true, false
	for i := range len(s) {
		switch c := s[i]; {
		case c == 0:
			quotable, nul = false, true
		case c >= 0x80, c == '\r', c == '\n':
			quotable = false
		}
	}
	if quotable {
		dst = append(dst, '"')
		for i := range len(s) {
			if s[i] == '"' || s[i] == '\\' {
				dst = append(dst, '\\')
			}
			dst = append(dst, s[i])
		}
		return append(dst, '"')
	}
	dst = append(dst, '{')
	dst = strconv.AppendInt(dst, int64(len(s)), 10)
	dst = append(dst, "}\r\n"...)
	at := len(dst)
	dst = append(dst, s...)
	if nul {
		copy(dst[at:], bytes.ReplaceAll(dst[at:], []byte{0}, []byte{0x80}))
	}
	return dst
}
