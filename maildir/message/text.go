package message

import (
	"bytes"
	"errors"
	"io"
	"strings"
)

// Text walks everything that SEARCH BODY looks at: the decoded UTF-8 text of every part that holds text, in order, of HTML what a reader sees (html.go),
// also inside embedded messages, whose headers, decoded, count as text of the body. Such parts are text/*, reports (message/delivery-status and the like) and
// multiparts that turned out to have no parts. Unknown charsets and broken encodings yield what can be had.
// fn may return io.EOF to stop early without error.
func Text(r io.ReaderAt, m *Message, fn func(p *Part, text io.Reader) error) error {
	w := textWalker{r: r, fn: fn, bodies: true}
	return w.run(m)
}

// Headers walks what SEARCH TEXT looks at beyond Text: the decoded header of the message and those of its parts at any depth.
// fn is called as by Text.
func Headers(r io.ReaderAt, m *Message, fn func(p *Part, text io.Reader) error) error {
	w := textWalker{r: r, fn: fn}
	return w.run(m)
}

// Attachments calls fn for every part that Text does not look at, with its decoded octets, until fn returns an error. The message is read by who reads body.
func Attachments(r io.ReaderAt, m *Message, fn func(p *Part, body io.Reader) error) error {
	// The walk cannot go deeper than the parser did.
	var walk func(p *Part) error
	walk = func(p *Part) error {
		if p.Message != nil {
			return walk(p.Message)
		}
		for _, child := range p.Children {
			if err := walk(child); err != nil {
				return err
			}
		}
		if len(p.Children) > 0 || holdsText(p) {
			return nil
		}
		body, err := decoded(r, p)
		if err != nil {
			return nil // of an encoding that nobody knows
		}
		return fn(p, body)
	}
	return walk(m.Root)
}

// Filename is the name that an attachment was given, "" when it has none.
func (p *Part) Filename() string {
	for _, params := range [...]struct {
		list []Param
		name string
	}{{p.DispositionParams, "filename"}, {p.Params, "name"}} {
		for _, param := range params.list {
			if name, _, _ := strings.Cut(param.Name, "*"); equalFold(name, params.name) {
				return DecodeText([]byte(param.Value))
			}
		}
	}
	return ""
}

// textWalker visits either what Text gives (bodies) or what Headers gives.
type textWalker struct {
	r      io.ReaderAt
	fn     func(p *Part, text io.Reader) error
	bodies bool
}

func (w *textWalker) run(m *Message) error {
	err := w.walk(m.Root, false)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// walk visits a part and what is in it. embedded tells that p is the message inside a message/rfc822 part.
func (w *textWalker) walk(p *Part, embedded bool) error {
	if w.bodies == embedded {
		if err := w.header(p); err != nil {
			return err
		}
	}
	if p.Message != nil {
		if err := w.walk(p.Message, true); err != nil || !w.bodies || !isEncoded(p) {
			return err
		}
		// Against the rules (RFC 2046 §5.2.1), but some do it: what was parsed is the encoding, the message is inside.
		return w.fn(p, textReader(w.r, p))
	}
	for _, child := range p.Children {
		if err := w.walk(child, false); err != nil {
			return err
		}
	}
	if w.bodies && len(p.Children) == 0 && holdsText(p) {
		text := textReader(w.r, p)
		if isHTML(p) {
			text = newHTMLReader(text, true)
		}
		return w.fn(p, text)
	}
	return nil
}

func isHTML(p *Part) bool {
	return isText(p) && equalFold(p.Subtype, "html")
}

func holdsText(p *Part) bool {
	return isText(p) || equalFold(p.Type, "message") || isMultipart(p)
}

func isEncoded(p *Part) bool { return p.Encoding == "base64" || p.Encoding == "quoted-printable" }

// headerPiece is how much of a header is decoded at once. Longer fields are cut.
const headerPiece = 1 << 20

// header visits the decoded fields of a header, one a line; a header of more than a piece in several texts.
func (w *textWalker) header(p *Part) error {
	left := p.BodyOff - p.HeaderOff
	raw := make([]byte, min(left, headerPiece))
	for left > 0 {
		piece := raw[:min(left, headerPiece)]
		n, err := w.r.ReadAt(piece, p.BodyOff-left)
		if n < len(piece) && err != nil && err != io.EOF {
			return err
		}
		if n == 0 {
			return nil // the file is shorter than it was
		}
		piece = piece[:n]
		if int64(n) < left {
			piece = piece[:wholeFields(piece)]
		}
		left -= int64(len(piece))
		if err := w.fn(p, bytes.NewReader(decodeHeader(piece))); err != nil {
			return err
		}
	}
	return nil
}

// wholeFields is the length of the fields in b but the last, which may go on behind it; without any, of the lines, or all of it.
func wholeFields(b []byte) int {
	lines := len(b)
	for end := len(b) - 1; ; {
		i := bytes.LastIndexByte(b[:end], '\n')
		if i < 0 {
			return lines
		}
		if lines == len(b) {
			lines = i + 1
		}
		if !isWSP(b[i+1]) {
			return i + 1
		}
		end = i
	}
}

func decodeHeader(raw []byte) []byte {
	text := make([]byte, 0, len(raw)+len(raw)/8)
	Fields(raw, func(name, field []byte) bool {
		if len(name) > 0 {
			text = appendLenient(text, name)
			text = append(text, ": "...)
			field = fieldBody(field)
		}
		text = appendText(text, field)
		text = append(text, "\r\n"...)
		return true
	})
	return text
}

// textReader gives the decoded UTF-8 text of a part; what has an unknown encoding is taken as it is.
func textReader(r io.ReaderAt, p *Part) io.Reader {
	text, err := decoded(r, p)
	if err != nil {
		text = bodyReader(r, p)
	}
	for _, param := range p.Params {
		if equalFold(param.Name, "charset") {
			return utf8Reader(param.Value, text)
		}
	}
	return utf8Reader("", text)
}
