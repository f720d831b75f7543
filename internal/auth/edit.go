package auth

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Errors of editing the passwd-file.
var (
	ErrUserExists = errors.New("the user exists already")
	ErrNoUser     = errors.New("no such user")
)

// AddUser appends a user whose password field is given (see Hash); the file is made when absent. ErrUserExists.
func AddUser(path, name, password string) error {
	if err := ValidName(name); err != nil {
		return err
	}
	return edit(path, true, func(data []byte) ([]byte, error) {
		if len(find(data, name)) > 0 {
			return nil, ErrUserExists
		}
		if len(data) > 0 && data[len(data)-1] != '\n' {
			data = append(data, '\n')
		}
		// All eight fields: Dovecot takes a shorter line for one without a home.
		return append(data, name+":"+password+"::::::\n"...), nil
	})
}

// SetPassword changes the password field of a user and nothing else. ErrNoUser.
func SetPassword(path, name, password string) error {
	return edit(path, false, func(data []byte) ([]byte, error) {
		at := find(data, name)
		if len(at) == 0 {
			return nil, ErrNoUser
		}
		from := at[0].from + len(name) // of several lines the first counts
		to, line := from, data[from:at[0].to]
		if len(line) > 0 && line[0] == ':' {
			from++
			to = from
			if end := bytes.IndexAny(data[from:at[0].to], ":\r\n"); end >= 0 {
				to += end
			} else {
				to = at[0].to
			}
		} else {
			password = ":" + password
		}
		return append(append(bytes.Clone(data[:from]), password...), data[to:]...), nil
	})
}

// RemoveUser removes every line of a user. ErrNoUser.
func RemoveUser(path, name string) error {
	return edit(path, false, func(data []byte) ([]byte, error) {
		at := find(data, name)
		if len(at) == 0 {
			return nil, ErrNoUser
		}
		for i := len(at) - 1; i >= 0; i-- {
			data = append(bytes.Clone(data[:at[i].from]), data[at[i].to:]...)
		}
		return data, nil
	})
}

// Listed is a user in a passwd-file.
type Listed struct {
	Name, Scheme string
	Refused      string // why the user cannot log in, "" when he can
}

// ListUsers returns the users in the order of the file.
func ListUsers(path, defaultScheme string) ([]Listed, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var all []Listed
	t, _ := parseTable(data, defaultScheme)
	for line := range bytes.Lines(data) {
		name, _, _ := strings.Cut(strings.TrimRight(string(line), "\r\n"), ":")
		e := t.entries[name]
		if e == nil || line[0] == '#' {
			continue
		}
		delete(t.entries, name)
		l := Listed{Name: name, Refused: e.refused}
		if e.secret != nil {
			l.Scheme = e.secret.scheme
		}
		all = append(all, l)
	}
	return all, nil
}

// span is a line with its end.
type span struct{ from, to int }

// find returns the lines of a user.
func find(data []byte, name string) []span {
	var at []span
	from := 0
	for line := range bytes.Lines(data) {
		field, _, _ := strings.Cut(strings.TrimRight(string(line), "\r\n"), ":")
		if field == name && name != "" {
			at = append(at, span{from, from + len(line)})
		}
		from += len(line)
	}
	return at
}

// edit replaces the file by what change makes of its contents: complete or not at all, mode and owner kept. Editors exclude each other by
// flock on the file; who got the lock of a file that was replaced meanwhile begins again.
func edit(path string, create bool, change func([]byte) ([]byte, error)) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	f, err := lockCurrent(path, create)
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	if data, err = change(data); err != nil {
		return err
	}
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	return replace(path, fi, data)
}

// lockCurrent opens and locks the file that path names now.
func lockCurrent(path string, create bool) (*os.File, error) {
	flags := os.O_RDWR
	if create {
		flags |= os.O_CREATE
	}
	for {
		f, err := os.OpenFile(path, flags, 0o600)
		if err != nil {
			return nil, err
		}
		for {
			if err = unix.Flock(int(f.Fd()), unix.LOCK_EX); !errors.Is(err, unix.EINTR) {
				break
			}
		}
		if err != nil {
			f.Close()
			return nil, &fs.PathError{Op: "lock", Path: path, Err: err}
		}
		mine, err1 := f.Stat()
		now, err2 := os.Stat(path)
		if err1 == nil && err2 == nil && os.SameFile(mine, now) {
			return f, nil
		}
		f.Close()
		if err := errors.Join(err1, err2); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
}

// replace writes data beside path and renames it over.
func replace(path string, like fs.FileInfo, data []byte) (err error) {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			tmp.Close()
			os.Remove(tmp.Name())
		}
	}()
	if st, ok := like.Sys().(*syscall.Stat_t); ok {
		if err = tmp.Chown(int(st.Uid), int(st.Gid)); err != nil {
			return fmt.Errorf("keeping the owner of %s: %w", path, err)
		}
	}
	if err = tmp.Chmod(like.Mode().Perm()); err != nil {
		return err
	}
	if _, err = tmp.Write(data); err != nil {
		return err
	}
	if err = tmp.Sync(); err != nil {
		return err
	}
	if err = tmp.Close(); err != nil {
		return err
	}
	if err = os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	d, err2 := os.Open(dir)
	if err2 != nil {
		return err2
	}
	defer d.Close()
	return d.Sync()
}
