package maildir

import (
	"context"
	"errors"
	"maps"
	"os"
	"time"
)

// openBoxes are the mailboxes a Store has open, by directory and not by name: a directory that another program renames is still the same
// mailbox, and two Mailboxes of one directory would not know of each other's locks.
type openBoxes map[inode]*Mailbox

const (
	// keepWarm is how long a mailbox nobody uses stays in memory.
	keepWarm = time.Minute
	// pollEvery is how often mailboxes are looked after: saved, closed, and synced for those who wait where nothing is watched.
	pollEvery = 5 * time.Second
	// openTries is how often a mailbox is opened that somebody replaces.
	openTries = 3
	// saveEvery is how far a snapshot may be behind.
	saveEvery = time.Minute
)

// Open opens a mailbox; Release it. ErrNotFound, ErrNoSelect, ErrInvalidName.
func (s *Store) Open(name string) (*Mailbox, error) {
	for try := 1; ; try++ {
		storage, d, err := s.openBox(name)
		if err != nil {
			return nil, err
		}
		fi, err := d.statSelf()
		if err != nil {
			d.close()
			return nil, err
		}
		key := inode{fi.dev, fi.ino}
		s.mu.Lock()
		if s.ctx.Err() != nil { // it is too late to end what is opened now
			s.mu.Unlock()
			d.close()
			return nil, context.Cause(s.ctx)
		}
		m := s.boxes[key]
		if m != nil && m.broken() {
			delete(s.boxes, key)
			hub.remove(m) // its successor is watched
			m = nil
		}
		first := m == nil
		if first {
			m = &Mailbox{store: s, key: key, box: d, log: s.log, write: make(chan struct{}, 1), moving: make(chan struct{}, 1), name: s.shownName(name, storage), storage: storage,
				recs: newRecords(), pending: map[string]listed{}, dead: map[string]uint32{}, loaded: make(chan struct{})}
			m.keywords.index()
			s.boxes[key] = m
		} else {
			d.close()
		}
		m.refs++
		before := s.boxes[s.places[storage]]
		s.places[storage] = key
		s.mu.Unlock()
		if before != nil && before != m {
			s.supersede(before, storage)
		}
		if first {
			if m.loadErr = s.opt.Budget.admit(); m.loadErr == nil {
				m.loadErr = m.load()
			}
			if m.loadErr == nil {
				s.opt.Budget.use(m)
			}
			close(m.loaded)
		} else {
			if <-m.loaded; m.loadErr == nil {
				m.readOnly.Store(!m.box.writable()) // permissions may have changed
			}
		}
		if m.loadErr == nil {
			if err := m.Sync(context.Background()); errors.Is(err, ErrLocked) {
				return m, nil // the old view serves until the lock is free
			} else if err != nil {
				m.Release()
				if errors.Is(err, ErrGone) && try < openTries {
					continue // it was replaced, or removed, and is no longer among the open ones
				}
				return nil, err
			}
			return m, nil
		}
		s.mu.Lock()
		if s.boxes[key] == m {
			delete(s.boxes, key)
			hub.remove(m) // who tries again is watched
		}
		s.mu.Unlock()
		m.Release()
		if !errors.Is(m.loadErr, errRestored) {
			return nil, m.loadErr
		}
	}
}

// broken tells whether a mailbox that was loaded has failed since.
func (m *Mailbox) broken() bool {
	select {
	case <-m.loaded:
		return m.loadErr != nil || m.failed() != nil
	default:
		return false
	}
}

// Release gives back what Store.Open returned.
func (m *Mailbox) Release() {
	s, octets := m.store, m.octets()
	s.mu.Lock()
	m.refs--
	m.idle = time.Now()
	unused := m.refs == 0
	last := unused && s.boxes[m.key] != m
	if unused && !last {
		s.opt.Budget.rest(m, octets) // before anybody else can close it
	}
	s.mu.Unlock()
	if last {
		m.close() // nobody can open it any more
	} else if unused {
		s.opt.Budget.shrink()
	}
}

// closeUnused closes a mailbox before its time, unless somebody uses it.
func (m *Mailbox) closeUnused() {
	s := m.store
	s.mu.Lock()
	unused := s.boxes[m.key] == m && m.refs == 0
	if unused {
		delete(s.boxes, m.key)
		hub.remove(m) // who opens it again meanwhile is watched
	}
	s.mu.Unlock()
	if unused {
		m.close()
	}
}

