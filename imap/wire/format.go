package wire

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"roost/internal/utf7"
)

// The Append functions are the Encoder's grammar for those who build bytes to keep, e.g. cached ENVELOPEs. They append to dst and return it.

// maxQuoted is the longest string sent quoted; longer ones are literals, which clients need not scan for the end of.
const maxQuoted = 1000

// AppendNumber appends n in decimal.
func AppendNumber(dst []byte, n int64) []byte { return strconv.AppendInt(dst, n, 10) }

// AppendString appends s quoted if it is short and has no CR, LF, NUL or 8-bit octets, else as a literal; with utf8 set 8-bit
// octets may be quoted if they are valid UTF-8. NUL has no place in a string; it is sent as it is, since bytes are sacred.
func AppendString(dst []byte, s string, utf8 bool) []byte {
	if canQuote(s, utf8) {
		return appendQuoted(dst, s)
	}
	dst = appendLiteralHead(dst, int64(len(s)), false)
	return append(dst, s...)
}

// AppendAString appends s as an atom where it can be one, else as AppendString does.
func AppendAString(dst []byte, s string, utf8 bool) []byte {
	if canAtom(s) {
		return append(dst, s...)
	}
	return AppendString(dst, s, utf8)
}

// AppendMailbox appends a mailbox name (UTF-8) as an astring: as UTF-8 with utf8 set, else in modified UTF-7.
func AppendMailbox(dst []byte, name string, utf8 bool) []byte {
	if !utf8 {
		name = utf7.Encode(name)
	}
	return AppendAString(dst, name, utf8)
}

// AppendQuotedMailbox is AppendMailbox with quotes, also where an atom would do.
func AppendQuotedMailbox(dst []byte, name string, utf8 bool) []byte {
	if !utf8 {
		name = utf7.Encode(name)
	}
	return AppendString(dst, name, utf8)
}

// AppendSet appends numbers, which must be ascending, as a compact sequence-set: 1:3,5. Repeated numbers appear once.
func AppendSet(dst []byte, nums []uint32) []byte {
	for i := 0; i < len(nums); {
		first := nums[i]
		last := first
		for i++; i < len(nums) && nums[i]-last <= 1; i++ {
			last = nums[i]
		}
		dst = strconv.AppendUint(dst, uint64(first), 10)
		if last != first {
			dst = append(dst, ':')
			dst = strconv.AppendUint(dst, uint64(last), 10)
		}
		if i < len(nums) {
			dst = append(dst, ',')
		}
	}
	return dst
}

// AppendDateTime appends t in its own zone as a quoted date-time, the form of INTERNALDATE. What four digits cannot hold as a year is
// shown as the epoch.
func AppendDateTime(dst []byte, t time.Time) []byte {
	if y := t.Year(); y < 0 || y > 9999 {
		t = time.Unix(0, 0).UTC()
	}
	return t.AppendFormat(dst, `"02-Jan-2006 15:04:05 -0700"`)
}

// canQuote tells whether s may be sent as a quoted string.
func canQuote(s string, utf8Allowed bool) bool {
	if len(s) > maxQuoted {
		return false
	}
	ascii := true
	for i := range len(s) {
		switch c := s[i]; {
		case c == 0 || c == '\r' || c == '\n':
			return false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return ascii || utf8Allowed && utf8.ValidString(s)
}

// canAtom tells whether s may be sent as 1*ASTRING-CHAR. NIL is one, but many clients take it for nothing.
func canAtom(s string) bool {
	for i := range len(s) {
		if !isAStringChar(s[i]) {
			return false
		}
	}
	return s != "" && !strings.EqualFold(s, "NIL")
}

func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for {
		i := strings.IndexAny(s, `"\`)
		if i < 0 {
			break
		}
		dst = append(dst, s[:i]...)
		dst = append(dst, '\\', s[i])
		s = s[i+1:]
	}
	dst = append(dst, s...)
	return append(dst, '"')
}

func appendLiteralHead(dst []byte, n int64, binary bool) []byte {
	if binary {
		dst = append(dst, '~')
	}
	dst = append(dst, '{')
	dst = strconv.AppendInt(dst, n, 10)
	return append(dst, "}\r\n"...)
}
