package maildir

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// The watcher turns inotify events on new/ and cur/ into hints. A hint says where to look, never what is true: it is checked against the file
// system under the locks. What our own renames cause is recognised by its name and costs nothing; what others did is applied by name, without
// reading the directory. When events were lost, or a hint cannot be resolved, the next scan finds out. One inotify instance serves the
// process, because a user may have only 128.

// hintDelay gathers the events of one delivery or rename.
const hintDelay = 2 * time.Millisecond

// maxHintPause bounds how long a sync waits because the last one took long.
const maxHintPause = 500 * time.Millisecond

// maxHints bounds what is remembered between two syncs.
const maxHints = 4096

type hints struct {
	names     []hint
	all       bool // look at everything
	half      bool // the uidlist was taken over, and the directories are being looked at
	scheduled bool
	took      time.Duration // by the last sync
}

func (h *hints) any() bool { return h.all || len(h.names) > 0 }

// hint is an event: the name is in the directory now, or, not created, no longer is.
type hint struct {
	sighting
	created bool
}

// watchHub is the process's watcher.
type watchHub struct {
	down atomic.Bool // inotify is not to be had

	mu   sync.Mutex // protects what follows
	ino  *inotify
	dirs map[int32]watched // by watch descriptor

	ending sync.Map // of drained: chan struct{} by watch descriptor
}

type watched struct {
	m  *Mailbox
	in recordState
}

var hub watchHub

// add watches a mailbox; false when that is not possible.
func (h *watchHub) add(m *Mailbox) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.down.Load() {
		return false
	}
	if h.ino == nil {
		ino, err := newInotify()
		if err != nil {
			slog.Warn("no inotify: changes by other programs are found by polling", "cause", err)
			h.down.Store(true)
			return false
		}
		h.ino, h.dirs = ino, map[int32]watched{}
		go h.run(ino)
	}
	fresh, err := h.ino.add(m.new.path())
	if err == nil {
		var cur int32
		if cur, err = h.ino.add(m.cur.path()); err == nil {
			h.dirs[fresh], h.dirs[cur] = watched{m, inNew}, watched{m, 0}
			m.watches = []int32{fresh, cur}
			return true
		}
		h.ino.remove(fresh)
	}
	m.log.Info("not watched: changes by other programs are found by polling", "mailbox", m.box.path(), "cause", err)
	return false
}

// remove ends the watching of a mailbox, if it is watched.
func (h *watchHub) remove(m *Mailbox) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, wd := range m.watches {
		delete(h.dirs, wd)
		h.ino.remove(wd)
	}
	m.watches = nil
}

func (h *watchHub) run(ino *inotify) {
	err := ino.read(func(ev inotifyEvent) {
		h.mu.Lock()
		to := h.dirs[ev.wd]
		if ev.gone {
			delete(h.dirs, ev.wd)
		}
		h.mu.Unlock()
		if done, ok := h.ending.LoadAndDelete(ev.wd); ok && ev.gone {
			close(done.(chan struct{}))
		}
		switch {
		case ev.lost:
			slog.Info("inotify lost events, looking at all open mailboxes")
			h.doubtAll()
		case to.m != nil && !ev.gone:
			to.m.hint(hint{sighting{name: ev.name, in: to.in}, ev.created})
		}
	})
	slog.Warn("inotify failed: changes by other programs are found by polling", "cause", err)
	h.down.Store(true)
	h.doubtAll()
}

// maxDrain bounds how long events are waited for.
const maxDrain = 250 * time.Millisecond

// drained waits until all that has happened in the directories of a mailbox is among its hints; false when that takes too long. Events
// come in order, and the last one of a watch says that it has ended: so one is begun and ended, on a directory that is not watched otherwise.
func (h *watchHub) drained(m *Mailbox) bool {
	h.mu.Lock()
	ino := h.ino
	h.mu.Unlock()
	if ino == nil {
		return false
	}
	wd, err := ino.add(m.box.path())
	if err != nil {
		return false
	}
	done := make(chan struct{})
	h.ending.Store(wd, done)
	ino.remove(wd)
	select {
	case <-done:
		return true
	case <-time.After(maxDrain):
		h.ending.Delete(wd)
		return false
	}
}

// doubtAll is called when anything may have happened anywhere.
func (h *watchHub) doubtAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, to := range h.dirs {
		if to.in == 0 {
			go to.m.doubt()
		}
	}
}

