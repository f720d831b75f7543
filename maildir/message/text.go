package message

import (
	"bytes"
	"errors"
	"io"
)

// Text walks everything that SEARCH BODY looks at: the decoded UTF-8 text of every part that holds text, in order, also inside embedded
// messages, whose headers, decoded, count as text of the body. Such parts are text/*, reports (message/delivery-status and the like) and
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
		return w.walk(p.Message, true)
	}
	for _, child := range p.Children {
		if err := w.walk(child, false); err != nil {
			return err
		}
	}
	if w.bodies && len(p.Children) == 0 && holdsText(p) {
		return w.fn(p, textReader(w.r, p))
	}
	return nil
}

func holdsText(p *Part) bool {
	return isText(p) || equalFold(p.Type, "message") || isMultipart(p)
}

// header visits the decoded fields of a header, one a line. Of a header beyond all measure only the beginning is read.
func (w *textWalker) header(p *Part) error {
	size := p.BodyOff - p.HeaderOff
	if size == 0 {
		return nil
	}
	raw := make([]byte, min(size, int64(DefaultLimits.HeaderBytes)))
	n, err := w.r.ReadAt(raw, p.HeaderOff)
	if n < len(raw) && err != nil && err != io.EOF {
		return err
	}
	text := make([]byte, 0, n+n/8)
	Fields(raw[:n], func(name, field []byte) bool {
		if len(name) > 0 {
			text = appendLenient(text, name)
			text = append(text, ": "...)
		}
		text = AppendFieldValue(text, field)
		text = append(text, "\r\n"...)
		return true
	})
	return w.fn(p, bytes.NewReader(text))
}

// textReader gives the decoded UTF-8 text of a part; what has an unknown encoding is taken as it is.
func textReader(r io.ReaderAt, p *Part) io.Reader {
	text, err := Decoded(r, p)
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
