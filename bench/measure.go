package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// side is a server with everything a workload needs of it.
type side struct {
	server
	opt  *options
	rng  *rand.Rand // the same numbers on both sides
	mail string     // homes of the users
	all  []*side    // this one and the other
}

// dial connects and logs in.
func (s *side) dial(user string, secure bool) (*client, error) {
	return s.dialBuffer(user, secure, 256<<10)
}

func (s *side) dialBuffer(user string, secure bool, buffer int) (*client, error) {
	c, err := dial(s.addr(secure), secure, buffer)
	if err != nil {
		return nil, err
	}
	if err := c.login(user); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// open connects, logs in as the main user and selects a mailbox.
func (s *side) open(box string, secure bool) (*client, error) {
	c, err := s.dial(mainUser, secure)
	if err != nil {
		return nil, err
	}
	if _, err := c.do("SELECT %s", box); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// restart makes both servers start from the same: all processes new, and with forgetting nothing known of the mail.
func (s *side) restart(forgetting ...bool) error {
	if err := s.stop(); err != nil {
		return err
	}
	for _, uids := range forgetting {
		if err := s.forget(uids); err != nil {
			return err
		}
	}
	return s.start()
}

// fresh makes an empty mailbox.
func (s *side) fresh(c *client, box string) error {
	c.do("DELETE %s", box) // it need not exist
	_, err := c.do("CREATE %s", box)
	return err
}

// settle waits until neither server works any more, such as writing its caches behind an answer, but not for ever.
func (s *side) settle() {
	const window = 60 * time.Millisecond
	for limit := time.Now().Add(10 * time.Second); time.Now().Before(limit); {
		before := make([]time.Duration, len(s.all))
		for i, o := range s.all {
			before[i] = o.cpu()
		}
		time.Sleep(window)
		busy := false
		for i, o := range s.all {
			busy = busy || o.cpu() > before[i]
		}
		if !busy {
			return
		}
	}
}

// meter measures what a server does while the timed part of a workload runs: wall time, CPU time, and the most memory that was seen.
type meter struct {
	side *side
	wall time.Duration
	cpu  time.Duration
	peak int64 // octets, PSS of all processes
}

// time runs fn as a timed part.
func (m *meter) time(fn func() error) error {
	stop, stopped := make(chan struct{}), make(chan struct{})
	go m.watch(stop, stopped)
	before := m.side.cpu()
	start := time.Now()
	err := fn()
	m.wall += time.Since(start)
	m.cpu += m.side.cpu() - before
	close(stop)
	<-stopped
	return err
}

// watch looks at the memory now and then, and at the end. Looking costs time of the kernel in proportion to processes and pages, so it is done
// less often where it takes long.
func (m *meter) watch(stop <-chan struct{}, stopped chan<- struct{}) {
	defer close(stopped)
	pause := 200 * time.Millisecond
	for {
		ended := false
		select {
		case <-stop:
			ended = true
		case <-time.After(pause):
		}
		start := time.Now()
		if now, err := memory(m.side.processes()); err == nil {
			m.peak = max(m.peak, now)
		}
		pause = max(pause, 50*time.Since(start))
		if ended {
			return
		}
	}
}

// series is what one server did in all repetitions of a workload.
type series struct {
	values [][]float64 // of each row
	same   []string    // of each repetition: what both servers have to agree on
	cpu    []float64   // seconds, of each repetition
	peak   int64
}

func (s *series) add(m *meter, out outcome) {
	if s.values == nil {
		s.values = make([][]float64, len(out.values))
	}
	for i, v := range out.values {
		s.values[i] = append(s.values[i], v)
	}
	s.same = append(s.same, out.same)
	s.cpu = append(s.cpu, m.cpu.Seconds())
	s.peak = max(s.peak, m.peak)
}

// measured is a workload with its figures, sides in the order Roost, Dovecot. The second is empty when Dovecot is absent.
type measured struct {
	*workload
	sides []series
	// differing is what the servers did not agree on, "" for nothing.
	differing string
}

// quickReps is how many times as often a workload is repeated while that takes less than options.quick.
const quickReps = 5

// measure runs a workload on all sides in turn, A B A B, until it was repeated often enough or the time for it is up; at least twice if
// repetitions are asked for at all.
func measure(ctx context.Context, w *workload, sides []*side) (*measured, error) {
	m := &measured{workload: w, sides: make([]series, len(sides))}
	wrong := func(s *side, err error) error { return fmt.Errorf("%s: %s: %w", s.name(), w.key, err) }
	if w.prepare != nil {
		for _, s := range sides {
			s.rng = rand.New(rand.NewPCG(s.opt.seed, 0))
			if err := w.prepare(s); err != nil {
				return nil, wrong(s, err)
			}
		}
	}
	opt := sides[0].opt
	start := time.Now()
	for n := 0; ; n++ {
		spent := time.Since(start)
		late := n >= 2 && spent > opt.budget
		enough := n >= quickReps*opt.reps || n >= opt.reps && spent > min(opt.quick, opt.budget)
		if late || enough {
			break
		}
		for i, s := range sides {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			s.rng = rand.New(rand.NewPCG(opt.seed, uint64(n+1)))
			meter := &meter{side: s}
			out, err := w.sample(s, meter)
			if err != nil {
				return nil, wrong(s, err)
			}
			if len(out.values) == 0 {
				out.values = []float64{meter.wall.Seconds()}
			}
			m.sides[i].add(meter, out)
		}
	}
	if len(sides) == 2 && !slices.Equal(m.sides[0].same, m.sides[1].same) {
		m.differing = fmt.Sprintf("%.300s / %.300s", strings.Join(slices.Compact(m.sides[0].same), ", "), strings.Join(slices.Compact(m.sides[1].same), ", "))
	}
	return m, nil
}

// summary is the median of some figures with the smallest and the largest.
type summary struct{ median, min, max float64 }

func summarize(values []float64) summary {
	v := slices.Sorted(slices.Values(values))
	n := len(v)
	if n == 0 {
		return summary{}
	}
	return summary{(v[(n-1)/2] + v[n/2]) / 2, v[0], v[n-1]}
}

// percentile is the smallest value that p of 100 values do not exceed.
func percentile(values []time.Duration, p int) time.Duration {
	if len(values) == 0 {
		return 0
	}
	v := slices.Sorted(slices.Values(values))
	return v[max(0, (len(v)*p+99)/100-1)]
}