// watched tells whether changes by others show themselves. Called with mu held.
func (m *Mailbox) watched() bool { return m.watching && !hub.down.Load() }

// hint takes an event.
func (m *Mailbox) hint(h hint) {
	if ignorable(h.name) {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return
	}
	if !m.ready {
		m.hints.all = true // memory is being filled; the sync that follows looks at everything
		return
	}
	if m.frozen == nil && !m.recs.unnamed && m.explained(h) {
		return
	}
	if len(m.hints.names) < maxHints {
		m.hints.names = append(m.hints.names, h)
	} else {
		m.hints.all = true
	}
	m.schedule()
}

// explained tells whether memory says the same as an event, because we caused it or know of it already. Called with mu held.
func (m *Mailbox) explained(h hint) bool {
	r := m.recs.byBase(h.base())
	known := r != nil && r.state&(inNew|missing) == h.in && m.recs.named(r, h.name)
	return known == h.created
}

// doubt makes the next sync look at everything.
func (m *Mailbox) doubt() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hints.all = true
	m.schedule()
}

// doubtful is doubt for the next one who asks: something could not be read, and may not be so now.
func (m *Mailbox) doubtful() {
	m.mu.Lock()
	m.hints.all = true
	m.mu.Unlock()
}

// schedule syncs soon: one sync waits or runs at a time, and under a flood of events the mailbox is free for others at least half of the
// time. Called with mu held.
func (m *Mailbox) schedule() {
	if m.hints.scheduled || !m.ready {
		return
	}
	m.hints.scheduled = true
	time.AfterFunc(hintDelay+m.hints.took, func() {
		begin := time.Now()
		err := m.lockWrite(context.Background())
		if err == nil {
			begin = time.Now()
			if m.inDoubt() {
				err = m.locked(context.Background(), func(u *update) error {
					begin = time.Now()
					return u.followHints()
				})
			}
			m.unlockWrite()
		}
		if err != nil {
			m.doubtful()
		}
		if err != nil && !errors.Is(err, ErrGone) {
			m.log.Warn("cannot follow changes of other programs", "mailbox", m.box.path(), "cause", err)
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		m.hints.scheduled = false
		m.hints.took = min(time.Since(begin), maxHintPause)
		if err == nil && m.hints.any() && m.err == nil {
			m.schedule()
		}
	})
}

// inDoubt tells whether there are hints that memory does not explain. The caller holds write, so that no change of ours is between the file system
// and memory, as it may have been when the event was read.
func (m *Mailbox) inDoubt() bool {
	if m.thaw() != nil {
		return true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.recs.nameAll()
	m.hints.names = slices.DeleteFunc(m.hints.names, m.explained)
	return m.hints.any()
}

// followHints applies what the hints point at, or scans when they do not explain themselves. The directory times that Sync compares are left
// alone: events may be under way that are not among the hints, and the next Sync must not believe that it has seen everything.
func (u *update) followHints() error {
	m := u.m
	m.mu.Lock()
	names, all := m.hints.names, m.hints.all
	m.hints.names = nil
	known := len(m.recs.list)
	m.mu.Unlock()
	if _, err := u.readList(); err != nil {
		return err
	}
	if err := u.readKeywords(); err != nil {
		return err
	}
	if all || len(m.recs.list) < known { // files whose lines are gone may be there
		return u.scan(true)
	}
	sc := scanner{m: m}
	var left []string
	for _, h := range names {
		s := h.sighting
		st, err := m.dirFor(s.in).stat(s.name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			left = append(left, s.base())
		case err != nil:
			return err
		case !st.isRegular():
		default:
			if r := m.recs.byBase(s.base()); r == nil {
				sc.added = append(sc.added, s)
			} else if r.state&(inNew|missing) != s.in || !m.recs.named(r, s.name) {
				s.again = true // renamed, unless the old name is there as well
				sc.changed = append(sc.changed, s)
			}
		}
	}
	if err := u.apply(&sc); err != nil {
		return err
	}
	for _, base := range left {
		if r := m.recs.byBase(base); r != nil {
			if _, err := m.dirOf(r).stat(m.recs.name(r)); err != nil {
				return u.scan(true) // gone, or where we do not know
			}
		}
	}
	if len(m.pending) > 0 {
		return u.scan(true)
	}
	return nil
}
