package message

import "bytes"

// What stands in ENVELOPE for something a broken address lacks, as with Dovecot: NIL would say "group" there.
var (
	missingMailbox = []byte("MISSING_MAILBOX")
	missingDomain  = []byte("MISSING_DOMAIN")
	syntaxError    = []byte("SYNTAX_ERROR")
	invalidRoute   = []byte("INVALID_ROUTE")
)

// address is one entry of an address list; nil is absent. A group is an entry with only a mailbox (its name), its members, and an entry
// with nothing at all (RFC 9051 §7.5.2).
type address struct{ name, route, mailbox, host []byte }

// parseAddresses appends the addresses of a From, To, … field, whose line ends may be left in. At most most entries come of it. It ends at what
// cannot be read.
//
//	address-list = address *("," address)
//	address      = mailbox / group
func parseAddresses(dst []address, body []byte, most int) []address {
	p := addressParser{lexer: lexer{s: body, keep: true}, list: dst, most: most}
	if !p.space() || p.done() {
		return dst
	}
	for len(p.list) < most {
		if ok := p.group() || p.mailbox(); !ok || !p.at(',') {
			break
		}
		p.i++
		if !p.space() {
			p.add(address{})
			break
		}
		if p.done() {
			break
		}
	}
	return p.list
}

type addressParser struct {
	lexer
	list []address
	most int
}

// add keeps an address; what it lacks is filled in.
func (p *addressParser) add(a address) {
	if a.mailbox == nil {
		a.mailbox = missingMailbox
	}
	if a.host == nil {
		a.host = missingDomain
	}
	p.list = append(p.list, a)
}

// group reads a group; false, and nothing read, when there is none.
//
//	group = phrase ":" [mailbox *("," mailbox)] ";"
func (p *addressParser) group() bool {
	start := p.i
	name, ok := p.phrase(nil)
	if !ok || !p.at(':') {
		p.i = start
		return false
	}
	p.i++
	ok = p.space()
	p.list = append(p.list, address{mailbox: nonNil(name)})
	for ok && !p.done() && !p.at(';') && len(p.list) < p.most {
		if ok = p.mailbox() && p.at(','); !ok {
			break
		}
		p.i++
		ok = p.space()
	}
	if p.at(';') {
		p.i++
		p.space()
	}
	p.list = append(p.list, address{})
	return true
}

// mailbox reads one mailbox; false when it is broken, so that what follows cannot be trusted.
//
//	mailbox = [phrase] "<" [route ":"] local-part "@" domain ">" / local-part "@" domain
func (p *addressParser) mailbox() (ok bool) {
	start := p.i
	var a address
	if a.name, ok = p.phrase(nil); ok && p.at('<') {
		if len(a.name) == 0 {
			a.name = nil
		}
		if !p.angle(&a) {
			a.host = syntaxError
		}
		p.add(a)
		return true
	}
	p.i = start
	a.name = nil
	p.comment = p.comment[:0]
	ok = p.localPart(&a)
	if ok && p.at('@') {
		a.host, ok = p.domain(nil)
		if !ok && len(a.host) == 0 {
			a.host = nil
		}
	}
	if len(p.comment) > 0 {
		a.name = bytes.Clone(p.comment) // user@host (Name)
	}
	p.add(a)
	return ok
}

func (p *addressParser) angle(a *address) (ok bool) {
	p.i++
	if !p.space() {
		return false
	}
	if p.at('@') {
		if a.route, ok = p.routes(); !ok || !p.at(':') {
			a.route = invalidRoute
			return false
		}
		p.i++
		if !p.space() {
			return false
		}
	}
	if !p.localPart(a) {
		return false
	}
	if p.at('@') {
		if a.host, ok = p.domain(nil); !ok {
			return false
		}
	}
	if !p.at('>') {
		return false
	}
	p.i++
	return p.space()
}

// routes reads the source route of an obsolete address: @a,@b.
func (p *addressParser) routes() (dst []byte, ok bool) {
	for p.at('@') {
		if len(dst) > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '@')
		if dst, ok = p.domain(dst); !ok {
			return dst, false
		}
		for p.at(',') {
			p.i++
			if !p.space() {
				return dst, false
			}
		}
	}
	return dst, ok
}

func (p *addressParser) localPart(a *address) (ok bool) {
	var b []byte
	if p.at('"') {
		b, ok = p.quoted(nil)
	} else {
		b, ok = p.dotAtom(nil)
	}
	if ok {
		a.mailbox = nonNil(b)
	}
	return ok
}

func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
