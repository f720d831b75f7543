package index

import (
	"slices"

	"roost/index/segment"
)

// publish adds a segment and entries.
func (x *Index) publish(fresh *segment.Segment, added map[string][]entry, clear int) error {
	for name := range added {
		x.box(name) // loaded
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.clear != clear {
		if fresh != nil {
			fresh.Remove()
			fresh.Release()
		}
		return errCleared
	}
	if fresh != nil {
		x.segs = append(slices.Clip(x.segs), fresh)
	}
	var failed error
	for name, entries := range added {
		b := x.boxes[name].with(entries)
		x.boxes[name] = b
		if err := b.save(entries, x.segs); err != nil {
			failed = err
		}
	}
	return failed
}

// prune forgets the messages of a mailbox that are gone; uids ascend.
func (x *Index) prune(name string, uids []uint32) {
	b := x.box(name)
	left := uids
	gone := func(e entry) bool {
		for len(left) > 0 && left[0] < e.uid {
			left = left[1:]
		}
		return len(left) == 0 || left[0] != e.uid
	}
	if !slices.ContainsFunc(b.entries, gone) {
		return
	}
	left = uids
	next := &box{path: b.path, entries: slices.DeleteFunc(slices.Clone(b.entries), gone)}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.boxes[name] == b {
		x.boxes[name] = next // the file is written anew with the next batch
	}
}

// segments returns the segments, retained.
func (x *Index) segments() segment.Segments {
	x.mu.RLock()
	defer x.mu.RUnlock()
	segs := slices.Clone(x.segs)
	for _, s := range segs {
		s.Retain()
	}
	return segs
}

// nextDoc is a number that no document has.
func (x *Index) nextDoc() uint32 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if n := len(x.segs); n > 0 {
		return x.segs[n-1].Last() + 1
	}
	return 1
}

// identities are all documents by content.
func (x *Index) identities() map[uint64]uint32 {
	ids := map[uint64]uint32{}
	for _, s := range x.segments() {
		s.Each(func(doc uint32, id segment.ID) { ids[idKey(id)] = doc })
		s.Release()
	}
	return ids
}

// idKey is half of an identity: two messages of one user that share it are not to be expected before there are billions.
func idKey(id segment.ID) (k uint64) {
	for _, b := range id[:8] {
		k = k<<8 | uint64(b)
	}
	return k
}
