package imap

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// writePiece is what a client has to take within Limits.Write, so that a slow one is told from one that reads nothing. What encoders write at
	// once is smaller.
	writePiece = 72 << 10
	// halfClosed is how long a client that says nothing more is worked for without a sign that it still listens.
	halfClosed = 30 * time.Second
	// TCP's own sign of life finds clients that went away without a word. Rare enough not to keep a telephone's radio awake.
	tcpIdle, tcpInterval, tcpProbes = 15 * time.Minute, time.Minute, 4
)

// timedConn gives every read and write of a connection a deadline. Reads are bounded by what the session set last, so that a
// client that sends nothing, or one octet a minute, goes; writes by Limits.Write, so that one that reads nothing does.
type timedConn struct {
	net.Conn
	write  time.Duration
	wrote  atomic.Int64 // when the client's end took something last, in nanoseconds of the Unix epoch
	silent time.Time    // when it was first seen that the client has closed its side; of the session's goroutine
	broken atomic.Bool  // a read or write has failed, or will: it is closed
	deaf   atomic.Bool  // a write has failed, or will
	pushed atomic.Bool  // out before login, by another that had not logged in either

	mu     sync.Mutex    // protects what follows
	until  time.Time     // no read lasts longer; zero: forever
	each   time.Duration // how long one read may take; zero: until
	halted bool          // all reads fail
}

func newTimedConn(c net.Conn, write time.Duration) *timedConn {
	if tcp, ok := c.(*net.TCPConn); ok {
		// An error means that the kernel's default applies.
		_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: tcpIdle, Interval: tcpInterval, Count: tcpProbes})
	}
	return &timedConn{Conn: c, write: write}
}

func (c *timedConn) Read(p []byte) (int, error) {
	c.mu.Lock()
	deadline := c.until
	if c.each > 0 {
		if t := time.Now().Add(c.each); deadline.IsZero() || t.Before(deadline) {
			deadline = t
		}
	}
	if !c.halted {
		c.Conn.SetReadDeadline(deadline)
	}
	c.mu.Unlock()
	n, err := c.Conn.Read(p)
	if err != nil {
		c.broken.Store(true)
	}
	return n, err
}

func (c *timedConn) Write(p []byte) (int, error) {
	n := 0
	for {
		c.Conn.SetWriteDeadline(time.Now().Add(c.write))
		m, err := c.Conn.Write(p[n:min(len(p), n+writePiece)])
		n += m
		if m > 0 {
			c.wrote.Store(time.Now().UnixNano())
		}
		if err != nil {
			c.broken.Store(true)
			c.deaf.Store(true)
		}
		if err != nil || n == len(p) {
			return n, err
		}
	}
}

// Close may be called by any goroutine, and more than once.
func (c *timedConn) Close() error {
	c.broken.Store(true)
	c.deaf.Store(true)
	return c.Conn.Close()
}

// limit sets how long reads may take: until a point in time, and each one.
func (c *timedConn) limit(until time.Time, each time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until, c.each = until, each
}

// listening tells whether an answer still finds somebody. A client may close its side and wait for what it has asked ("printf … | ncat");
// if it is gone instead, the first piece that we send brings a reset, and as long as nothing is sent the time is bounded.
func (c *timedConn) listening(now time.Time) bool {
	switch stateOfPeer(c.Conn) {
	case peerSilent:
		if c.silent.IsZero() {
			c.silent = now
		}
		return now.Sub(c.silent) < halfClosed || now.Sub(time.Unix(0, c.wrote.Load())) < halfClosed
	case peerGone:
		return false
	}
	return true
}

// interrupt makes the running read and all later ones fail. Any goroutine may call it.
func (c *timedConn) interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.halted = true
	c.Conn.SetReadDeadline(time.Unix(1, 0))
}
