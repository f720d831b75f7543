package imap

import (
	"net"
	"sync"
	"time"
)

// timedConn gives every read and write of a connection a deadline. Reads are bounded by what the session set last, so that a
// client that sends nothing, or one octet a minute, goes; writes by Limits.Write, so that one that reads nothing does.
type timedConn struct {
	net.Conn
	write time.Duration

	mu     sync.Mutex // protects what follows
	until  time.Time  // no read lasts longer; zero: forever
	each   time.Duration
	halted bool // reads fail: the server is shutting down
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
	return c.Conn.Read(p)
}

func (c *timedConn) Write(p []byte) (int, error) {
	n := 0
	for {
		c.Conn.SetWriteDeadline(time.Now().Add(c.write))
		piece := p[n:min(len(p), n+1<<20)]
		m, err := c.Conn.Write(piece)
		n += m
		if err != nil || n == len(p) {
			return n, err
		}
	}
}

// limit sets how long reads may take: until a point in time, and each one.
func (c *timedConn) limit(until time.Time, each time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until, c.each = until, each
}

// interrupt makes the running read and all later ones fail.
func (c *timedConn) interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.halted = true
	c.Conn.SetReadDeadline(time.Unix(1, 0))
}

// poke makes the running read fail, for a goroutine that peeks.
func (c *timedConn) poke() { c.Conn.SetReadDeadline(time.Unix(1, 0)) }
