package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
)

// Limits bound what a Reader accepts. Sizes in octets.
type Limits struct {
	Line    int     // one line, literals not counted
	Literal int     // one literal held in memory (not an appended message)
	Command int     // a whole command with its literals
	Depth   int     // parentheses, NOT, OR
	Budget  *Budget // of all connections together; nil: none
	Discard int64   // how much of one refused command is read and thrown away before giving up; 0 is 1 GiB
}

const (
	streamBuffer = 4 << 10  // read buffer of a connection
	keepBuffer   = 16 << 10 // command buffers up to this capacity are kept for the next command
	literalStep  = 16 << 10 // memory for a literal starts here and doubles while octets arrive
	tailLength   = 64       // what is kept of an overlong line to find an announcement at its end
	maxBlank     = 16       // empty lines skipped before a command
	maxTag       = 256      // length of a tag
	maxName      = 64       // length of a command's name
)

// Reader frames commands. One goroutine uses it; while that one waits, another may call Peek, and only Peek.
type Reader struct {
	src       *source
	br        *bufio.Reader // of src; nil while nothing is buffered
	lim       Limits
	buf       []byte // the command: lines without their ends and literals, CRLF between an announcement and its octets
	tail      []byte // the end of a line that was too long
	discarded int64  // octets of the current command thrown away
	taken     int    // octets from lim.Budget

	stage stage   // see literal.go
	open  Literal // the message literal announced last
	left  int64   // octets of it still in the stream
}

// Frame is one command as received: tag, upper-case name ("FETCH", "UID FETCH"), and a decoder placed behind the name.
// Args refers to the reader's memory and is good until the next call of ReadCommand or ReadLine.
type Frame struct {
	Tag  string
	Name string
	Args *Decoder
}

// source is a stream, with the octets in front that came while they were waited for.
type source struct {
	r     io.Reader
	ahead []byte // in first
	err   error  // that came with octets, and is behind them
	first [64]byte
}

func (s *source) Read(p []byte) (int, error) {
	if len(s.ahead) > 0 {
		n := copy(p, s.ahead)
		s.ahead = s.ahead[n:]
		return n, nil
	}
	if err := s.err; err != nil {
		s.err = nil
		return 0, err
	}
	n, err := s.r.Read(p)
	if n > 0 {
		s.err, err = err, nil // for the next call: whoever buffers what came may be gone by then
	}
	return n, err
}

// wait reads what comes next, most often a whole short command.
func (s *source) wait() error {
	for range maxEmptyReads {
		if n, err := s.Read(s.first[:]); n > 0 || err != nil {
			s.ahead = s.first[:n]
			return err
		}
	}
	return io.ErrNoProgress
}

// maxEmptyReads is how often a stream may give nothing, as bufio has it.
const maxEmptyReads = 100

// readers are not in use: who waits has none.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, streamBuffer) }}

// NewReader reads commands from r.
func NewReader(r io.Reader, lim Limits) *Reader {
	return &Reader{src: &source{r: r}, lim: lim}
}

// in is the buffered stream.
func (r *Reader) in() *bufio.Reader {
	if r.br == nil {
		r.br = readers.Get().(*bufio.Reader)
		r.br.Reset(r.src)
	}
	return r.br
}

// unbuffer gives the buffer back; what is in it is lost.
func (r *Reader) unbuffer() {
	if r.br != nil {
		r.br.Reset(nil)
		readers.Put(r.br)
		r.br = nil
	}
}

// SetLimits changes the limits, e.g. after login.
func (r *Reader) SetLimits(lim Limits) {
	taken := r.taken
	r.release()
	r.lim = lim
	if r.lim.Budget.take(taken) {
		r.taken = taken
	}
}

// Reset goes on with another stream (after STARTTLS) and drops everything buffered: what was sent in the clear behind
// STARTTLS must not be executed (CVE-2021-33515).
func (r *Reader) Reset(rd io.Reader) {
	r.unbuffer()
	r.src = &source{r: rd}
	r.buf, r.stage, r.left = nil, stageDone, 0
}

// Through goes on with what layer makes of the stream, beginning with what is buffered of it (COMPRESS).
func (r *Reader) Through(layer func(*bufio.Reader) io.Reader) {
	r.src, r.br = &source{r: layer(r.in())}, nil
}

// Buffered returns how many octets are already in memory: pipelined input.
func (r *Reader) Buffered() int {
	n := len(r.src.ahead)
	if r.br != nil {
		n += r.br.Buffered()
	}
	return n
}

