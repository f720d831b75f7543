package index

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"roost/internal/extract"
	"roost/maildir/message"
)

// Attachments says what the text of attachments (PDF, Office, OpenDocument) counts for.
type Attachments string

// What the text of attachments counts for.
const (
	AttachmentsNone  Attachments = "none"  // nothing
	AttachmentsFuzzy Attachments = "fuzzy" // it is found by Rank
	AttachmentsText  Attachments = "text"  // it is part of the body
)

// Bounds of what is read of the attachments of one message, beside those of each (extract.DefaultLimits): the time of them all, the octets of
// their texts, and how many there may be.
const (
	attachmentsTime = 20 * time.Second
	attachmentsText = 8 << 20
	attachmentsMost = 50
)

// errNoChild: documents cannot be read at all here.
var errNoChild = errors.New("the process that reads attachments cannot be started")

// Documents reads attachments of the mail of one user, in a child process that stays a moment for the next one. The zero value is ready. Close it.
// Safe for concurrent use, in turns.
type Documents struct{ reader extract.Reader }

// Close ends the child process.
func (d *Documents) Close() { d.reader.Close() }

// texts returns the texts of the attachments of a message. Of a document that cannot be read there is none, and failed is told why; of one whose
// text is too long there is the beginning. The error is one of reading the message, of ctx, or errNoChild.
func (d *Documents) texts(ctx context.Context, r io.ReaderAt, m *message.Message, failed func(p *message.Part, err error)) (texts [][]byte, err error) {
	until := time.Now().Add(attachmentsTime)
	left := int64(attachmentsText)
	n := 0
	err = message.Attachments(r, m, func(p *message.Part, body io.Reader) error {
		format := extract.FormatOf(p.Type+"/"+p.Subtype, p.Filename())
		if format == extract.None || n == attachmentsMost || left == 0 {
			return nil
		}
		n++
		limits := extract.DefaultLimits
		limits.Output = min(limits.Output, left)
		if limits.Time = min(limits.Time, time.Until(until)); limits.Time <= 0 {
			failed(p, &extract.Error{Kind: extract.TooSlow})
			return nil
		}
		source := &source{}
		text, err := d.reader.Text(ctx, format, func() (io.Reader, error) {
			if source.r == nil {
				source.r = body
				return source, nil
			}
			source.r, source.err = message.Decoded(r, p) // again
			return source, source.err
		}, limits)
		var fault *extract.Error
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case source.err != nil:
			return source.err
		case errors.As(err, &fault):
			failed(p, err)
			if fault.Kind != extract.TooLong {
				return nil
			}
		case err != nil:
			return errors.Join(errNoChild, err)
		}
		if len(text) > 0 {
			texts = append(texts, text)
			left -= min(left, int64(len(text)))
		}
		return nil
	})
	return texts, err
}

// source remembers what reading failed of.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// Match is MatchMessage for the texts of attachments (AttachmentsText): needles that are found already stay so.
func (d *Documents) Match(ctx context.Context, r io.ReaderAt, m *message.Message, needles []Needle, found []bool, stop func() bool) error {
	s := newStream(needles, found, stop)
	defer s.release()
	if s.look(nil); s.done() {
		return nil
	}
	texts, err := d.texts(ctx, r, m, func(*message.Part, error) {})
	for _, text := range texts {
		if err := s.text(nil, bytes.NewReader(text)); err != nil {
			break
		}
	}
	if errors.Is(err, errNoChild) {
		return nil // as the index has it, then
	}
	return err
}
