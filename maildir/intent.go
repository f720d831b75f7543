package maildir

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// An intent says what a process is about to do with several files that belong together: those of a MULTIAPPEND or COPY, both names of a MOVE, the new and the
// old message of a REPLACE,
// the directories of a RENAME in Maildir++. It is a file in the root's tmp/ that appears whole before the first step and is removed after the
// last, and its writer holds a flock(2) on it. What a killed process left is finished when the root is opened again, so that all is done or
// nothing was begun.
//
//	intent = "roost-intent 1\n" *(op " " from NUL to NUL) "end\n"
//
// Paths are relative to the root. An intent is not fsynced: none of what it says has been acknowledged while it exists.
type intent struct {
	tmp  *dir
	name string
	f    *os.File // holds the flock
}

const (
	intentPrefix = "roost-intent."
	intentHead   = "roost-intent 1\n"
	intentEnd    = "end\n"
	maxIntent    = 256 << 20
)

// step is one thing an intent says. Steps can be repeated.
type step struct {
	op       byte
	from, to string
}

const (
	stepRename = 'r' // from becomes to
	stepLink   = 'l' // from is there under the name to as well
	stepRemove = 'd' // from goes, if to is there
)

// intend writes an intent. The steps of one file need none, for rename(2) and link(2) are atomic: nil then, which end accepts.
func (s *Store) intend(steps []step) (*intent, error) {
	if len(steps) < 2 {
		return nil, nil
	}
	tmp, err := s.root.sub("tmp")
	if err != nil {
		return nil, err
	}
	i := &intent{tmp: tmp, name: intentPrefix + s.newBase()}
	if err := i.write(steps); err != nil {
		i.end()
		return nil, err
	}
	return i, nil
}

func (i *intent) write(steps []step) error {
	f, named, err := i.tmp.createNameless(i.name, perm{file: 0o600, uid: -1, gid: -1})
	if err != nil {
		return err
	}
	i.f = f
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return fileError("flock", f.Name(), err)
	}
	if err := i.tmp.fault("write", i.name); err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	w.WriteString(intentHead)
	for _, s := range steps {
		fmt.Fprintf(w, "%c %s\x00%s\x00", s.op, s.from, s.to)
	}
	w.WriteString(intentEnd)
	if err := w.Flush(); err != nil {
		return fileError("write", f.Name(), err)
	}
	if named {
		return nil
	}
	return i.tmp.giveName(f, i.name)
}

// end removes the intent: all is done, or undone.
func (i *intent) end() {
	if i == nil {
		return
	}
	i.tmp.unlink(i.name) // if it stays, its steps are found done
	if i.f != nil {
		i.f.Close()
	}
	i.tmp.close()
}

// finishIntents does what dead processes had in mind.
func (s *Store) finishIntents() {
	tmp, err := s.root.sub("tmp")
	if err != nil {
		return
	}
	defer tmp.close()
	var names []string
	tmp.readNames(func(name string, _ uint8) bool {
		if strings.HasPrefix(name, intentPrefix) {
			names = append(names, name)
		}
		return true
	})
	for _, name := range names {
		if err := s.finish(tmp, name); err != nil {
			s.log.Warn("what a killed process was doing could not be finished", "file", tmp.path()+"/"+name, "cause", err)
		}
	}
}

// finish does the steps of one intent and removes it, unless its writer lives.
func (s *Store) finish(tmp *dir, name string) error {
	f, err := tmp.open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		return nil
	} else if err != nil {
		return fileError("flock", f.Name(), err)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxIntent))
	if err != nil {
		return fileError("read", f.Name(), err)
	}
	steps, whole := parseIntent(b)
	if whole { // otherwise nothing was begun
		s.log.Info("finishing what a killed process was doing", "steps", len(steps))
		for _, st := range steps {
			if err := s.redo(st); err != nil && !absent(err) && !errors.Is(err, fs.ErrExist) {
				return err
			}
		}
	}
	return tmp.unlink(name)
}

func parseIntent(b []byte) (steps []step, whole bool) {
	b, ok := bytes.CutPrefix(b, []byte(intentHead))
	b, whole = bytes.CutSuffix(b, []byte(intentEnd))
	if !ok || !whole {
		return nil, false
	}
	for len(b) > 0 {
		from, rest, ok := bytes.Cut(b, []byte{0})
		to, rest, ok2 := bytes.Cut(rest, []byte{0})
		if !ok || !ok2 || len(from) < 2 || from[1] != ' ' {
			return nil, false
		}
		steps = append(steps, step{from[0], string(from[2:]), string(to)})
		b = rest
	}
	return steps, true
}

// redo does a step that may have been done. fs.ErrNotExist and fs.ErrExist when it has been, or others have changed what it is about.
func (s *Store) redo(st step) error {
	oldName, newName := path.Base(st.from), path.Base(st.to)
	from, err := s.openPath(path.Dir(st.from))
	if err != nil {
		return err
	}
	defer from.close()
	to, err := s.openPath(path.Dir(st.to))
	if err != nil {
		return err
	}
	defer to.close()
	changed := st.to // where a message comes or goes
	if st.op == stepRemove {
		changed = st.from
	}
	if sub := path.Base(path.Dir(changed)); sub == "cur" || sub == "new" {
		box, err := s.openPath(path.Dir(path.Dir(changed)))
		if err != nil {
			return err
		}
		defer box.close()
		lock, err := lockUIDList(context.Background(), box)
		if err != nil {
			return err
		}
		defer lock.unlock()
	}
	switch st.op {
	case stepRename:
		return from.renameNoReplace(oldName, to, newName)
	case stepLink:
		return from.link(oldName, to, newName)
	case stepRemove:
		if _, err := to.stat(newName); err != nil {
			return err
		}
		return from.unlink(oldName)
	}
	return fmt.Errorf("unknown step %q", st.op)
}
