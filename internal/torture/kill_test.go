package torture

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestKill kills the server with SIGKILL at random moments while clients work, and looks what is there when it runs again. Every fifth time the state
// directory is lost, too.
func TestKill(t *testing.T) {
	n := 6
	if *long {
		n = *rounds
	}
	bin, dir := build(t), workDir(t)
	var workers []*worker
	for i := range 4 {
		workers = append(workers, newWorker(i, 60))
	}
	owner := owners{}
	tree := &renamer{}
	s := serve(t, bin, dir)
	c, err := s.client()
	check(t, err)
	for _, box := range append([]string{"Arch"}, tree.names("T")...) {
		_, _, err := c.do("CREATE %s", box)
		check(t, err)
	}
	_, tagged, err := c.do("APPEND T.b {%d+}\r\n%s", len(bodyOf("witness")), bodyOf("witness"))
	check(t, err)
	if uids := uidsOf(tagged); len(uids) != 1 {
		t.Fatal(tagged)
	}
	for round := range n {
		var wg sync.WaitGroup
		for _, w := range workers {
			check(t, w.connect(s))
			wg.Go(func() {
				for {
					if err := w.step(); err != nil {
						if refused(err) {
							t.Errorf("round %d: %v", round, err)
						}
						return
					}
				}
			})
		}
		check(t, tree.connect(s))
		wg.Go(func() {
			for {
				if err := tree.step(); err != nil {
					if refused(err) {
						t.Errorf("round %d: %v", round, err)
					}
					return
				}
			}
		})
		time.Sleep(time.Duration(10+rand.IntN(250)) * time.Millisecond)
		s.kill()
		wg.Wait()
		for _, w := range workers {
			w.c.conn.Close()
		}
		tree.c.conn.Close()
		if round%5 == 4 {
			check(t, os.RemoveAll(filepath.Join(dir, "state")))
		}
		s = serve(t, bin, dir)
		c, err := s.client()
		check(t, err)
		audit(t, c, workers, owner)
		tree.audit(t, c)
		c.conn.Close()
		if s.blame(); t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
	total := tree.done
	for _, w := range workers {
		total += w.done
	}
	t.Logf("%d kills, %d changes acknowledged, %d UIDs seen", n, total, len(owner))
	s.stop()
	s.blame()
}

// renamer renames a mailbox with others below it.
type renamer struct {
	c        *client
	at       string // what it is called as far as acknowledged
	validity string // what STATUS says of the message in it
	done     int
}

func (*renamer) names(top string) []string {
	return []string{top, top + ".a", top + ".b", top + ".b.c"}
}

func (r *renamer) connect(s *server) (err error) {
	if r.at == "" {
		r.at = "T"
	}
	r.c, err = s.client()
	return err
}

func (r *renamer) step() error {
	to := map[string]string{"T": "U", "U": "T"}[r.at]
	if _, _, err := r.c.do("RENAME %s %s", r.at, to); err != nil {
		return err
	}
	r.at = to
	r.done++
	return nil
}

// audit: all mailboxes have the one name or all have the other, and the message in one of them is what it was.
func (r *renamer) audit(t *testing.T, c *client) {
	t.Helper()
	lines, _, err := c.do(`LIST "" "*"`)
	check(t, err)
	var got []string
	for _, l := range lines {
		name := l[strings.LastIndexByte(l, ' ')+1:]
		if top, _, _ := strings.Cut(name, "."); top == "T" || top == "U" {
			got = append(got, name)
		}
	}
	slices.Sort(got)
	switch {
	case slices.Equal(got, r.names("T")):
		r.at = "T"
	case slices.Equal(got, r.names("U")):
		r.at = "U"
	default:
		t.Errorf("a rename was cut off: %q", got)
		return
	}
	lines, _, err = c.do("STATUS %s.b (MESSAGES UIDNEXT UIDVALIDITY MAILBOXID)", r.at)
	check(t, err)
	status := fmt.Sprint(lines)
	status = status[strings.IndexByte(status, '('):]
	if r.validity == "" {
		r.validity = status
	} else if status != r.validity {
		t.Errorf("a renamed mailbox was %s and is %s", r.validity, status)
	}
}
