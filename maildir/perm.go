package maildir

import (
	"os"

	"golang.org/x/sys/unix"
)

// perm are the permissions that new files and directories of a mailbox get, as Dovecot decides them: from the mailbox's directory, so
// that a shared mailbox stays shared whoever delivers into it.
type perm struct {
	file, dir uint32
	gid       int // group to give them, -1: leave it
}

// modeFor derives the modes of new files and directories from the mode of the mailbox's directory.
func modeFor(dirMode uint32) (file, dir uint32) { return dirMode&0o666 | 0o600, dirMode&0o777 | 0o700 }

// perm reads the permissions for what is made in the mailbox whose directory this is.
func (d *dir) perm() (perm, error) {
	fi, err := d.statSelf()
	if err != nil {
		return perm{}, err
	}
	p := perm{gid: -1}
	p.file, p.dir = modeFor(fi.mode)
	// Where group and others have the same rights the group does not matter; with setgid the kernel sets it.
	if fi.mode>>3&7 != fi.mode&7 && fi.mode&unix.S_ISGID == 0 && int(fi.gid) != os.Getegid() {
		p.gid = int(fi.gid)
	}
	return p, nil
}

// createAs is create with the mailbox's permissions. A group we may not give is left, as Dovecot does, but then without
// rights for a group it was not meant for.
func (d *dir) createAs(name string, p perm) (*os.File, error) {
	f, err := d.create(name, p.file)
	if err != nil || p.gid < 0 {
		return f, err
	}
	if f.Chown(-1, p.gid) != nil {
		err = f.Chmod(os.FileMode(p.file&^0o070 | p.file&0o007<<3&0o070))
		if err != nil {
			f.Close()
			return nil, fileError("chmod", f.Name(), err)
		}
	}
	return f, nil
}

// mkdirAs is mkdir with the mailbox's permissions.
func (d *dir) mkdirAs(name string, p perm) error {
	if err := d.mkdir(name, p.dir); err != nil || p.gid < 0 {
		return err
	}
	return d.do("chown", name, func(fd int) error {
		err := unix.Fchownat(fd, name, -1, p.gid, unix.AT_SYMLINK_NOFOLLOW)
		if err == unix.EPERM || err == unix.EINVAL {
			return nil
		}
		return err
	})
}
