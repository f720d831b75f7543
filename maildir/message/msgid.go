package message

import "bytes"

// MessageIDs calls fn with each identifier in the text of a References, In-Reply-To or Message-ID field, in order, until it returns false. An
// identifier is what stands between < and > and has something on both sides of an @; white space goes, and so does quoting that says nothing
// (RFC 5256 §3, REFERENCES: <"a"@b> is <a@b>). It holds until fn returns.
//
//	msg-id = "<" id-left "@" id-right ">"   ; RFC 5322 §3.6.4
func MessageIDs(text []byte, fn func(id []byte) bool) {
	var buf [128]byte
	for {
		i := bytes.IndexByte(text, '<')
		if i < 0 {
			return
		}
		text = text[i+1:]
		id, n, ok := messageID(buf[:0], text)
		text = text[n:]
		if ok && !fn(id) {
			return
		}
	}
}

// messageID appends the identifier behind a < and tells how many octets it took; when it is none, up to where another may begin.
func messageID(dst, s []byte) (id []byte, n int, ok bool) {
	start := len(dst)
	at, quoted := -1, false // where the last @ outside of quotes is in dst
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && quoted && i+1 < len(s):
			i++
			dst = append(dst, s[i])
		case c == '"':
			quoted = !quoted
		case c == ' ', c == '\t', c == '\r', c == '\n':
		case quoted:
			dst = append(dst, c)
		case c == '<':
			return dst, i, false
		case c == '>':
			return dst, i + 1, at > start && at < len(dst)-1
		default:
			if c == '@' {
				at = len(dst)
			}
			dst = append(dst, c)
		}
	}
	return dst, len(s), false
}
