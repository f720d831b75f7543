package main

import (
	"fmt"
	"hash/crc32"
	"strings"
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
