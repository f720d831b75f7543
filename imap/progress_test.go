package imap

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"roost/imap/wire"
)

// hurried makes notices of progress come at once.
func hurried(o *Options) { o.progress = time.Millisecond }

// notices reads responses until n of them are notices of the progress of tag, calls then, and returns all notices when the command is completed.
func (tc *testClient) notices(tag string, n int, then func()) (states []string) {
	tc.t.Helper()
	for {
		l := tc.line()
		if strings.HasPrefix(l, tag+" OK") {
			return states
		}
		if rest, ok := strings.CutPrefix(l, `* OK [INPROGRESS ("`+tag+`" `); ok {
			state, _, _ := strings.Cut(rest, ")]")
			if states = append(states, state); len(states) == n {
				then()
			}
		} else if strings.HasPrefix(l, tag+" ") {
			tc.t.Fatal(l)
		}
	}
}

// holdLock takes the lock of INBOX like another program, and returns how to give it back.
func (ts *testServer) holdLock() (release func()) {
	ts.t.Helper()
	lock := filepath.Join(ts.root, "dovecot-uidlist.lock")
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		f, err := os.OpenFile(lock, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err == nil {
			f.Close()
			return sync.OnceFunc(func() { os.Remove(lock) })
		}
		if !errors.Is(err, fs.ErrExist) || time.Now().After(end) {
			ts.t.Fatal(err)
		}
	}
}

// TestProgressReading keeps the processors from those who read messages, which is known when it ends, and looks at what the client is told.
func TestProgressReading(t *testing.T) {
	ts := newTestServer(t, hurried)
	for i := range 3 * scanChunkFile {
		ts.deliver("", "cur", ":2,", fmt.Sprintf("Subject: %d\n\nwords\n", i))
	}
	tc := ts.login()
	tc.ok("SELECT INBOX")
	for _, cmd := range []string{"SEARCH BODY words", "UID SORT (SUBJECT) UTF-8 BODY words", "THREAD REFERENCES UTF-8 BODY words"} {
		for range cap(ts.srv.tokens) {
			ts.srv.tokens <- struct{}{}
		}
		tc.send("a1 " + cmd + "\r\n")
		states := tc.notices("a1", 3, func() {
			for range cap(ts.srv.tokens) {
				<-ts.srv.tokens
			}
		})
		last := -1
		for _, state := range states {
			var done, goal int
			if _, err := fmt.Sscanf(state, "%d %d", &done, &goal); err != nil || goal != percent || done < last || done >= goal {
				t.Errorf("%s: %q", cmd, states)
			}
			last = done
		}
		if last < 0 {
			t.Errorf("%s: not a word", cmd)
		}
	}
}

