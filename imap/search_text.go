package imap

import (
	"roost/index"
	"roost/maildir/message"
)

// textQuery is what matchText asks of one message; kept for its memory.
type textQuery struct {
	leaves  []int
	queued  []bool // by leaf
	needles []index.Needle
	headers []bool
	found   []bool
}

// matchText decides the plan by reading the message: the texts that the levels before left open are looked for in one pass, which ends as soon
// as those found decide the tree.
func (p *probe) matchText() tri {
	q := &p.texts
	q.leaves, q.needles, q.headers = q.leaves[:0], q.needles[:0], q.headers[:0]
	q.queued = append(q.queued[:0], make([]bool, len(p.pl.leaves))...)
	if t := p.openTexts(p.pl.root); t != unknown {
		return t
	}
	for _, leaf := range q.leaves {
		q.needles = append(q.needles, p.pl.leaves[leaf].text.needle)
		q.headers = append(q.headers, p.pl.leaves[leaf].text.headers)
	}
	q.found = append(q.found[:0], make([]bool, len(q.leaves))...)

	m := p.facts()
	if m == nil || !p.ok(p.open()) {
		return unknown
	}
	tree := m.Message()
	if size := p.file.Size(); size != m.Size {
		// Another program rewrote the file: its structure is no longer what is cached.
		var err error
		if tree, err = message.Parse(p.file, size, message.DefaultLimits); !p.ok(err) {
			return unknown
		}
	}
	count, result := 0, unknown
	stop := func() bool {
		n := 0
		for i, found := range q.found {
			if found {
				p.known[q.leaves[i]] = yes
				n++
			}
		}
		if n > count {
			count = n
			result = p.eval(p.pl.root)
		}
		return result != unknown || p.stop()
	}
	err := index.MatchMessage(p.file, tree, q.needles, q.headers, q.found, stop)
	if result == unknown && err == nil && p.documents != nil && !p.stop() {
		err = p.documents.Match(p.ctx, p.file, tree, q.needles, q.found, stop)
	}
	if result != unknown {
		return result
	}
	if !p.ok(err) || p.stop() {
		return unknown
	}
	for i, leaf := range q.leaves {
		p.known[leaf] = truth(q.found[i])
	}
	return p.eval(p.pl.root)
}

// openTexts collects the texts that the undecided node n depends on, each once, and returns what eval does: in one walk, as a client
// chooses how deep the tree is.
func (p *probe) openTexts(n *node) tri {
	q := &p.texts
	if n.op != opAnd && n.op != opOr {
		t := p.eval(n)
		if t == unknown && p.pl.leaves[n.leaf].text != nil && !q.queued[n.leaf] {
			q.queued[n.leaf] = true
			q.leaves = append(q.leaves, n.leaf)
		}
		return t
	}
	mark := len(q.leaves)
	decisive, all := not, yes
	if n.op == opOr {
		decisive, all = yes, not
	}
	for _, kid := range n.kids {
		switch p.openTexts(kid) {
		case decisive: // what was collected below does not matter
			for _, leaf := range q.leaves[mark:] {
				q.queued[leaf] = false
			}
			q.leaves = q.leaves[:mark]
			return decisive
		case unknown:
			all = unknown
		}
	}
	return all
}
