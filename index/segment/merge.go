package segment

import (
	"bytes"
	"path/filepath"
	"slices"
)

// Merge makes one segment of adjacent ones in dir, without the documents that keep does not want, and returns its path; empty when there are none
// left. stop is asked now and then; when it says true, the error is what it gave.
func Merge(dir string, ss Segments, keep func(doc uint32) bool, stop func() error) (path string, err error) {
	return path, Catch(func() error {
		path, err = merge(dir, ss, keep, stop)
		return err
	})
}

func merge(dir string, ss Segments, keep func(doc uint32) bool, stop func() error) (string, error) {
	kept := ss.NewSet()
	var docs []docEntry
	for _, s := range ss {
		for i := range s.Docs() {
			if d := s.doc(i); d.id != (ID{}) && keep(d.num) {
				kept.add(d.num)
				docs = append(docs, d)
			}
		}
	}
	if len(docs) == 0 {
		return "", nil
	}
	first, last := docs[0].num, docs[len(docs)-1].num
	path := filepath.Join(dir, Name(first, last))
	o, err := create(path)
	if err != nil {
		return "", err
	}
	o.c.first, o.c.last = first, last

	texts := textWriter{w: o, at: o.at}
	if err := copyTexts(ss, docs, &texts); err != nil {
		o.err = err
	}
	spills := newSpills(path)
	for f := range Fields {
		w := o.field(spills)
		readers := make([]*termReader, 0, len(ss))
		for _, s := range ss {
			fd := s.field(f)
			r := &termReader{seg: s, in: &s.c.fields[f], terms: fd.terms, posts: postings{fd.posts, fd.span}, base: fd.base}
			if r.next() {
				readers = append(readers, r)
			}
		}
		var with []uint32
		var mark []byte
		places := f == bodyPairs || f == headerPairs
		for len(readers) > 0 && o.err == nil {
			least := readers[0].term
			for _, r := range readers[1:] {
				if bytes.Compare(r.term, least) < 0 {
					least = r.term
				}
			}
			with = with[:0]
			for _, r := range readers { // in the order of their documents
				if bytes.Equal(r.term, least) {
					for _, d := range r.docs {
						if kept.Has(d) {
							with = append(with, d-first)
						}
					}
				}
			}
			if len(with) > 0 {
				w.add(least, with)
			}
			readers = slices.DeleteFunc(readers, func(r *termReader) bool { return bytes.Equal(r.term, least) && !r.next() })
			if places && turnsNode(least, len(with), len(docs)) && !slices.ContainsFunc(readers, func(r *termReader) bool { return below(r.term, least) }) {
				mark = child(mark, least, depthOf(least), markOctet)
				w.add(mark, with[len(with)-1:])
			}
			if w.n%4096 == 0 && o.err == nil {
				o.err = stop()
			}
			if w.n%unneededEvery == 0 {
				for _, r := range readers {
					r.passed()
				}
			}
		}
		w.finish(f)
		for _, s := range ss {
			c := &s.c.fields[f]
			s.unneeded(c.terms)
			s.unneeded(c.posts)
			s.unneeded(c.filters)
		}
	}
	o.c.docs = o.section(func() {
		for _, d := range docs {
			o.Write(d.append(nil))
		}
	})
	o.c.blocks = o.section(func() { o.Write(texts.blocks) })
	return path, o.finish(path)
}

// unneededEvery is after how many terms what was read is given back to the system: some megabytes, which all count as memory of the process.
const unneededEvery = 1 << 16

// termReader walks the terms of a field in order.
type termReader struct {
	seg   *Segment
	in    *fieldSections
	terms []byte // from the NUL before the next term on
	posts postings
	term  []byte
	docs  []uint32
	base  uint32
}

// next goes to the next term; false at the end.
func (r *termReader) next() bool {
	if len(r.terms) < 2 {
		return false
	}
	r.terms = r.terms[1:]
	n := bytes.IndexByte(r.terms, 0)
	if n < 0 {
		return false
	}
	r.term, r.terms = r.terms[:n], r.terms[n:]
	r.docs = r.docs[:0]
	r.posts.each(func(d uint32) { r.docs = append(r.docs, r.base+d) })
	return true
}

// passed tells the system that what was read is not needed in memory any more.
func (r *termReader) passed() {
	r.seg.unneeded(section{r.in.terms.off, r.in.terms.size - uint64(len(r.terms))})
	r.seg.unneeded(section{r.in.posts.off, r.in.posts.size - uint64(len(r.posts.b))})
}

// turnsNode tells whether a term of where words meet, which so many of some documents have, is to be a node for those that come: it is frequent,
// and was written by builders that had too few documents to know.
func turnsNode(term []byte, with, docs int) bool {
	return docs >= learnDocs && with*nodeShare > docs && depthOf(term) < pathOctets && term[len(term)-1] > ' '
}

// copyTexts copies the texts of docs and says in docs where they are now. Full blocks stay as they are; small ones, and those of which
// most is not wanted any more, are packed anew.
func copyTexts(ss Segments, docs []docEntry, t *textWriter) error {
	var r TextReader
	read := 0 // octets since the last time
	for i := 0; i < len(docs); {
		s, block := ss.Lookup(docs[i].num), docs[i].block
		n, octets := 0, 0 // documents of the same block
		for ; i+n < len(docs) && docs[i+n].block == block && docs[i+n].num <= s.c.last; n++ {
			octets += int(docs[i+n].size)
		}
		group := docs[i : i+n]
		i += n
		if octets == 0 {
			continue // no texts are kept
		}
		packed, size, err := s.packed(int(block))
		if err != nil {
			return err
		}
		if read += len(packed); read > 8<<20 {
			s.unneeded(section{0, s.c.fields[0].terms.off}) // the texts
			read = 0
		}
		if octets > size/2 && size >= blockFill/2 {
			t.flush()
			number := uint32(len(t.blocks) / blockSize)
			t.raw(packed, size)
			for j := range group {
				group[j].block = number
			}
			continue
		}
		for j := range group {
			d := &group[j]
			text, err := s.read(*d, &r)
			if err != nil {
				return err
			}
			if text != nil {
				d.block, d.off = t.add(text)
			}
		}
	}
	t.flush()
	return nil
}

// mergeFactor is how much larger a segment has to be than all behind it together to be left alone.
const mergeFactor = 3

// mergeMost is how many octets a merged segment has at most, about: of some 200,000 messages. A few of these are searched as fast as one, and merging them would
// take as much room again.
const mergeMost = 1 << 30

// Due returns from where on segments should be merged into one; len(ss) when nothing is to be done. So there are few segments, and a document is
// written anew only as often as the index grows to a multiple.
func Due(ss Segments) int {
	lo := len(ss) - 1
	tail := int64(0)
	for i := len(ss) - 1; i >= 0; i-- {
		size := ss[i].Size()
		if tail > 0 && size < mergeFactor*tail && size+tail <= mergeMost {
			lo = i
		}
		tail += size
	}
	if lo >= len(ss)-1 {
		return len(ss)
	}
	return lo
}
