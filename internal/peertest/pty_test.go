package peertest

import (
	"io"
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal makes a pseudo-terminal for a program that draws on a screen; what it draws goes to out.
func terminal(t *testing.T, out io.Writer) *os.File {
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
	go io.Copy(out, master) // ends when the test closes master
	return slave
}
