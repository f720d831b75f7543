package maildir

import (
	"cmp"
	"math/bits"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Message file names: <base>[,S=<n>][,W=<n>][:2,<flags>[,<ext>]]. The base, everything before the first colon and including the sizes,
// is the identity of a message; only what follows may change.

// fileName is a parsed message file name. Letters that IMAP has no flag for, and what another program put behind a
// second comma, are carried along.
type fileName struct {
	base    string
	flags   Flags
	letters uint32 // keyword letters a–z as bits 0–25
	other   string // other letters, sorted, each once
	ext     string // from the second comma on
}

// flagLetters are the letters of system flags in ASCII order.
var flagLetters = [...]struct {
	letter byte
	flag   Flags
}{{'D', Draft}, {'F', Flagged}, {'R', Answered}, {'S', Seen}, {'T', Deleted}}

// baseName is the base of a file name.
func baseName(s string) string {
	base, _, _ := strings.Cut(s, ":")
	return base
}

// parseFileName never fails: a name without valid flags has none.
func parseFileName(s string) fileName {
	base, info, _ := strings.Cut(s, ":")
	fn := fileName{base: base}
	info, ok := strings.CutPrefix(info[strings.LastIndexByte(info, ':')+1:], "2,")
	if !ok {
		return fn
	}
	if i := strings.IndexByte(info, ','); i >= 0 {
		info, fn.ext = info[:i], info[i:]
	}
	var other letterSet
	for i := range len(info) {
		c := info[i]
		if 'a' <= c && c <= 'z' {
			fn.letters |= 1 << (c - 'a')
			continue
		}
		flag := Flags(0)
		for _, l := range flagLetters {
			if l.letter == c {
				flag = l.flag
			}
		}
		fn.flags |= flag
		if flag == 0 {
			other.add(c)
		}
	}
	if other != (letterSet{}) {
		fn.other = string(other.appendTo(nil))
	}
	return fn
}

// String is the file name with its flags sorted, as it is written in cur/.
func (fn fileName) String() string {
	var buf [maxName + 64]byte
	return string(fn.appendInfo(append(buf[:0], fn.base...)))
}

// appendInfo appends what follows the base.
func (fn fileName) appendInfo(dst []byte) []byte {
	var set letterSet
	for _, l := range flagLetters {
		if fn.flags&l.flag != 0 {
			set.add(l.letter)
		}
	}
	set['a'>>6] |= uint64(fn.letters) << ('a' & 63)
	for i := range len(fn.other) {
		set.add(fn.other[i])
	}
	return append(set.appendTo(append(dst, ":2,"...)), fn.ext...)
}

// letterSet is a set of octets that lists itself sorted.
type letterSet [4]uint64

func (s *letterSet) add(c byte) { s[c>>6] |= 1 << (c & 63) }

func (s *letterSet) appendTo(dst []byte) []byte {
	for i, word := range s {
		for ; word != 0; word &= word - 1 {
			dst = append(dst, byte(i<<6|bits.TrailingZeros64(word)))
		}
	}
	return dst
}

// ignorable tells whether a name in new/ or cur/ is not a message: hidden, without a base, or with a line end, which the uidlist
// could not hold.
func ignorable(name string) bool {
	return name == "" || name[0] == '.' || name[0] == ':' || strings.ContainsAny(name, "\r\n")
}

// sizes reads ,S= (octets as stored) and ,W= (octets as sent) from a base name; -1 when absent or malformed. They are claims of whoever wrote
// the file.
func sizes(base string) (s, w int64) { return sizeIn(base, ",S="), sizeIn(base, ",W=") }

func sizeIn(base, key string) int64 {
	_, rest, ok := strings.Cut(base, key)
	if !ok {
		return -1
	}
	if i := strings.IndexAny(rest, ",:"); i >= 0 {
		rest = rest[:i]
	}
	if rest == "" || rest[0] < '0' || rest[0] > '9' {
		return -1
	}
	n, err := strconv.ParseInt(rest, 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// numberKey is what new files are numbered by, as Dovecot does: the time at the front, then the M<microseconds> that delivery agents add,
// then the rest of the base name.
type numberKey struct {
	sec, usec int64 // usec is -1 without M
	rest      string
}

func newNumberKey(base string) numberKey {
	k := numberKey{usec: -1}
	k.sec, k.rest = leadingNumber(base)
	if usec, ok := microseconds(k.rest); ok {
		k.usec = usec
	}
	return k
}

func (k *numberKey) compare(o *numberKey) int {
	if c := cmp.Compare(k.sec, o.sec); c != 0 {
		return c
	}
	if k.usec != o.usec && k.usec >= 0 && o.usec >= 0 {
		return cmp.Compare(k.usec, o.usec)
	}
	return cmp.Compare(k.rest, o.rest)
}

// leadingNumber reads decimal digits; a number too big for int64 counts as the biggest.
func leadingNumber(s string) (n int64, rest string) {
	end := 0
	for end < len(s) && '0' <= s[end] && s[end] <= '9' {
		end++
	}
	n, _ = strconv.ParseInt(s[:end], 10, 64)
	return n, s[end:]
}

// microseconds finds M<digits> in ".<unique>.<host>", the rest of a name after the time.
func microseconds(s string) (int64, bool) {
	s, ok := strings.CutPrefix(s, ".")
	if !ok {
		return 0, false
	}
	if i := strings.IndexAny(s, ".:"); i >= 0 {
		s = s[:i]
	}
	_, s, ok = strings.Cut(s, "M")
	if !ok {
		return 0, false
	}
	n, _ := leadingNumber(s)
	return n, true
}

// maxHost keeps base names short enough: Dovecot cannot change flags when name and flags exceed 255 octets.
const maxHost = 100

// hostEscaper replaces what must not stand in a base name.
var hostEscaper = strings.NewReplacer("/", `\057`, ":", `\072`, ",", `\054`, " ", `\040`, "\n", `\012`, "\r", `\015`, "\x00", `\000`)

var lastBase struct {
	sync.Mutex
	micros int64 // time of the last base name made, µs since the epoch
}

// newBase makes a base name that no other process or call makes: <sec>.M<usec>P<pid>.<host>. Sizes are appended by the caller.
func newBase(host string) string {
	host = hostEscaper.Replace(host)
	if len(host) > maxHost {
		host = host[:maxHost]
	}
	lastBase.Lock()
	lastBase.micros = max(lastBase.micros+1, time.Now().UnixMicro())
	now := lastBase.micros
	lastBase.Unlock()
	b := make([]byte, 0, 48+len(host))
	b = strconv.AppendInt(b, now/1e6, 10)
	b = append(b, ".M"...)
	b = strconv.AppendInt(b, now%1e6, 10)
	b = append(b, 'P')
	b = strconv.AppendInt(b, int64(os.Getpid()), 10)
	b = append(b, '.')
	return string(append(b, host...))
}

// withSizes appends ,S= and ,W= to a base name.
func withSizes(base string, s, w int64) string {
	return base + ",S=" + strconv.FormatInt(s, 10) + ",W=" + strconv.FormatInt(w, 10)
}
