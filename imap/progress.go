package imap

import (
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"roost/maildir"
)

// INPROGRESS (RFC 9585): a client hears now and then that a command which takes long is still being worked at, and how far it is. Only the
// goroutine of the session writes. It hears of the work in two ways: inspect tells it how many of its chunks have been begun, and what blocks
// (the file system, the lock of another program) is done by a helper in during, while the session waits.
//
// What is counted is messages where a command takes them one after the other, and percent where it has several steps (SEARCH, SORT, THREAD). Where
// all is done at once (COPY, APPEND) there is nothing to count.

const (
	progressFirst = 2 * time.Second        // until the first notice: most commands never send one
	progressEvery = 10 * time.Second       // between notices
	progressGrace = 200 * time.Millisecond // what blocks for less is not worth one, whenever the last was: the look for news behind a long FETCH
	percent       = 100
)

// progress is what the client has been told of the running command.
type progress struct {
	tag  string    // as a string of the response; empty: nothing is to be told
	next time.Time // of the next notice
	goal int       // told first; 0: none was told
	told int       // of goal; never goes down
	upTo int       // percent at the end of what inspect does next
}

// beginProgress is called where a command begins.
func (s *session) beginProgress(c *command) {
	s.progress = progress{}
	if s.state == notAuthenticated || !s.has("INPROGRESS") {
		return
	}
	tag := `"` + c.tag + `"`
	if strings.ContainsRune(c.tag, ']') { // would end the response code for many clients
		tag = "NIL"
	}
	s.progress = progress{tag: tag, next: time.Now().Add(min(progressFirst, s.srv.opt.progress)), upTo: percent}
}

// tellProgress tells the client, if it is time to, that done of goal things are done; goal 0: they cannot be counted. It may be called between
// responses only.
func (s *session) tellProgress(done, goal int) error {
	p := &s.progress
	if p.tag == "" || time.Until(p.next) > 0 {
		return nil
	}
	p.next = time.Now().Add(s.srv.opt.progress)
	s.enc.Raw("* OK [INPROGRESS (").Raw(p.tag).SP()
	if p.goal == 0 {
		p.goal = goal
	}
	if goal > 0 && goal == p.goal {
		p.told = max(p.told, min(done, goal-1))
	}
	if p.goal > 0 { // §4: it should not change, what is done stays below it and is never less than before; so also while something else is done
		s.enc.Number(int64(p.told)).SP().Number(int64(p.goal))
	} else {
		s.enc.Raw("NIL NIL")
	}
	s.enc.Raw(")] Still working").CRLF()
	return s.enc.Flush()
}

// percentAt is how far a command is that was at from when a step began of which done of n pieces are done now.
func (p *progress) percentAt(from, done, n int) int {
	return from + max(0, p.upTo-from)*min(done, n)/n
}

// until is when the session should look after its connection, and the client, again.
func (p *progress) until() time.Duration {
	if p.tag == "" {
		return workKeepalive
	}
	return min(workKeepalive, max(0, time.Until(p.next)))
}

// during runs fn, which may block and must not touch the session, and tells the client meanwhile; done and goal like tellProgress. It returns when
// fn has: whether the client still listens changes nothing in what it has asked for.
func (s *session) during(done, goal int, fn func()) {
	if s.progress.tag == "" {
		fn()
		return
	}
	ended := make(chan error, 1)
	go func() {
		var err error
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("%v\n%s", r, debug.Stack())
			}
			ended <- err
		}()
		fn()
	}()
	for {
		timer := time.NewTimer(max(min(progressGrace, s.srv.opt.progress), time.Until(s.progress.next)))
		select {
		case err := <-ended:
			timer.Stop()
			if err != nil {
				panic(err) // ends the session, as it would have without the helper
			}
			return
		case <-timer.C:
			if s.tellProgress(done, goal) != nil {
				s.progress.tag = "" // the connection has failed
				if err := <-ended; err != nil {
					panic(err)
				}
				return
			}
		}
	}
}

// blocking is during for what returns an error and cannot be counted.
func (s *session) blocking(fn func() error) (err error) {
	s.during(0, 0, func() { err = fn() })
	return err
}

// openMailbox opens a mailbox, which takes long where it was never opened before; Release it.
func (s *session) openMailbox(name string) (box *maildir.Mailbox, err error) {
	err = s.blocking(func() (err error) {
		box, err = s.mail.Open(name)
		return err
	})
	return box, err
}
