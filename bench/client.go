package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync/atomic"
	"time"
)

// patience is how long any command may take.
const patience = 15 * time.Minute

// tailSize is more than any tagged response has.
const tailSize = 4 << 10

// client is one connection. It reads answers in large pieces and looks at no more of them than where they end, so that on a machine of few
// processors it is the server that is measured. Not safe for concurrent use.
type client struct {
	conn net.Conn
	buf  []byte
	tail []byte // the last octets of an answer being read
	nth  int
}

// answer is what came for one command.
type answer struct {
	octets   int64  // without the tagged response
	untagged int    // lines that began with "* "
	text     string // the end of it, at most tailSize octets, with the tagged line
}

var source atomic.Uint32

// dial connects from one of many loopback addresses, for no more connections of one client address than a port has numbers.
func dial(addr string, secure bool, buffer int) (*client, error) {
	n := source.Add(1)
	d := net.Dialer{Timeout: 30 * time.Second, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, byte(n>>6%4), byte(2+n%64))}}
	conn, err := d.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	if secure {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13})
	}
	c := &client{conn: conn, buf: make([]byte, buffer)}
	if _, err := c.until("* OK"); err != nil {
		conn.Close()
		return nil, fmt.Errorf("greeting: %w", err)
	}
	return c, nil
}

func (c *client) close() { c.conn.Close() }

// login sends LOGIN as every server understands it.
func (c *client) login(user string) error {
	_, err := c.do(`LOGIN %s "%s"`, user, password)
	return err
}

// do sends a command and reads to the end of its answer. Everything but OK is an error.
func (c *client) do(format string, args ...any) (answer, error) {
	return c.send(fmt.Appendf(nil, format, args...), nil)
}

// appendTo sends messages in one APPEND, with literals that do not wait (RFC 7888, RFC 3502).
func (c *client) appendTo(box string, messages ...[]byte) (answer, error) {
	cmd := fmt.Appendf(nil, "APPEND %s", box)
	for _, m := range messages {
		cmd = fmt.Appendf(cmd, " (\\Seen) {%d+}\r\n", len(m))
		cmd = append(cmd, m...)
	}
	return c.send(cmd, nil)
}

// ask is do for answers that are looked at: it returns all of it.
func (c *client) ask(format string, args ...any) (string, error) {
	var all bytes.Buffer
	_, err := c.send(fmt.Appendf(nil, format, args...), &all)
	return all.String(), err
}

func (c *client) send(cmd []byte, all *bytes.Buffer) (answer, error) {
	c.nth++
	tag := fmt.Sprintf("zQ%dx", c.nth)
	c.conn.SetDeadline(time.Now().Add(patience))
	if _, err := c.conn.Write(append(append([]byte(tag+" "), cmd...), "\r\n"...)); err != nil {
		return answer{}, err
	}
	a, err := c.finish(tag, all)
	if err != nil {
		return a, fmt.Errorf("%.80q: %w", cmd, err)
	}
	return a, nil
}

// finish reads up to the tagged response. Nothing follows it, because the next command has not been sent.
func (c *client) finish(tag string, all *bytes.Buffer) (answer, error) {
	var a answer
	c.tail = append(c.tail[:0], "\r\n"...)
	done := []byte("\r\n" + tag + " ")
	for {
		n, err := c.conn.Read(c.buf)
		if err != nil {
			return a, err
		}
		got := c.buf[:n]
		a.octets += int64(n)
		a.untagged += bytes.Count(got, []byte("\r\n* ")) + across(c.tail, got)
		if all != nil {
			all.Write(got)
		}
		if n >= tailSize {
			c.tail = append(c.tail[:0], got[n-tailSize:]...)
		} else {
			c.tail = append(c.tail, got...)
			c.tail = append(c.tail[:0], c.tail[max(0, len(c.tail)-tailSize):]...)
		}
		if !bytes.HasSuffix(c.tail, []byte("\r\n")) {
			continue
		}
		i := bytes.LastIndex(c.tail, done)
		if i < 0 {
			continue
		}
		a.text = string(c.tail)
		a.octets -= int64(len(c.tail) - i - 2)
		if line := c.tail[i+len(done):]; !bytes.HasPrefix(line, []byte("OK")) {
			return a, errors.New(strings.TrimSpace(string(line)))
		}
		return a, nil
	}
}

// across is 1 when the start of an untagged response lies across the border of what was read before and what was read now.
func across(before, now []byte) int {
	for cut := 1; cut < 4; cut++ {
		if bytes.HasSuffix(before, []byte("\r\n* ")[:cut]) && bytes.HasPrefix(now, []byte("\r\n* ")[cut:]) {
			return 1
		}
	}
	return 0
}

// until reads lines until one contains the text, and returns that one. Nothing but lines may come, and whoever waits like this has to know that
// what comes behind that line can be thrown away.
func (c *client) until(text string) (string, error) {
	c.conn.SetDeadline(time.Now().Add(patience))
	rest := ""
	for {
		n, err := c.conn.Read(c.buf)
		if err != nil {
			return rest, err
		}
		lines := strings.SplitAfter(rest+string(c.buf[:n]), "\r\n")
		for _, line := range lines {
			if strings.Contains(line, text) && strings.HasSuffix(line, "\r\n") {
				return line, nil
			}
			if strings.HasPrefix(line, "* BYE") {
				return line, errors.New(strings.TrimSpace(line))
			}
		}
		rest = lines[len(lines)-1]
	}
}

// idle enters IDLE and returns when the server is waiting.
func (c *client) idle() error {
	c.nth++
	c.conn.SetDeadline(time.Now().Add(patience))
	if _, err := fmt.Fprintf(c.conn, "zQ%dx IDLE\r\n", c.nth); err != nil {
		return err
	}
	_, err := c.until("+ ")
	return err
}

func (c *client) done() error {
	if _, err := c.conn.Write([]byte("DONE\r\n")); err != nil {
		return err
	}
	_, err := c.finish(fmt.Sprintf("zQ%dx", c.nth), nil)
	return err
}

// letter is a message of about 4 KB to append, with CRLF.
func letter(rng *rand.Rand) []byte {
	text := fmt.Appendf(nil, "From: Bench <bench@example.org>\r\nTo: bench@example.org\r\nSubject: appended %08x\r\n"+
		"Date: Sat, 01 Jun 2024 12:00:00 +0000\r\nMessage-ID: <%[1]x@bench>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n", rng.Uint64())
	for len(text) < 4000 {
		text = append(text, "This line stands for what people write to each other, again and again.\r\n"...)
	}
	return text
}
