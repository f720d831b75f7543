package index

import (
	"bytes"
	"errors"
	"io"

	"roost/index/segment"
	"roost/maildir"
	"roost/maildir/message"
)

// headerFields are the fields that have a search key of their own, and a field in the index.
var headerFields = map[string]segment.Field{
	"subject": segment.Subject, "from": segment.From, "to": segment.To, "cc": segment.Cc, "bcc": segment.Bcc,
}

// adder adds messages to a builder. One goroutine uses it.
type adder struct {
	b      *segment.Builder
	stop   func() error
	in     []byte // text as read
	folded []byte // and folded, from the last place where a term ends
}

// window is how much folded text is cut into terms at once. A word that is longer is cut where a window ends, and its document counts as opaque.
const window = 256 << 10

// add adds a message as a document, and the texts of its attachments in a field. It is added whole or, when the error is not nil, not at all.
func (a *adder) add(id message.ObjectID, f *maildir.MessageFile, meta *message.Meta, attached [][]byte, in segment.Field) (doc uint32, err error) {
	if a.in == nil {
		a.in = make([]byte, chunk)
	}
	doc = a.b.Begin(segment.ID(id))
	err = contain(func() error {
		err := a.texts(f, meta)
		for i := 0; i < len(attached) && err == nil; i++ {
			err = a.text(in)(nil, bytes.NewReader(attached[i]))
		}
		return err
	})
	if err != nil {
		a.b.Abandon()
		return 0, &unreadable{err}
	}
	return doc, a.b.End()
}

// unreadable is an error of a message, not of the index.
type unreadable struct{ error }

func (a *adder) texts(f *maildir.MessageFile, meta *message.Meta) error {
	m := meta.Message()
	if f.Size() != meta.Size {
		return errRewritten
	}
	header, err := message.Header(f, m)
	if err != nil {
		return err
	}
	var value []byte
	message.Fields(header, func(name, raw []byte) bool {
		if field, ok := headerFields[lower(name)]; ok {
			value = message.AppendFieldValue(value[:0], raw)
			var fold folder
			a.folded = fold.append(a.folded[:0], value)
			a.b.Add(field, a.folded)
		}
		return true
	})
	if err := message.Headers(f, m, a.text(segment.Header)); err != nil {
		return err
	}
	return message.Text(f, m, a.text(segment.Body))
}

// errRewritten: another program rewrote the file; what is cached of it does not hold.
var errRewritten = errors.New("the file is not the one that was parsed")

func lower(name []byte) string {
	if len(name) > len("subject") {
		return ""
	}
	var buf [8]byte
	return string(appendLowerASCII(buf[:0], name))
}

// text returns what message.Headers and message.Text call for each text.
func (a *adder) text(field segment.Field) func(*message.Part, io.Reader) error {
	return func(_ *message.Part, r io.Reader) error {
		var f folder
		a.folded = a.folded[:0]
		left := 0
		for {
			n, err := readSome(r, a.in[left:])
			if err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			n += left
			from := len(a.folded)
			var used int
			a.folded, used = f.fold(a.folded, a.in[:n], err != nil)
			left = copy(a.in, a.in[used:n])
			if field == segment.Body {
				a.b.Text(a.folded[from:])
			}
			if err != nil {
				a.b.Add(field, a.folded)
				if field == segment.Body {
					a.b.EndText()
				}
				return nil
			}
			if len(a.folded) >= window {
				end, again := segment.Cut(a.folded)
				if end == 0 {
					a.b.Opaque()
					end, again = len(a.folded), len(a.folded)
				}
				a.b.Add(field, a.folded[:end])
				a.folded = a.folded[:copy(a.folded, a.folded[again:])]
				if err := a.stop(); err != nil {
					return err
				}
			}
		}
	}
}
