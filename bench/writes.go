package main

import (
	"fmt"
	"sync"
)

// partials reads the attachment of the mailbox Large as mail programs do that show progress.
func partials(s *side, m *meter) (outcome, error) {
	c, err := s.open(largeBox, false)
	if err != nil {
		return outcome{}, err
	}
	defer c.close()
	s.settle()
	const piece = 64 << 10
	var sum int64
	err = m.time(func() error {
		for from := 0; ; from += piece {
			a, err := c.do("FETCH 1 (BODY.PEEK[2]<%d.%d>)", from, piece)
			if err != nil {
				return err
			}
			sum += a.octets
			if a.octets < piece {
				return nil
			}
		}
	})
	return outcome{same: fmt.Sprint(sum)}, err
}

// storeFlags flags all messages of the mailbox Work, and takes it back where nobody measures.
func storeFlags(s *side, m *meter) (outcome, error) {
	c, err := s.open(workBox, false)
	if err != nil {
		return outcome{}, err
	}
	defer c.close()
	if _, err := c.do(`STORE 1:* -FLAGS.SILENT (\Flagged)`); err != nil {
		return outcome{}, err
	}
	s.settle()
	return timed(c, m, `STORE 1:* +FLAGS (\Flagged)`)
}

func copyAll(s *side, m *meter) (outcome, error) {
	c, err := s.open(workBox, false)
	if err != nil {
		return outcome{}, err
	}
	defer c.close()
	if err := s.fresh(c, inboundBox); err != nil {
		return outcome{}, err
	}
	s.settle()
	err = m.time(func() error {
		_, err := c.do("COPY 1:* %s", inboundBox)
		return err
	})
	if err != nil {
		return outcome{}, err
	}
	return s.holds(c, inboundBox)
}

// moveAll moves all messages of Work away, and back where nobody measures.
func moveAll(s *side, m *meter) (outcome, error) {
	c, err := s.open(workBox, false)
	if err != nil {
		return outcome{}, err
	}
	defer c.close()
	if err := s.fresh(c, inboundBox); err != nil {
		return outcome{}, err
	}
	s.settle()
	err = m.time(func() error {
		_, err := c.do("MOVE 1:* %s", inboundBox)
		return err
	})
	if err != nil {
		return outcome{}, err
	}
	out, err := s.holds(c, inboundBox)
	if err != nil {
		return out, err
	}
	if _, err := c.do("SELECT %s", inboundBox); err != nil {
		return out, err
	}
	_, err = c.do("MOVE 1:* %s", workBox)
	return out, err
}

func expungeAll(s *side, m *meter) (outcome, error) {
	c, err := s.open(workBox, false)
	if err != nil {
		return outcome{}, err
	}
	defer c.close()
	if err := s.fresh(c, inboundBox); err != nil {
		return outcome{}, err
	}
	for _, command := range []string{"COPY 1:* " + inboundBox, "SELECT " + inboundBox, `STORE 1:* +FLAGS.SILENT (\Deleted)`} {
		if _, err := c.do("%s", command); err != nil {
			return outcome{}, err
		}
	}
	s.settle()
	if _, err := timed(c, m, "EXPUNGE"); err != nil {
		return outcome{}, err
	}
	return s.holds(c, inboundBox)
}

// holds says how many messages a mailbox has.
func (s *side) holds(c *client, box string) (outcome, error) {
	a, err := c.ask("STATUS %s (MESSAGES)", box)
	var n int
	if _, perr := fmt.Sscanf(a, "* STATUS "+box+" (MESSAGES %d)", &n); err == nil && perr != nil {
		err = fmt.Errorf("STATUS: %q", a)
	}
	return outcome{same: fmt.Sprint(n)}, err
}

// appends lets some clients append to one mailbox at the same time, each one message after the other.
func appends(clients, times int) func(*side, *meter) (outcome, error) {
	return func(s *side, m *meter) (outcome, error) {
		all, err := s.clients(clients, func(int) string { return mainUser })
		if err != nil {
			return outcome{}, err
		}
		defer closeAll(all)
		if err := s.fresh(all[0], inboundBox); err != nil {
			return outcome{}, err
		}
		text := letter(s.rng)
		s.settle()
		err = m.time(func() error {
			return each(all, func(_ int, c *client) error {
				for range times {
					if _, err := c.appendTo(inboundBox, text); err != nil {
						return err
					}
				}
				return nil
			})
		})
		if err != nil {
			return outcome{}, err
		}
		return s.holds(all[0], inboundBox)
	}
}

func multiappend(s *side, m *meter) (outcome, error) {
	c, err := s.dial(mainUser, false)
	if err != nil {
		return outcome{}, err
	}
	defer c.close()
	if err := s.fresh(c, inboundBox); err != nil {
		return outcome{}, err
	}
	letters := make([][]byte, s.opt.multiappend)
	for i := range letters {
		letters[i] = letter(s.rng)
	}
	s.settle()
	err = m.time(func() error {
		_, err := c.appendTo(inboundBox, letters...)
		return err
	})
	if err != nil {
		return outcome{}, err
	}
	return s.holds(c, inboundBox)
}

// clients logs in n clients.
func (s *side) clients(n int, user func(i int) string) ([]*client, error) {
	all := make([]*client, 0, n)
	for i := range n {
		c, err := s.dialBuffer(user(i), false, 16<<10)
		if err != nil {
			closeAll(all)
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

func closeAll(all []*client) {
	for _, c := range all {
		c.close()
	}
}

// each runs fn for all clients at the same time and returns one of the errors.
func each(all []*client, fn func(i int, c *client) error) error {
	var wg sync.WaitGroup
	errs := make(chan error, len(all))
	for i, c := range all {
		wg.Go(func() { errs <- fn(i, c) })
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
