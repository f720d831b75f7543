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
		if !p.group() {
			p.mailbox()
		}
		if !p.at(',') {
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
	if ok && !p.done() && !p.at(';') {
		for len(p.list) < p.most {
			p.mailbox()
			if !p.at(',') {
				break
			}
			p.i++
			if !p.space() || p.done() {
				break
			}
		}
	}
	if p.at(';') {
		p.i++
		p.space()
	}
	p.list = append(p.list, address{})
	return true
}

// mailbox reads one mailbox, however broken. Words alone are taken for a name, but one alone for a local part.
//
//	mailbox = [phrase] "<" [route ":"] local-part ["@" domain] ">" / local-part ["@" domain]
func (p *addressParser) mailbox() {
	start := p.i
	var a address
	name, ok := p.phrase(nil)
	if ok && p.at('<') {
		if len(name) > 0 {
			a.name = name
		}
		if !p.angle(&a) {
			a.host = syntaxError
		}
		p.add(a)
		return
	}
	p.i = start
	p.comment = p.comment[:0]
	quoted := p.at('"')
	p.localPart(&a)
	at := p.at('@')
	if at {
		if host, ok := p.domain(nil); ok {
			a.host = host
		}
	}
	switch {
	case len(p.comment) > 0:
		a.name = bytes.Clone(p.comment) // user@host (Name)
	case at:
	default:
		word := a.mailbox
		if more, _ := p.phrase(nil); len(more) > 0 {
			a.name, a.mailbox = append(append(bytes.Clone(word), ' '), more...), nil
		} else if quoted {
			a.name, a.mailbox = word, nil
		}
	}
	p.add(a)
}

func (p *addressParser) angle(a *address) (ok bool) {
	p.i++
	if !p.space() {
		return false
	}
	if p.at('@') {
		if a.route, ok = p.routes(); ok && p.at(':') {
			p.i++
			p.space()
		} else {
			a.route = invalidRoute
		}
	}
	if p.at('>') && a.route == nil {
		p.i++ // the null address
		return p.space()
	}
	if !p.localPart(a) {
		return false
	}
	if p.at('@') {
		if a.host, ok = p.domain(nil); !ok {
			return false // the caller replaces the domain
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
