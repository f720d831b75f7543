package wire

import "io"

// ParseAppendMailbox parses the mailbox name of APPEND and stops before the first message.
//
//	append = "APPEND" SP mailbox 1*append-message
func ParseAppendMailbox(d *Decoder) (name string, err error) {
	if !d.ExpectSP() || !d.ExpectMailbox(&name) {
		return "", d.Err()
	}
	return name, nil
}

// ParseReplace parses what precedes the message of REPLACE or UID REPLACE, which ParseAppendMessage goes on with. The set has one number.
//
//	replace = "REPLACE" SP seq-number SP mailbox append-message   ; RFC 8508 §5
func ParseReplace(d *Decoder) (old Set, name string, err error) {
	if !d.ExpectSP() || !d.ExpectSet(&old) {
		return Set{}, "", d.Err()
	}
	if len(old.Ranges) != 1 || old.Ranges[0].First != old.Ranges[0].Last {
		d.Fail("expected one message")
		return Set{}, "", d.Err()
	}
	name, err = ParseAppendMailbox(d)
	return old, name, err
}

// ParseAppendMessage parses what precedes a message literal, which is the next thing in the stream; see Reader.Literal. It returns io.EOF
// at the end of the command. A literal of no octets is the client's way to cancel (RFC 3502 §6.3.11).
//
//	append-message = [SP flag-list] [SP date-time] SP append-data
//	append-data    = literal / literal8 / utf8-literal / "CATENATE" SP "(" cat-part *(SP cat-part) ")"   ; RFC 3516, RFC 4469
//	utf8-literal   = "UTF8" SP "(" literal8 ")"                                                          ; RFC 6855 §4; RFC 9755 has it no more, old programs do
func ParseAppendMessage(d *Decoder) (*AppendMessage, error) {
	if !d.closeUTF8() {
		return nil, d.Err()
	}
	if d.messages > 0 && d.End() {
		return nil, io.EOF
	}
	d.messages++
	var m AppendMessage
	if !d.ExpectSP() {
		return nil, d.Err()
	}
	if d.peek() == '(' && (!d.ExpectFlagList(&m.Flags) || !d.ExpectSP()) {
		return nil, d.Err()
	}
	if d.peek() == '"' {
		m.HasDate = true
		if !d.ExpectDateTime(&m.Date) || !d.ExpectSP() {
			return nil, d.Err()
		}
	}
	if d.Keyword("CATENATE") {
		m.Catenate, d.catParts = true, 0
		if !d.ExpectSP() || !d.ExpectSpecial('(') {
			return nil, d.Err()
		}
		return &m, nil
	}
	if !d.openUTF8(&m.UTF8) || !d.expectLast(&m.Literal, m.UTF8) {
		return nil, d.Err()
	}
	return &m, nil
}

// openUTF8 takes the beginning of an utf8-literal, if there is one.
func (d *Decoder) openUTF8(is *bool) bool {
	if !d.Keyword("UTF8") {
		return d.err == nil
	}
	*is, d.inUTF8 = true, true
	return d.ExpectSP() && d.ExpectSpecial('(')
}

// closeUTF8 takes the end of the last literal, if that was an utf8-literal.
func (d *Decoder) closeUTF8() bool {
	if !d.inUTF8 {
		return d.err == nil
	}
	d.inUTF8 = false
	return d.ExpectSpecial(')')
}

// expectLast takes the announcement of a literal that is next in the stream.
func (d *Decoder) expectLast(lit *Literal, binary bool) (ok bool) {
	*lit, ok = d.announced()
	return d.expect(ok && d.pos == len(d.buf) && (lit.Binary || !binary), "a literal")
}

// ParseCatPart parses the next part of a message that is catenated; io.EOF: there are no more. A literal of it is the next thing in the stream,
// as in ParseAppendMessage.
//
//	cat-part = "TEXT" SP literal / "URL" SP astring / utf8-literal   ; RFC 4469 §5, RFC 6855 §4
func ParseCatPart(d *Decoder) (*CatPart, error) {
	if !d.closeUTF8() {
		return nil, d.Err()
	}
	if d.catParts > 0 {
		if d.Special(')') {
			return nil, io.EOF
		}
		if !d.ExpectSP() {
			return nil, d.Err()
		}
	}
	d.catParts++
	var p CatPart
	if !d.openUTF8(&p.UTF8) {
		return nil, d.Err()
	}
	switch {
	case p.UTF8:
		p.Literal = new(Literal)
		d.expectLast(p.Literal, true)
	case d.Keyword("TEXT"):
		p.Literal = new(Literal)
		_ = d.ExpectSP() && d.expectLast(p.Literal, false)
	case d.Keyword("URL"):
		p.IsURL = true
		if d.ExpectSP() && d.peek() == '{' {
			p.Literal = new(Literal)
			d.expectLast(p.Literal, false)
		} else {
			d.ExpectAString(&p.URL)
		}
	default:
		d.Fail("expected TEXT or URL")
	}
	if d.err != nil {
		return nil, d.err
	}
	return &p, nil
}
