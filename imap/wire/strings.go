package wire

import (
	"bytes"
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// Classes of octets (RFC 9051 §9).
//
//	ATOM-CHAR       = <any CHAR except atom-specials>
//	atom-specials   = "(" / ")" / "{" / SP / CTL / list-wildcards / quoted-specials / resp-specials
//	list-wildcards  = "%" / "*"
//	quoted-specials = DQUOTE / "\"
//	resp-specials   = "]"
//	ASTRING-CHAR    = ATOM-CHAR / resp-specials
//	list-char       = ATOM-CHAR / list-wildcards / resp-specials
func isAtomChar(c byte) bool {
	if c <= ' ' || c >= 0x7f {
		return false
	}
	switch c {
	case '(', ')', '{', '%', '*', '"', '\\', ']':
		return false
	}
	return true
}

func isAStringChar(c byte) bool { return isAtomChar(c) || c == ']' }
func isListChar(c byte) bool    { return isAStringChar(c) || c == '%' || c == '*' }
func isTagChar(c byte) bool     { return isAStringChar(c) && c != '+' }
func isDigit(c byte) bool       { return '0' <= c && c <= '9' }

// isBase64Char is ALPHA / DIGIT / "+" / "/" / "=".
func isBase64Char(c byte) bool {
	return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'z' || c == '+' || c == '/' || c == '='
}

// or8bit widens a class by raw 8-bit octets.
func or8bit(class func(byte) bool) func(byte) bool {
	return func(c byte) bool { return c >= 0x80 || class(c) }
}

var (
	isAString8Char = or8bit(isAStringChar)
	isList8Char    = or8bit(isListChar)
)

// run takes one or more octets of a class; nil if there is none. It refers to the frame.
func (d *Decoder) run(class func(byte) bool) []byte {
	if d.err != nil {
		return nil
	}
	i := d.pos
	for i < len(d.buf) && class(d.buf[i]) {
		i++
	}
	if i == d.pos {
		return nil
	}
	b := d.buf[d.pos:i]
	d.pos = i
	return b
}

// ExpectAtom takes an atom.
//
//	atom = 1*ATOM-CHAR
func (d *Decoder) ExpectAtom(s *string) bool {
	b := d.run(isAtomChar)
	*s = string(b)
	return d.expect(b != nil, "an atom")
}

// ExpectKeyword takes an atom and returns it in upper case: a word of the grammar.
func (d *Decoder) ExpectKeyword(s *string) bool {
	ok := d.ExpectAtom(s)
	*s = strings.ToUpper(*s)
	if ok && d.Without[*s] {
		return d.Fail("unknown word")
	}
	return ok
}

// Keyword takes the atom word, given in upper case, in any case.
func (d *Decoder) Keyword(word string) bool {
	start := d.pos
	if b := d.run(isAtomChar); strings.EqualFold(string(b), word) && b != nil && !d.Without[word] {
		return true
	}
	d.pos = start
	return false
}

// Flag grammar. "\*" is no flag a client may set, and \Recent is refused by the session.
//
//	flag         = "\" atom / flag-keyword
//	flag-keyword = atom

// ExpectFlag takes a flag as sent.
func (d *Decoder) ExpectFlag(s *string) bool {
	start := d.pos
	d.Special('\\')
	if d.run(isAtomChar) == nil {
		return d.expect(false, "a flag")
	}
	*s = string(d.buf[start:d.pos])
	return true
}

// ExpectFlagList takes a parenthesised list of flags, never nil on success.
//
//	flag-list = "(" [flag *(SP flag)] ")"
func (d *Decoder) ExpectFlagList(flags *[]string) bool {
	*flags = []string{}
	return d.ExpectList(func() bool {
		var f string
		ok := d.ExpectFlag(&f)
		*flags = append(*flags, f)
		return ok
	})
}

// isString tells whether a quoted string or literal comes next.
func (d *Decoder) isString() bool { c := d.peek(); return c == '"' || c == '{' }

// ExpectString takes a quoted string or a literal. Quoted strings must be UTF-8; the octets of literals are anything but NUL.
//
//	string = quoted / literal
func (d *Decoder) ExpectString(s *string) bool {
	if d.peek() == '"' {
		return d.rawQuoted(s) && d.expectUTF8(*s)
	}
	return d.expectLiteral(s, false)
}

// ExpectAString takes an astring. What is not a literal must be UTF-8.
//
//	astring = 1*ASTRING-CHAR / string
func (d *Decoder) ExpectAString(s *string) bool {
	if d.peek() == '{' {
		return d.expectLiteral(s, false)
	}
	return d.rawAString(s, isAString8Char) && d.expectUTF8(*s)
}

// ExpectNString takes a string or NIL; ok tells which.
//
//	nstring = string / nil
func (d *Decoder) ExpectNString(s *string, ok *bool) bool {
	*s = ""
	if *ok = d.isString(); *ok {
		return d.ExpectString(s)
	}
	return d.expect(d.Keyword("NIL"), "a string or NIL")
}

// rawAString takes an astring, or with another class something like it, without a look at its encoding.
func (d *Decoder) rawAString(s *string, class func(byte) bool) bool {
	switch d.peek() {
	case '"':
		return d.rawQuoted(s)
	case '{':
		return d.expectLiteral(s, false)
	}
	b := d.run(class)
	*s = string(b)
	return d.expect(b != nil, "a string")
}

// expectUTF8 requires s to be UTF-8.
func (d *Decoder) expectUTF8(s string) bool {
	if !utf8.ValidString(s) {
		return d.Fail("string is not valid UTF-8")
	}
	return true
}

// rawQuoted takes a quoted string without a look at its encoding.
//
//	quoted      = DQUOTE *QUOTED-CHAR DQUOTE
//	QUOTED-CHAR = <any TEXT-CHAR except quoted-specials> / "\" quoted-specials / UTF8-2 / UTF8-3 / UTF8-4
func (d *Decoder) rawQuoted(s *string) bool {
	if !d.ExpectSpecial('"') {
		return false
	}
	start, escaped := d.pos, false
	for i := d.pos; i < len(d.buf); i++ {
		switch d.buf[i] {
		case '"':
			b := d.buf[start:i]
			d.pos = i + 1
			if escaped {
				*s = unescape(b)
			} else {
				*s = string(b)
			}
			return true
		case '\\':
			i++
			escaped = true
			if i == len(d.buf) || d.buf[i] != '"' && d.buf[i] != '\\' {
				return d.Fail("invalid escape in a quoted string")
			}
		case '\r', '\n', 0:
			return d.Fail("line end in a quoted string")
		}
	}
	return d.Fail("quoted string without end")
}

// unescape removes the backslashes of a quoted string's body.
func unescape(b []byte) string {
	var sb strings.Builder
	sb.Grow(len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' {
			i++
		}
		sb.WriteByte(b[i])
	}
	return sb.String()
}

