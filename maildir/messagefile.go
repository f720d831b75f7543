package maildir

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// MessageFile is an open message file as it was when it was opened. It is less than an os.File, which asks the kernel for flags and tries to poll
// what cannot be polled: two more system calls for each message that is read. Whoever opens it closes it. For one goroutine at a time.
type MessageFile struct {
	fd   int // -1: closed
	dir  string
	name string
	info fileInfo
}

// openMessage opens a regular file for reading.
func (d *dir) openMessage(name string) (*MessageFile, error) {
	fd, info, err := d.regularFD(name, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	return &MessageFile{fd, d.where, name, info}, nil
}

// Size is the octets it held when it was opened.
func (f *MessageFile) Size() int64 { return f.info.size }

// ReadAt is that of io.ReaderAt. Errors are those of the file system, or os.ErrClosed.
func (f *MessageFile) ReadAt(p []byte, off int64) (n int, err error) {
	if f.fd < 0 {
		return 0, &opError{"read", f.dir + "/" + f.name, os.ErrClosed}
	}
	for n < len(p) {
		m, err := retry(func() (int, error) { return unix.Pread(f.fd, p[n:], off+int64(n)) })
		if err != nil {
			return n, &opError{"read", f.dir + "/" + f.name, err}
		}
		if m == 0 {
			return n, io.EOF
		}
		n += m
	}
	return n, nil
}

// Close may be called more than once.
func (f *MessageFile) Close() {
	if f.fd >= 0 {
		unix.Close(f.fd) // nothing was written: there is no error to hear of
		f.fd = -1
	}
}