// Peek waits until one octet is readable without taking it. Meanwhile there is no buffer.
func (r *Reader) Peek() error {
	if r.Buffered() > 0 {
		return nil
	}
	r.unbuffer()
	return r.src.wait()
}

// Done gives back the memory of the last command, before the reader waits for the next one or is no longer used; its Frame is no longer good.
func (r *Reader) Done() {
	if cap(r.buf) > keepBuffer {
		r.buf = nil
	}
	r.buf = r.buf[:0]
	r.release()
	if r.br != nil && r.br.Buffered() == 0 {
		r.unbuffer()
	}
}

// release gives back what was taken of the budget.
func (r *Reader) release() {
	r.lim.Budget.give(r.taken)
	r.taken = 0
}

// room tells whether the budget allows n more octets in r.buf, and takes them.
func (r *Reader) room(n int) bool {
	more := len(r.buf) + n - keepBuffer - r.taken
	if more <= 0 {
		return true
	}
	if !r.lim.Budget.take(more) {
		return false
	}
	r.taken += more
	return true
}

// errShort is the refusal of a command for which there is no room.
func errShort() *SyntaxError {
	return &SyntaxError{Text: "The server is short of memory, try again later", Code: Unavailable}
}

// ReadCommand reads one whole command with its literals. cont is called to write the continuation line of a
// synchronizing literal. For APPEND the message literal is left unread and Frame.Args ends with its announcement, see
// ParseAppendMessage. What the last command left unread is skipped first.
//
// A *SyntaxError leaves the reader at the start of the next command; any other error ends the connection: *FatalError, io.EOF
// between commands, io.ErrUnexpectedEOF inside one, an error of the stream or of cont.
func (r *Reader) ReadCommand(cont func() error) (*Frame, error) {
	if err := r.SkipCommand(); err != nil {
		return nil, err
	}
	r.begin()
	line, bad, err := r.firstLine()
	if err != nil {
		return nil, err
	}
	tag, name, args, headBad := head(r.buf)
	if bad == nil {
		bad = headBad
	}
	if bad == nil {
		line, bad, err = r.collect(name, args, line, cont)
		if err != nil {
			return nil, err
		}
	}
	if bad != nil {
		if err := r.drain(line); err != nil {
			return nil, err
		}
		bad.Tag = tag
		return nil, bad
	}
	return &Frame{Tag: tag, Name: name, Args: NewDecoder(r.buf[args:], r.lim.Depth)}, nil
}

// ReadLine reads one raw line without its end (SASL responses, DONE), at most max octets. A *SyntaxError tells that the line was too long
// or had octets that no line may have; it has been read to its end. The line is good until the next call of the reader.
func (r *Reader) ReadLine(max int) ([]byte, error) {
	r.begin()
	line, bad, err := r.line(max)
	if err != nil {
		return nil, err
	}
	if bad != nil {
		return nil, bad
	}
	return line, nil
}

// begin forgets the last command.
func (r *Reader) begin() {
	r.discarded = 0
	r.Done()
}

// firstLine reads the first line of a command, which may be preceded by some empty ones.
func (r *Reader) firstLine() ([]byte, *SyntaxError, error) {
	for range maxBlank {
		if b, err := r.in().Peek(1); err == nil && b[0] == 0x16 {
			// A TLS record: the handshake has no line end, the client would wait until the login timeout.
			return nil, nil, &FatalError{Text: "TLS handshake on a plaintext connection"}
		}
		line, bad, err := r.line(r.lim.Line)
		if err != nil || bad != nil || len(line) > 0 {
			return line, bad, err
		}
	}
	return nil, &SyntaxError{Text: "empty command"}, nil
}

