package segment

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
)

// ID names a document by what is in it.
type ID [16]byte

// Builder gathers documents in memory until they are written as a segment. One goroutine uses it.
type Builder struct {
	dir    string
	first  uint32
	docs   []docEntry
	fields [Fields]fieldBuilder
	texts  *output // of blocks only: a file that is copied into the segment
	blocks textWriter
	size   int
	arena  arena
	known  [2]*[charTerms]uint32 // terms of bodyChars and headerChars: their number and 1

	// of the document being added
	text    []byte
	kept    bool
	heavy   bool
	chars   [2]chars // of bodyChars and headerChars
	started int      // size when it began
}

type docEntry struct {
	id         ID
	num        uint32
	block, off uint32
	size       uint32 // 0: no texts are kept
	opaque     bool
}

// fieldBuilder are the terms of a field and their documents, in one of two lists.
type fieldBuilder struct {
	termTable
	plain  list[occurrence]
	places list[meetingPlace] // in fields of where words meet
}

const (
	// termCost is about what a term takes in memory beside its octets.
	termCost = 80
	// postingSize is what a posting takes.
	postingSize = 8
	// maxDocCost is how much one document may add: past it its terms do not count, and its text is read for every search that comes to it.
	maxDocCost = 32 << 20
)

// NewBuilder makes a builder for a segment in dir whose documents are numbered from first on.
func NewBuilder(dir string, first uint32) *Builder {
	return &Builder{dir: dir, first: first}
}

// Docs is the number of documents, Size about the memory they take, in octets.
func (b *Builder) Docs() int { return len(b.docs) }
func (b *Builder) Size() int { return b.size }

// Begin begins a document and returns its number.
func (b *Builder) Begin(id ID) uint32 {
	b.text, b.kept, b.heavy, b.started = b.text[:0], true, false, b.size
	num := b.first + uint32(len(b.docs))
	b.docs = append(b.docs, docEntry{id: id, num: num})
	return num
}

// Add takes a piece of a text, folded; see Cut.
func (b *Builder) Add(f Field, piece []byte) {
	if b.heavy {
		return
	}
	if in, ok := charsOf(f, 1); ok {
		b.chars[in-bodyChars].add(piece)
	}
	meets := func([]byte, path) {}
	if pairs, ok := pairsOf(f); ok {
		meets = func(term []byte, way path) { b.addPlace(pairs, term, way) }
	}
	Terms(piece, func(term []byte) { b.addTerm(f, term) }, meets)
	if b.size-b.started > maxDocCost {
		b.heavy = true
	}
}

// addTerm notes that the document has a term, and returns its number.
func (b *Builder) addTerm(f Field, term []byte) uint32 {
	fb := &b.fields[f]
	n := fb.number(term, &b.arena)
	b.occurs(fb, n)
	return n
}

// occurs notes that the document has a term, unless that is known.
func (b *Builder) occurs(fb *fieldBuilder, n uint32) {
	g, doc := &fb.terms[n], uint32(len(b.docs))
	switch g.doc {
	case doc:
		return
	case 0:
		b.size += int(g.size) + termCost
	}
	g.doc = doc
	fb.plain.add(occurrence{n, doc - 1})
	b.size += postingSize
}

// addPlace notes that the document has a place where words meet, unless it has the same as the last one.
func (b *Builder) addPlace(f Field, term []byte, way path) {
	fb := &b.fields[f]
	n := fb.number(term, &b.arena)
	g, doc := &fb.terms[n], uint32(len(b.docs))
	if g.doc == doc && g.way == way {
		return
	}
	if g.doc == 0 {
		b.size += int(g.size) + termCost
	}
	g.doc, g.way = doc, way
	fb.places.add(meetingPlace{occurrence{n, doc - 1}, way})
	b.size += postingSize + pathOctets
}

// addChars notes what characters the document has.
func (b *Builder) addChars(i int) {
	in := bodyChars + Field(i)
	if b.known[i] == nil {
		b.known[i] = new([charTerms]uint32)
	}
	b.chars[i].each(in == bodyChars, func(number int, term []byte) {
		if known := &b.known[i][number]; *known == 0 {
			*known = b.addTerm(in, term) + 1
		} else {
			b.occurs(&b.fields[in], *known-1)
		}
	})
}

