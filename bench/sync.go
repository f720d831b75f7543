package main

import (
	"fmt"
	"hash/crc32"
	"strings"
	"sync"
	"time"
)

// reopened measures how a client that was here before learns of the ten messages that were flagged since (RFC 7162).
func reopened(s *side, m *meter) (outcome, error) {
	other, err := s.open("INBOX", false)
	if err != nil {
		return outcome{}, err
	}
	defer other.close()
	c, err := s.dial(mainUser, false)
	if err != nil {
		return outcome{}, err
	}
	defer c.close()
	var set []string
	for i := range 10 {
		set = append(set, fmt.Sprint(1+i*s.opt.messages/10))
	}
	if _, err := other.do("STORE %s -FLAGS.SILENT ($Benched)", strings.Join(set, ",")); err != nil {
		return outcome{}, err
	}
	known, err := c.ask("STATUS INBOX (UIDVALIDITY HIGHESTMODSEQ)")
	if err != nil {
		return outcome{}, err
	}
	var validity, modseq uint64
	if _, at, ok := strings.Cut(known, "("); !ok {
		return outcome{}, fmt.Errorf("no answer to STATUS: %q", known)
	} else if _, err := fmt.Sscanf(at, "UIDVALIDITY %d HIGHESTMODSEQ %d", &validity, &modseq); err != nil {
		return outcome{}, fmt.Errorf("%q: %w", at, err)
	}
	if _, err := c.do("ENABLE QRESYNC"); err != nil {
		return outcome{}, err
	}
	if _, err := other.do("STORE %s +FLAGS.SILENT ($Benched)", strings.Join(set, ",")); err != nil {
		return outcome{}, err
	}
	s.settle()
	var told string
	err = m.time(func() error {
		told, err = c.ask("SELECT INBOX (QRESYNC (%d %d))", validity, modseq)
		return err
	})
	return outcome{same: fmt.Sprint(strings.Count(told, " FETCH ("), " changed")}, err
}

// listened measures how long it takes until all of many clients with NOTIFY (RFC 5465) are told of a flag; the figure is the median.
func listened(s *side, m *meter) (outcome, error) {
	other, err := s.open(workBox, false)
	if err != nil {
		return outcome{}, err
	}
	defer other.close()
	if _, err := other.do(`STORE 1 -FLAGS.SILENT (\Flagged)`); err != nil {
		return outcome{}, err
	}
	all, err := s.clients(min(1000, s.opt.idleDovecot()), func(int) string { return mainUser })
	if err != nil {
		return outcome{}, err
	}
	defer closeAll(all)
	err = each(all, func(_ int, c *client) error {
		for _, command := range []string{"SELECT " + workBox, "NOTIFY SET (SELECTED (MessageNew MessageExpunge FlagChange))"} {
			if _, err := c.do("%s", command); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return outcome{}, err
	}
	s.settle()
	var times []float64
	err = m.time(func() error {
		for i := range s.opt.deliveries {
			sign := "+-"[i%2]
			var wg sync.WaitGroup
			failed := make(chan error, 1)
			wg.Go(func() {
				failed <- each(all, func(_ int, c *client) error {
					_, err := c.until(" FETCH (")
					return err
				})
			})
			start := time.Now()
			if _, err := other.do(`STORE 1 %cFLAGS.SILENT (\Flagged)`, sign); err != nil {
				return err
			}
			wg.Wait()
			if err := <-failed; err != nil {
				return err
			}
			times = append(times, time.Since(start).Seconds())
		}
		return nil
	})
	if err != nil {
		return outcome{}, err
	}
	return outcome{values: []float64{summarize(times).median}}, nil
}

// sorted measures a SORT or THREAD, of which servers have to answer the same.
func sorted(command string) func(*side, *meter) (outcome, error) {
	return func(s *side, m *meter) (outcome, error) {
		c, err := s.open("INBOX", false)
		if err != nil {
			return outcome{}, err
		}
		defer c.close()
		s.settle()
		var found string
		err = m.time(func() error {
			found, err = c.ask("%s", command)
			return err
		})
		line, _, _ := strings.Cut(found, "\r\n")
		return outcome{same: fmt.Sprintf("%d octets with CRC %08x", len(line), crc32.ChecksumIEEE([]byte(line)))}, err
	}
}
