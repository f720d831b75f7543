package imap

import (
	"context"
	"errors"

	"roost/index"
	"roost/maildir"
	"roost/maildir/message"
)

// probe is the message being asked about: what has been found out so far, and how far the effort may go. One goroutine uses it, for one
// message after another.
type probe struct {
	pl    *plan
	box   *maildir.Mailbox
	metas *maildir.MetaReader
	ctx   context.Context // ends when the client is gone
	stop  func() bool     // it is

	documents *index.Documents // nil: attachments are no part of the body

	level level
	known []tri // by leaf
	recs  []maildir.Record

	rec       *maildir.Record
	meta      *message.Meta
	looked    bool // in the cache
	doc       uint32
	hasDoc    bool
	docLooked bool // doc and hasDoc are set
	stored    *index.Texts
	parsed    bool // meta, or the reason why it is nil, is final
	file      *maildir.MessageFile
	cacheFld  []field // fields of meta.Header
	cacheOK   bool
	fileFld   []field // all fields
	fileOK    bool
	texts     textQuery
	err       error // first failure to read a message, save that it is gone
}

// records returns the records of those uids (ascending) that exist, until the next call.
func (p *probe) records(uids []uint32) []maildir.Record {
	p.recs = p.box.Records(uids, p.recs[:0])
	return p.recs
}

// begin goes on to a message.
func (p *probe) begin(rec *maildir.Record) {
	p.close()
	p.rec, p.meta, p.looked, p.parsed, p.docLooked = rec, nil, false, false, false
	p.cacheOK, p.fileOK = false, false
}

// match decides the plan for one message.
func (p *probe) match(rec *maildir.Record) bool {
	p.begin(rec)
	clear(p.known)
	for _, p.level = range p.pl.levels {
		if p.level == levelText {
			return p.matchText() == yes
		}
		if t := p.eval(p.pl.root); t != unknown {
			return t == yes
		}
		if p.stop() {
			return false
		}
	}
	return p.eval(p.pl.root) == yes
}

// eval decides a node with what is known at this level.
func (p *probe) eval(n *node) tri {
	switch n.op {
	case opConst:
		return n.value
	case opLeaf:
		t := p.known[n.leaf]
		if t == unknown {
			if l := &p.pl.leaves[n.leaf]; l.from <= p.level {
				t = l.test(p)
				p.known[n.leaf] = t
			}
		}
		if n.not {
			return t.negate()
		}
		return t
	}
	decisive, all := not, yes
	if n.op == opOr {
		decisive, all = yes, not
	}
	for _, kid := range n.kids {
		switch p.eval(kid) {
		case decisive:
			return decisive
		case unknown:
			all = unknown
		}
	}
	return all
}

// fill makes sizes and dates of the record known. A failure leaves the question open, which is no match.
func (p *probe) fill() bool {
	if p.level < levelFill {
		return false
	}
	return p.ok(p.box.Fill(p.rec))
}

// ok tells success and keeps the first error; a message that is gone just does not match.
func (p *probe) ok(err error) bool {
	if err != nil && p.err == nil && !errors.Is(err, maildir.ErrGone) {
		p.err = err
	}
	return err == nil
}

// facts returns the parsed facts if they can be had at this level.
func (p *probe) facts() *message.Meta {
	if p.meta == nil && !p.looked {
		p.looked = true
		p.meta = p.metas.Cached(p.rec.UID)
	}
	if p.meta == nil && !p.parsed && p.level >= levelParse {
		p.parsed = true
		m, err := p.box.Meta(p.rec.UID)
		if p.ok(err) {
			p.meta = m
		}
	}
	return p.meta
}

// identified is facts with the identifiers.
func (p *probe) identified() *message.Meta {
	if p.level < levelParse {
		return nil
	}
	m, err := p.box.Identified(p.rec.UID)
	if !p.ok(err) {
		return nil
	}
	p.meta = m
	return m
}

// cached returns the cached header fields; facts must be there.
func (p *probe) cached() []field {
	if !p.cacheOK {
		p.cacheOK = true
		p.cacheFld = splitFields(p.cacheFld[:0], p.meta.Header)
	}
	return p.cacheFld
}

// fields returns fields among which are all of that name.
func (p *probe) fields(name string) ([]field, bool) {
	m := p.facts()
	switch {
	case m == nil:
		return nil, false
	case m.Cached(name):
		return p.cached(), true
	case p.level < levelParse:
		return nil, false
	case !p.fileOK:
		header, err := p.readHeader(m)
		if !p.ok(err) {
			return nil, false
		}
		p.fileOK = true
		p.fileFld = splitFields(p.fileFld[:0], header)
	}
	return p.fileFld, true
}

func (p *probe) readHeader(m *message.Meta) ([]byte, error) {
	if err := p.open(); err != nil {
		return nil, err
	}
	return message.Header(p.file, m.Message())
}

func (p *probe) open() (err error) {
	if p.file == nil {
		p.file, err = p.box.OpenMessage(p.rec.UID)
	}
	return err
}

func (p *probe) close() {
	if p.file != nil {
		p.file.Close()
		p.file = nil
	}
}
