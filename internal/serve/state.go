package serve

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Names in the state directory.
const (
	lockName     = "roost.lock"
	secretName   = "secret"
	passwordName = "password"
)

// State is a state directory that this process alone uses.
type State struct {
	Dir    string
	lock   *os.File
	kept   map[string][]byte // small files as they were read or written
	failed string            // last failure of Renew
}

// OpenState makes the directory, private to its owner, and locks it: two servers on the same files would each undo what the other wrote.
func OpenState(dir string) (*State, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the state directory: %w", err)
	}
	f, err := lockState(dir)
	if err != nil {
		return nil, err
	}
	return &State{Dir: dir, lock: f, kept: map[string][]byte{}}, nil
}

// lockState takes the lock of a state directory.
func lockState(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the state directory: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("locking %s: %w", f.Name(), err)
		}
		pid, _ := io.ReadAll(io.LimitReader(f, 20))
		return nil, fmt.Errorf("another roost (pid %s) is already serving with the state directory %s; stop it or use another directory (--state)",
			strings.TrimSpace(string(pid)), dir)
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = fmt.Fprintln(f, os.Getpid())
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("writing %s: %w", f.Name(), err)
	}
	return f, nil
}

// Renew makes the state directory this process's again when somebody emptied, removed or replaced it, because another server would find it free.
// renewed: that was done. An error is returned once.
func (s *State) Renew() (renewed bool, err error) {
	mine, err1 := s.lock.Stat()
	there, err2 := os.Stat(filepath.Join(s.Dir, lockName))
	if err1 == nil && err2 == nil && os.SameFile(mine, there) {
		s.failed = ""
		return false, nil
	}
	if err = s.renew(); err == nil {
		s.failed = ""
		return true, nil
	}
	if s.failed == err.Error() {
		return false, nil
	}
	s.failed = err.Error()
	return false, err
}

func (s *State) renew() error {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return err
	}
	f, err := lockState(s.Dir)
	if err != nil {
		return err
	}
	s.lock.Close()
	s.lock = f
	for name, b := range s.kept {
		if _, err := os.Stat(filepath.Join(s.Dir, name)); errors.Is(err, os.ErrNotExist) {
			if err := s.write(name, b); err != nil {
				return err
			}
		}
	}
	return nil
}

// Close lets others use the directory.
func (s *State) Close() error { return s.lock.Close() }

// Secret is a random key that stays the same over restarts.
func (s *State) Secret() ([]byte, error) {
	return s.keep(secretName, func() []byte {
		b := make([]byte, 32)
		rand.Read(b)
		return b
	})
}

// Remember reads files that others keep in the directory, so that Renew puts them back.
func (s *State) Remember(names ...string) error {
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join(s.Dir, name))
		if err != nil {
			return err
		}
		s.kept[name] = b
	}
	return nil
}

// keep reads a small private file, or writes it when it is absent or empty.
func (s *State) keep(name string, fresh func() []byte) ([]byte, error) {
	path := filepath.Join(s.Dir, name)
	b, err := os.ReadFile(path)
	if err == nil && len(b) > 0 {
		s.kept[name] = b
		return b, nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	b = fresh()
	s.kept[name] = b
	return b, s.write(name, b)
}

// write replaces a small private file.
func (s *State) write(name string, b []byte) error {
	path := filepath.Join(s.Dir, name)
	tmp := path + ".tmp" // ours alone under the lock
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// DefaultState is where a Maildir's state is kept when nothing else is said: $XDG_STATE_HOME/roost/<name>-<hash of its path>.
func DefaultState(maildir string) (string, error) {
	base := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(base) {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("%w; say where to keep Roost's own files with --state", err)
		}
		base = filepath.Join(home, ".local", "state")
	}
	if real, err := filepath.EvalSymlinks(maildir); err == nil {
		maildir = real
	}
	sum := sha256.Sum256([]byte(maildir))
	return filepath.Join(base, "roost", fmt.Sprintf("%s-%x", strings.TrimLeft(filepath.Base(maildir), "."), sum[:4])), nil
}
