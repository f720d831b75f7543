package peertest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// client speaks IMAP in whole lines, to roost over a socket or to Dovecot over pipes. It belongs to one goroutine.
type client struct {
	name string
	in   *bufio.Reader
	out  io.WriteCloser
	tag  int
	// broken is the first failure of the connection; the commands after it do nothing.
	broken error
}

// errRefused is a tagged NO or BAD.
var errRefused = errors.New("refused")

// newClient takes over a connection; the greeting has to be there or come.
func newClient(name string, in io.Reader, out io.WriteCloser) *client {
	c := &client{name: name, in: bufio.NewReaderSize(in, 1<<16), out: out}
	c.line()
	return c
}

// client connects to r and logs in.
func (r *roost) client(name string) *client {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.addr)
	must(r.t, err)
	must(r.t, conn.SetDeadline(time.Now().Add(grace)))
	r.t.Cleanup(func() { conn.Close() })
	c := newClient(name, conn, conn)
	c.must(r.t, fmt.Sprintf("LOGIN %s %q", login, password))
	return c
}

// line reads one response with its literals, which stand in the line as they came.
func (c *client) line() string {
	var b strings.Builder
	for c.broken == nil {
		l, err := c.in.ReadString('\n')
		b.WriteString(l)
		if err != nil {
			c.broken = fmt.Errorf("%s: %w after %q", c.name, err, b.String())
			break
		}
		l = strings.TrimRight(l, "\r\n")
		var size int64
		i := strings.LastIndexByte(l, '{')
		if i < 0 || !strings.HasSuffix(l, "}") {
			break
		}
		if n, _ := fmt.Sscanf(l[i:], "{%d}", &size); n != 1 {
			break
		}
		if _, err := io.CopyN(&b, c.in, size); err != nil {
			c.broken = fmt.Errorf("%s: %w in a literal", c.name, err)
		}
	}
	return strings.TrimRight(b.String(), "\r\n")
}

// do sends a command, literal after it if there is one, and returns the untagged lines and the text after the tag. NO and BAD are errRefused.
func (c *client) do(command string, literal ...string) (untagged []string, tagged string, err error) {
	c.tag++
	tag := fmt.Sprintf("t%d", c.tag)
	text := tag + " " + command
	for _, l := range literal {
		text += fmt.Sprintf(" {%d+}\r\n%s", len(l), l)
	}
	if c.broken == nil {
		_, c.broken = io.WriteString(c.out, text+"\r\n")
	}
	for c.broken == nil {
		l := c.line()
		if tagged, ok := strings.CutPrefix(l, tag+" "); ok {
			if !strings.HasPrefix(tagged, "OK") {
				err = fmt.Errorf("%s: %.200q %w: %s", c.name, command, errRefused, tagged)
			}
			return untagged, tagged, err
		}
		untagged = append(untagged, l)
	}
	return untagged, "", fmt.Errorf("%.200q: %w", command, c.broken)
}

// must is do for commands that have to be answered with OK.
func (c *client) must(t *testing.T, command string, literal ...string) []string {
	t.Helper()
	untagged, _, err := c.do(command, literal...)
	if err != nil {
		t.Fatal(err)
	}
	return untagged
}

// logout says goodbye.
func (c *client) logout(t *testing.T) {
	t.Helper()
	c.must(t, "LOGOUT")
	c.out.Close()
}

// message is what a server says about one message.
type message struct {
	uid   uint32
	flags string // sorted, without \Recent, which each server counts by itself
	date  string // INTERNALDATE
	body  string
}

// mailbox is what a server says about a mailbox as a new session sees it.
type mailbox struct {
	validity, next string
	messages       []message
}

var (
	fetchedUID   = regexp.MustCompile(`\bUID (\d+)`)
	fetchedFlags = regexp.MustCompile(`\bFLAGS \(([^)]*)\)`)
	fetchedDate  = regexp.MustCompile(`\bINTERNALDATE "([^"]*)"`)
	fetchedBody  = regexp.MustCompile(`\bBODY\[\] \{(\d+)\}\r\n`)
	codeValidity = regexp.MustCompile(`^\* OK \[UIDVALIDITY (\d+)\]`)
	codeNext     = regexp.MustCompile(`^\* OK \[UIDNEXT (\d+)\]`)
)

// read looks at a whole mailbox without changing it.
func (c *client) read(name string) (mailbox, error) {
	var m mailbox
	lines, _, err := c.do(fmt.Sprintf("EXAMINE %q", name))
	if err != nil {
		return m, err
	}
	for _, l := range lines {
		if v := codeValidity.FindStringSubmatch(l); v != nil {
			m.validity = v[1]
		} else if v := codeNext.FindStringSubmatch(l); v != nil {
			m.next = v[1]
		}
	}
	lines, _, err = c.do("UID FETCH 1:* (FLAGS INTERNALDATE BODY.PEEK[])")
	for _, l := range lines {
		if msg, ok := fetched(l); ok {
			m.messages = append(m.messages, msg)
		}
	}
	return m, err
}

// fetched reads a FETCH response that has a UID.
func fetched(line string) (message, bool) {
	var msg message
	if at := fetchedBody.FindStringSubmatchIndex(line); at != nil {
		size, _ := strconv.Atoi(line[at[2]:at[3]])
		end := min(at[1]+size, len(line))
		msg.body = line[at[1]:end]
		line = line[:at[0]] + line[end:]
	}
	uid := fetchedUID.FindStringSubmatch(line)
	if uid == nil || !strings.Contains(line, " FETCH (") {
		return msg, false
	}
	n, _ := strconv.ParseUint(uid[1], 10, 32)
	msg.uid = uint32(n)
	if m := fetchedFlags.FindStringSubmatch(line); m != nil {
		flags := slices.DeleteFunc(strings.Fields(m[1]), func(f string) bool { return f == `\Recent` })
		slices.Sort(flags)
		msg.flags = strings.Join(flags, " ")
	}
	if m := fetchedDate.FindStringSubmatch(line); m != nil {
		msg.date = m[1]
	}
	return msg, true
}

// text is one line for each fact, so that differences can be read.
func (m mailbox) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "UIDVALIDITY %s UIDNEXT %s\n", m.validity, m.next)
	for _, msg := range m.messages {
		fmt.Fprintf(&b, "%d (%s) %s %d octets %q\n", msg.uid, msg.flags, msg.date, len(msg.body), headerOf(msg.body))
	}
	return b.String()
}

// headerOf is the beginning of a message that tells it from others.
func headerOf(body string) string { return body[:min(len(body), 60)] }
