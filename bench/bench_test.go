package main

import (
	"encoding/xml"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestCompare runs all workloads with little mail on both servers. It looks at what came out, not at how fast anybody was.
func TestCompare(t *testing.T) {
	if _, err := os.Stat(dovecotPath); err != nil {
		if os.Getenv("ROOST_REQUIRE_PEERS") != "" {
			t.Fatal(err)
		}
		t.Skipf("no Dovecot: %v", err)
	}
	o := small(t)
	r, err := compare(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	lines := r.lines
	for _, w := range workloads(o) {
		for _, row := range w.rows {
			if len(lines) == 0 || lines[0].name != row.name {
				t.Fatalf("no line for %q", row.name)
			}
			check(t, lines[0])
			lines = lines[1:]
		}
	}
	if len(lines) > 0 {
		t.Errorf("%d lines of nothing", len(lines))
	}
	for _, note := range r.notes {
		t.Errorf("remarkable: %s", note)
	}
	page := r.markdown()
	for _, l := range r.lines {
		if !strings.Contains(page, "| "+l.name+" | ") {
			t.Errorf("the page does not have %q", l.name)
		}
	}
	wellFormed(t, r.svg())
	if left := family(os.Getpid()); len(left) > 1 {
		t.Errorf("processes %v are left", left[1:])
	}
	if left, err := os.ReadDir(o.work); err != nil || len(left) > 0 {
		t.Errorf("left in the directory: %v, %v", left, err)
	}
}

// small are options for a run of seconds.
func small(t *testing.T, more ...string) *options {
	t.Helper()
	args := []string{"-messages", "200", "-reps", "1", "-budget", "1ms", "-idle", "30", "-mixed", "300ms", "-logins", "200ms"}
	o, err := parse(append(args, more...))
	if err != nil {
		t.Fatal(err)
	}
	o.quick, o.appends, o.multiappend, o.deliveries, o.loginClients, o.mixedClients = 0, 8, 20, 2, 8, 20
	o.progress = t.Logf
	// The directory of a test is entered by the servers' user.
	if o.work, err = os.MkdirTemp("", "bench-test-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(o.work) })
	if err := os.Chmod(o.work, 0o755); err != nil {
		t.Fatal(err)
	}
	return o
}

// check looks whether a line has sensible figures of both servers. What memory a few connections or messages take drowns in the rest.
func check(t *testing.T, l line) {
	t.Helper()
	if len(l.sides) != 2 || l.repeat != 1 {
		t.Errorf("%s: %d servers, %d repetitions", l.name, len(l.sides), l.repeat)
		return
	}
	for i, s := range l.sides {
		if s.min > s.median || s.median > s.max || s.median <= 0 && l.target.atMost+l.target.atLeast > 0 {
			t.Errorf("%s: side %d has %+v", l.name, i, s)
		}
		if l.peak[i] < 1<<20 {
			t.Errorf("%s: side %d has %d octets of memory", l.name, i, l.peak[i])
		}
	}
	if l.asked() == "" {
		t.Errorf("%s: no target", l.name)
	}
}

func wellFormed(t *testing.T, text string) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		if _, err := d.Token(); err == io.EOF {
			return
		} else if err != nil {
			t.Fatalf("the plot: %v", err)
		}
	}
}

// TestAnswer cuts an answer in two at every place: its end has to be found, and its untagged responses counted, wherever reads happen to end.
func TestAnswer(t *testing.T) {
	body := "not zQ1x OK the end\r\n* a list\r\n"
	text := "* 1 FETCH (BODY[] {32}\r\n" + body + ")\r\n* 2 FETCH (UID 2)\r\n"
	for _, end := range []string{"OK done\r\n", "NO [LIMIT] too much\r\n"} {
		whole := text + "zQ1x " + end
		for cut := range whole {
			near, far := net.Pipe()
			go func() {
				io.ReadFull(far, make([]byte, len("zQ1x FETCH\r\n")))
				for _, piece := range []string{whole[:cut], whole[cut:]} {
					io.WriteString(far, piece)
				}
			}()
			c := &client{conn: near, buf: make([]byte, 1<<10)}
			a, err := c.do("FETCH")
			near.Close()
			if (err == nil) != (end[0] == 'O') {
				t.Fatalf("cut at %d: %v", cut, err)
			}
			if a.untagged != 3 || a.octets != int64(len(text)) {
				t.Fatalf("cut at %d: %d untagged, %d octets of %d", cut, a.untagged, a.octets, len(text))
			}
		}
	}
}

// TestSameMail makes messages in another order: the tree must not depend on which goroutine was first.
func TestSameMail(t *testing.T) {
	var first [20]message
	a := &author{seed: 7}
	for i := range first {
		first[i] = a.write(i, len(first))
	}
	b := &author{seed: 7}
	for i := len(first) - 1; i >= 0; i-- {
		m := b.write(i, len(first))
		if string(m.text) != string(first[i].text) || m.flags != first[i].flags || !m.received.Equal(first[i].received) {
			t.Fatalf("message %d is another one", i)
		}
		if i > 0 && !m.received.After(first[i-1].received) {
			t.Errorf("message %d is not younger than the one before", i)
		}
	}
}

func TestFigures(t *testing.T) {
	if got := summarize([]float64{5, 1, 3, 2}); got != (summary{2.5, 1, 5}) {
		t.Errorf("summary %+v", got)
	}
	var times []time.Duration
	for i := range 200 {
		times = append(times, time.Duration(200-i))
	}
	if got := percentile(times, 99); got != 198 {
		t.Errorf("99th percentile of 1..200: %d", got)
	}
	for _, c := range []struct {
		target
		roost, dovecot float64
		met, known     bool
	}{
		{target{atMost: 0.5}, 1, 2, true, true},
		{target{atMost: 0.5}, 1.1, 2, false, true},
		{target{atMost: 0.5, limit: 1}, 1.1, 20, false, true},
		{target{atLeast: 3}, 30, 10, true, true},
		{target{atLeast: 3}, 29, 10, false, true},
		{target{limit: 5}, 4, 100, true, true},
		{target{atMost: 0.5}, 1, 0, false, false},
	} {
		l := line{row: row{"", seconds, c.target}, sides: []summary{{median: c.roost}, {median: c.dovecot}}}
		if met, known := l.met(); met != c.met || known != c.known {
			t.Errorf("%+v: met %v, known %v", c, met, known)
		}
	}
}

// TestFamily finds this process and a child of it.
func TestFamily(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	p, err := os.StartProcess("/bin/cat", []string{"cat"}, &os.ProcAttr{Files: []*os.File{r, w, w}})
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	defer func() { p.Kill(); p.Wait() }()
	all := family(os.Getpid())
	if all[0] != os.Getpid() || !slices.Contains(all, p.Pid) {
		t.Errorf("family %v of %d has not %d", all, os.Getpid(), p.Pid)
	}
	if n, err := memory(all); err != nil || n < 1<<20 {
		t.Errorf("memory %d, %v", n, err)
	}
}