// Text takes a piece of a text of the body, to be kept.
func (b *Builder) Text(piece []byte) {
	if b.kept = b.kept && len(b.text)+len(piece) < maxText; b.kept {
		b.text = append(b.text, piece...)
	}
}

// EndText ends a text.
func (b *Builder) EndText() { b.Text([]byte{textEnd}) }

// Opaque says that the terms of the document are not all that is in it: it is looked at in every search.
func (b *Builder) Opaque() { b.heavy = true }

// End ends the document.
func (b *Builder) End() error {
	for i := range b.chars {
		b.addChars(i)
	}
	d := &b.docs[len(b.docs)-1]
	d.opaque = b.heavy
	if len(b.text) == 0 {
		b.EndText() // an empty text is one that is kept
	}
	if b.kept {
		if b.texts == nil {
			var err error
			if b.texts, err = create(filepath.Join(b.dir, fmt.Sprintf("%08x", b.first))); err != nil {
				return err
			}
			b.blocks = textWriter{w: b.texts, at: b.texts.at}
		}
		d.block, d.off = b.blocks.add(b.text)
		d.size = uint32(len(b.text))
	}
	if cap(b.text) > 1<<20 {
		b.text = nil
	}
	b.size += docSize
	return nil
}

// Abandon forgets the document that was begun; what terms it brought do no harm. Its number is not used again.
func (b *Builder) Abandon() {
	b.chars = [2]chars{}
	d := &b.docs[len(b.docs)-1]
	*d = docEntry{num: d.num}
}

// Write writes the segment and empties the builder. A segment of the same index tells what is frequent, if there are too few documents here to tell;
// nil when there is none.
func (b *Builder) Write(other *Segment) (path string, err error) {
	last := b.first + uint32(len(b.docs)) - 1
	path = filepath.Join(b.dir, Name(b.first, last))
	o, err := create(path)
	if err != nil {
		return "", err
	}
	o.c.first, o.c.last = b.first, last
	if b.texts != nil {
		b.blocks.flush()
		o.err = b.copyTexts(o)
	}
	spills := newSpills(path)
	for f := range b.fields {
		w := &fieldWriting{fieldWriter: o.field(spills), docs: len(b.docs)}
		if other != nil && len(b.docs) < learnDocs {
			known := other.field(Field(f))
			w.known = &known
		}
		if e := Catch(func() error { b.fields[f].write(w, Field(f), &b.arena); return nil }); o.err == nil {
			o.err = e
		}
	}
	o.c.docs = o.section(func() {
		for _, d := range b.docs {
			o.Write(d.append(nil))
		}
	})
	o.c.blocks = o.section(func() { o.Write(b.blocks.blocks) })
	err = o.finish(path)
	*b = *NewBuilder(b.dir, last+1)
	return path, err
}

// copyTexts copies the blocks that were written meanwhile. Both files begin with magic, so offsets are the same.
func (b *Builder) copyTexts(o *output) error {
	t := b.texts
	defer func() {
		t.f.Close()
		os.Remove(t.f.Name())
	}()
	if t.err == nil {
		t.err = t.w.Flush()
	}
	if t.err != nil {
		return t.err
	}
	buf := make([]byte, 256<<10)
	for at := uint64(len(magic)); at < t.at; {
		n, err := t.f.ReadAt(buf[:min(uint64(len(buf)), t.at-at)], int64(at))
		if n == 0 {
			return err
		}
		o.Write(buf[:n])
		at += uint64(n)
	}
	return nil
}

// Close gives up what was not written.
func (b *Builder) Close() {
	if b.texts != nil {
		b.texts.f.Close()
		os.Remove(b.texts.f.Name())
	}
}

func (d *docEntry) append(dst []byte) []byte {
	size := d.size
	if d.opaque {
		size |= opaque
	}
	dst = append(dst, d.id[:]...)
	for _, v := range [...]uint32{d.num, d.block, d.off, size} {
		dst = binary.LittleEndian.AppendUint32(dst, v)
	}
	return dst
}

// Name is the file name of a segment of these documents.
func Name(first, last uint32) string { return fmt.Sprintf("%08x-%08x%s", first, last, Suffix) }
