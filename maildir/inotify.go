package maildir

import (
	"bytes"
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"
)

// gatherEvents is how long events pile up before they are read again. Our own renames cause most of them, two each, and to be woken for every one
// costs nearly as much as a rename. For the same reason the descriptor is a blocking one, of which Go's poller is not told: it would wake for them.
const gatherEvents = 2 * time.Millisecond

// inotify is an inotify instance for directories. Its methods may be called by many goroutines.
type inotify struct{ fd int }

// inotifyEvent is what happened to a name in a directory, or to the instance.
type inotifyEvent struct {
	wd      int32
	name    string
	created bool // the name is there now; otherwise it no longer is
	gone    bool // the directory is not watched any more
	lost    bool // the kernel's queue was full
}

func newInotify() (*inotify, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		return nil, err
	}
	return &inotify{fd}, nil
}

// add watches a directory for names that come and go. fs.ErrExist when it is watched already.
func (n *inotify) add(path string) (wd int32, err error) {
	got, err := unix.InotifyAddWatch(n.fd, path, unix.IN_CREATE|unix.IN_MOVED_TO|unix.IN_DELETE|unix.IN_MOVED_FROM|
		unix.IN_ONLYDIR|unix.IN_DONT_FOLLOW|unix.IN_MASK_CREATE)
	if err != nil {
		return 0, &opError{"watch", path, err}
	}
	return int32(got), nil
}

// remove ends a watch; events that wait to be read still come. Nothing happens when the directory is gone, which ended it.
func (n *inotify) remove(wd int32) { unix.InotifyRmWatch(n.fd, uint32(wd)) }

// read calls fn with all events until reading fails. It takes a thread.
func (n *inotify) read(fn func(inotifyEvent)) error {
	buf := make([]byte, 1<<16)
	for {
		got, err := retry(func() (int, error) { return unix.Read(n.fd, buf) })
		if err != nil {
			return err
		}
		// struct inotify_event: wd 4, mask 4, cookie 4, len 4, name padded with NULs.
		for b := buf[:got]; len(b) >= unix.SizeofInotifyEvent; {
			end := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(b[12:]))
			mask := binary.NativeEndian.Uint32(b[4:])
			name, _, _ := bytes.Cut(b[unix.SizeofInotifyEvent:end], []byte{0})
			fn(inotifyEvent{
				wd:      int32(binary.NativeEndian.Uint32(b)),
				name:    string(name),
				created: mask&(unix.IN_CREATE|unix.IN_MOVED_TO) != 0,
				gone:    mask&unix.IN_IGNORED != 0,
				lost:    mask&unix.IN_Q_OVERFLOW != 0,
			})
			b = b[end:]
		}
		if got < len(buf)/2 {
			time.Sleep(gatherEvents)
		}
	}
}
