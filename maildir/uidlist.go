package maildir

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
)

// The uidlist, Dovecot's format version 3:
//
//	3 V<uidvalidity> N<nextuid> G<mailbox guid>[ <key><value>]...
//	<uid>[ <key><value>]... :<base>
//
// UIDs ascend. New messages are appended without touching the header, so the real next UID is the greater of N and the
// last UID + 1. Everything else is a new file renamed over the old one: bytes once written never change, and a reader without a lock sees
// either version whole, or lacks the lines of an append that is under way.
//
// A damaged file. Dovecot deletes it and renumbers all messages, which every client pays for with a full download. Here all that
// can be read is kept: UIDs of lines in order stay valid, a line that is garbage or out of order only costs its own message a new UID, and
// never a reuse of the old one, unless memory or the snapshot knows what it said. A lost header loses UIDVALIDITY: unless the caller remembers it, he
// allocates a new one, and the UIDs may stay as they are.

const (
	uidlistName = "dovecot-uidlist"
	uidlistTemp = "dovecot-uidlist.tmp"
)

// errDamaged is returned with everything that could be read: the caller logs it and rewrites the file under the lock.
var errDamaged = errors.New("damaged uidlist")

// uidlistHeader is the first line.
type uidlistHeader struct {
	Validity uint32 // 0: unreadable
	Next     uint32 // the effective next UID: nothing at or above it was ever given out as far as the file knows
	GUID     string // 32 lower case hex digits, "" when absent
	Extra    string // other keys, "<key><value>" separated by spaces
	V1       bool   // read from the old format, which must be rewritten
}

// maxUIDLine bounds a line: a name of 255 octets and keys of any sense fit many times.
const maxUIDLine = 1 << 14

// parseUIDList reads a whole file and calls fn with each record in ascending UID order. The slices are only valid during the call.
// extra is "<key><value>..." separated by single spaces, without the base. consumed is the length of all complete lines:
// an unterminated last line belongs to an append that is under way. The error is errDamaged (wrapped) when fn got all that is readable,
// or what r or fn returned.
func parseUIDList(r io.Reader, fn func(uid uint32, base, extra []byte) error) (hdr uidlistHeader, consumed int64, err error) {
	p := uidlistParser{lines: lineReader{r: bufio.NewReaderSize(r, 1<<16)}, fn: fn}
	if err := p.header(); err != nil {
		return p.hdr, p.lines.consumed, err
	}
	if err := p.records(); err != nil {
		return p.hdr, p.lines.consumed, err
	}
	return p.hdr, p.lines.consumed, p.damage()
}

// parseUIDLines reads lines that were appended after a record with UID last. It returns the last UID now.
func parseUIDLines(r io.Reader, last uint32, fn func(uid uint32, base, extra []byte) error) (newLast uint32, consumed int64, err error) {
	p := uidlistParser{lines: lineReader{r: bufio.NewReaderSize(r, 1<<16)}, fn: fn, last: last, top: last}
	err = p.records()
	if err == nil {
		err = p.damage()
	}
	return p.top, p.lines.consumed, err
}

type uidlistParser struct {
	lines lineReader
	fn    func(uid uint32, base, extra []byte) error
	hdr   uidlistHeader
	last  uint32 // last UID in order
	top   uint32 // highest UID seen, of damaged lines too
	bad   int    // number of damaged lines
	first string // the first of them
	extra []byte // buffer
}

func (p *uidlistParser) spoiled(why string) {
	p.bad++
	if p.bad == 1 {
		p.first = fmt.Sprintf("line %d: %s", p.lines.count, why)
	}
}

func (p *uidlistParser) damage() error {
	if p.bad == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s (and %d more)", errDamaged, p.first, p.bad-1)
}

// header reads the first line. One that is no header leaves Validity 0; a record in its place is lost.
func (p *uidlistParser) header() error {
	line, err := p.lines.next()
	if err == io.EOF {
		p.spoiled("no header")
		return nil
	} else if err != nil {
		return err
	}
	var fields [][]byte
	if line != nil {
		fields = bytes.Fields(line)
	}
	hdr, ok := uidlistHeader{}, false
	switch {
	case len(fields) == 0:
	case string(fields[0]) == "3":
		hdr, ok = parseHeader3(fields[1:])
	case string(fields[0]) == "1" && len(fields) >= 3:
		var okV, okN bool
		hdr.V1 = true
		hdr.Validity, okV = parseUID(fields[1])
		hdr.Next, okN = parseUID(fields[2])
		ok = okV && okN
	}
	if !ok {
		p.spoiled("no valid header")
		hdr.Validity = 0
	}
	p.hdr = hdr
	return nil
}

