package maildir

import (
	"maps"
	"slices"
	"sync"
)

// maxMetadataNews is how many changes of annotations are remembered for those who want to be told. Who comes later is told that there was more.
const maxMetadataNews = 256

// metadataNews is what has changed of annotations by this process.
type metadataNews struct {
	mu   sync.Mutex // protects what follows; a leaf
	now  uint64     // number of changes so far
	last []metadataChange
}

// MetadataChange is an annotation of a mailbox, or of the server if the name of that is empty, that has changed.
type MetadataChange struct{ Mailbox, Entry string }

type metadataChange struct {
	MetadataChange
	by uint64
}

// metadataChanged remembers changes and wakes those who may want to know.
func (s *Store) metadataChanged(mailbox string, entries []string, by uint64) {
	if mailbox != "" {
		mailbox = s.canonicalName(mailbox)
	}
	n := &s.metadataNews
	n.mu.Lock()
	for _, entry := range entries {
		n.last = append(n.last, metadataChange{MetadataChange{mailbox, entry}, by})
	}
	n.now += uint64(len(entries))
	n.last = append(n.last[:0:0], n.last[max(0, len(n.last)-maxMetadataNews):]...)
	n.mu.Unlock()
	s.mu.Lock()
	open := slices.Collect(maps.Values(s.boxes))
	s.mu.Unlock()
	for _, m := range open {
		m.mu.Lock()
		m.wake()
		m.mu.Unlock()
	}
	s.treeWatch.wake()
}

// MetadataNow is the number of changes of annotations so far, for MetadataChanges.
func (s *Store) MetadataNow() uint64 {
	s.metadataNews.mu.Lock()
	defer s.metadataNews.mu.Unlock()
	return s.metadataNews.now
}

// MetadataChanges returns what others than by have changed since, oldest first, and what to ask with next time. Of very many changes it knows the
// last ones. Mailboxes have the names that they had then.
func (s *Store) MetadataChanges(since, by uint64) (changed []MetadataChange, now uint64) {
	n := &s.metadataNews
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.last[len(n.last)-int(min(n.now-min(since, n.now), uint64(len(n.last)))):] {
		if c.by != by {
			changed = append(changed, c.MetadataChange)
		}
	}
	return changed, n.now
}
