package maildir

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// openMark exists in a mailbox's directory of the state while the mailbox is open: between two saves clients hear of changes that no snapshot knows.
// If it is found when the mailbox is opened, a process died, and everything counts as changed: a flag that was set and taken back would go
// unnoticed otherwise, and so would the expunge of a message that came after the snapshot.
const openMark = "open"

// boxState returns the directory for a mailbox's state files.
func boxState(state, storage string) string {
	name := url.PathEscape(storage)
	if name == "" {
		name = "INBOX"
	}
	if len(name) > 200 || name[0] == '.' && len(name) <= 2 {
		sum := sha256.Sum256([]byte(storage))
		name = hex.EncodeToString(sum[:])
	}
	return filepath.Join(state, "boxes", name)
}

// loadSnapshot opens the snapshot of a mailbox; nil when there is none that is any good.
func (m *Mailbox) loadSnapshot(dir string) *snapshot {
	s, err := openSnapshot(filepath.Join(dir, "records"))
	if os.IsNotExist(err) {
		return nil
	} else if err != nil {
		m.log.Warn("dropping the snapshot, it will be rebuilt", "mailbox", m.box.path(), "cause", err)
		return nil
	}
	return s
}

// maxSnapshot bounds what is read of a snapshot: some eight million messages. A damaged file system may show files of any size.
const maxSnapshot = 1 << 30

// readState reads a file of the state directory that is not larger than any of ours.
func readState(path string) ([]byte, error) {
	if _, err := statState(path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

func statState(path string) (os.FileInfo, error) {
	st, err := os.Stat(path)
	if err == nil && (!st.Mode().IsRegular() || st.Size() > maxSnapshot) {
		return nil, errSnapshot
	}
	return st, err
}

// save writes the snapshot if it is behind. A mailbox that is gone is not saved: its directory may be another's by now.
func (m *Mailbox) save() {
	if m.store.opt.State == "" || m.failed() != nil || m.lockWrite(context.Background()) != nil {
		return
	}
	s, dir := m.takeSnapshot()
	m.unlockWrite()
	m.writeSnapshot(dir, s)
}

// takeSnapshot copies what is in memory; nil when the file says the same. The caller holds write, unless the
// mailbox is given up.
func (m *Mailbox) takeSnapshot() (_ *snapshot, dir string) {
	m.mu.Lock()
	behind, watched := m.unsaved, m.watched()
	m.mu.Unlock()
	if !behind {
		return nil, ""
	}
	if err := m.thaw(); err != nil {
		return nil, "" // what it says is not known yet
	}
	newSt, err1 := m.new.statSelf()
	curSt, err2 := m.cur.statSelf()
	age := time.Duration(time.Now().UnixNano() - max(newSt.mtime, curSt.mtime))
	// The times may be those of our own changes, and what another program did in between is told by the watcher: perhaps not yet.
	told := !watched || age > tellAll || hub.drained(m)
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.unsaved || m.hdr.Validity == 0 {
		return nil, ""
	}
	settled := err1 == nil && err2 == nil && m.seen.again.IsZero() && told && !m.hints.any() &&
		newSt.mtime == m.seen.new && curSt.mtime == m.seen.cur && len(m.pending) == 0 && age > tick
	s := &snapshot{hdr: m.hdr, now: m.now, recent: m.recent, list: m.list, seen: m.seen, newIno: newSt.ino, curIno: curSt.ino,
		settled: settled, dead: m.dead, expunged: m.expunged}
	m.cache.mu.Lock()
	s.cacheGen, s.cacheEnd, s.cacheN = m.cache.gen, m.cache.end, m.cache.n
	m.cache.mu.Unlock()
	m.unsaved = false
	s.freeze(m.recs)
	return s, boxState(m.store.opt.State, m.storage)
}

// tellAll is longer than events wait for the watcher on any machine that is of use.
const tellAll = 10 * time.Second

func (m *Mailbox) writeSnapshot(dir string, s *snapshot) {
	if s == nil {
		return
	}
	if err := writeState(filepath.Join(dir, "records"), s.write); err != nil {
		m.log.Warn("cannot save the snapshot", "mailbox", m.box.path(), "cause", err)
		m.mu.Lock()
		defer m.mu.Unlock()
		m.unsaved = true
	}
}

// markOpen says that the mailbox is open, and tells whether a process that had it open died.
func markOpen(dir string) (died bool) {
	f, err := os.OpenFile(filepath.Join(dir, openMark), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return true // or nothing can be remembered here at all
	}
	f.Close()
	return false
}

// unmark takes markOpen back, behind the last save. That of a mailbox that is gone may be its successor's by now.
func (m *Mailbox) unmark() {
	m.mu.Lock()
	behind, dir := m.unsaved || m.err != nil, boxState(m.store.opt.State, m.storage)
	m.mu.Unlock()
	if m.store.opt.State != "" && !behind {
		os.Remove(filepath.Join(dir, openMark))
	}
}

// writeState replaces a file of the state directory by what write writes.
func writeState(path string, write func(*os.File) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".tmp*")
	if err != nil {
		return err
	}
	err = write(f)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