func parseHeader3(fields [][]byte) (hdr uidlistHeader, ok bool) {
	for _, f := range fields {
		switch key, value := f[0], f[1:]; key {
		case 'V':
			hdr.Validity, _ = parseUID(value)
		case 'N':
			hdr.Next, _ = parseUID(value)
		case 'G':
			if guid := bytes.ToLower(value); isGUID(guid) {
				hdr.GUID = string(guid)
			}
		default:
			if hdr.Extra != "" {
				hdr.Extra += " "
			}
			hdr.Extra += string(f)
		}
	}
	return hdr, hdr.Validity != 0 && hdr.Next != 0
}

func isGUID(b []byte) bool {
	for _, c := range b {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(b) == 32
}

// parseUID reads a decimal number above 0 that fits 32 bits.
func parseUID(b []byte) (uint32, bool) {
	if len(b) == 0 || len(b) > 10 {
		return 0, false
	}
	n := uint64(0)
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return uint32(n), n > 0 && n <= math.MaxUint32
}

func (p *uidlistParser) records() error {
	for {
		line, err := p.lines.next()
		if err == io.EOF {
			p.hdr.Next = max(p.hdr.Next, p.top+1)
			return nil
		} else if err != nil {
			return err
		}
		uid, base, extra, why := p.record(line)
		p.top = max(p.top, uid)
		if why == "" && uid <= p.last {
			why = "UIDs are not ascending"
		}
		if why != "" {
			p.spoiled(why)
			continue
		}
		if n := len(base) - 1; base[n] == '\r' {
			p.spoiled("a line ends in CRLF") // an editor or a transfer did that; Dovecot would look for files of such names
			if base = base[:n]; n == 0 {
				continue
			}
		}
		p.last = uid
		if err := p.fn(uid, base, extra); err != nil {
			return err
		}
	}
}

// record reads one line. A uid of a damaged line is returned too, if there is one.
func (p *uidlistParser) record(line []byte) (uid uint32, base, extra []byte, why string) {
	num, rest, _ := bytes.Cut(line, []byte{' '})
	uid, ok := parseUID(num)
	if !ok || uid == math.MaxUint32 {
		return 0, nil, nil, "no valid UID"
	}
	p.extra = p.extra[:0]
	for !p.hdr.V1 {
		rest = bytes.TrimLeft(rest, " ")
		if len(rest) == 0 {
			return uid, nil, nil, "no file name"
		}
		if rest[0] == ':' {
			rest = rest[1:]
			break
		}
		var field []byte
		field, rest, _ = bytes.Cut(rest, []byte{' '})
		if field[0] < 'A' || field[0] > 'Z' {
			continue // Dovecot drops these too
		}
		if len(p.extra) > 0 {
			p.extra = append(p.extra, ' ')
		}
		p.extra = append(p.extra, field...)
	}
	base, _, _ = bytes.Cut(rest, []byte{':'})
	switch {
	case len(base) == 0:
		return uid, nil, nil, "no file name"
	case len(base) > maxName:
		return uid, nil, nil, "the file name is too long"
	case bytes.ContainsAny(base, "/\x00"), bytes.IndexByte(base[:len(base)-1], '\r') >= 0:
		return uid, nil, nil, "a slash, NUL or CR in the file name"
	}
	return uid, base, p.extra, ""
}

// lineReader splits input at LF. An unterminated last line is not returned and not counted as consumed.
type lineReader struct {
	r        *bufio.Reader
	consumed int64
	count    int
}

// next returns a line without its LF, or nil for a line that is too long. It is valid until the next call.
func (l *lineReader) next() ([]byte, error) {
	line, err := l.r.ReadSlice('\n')
	n := int64(len(line))
	tooLong := false
	for err == bufio.ErrBufferFull {
		tooLong = true
		line, err = l.r.ReadSlice('\n')
		n += int64(len(line))
	}
	if err != nil {
		return nil, err
	}
	l.consumed += n
	l.count++
	if tooLong || n > maxUIDLine {
		return nil, nil
	}
	return line[:len(line)-1], nil
}

// appendUIDLine appends the line of a record to dst. extra as parseUIDList gives it.
func appendUIDLine(dst []byte, uid uint32, extra, base []byte) []byte {
	dst = strconv.AppendUint(dst, uint64(uid), 10)
	if len(extra) > 0 {
		dst = append(append(dst, ' '), extra...)
	}
	dst = append(append(dst, " :"...), base...)
	return append(dst, '\n')
}

func appendHeader(dst []byte, hdr uidlistHeader) []byte {
	dst = fmt.Appendf(dst, "3 V%d N%d G%s", hdr.Validity, hdr.Next, hdr.GUID)
	if hdr.Extra != "" {
		dst = append(append(dst, ' '), hdr.Extra...)
	}
	return append(dst, '\n')
}
