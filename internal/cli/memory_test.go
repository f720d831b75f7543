package cli

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// peak is the largest resident set of a process so far, in octets.
func (p *process) peak() int64 {
	p.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		p.t.Fatalf("no VmHWM in\n%s", status)
	}
	n, err := strconv.ParseInt(string(m[1]), 10, 64)
	if err != nil {
		p.t.Fatal(err)
	}
	return n << 10
}

// A hundred clients that each want three megabytes for a command, a few times: with a small ceiling most are refused, some are
// served, and the server goes on, in not much more than the ceiling.
func TestMemoryCeiling(t *testing.T) {
	t.Parallel()
	const clients, literal, literals, rounds = 100, 1 << 20, 3, 2
	h := newHouse(t, sandboxConf+"[limits]\nmemory = \"64 MiB\"\nconnections_per_user = 200\n")
	p := start(t, nil, "serve", "--config", h.path("roost.conf"))
	before := p.peak()
	text := "x LIST \"\" ("
	for range literals {
		text += fmt.Sprintf("{%d+}\r\n%s ", literal, strings.Repeat("y", literal))
	}
	var mu sync.Mutex
	answers := map[string]int{}
	var held, all sync.WaitGroup
	held.Add(clients)
	for range clients {
		i := dial(t, p.plain, false)
		i.SetDeadline(time.Now().Add(2 * time.Minute))
		i.ok("LOGIN alice a")
		all.Go(func() {
			for round := range rounds {
				sent := make(chan error, 1)
				// The end of the command comes when all have sent the rest of theirs.
				go func() {
					_, err := io.WriteString(i, text)
					if round == 0 {
						held.Done()
						held.Wait()
					}
					if err == nil {
						_, err = io.WriteString(i, "y)\r\n")
					}
					sent <- err
				}()
				line, err := i.r.ReadString('\n')
				for err == nil && strings.HasPrefix(line, "* ") {
					line, err = i.r.ReadString('\n')
				}
				if err == nil {
					err = <-sent
				}
				if err != nil {
					t.Errorf("a client is not served any more: %v", err)
					return
				}
				mu.Lock()
				answers[strings.Join(strings.Fields(line)[:3], " ")]++
				mu.Unlock()
			}
			i.ok("SELECT INBOX")
		})
	}
	all.Wait()
	refused, served := answers["x NO [UNAVAILABLE]"], 0
	for answer, n := range answers {
		if answer != "x NO [UNAVAILABLE]" {
			served += n
		}
	}
	if refused < clients/2 || served == 0 {
		t.Errorf("answers: %v", answers)
	}
	most := int64(160 << 20)
	if raceDetector {
		most *= 4 // the race detector's own memory
	}
	grown := p.peak()
	if grown > most {
		t.Errorf("%d MiB at the peak, more than %d", grown>>20, most>>20)
	}
	t.Logf("%d MiB before, %d MiB at the peak; %v", before>>20, grown>>20, answers)
	p.stop()
}

// GOMEMLIMIT wins over the configuration, and a ceiling too small for the connections allowed says so.
func TestMemoryFromEnvironment(t *testing.T) {
	t.Parallel()
	h := newHouse(t, sandboxConf+"[limits]\nmemory = \"2 GiB\"\nconnections = 1000\n")
	for env, want := range map[string]string{
		"GOMEMLIMIT=":       `ceiling="2 GiB"`,
		"GOMEMLIMIT=off":    `ceiling="2 GiB"`,
		"GOMEMLIMIT=100MiB": `memory="100 MiB" connections=400`,
	} {
		p := start(t, []string{env}, "serve", "--config", h.path("roost.conf"))
		p.stop()
		if log := p.errs.String(); !strings.Contains(log, want) {
			t.Errorf("%s: no %s in\n%s", env, want, log)
		}
	}
}
