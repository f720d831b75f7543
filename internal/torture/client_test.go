package torture

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
	"time"
)

// client speaks IMAP in whole lines. It belongs to one goroutine.
type client struct {
	conn net.Conn
	in   *bufio.Reader
	tag  int
}

// errRefused is a tagged NO or BAD; all other errors are those of a connection that has ended.
var errRefused = errors.New("refused")

// patience is how long an answer may take on a machine that has much else to do.
const patience = 2 * time.Minute

func (s *server) client() (*client, error) {
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		return nil, err
	}
	c := &client{conn: conn, in: bufio.NewReader(conn)}
	if _, err := c.line(); err != nil {
		conn.Close()
		return nil, err
	}
	if _, _, err := c.do("LOGIN %s %s", user, password); err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

// line reads one response with its literals, which stand in the line as they came.
func (c *client) line() (string, error) {
	c.conn.SetReadDeadline(time.Now().Add(patience))
	var b strings.Builder
	for {
		l, err := c.in.ReadString('\n')
		b.WriteString(l)
		if err != nil {
			return "", err
		}
		l = strings.TrimRight(l, "\r\n")
		i := strings.LastIndexByte(l, '{')
		if i < 0 || !strings.HasSuffix(l, "}") {
			return strings.TrimRight(b.String(), "\r\n"), nil
		}
		n, err := strconv.ParseInt(l[i+1:len(l)-1], 10, 64)
		if err != nil {
			return strings.TrimRight(b.String(), "\r\n"), nil
		}
		if _, err := io.CopyN(&b, c.in, n); err != nil {
			return "", err
		}
	}
}

// do sends a command and returns what came untagged, and the text of the tagged OK.
func (c *client) do(format string, args ...any) (untagged []string, tagged string, err error) {
	c.tag++
	tag := fmt.Sprintf("t%d ", c.tag)
	command := fmt.Sprintf(format, args...)
	if _, err := io.WriteString(c.conn, tag+command+"\r\n"); err != nil {
		return nil, "", err
	}
	for {
		l, err := c.line()
		if err != nil {
			return nil, "", err
		}
		tagged, ok := strings.CutPrefix(l, tag)
		switch {
		case !ok:
			untagged = append(untagged, l)
		case !strings.HasPrefix(tagged, "OK "):
			return untagged, tagged, fmt.Errorf("%.200q %w: %s", command, errRefused, tagged)
		default:
			return untagged, tagged, nil
		}
	}
}

// found is a message as a server tells of it.
type found struct {
	uid   uint32
	flags string // sorted, without \Recent
	body  string
}

var (
	fetchedUID   = regexp.MustCompile(`\bUID (\d+)`)
	fetchedFlags = regexp.MustCompile(`\bFLAGS \(([^)]*)\)`)
	fetchedBody  = regexp.MustCompile(`\bBODY\[\] \{(\d+)\}\r\n`)
	codeUIDs     = regexp.MustCompile(`\[(?:APPENDUID|COPYUID) \d+ (?:\S+ )?([\d:,]+)\]`)
)

// read looks at a whole mailbox without changing it.
func (c *client) read(box string) ([]found, error) {
	if _, _, err := c.do("EXAMINE %s", box); err != nil {
		return nil, err
	}
	lines, _, err := c.do("UID FETCH 1:* (FLAGS BODY.PEEK[])")
	var list []found
	for _, l := range lines {
		var f found
		if at := fetchedBody.FindStringSubmatchIndex(l); at != nil {
			n, _ := strconv.Atoi(l[at[2]:at[3]])
			f.body = l[at[1]:][:n]
			l = l[:at[0]] + l[at[1]+n:]
		}
		uid, flags := fetchedUID.FindStringSubmatch(l), fetchedFlags.FindStringSubmatch(l)
		if uid == nil || flags == nil {
			continue
		}
		n, _ := strconv.ParseUint(uid[1], 10, 32)
		f.uid, f.flags = uint32(n), sortFlags(flags[1])
		list = append(list, f)
	}
	return list, err
}

func sortFlags(text string) string {
	words := slices.DeleteFunc(strings.Fields(text), func(w string) bool { return w == `\Recent` })
	slices.Sort(words)
	return strings.Join(slices.Compact(words), " ")
}

// uidsOf are the new UIDs in the response code of an APPEND, COPY or MOVE.
func uidsOf(line string) (uids []uint32) {
	m := codeUIDs.FindStringSubmatch(line)
	if m == nil {
		return nil
	}
	for part := range strings.SplitSeq(m[1], ",") {
		from, to, isRange := strings.Cut(part, ":")
		a, _ := strconv.ParseUint(from, 10, 32)
		b := a
		if isRange {
			b, _ = strconv.ParseUint(to, 10, 32)
		}
		for uid := min(a, b); uid <= max(a, b); uid++ {
			uids = append(uids, uint32(uid))
		}
	}
	return uids
}
