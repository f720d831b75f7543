package maildir

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// dir is an open directory inside a user's root, and the only door of this package to the file system. Every method takes a
// single path component and resolves it against the open directory without following symbolic links, so nothing outside the root can be
// reached whatever other programs put into it, and a directory that is renamed meanwhile stays the same directory.
// Safe for concurrent use; operations after close fail with os.ErrClosed.
type dir struct {
	f     *os.File
	raw   syscall.RawConn
	where string // path at the time it was opened: for messages only
	seam  *seam
}

// seam is where tests put faults: probe is called before each operation of every directory below one root, and the error it
// returns is the operation's.
type seam struct {
	probe atomic.Pointer[func(op, path string) error]
}

// opError is a failed file operation. It knows which of the package's kinds of errors it is, and unwraps to the errno.
type opError struct {
	op, path string
	err      error
}

func (e *opError) Error() string { return e.op + " " + e.path + ": " + e.err.Error() }

func (e *opError) Unwrap() error { return e.err }

// Is makes errors.Is(err, ErrFull) and ErrPermission true for the errno values that mean it.
func (e *opError) Is(kind error) bool {
	switch kind {
	case ErrFull:
		return errors.Is(e.err, unix.ENOSPC) || errors.Is(e.err, unix.EDQUOT) || errors.Is(e.err, unix.EFBIG)
	case ErrPermission:
		return errors.Is(e.err, unix.EACCES) || errors.Is(e.err, unix.EPERM) || errors.Is(e.err, unix.EROFS)
	}
	return false
}

// fileError gives an error of an *os.File its kind; nil stays nil, an error that has one already stays as it is.
func fileError(op, path string, err error) error {
	var known *opError
	if err == nil || errors.As(err, &known) {
		return err
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		op, path, err = pe.Op, pe.Path, pe.Err
	}
	return &opError{op, path, err}
}

