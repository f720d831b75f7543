package maildir

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"
)

// Annotations (RFC 5464) are in roost-metadata of the mailbox's directory, those of the server in roost-metadata-server of the root: a line for
// each entry, "<entry> TAB <value>", escaped as in the subscriptions file, entries in lower case and in order. They are replaced whole under the
// lock of the uidlist. What Dovecot's dovecot-attributes says is true as long as there is no line for that entry; a line without TAB says that
// the entry has been removed although Dovecot has it.
const (
	metadataName       = "roost-metadata"
	serverMetadataName = "roost-metadata-server"
	maxMetadata        = 64 << 20 // octets of a file; what a client may write is bounded by Options and the server

	defaultMaxMetadata = 100
)

// Metadata returns the annotations of a mailbox, or of the server if name is empty: value by entry, "/private/comment", in lower case. ErrNotFound,
// ErrNoSelect, ErrInvalidName.
func (s *Store) Metadata(name string) (map[string]string, error) {
	file, box, err := s.openMetadata(name)
	if err != nil {
		return nil, err
	}
	defer box.close()
	values, own, err := s.readMetadata(box, file)
	if err != nil {
		return nil, err
	}
	overlay(values, own)
	return values, nil
}

// SetMetadata changes annotations of a mailbox, or of the server if name is empty: all or none. Entries in lower case; nil removes. by is the number
// of whoever does it, for MetadataChanges. Errors are those of Metadata, ErrLimit when there would be too many, ErrLocked.
func (s *Store) SetMetadata(name string, change map[string]*string, by uint64) error {
	s.tree.Lock()
	defer s.tree.Unlock()
	changed, err := s.setMetadata(name, change)
	if err == nil && len(changed) > 0 {
		s.metadataChanged(name, changed, by)
	}
	return err
}

// copyMetadata gives a new mailbox the annotations of another one. Nobody is told: they come with the mailbox.
func (s *Store) copyMetadata(from, to string) error {
	values, err := s.Metadata(from)
	if err != nil || len(values) == 0 {
		return err
	}
	change := make(map[string]*string, len(values))
	for entry, value := range values {
		change[entry] = &value
	}
	s.tree.Lock()
	defer s.tree.Unlock()
	_, err = s.setMetadata(to, change)
	return err
}

// setMetadata changes annotations under the lock of the mailbox, and returns the entries that are not as they were; s.tree is held.
func (s *Store) setMetadata(name string, change map[string]*string) ([]string, error) {
	file, box, err := s.openMetadata(name)
	if err != nil {
		return nil, err
	}
	defer box.close()
	ctx, cancel := context.WithTimeout(s.ctx, lockPatience)
	defer cancel()
	lock, err := lockUIDList(ctx, box)
	if err != nil {
		return nil, err
	}
	changed, err := s.changeMetadata(box, file, change)
	return changed, errors.Join(err, lock.unlock())
}

// changeMetadata writes the file anew and returns the entries that are not as they were.
func (s *Store) changeMetadata(box *dir, file string, change map[string]*string) ([]string, error) {
	inherited, own, err := s.readMetadata(box, file)
	if err != nil {
		return nil, err
	}
	before := maps.Clone(inherited)
	overlay(before, own)
	var changed []string
	for entry, value := range change {
		old, had := before[entry]
		if value == nil && had || value != nil && (!had || *value != old) {
			changed = append(changed, entry)
		}
		_, theirs := inherited[entry]
		if value == nil && !theirs {
			delete(own, entry)
		} else {
			own[entry] = value
		}
	}
	if len(changed) == 0 {
		return nil, nil
	}
	after := maps.Clone(inherited)
	overlay(after, own)
	most := s.opt.MaxMetadata
	if most == 0 {
		most = defaultMaxMetadata
	}
	if len(after) > most && len(after) > len(before) {
		return nil, fmt.Errorf("%w: too many annotations", ErrLimit)
	}
	slices.Sort(changed)
	return changed, writeMetadata(box, file, own)
}

// overlay changes values by what own says.
func overlay(values map[string]string, own map[string]*string) {
	for entry, value := range own {
		if value == nil {
			delete(values, entry)
		} else {
			values[entry] = *value
		}
	}
}

// openMetadata opens the directory that has the annotations, and tells the file's name.
func (s *Store) openMetadata(name string) (file string, box *dir, err error) {
	if name == "" {
		box, err = s.root.again()
		return serverMetadataName, box, err
	}
	_, box, err = s.openBox(name)
	return metadataName, box, err
}

// readMetadata reads what Dovecot and what we have of a mailbox or the server.
func (s *Store) readMetadata(box *dir, file string) (inherited map[string]string, own map[string]*string, err error) {
	inherited = s.dovecotMetadata(box, file == serverMetadataName)
	own = map[string]*string{}
	b, _, err := box.readFile(file, maxMetadata)
	if errors.Is(err, fs.ErrNotExist) {
		return inherited, own, nil
	} else if err != nil {
		return nil, nil, err
	}
	for line := range strings.Lines(string(b)) {
		entry, value, has := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if entry = tabUnescaper.Replace(entry); !strings.HasPrefix(entry, "/") {
			continue
		}
		own[entry] = nil
		if has {
			value = tabUnescaper.Replace(value)
			own[entry] = &value
		}
	}
	return inherited, own, nil
}

func writeMetadata(box *dir, file string, own map[string]*string) error {
	if len(own) == 0 {
		if err := box.unlink(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return box.sync()
	}
	p, err := box.perm()
	if err != nil {
		return err
	}
	_, err = replaceFile(box, p, file, file+".tmp", time.Time{}, func(w *bufio.Writer) error {
		for _, entry := range slices.Sorted(maps.Keys(own)) {
			tabEscaper.WriteString(w, entry)
			if value := own[entry]; value != nil {
				w.WriteByte('\t')
				tabEscaper.WriteString(w, *value)
			}
			if err := w.WriteByte('\n'); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}
