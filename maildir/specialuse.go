package maildir

import (
	"bufio"
	"errors"
	"io/fs"
	"sort"
	"strings"
	"time"
)

// Special uses that clients gave with CREATE … USE (RFC 6154) are kept in roost-special-use in the mail root: lines
// "<attribute> <storage name>", for example `\Archive .Old`. Special uses of the configuration are not in it.
const (
	specialUseName = "roost-special-use"
	specialUseTemp = "roost-special-use.tmp"
	maxSpecialUse  = 1 << 20
)

// SpecialUse returns the special-use attribute of mailboxes by name.
func (s *Store) SpecialUse() (map[string]string, error) {
	b, _, err := s.root.readFile(specialUseName, maxSpecialUse)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	uses := map[string]string{}
	for line := range strings.Lines(string(b)) {
		attr, storage, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if !ok || !strings.HasPrefix(attr, `\`) {
			continue
		}
		if name, ok := s.names.name(storage); ok {
			uses[name] = attr
		}
	}
	return uses, nil
}

// SetSpecialUse gives a mailbox an attribute, or takes it away when attr is empty.
func (s *Store) SetSpecialUse(name, attr string) error {
	s.tree.Lock()
	defer s.tree.Unlock()
	uses, err := s.SpecialUse()
	if err != nil {
		return err
	}
	name = s.canonicalName(name)
	if uses[name] == attr {
		return nil
	}
	if uses == nil {
		uses = map[string]string{}
	}
	uses[name] = attr
	var lines []string
	for name, attr := range uses {
		if attr == "" {
			continue
		}
		storage, err := s.names.storage(name)
		if err != nil {
			return err
		}
		lines = append(lines, attr+" "+storage+"\n")
	}
	sort.Strings(lines)
	p, err := s.root.perm()
	if err != nil {
		return err
	}
	_, err = replaceFile(s.root, p, specialUseName, specialUseTemp, time.Time{}, func(w *bufio.Writer) error {
		for _, l := range lines {
			if _, err := w.WriteString(l); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}