// openRoot opens a directory by path. Only here symbolic links are followed: where the root is, the administrator says.
func openRoot(path string) (*dir, error) {
	fd, err := retry(func() (int, error) {
		return unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, &opError{"open", path, err}
	}
	return newDir(fd, path, &seam{})
}

func newDir(fd int, path string, s *seam) (*dir, error) {
	f := os.NewFile(uintptr(fd), path)
	raw, err := f.SyscallConn()
	if err != nil {
		f.Close()
		return nil, &opError{"open", path, err}
	}
	return &dir{f: f, raw: raw, where: path, seam: s}, nil
}

// again opens the same directory once more.
func (d *dir) again() (*dir, error) {
	var fd int
	if err := d.do("open", "", func(at int) (err error) {
		fd, err = unix.Openat(at, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		return err
	}); err != nil {
		return nil, err
	}
	return newDir(fd, d.where, d.seam)
}

func (d *dir) path() string { return d.where }

// base is the last part of the path.
func (d *dir) base() string { return path.Base(d.where) }

func (d *dir) close() error { return d.f.Close() }

// inject installs (or with nil removes) a fault probe for this directory's whole root.
func (d *dir) inject(probe func(op, path string) error) {
	if probe == nil {
		d.seam.probe.Store(nil)
		return
	}
	d.seam.probe.Store(&probe)
}

// fault asks the probe about an operation on name that does not go through a method of dir: writes to open files.
func (d *dir) fault(op, name string) error {
	if probe := d.seam.probe.Load(); probe != nil {
		if err := (*probe)(op, d.where+"/"+name); err != nil {
			return &opError{op, d.where + "/" + name, err}
		}
	}
	return nil
}

// maxName is the longest file name of the common file systems.
const maxName = 255

// component refuses what is not exactly one path component.
func component(name string) error {
	switch {
	case name == "" || name == "." || name == "..", strings.IndexByte(name, '/') >= 0, strings.IndexByte(name, 0) >= 0:
		return unix.EINVAL
	case len(name) > maxName:
		return unix.ENAMETOOLONG
	}
	return nil
}

// retry repeats a system call that a signal interrupted.
func retry[T any](call func() (T, error)) (T, error) {
	for {
		v, err := call()
		if err != unix.EINTR {
			return v, err
		}
	}
}

// do runs a system call on this directory. name "" means the directory itself.
func (d *dir) do(op, name string, call func(fd int) error) error {
	if name != "" {
		if err := component(name); err != nil {
			return &opError{op, d.pathOf(name), err}
		}
	}
	if err := d.fault(op, name); err != nil {
		return err
	}
	var err error
	if closed := d.raw.Control(func(fd uintptr) {
		_, err = retry(func() (struct{}, error) { return struct{}{}, call(int(fd)) })
	}); closed != nil {
		return &opError{op, d.pathOf(name), os.ErrClosed}
	}
	if err != nil {
		return &opError{op, d.pathOf(name), err}
	}
	return nil
}

// pathOf is the path of name, or of the directory itself when that is empty.
func (d *dir) pathOf(name string) string {
	if name == "" {
		return d.where
	}
	return d.where + "/" + name
}

// do2 runs a system call with a name here and another one in dst.
func (d *dir) do2(op, name string, dst *dir, to string, call func(from, to int) error) error {
	if name == "" || to == "" {
		return &opError{op, d.where, unix.EINVAL}
	}
	return d.do(op, name, func(from int) error {
		if err := component(to); err != nil {
			return err
		}
		var err error
		if closed := dst.raw.Control(func(fd uintptr) { err = call(from, int(fd)) }); closed != nil {
			return os.ErrClosed
		}
		return err
	})
}

// named refuses the empty name for operations that need one.
func (d *dir) named(op, name string, call func(fd int) error) error {
	if name == "" {
		return &opError{op, d.where, unix.EINVAL}
	}
	return d.do(op, name, call)
}

// openFD opens name, never following a symbolic link.
func (d *dir) openFD(name string, flags int, mode uint32) (fd int, err error) {
	err = d.named("open", name, func(at int) error {
		var err error
		fd, err = unix.Openat(at, name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, mode)
		return err
	})
	return fd, err
}

// sub opens a directory in this one.
func (d *dir) sub(name string) (*dir, error) {
	fd, err := d.openFD(name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	return newDir(fd, d.where+"/"+name, d.seam)
}

// create makes a new file for reading and writing; fs.ErrExist when the name is taken. The process's umask does not apply.
func (d *dir) create(name string, mode uint32) (*os.File, error) {
	fd, err := d.openFD(name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, mode)
	if err != nil {
		return nil, err
	}
	if mode&0o077 != 0 { // what a umask may have taken away
		if err := unix.Fchmod(fd, mode); err != nil {
			unix.Close(fd)
			return nil, errors.Join(&opError{"chmod", d.where + "/" + name, err}, d.unlink(name))
		}
	}
	return os.NewFile(uintptr(fd), d.where+"/"+name), nil
}

// open opens a regular file for reading. Anything else (a FIFO would block for ever) is an error.
func (d *dir) open(name string) (*os.File, error) { return d.openRegular(name, unix.O_RDONLY) }

// openAppend opens an existing regular file for reading and for writing at its end.
func (d *dir) openAppend(name string) (*os.File, error) {
	return d.openRegular(name, unix.O_RDWR|unix.O_APPEND)
}

// openWrite opens an existing regular file for changing it in place.
func (d *dir) openWrite(name string) (*os.File, error) { return d.openRegular(name, unix.O_RDWR) }

func (d *dir) openRegular(name string, flags int) (*os.File, error) {
	fd, _, err := d.regularFD(name, flags)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), d.where+"/"+name), nil
}

// regularFD opens a regular file.
func (d *dir) regularFD(name string, flags int) (int, fileInfo, error) {
	fd, err := d.openFD(name, flags|unix.O_NONBLOCK, 0)
	if err != nil {
		return 0, fileInfo{}, err
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		err = errNotRegular
	}
	if err != nil {
		unix.Close(fd)
		return 0, fileInfo{}, &opError{"open", d.where + "/" + name, err}
	}
	return fd, newFileInfo(&st), nil
}

var errNotRegular = errors.New("not a regular file")

// readFile reads a small regular file whole; more than limit octets are an error.
func (d *dir) readFile(name string, limit int64) ([]byte, fileInfo, error) {
	f, err := d.open(name)
	if err != nil {
		return nil, fileInfo{}, err
	}
	defer f.Close()
	fi, err := statFile(f)
	if err != nil {
		return nil, fi, err
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = unix.EFBIG
	}
	return b, fi, fileError("read", f.Name(), err)
}

// rename replaces what has the new name.
func (d *dir) rename(name string, dst *dir, to string) error {
	return d.do2("rename", name, dst, to, func(from, into int) error { return unix.Renameat(from, name, into, to) })
}

// renameNoReplace fails with fs.ErrExist when the new name is taken. On a file system that cannot do that atomically files are
// linked and unlinked, and directories are checked before: an empty directory made meanwhile is replaced then.
func (d *dir) renameNoReplace(name string, dst *dir, to string) error {
	return d.do2("rename", name, dst, to, func(from, into int) error {
		err := unix.Renameat2(from, name, into, to, unix.RENAME_NOREPLACE)
		if err != unix.EINVAL && err != unix.ENOSYS && err != unix.EOPNOTSUPP {
			return err
		}
		if err := unix.Linkat(from, name, into, to, 0); err == nil {
			return unix.Unlinkat(from, name, 0)
		} else if err != unix.EPERM && err != unix.EISDIR && err != unix.EOPNOTSUPP {
			return err
		}
		var st unix.Stat_t
		if err := unix.Fstatat(into, to, &st, unix.AT_SYMLINK_NOFOLLOW); err == nil {
			return unix.EEXIST
		} else if err != unix.ENOENT {
			return err
		}
		return unix.Renameat(from, name, into, to)
	})
}

// link makes a second name for a file.
func (d *dir) link(name string, dst *dir, to string) error {
	return d.do2("link", name, dst, to, func(from, into int) error { return unix.Linkat(from, name, into, to, 0) })
}

func (d *dir) unlink(name string) error {
	return d.named("unlink", name, func(fd int) error { return unix.Unlinkat(fd, name, 0) })
}

func (d *dir) rmdir(name string) error {
	return d.named("rmdir", name, func(fd int) error { return unix.Unlinkat(fd, name, unix.AT_REMOVEDIR) })
}

// mkdir makes a directory; the process's umask does not apply.
func (d *dir) mkdir(name string, mode uint32) error {
	return d.named("mkdir", name, func(fd int) error {
		if err := unix.Mkdirat(fd, name, mode); err != nil || mode&0o077 == 0 {
			return err
		}
		// There is no fchmodat without following links, so by an open directory.
		sub, err := retry(func() (int, error) {
			return unix.Openat(fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		})
		if err != nil {
			return err
		}
		defer unix.Close(sub)
		var st unix.Stat_t
		if err := unix.Fstat(sub, &st); err != nil {
			return err
		}
		return unix.Fchmod(sub, mode|st.Mode&unix.S_ISGID) // setgid is inherited from the parent
	})
}

// setTimes sets the modification time and leaves the access time.
func (d *dir) setTimes(name string, mtime time.Time) error {
	return d.named("utimes", name, func(fd int) error {
		ts := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, {Sec: mtime.Unix(), Nsec: int64(mtime.Nanosecond())}} // the kernel knows what fits
		return unix.UtimesNanoAt(fd, name, ts, unix.AT_SYMLINK_NOFOLLOW)
	})
}

// sync makes the directory's entries durable.
func (d *dir) sync() error { return d.do("fsync", "", unix.Fsync) }

// syncFile makes the content of an open file durable.
func (d *dir) syncFile(f *os.File) error { return d.flush(f, "fsync", unix.Fsync) }

// syncData makes the content of an open file durable, but not its times.
func (d *dir) syncData(f *os.File) error { return d.flush(f, "fdatasync", unix.Fdatasync) }

func (d *dir) flush(f *os.File, op string, call func(fd int) error) error {
	if err := d.fault(op, f.Name()[strings.LastIndexByte(f.Name(), '/')+1:]); err != nil {
		return err
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return fileError(op, f.Name(), err)
	}
	var failed error
	if err := raw.Control(func(fd uintptr) {
		_, failed = retry(func() (struct{}, error) { return struct{}{}, call(int(fd)) })
	}); err != nil {
		failed = err
	}
	return fileError(op, f.Name(), failed)
}
