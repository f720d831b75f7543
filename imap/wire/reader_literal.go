package wire

import (
	"io"
	"math"
	"slices"
)

// Literals that belong to a command: those that are collected with it, and those of a command that is refused.

// readLiteral appends n octets to r.buf, making room only as they arrive.
func (r *Reader) readLiteral(n int) error {
	for n > 0 {
		start := len(r.buf)
		step := min(n, max(literalStep, start))
		r.buf = slices.Grow(r.buf, step)[:start+step]
		if _, err := io.ReadFull(r.in(), r.buf[start:]); err != nil {
			return err
		}
		n -= step
	}
	return nil
}

// announcement looks for a literal announcement at the end of a line and tells its length there. A size beyond 63 bits counts
// as the largest there is.
//
//	literal  = "{" number64 ["+"] "}" CRLF *CHAR8
//	literal8 = "~{" number64 ["+"] "}" CRLF *OCTET
func announcement(line []byte) (lit Literal, length int, ok bool) {
	i := len(line) - 1
	if i < 0 || line[i] != '}' {
		return Literal{}, 0, false
	}
	i--
	if i >= 0 && line[i] == '+' {
		lit.NonSync = true
		i--
	}
	end := i + 1
	for i >= 0 && isDigit(line[i]) {
		i--
	}
	if i < 0 || line[i] != '{' || i+1 == end {
		return Literal{}, 0, false
	}
	for _, c := range line[i+1 : end] {
		if lit.Size > (math.MaxInt64-9)/10 {
			lit.Size = math.MaxInt64
			break
		}
		lit.Size = lit.Size*10 + int64(c-'0')
	}
	if i > 0 && line[i-1] == '~' {
		lit.Binary = true
		i--
	}
	return lit, len(line) - i, true
}

// drain reads a refused command, whose last line read was line, to its end. A synchronizing literal is the end: the client waits and
// is told of the refusal instead.
func (r *Reader) drain(line []byte) error {
	for {
		lit, _, ok := announcement(line)
		if !ok || !lit.NonSync {
			return nil
		}
		if err := r.discard(lit.Size); err != nil {
			return err
		}
		r.buf = r.buf[:0]
		var err error
		if line, _, err = r.line(r.lim.Line); err != nil {
			return midCommand(err)
		}
	}
}

// discard throws n octets of a refused command away.
func (r *Reader) discard(n int64) error {
	if err := r.spend(n); err != nil {
		return err
	}
	for n > 0 {
		step, err := r.in().Discard(int(min(n, 1<<20)))
		n -= int64(step)
		if err != nil {
			return midCommand(err)
		}
	}
	return nil
}

// spend counts octets thrown away against Limits.Discard.
func (r *Reader) spend(n int64) error {
	limit := r.lim.Discard
	if limit == 0 {
		limit = 1 << 30
	}
	if n > limit-r.discarded {
		return &FatalError{Text: "too much data in a refused command"}
	}
	r.discarded += n
	return nil
}
