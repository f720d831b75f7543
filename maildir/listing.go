package maildir

import (
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// List returns all mailboxes and missing parents, sorted by name with INBOX first. Directories whose names no client could use (empty
// parts, control characters) are left out; names that can be shown but not opened are NoSelect.
func (s *Store) List() ([]Info, error) {
	l := listing{names: s.names, all: map[string]*Info{inbox: {Name: inbox}}}
	trash := false
	var err error
	if s.names.layout == MaildirPP {
		err = s.root.readNames(func(name string, dtype uint8) bool {
			switch {
			case name == trashBox:
				trash = true
			case wellFormed(name) && isDir(s.root, name, dtype):
				l.add(name, true)
			}
			return true
		})
	} else {
		err = walk(s.root, "", maxDepth, func(storage string, d *dir, selectable bool) {
			switch storage {
			case trashBox:
				trash = true
			case "":
			default:
				l.add(storage, selectable)
			}
		})
	}
	if err != nil {
		return nil, err
	}
	if trash {
		s.cleanTrash(trashAge)
	}
	return l.sorted(), nil
}

// isDir tells whether a directory entry is a directory; it asks only where the file system did not say.
func isDir(d *dir, name string, dtype uint8) bool {
	if dtype == unix.DT_UNKNOWN {
		fi, err := d.stat(name)
		return err == nil && fi.isDir()
	}
	return dtype == unix.DT_DIR
}

// walk visits a directory of the fs layout and all below it, and tells which have a cur/. Directories that vanish meanwhile are left out.
func walk(d *dir, storage string, depth int, visit func(storage string, d *dir, selectable bool)) error {
	var subs []string
	selectable := false
	err := d.readNames(func(name string, dtype uint8) bool {
		if !isDir(d, name, dtype) {
			return true
		}
		switch name {
		case "cur":
			selectable = true
		case "new", "tmp":
		default:
			subs = append(subs, name)
		}
		return true
	})
	if err != nil {
		return err
	}
	visit(storage, d, selectable)
	if depth == 0 || storage == trashBox {
		return nil
	}
	for _, name := range subs {
		sub, err := d.sub(name)
		if absent(err) {
			continue
		} else if err != nil {
			return err
		}
		path := name
		if storage != "" {
			path = storage + "/" + name
		}
		if len(path) <= maxStorage {
			err = walk(sub, path, depth-1, visit)
		}
		sub.close()
		if err != nil && !absent(err) {
			return err
		}
	}
	return nil
}

// listing collects a list by name.
type listing struct {
	names naming
	all   map[string]*Info
}

func (l *listing) add(storage string, selectable bool) {
	name, usable := l.names.name(storage)
	if name == "" || name == inbox { // what is called INBOX besides the root is hidden behind it
		return
	}
	info := l.all[name]
	if info == nil {
		info = &Info{Name: name, NoSelect: true}
		l.all[name] = info
	}
	info.NoSelect = info.NoSelect && !(selectable && usable)
	for {
		i := strings.LastIndex(name, l.names.sep)
		if i < 0 {
			return
		}
		name = name[:i]
		parent := l.all[name]
		if parent == nil {
			parent = &Info{Name: name, NoSelect: true}
			l.all[name] = parent
		} else if parent.HasChildren {
			return // then its parents have been seen to as well
		}
		parent.HasChildren = true
	}
}

func (l *listing) sorted() []Info {
	list := make([]Info, 0, len(l.all))
	for _, info := range l.all {
		list = append(list, *info)
	}
	slices.SortFunc(list, func(a, b Info) int {
		switch {
		case a.Name == inbox:
			return -1
		case b.Name == inbox:
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	return list
}

// trashAge is when a trash directory was left by a crash rather than being worked on.
const trashAge = time.Hour

// cleanTrash removes a trash directory of that age in the background.
func (s *Store) cleanTrash(age time.Duration) {
	fi, err := s.root.stat(trashBox)
	if err != nil || !fi.isDir() || time.Since(time.Unix(0, max(fi.ctime, fi.mtime))) < age || !s.cleaning.CompareAndSwap(false, true) {
		return
	}
	s.cleaners.Go(func() {
		defer s.cleaning.Store(false)
		if err := s.root.removeAll(trashBox); err != nil {
			s.log.Warn("cannot remove what is left of deleted mailboxes", "cause", err)
		}
	})
}
