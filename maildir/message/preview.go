package message

import (
	"bytes"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	previewRunes = 200      // RFC 8970 §3.1 asks for that many at most, and forbids more than 256
	previewInput = 64 << 10 // octets of decoded text that are looked at
)

// Preview returns the beginning of what the message says, for lists of messages (RFC 8970): one line of at most 200 characters, without what it
// quotes, if it says anything else. Empty when there is no text, or none that can be read without a key.
func Preview(r io.ReaderAt, m *Message) string {
	p := previewPart(m.Root, "plain")
	markup := p == nil
	if markup {
		p = previewPart(m.Root, "html")
	}
	if p == nil {
		return ""
	}
	text := io.LimitReader(textReader(r, p), previewInput)
	if markup {
		text = newHTMLReader(text, false)
	}
	raw, _ := io.ReadAll(text) // what is damaged ends there
	if s := firstWords(raw, true); s != "" {
		return s
	}
	return firstWords(raw, false)
}

// previewPart returns the first part of a text subtype that is meant to be shown; nil when there is none.
func previewPart(p *Part, subtype string) *Part {
	if isText(p) && equalFold(p.Subtype, subtype) && !equalFold(p.Disposition, "attachment") {
		return p
	}
	if equalFold(p.Type, "multipart") && equalFold(p.Subtype, "encrypted") {
		return nil
	}
	for _, child := range p.Children {
		if found := previewPart(child, subtype); found != nil {
			return found
		}
	}
	return nil
}

// firstWords returns the first words of a text on one line. own: without quoted lines, and nothing behind a signature's separator.
func firstWords(text []byte, own bool) string {
	var b strings.Builder
	n := 0 // characters
	space := false
	for line := range bytes.Lines(text) {
		line = bytes.TrimRight(line, "\r\n")
		if own && (bytes.HasPrefix(line, []byte(">")) || string(line) == "-- ") {
			if line[0] == '-' {
				break
			}
			continue
		}
		for len(line) > 0 {
			c, size := utf8.DecodeRune(line)
			line = line[size:]
			switch {
			case unicode.IsSpace(c):
				space = true
				continue
			case unicode.IsControl(c), c == utf8.RuneError, c == '\u200b', c == '\ufeff', c == '\u034f', c == '\u00ad', c == '\u200c':
				continue // what newsletters fill their previews with
			}
			if space && n > 0 {
				if n+2 > previewRunes {
					return b.String()
				}
				b.WriteByte(' ')
				n++
			}
			space = false
			if n == previewRunes {
				return b.String()
			}
			b.WriteRune(c)
			n++
		}
		space = true
	}
	return b.String()
}
