package wire

import (
	"io"
	"time"
)

// Encoder writes responses. Errors are kept until Flush. One goroutine uses it. Methods append to a buffer that is written
// out when it passes 64 KiB or at Flush; nothing allocates per call.
type Encoder struct {
	UTF8 bool // mailbox names are sent as UTF-8 (ENABLE UTF8=ACCEPT or IMAP4rev2), not modified UTF-7
}

// NewEncoder writes to w.
func NewEncoder(w io.Writer) *Encoder { panic("wire: being written") }

// Reset goes on with another stream; what is buffered must have been flushed.
func (e *Encoder) Reset(w io.Writer) { panic("wire: being written") }

// Raw appends s as it is.
func (e *Encoder) Raw(s string) *Encoder { panic("wire: being written") }

// RawBytes appends b as it is.
func (e *Encoder) RawBytes(b []byte) *Encoder { panic("wire: being written") }

// SP appends a space.
func (e *Encoder) SP() *Encoder { panic("wire: being written") }

// Number appends n in decimal.
func (e *Encoder) Number(n int64) *Encoder { panic("wire: being written") }

// String appends s as a quoted string where the grammar allows, else as a literal.
func (e *Encoder) String(s string) *Encoder { panic("wire: being written") }

// AString appends s as an atom where it can be one, else as a String.
func (e *Encoder) AString(s string) *Encoder { panic("wire: being written") }

// Mailbox appends a mailbox name (UTF-8) as the client expects it.
func (e *Encoder) Mailbox(name string) *Encoder { panic("wire: being written") }

// Literal announces n octets ({n}CRLF, or ~{n}CRLF when binary); the caller then writes exactly n to e, which is an io.Writer.
func (e *Encoder) Literal(n int64, binary bool) *Encoder { panic("wire: being written") }

// Set appends UIDs or sequence numbers, ascending, as a compact sequence-set.
func (e *Encoder) Set(nums []uint32) *Encoder { panic("wire: being written") }

// Write appends literal bytes. Large ones go to the stream without a copy.
func (e *Encoder) Write(p []byte) (int, error) { panic("wire: being written") }

// CRLF ends a line.
func (e *Encoder) CRLF() { panic("wire: being written") }

// Flush writes what is buffered and returns the first error since the last Flush.
func (e *Encoder) Flush() error { panic("wire: being written") }

// Nil appends NIL.
func (e *Encoder) Nil() *Encoder { panic("wire: being written") }

// Quoted appends s, which must be free of CR, LF and NUL, as a quoted string.
func (e *Encoder) Quoted(s string) *Encoder { panic("wire: being written") }

// DateTime appends t as INTERNALDATE shows it, quotes included.
func (e *Encoder) DateTime(t time.Time) *Encoder { panic("wire: being written") }

// AppendString appends s as Encoder.String does.
func AppendString(dst []byte, s string, utf8 bool) []byte { panic("wire: being written") }

// AppendMailbox appends name as Encoder.Mailbox does.
func AppendMailbox(dst []byte, name string, utf8 bool) []byte { panic("wire: being written") }

// AppendSet appends ascending numbers as a compact sequence-set.
func AppendSet(dst []byte, nums []uint32) []byte { panic("wire: being written") }

// AppendDateTime appends t as a quoted date-time.
func AppendDateTime(dst []byte, t time.Time) []byte { panic("wire: being written") }

// AppendNumber appends n in decimal.
func AppendNumber(dst []byte, n int64) []byte { panic("wire: being written") }
