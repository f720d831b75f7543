package auth

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Limits on reading the passwd-file.
const (
	recheckEvery  = time.Second
	maxPasswdFile = 64 << 20
)

// source gives the table of the moment.
type source interface {
	table() *table
	reload()
}

// fixed is a source that never changes.
type fixed struct{ t *table }

func (f fixed) table() *table { return f.t }
func (f fixed) reload()       {}

// file is the passwd-file. It is looked at, at most once a second, when somebody logs in, and read again when it changed. While it cannot be
// read the last contents stay valid.
type file struct {
	path, def string
	log       *slog.Logger
	now       func() time.Time
	cur       atomic.Pointer[table]

	mu      sync.Mutex // protects the rest; never held by table() for waiting
	checked time.Time
	seen    stamp  // the file as it was read
	doubt   stamp  // a file that looked torn, to be believed when it still looks so at the next check
	failure string // last logged, so that it is logged once
}

// stamp tells whether a file changed.
type stamp struct {
	size, mtime int64
	ino         uint64
}

// openFile reads the passwd-file; an error means that it cannot be read at all.
func openFile(path, def string, log *slog.Logger) (*file, error) {
	f := &file{path: path, def: def, log: log, now: time.Now}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.checked = f.now()
	if err := f.read(true); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *file) table() *table {
	if f.mu.TryLock() { // otherwise somebody else is looking
		if now := f.now(); now.Sub(f.checked) >= recheckEvery || now.Before(f.checked) {
			f.checked = now
			f.check()
		}
		f.mu.Unlock()
	}
	return f.cur.Load()
}

// reload looks at the file at once (SIGHUP).
func (f *file) reload() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.check()
}

func (f *file) check() {
	if err := f.read(false); err != nil && err.Error() != f.failure {
		f.failure = err.Error()
		f.log.Error("the passwd-file cannot be read; its last contents stay valid", "file", f.path, "err", err)
	}
}

// read takes over the file if it changed. A file without its last line end, or suddenly without any user, may be in the middle of being
// written: it is believed at the second look, unless it is the first contents ever.
func (f *file) read(first bool) error {
	h, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer h.Close()
	fi, err := h.Stat()
	if err != nil {
		return err
	}
	now := stampOf(fi)
	if !first && now == f.seen {
		f.doubt, f.failure = stamp{}, ""
		return nil
	}
	data, err := io.ReadAll(io.LimitReader(h, maxPasswdFile+1))
	if err != nil {
		return err
	}
	if len(data) > maxPasswdFile {
		return fmt.Errorf("%s is larger than %d octets", f.path, maxPasswdFile)
	}
	if after, err := h.Stat(); err != nil || stampOf(after) != now {
		if !first {
			return errors.Join(err, errors.New("the file is being written"))
		}
	}
	t, problems := parseTable(data, f.def)
	torn := len(data) == 0 || data[len(data)-1] != '\n' || len(t.entries) == 0
	if !first && torn && f.doubt != now {
		f.doubt = now
		return nil
	}
	f.seen, f.doubt, f.failure = now, stamp{}, ""
	for _, p := range problems {
		f.log.Warn("passwd-file: "+p.Text, "file", f.path, "line", p.Line)
	}
	if !first {
		f.log.Info("passwd-file read again", "file", f.path, "users", len(t.entries))
	}
	f.cur.Store(t)
	return nil
}

// CheckFile reads a passwd-file and returns the users that can log in, by name, and what is wrong with it.
func CheckFile(path, defaultScheme string) (users []*User, problems []Problem, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	t, problems := parseTable(data, defaultScheme)
	users = t.users()
	slices.SortFunc(users, func(a, b *User) int { return strings.Compare(a.Name, b.Name) })
	return users, problems, nil
}

// users are those who can log in.
func (t *table) users() (users []*User) {
	for _, e := range t.entries {
		if e.refused == "" {
			users = append(users, e.user())
		}
	}
	return users
}

func stampOf(fi fs.FileInfo) stamp {
	s := stamp{size: fi.Size(), mtime: fi.ModTime().UnixNano()}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		s.ino = st.Ino
	}
	return s
}
