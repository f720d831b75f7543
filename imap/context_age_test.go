package imap

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestContextAge: what time changes in a followed search is told, in IDLE, with NOTIFY, and by commands.
func TestContextAge(t *testing.T) {
	for _, how := range []string{"NOOP", "IDLE", "NOTIFY"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			ts := newTestServer(t, func(o *Options) { o.aging = 10 * time.Millisecond })
			ts.deliver("", "cur", ":2,S", "Subject: old\n\n") // of 2024
			ts.deliver("", "cur", ":2,", "Subject: old\n\n")
			tc := ts.login()
			tc.ok("SELECT INBOX")
			tc.ok("APPEND INBOX {14+}\r\nSubject: new\r\n")
			tc.send("y1 UID SEARCH RETURN (UPDATE COUNT) YOUNGER 5\r\n" +
				"y2 SORT RETURN (UPDATE COUNT) (ARRIVAL) UTF-8 UNSEEN OR OLDER 7 FROM nobody\r\n")
			switch how {
			case "IDLE":
				tc.send("i IDLE\r\n")
			case "NOTIFY":
				tc.send("n NOTIFY SET (selected (MessageNew MessageExpunge))\r\n")
			}
			want := []string{
				`* ESEARCH (TAG "y1") UID COUNT 1`, `* ESEARCH (TAG "y2") COUNT 1`,
				`* ESEARCH (TAG "y1") UID REMOVEFROM (0 3)`, `* ESEARCH (TAG "y2") ADDTO (2 3)`,
			}
			for end := time.Now().Add(60 * time.Second); len(want) > 0; {
				if time.Now().After(end) {
					t.Fatalf("not told: %q", want)
				}
				if how == "NOOP" {
					tc.send("n NOOP\r\n")
				}
				switch l := tc.line(); {
				case l == want[0]:
					want = want[1:]
				case strings.Contains(l, "ESEARCH"):
					t.Fatalf("%s, want %s", l, want[0])
				}
			}
			if how == "IDLE" {
				tc.send("DONE\r\n")
			}
			tc.send("end NOOP\r\n")
			for l := tc.line(); !strings.HasPrefix(l, "end "); l = tc.line() {
				if strings.Contains(l, "ESEARCH") {
					t.Error(l)
				}
			}
		})
	}
}

// TestContextClock: the wall clock may be set, and a machine sleep, while a search is followed.
func TestContextClock(t *testing.T) {
	ts := newTestServer(t, nil)
	now := time.Now()
	ages := []int64{10, 3500, 3700, 9000} // of messages, in seconds
	tc := ts.login()
	for _, age := range ages {
		date := now.Add(-time.Duration(age) * time.Second).UTC().Format("_2-Jan-2006 15:04:05 -0700")
		tc.ok("APPEND INBOX \"%s\" {14+}\r\nSubject: new\r\n", date)
	}
	s := newSession(ts.srv, ts.connect().c)
	box, err := ts.store.Open("INBOX")
	if err != nil {
		t.Fatal(err)
	}
	defer box.Release()
	s.view = newView(box, false)
	for _, c := range []struct {
		ahead int64 // of what the clock said when the search was looked at last
		want  []uint32
	}{{0, nil}, {1000, []uint32{3}}, {-1000, []uint32{2}}, {7200, []uint32{3, 4}}, {-7200, []uint32{1, 2}}} {
		x := &searchContext{ages: []int64{3600}, aged: now.Add(-time.Duration(c.ahead) * time.Second)}
		if got, err := s.passed(x, now); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%d: %v %v, want %v", c.ahead, got, err, c.want)
		}
	}
}

// TestContextAges: there is an end to how many ages are followed.
func TestContextAges(t *testing.T) {
	ts := newTestServer(t, nil)
	tc := ts.login()
	tc.ok("SELECT INBOX")
	for n, refused := range map[int]bool{maxAges: false, maxAges + 1: true, 500: true} {
		var keys strings.Builder
		for i := range n {
			fmt.Fprintf(&keys, " NOT OLDER %d", 100+i)
		}
		keys.WriteString(" YOUNGER 100") // no other age
		got := tc.ok("SEARCH RETURN (UPDATE COUNT)%s", keys.String())
		if (len(got) == 2 && strings.Contains(got[1], "NO [NOUPDATE ")) != refused {
			t.Errorf("%d ages: %q", n, got)
		}
	}
}