// expectLiteral takes a literal, or a literal8 if binary, which alone may hold NUL.
func (d *Decoder) expectLiteral(s *string, binary bool) bool {
	lit, ok := d.announced()
	if !ok || lit.Binary != binary {
		return d.expect(false, "a string")
	}
	rest := d.buf[d.pos:]
	if !bytes.HasPrefix(rest, []byte("\r\n")) || int64(len(rest)-2) < lit.Size {
		return d.Fail("invalid literal")
	}
	b := rest[2 : 2+lit.Size]
	if !binary && bytes.IndexByte(b, 0) >= 0 {
		return d.Fail("NUL in a literal")
	}
	d.pos += 2 + len(b)
	*s = string(b)
	return true
}

// announced takes a literal announcement without its line end.
func (d *Decoder) announced() (Literal, bool) {
	i := d.pos
	for i < len(d.buf) && (d.buf[i] == '~' || d.buf[i] == '{' || d.buf[i] == '+' || isDigit(d.buf[i])) {
		i++
	}
	if d.err != nil || i == len(d.buf) || d.buf[i] != '}' {
		return Literal{}, false
	}
	lit, n, ok := announcement(d.buf[d.pos : i+1])
	if !ok || n != i+1-d.pos {
		return Literal{}, false
	}
	d.pos = i + 1
	return lit, true
}

// ExpectBase64 takes base64 and decodes it; "=" stands for no octets at all (RFC 4959 §3), which gives an empty slice, not nil.
//
//	initial-resp = base64 / "="
func (d *Decoder) ExpectBase64(b *[]byte) bool {
	text := d.run(isBase64Char)
	if string(text) == "=" {
		*b = []byte{}
		return true
	}
	out, err := base64.StdEncoding.AppendDecode([]byte{}, text)
	if err != nil || text == nil {
		return d.Fail("invalid base64")
	}
	*b = out
	return true
}
