package wire

import "math"

// Decoder parses the arguments of a command. X() tries and moves only on success; ExpectX() sets a sticky error, after which every
// method fails, so that a command reads as one condition. One goroutine uses it.
type Decoder struct {
	UTF8    bool            // mailbox names are UTF-8 (ENABLE UTF8=ACCEPT or IMAP4rev2), not modified UTF-7
	Without map[string]bool // words of the grammar, in upper case, that are unknown for now: of extensions that are turned off

	buf   []byte
	pos   int
	depth int   // how many more lists, NOTs and ORs may open
	err   error // first error, a *SyntaxError or *CharsetError

	messages int  // APPEND: messages seen so far
	inUTF8   bool // APPEND: the last literal opened "UTF8 ("
	catParts int  // APPEND: parts of the running CATENATE seen so far
}

// NewDecoder parses args, raw protocol octets in which a literal stands as "{n}" CRLF octets. depth bounds nesting.
func NewDecoder(args []byte, depth int) *Decoder { return &Decoder{buf: args, depth: depth} }

// refill goes on with what follows a message literal.
func (d *Decoder) refill(args []byte) { d.buf, d.pos, d.err = args, 0, nil }

// Err returns the first error of an ExpectX method: a *SyntaxError, or a *CharsetError in SEARCH.
func (d *Decoder) Err() error { return d.err }

// Fail sets the error unless there is one, and returns false.
func (d *Decoder) Fail(text string) bool {
	if d.err == nil {
		d.err = &SyntaxError{Text: text}
	}
	return false
}

// expect sets the error unless ok.
func (d *Decoder) expect(ok bool, what string) bool {
	if d.err != nil {
		return false
	}
	if !ok {
		return d.Fail("expected " + what)
	}
	return true
}

// peek returns the next octet, 0 at the end (NUL is never elsewhere than in literals).
func (d *Decoder) peek() byte {
	if d.err != nil || d.pos >= len(d.buf) {
		return 0
	}
	return d.buf[d.pos]
}

// End tells whether nothing but spaces is left.
func (d *Decoder) End() bool {
	if d.err != nil {
		return false
	}
	i := d.pos
	for i < len(d.buf) && d.buf[i] == ' ' {
		i++
	}
	if i < len(d.buf) {
		return false
	}
	d.pos = i
	return true
}

// ExpectEnd requires the command to end here.
func (d *Decoder) ExpectEnd() bool { return d.expect(d.End(), "the end of the command") }

// SP takes one or more spaces.
func (d *Decoder) SP() bool {
	ok := false
	for d.peek() == ' ' {
		d.pos++
		ok = true
	}
	return ok
}

// ExpectSP takes one or more spaces that something follows.
func (d *Decoder) ExpectSP() bool {
	if d.err == nil && (!d.SP() || d.pos >= len(d.buf)) {
		return d.Fail("missing argument")
	}
	return d.err == nil
}

// Special takes the octet c.
func (d *Decoder) Special(c byte) bool {
	if d.peek() != c {
		return false
	}
	d.pos++
	return true
}

// ExpectSpecial requires the octet c.
func (d *Decoder) ExpectSpecial(c byte) bool { return d.expect(d.Special(c), string(rune(c))) }

// enter opens one level of nesting; the caller closes it with leave.
func (d *Decoder) enter() bool {
	if d.depth <= 0 {
		return d.Fail("nested deeper than limits.nesting allows")
	}
	d.depth--
	return d.err == nil
}

func (d *Decoder) leave() { d.depth++ }

// ExpectList takes a parenthesised list, possibly empty, of what item takes.
//
//	"(" [item *(SP item)] ")"
func (d *Decoder) ExpectList(item func() bool) bool {
	if !d.ExpectSpecial('(') || !d.enter() {
		return false
	}
	defer d.leave()
	d.SP()
	for !d.Special(')') {
		if !item() {
			return d.Fail("invalid list")
		}
		if !d.SP() && d.peek() != ')' {
			return d.expect(false, "space or ) in a list")
		}
	}
	return true
}

// ExpectList1 is ExpectList for lists that may not be empty.
func (d *Decoder) ExpectList1(item func() bool) bool {
	n := 0
	ok := d.ExpectList(func() bool { n++; return item() })
	if ok && n == 0 {
		return d.Fail("empty list")
	}
	return ok
}

// digits takes a number up to max.
func (d *Decoder) digits(max uint64) (n uint64, ok bool) {
	i := d.pos
	for d.err == nil && i < len(d.buf) && isDigit(d.buf[i]) {
		c := uint64(d.buf[i] - '0')
		if n > (max-c)/10 {
			return 0, false
		}
		n = n*10 + c
		i++
	}
	if d.err != nil || i == d.pos {
		return 0, false
	}
	d.pos = i
	return n, true
}

// ExpectNumber takes a number (32 bits).
func (d *Decoder) ExpectNumber(n *uint32) bool {
	v, ok := d.digits(math.MaxUint32)
	*n = uint32(v)
	return d.expect(ok, "a number")
}

// ExpectNzNumber takes an nz-number (32 bits, not zero).
func (d *Decoder) ExpectNzNumber(n *uint32) bool {
	return d.ExpectNumber(n) && d.expect(*n != 0, "a number above 0")
}

// ExpectNumber64 takes a number64 (63 bits).
func (d *Decoder) ExpectNumber64(n *int64) bool {
	v, ok := d.digits(math.MaxInt64)
	*n = int64(v)
	return d.expect(ok, "a number")
}

// ExpectModSeq takes a mod-sequence-valzer (63 bits, RFC 7162 §7).
func (d *Decoder) ExpectModSeq(n *uint64) bool {
	v, ok := d.digits(math.MaxInt64)
	*n = v
	return d.expect(ok, "a mod-sequence")
}
