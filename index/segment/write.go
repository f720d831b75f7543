package segment

import (
	"bytes"
	"cmp"
	"slices"
)

// fieldWriting is how the terms of a field are written.
type fieldWriting struct {
	*fieldWriter
	docs  int    // how many there are
	known *field // of another segment, which tells what is frequent; nil: it is found out
	term  [pathOctets][]byte
	list  []uint32

	sorted []posting // what sortBy needs meanwhile
}

// posting is one of a place where words meet.
type posting struct {
	doc uint32
	way path
}

// write sorts the terms and writes them with their documents.
func (f *fieldBuilder) write(w *fieldWriting, field Field, a *arena) {
	order := make([]uint32, len(f.terms))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(i, j uint32) int {
		g, h := &f.terms[i], &f.terms[j]
		if c := cmp.Compare(g.key, h.key); c != 0 {
			return c
		}
		return bytes.Compare(a.get(g), a.get(h))
	})
	// Postings come by document; counted out by term they are lists.
	next := make([]uint32, len(f.terms)+1)
	for _, piece := range f.plain.pieces() {
		for _, p := range piece {
			next[p.term+1]++
		}
	}
	for _, piece := range f.places.pieces() {
		for _, p := range piece {
			next[p.term+1]++
		}
	}
	for i := range f.terms {
		next[i+1] += next[i]
	}
	docs := make([]uint32, f.plain.n)
	for _, piece := range f.plain.pieces() {
		for _, p := range piece {
			docs[next[p.term]] = p.doc
			next[p.term]++
		}
	}
	places := make([]posting, f.places.n)
	for _, piece := range f.places.pieces() {
		for _, p := range piece {
			places[next[p.term]] = posting{p.doc, p.way}
			next[p.term]++
		}
	}
	for _, n := range order {
		start := uint32(0) // next[n] is the end now
		if n > 0 {
			start = next[n-1]
		}
		if term := a.get(&f.terms[n]); f.places.n > 0 {
			w.place(term, places[start:next[n]], 0)
		} else {
			w.add(term, docs[start:next[n]])
		}
	}
	w.finish(field)
}

// place writes a term of where words meet, or, when it is a node, those below it.
func (w *fieldWriting) place(term []byte, list []posting, depth int) {
	docs := 1
	for i := range list[1:] {
		if list[i].doc != list[i+1].doc {
			docs++
		}
	}
	if depth == pathOctets || !w.node(term, docs) {
		w.leaf(term, list)
		return
	}
	w.sortBy(list, depth)
	for len(list) > 0 {
		c := list[0].way[depth]
		n := 1
		for n < len(list) && list[n].way[depth] == c {
			n++
		}
		if c == anyOctet { // no word is there
			w.leaf(term, list[:n])
		} else {
			w.term[depth] = child(w.term[depth], term, depth, c)
			w.place(w.term[depth], list[:n], depth+1)
		}
		list = list[n:]
	}
}

// fewPostings are sorted faster by comparing them.
const fewPostings = 32

// sortBy sorts postings by an octet of their paths, and keeps the order of those that have the same.
func (w *fieldWriting) sortBy(list []posting, depth int) {
	if len(list) < fewPostings {
		slices.SortStableFunc(list, func(a, b posting) int { return cmp.Compare(a.way[depth], b.way[depth]) })
		return
	}
	var next [256]int
	for i := range list {
		next[list[i].way[depth]]++
	}
	start := 0
	for c, n := range next {
		next[c] = start
		start += n
	}
	w.sorted = slices.Grow(w.sorted[:0], len(list))[:len(list)]
	for _, p := range list {
		at := &next[p.way[depth]]
		w.sorted[*at] = p
		*at++
	}
	copy(list, w.sorted)
}

// leaf writes a term.
func (w *fieldWriting) leaf(term []byte, list []posting) {
	w.list = w.list[:0]
	for _, p := range list {
		if n := len(w.list); n == 0 || w.list[n-1] != p.doc {
			w.list = append(w.list, p.doc)
		}
	}
	w.add(term, w.list)
}

// node tells whether a term that so many documents have is a node.
func (w *fieldWriting) node(term []byte, docs int) bool {
	if w.docs >= learnDocs {
		return docs*nodeShare > w.docs
	}
	return w.known != nil && w.known.isNode(term)
}
