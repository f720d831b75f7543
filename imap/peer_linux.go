package imap

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// peerState is what the kernel knows of a client.
type peerState uint8

const (
	peerThere  peerState = iota
	peerSilent           // it has closed its side: it says nothing more, and listens or is gone
	peerGone             // what we send does not reach it
)

// stateOfPeer looks at a connection without reading what the client sent.
func stateOfPeer(c net.Conn) peerState {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return peerThere
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return peerGone
	}
	state := peerThere
	err = raw.Control(func(fd uintptr) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		if _, err := unix.Poll(fds, 0); err != nil {
			return // EINTR: nobody knows, as long as nobody asks again
		}
		switch got := fds[0].Revents; {
		case got&(unix.POLLERR|unix.POLLHUP) != 0:
			state = peerGone
		case got&unix.POLLRDHUP != 0:
			state = peerSilent
		}
	})
	if err != nil {
		return peerGone
	}
	return state
}