// close saves and frees a mailbox that nobody uses.
func (m *Mailbox) close() {
	defer m.store.opt.Budget.drop(m)
	if m.loadErr != nil {
		hub.remove(m) // it is watched before it is read
	} else {
		m.save()
		m.unmark()
		m.dateUsage()
		hub.remove(m)
		m.gone(ErrGone) // for hints that are still on their way
		if m.lockWrite(context.Background()) == nil {
			defer m.unlockWrite() // nobody is in the middle of something
		}
	}
	m.forgetFrozen()
	if m.cache != nil {
		m.cache.close()
	}
	for _, d := range []*dir{m.tmp, m.new, m.cur, m.box} {
		if d != nil {
			d.close()
		}
	}
}

// lookAfter runs until the store closes.
func (s *Store) lookAfter() {
	t := time.NewTicker(pollEvery)
	defer t.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-t.C:
		}
		if s.Check() != nil {
			return
		}
		s.pollTree()
		s.mu.Lock()
		maps.DeleteFunc(s.places, func(_ string, key inode) bool { return s.boxes[key] == nil })
		open := make([]*Mailbox, 0, len(s.boxes))
		for key, m := range s.boxes {
			select {
			case <-m.loaded:
			default:
				continue
			}
			if m.refs == 0 && time.Since(m.idle) > keepWarm {
				delete(s.boxes, key)
				hub.remove(m) // who opens it again meanwhile is watched
				go m.close()
				continue
			}
			open = append(open, m)
		}
		s.mu.Unlock()
		for _, m := range open {
			if m.polling.CompareAndSwap(false, true) {
				go func() {
					defer m.polling.Store(false)
					m.poll()
				}()
			}
		}
	}
}

// poll does what is due for an open mailbox.
func (m *Mailbox) poll() {
	s := m.store
	s.mu.Lock()
	if s.boxes[m.key] != m || m.refs == 0 {
		s.mu.Unlock()
		return
	}
	m.refs++
	s.mu.Unlock()
	defer m.Release()
	if m.waiting() {
		if err := m.Sync(s.ctx); err != nil && !errors.Is(err, ErrGone) && !errors.Is(err, context.Canceled) {
			m.log.Warn("cannot look for changes", "mailbox", m.box.path(), "cause", err)
		}
	}
	if time.Since(m.saved) > saveEvery {
		m.saved = time.Now()
		m.save()
	}
}

// calmDown waits until the times of directories that changed just now say all, so that the snapshot can be believed.
func (m *Mailbox) calmDown() {
	m.mu.Lock()
	unsaved := m.unsaved
	m.mu.Unlock()
	if m.store.opt.State == "" || m.loadErr != nil || !unsaved {
		return
	}
	newSt, curSt, err := m.statDirs()
	if err != nil {
		return
	}
	if age := time.Duration(time.Now().UnixNano() - max(newSt.mtime, curSt.mtime)); age >= 0 && age <= tick {
		time.Sleep(tick - age + time.Millisecond)
	}
}

// closeAll saves and closes every mailbox.
func (s *Store) closeAll() {
	s.mu.Lock()
	open := make([]*Mailbox, 0, len(s.boxes))
	for _, m := range s.boxes {
		open = append(open, m)
	}
	clear(s.boxes)
	s.mu.Unlock()
	for _, m := range open {
		<-m.loaded
		m.calmDown()
		m.close()
	}
}

// boxRemoved tells an open mailbox that its directory was deleted.
func (s *Store) boxRemoved(key inode) {
	s.mu.Lock()
	m := s.boxes[key]
	delete(s.boxes, key)
	unused := m != nil && m.refs == 0
	s.mu.Unlock()
	measured := false
	if m != nil {
		<-m.loaded
		m.mu.Lock()
		measured = m.loadErr == nil && m.recs.unsized == 0
		m.mu.Unlock()
		m.gone(ErrGone)
	}
	freed, known := s.quota.drop(key)
	s.logFreed(freed, known || measured)
	if unused {
		m.close()
	}
}

// boxGone ends the use of a mailbox that is being removed; boxRemoved is still to be called.
func (s *Store) boxGone(key inode) {
	s.mu.Lock()
	m := s.boxes[key]
	s.mu.Unlock()
	if m != nil {
		m.gone(ErrGone)
	}
}

// boxRenamed tells an open mailbox its new name and takes the state files along.
func (s *Store) boxRenamed(key inode, oldStorage, newStorage, newName string) {
	if s.opt.State != "" {
		from, to := boxState(s.opt.State, oldStorage), boxState(s.opt.State, newStorage)
		os.RemoveAll(to) // of a mailbox of that name that no longer exists
		if err := os.Rename(from, to); err != nil && !os.IsNotExist(err) {
			s.log.Info("the cache of a renamed mailbox is rebuilt", "mailbox", newName, "cause", err)
		}
	}
	s.mu.Lock()
	m := s.boxes[key]
	if m != nil {
		s.places[newStorage] = key
	}
	s.mu.Unlock()
	if m != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.name, m.storage = newName, newStorage
		m.unsaved = true
	}
}
