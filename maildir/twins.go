package maildir

import (
	"cmp"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// A mailbox that is copied with its directory, as when a backup is put beside what it was made of, has the GUID of the original in its uidlist,
// and often its UIDVALIDITY. Clients would take the two for one (RFC 8474 §4), and so would the index, which knows messages by GUID, UIDVALIDITY and UID. So a
// mailbox that is opened under a name for the first time is compared with the others, and a copy gets a GUID of its own; its UIDs stay.

// twins are the GUIDs of the mailboxes of a Store, which are only looked at for a mailbox without a snapshot.
type twins struct {
	mu    sync.Mutex // held across system calls
	read  time.Time
	boxes map[string][]string // GUID → storage names, as of read
	kept  map[string]string   // GUID → storage name of who was found to be the original
}

// twinsFor is how old what is known of other mailboxes may be: on the first start there may be thousands to open.
const twinsFor = time.Second

// original returns the storage name of the mailbox that m, which has this GUID in its uidlist, is a copy of; empty when it is none. The lock of no
// Mailbox is held.
func (s *Store) original(m *Mailbox, guid string) string {
	w := &s.twins
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		now := time.Since(w.read) > twinsFor
		if now {
			w.boxes, w.read = s.guids(), time.Now()
		}
		others := w.boxes[guid]
		if kept := w.kept[guid]; kept != "" {
			others = append([]string{kept}, others...)
		}
		moved := false
		for _, storage := range others {
			if storage == m.storage {
				continue
			}
			if !s.hasGUID(storage, guid, m.key) {
				moved = true
			} else if w.kept[guid] == storage || s.isOlder(storage, m.storage) {
				return storage
			}
		}
		if now || !moved {
			break
		}
		w.read = time.Time{} // look where it is now
	}
	if w.kept == nil {
		w.kept = map[string]string{}
	}
	w.kept[guid] = m.storage
	return ""
}

// hasGUID tells whether there is a mailbox with that GUID under a name which is not this directory.
func (s *Store) hasGUID(storage, guid string, but inode) bool {
	d, err := s.openDir(storage)
	if err != nil {
		return false
	}
	defer d.close()
	fi, err := d.statSelf()
	return err == nil && but != inode{fi.dev, fi.ino} && readUIDListHeader(d).GUID == guid
}

// isOlder tells whether of two mailboxes with one GUID it is a that keeps it: because it was open before, else by the name. b was not open before.
func (s *Store) isOlder(a, b string) bool {
	if s.opt.State != "" {
		if _, err := os.Stat(filepath.Join(boxState(s.opt.State, a), "records")); err == nil {
			return true
		}
	}
	if a == inbox || b == inbox {
		return a == inbox
	}
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) < 0 // "Archive" and not "Archive (copy)"
}

// guids reads the GUIDs of all mailboxes.
func (s *Store) guids() map[string][]string {
	boxes := map[string][]string{}
	note := func(storage string, d *dir) {
		if guid := readUIDListHeader(d).GUID; guid != "" {
			boxes[guid] = append(boxes[guid], storage)
		}
	}
	note(inbox, s.root)
	if s.names.layout == FS {
		walk(s.root, "", maxDepth, func(storage string, d *dir, selectable bool) {
			if storage != "" && selectable {
				note(storage, d)
			}
		})
		return boxes
	}
	var names []string
	s.root.readNames(func(name string, dtype uint8) bool {
		if name != trashBox && wellFormed(name) && isDir(s.root, name, dtype) {
			names = append(names, name)
		}
		return true
	})
	for _, name := range names {
		if d, err := s.root.sub(name); err == nil {
			note(name, d)
			d.close()
		}
	}
	return boxes
}
