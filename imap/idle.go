package imap

import (
	"strings"
	"time"

	"roost/imap/wire"
)

// idleLine bounds what ends IDLE: the word DONE.
const idleLine = 1 << 10

// cmdIdle is IDLE (RFC 2177, RFC 9051 §6.3.13). Nothing is sent while nothing happens: "still here" lines only wake telephones.
func (s *session) cmdIdle(c *command) error {
	if err := wire.ParseNone(c.args); err != nil {
		return err
	}
	s.progress = progress{} // it waits, it does not work
	var wake <-chan struct{}
	if s.view != nil && s.notify == nil {
		var stop func()
		wake, stop = s.view.box.Wait()
		defer stop()
	}
	s.enc.Raw("+ idling").CRLF()
	if err := s.sync(true, true); err != nil {
		return err
	}
	s.conn.limit(time.Time{}, s.srv.opt.Limits.Idle)
	var err error
	if s.notify != nil {
		err = s.awaitNotify(true)
	} else {
		err = s.await(wake, func() error {
			// A call without a change is about the mailbox itself, which is gone perhaps.
			return s.sync(s.view.box.Now() == s.view.seen, true)
		})
	}
	if err != nil {
		return err
	}
	s.conn.limit(time.Time{}, s.srv.opt.Limits.Write)
	line, err := s.rd.ReadLine(idleLine)
	if err != nil {
		return err
	}
	// What is pipelined behind DONE stays in the reader: Apple Mail sends both in one packet.
	if !strings.EqualFold(strings.TrimSpace(string(line)), "DONE") {
		return bad("Expected DONE")
	}
	return s.sync(false, true)
}

// await sends what is buffered and waits for input; meanwhile it calls news for every value of wake, looks after what time changes,
// and sends what that wrote. An error ends the session.
//
// Input, news, time and the end are waited for at once. A helper goroutine peeks at the input and touches nothing else, and nobody
// reads before it is done.
func (s *session) await(wake <-chan struct{}, news func() error) error {
	if err := s.enc.Flush(); err != nil {
		return err
	}
	input := make(chan error, 1)
	go func() { input <- s.rd.Peek() }()
	abandon := func(err error) error {
		s.conn.interrupt() // for good: the session is over
		<-input
		s.conn.broken.Store(true) // also if there was input just before
		return err
	}
	var aging <-chan time.Time
	if s.view != nil && s.view.ages() && s.viewEvents().messages {
		ticker := time.NewTicker(s.srv.opt.aging)
		defer ticker.Stop()
		aging = ticker.C
	}
	for {
		var err error
		select {
		case err := <-input:
			if err != nil {
				s.conn.broken.Store(true) // also when TLS ended in good order, which the connection below does not see
			}
			return err
		case <-wake:
			err = news()
		case <-aging:
			err = s.contextsAged()
		case <-s.srv.ctx.Done():
			err = s.srv.ctx.Err()
		}
		if err == nil {
			err = s.enc.Flush()
		}
		if err != nil {
			return abandon(err)
		}
	}
}
