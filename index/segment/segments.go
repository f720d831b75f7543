package segment

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
)

// Segments are what a search looks at: segments without common documents, ascending.
type Segments []*Segment

// Hits is what a search found. Documents that are not in Maybe do not contain the needle. Those that are contain it if Sure, and they are not in Doubt.
type Hits struct {
	Maybe *Bitset
	Doubt *Bitset // documents of which nothing is known; nil: none
	Sure  bool
}

// Largest is the segment with the most documents; nil when there is none.
func (ss Segments) Largest() (most *Segment) {
	for _, s := range ss {
		if most == nil || s.Docs() > most.Docs() {
			most = s
		}
	}
	return most
}

// scanTask is how many jumps one goroutine scans before it takes the next: about a megabyte of terms. A multiple of filterJumps.
const scanTask = 1 << 10

// fewEnough is how many documents are not worth ruling out some of.
const fewEnough = 300

// Find looks for a needle that lies in a text of one of the fields. It uses all processors. The error is that of ctx, or a fault of the file.
func (ss Segments) Find(ctx context.Context, q *Query, fields ...Field) (Hits, error) {
	if len(ss) == 0 {
		return Hits{Maybe: &Bitset{}, Sure: true}, nil
	}
	h := Hits{Sure: q.sure}
	if !h.Sure {
		h.Sure = !slices.ContainsFunc(fields, func(f Field) bool {
			_, pairs := pairsOf(f)
			_, chars := charsOf(f, len(q.chars))
			return !(q.pairs && pairs || q.chars != nil && chars)
		})
	}
	var sure *Bitset // documents, where only some are
	for _, f := range fields {
		var set, in *Bitset
		var err error
		if q.joined != nil {
			if in, set, err = ss.inTerm(ctx, q, f); err == nil {
				set.Or(in)
			}
		} else if set, err = ss.inField(ctx, q, f); err == nil && q.certain != nil && (q.certain.left || set.Len() >= fewEnough) {
			if meets, known := pairsOf(f); known {
				if in, err = ss.withTerm(ctx, *q.certain, meets); err == nil && in.empty() {
					in = nil // as when nothing can be certain
				}
			}
		}
		if err != nil {
			return h, err
		}
		if sure == nil {
			sure = in
		} else if in != nil {
			sure.Or(in)
		}
		if h.Maybe == nil {
			h.Maybe = set
		} else {
			h.Maybe.Or(set)
		}
	}
	if sure != nil {
		h.Sure, h.Doubt = true, h.Maybe.without(sure)
	}
	for _, s := range ss {
		for _, doc := range s.opaque {
			if h.Doubt == nil {
				h.Doubt = ss.NewSet()
			}
			h.Doubt.add(doc)
		}
	}
	if h.Doubt != nil {
		h.Maybe.Or(h.Doubt)
	}
	return h, nil
}

// NewSet returns an empty set for documents of the segments, of which there is at least one.
func (ss Segments) NewSet() *Bitset { return newBitset(ss[0].c.first, ss[len(ss)-1].c.last) }

// inField returns the documents that may contain the needle in this field.
func (ss Segments) inField(ctx context.Context, q *Query, f Field) (*Bitset, error) {
	var all *Bitset
	if in, ok := charsOf(f, len(q.chars)); ok && q.chars != nil {
		return ss.withTerm(ctx, piece{text: q.chars, left: true, right: true}, in)
	}
	meets, known := pairsOf(f)
	for _, p := range q.pieces {
		in := f
		if p.pair {
			in = meets
		}
		switch {
		case p.pair && !known:
			continue
		case !p.pair && known && q.pairs:
			continue // the pair says it all
		case all != nil && !p.left && all.Len() < fewEnough:
			continue // looking at them is quicker than through the dictionary
		}
		set, err := ss.withTerm(ctx, p, in)
		if err != nil {
			return nil, err
		}
		if all == nil {
			all = set
		} else {
			all.and(set)
		}
		if all.empty() {
			return all, nil
		}
	}
	if all == nil { // nothing in the needle is a term
		all = ss.NewSet()
		for _, s := range ss {
			s.Each(func(num uint32, _ ID) { all.add(num) })
		}
	}
	return all, nil
}

// withTerm returns the documents with a term as p says.
func (ss Segments) withTerm(ctx context.Context, p piece, f Field) (*Bitset, error) {
	type task struct {
		field  field
		lo, hi int
	}
	var tasks []task
	for _, s := range ss {
		fd := s.field(f)
		n := fd.count()
		step := scanTask
		if p.left {
			step = max(n, 1)
		}
		for lo := 0; lo < n; lo += step {
			tasks = append(tasks, task{fd, lo, min(lo+step, n)})
		}
	}
	patterns := [][]byte{p.text}
	if p.right && !p.left {
		patterns[0] = append(bytes.Clone(p.text), 0)
		if p.pair { // and nodes
			patterns = append(patterns, append(bytes.Clone(p.text), pathOctet))
		}
	}
	into := ss.NewSet()
	if len(tasks) == 0 {
		return into, nil
	}
	var (
		next atomic.Int64
		mu   sync.Mutex // protects into and err
		err  error
		wg   sync.WaitGroup
	)
	work := func() {
		own := ss.NewSet()
		e := Catch(func() error {
			for i := next.Add(1) - 1; int(i) < len(tasks); i = next.Add(1) - 1 {
				if err := ctx.Err(); err != nil {
					return err
				}
				switch t := &tasks[i]; {
				case p.left && p.pair && p.right:
					t.field.follow(p.text, p.path, p.deep, own)
				case p.left:
					t.field.seek(p.text, p.right, own)
				default:
					for _, pattern := range patterns {
						t.field.filtered(pattern, t.lo, t.hi, own)
					}
				}
			}
			return nil
		})
		mu.Lock()
		defer mu.Unlock()
		if into.Or(own); err == nil {
			err = e
		}
	}
	workers := min(runtime.GOMAXPROCS(0), len(tasks))
	if p.left {
		workers = 1
	}
	for range workers - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
	return into, err
}

// Lookup returns the segment of a document; nil when it is in none.
func (ss Segments) Lookup(doc uint32) *Segment {
	i, found := slices.BinarySearchFunc(ss, doc, func(s *Segment, doc uint32) int {
		switch {
		case s.c.last < doc:
			return -1
		case s.c.first > doc:
			return 1
		}
		return 0
	})
	if !found {
		return nil
	}
	return ss[i]
}

// TextReader reads texts of documents, those of one block without unpacking it again. For one goroutine.
type TextReader struct {
	seg   *Segment
	block uint32
	text  []byte
}

// Contains tells whether a text of the document's body contains the needle; known is false when these are not kept.
func (r *TextReader) Contains(ss Segments, doc uint32, needle []byte) (found, known bool, err error) {
	s := ss.Lookup(doc)
	if s == nil {
		return false, false, nil
	}
	err = Catch(func() error {
		d, ok := s.lookup(doc)
		if !ok {
			return nil
		}
		text, err := s.read(d, r)
		if err != nil || text == nil {
			return err
		}
		known = true
		found = bytes.Contains(text, needle)
		return nil
	})
	return found, known && err == nil, err
}

// Catch calls fn and turns a fault of the memory it reads, which is how a mapped file tells that it was cut short or cannot be read, into an error.
func Catch(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			if fault, ok := r.(interface{ Addr() uintptr }); ok {
				err = fmt.Errorf("%w: fault at %#x", ErrDamaged, fault.Addr())
				return
			}
			panic(r)
		}
	}()
	return fn()
}
