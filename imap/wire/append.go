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
//	append-data    = literal / literal8 / "UTF8" SP "(" literal8 ")"   ; RFC 3516, RFC 9755 §4
func ParseAppendMessage(d *Decoder) (*AppendMessage, error) {
	if d.inUTF8 {
		d.inUTF8 = false
		if !d.ExpectSpecial(')') {
			return nil, d.Err()
		}
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
	if d.Keyword("UTF8") {
		m.UTF8, d.inUTF8 = true, true
		if !d.ExpectSP() || !d.ExpectSpecial('(') {
			return nil, d.Err()
		}
	}
	var ok bool
	m.Literal, ok = d.announced()
	ok = ok && d.pos == len(d.buf) && (m.Literal.Binary || !m.UTF8)
	if !d.expect(ok, "a message literal") {
		return nil, d.Err()
	}
	return &m, nil
}
