package maildir

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
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
	names     []sighting // created, renamed or removed
	all       bool       // look at everything
	half      bool       // the uidlist was taken over, and the directories are being looked at
	scheduled bool
	took      time.Duration // by the last sync
}

func (h *hints) any() bool { return h.all || len(h.names) > 0 }

// watchHub is the process's watcher.
type watchHub struct {
	mu   sync.Mutex // protects what follows
	fs   *fsnotify.Watcher
	down bool // inotify is not to be had
	dirs map[string]watched
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
	if h.down {
		return false
	}
	if h.fs == nil {
		w, err := fsnotify.NewBufferedWatcher(4096)
		if err != nil {
			slog.Warn("no inotify: changes by other programs are found by polling", "cause", err)
			h.down = true
			return false
		}
		h.fs, h.dirs = w, map[string]watched{}
		go h.run(w)
	}
	newPath, curPath := m.new.path(), m.cur.path()
	if _, taken := h.dirs[curPath]; taken {
		return false // a mailbox of this name that was deleted is still open somewhere
	}
	err := h.fs.Add(newPath)
	if err == nil {
		if err = h.fs.Add(curPath); err != nil {
			h.fs.Remove(newPath)
		}
	}
	if err != nil {
		m.log.Info("not watched: changes by other programs are found by polling", "mailbox", m.box.path(), "cause", err)
		return false
	}
	h.dirs[newPath], h.dirs[curPath] = watched{m, inNew}, watched{m, 0}
	return true
}

// remove ends the watching of a mailbox, if it is watched.
func (h *watchHub) remove(m *Mailbox) {
	if m.new == nil || m.cur == nil {
		return // it could not be opened
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, path := range []string{m.new.path(), m.cur.path()} {
		if h.dirs[path].m == m {
			delete(h.dirs, path)
			h.fs.Remove(path) // fails when the directory is gone, which removed the watch
		}
	}
}

func (h *watchHub) run(w *fsnotify.Watcher) {
	for {
		select {
		case ev, ok := <-w.Events:
			if !ok {
				return
			}
			h.mu.Lock()
			to := h.dirs[filepath.Dir(ev.Name)]
			h.mu.Unlock()
			if to.m == nil {
				continue
			}
			if ev.Has(fsnotify.Create) {
				to.m.hint(sighting{name: filepath.Base(ev.Name), in: to.in}, true)
			} else if ev.Has(fsnotify.Remove) || ev.Has(fsnotify.Rename) {
				to.m.hint(sighting{name: filepath.Base(ev.Name), in: to.in}, false)
			}
		case err, ok := <-w.Errors:
			if !ok {
				return
			}
			// Mostly the overflow of the kernel's queue: anything may have happened anywhere.
			slog.Info("inotify lost events, looking at all open mailboxes", "cause", err)
			h.mu.Lock()
			for _, to := range h.dirs {
				if to.in == 0 {
					go to.m.doubt()
				}
			}
			h.mu.Unlock()
		}
	}
}

// watched tells whether changes by others show themselves. Called with mu held.
func (m *Mailbox) watched() bool { return m.watching }

// hint takes an event. created: the name is there now; otherwise it no longer is.
func (m *Mailbox) hint(s sighting, created bool) {
	if ignorable(s.name) {
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
	r := m.recs.byBase(s.base())
	known := r != nil && r.state&(inNew|missing) == s.in && m.recs.named(r, s.name)
	if known == created {
		return // our own doing, or no news
	}
	if len(m.hints.names) < maxHints {
		m.hints.names = append(m.hints.names, s)
	} else {
		m.hints.all = true
	}
	m.schedule()
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
		err := m.withLocks(context.Background(), func(u *update) error {
			begin = time.Now()
			return u.followHints()
		})
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
	for _, s := range names {
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
