package wire

import "io"

// Limits bound what a Reader accepts. Sizes in octets.
type Limits struct {
	Line    int // one line, literals not counted
	Literal int // one literal held in memory (not an appended message)
	Command int // a whole command with its literals
	Depth   int // parentheses, NOT, OR
}

// Reader frames commands. One goroutine uses it.
type Reader struct{ _ io.Reader }

// NewReader reads commands from r.
func NewReader(r io.Reader, lim Limits) *Reader { panic("wire: being written") }

// SetLimits changes the limits, e.g. after login.
func (r *Reader) SetLimits(lim Limits) { panic("wire: being written") }

// Frame is one command as received: tag, upper-case name ("FETCH", "UID FETCH"), and a decoder placed behind the name.
type Frame struct {
	Tag  string
	Name string
	Args *Decoder
}

// ReadCommand reads one whole command with its literals. cont is called to write the continuation line of a
// synchronizing literal. For APPEND the message literal is left unread: Frame.Args ends there, and the caller goes on with
// ParseAppend*, AcceptLiteral, DiscardLiteral, ReadContinuation.
// A *SyntaxError leaves the reader at the start of the next command; any other error ends the connection.
func (r *Reader) ReadCommand(cont func() error) (*Frame, error) { panic("wire: being written") }

// Literal returns the octets of a literal announced in an APPEND line; the caller must read it to its end or call DiscardLiteral.
func (r *Reader) Literal(l Literal) io.Reader { panic("wire: being written") }

// DiscardLiteral skips what is left of the literal opened last (a refused non-synchronizing literal).
func (r *Reader) DiscardLiteral() error { panic("wire: being written") }

// ReadContinuation reads the rest of an APPEND command behind a literal, up to the next literal or CRLF, into f.Args.
func (r *Reader) ReadContinuation(f *Frame, cont func() error) error { panic("wire: being written") }

// ReadLine reads one raw line without CRLF (SASL responses, DONE), at most max octets.
func (r *Reader) ReadLine(max int) ([]byte, error) { panic("wire: being written") }

// SkipCommand reads what the current APPEND left unread, a refused non-synchronizing literal included, so that the stream stands at the next command.
// ReadCommand does it by itself; call it before answering a refused APPEND.
func (r *Reader) SkipCommand() error { panic("wire: being written") }

// Buffered returns how many octets are already in memory: pipelined input.
func (r *Reader) Buffered() int { panic("wire: being written") }

// Peek waits until one octet is readable without taking it.
func (r *Reader) Peek() error { panic("wire: being written") }

// Reset goes on with another stream (after STARTTLS or COMPRESS) and drops everything buffered.
func (r *Reader) Reset(rd io.Reader) { panic("wire: being written") }

// Decoder parses the arguments of a command. X() tries, ExpectX() sets a sticky error.
type Decoder struct {
	UTF8 bool // quoted strings and mailbox names are UTF-8 (ENABLE UTF8=ACCEPT or IMAP4rev2)
}
