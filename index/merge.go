package index

import (
	"context"
	"path/filepath"
	"slices"

	"roost/index/segment"
)

// merge joins segments where there are too many.
func (x *Index) merge(ctx context.Context, clear int) error {
	for {
		segs := x.segments()
		lo := segment.Due(segs)
		var err error
		if lo < len(segs) {
			err = x.rewrite(ctx, clear, segs, lo, len(segs), x.wanted())
		}
		release(segs)
		if err != nil || lo == len(segs) {
			return err
		}
	}
}

// purge writes the segments anew of which most is not wanted any more, once that is most of all. All mailboxes have to be known.
func (x *Index) purge(ctx context.Context, clear int) error {
	segs := x.segments()
	defer func() { release(segs) }()
	docs, entries := 0, 0
	for _, s := range segs {
		docs += s.Docs()
	}
	x.mu.RLock()
	for _, b := range x.boxes {
		entries += len(b.entries)
	}
	x.mu.RUnlock()
	if docs < purgeWorth || entries > docs/2 {
		return nil
	}
	wanted := x.wanted()
	for i := 0; i < len(segs); i++ {
		n := 0
		segs[i].Each(func(doc uint32, _ segment.ID) {
			if wanted(doc) {
				n++
			}
		})
		if n > segs[i].Docs()/2 {
			continue
		}
		if err := x.rewrite(ctx, clear, segs, i, i+1, wanted); err != nil {
			return err
		}
		release(segs)
		if segs = x.segments(); n == 0 {
			i-- // it is gone
		}
	}
	return nil
}

// purgeWorth is how many documents are worth to look whether they are wanted.
const purgeWorth = 100

// rewrite makes one segment of those from lo to hi, which are the index's, with what of them is wanted.
func (x *Index) rewrite(ctx context.Context, clear int, segs segment.Segments, lo, hi int, wanted func(doc uint32) bool) error {
	path, err := segment.Merge(x.dir, segs[lo:hi], wanted, ctx.Err)
	if err != nil {
		return err
	}
	var merged segment.Segments
	if path != "" {
		s, err := segment.Open(path)
		if err != nil {
			return err
		}
		merged = segment.Segments{s}
	}
	x.mu.Lock()
	if x.clear != clear {
		x.mu.Unlock()
		for _, s := range merged {
			s.Remove()
			s.Release()
		}
		return errCleared
	}
	old := x.segs[lo:hi]
	x.segs = slices.Concat(x.segs[:lo], merged, x.segs[hi:])
	x.mu.Unlock()
	for _, s := range old {
		if s.Path() != path {
			s.Remove()
		}
		s.Release()
	}
	return nil
}

// release releases segments that were retained.
func release(segs segment.Segments) {
	for _, s := range segs {
		s.Release()
	}
}

// wanted tells which documents are messages of some mailbox. Everything is wanted as long as not all mailboxes are known.
func (x *Index) wanted() func(doc uint32) bool {
	files, err := filepath.Glob(filepath.Join(x.dir, "*"+boxSuffix))
	if err != nil {
		return func(uint32) bool { return true }
	}
	for _, path := range files {
		x.box(filepath.Base(path))
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	var docs []uint32
	for _, b := range x.boxes {
		for _, e := range b.entries {
			docs = append(docs, e.doc)
		}
	}
	slices.Sort(docs)
	return func(doc uint32) bool {
		_, ok := slices.BinarySearch(docs, doc)
		return ok
	}
}