// TestProgressMailboxes: of several mailboxes that are searched each is a part of the way. The second waits for another program.
func TestProgressMailboxes(t *testing.T) {
	ts := newTestServer(t, hurried)
	tc := ts.login()
	tc.ok("CREATE Second")
	for i := range 2 * scanChunkFile {
		ts.deliver("", "cur", ":2,", fmt.Sprintf("Subject: %d\n\nwords\n", i))
	}
	tc.ok("STATUS INBOX (MESSAGES)")
	ts.deliver("Second", "new", "", "Subject: x\n\nwords\n")
	lock := filepath.Join(ts.root, ".Second", "dovecot-uidlist.lock")
	if err := os.WriteFile(lock, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range cap(ts.srv.tokens) {
		ts.srv.tokens <- struct{}{}
	}
	tc.send("a1 ESEARCH IN (mailboxes (INBOX Second)) BODY words\r\n")
	answered := 0
	for heard := 0; answered < 2; {
		l := tc.line()
		var done, goal int
		switch _, err := fmt.Sscanf(l, `* OK [INPROGRESS ("a1" %d %d)]`, &done, &goal); {
		case err == nil && (goal != percent || done > (answered+1)*percent/2):
			t.Fatal(l)
		case err == nil:
			if heard++; heard == 3 {
				for range cap(ts.srv.tokens) {
					<-ts.srv.tokens
				}
			} else if answered == 1 && heard > 30 {
				os.Remove(lock)
			}
		case strings.HasPrefix(l, "* ESEARCH"):
			answered++
			heard = max(heard, 3)
		default:
			t.Fatal(l)
		}
	}
	if l := tc.line(); !strings.HasPrefix(l, "a1 OK") {
		t.Error(l)
	}
}

// TestProgressWaiting has another program hold the lock of the mailbox.
func TestProgressWaiting(t *testing.T) {
	ts := newTestServer(t, hurried)
	for range 3 {
		ts.deliver("", "cur", ":2,S", "Subject: x\n\nwords\n")
	}
	tc := ts.login()
	tc.ok("CREATE Elsewhere")
	tc.ok("SELECT INBOX")
	for _, c := range []struct{ cmd, state string }{
		{"STORE 1:3 +FLAGS (\\Flagged)", "0 3"},
		{"APPEND INBOX {3+}\r\na\r\n", "NIL NIL"},
		{"STORE 3 +FLAGS (\\Deleted)", "0 1"},
		{"EXPUNGE", "0 "},
		{"MOVE 1 Elsewhere", "NIL NIL"},
		{"NOOP", ""},
	} {
		release := ts.holdLock()
		if c.state == "" {
			release()
		}
		tc.send("a1 " + c.cmd + "\r\n")
		states := tc.notices("a1", 2, release)
		for _, state := range states {
			if c.state != "" && !strings.HasPrefix(state, c.state) {
				t.Errorf("%s: %q", c.cmd, states)
			}
		}
		if len(states) == 0 && c.state != "" {
			t.Errorf("%s: not a word", c.cmd)
		}
	}
}

// TestProgressTag: a tag that would end the response code is not told, and nothing is when it is turned off.
func TestProgressTag(t *testing.T) {
	for tag, want := range map[string]string{"a": `("a" NIL NIL)`, "a]b": "(NIL NIL NIL)", "off": ""} {
		ts := newTestServer(t, func(o *Options) {
			if hurried(o); want == "" {
				o.Disable = []string{"INPROGRESS"}
			}
		})
		tc := ts.login()
		tc.ok("SELECT INBOX")
		release := ts.holdLock()
		tc.send(tag + " APPEND INBOX {3+}\r\na\r\n\r\n")
		if want == "" {
			time.AfterFunc(100*time.Millisecond, release)
		}
		for {
			l := tc.line()
			if strings.HasPrefix(l, tag+" OK") {
				break
			}
			if strings.Contains(l, "INPROGRESS") {
				if want == "" || !strings.Contains(l, want) {
					t.Errorf("%s: %s", tag, l)
				}
				release()
			}
		}
	}
}

// TestProgressRules tells of any numbers: what is sent never goes down, never reaches the goal, and the goal stays what it was, also while something
// else is done.
func TestProgressRules(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var out strings.Builder
		s := &session{enc: wire.NewEncoder(&out), srv: &Server{}}
		s.progress = progress{tag: `"a"`, upTo: percent}
		first := 0
		for range 20 {
			goal := r.IntN(4)
			if first == 0 {
				first = goal
			}
			if err := s.tellProgress(r.IntN(10), goal); err != nil {
				t.Fatal(err)
			}
		}
		last := -1
		for l := range strings.Lines(out.String()) {
			var done, goal int
			if last < 0 && strings.Contains(l, `("a" NIL NIL)`) {
				continue
			}
			if _, err := fmt.Sscanf(l, `* OK [INPROGRESS ("a" %d %d)]`, &done, &goal); err != nil || goal != first || done < last || done >= goal {
				t.Fatalf("%v\n%s", err, out.String())
			}
			last = done
		}
	}
}

// TestProgressGrace: what blocks for a moment only is not told of, even when a notice is due, as it is at the end of every long FETCH.
func TestProgressGrace(t *testing.T) {
	for range 5 { // a busy machine can make any moment long
		var out strings.Builder
		s := &session{enc: wire.NewEncoder(&out), srv: &Server{opt: Options{progress: progressEvery}}}
		s.progress = progress{tag: `"a"`, next: time.Now().Add(-time.Second), upTo: percent}
		s.during(0, 0, func() { time.Sleep(5 * time.Millisecond) })
		if out.Len() == 0 {
			return
		}
	}
	t.Error("a notice was sent each time")
}
