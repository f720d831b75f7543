package maildir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	gomaildir "github.com/emersion/go-maildir"
	"golang.org/x/sys/unix"
)

// perm are the permissions that new files and directories of a mailbox get, as Dovecot decides them: from the mailbox's directory, so
// that a shared mailbox stays shared whoever delivers into it. Who may, such as root for the mail of many users, also gives what it makes to the owner of
// that directory, so that the user's other programs can read it.
type perm struct {
	file, dir uint32
	uid, gid  int // owner and group to give them, -1: leave it
}

// mayChown tells whether this process may give files away.
var mayChown = sync.OnceValue(func() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	return unix.Capget(&header, &data[0]) == nil && data[0].Effective&(1<<unix.CAP_CHOWN) != 0
})

// modeFor derives the modes of new files and directories from the mode of the mailbox's directory.
func modeFor(dirMode uint32) (file, dir uint32) { return dirMode&0o666 | 0o600, dirMode&0o777 | 0o700 }

// perm reads the permissions for what is made in the mailbox whose directory this is.
func (d *dir) perm() (perm, error) {
	fi, err := d.statSelf()
	if err != nil {
		return perm{}, err
	}
	p := perm{uid: -1, gid: -1}
	p.file, p.dir = modeFor(fi.mode)
	if int(fi.uid) != os.Geteuid() && mayChown() {
		p.uid = int(fi.uid)
		if fi.mode&unix.S_ISGID == 0 {
			p.gid = int(fi.gid)
		}
		return p, nil
	}
	// Where group and others have the same rights the group does not matter; with setgid the kernel sets it.
	if fi.mode>>3&7 != fi.mode&7 && fi.mode&unix.S_ISGID == 0 && int(fi.gid) != os.Getegid() {
		p.gid = int(fi.gid)
	}
	return p, nil
}

// createAs is create with the mailbox's permissions.
func (d *dir) createAs(name string, p perm) (*os.File, error) {
	f, err := d.create(name, p.file)
	if err != nil {
		return nil, err
	}
	return f, p.give(f)
}

// give gives a new file to the mailbox's owner and group, and closes the file when that fails. A group we may not give is left, as Dovecot does, but then
// without rights for a group it was not meant for.
func (p perm) give(f *os.File) error {
	if p.uid < 0 && p.gid < 0 || f.Chown(p.uid, p.gid) == nil {
		return nil
	}
	if p.uid >= 0 && f.Chown(-1, p.gid) == nil { // a file system that knows no owners
		return nil
	}
	err := f.Chmod(os.FileMode(p.file&^0o070 | p.file&0o007<<3&0o070))
	if err != nil {
		f.Close()
	}
	return fileError("chmod", f.Name(), err)
}

// crowded tells whether the disk is as good as full.
func (d *dir) crowded() bool {
	var st unix.Statfs_t
	err := d.do("statfs", "", func(at int) error { return unix.Fstatfs(at, &st) })
	return err == nil && int64(st.Bavail)*st.Bsize < 64<<10 && st.Blocks > 0
}

// writable tells whether names can be made in the directory, as far as permissions say.
func (d *dir) writable() bool {
	err := d.do("access", "", func(at int) error { return unix.Faccessat(at, ".", unix.W_OK|unix.X_OK, unix.AT_EACCESS) })
	return !errors.Is(err, ErrPermission)
}

// createNameless makes a file for giveName, with the mailbox's permissions. On file systems that cannot do that it has its name at once, and
// named is true; fs.ErrExist then when the name is taken.
func (d *dir) createNameless(name string, p perm) (f *os.File, named bool, err error) {
	var fd int
	err = d.do("open", "", func(at int) (err error) {
		fd, err = unix.Openat(at, ".", unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, p.file)
		return err
	})
	switch {
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EISDIR), errors.Is(err, unix.EINVAL), errors.Is(err, unix.EPERM):
		// EPERM is what a directory that was removed meanwhile answers; by name it says so.
		f, err = d.createAs(name, p)
		return f, true, err
	case err != nil:
		return nil, false, err
	}
	f = os.NewFile(uintptr(fd), d.where+"/"+name)
	if err := unix.Fchmod(fd, p.file); err != nil {
		f.Close()
		return nil, false, &opError{"chmod", f.Name(), err}
	}
	return f, false, p.give(f)
}

// giveName makes a nameless file appear under a name, whole and at once; fs.ErrExist when the name is taken.
func (d *dir) giveName(f *os.File, name string) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return fileError("link", f.Name(), err)
	}
	return d.named("link", name, func(at int) error {
		var failed error
		if err := raw.Control(func(fd uintptr) {
			failed = unix.Linkat(unix.AT_FDCWD, "/proc/self/fd/"+strconv.Itoa(int(fd)), at, name, unix.AT_SYMLINK_FOLLOW)
		}); err != nil {
			return err
		}
		return failed
	})
}

// mkdirAs is mkdir with the mailbox's permissions.
func (d *dir) mkdirAs(name string, p perm) error {
	if err := d.mkdir(name, p.dir); err != nil {
		return err
	}
	return d.giveDir(name, p)
}

// giveDir gives a directory that was just made to the mailbox's owner and group.
func (d *dir) giveDir(name string, p perm) error {
	if p.uid < 0 && p.gid < 0 {
		return nil
	}
	// Whoever owns d may have put something else in its place: never by name.
	made, err := d.sub(name)
	if err != nil {
		return err
	}
	defer made.close()
	fi, err := made.statSelf()
	if err != nil || int(fi.uid) != os.Geteuid() {
		return err
	}
	return made.do("chown", "", func(fd int) error {
		err := unix.Fchown(fd, p.uid, p.gid)
		if err == unix.EPERM && p.uid >= 0 {
			err = unix.Fchown(fd, -1, p.gid)
		}
		if err == unix.EPERM || err == unix.EINVAL {
			return nil
		}
		return err
	})
}

// makeRoot makes a new Maildir, and the directories above it that are missing. They belong to whom the directory belongs that they are made in, if we may
// give them.
func makeRoot(root string) error {
	var missing []string // from the Maildir up
	above := root
	for {
		if _, err := os.Stat(above); !errors.Is(err, fs.ErrNotExist) || above == filepath.Dir(above) {
			break
		}
		above, missing = filepath.Dir(above), append(missing, filepath.Base(above))
	}
	if len(missing) == 0 {
		return nil
	}
	d, err := openRoot(above)
	if err != nil {
		return err
	}
	defer func() { d.close() }()
	p, err := d.perm()
	if err != nil {
		return err
	}
	p.dir = 0o700
	enter := func(name string) error {
		next, err := d.sub(name)
		if err == nil {
			d.close()
			d = next
		}
		return err
	}
	for _, name := range slices.Backward(missing[1:]) {
		if err := d.mkdirAs(name, p); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := enter(name); err != nil {
			return err
		}
	}
	if err := gomaildir.Dir(root).Init(); err != nil {
		return fileError("mkdir", root, err)
	}
	if err := errors.Join(d.giveDir(missing[0], p), enter(missing[0])); err != nil {
		return err
	}
	for _, name := range []string{"cur", "new", "tmp"} {
		err = errors.Join(err, d.giveDir(name, p))
	}
	return err
}
