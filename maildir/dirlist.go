package maildir

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"
)

// direntBuffer is how much one getdents call may return: some 1,000 message names.
const direntBuffer = 1 << 16

// readNames calls fn with each entry but "." and ".." until it returns false. Each call reads the directory from its start. dtype is a
// DT_ constant of unix, DT_UNKNOWN where the file system does not say. What other programs rename meanwhile may be seen
// twice or not at all. Names lie in one piece of memory with many others: who keeps a few of them should copy these.
func (d *dir) readNames(fn func(name string, dtype uint8) bool) error {
	var fd int
	// A descriptor of its own, because the position belongs to the descriptor.
	if err := d.do("readdir", "", func(at int) (err error) {
		fd, err = unix.Openat(at, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		return err
	}); err != nil {
		return err
	}
	defer unix.Close(fd)
	ahead := readAhead{fd: fd}
	defer ahead.stop()
	for {
		buf, err := ahead.next()
		if err != nil {
			return &opError{"readdir", d.where, err}
		}
		if len(buf) == 0 {
			return nil
		}
		// struct linux_dirent64: ino 8, off 8, reclen 2, type 1, name with a NUL.
		text := string(buf) // one for all names
		for at := 0; at < len(buf); {
			entry := buf[at : at+int(binary.NativeEndian.Uint16(buf[at+16:]))]
			name := text[at+19 : at+len(entry)]
			at += len(entry)
			if end := strings.IndexByte(name, 0); end >= 0 {
				name = name[:end]
			}
			if name != "." && name != ".." && !fn(name, entry[18]) {
				return nil
			}
		}
	}
}

// smallDirent is the buffer for a directory with few names, which most are: to clear a large one takes longer than to read them.
const smallDirent = 8 << 10

// readAhead reads a directory, of a large one the next piece while the last one is used. For one goroutine.
type readAhead struct {
	fd    int
	small []byte
	bufs  [2][]byte
	calls int        // with bufs
	under chan piece // the call under way; nil: none
}

type piece struct {
	n   int
	err error
}

// next returns what one getdents call did, valid until the next one; nothing at the end.
func (r *readAhead) next() ([]byte, error) {
	var buf []byte
	var p piece
	if r.under != nil {
		p = <-r.under
		buf = r.bufs[r.calls%2]
		r.under = nil
		r.calls++
	} else {
		if r.small == nil {
			r.small = make([]byte, smallDirent)
		}
		buf = r.small
		p = r.read(buf)
	}
	if p.err != nil || p.n == 0 {
		return nil, p.err
	}
	if p.n > len(buf)/2 { // there is more
		other := &r.bufs[r.calls%2]
		if *other == nil {
			*other = make([]byte, direntBuffer)
		}
		under := make(chan piece, 1)
		r.under = under
		go func() { under <- r.read(*other) }()
	}
	return buf[:p.n], nil
}

func (r *readAhead) read(buf []byte) piece {
	n, err := retry(func() (int, error) { return unix.Getdents(r.fd, buf) })
	return piece{n, err}
}

// stop waits for the call under way, so that the descriptor can be closed.
func (r *readAhead) stop() {
	if r.under != nil {
		<-r.under
	}
}

// roughly guesses how many names of messages the directory has, from its size where the file system gives it one.
func (d *dir) roughly() int {
	fi, err := d.statSelf()
	if err != nil {
		return 0
	}
	return int(min(fi.size>>7, 1<<20))
}

// maxDepth bounds how deep directories are removed and walked; each level holds a file descriptor.
const maxDepth = 32

// removeAll removes name with everything in it, without following symbolic links. Nothing there is no error, nor is anybody else who
// removes it at the same time.
func (d *dir) removeAll(name string) error { return d.removeTree(name, maxDepth) }

func (d *dir) removeTree(name string, depth int) error {
	err := d.unlink(name)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if fi, serr := d.stat(name); errors.Is(serr, fs.ErrNotExist) {
		return nil
	} else if serr != nil || !fi.isDir() {
		return err
	}
	if depth == 0 {
		return &opError{"rmdir", d.where + "/" + name, fmt.Errorf("more than %d directories deep", maxDepth)}
	}
	// Other programs may still be adding files: a few rounds, not for ever.
	for range 4 {
		if err = d.rmdir(name); err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if !errors.Is(err, unix.ENOTEMPTY) && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if failed := d.clear(name, depth); errors.Is(failed, fs.ErrNotExist) {
			return nil
		} else if failed != nil {
			return failed
		}
	}
	return err
}

// clear removes everything in a directory.
func (d *dir) clear(name string, depth int) error {
	sub, err := d.sub(name)
	if err != nil {
		return err
	}
	defer sub.close()
	var failed error
	err = sub.readNames(func(entry string, _ uint8) bool {
		failed = sub.removeTree(entry, depth-1)
		return failed == nil
	})
	return errors.Join(failed, err)
}
