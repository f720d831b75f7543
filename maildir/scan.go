package maildir

import (
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// scanTries bounds the scans of one refresh.
const scanTries = 4

// sighting is a file that a scan saw and that is not as memory has it. Small: a first scan collects one per message.
type sighting struct {
	name  string
	in    recordState // inNew or 0
	again bool        // the scan saw this base name before
}

func (s sighting) base() string { return baseName(s.name) }

// scan reads the directories and applies what is different. Without force only those whose mtime moved.
func (u *update) scan(force bool) error {
	m := u.m
	newSt, curSt, err := m.statDirs()
	if err != nil {
		return err
	}
	again := m.seen.again
	due := !again.IsZero() && !time.Now().Before(again)
	m.mu.Lock()
	force = force || m.hints.all
	m.hints.all = false
	m.mu.Unlock()
	if !force && !due && newSt.mtime == m.seen.new && curSt.mtime == m.seen.cur {
		u.known = true
		return nil
	}
	// Only new/ changed: nothing that is known to be in cur/ can have gone.
	partial := !force && !due && curSt.mtime == m.seen.cur && !m.hasMissing() && len(m.pending) == 0
	var absent []uint32 // missing in the last scan that was undisturbed
	for try := 0; ; try++ {
		sc := scanner{m: m, seen: make([]bool, len(m.recs.list))}
		if err := sc.read(m.new, inNew); err != nil {
			return err
		}
		if !partial {
			if err := sc.read(m.cur, 0); err != nil {
				return err
			}
		}
		if err := u.apply(&sc); err != nil {
			return err
		}
		newEnd, curEnd, err := m.statDirs()
		if err != nil {
			return err
		}
		unseen := append(sc.unseen(partial), sc.unseenLines()...)
		calm := newEnd.mtime == newSt.mtime && curEnd.mtime == curSt.mtime
		settled := calm && time.Now().UnixNano()-max(newSt.mtime, curSt.mtime) > int64(tick)
		if len(unseen) == 0 && !u.again {
			u.scanned(newSt, curSt, calm, nil)
			return nil
		}
		u.again = false
		if partial {
			// A file has left new/: cur/ tells where to.
			partial = false
			continue
		}
		if calm && absent != nil && slices.Equal(absent, unseen) && settled {
			u.scanned(newSt, curSt, true, nil)
			u.drop(unseen)
			return u.number(sc.added, false)
		}
		if try >= scanTries {
			u.scanned(newSt, curSt, false, unseen)
			return u.number(sc.added, true)
		}
		absent = nil
		if calm {
			absent = unseen
		}
		if !settled {
			select {
			case <-time.After(tick):
			case <-u.ctx.Done():
				u.scanned(newSt, curSt, false, unseen)
				return u.ctx.Err()
			}
		}
		newSt, curSt, err = m.statDirs()
		if err != nil {
			return err
		}
	}
}

// scanned remembers the state of the directories that a scan has seen, and the records it could not decide about.
func (u *update) scanned(newSt, curSt fileInfo, calm bool, undecided []uint32) {
	m := u.m
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, uid := range undecided {
		if r := m.recs.find(uid); r != nil {
			r.state |= missing
		}
	}
	m.blind = false
	m.seen = dirTimes{new: newSt.mtime, cur: curSt.mtime}
	u.known = calm && len(undecided) == 0
	young := time.Now().UnixNano()-max(newSt.mtime, curSt.mtime) < int64(time.Second)
	if !u.known {
		// Something moved while we looked: the times are not those of what we saw.
		m.seen.new, m.seen.cur = newSt.mtime-1, curSt.mtime-1
		m.hints.all = true
		m.schedule()
	} else if u.later {
		m.seen.again = time.Now().Add(pollEvery)
	} else if young && !m.watched() {
		m.seen.again = time.Now().Add(recheckAfter)
	}
}

func (m *Mailbox) hasMissing() bool {
	for i := range m.recs.list {
		if m.recs.list[i].state&missing != 0 {
			return true
		}
	}
	return false
}

// scanner compares directory entries with memory.
type scanner struct {
	m       *Mailbox
	seen    []bool // by index in m.recs.list
	changed []sighting
	added   []sighting
}

// read scans one directory.
func (sc *scanner) read(d *dir, in recordState) error {
	recs := sc.m.recs
	if len(recs.list) == 0 {
		sc.added = slices.Grow(sc.added, d.roughly())
	}
	return d.readNames(func(name string, dtype uint8) bool {
		if ignorable(name) || dtype != unix.DT_REG && dtype != unix.DT_UNKNOWN {
			return true // a directory, FIFO or symbolic link is no message
		}
		r := recs.byBase(baseName(name))
		if r == nil {
			sc.added = append(sc.added, sighting{name: name, in: in})
			return true
		}
		i := recs.index(r.uid)
		if sc.seen[i] || r.state&(inNew|missing) != in || !recs.named(r, name) {
			sc.changed = append(sc.changed, sighting{name, in, sc.seen[i]})
		}
		sc.seen[i] = true
		return true
	})
}

// unseen lists the UIDs whose file did not show up.
func (sc *scanner) unseen(partial bool) (uids []uint32) {
	for i, seen := range sc.seen {
		r := &sc.m.recs.list[i]
		if !seen && (!partial || r.state&inNew != 0) {
			uids = append(uids, r.uid)
		}
	}
	return uids
}

// unseenLines lists the UIDs of lines whose file did not show up either, ascending.
func (sc *scanner) unseenLines() (uids []uint32) {
	if len(sc.m.pending) == 0 {
		return nil
	}
	seen := make(map[string]bool, len(sc.added))
	for _, s := range sc.added {
		seen[s.base()] = true
	}
	for base, l := range sc.m.pending {
		if !seen[base] {
			uids = append(uids, l.uid)
		}
	}
	slices.Sort(uids)
	return uids
}
