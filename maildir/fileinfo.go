package maildir

import (
	"math"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// fileInfo is the part of stat(2) that matters here. Times are nanoseconds since the epoch.
type fileInfo struct {
	ino, dev     uint64
	size         int64
	mtime, ctime int64
	mode         uint32 // with the file type
	nlink        uint64
	uid, gid     uint32
}

func (fi fileInfo) isDir() bool { return fi.mode&unix.S_IFMT == unix.S_IFDIR }

func (fi fileInfo) isRegular() bool { return fi.mode&unix.S_IFMT == unix.S_IFREG }

// sameFile tells whether both are the same inode.
func (fi fileInfo) sameFile(o fileInfo) bool { return fi.ino == o.ino && fi.dev == o.dev }

func newFileInfo(st *unix.Stat_t) fileInfo {
	return fileInfo{
		ino: st.Ino, dev: uint64(st.Dev), size: st.Size, mode: st.Mode, nlink: uint64(st.Nlink), uid: st.Uid, gid: st.Gid,
		mtime: nanoseconds(st.Mtim), ctime: nanoseconds(st.Ctim),
	}
}

// nanoseconds since the epoch, or as near to it as they fit, from 1678 to 2261.
func nanoseconds(ts unix.Timespec) int64 {
	const most = math.MaxInt64/int64(time.Second) - 1
	if ts.Sec > most || ts.Sec < -most {
		return max(-most, min(ts.Sec, most)) * int64(time.Second)
	}
	return unix.TimespecToNsec(ts)
}

// statFile is stat of an open file.
func statFile(f *os.File) (fileInfo, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return fileInfo{}, fileError("stat", f.Name(), err)
	}
	var st unix.Stat_t
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = unix.Fstat(int(fd), &st) }); err != nil {
		failed = err
	}
	return newFileInfo(&st), fileError("stat", f.Name(), failed)
}

// stat tells about name itself: not about what a symbolic link points to.
func (d *dir) stat(name string) (fi fileInfo, err error) {
	var st unix.Stat_t
	err = d.named("stat", name, func(fd int) error { return unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	return newFileInfo(&st), err
}

func (d *dir) statSelf() (fi fileInfo, err error) {
	var st unix.Stat_t
	err = d.do("stat", "", func(fd int) error { return unix.Fstat(fd, &st) })
	return newFileInfo(&st), err
}
