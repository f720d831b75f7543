package wire

import (
	"io"
	"strings"
	"sync"
	"time"
)

const (
	encoderBuffer = 65 << 10 // written out when it passes this: 64 KiB, as clients fetch large parts, go out at once with what stands around them
	maxKept       = 2 * encoderBuffer
)

// buffers holds the memory of encoders that have nothing to send, so that an idle connection has none.
var buffers = sync.Pool{New: func() any {
	b := make([]byte, 0, encoderBuffer+encoderBuffer/16)
	return &b
}}

// Encoder writes responses. Errors are kept until Flush; after one nothing more is written. One goroutine uses it. Methods append to a buffer that is
// written out when it passes 65 KiB or at Flush; nothing allocates per call.
type Encoder struct {
	UTF8 bool // mailbox names and quoted strings are sent as UTF-8 (ENABLE UTF8=ACCEPT or IMAP4rev2), not modified UTF-7

	w    io.Writer
	buf  []byte
	home *[]byte // where buf came from in the pool; nil when there is no buf
	err  error   // first error of w since the last Flush
}

// NewEncoder writes to w.
func NewEncoder(w io.Writer) *Encoder { return &Encoder{w: w} }

// Reset goes on with another stream; what is buffered must have been flushed.
func (e *Encoder) Reset(w io.Writer) {
	e.release()
	e.w, e.err = w, nil
}

// grab gets a buffer to append to.
func (e *Encoder) grab() []byte {
	if e.home == nil {
		e.home = buffers.Get().(*[]byte)
		e.buf = (*e.home)[:0]
	}
	return e.buf
}

// release gives the buffer back.
func (e *Encoder) release() {
	if e.home == nil {
		return
	}
	if cap(e.buf) <= maxKept {
		*e.home = e.buf[:0]
		buffers.Put(e.home)
	}
	e.home, e.buf = nil, nil
}

// put takes the buffer back after an append and writes it out if it has become large.
func (e *Encoder) put(b []byte) *Encoder {
	e.buf = b
	if len(b) >= encoderBuffer {
		e.writeOut()
	}
	return e
}

// writeOut sends what is buffered.
func (e *Encoder) writeOut() {
	if e.err == nil && len(e.buf) > 0 {
		_, e.err = e.w.Write(e.buf)
	}
	e.buf = e.buf[:0]
}

// Raw appends s as it is.
func (e *Encoder) Raw(s string) *Encoder { return e.put(append(e.grab(), s...)) }

// RawBytes appends b as it is.
func (e *Encoder) RawBytes(b []byte) *Encoder {
	_, _ = e.Write(b) // kept until Flush
	return e
}

// SP appends a space.
func (e *Encoder) SP() *Encoder { return e.put(append(e.grab(), ' ')) }

// Nil appends NIL.
func (e *Encoder) Nil() *Encoder { return e.Raw("NIL") }

// Number appends n in decimal.
func (e *Encoder) Number(n int64) *Encoder { return e.put(AppendNumber(e.grab(), n)) }

// String appends s as a quoted string where the grammar allows, else as a literal.
func (e *Encoder) String(s string) *Encoder { return e.put(AppendString(e.grab(), s, e.UTF8)) }

// Quoted appends s as a quoted string whatever its length; it must be free of CR, LF and NUL.
func (e *Encoder) Quoted(s string) *Encoder { return e.put(appendQuoted(e.grab(), s)) }

// AString appends s as an atom where it can be one, else as a String.
func (e *Encoder) AString(s string) *Encoder { return e.put(AppendAString(e.grab(), s, e.UTF8)) }

// Mailbox appends a mailbox name (UTF-8) as the client expects it.
func (e *Encoder) Mailbox(name string) *Encoder { return e.put(AppendMailbox(e.grab(), name, e.UTF8)) }

// QuotedMailbox is Mailbox for clients that know no atoms there.
func (e *Encoder) QuotedMailbox(name string) *Encoder {
	return e.put(AppendQuotedMailbox(e.grab(), name, e.UTF8))
}

// DateTime appends t as INTERNALDATE shows it, quotes included.
func (e *Encoder) DateTime(t time.Time) *Encoder { return e.put(AppendDateTime(e.grab(), t)) }

// setStep is how many numbers of a set are appended before the buffer is looked at.
const setStep = 4096

// Set appends UIDs or sequence numbers, ascending, as a compact sequence-set.
func (e *Encoder) Set(nums []uint32) *Encoder {
	for len(nums) > setStep {
		n := setStep
		for n < len(nums) && nums[n]-nums[n-1] <= 1 { // do not cut a range in two
			n++
		}
		e.put(AppendSet(e.grab(), nums[:n]))
		if nums = nums[n:]; len(nums) > 0 {
			e.Raw(",")
		}
	}
	return e.put(AppendSet(e.grab(), nums))
}

// Literal announces n octets ({n}CRLF, or ~{n}CRLF when binary); the caller then writes exactly n to e, which is an io.Writer.
func (e *Encoder) Literal(n int64, binary bool) *Encoder {
	return e.put(appendLiteralHead(e.grab(), n, binary))
}

// Write appends literal bytes. What is larger than the buffer goes to the stream without a copy. The error is the one that Flush will return.
func (e *Encoder) Write(p []byte) (int, error) {
	b := e.grab()
	switch room := cap(b) - len(b); {
	case len(p) <= room:
		e.put(append(b, p...))
	case len(p) < encoderBuffer:
		e.put(append(b, p[:room]...)).put(append(e.grab(), p[room:]...))
	default:
		e.writeOut()
		if e.err == nil {
			_, e.err = e.w.Write(p)
		}
	}
	if e.err != nil {
		return 0, e.err
	}
	return len(p), nil
}

// Octets appends s as a String, or as a literal8 if it has NUL in it, which no string may.
func (e *Encoder) Octets(s string) *Encoder {
	if strings.IndexByte(s, 0) < 0 {
		return e.String(s)
	}
	return e.Literal(int64(len(s)), true).Raw(s)
}

// CRLF ends a line.
func (e *Encoder) CRLF() { e.put(append(e.grab(), "\r\n"...)) }

// Flush writes what is buffered and returns the first error since the last Flush.
func (e *Encoder) Flush() error {
	e.writeOut()
	e.release()
	err := e.err
	e.err = nil
	return err
}
