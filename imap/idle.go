package imap

import (
	"strings"
	"time"

	"roost/imap/wire"
)

// idleLine bounds what ends IDLE: the word DONE.
const idleLine = 1 << 10

// cmdIdle is IDLE (RFC 2177, RFC 9051 §6.3.13). Nothing is sent while nothing happens: "still here" lines only wake telephones.
//
// The goroutine waits for three things at once: input, changes, the end. A helper peeks at the input and touches nothing else; the handler does
// not read before the helper is done.
func (s *session) cmdIdle(c *command) error {
	if err := wire.ParseNone(c.args); err != nil {
		return err
	}
	var wake <-chan struct{}
	if s.view != nil {
		var stop func()
		wake, stop = s.view.box.Wait()
		defer stop()
	}
	s.enc.Raw("+ idling").CRLF()
	if err := s.sync(true, true); err != nil {
		return err
	}
	if err := s.enc.Flush(); err != nil {
		return err
	}
	s.conn.limit(time.Time{}, s.srv.opt.Limits.Idle)
	input := make(chan error, 1)
	go func() { input <- s.rd.Peek() }()
	for {
		select {
		case err := <-input:
			if err != nil {
				return err
			}
			s.conn.limit(time.Time{}, s.srv.opt.Limits.Write)
			line, err := s.rd.ReadLine(idleLine)
			if err != nil {
				return err
			}
			if !strings.EqualFold(strings.TrimSpace(string(line)), "DONE") {
				return bad("Expected DONE")
			}
			return s.sync(false, true)
		case <-wake:
			err := s.sync(false, true)
			if err == nil {
				err = s.enc.Flush()
			}
			if err != nil {
				s.conn.poke()
				<-input
				return err
			}
		case <-s.ctx.Done():
			s.conn.poke()
			<-input
			return s.ctx.Err()
		}
	}
}
