package extract

import (
	"bufio"
	"io"
	"strings"
	"unicode/utf8"
)

// text is what comes out: words and lines, of which runs of white space are one.
type text struct {
	w     *bufio.Writer
	left  int64
	begun bool
	sep   string
	err   error // of w, or that it is too long; nothing is written any more
}

func newText(w io.Writer, limit int64) *text {
	return &text{w: bufio.NewWriterSize(w, 32<<10), left: limit}
}

func (t *text) space() {
	if t.sep == "" {
		t.sep = " "
	}
}

func (t *text) line() { t.sep = "\r\n" }

// put adds text and says whether there is room for more.
func (t *text) put(s string) error {
	for len(s) > 0 && t.err == nil {
		word := s
		i := strings.IndexAny(s, " \t\r\n\f\v\u00a0\x00")
		if i >= 0 {
			word = s[:i]
		}
		t.word(strings.ToValidUTF8(word, "\ufffd"))
		if i < 0 {
			break
		}
		t.space()
		_, n := utf8.DecodeRuneInString(s[i:])
		s = s[i+n:]
	}
	return t.err
}

func (t *text) word(s string) {
	if s == "" {
		return
	}
	if t.begun {
		t.write(t.sep)
	}
	t.begun, t.sep = true, ""
	t.write(s)
}

func (t *text) write(s string) {
	if int64(len(s)) > t.left {
		s = s[:t.left]
		for len(s) > 0 && !utf8.ValidString(s[max(0, len(s)-utf8.UTFMax):]) && !utf8.RuneStart(s[len(s)-1]) {
			s = s[:len(s)-1]
		}
		t.err = &Error{TooLong}
	}
	t.left -= int64(len(s))
	if _, err := t.w.WriteString(s); err != nil {
		t.err = err
	}
}

func (t *text) flush() error {
	if err := t.w.Flush(); t.err == nil {
		t.err = err
	}
	return t.err
}
