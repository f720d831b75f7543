package message

import "bytes"

// Envelope is what sorting and threading look at of an ENVELOPE: values as they stand in the header, encoded words not decoded. A nil value
// is absent. They may be parts of the ENVELOPE they were read from.
type Envelope struct {
	Subject, InReplyTo, MessageID []byte
	From, To, Cc                  Address // the first of each
}

// Address is an entry of an address list in ENVELOPE (RFC 9051 §7.5.2); of a group the first entry has only a Mailbox, its name.
type Address struct{ Name, Mailbox, Host []byte }

// ReadEnvelope is the inverse of what Meta.Envelope is made by; false for anything else.
func ReadEnvelope(b []byte) (Envelope, bool) {
	var e Envelope
	r := envelopeReader{b: b}
	r.expect('(')
	for i := range envCount {
		if i > 0 {
			r.expect(' ')
		}
		switch i {
		case envSubject:
			e.Subject = r.nstring()
		case envInReplyTo:
			e.InReplyTo = r.nstring()
		case envMessageID:
			e.MessageID = r.nstring()
		case envDate:
			r.nstring()
		case envFrom:
			e.From = r.addresses()
		case envTo:
			e.To = r.addresses()
		case envCc:
			e.Cc = r.addresses()
		default:
			r.addresses()
		}
	}
	r.expect(')')
	return e, !r.bad && len(r.b) == 0
}

// envelopeReader takes values from the front of b.
type envelopeReader struct {
	b   []byte
	bad bool // b was no ENVELOPE; everything is nil from then on
}

func (r *envelopeReader) take(c byte) bool {
	if len(r.b) == 0 || r.b[0] != c {
		return false
	}
	r.b = r.b[1:]
	return true
}

func (r *envelopeReader) expect(c byte) {
	if !r.take(c) {
		r.fail()
	}
}

func (r *envelopeReader) fail() { r.b, r.bad = nil, true }

// absent takes NIL.
func (r *envelopeReader) absent() bool {
	rest, ok := bytes.CutPrefix(r.b, []byte("NIL"))
	r.b = rest
	return ok
}

// addresses takes an address list and returns its first entry.
func (r *envelopeReader) addresses() (first Address) {
	if r.absent() {
		return first
	}
	r.expect('(')
	for n := 0; r.take('('); n++ {
		var a Address
		a.Name = r.nstring()
		r.expect(' ')
		r.nstring() // the route
		r.expect(' ')
		a.Mailbox = r.nstring()
		r.expect(' ')
		a.Host = r.nstring()
		r.expect(')')
		if n == 0 {
			first = a
		}
	}
	r.expect(')')
	return first
}

// nstring takes NIL, a quoted string or a literal.
func (r *envelopeReader) nstring() []byte {
	if r.absent() {
		return nil
	}
	if r.take('{') {
		return r.literal()
	}
	r.expect('"')
	i := bytes.IndexAny(r.b, `"\`)
	if i < 0 {
		r.fail()
		return nil
	}
	if r.b[i] == '"' {
		s := r.b[:i]
		r.b = r.b[i+1:]
		return s
	}
	s := []byte{}
	for i := 0; i < len(r.b); i++ {
		switch c := r.b[i]; {
		case c == '"':
			r.b = r.b[i+1:]
			return s
		case c == '\\':
			i++
			if i == len(r.b) {
				continue
			}
			fallthrough
		default:
			s = append(s, r.b[i])
		}
	}
	r.fail()
	return nil
}

// literal takes what is behind the brace of a literal.
func (r *envelopeReader) literal() []byte {
	digits, rest, ok := bytes.Cut(r.b, []byte("}\r\n"))
	n, isNumber := number(string(digits), 1, 9)
	if !ok || !isNumber || n > len(rest) {
		r.fail()
		return nil
	}
	r.b = rest[n:]
	return rest[:n]
}

// DecodeText decodes text of a header field that ENVELOPE shows: encoded words (RFC 2047) and raw 8-bit as FieldValue does.
func DecodeText(b []byte) string { return string(appendText(nil, b)) }

// CollatedText is DecodeText for who puts texts in order (RFC 5255 §4.6): if an encoded word is in a charset that is not known, or is not what
// its charset allows, the text is the octets of all words as they are without their encoding, and ok is false.
func CollatedText(b []byte) (text string, ok bool) {
	if !bytes.Contains(b, wordStart) {
		return DecodeText(b), true
	}
	ok = true
	text = string(appendTextBy(nil, b, func(dst []byte, charset string, b []byte) []byte {
		ok = ok && convertible(charset, b)
		return appendUTF8(dst, charset, b)
	}))
	if !ok {
		text = string(appendTextBy(nil, b, func(dst []byte, _ string, b []byte) []byte { return append(dst, b...) }))
	}
	return text, ok
}
