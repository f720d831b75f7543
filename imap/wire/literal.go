package wire

import "io"

// Message literals are not collected: they may be as large as a message, and whether the message is wanted is decided by what
// precedes it. The caller goes on like this:
//
//	name, err := ParseAppendMailbox(frame.Args)
//	for {
//		msg, err := ParseAppendMessage(frame.Args) // io.EOF: that was all
//		…                                          // refuse: SkipCommand, tagged NO
//		…                                          // unless msg.Literal.NonSync: write "+ " and flush
//		_, err = io.Copy(file, rd.Literal(msg.Literal))
//		err = rd.ReadContinuation(frame, cont)
//	}
//
// At any point it may just stop: the next ReadCommand skips the rest.

// stage says what of a command with message literals is still in the stream.
type stage uint8

const (
	stageDone      stage = iota // nothing: the next octet starts a command
	stageAnnounced              // the literal r.open that was not accepted yet, and what follows it
	stageOpened                 // r.left octets of a literal, and what follows it
)

// announce notes that lit is next in the stream.
func (r *Reader) announce(lit Literal) {
	r.stage, r.open, r.left = stageAnnounced, lit, lit.Size
}

// Literal returns the octets of the literal announced last, which must be l; the caller must read it to its end or call DiscardLiteral. For a
// synchronizing literal the continuation line must have been sent. The error is io.ErrUnexpectedEOF if the connection ends inside it.
func (r *Reader) Literal(l Literal) io.Reader {
	r.stage, r.left = stageOpened, l.Size
	return messageLiteral{r}
}

// messageLiteral reads what is left of the open literal.
type messageLiteral struct{ r *Reader }

func (m messageLiteral) Read(p []byte) (int, error) {
	if m.r.left <= 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > m.r.left {
		p = p[:m.r.left]
	}
	n, err := m.r.in().Read(p)
	m.r.left -= int64(n)
	return n, midCommand(err)
}

// DiscardLiteral skips what is left of the literal announced last, also if it was never opened (a refused
// non-synchronizing literal). A synchronizing one that was not accepted never comes, and the command ends with it.
func (r *Reader) DiscardLiteral() error {
	switch {
	case r.stage == stageDone:
		return nil
	case r.stage == stageAnnounced && !r.open.NonSync:
		r.stage, r.left = stageDone, 0
		return nil
	}
	n := r.left
	r.stage, r.left = stageOpened, 0
	return r.discard(n)
}

// SkipCommand reads what the current APPEND left unread, a refused non-synchronizing literal included, so that the stream stands at
// the next command. ReadCommand does it by itself; call it before answering a refused APPEND.
func (r *Reader) SkipCommand() error {
	if err := r.DiscardLiteral(); err != nil || r.stage == stageDone {
		return err
	}
	r.stage = stageDone
	r.buf = r.buf[:0]
	line, _, err := r.line(r.lim.Line)
	if err != nil {
		return midCommand(err)
	}
	return r.drain(line)
}

// ReadContinuation reads the rest of an APPEND command behind a literal, up to the next literal or the command's end, into f.Args.
// Errors are those of ReadCommand; with a *SyntaxError the command has been skipped. Nothing in there needs cont, which may be nil.
func (r *Reader) ReadContinuation(f *Frame, cont func() error) error {
	if err := r.DiscardLiteral(); err != nil {
		return err
	}
	if r.stage == stageDone {
		f.Args.refill(nil)
		return nil
	}
	r.stage = stageDone
	r.buf = r.buf[:0]
	line, bad, err := r.line(r.lim.Line)
	if err != nil {
		return midCommand(err)
	}
	if bad != nil {
		if err := r.drain(line); err != nil {
			return err
		}
		bad.Tag = f.Tag
		return bad
	}
	if lit, _, ok := announcement(line); ok {
		r.announce(lit)
	}
	f.Args.refill(line)
	return nil
}
