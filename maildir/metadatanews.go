package maildir

import "sync"

// maxMetadataNews is how many changes of annotations are remembered for those who want to be told. Who comes later is told that there was more.
const maxMetadataNews = 256

// metadataNews is what has changed of annotations by this process.
type metadataNews struct {
	mu   sync.Mutex // protects what follows; a leaf
	now  uint64     // number of changes so far
	last []metadataChange
}

type metadataChange struct {
	server bool
	box    inode
	entry  string
	by     uint64
}

// metadataChanged remembers changes and wakes those who may want to know.
func (s *Store) metadataChanged(server bool, box inode, entries []string, by uint64) {
	n := &s.metadataNews
	n.mu.Lock()
	for _, entry := range entries {
		n.last = append(n.last, metadataChange{server, box, entry, by})
	}
	n.now += uint64(len(entries))
	n.last = append(n.last[:0:0], n.last[max(0, len(n.last)-maxMetadataNews):]...)
	n.mu.Unlock()
	s.mu.Lock()
	var open []*Mailbox
	for key, m := range s.boxes {
		if server || key == box {
			open = append(open, m)
		}
	}
	s.mu.Unlock()
	for _, m := range open {
		m.mu.Lock()
		m.wake()
		m.mu.Unlock()
	}
}

// MetadataNow is the number of changes of annotations so far, for MetadataChanges.
func (s *Store) MetadataNow() uint64 {
	s.metadataNews.mu.Lock()
	defer s.metadataNews.mu.Unlock()
	return s.metadataNews.now
}

// MetadataChanges returns the entries of a mailbox (nil: none) and of the server that others than by have changed since, oldest first, and what to ask
// with next time. Of very many changes it knows the last ones.
func (s *Store) MetadataChanges(since uint64, m *Mailbox, by uint64) (box, server []string, now uint64) {
	n := &s.metadataNews
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.last[len(n.last)-int(min(n.now-min(since, n.now), uint64(len(n.last)))):] {
		switch {
		case c.by == by:
		case c.server:
			server = append(server, c.entry)
		case m != nil && m.key == c.box:
			box = append(box, c.entry)
		}
	}
	return box, server, n.now
}
