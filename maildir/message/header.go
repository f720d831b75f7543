package message

import (
	"bytes"
	"io"
)

// Fields iterates over the header lines in raw header bytes: name and the whole raw field including its line end(s). What is no field (a line
// without colon or with nothing in front of it) is given with an empty name. It ends at an empty line.
func Fields(header []byte, fn func(name, raw []byte) bool) {
	for len(header) > 0 && !isEmptyLine(header[:min(lineLen(header), len(header))]) {
		n := lineLen(header)
		name := fieldName(header[:n])
		for n < len(header) && isWSP(header[n]) {
			n += lineLen(header[n:])
		}
		if !fn(name, header[:n]) {
			return
		}
		header = header[n:]
	}
}

// EndsInEmptyLine tells whether a header has the empty line that separates it from a body.
func EndsInEmptyLine(header []byte) bool {
	return isEmptyLine(header) || bytes.HasSuffix(header, []byte("\n\n")) || bytes.HasSuffix(header, []byte("\n\r\n"))
}

// lineLen is the length of the first line with its LF.
func lineLen(b []byte) int {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return i + 1
	}
	return len(b)
}

func isWSP(c byte) bool { return c == ' ' || c == '\t' }

// fieldName is what stands in front of the colon of a field's first line, without white space; empty when the line is no field.
func fieldName(line []byte) []byte {
	i := bytes.IndexByte(line, ':')
	if i <= 0 || isWSP(line[0]) {
		return nil
	}
	for isWSP(line[i-1]) { // ends at line[0]
		i--
	}
	return line[:i]
}

// fieldBody is what stands behind the colon, still folded.
func fieldBody(raw []byte) []byte {
	return raw[bytes.IndexByte(raw, ':')+1:]
}

// trimSpace cuts white space and line ends from both ends.
func trimSpace(b []byte) []byte {
	isSpace := func(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

// unfold appends a folded field body on one line, without white space at its ends: every fold becomes one space with the white space around it.
// (RFC 5322 §2.2.3 would leave that white space as it is, but no reader wants the tabs in a subject; Dovecot does so for most fields.)
func unfold(dst, body []byte) []byte {
	start := len(dst)
	for len(body) > 0 {
		n := lineLen(body)
		line := trimSpace(body[:n])
		body = body[n:]
		if len(dst) > start && len(line) > 0 {
			dst = append(dst, ' ')
		}
		dst = append(dst, line...)
	}
	return dst
}

// equalFold compares ASCII letters without case; lower must be in lower case.
func equalFold[S, T ~string | ~[]byte](s S, lower T) bool {
	if len(s) != len(lower) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// lowerASCII is s with its ASCII letters in lower case.
func lowerASCII(s string) string {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			return string(appendLower(make([]byte, 0, len(s)), []byte(s)))
		}
	}
	return s
}

// appendLower appends s with its ASCII letters in lower case.
func appendLower(dst, s []byte) []byte {
	for _, c := range s {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

// Header reads the header of a message, as far as DefaultLimits.HeaderBytes; less when the file was cut short.
func Header(r io.ReaderAt, m *Message) ([]byte, error) {
	header := make([]byte, min(m.Root.BodyOff-m.Root.HeaderOff, int64(DefaultLimits.HeaderBytes)))
	n, err := r.ReadAt(header, m.Root.HeaderOff)
	if n > 0 || err == io.EOF {
		err = nil
	}
	return header[:n], err
}
