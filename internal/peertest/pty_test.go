package peertest

import (
	"io"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// screen is a pseudo-terminal of one run of a program.
type screen struct {
	slave *os.File
	drawn chan struct{} // closed when everything has been written to out
}

// finish waits for the last of what the program drew.
func (s *screen) finish() {
	s.slave.Close() // nobody has it open any more: reading ends behind what is still there
	select {
	case <-s.drawn:
	case <-time.After(10 * time.Second): // a process that the program left behind has
	}
}

// terminal makes a pseudo-terminal for a program that draws on a screen; what it draws goes to out.
func terminal(t *testing.T, out io.Writer) *screen {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	must(t, err)
	t.Cleanup(func() { master.Close() })
	conn, err := master.SyscallConn()
	must(t, err)
	var n int
	var failed error
	must(t, conn.Control(func(fd uintptr) {
		if failed = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); failed != nil {
			return
		}
		if n, failed = unix.IoctlGetInt(int(fd), unix.TIOCGPTN); failed != nil {
			return
		}
		failed = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 132})
	}))
	must(t, failed)
	slave, err := os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR, 0)
	must(t, err)
	t.Cleanup(func() { slave.Close() })
	s := &screen{slave, make(chan struct{})}
	go func() {
		defer close(s.drawn)
		io.Copy(out, master) // ends when both ends of the slave are closed, or master is
	}()
	return s
}
