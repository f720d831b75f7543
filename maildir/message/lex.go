package message

// lexer reads the tokens of structured header fields (RFC 5322 §3.2, RFC 2045 §5.1) the lenient way: 8-bit octets are text, comments and
// folds may stand anywhere. A method that reads something also skips the white space and comments behind it. Methods return false on a
// syntax error; what was read before it stays read and appended. What is appended to nil may be a part of s.
type lexer struct {
	s       []byte
	i       int
	comment []byte // the last comment, its quoting removed
	keep    bool   // comments are wanted
}

func (l *lexer) done() bool { return l.i >= len(l.s) }

// at tells whether c is the next octet.
func (l *lexer) at(c byte) bool { return l.i < len(l.s) && l.s[l.i] == c }

// space skips white space and comments; false when a comment does not end.
func (l *lexer) space() bool {
	for ; l.i < len(l.s); l.i++ {
		switch l.s[l.i] {
		case ' ', '\t', '\r', '\n':
		case '(':
			if !l.skipComment() {
				l.comment = l.comment[:0]
				return false
			}
			l.i--
		default:
			return true
		}
	}
	return true
}

func (l *lexer) skipComment() bool {
	l.comment = l.comment[:0]
	level := 0
	for ; l.i < len(l.s); l.i++ {
		c := l.s[l.i]
		switch c {
		case '(':
			if level++; level == 1 {
				continue
			}
		case ')':
			if level--; level == 0 {
				l.i++
				return true
			}
		case '\\':
			if l.i++; l.i >= len(l.s) {
				return false
			}
			c = l.s[l.i]
		}
		if l.keep {
			l.comment = append(l.comment, c)
		}
	}
	return false
}

// run appends the octets of a class; it is not an error if there are none.
func (l *lexer) run(dst []byte, class uint8) []byte {
	start := l.i
	for l.i < len(l.s) && classes[l.s[l.i]]&class != 0 {
		l.i++
	}
	if dst == nil {
		return l.s[start:l.i:l.i]
	}
	return append(dst, l.s[start:l.i]...)
}

// token is RFC 2045's, which may be empty here.
func (l *lexer) token(dst []byte) ([]byte, bool) {
	dst = l.run(dst, tokenChar|dot)
	return dst, l.space()
}

// atom must have at least one octet.
func (l *lexer) atom(dst []byte) ([]byte, bool) {
	n := len(dst)
	if dst = l.run(dst, atext); len(dst) == n {
		return dst, false
	}
	return dst, l.space()
}

// dotAtom is atoms with dots, in any number, and (obsolete) white space around them.
func (l *lexer) dotAtom(dst []byte) ([]byte, bool) {
	if l.done() || classes[l.s[l.i]]&(atext|dot) == 0 {
		return dst, false
	}
	for {
		dst = l.run(dst, atext|dot)
		if !l.space() {
			return dst, false
		}
		if !l.at('.') && !(dst[len(dst)-1] == '.' && !l.done() && classes[l.s[l.i]]&atext != 0) {
			return dst, true
		}
	}
}

// plain steps over a quoted-string without quoting or line ends in it and returns what it says; nil, and nothing read, for any other.
func (l *lexer) plain() []byte {
	for n := l.i + 1; n < len(l.s); n++ {
		switch l.s[n] {
		case '"':
			start := l.i + 1
			l.i = n + 1
			return l.s[start:n:n]
		case '\\', '\n':
			return nil
		}
	}
	return nil
}

// quoted is a quoted-string, without its quoting and line ends.
func (l *lexer) quoted(dst []byte) ([]byte, bool) {
	if dst == nil {
		if plain := l.plain(); plain != nil {
			return plain, l.space()
		}
	}
	for l.i++; l.i < len(l.s); l.i++ {
		switch c := l.s[l.i]; c {
		case '"':
			l.i++
			return dst, l.space()
		case '\\':
			if l.i++; l.i >= len(l.s) {
				return dst, false
			}
			dst = append(dst, l.s[l.i])
		case '\n':
			if n := len(dst); n > 0 && dst[n-1] == '\r' {
				dst = dst[:n-1]
			}
		default:
			dst = append(dst, c)
		}
	}
	return dst, false
}

// phrase is words, joined by one space each. It may be empty.
func (l *lexer) phrase(dst []byte) ([]byte, bool) {
	if l.at('.') {
		return dst, false
	}
	for {
		ok := false
		if l.at('"') {
			dst, ok = l.quoted(dst)
		} else {
			dst = l.run(dst, atext|dot)
			ok = l.space()
		}
		if !ok || l.done() {
			return dst, ok
		}
		if classes[l.s[l.i]]&(atext|dot) == 0 && l.s[l.i] != '"' {
			return dst, true
		}
		dst = append(dst, ' ')
	}
}

// domain is what follows an @: a dot-atom or a literal in brackets.
func (l *lexer) domain(dst []byte) ([]byte, bool) {
	l.i++
	if !l.space() || l.done() {
		return dst, false
	}
	if !l.at('[') {
		n := len(dst)
		dst, ok := l.dotAtom(dst)
		return dst, ok && !(len(dst) > n && dst[len(dst)-1] == '.')
	}
	for start := l.i; l.i < len(l.s); l.i++ {
		switch l.s[l.i] {
		case '\\':
			l.i++
		case ']':
			l.i++
			dst = append(dst, l.s[start:l.i]...)
			return dst, l.space()
		}
	}
	return dst, false
}

// Classes of octets.
const (
	atext     = 1 << iota // RFC 5322 §3.2.3, and everything with the eighth bit
	tokenChar             // of those, what a MIME token may hold, too
	dot
)

var classes = func() (t [256]uint8) {
	for c := range t {
		switch {
		case c >= 0x80, c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
			t[c] = atext | tokenChar
		}
	}
	for _, c := range "!#$%&'*+-^_`{|}~" {
		t[c] = atext | tokenChar
	}
	for _, c := range "/=?" {
		t[c] = atext
	}
	t['.'] = dot
	return t
}()
