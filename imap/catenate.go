package imap

import (
	"errors"
	"io"
	"strings"

	goimap "github.com/emersion/go-imap/v2"

	"roost/imap/wire"
)

// CATENATE (RFC 4469): a message made of octets that the client sends and of others that URLs name, which are copied from file to file. Nothing is
// kept in memory but a block of one part. The parts are taken from the command as the message is written, so that a literal is not asked for
// before what precedes it is known to be there.

// maxCatParts bounds the parts of one message.
const maxCatParts = 1000

var errCatParts = no(goimap.ResponseCodeLimit, "Message has too many parts")

// catenate makes a message of the parts that follow in the command; add reads it, and room is asked for as it grows.
func (s *session) catenate(c *command, room func(octets int64) error, add func(io.Reader) error) error {
	r := &catReader{s: s, c: c, room: room}
	defer r.close()
	err := add(r)
	if r.err != nil {
		return r.err
	}
	if err == nil && r.size == 0 {
		return errAppendEmpty
	}
	return err
}

// catReader reads the message.
type catReader struct {
	s     *session
	c     *command
	room  func(octets int64) error
	parts int
	size  int64     // of the parts so far
	part  io.Reader // being read, nil: none
	url   *urlPart  // which that belongs to, nil: a literal
	err   error     // why the message is not taken, or that the connection has failed; not errors of the disk that is written to
}

func (r *catReader) Read(p []byte) (int, error) {
	for r.err == nil {
		if r.part == nil {
			err := r.next()
			if err == io.EOF {
				return 0, io.EOF
			}
			r.err = err
			continue
		}
		n, err := r.part.Read(p)
		if n > 0 {
			return n, nil
		}
		if err == io.EOF {
			err = r.end()
		} else if err != nil && r.url != nil {
			r.url.f.logFile(&r.url.m, err)
			err = errUnreadable
		}
		r.err = err
	}
	return 0, r.err
}

// next begins the next part; io.EOF when there are no more.
func (r *catReader) next() error {
	part, err := wire.ParseCatPart(r.c.args)
	if err != nil {
		return err
	}
	if r.parts++; r.parts > maxCatParts {
		return errCatParts
	}
	if part.IsURL {
		return r.nextURL(part)
	}
	lit := *part.Literal
	if part.UTF8 && !r.s.utf8 { // RFC 6855 §4
		return bad("UTF8 is not enabled")
	}
	if lit.Binary && !part.UTF8 && !r.s.has("BINARY") {
		return bad("Literals of this kind are not taken")
	}
	if err := r.grow(lit.Size); err != nil {
		return err
	}
	r.part, err = r.literal(lit)
	return err
}

// literal asks for a literal and returns its octets.
func (r *catReader) literal(lit wire.Literal) (io.Reader, error) {
	if !lit.NonSync {
		if err := r.s.continuation(); err != nil {
			return nil, err
		}
	}
	return r.s.rd.Literal(lit), nil
}

// nextURL begins a part that is elsewhere.
func (r *catReader) nextURL(part *wire.CatPart) error {
	text := part.URL
	if lit := part.Literal; lit != nil {
		if lit.Size > wire.MaxURL {
			return badURL("")
		}
		rd, err := r.literal(*lit)
		if err != nil {
			return err
		}
		b, err := io.ReadAll(rd)
		if err != nil {
			return err
		}
		if err := r.s.rd.ReadContinuation(r.c.frame, r.s.continuation); err != nil {
			return err
		}
		text = string(b)
	}
	u, err := wire.ParseURL(text)
	if err != nil || u.Access != "" || u.Partial != nil && !r.s.has("URL-PARTIAL") || !r.s.ownURL(u) {
		return badURL(text)
	}
	r.url, err = r.s.openURL(r.s.mail, u)
	if errors.Is(err, errNoPart) {
		return badURL(text)
	}
	if err != nil {
		return err
	}
	var n int64
	if r.part, n, err = r.url.reader(u.Partial); err != nil {
		return err
	}
	return r.grow(n)
}

// grow counts octets that are going to come.
func (r *catReader) grow(n int64) error {
	if n > r.s.srv.opt.Limits.Append-r.size {
		return errAppendTooBig
	}
	r.size += n
	return r.room(n)
}

// end ends the part that has been read.
func (r *catReader) end() error {
	r.part = nil
	if r.url != nil {
		r.close()
		return nil
	}
	return r.s.rd.ReadContinuation(r.c.frame, r.s.continuation)
}

// close gives back what the part being read has.
func (r *catReader) close() {
	if r.url != nil {
		r.url.close()
		r.url = nil
	}
}

// badURL is the refusal of a URL, which it names as far as a response code can (RFC 4469 §5).
func badURL(text string) error {
	ok := text != "" && len(text) <= maxText && !strings.ContainsFunc(text, func(c rune) bool {
		return c < ' ' || c >= 0x7f || strings.ContainsRune(`]"\`, c)
	})
	if !ok {
		text = "?"
	}
	return no(goimap.ResponseCode(`BADURL "`+text+`"`), "A URL names no message of yours, nothing was appended")
}