// line appends a line of at most max octets to r.buf without its end and returns it; it is good until r.buf changes. With
// a *SyntaxError the line has been read to its end all the same, and its last octets are returned, for drain.
// The error is io.EOF if there was no octet at all.
func (r *Reader) line(max int) ([]byte, *SyntaxError, error) {
	start, long := len(r.buf), false
	why := &SyntaxError{Text: "line too long", Code: "TOOBIG"}
	for {
		chunk, err := r.in().ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			if errors.Is(err, io.EOF) && (long || len(chunk) > 0 || len(r.buf) > start) {
				err = io.ErrUnexpectedEOF
			}
			return nil, nil, err
		}
		room := max + len("\r\n") - (len(r.buf) - start)
		if !long && len(chunk) > room {
			long = true
			r.tail = append(r.tail[:0], last(r.buf[start:], tailLength)...)
			r.buf = append(r.buf, chunk[:room]...) // the tag is in here
		} else if !long && !r.room(len(chunk)) {
			long, why = true, errShort()
			r.tail = append(r.tail[:0], last(r.buf[start:], tailLength)...)
		}
		if long {
			if err := r.spend(int64(len(chunk))); err != nil {
				return nil, nil, err
			}
			r.tail = append(r.tail, last(chunk, tailLength)...)
			r.tail = append(r.tail[:0], last(r.tail, tailLength)...)
		} else {
			r.buf = append(r.buf, chunk...)
		}
		if err == nil {
			break
		}
	}
	if long {
		return trimEnd(r.tail), why, nil
	}
	line := trimEnd(r.buf[start:])
	r.buf = r.buf[:start+len(line)]
	if bytes.IndexByte(line, 0) >= 0 || bytes.IndexByte(line, '\r') >= 0 {
		return line, &SyntaxError{Text: "NUL or bare CR in a line"}, nil
	}
	return line, nil, nil
}

// trimEnd cuts LF or CRLF.
func trimEnd(line []byte) []byte {
	line = bytes.TrimSuffix(line, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r"))
}

// last returns at most the last n octets of b.
func last(b []byte, n int) []byte { return b[max(0, len(b)-n):] }

// head takes a command's first line apart and returns where its arguments begin. tag is set whenever it could be read.
//
//	command = tag SP (command-name / "UID" SP command-name) …
//	tag     = 1*<any ASTRING-CHAR except "+">
func head(line []byte) (tag, name string, args int, bad *SyntaxError) {
	word := func(from int, ok func(byte) bool) int {
		for from < len(line) && ok(line[from]) {
			from++
		}
		return from
	}
	i := word(0, isTagChar)
	if i == 0 || i > maxTag || i < len(line) && line[i] != ' ' {
		return "", "", 0, &SyntaxError{Text: "invalid tag"}
	}
	tag = string(line[:i])
	if i+1 >= len(line) {
		return tag, "", 0, &SyntaxError{Text: "command name missing"}
	}
	start := i + 1
	i = word(start, isAtomChar)
	if i-start == len("UID") && bytes.EqualFold(line[start:i], []byte("UID")) && i < len(line) && line[i] == ' ' {
		i = word(i+1, isAtomChar)
	}
	if i == start || i-start > maxName || i < len(line) && line[i] != ' ' {
		return tag, "", 0, &SyntaxError{Text: "invalid command name"}
	}
	return tag, strings.ToUpper(strings.TrimSuffix(string(line[start:i]), " ")), i, nil
}

// beforeMailbox gives, for commands whose last argument is a message, how many arguments precede the mailbox name. A
// literal in the name's place is the name; any other is a message and stays in the stream.
var beforeMailbox = map[string]int{"APPEND": 0, "REPLACE": 1, "UID REPLACE": 1}

// collect reads the literal announced at the end of line and what follows it into r.buf, until the command is whole or
// a message literal is reached. It returns the last line.
func (r *Reader) collect(name string, args int, line []byte, cont func() error) ([]byte, *SyntaxError, error) {
	before, hasMessage := beforeMailbox[name]
	for {
		lit, length, ok := announcement(line)
		if !ok {
			return line, nil, nil
		}
		if hasMessage && len(bytes.Fields(r.buf[args:len(r.buf)-length])) != before {
			r.announce(lit)
			return line, nil, nil
		}
		if lit.Size > int64(r.lim.Literal) || lit.Size > int64(r.lim.Command-len(r.buf)) {
			return line, &SyntaxError{Text: "literal too large", Code: "TOOBIG"}, nil
		}
		if !r.room(int(lit.Size) + len("\r\n")) { // before it is asked for
			return line, errShort(), nil
		}
		if !lit.NonSync {
			if err := cont(); err != nil {
				return nil, nil, err
			}
		}
		r.buf = append(r.buf, "\r\n"...)
		if err := r.readLiteral(int(lit.Size)); err != nil {
			return nil, nil, midCommand(err)
		}
		next, bad, err := r.line(r.lim.Line)
		if err != nil || bad != nil {
			return next, bad, midCommand(err)
		}
		if line = next; len(r.buf) > r.lim.Command {
			return line, &SyntaxError{Text: "command too large", Code: "TOOBIG"}, nil
		}
	}
}

// midCommand makes the end of the stream inside a command an error of its own.
func midCommand(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
