package imap

import (
	"errors"
	"slices"

	"roost/index"
	"roost/index/segment"
)

// The full-text index answers before messages are read: it narrows the candidates, decides leaves of the tree, and has texts at hand that are looked
// into where it only has a guess. Messages that it does not know go through the other levels, so the answer is the same without it.

// indexWorth is from how many candidates on the index is asked: reading a few messages is quicker. A variable for tests.
var indexWorth = 256

// ask is what a leaf asks the index.
type ask struct {
	where  index.Where
	needle index.Needle
}

// whereFields are the header fields of which the index knows more than that they are header fields.
var whereFields = map[string]index.Where{
	"subject": index.InSubject, "from": index.InFrom, "to": index.InTo, "cc": index.InCc, "bcc": index.InBcc,
}

// indexed is what the index says to one search.
type indexed struct {
	r     *index.Reader
	hits  []*index.Hits  // by leaf, nil where it was not asked
	ranks []*index.Ranks // likewise, of leaves that are ranked
}

// useIndex asks the index and returns those candidates that it cannot rule out, and those that it is sure of. closeIndex ends its use.
func (s *session) useIndex(pl *plan, cands []uint32) (open, sure []uint32, err error) {
	var asking []int
	for i := range pl.leaves {
		if pl.leaves[i].ask != nil || pl.leaves[i].rank != nil {
			asking = append(asking, i)
		}
	}
	if len(asking) == 0 || len(cands) < indexWorth && !pl.ranked {
		return cands, nil, nil
	}
	r := s.fullText.Reader(s.view.box)
	if r == nil {
		return cands, nil, nil
	}
	x := &indexed{r: r, hits: make([]*index.Hits, len(pl.leaves)), ranks: make([]*index.Ranks, len(pl.leaves))}
	upTo := s.progress.upTo
	s.progress.upTo /= 2 // the messages that it cannot decide are the other half
	err = s.inspect(pl, len(asking), true, func(p *probe, i int) bool {
		if a := pl.leaves[asking[i]].rank; a != nil {
			x.ranks[asking[i]], p.err = r.Rank(p.ctx, a.where, a.needle)
			return p.err == nil
		}
		a := pl.leaves[asking[i]].ask
		hits, err := r.Find(p.ctx, a.where, a.needle)
		if err != nil {
			p.err = err
			return false
		}
		x.hits[asking[i]] = hits
		return true
	})
	s.progress.upTo = upTo
	if err != nil {
		r.Close()
		if errors.Is(err, segment.ErrDamaged) {
			s.fullText.Drop(err)
			err = nil
		}
		return cands, nil, err
	}
	r.Docs(cands, func(uid, doc uint32, ok bool) {
		t := unknown
		if ok {
			t = x.decide(pl.root, doc)
		}
		switch t {
		case yes:
			sure = append(sure, uid)
		case unknown:
			open = append(open, uid)
		}
	})
	sure = present(sure, s.view.box.UIDs())
	if len(open) == 0 && !pl.scored {
		r.Close()
		return nil, sure, nil
	}
	pl.index = x
	for _, i := range asking {
		l := &pl.leaves[i]
		before := l.from
		test := l.test
		l.from = levelIndex
		l.test = func(p *probe) tri {
			if t := p.askIndex(i); t != unknown || p.level < before {
				return t
			}
			return test(p)
		}
	}
	pl.setLevels()
	return open, sure, nil
}

// closeIndex gives back what useIndex took; the plan is not used again.
func (pl *plan) closeIndex() {
	if pl.index != nil {
		pl.index.r.Close()
		pl.index = nil
	}
}

// decide decides a node by what the index knows of a document.
func (x *indexed) decide(n *node, doc uint32) tri {
	switch n.op {
	case opConst:
		return n.value
	case opLeaf:
		t := x.leaf(n.leaf, doc)
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
		switch x.decide(kid, doc) {
		case decisive:
			return decisive
		case unknown:
			all = unknown
		}
	}
	return all
}

func (x *indexed) leaf(i int, doc uint32) tri {
	if x.ranks[i] != nil {
		_, ok := x.ranks[i].Of(doc)
		return truth(ok)
	}
	if x.hits[i] == nil {
		return unknown
	}
	switch x.hits[i].Of(doc) {
	case index.Yes:
		return yes
	case index.No:
		return not
	}
	return unknown
}

// askIndex decides a leaf by the index, and from levelStored on by the text that is kept there.
func (p *probe) askIndex(leaf int) tri {
	x := p.pl.index
	if !p.docLooked {
		p.docLooked = true
		p.doc, p.hasDoc = x.r.Doc(p.rec.UID)
	}
	if !p.hasDoc {
		return unknown
	}
	a := p.pl.leaves[leaf].ask
	t := x.leaf(leaf, p.doc)
	if t == unknown && p.level >= levelStored && (a.where == index.InBody || a.where == index.InText) {
		if p.stored == nil {
			p.stored = x.r.Texts()
		}
		switch p.stored.Contains(p.doc, x.hits[leaf], a.needle) {
		case index.Yes:
			t = yes
		case index.No:
			t = not
		}
	}
	return t
}

// present returns those of uids that are in the mailbox, both ascending: what was expunged and not reported yet does not match.
func present(uids, box []uint32) []uint32 {
	out := uids[:0]
	for _, uid := range uids {
		if len(box) > 0 && box[0] != uid {
			i, _ := slices.BinarySearch(box, uid)
			box = box[i:]
		}
		if len(box) > 0 && box[0] == uid {
			out, box = append(out, uid), box[1:]
		}
	}
	return out
}

// mergeUIDs joins two ascending lists without common UIDs.
func mergeUIDs(a, b []uint32) []uint32 {
	if len(a) == 0 || len(b) == 0 {
		return append(a, b...)
	}
	out := append(slices.Clone(a), b...)
	slices.Sort(out)
	return out
}
