package imap

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// untagged is one untagged response: its text without the literals, of which only the announcements are left, and the literals.
type untagged struct {
	text     string
	literals [][]byte
}

// splitLiterals takes a response with its literals inside apart.
func splitLiterals(line string) untagged {
	var u untagged
	var text strings.Builder
	for {
		end := strings.Index(line, "}\r\n")
		if end < 0 {
			break
		}
		start := strings.LastIndexByte(line[:end], '{')
		n, err := strconv.Atoi(line[start+1 : end])
		if err != nil {
			break
		}
		end += len("}\r\n")
		text.WriteString(line[:end-2])
		u.literals = append(u.literals, []byte(line[end:end+n]))
		line = line[end+n:]
	}
	text.WriteString(line)
	u.text = text.String()
	return u
}

// literal returns the only literal.
func (u untagged) literal(t testing.TB) []byte {
	t.Helper()
	if len(u.literals) != 1 {
		t.Fatalf("%q has %d literals, want 1", u.text, len(u.literals))
	}
	return u.literals[0]
}

// answer is what a command brought.
type answer struct {
	untagged []untagged
	status   string // "OK …"
}

// ok fails the test unless the command succeeded.
func (a answer) ok(t testing.TB) answer {
	t.Helper()
	if !strings.HasPrefix(a.status, "OK") {
		t.Fatalf("answer is %s", a.status)
	}
	return a
}

// one returns the only untagged response that contains word.
func (a answer) one(t testing.TB, word string) untagged {
	t.Helper()
	var found []untagged
	for _, u := range a.untagged {
		if strings.Contains(u.text, word) {
			found = append(found, u)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d responses contain %q, want 1: %q, %s", len(found), word, a.texts(), a.status)
	}
	return found[0]
}

func (a answer) texts() []string {
	var out []string
	for _, u := range a.untagged {
		out = append(out, u.text)
	}
	return out
}

// do runs a command, whatever becomes of it.
func (tc *testClient) do(format string, args ...any) answer {
	tc.t.Helper()
	lines, status := tc.cmd(format, args...)
	a := answer{status: status}
	for _, line := range lines {
		a.untagged = append(a.untagged, splitLiterals(line))
	}
	return a
}

// append appends a message by a non-synchronizing literal and returns its UID.
func (tc *testClient) append(mailbox, msg string) uint32 {
	tc.t.Helper()
	a := tc.do("APPEND %s {%d+}\r\n%s", mailbox, len(msg), msg).ok(tc.t)
	var validity, uid uint32
	if _, err := fmt.Sscanf(a.status, "OK [APPENDUID %d %d]", &validity, &uid); err != nil {
		tc.t.Fatalf("no APPENDUID in %q", a.status)
	}
	return uid
}

// fill appends n small messages to INBOX.
func (tc *testClient) fill(n int) {
	tc.t.Helper()
	for i := range n {
		tc.append("INBOX", fmt.Sprintf("Subject: %d\r\n\r\nbody %d\r\n", i, i))
	}
}
