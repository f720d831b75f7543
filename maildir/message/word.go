package message

import (
	"bytes"
)

// FieldValue decodes a raw field: what is behind the colon, unfolded, encoded words (RFC 2047) decoded, raw 8-bit taken as
// UTF-8 when valid, else as Windows-1252.
func FieldValue(raw []byte) string { return string(AppendFieldValue(nil, raw)) }

// AppendFieldValue appends FieldValue(raw) to dst.
func AppendFieldValue(dst, raw []byte) []byte { return appendText(dst, fieldBody(raw)) }

// appendText appends an unstructured field body, unfolded and decoded.
func appendText(dst, body []byte) []byte { return appendTextBy(dst, body, appendUTF8) }

// appendTextBy is appendText with the way in which octets of a charset are appended.
func appendTextBy(dst, body []byte, convert converter) []byte {
	if body = trimSpace(body); bytes.IndexByte(body, '\n') >= 0 {
		body = unfold(nil, body)
	}
	return appendWords(dst, body, convert)
}

// converter appends octets in a charset.
type converter func(dst []byte, charset string, b []byte) []byte

// word is an encoded word: =?charset*language?encoding?text?=
type word struct {
	charset, text []byte
	base64        bool
}

// appendWords appends b with its encoded words decoded. They are found anywhere, also in quoted strings and inside of other text, as mail
// programs send and show them. White space between two of them goes (RFC 2047 §6.2), and a character may be cut in two by them. What only
// looks like one stays. One pass: nothing that was looked at in vain is looked at again.
func appendWords(dst, b []byte, convert converter) []byte {
	var (
		charset []byte // of pending
		pending []byte // octets of words not converted yet
		flush   = func() {
			if len(pending) > 0 {
				dst = convert(dst, string(charset), pending)
				pending = pending[:0]
			}
		}
		plain     = 0     // b[plain:] is not appended yet
		afterWord = false // b[:plain] ended with a word
	)
	for at := 0; ; {
		i := bytes.Index(b[at:], wordStart)
		if i < 0 {
			break
		}
		at += i
		w, n, ok := parseWord(b[at:])
		if !ok {
			at += n
			continue
		}
		if text := b[plain:at]; !afterWord || len(bytes.TrimLeft(text, " \t\r\n")) > 0 {
			flush()
			dst = appendLenient(dst, text)
		}
		if !bytes.EqualFold(charset, w.charset) {
			flush()
			charset = w.charset
		}
		if w.base64 {
			pending = appendBase64(pending, w.text)
		} else {
			pending = appendQ(pending, w.text)
		}
		at += n
		plain, afterWord = at, true
	}
	flush()
	return appendLenient(dst, b[plain:])
}

var wordStart = []byte("=?")

// parseWord reads the encoded word that b, which starts with =?, starts with, and gives its length; when there is none, how far there is none
// either. Question marks in the text are let pass (Q forbids them, senders do not care) as long as they do not begin another word.
func parseWord(b []byte) (w word, n int, ok bool) {
	i := 2
	for i < len(b) && i < 2+maxCharsetName && b[i] > ' ' && b[i] != '?' && b[i] != '=' {
		i++
	}
	if i == 2 || len(b) < i+len("?Q??=") || b[i] != '?' || b[i+2] != '?' {
		return w, 2, false
	}
	w.charset, _, _ = bytes.Cut(b[2:i], []byte("*")) // RFC 2231 §5: the language does not matter
	switch b[i+1] {
	case 'b', 'B':
		w.base64 = true
	case 'q', 'Q':
	default:
		return w, 2, false
	}
	start := i + 3
	for i = start; ; i++ {
		q := bytes.IndexByte(b[i:], '?')
		if q < 0 {
			return w, len(b), false
		}
		switch i += q; {
		case i+1 < len(b) && b[i+1] == '=':
			w.text = b[start:i]
			return w, i + 2, true
		case i > start && b[i-1] == '=':
			return w, i - 1, false
		}
	}
}

// appendQ appends decoded Q encoding (RFC 2047 §4.2).
func appendQ(dst, b []byte) []byte {
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch {
		case c == '_':
			c = ' '
		case c == '=' && i+2 < len(b) && hexDigits[b[i+1]]|hexDigits[b[i+2]] < 16:
			c = hexDigits[b[i+1]]<<4 | hexDigits[b[i+2]]
			i += 2
		}
		dst = append(dst, c)
	}
	return dst
}

// appendBase64 appends decoded base64.
func appendBase64(dst, b []byte) []byte {
	var t base64Decoder
	at := len(dst)
	dst = append(dst, make([]byte, len(b)/4*3+6)...)
	n, _, _ := t.Transform(dst[at:], b, true)
	return dst[:at+n]
}
