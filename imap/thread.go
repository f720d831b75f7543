package imap

import (
	"slices"

	"roost/imap/wire"
)

// THREAD and UID THREAD (RFC 5256). This file writes trees, thread_build.go makes them of what thread_facts.go knows of messages.

// threadAlgorithm is a row of the table of algorithms.
type threadAlgorithm struct {
	references bool // it looks at them
	build      func(*threads)
}

var threadAlgorithms = map[string]threadAlgorithm{
	"ORDEREDSUBJECT": {false, (*threads).orderedSubject},
	"REFERENCES":     {true, (*threads).references},
	"REFS":           {true, (*threads).refs},
}

func (s *session) cmdThread(c *command) error {
	req, err := wire.ParseThread(c.args)
	if err != nil {
		return err
	}
	algorithm, ok := threadAlgorithms[req.Algorithm]
	if !ok {
		return bad("Unknown threading algorithm")
	}
	s.progress.upTo = percent / 2
	pl, uids, err := s.find(&req.Search, searchOptions{SearchReturn: wire.SearchReturn{All: true}, sorted: true})
	if err != nil {
		return err
	}
	if pl.modSeq {
		s.useCondstore()
	}
	t, err := s.thread(uids, algorithm)
	if err != nil {
		return err
	}
	s.writeThreads(t, c.isUID())
	return nil
}

// thread threads messages, given ascending; those that are gone are left out.
func (s *session) thread(uids []uint32, algorithm threadAlgorithm) (*threads, error) {
	uids = among(uids, s.view.box.UIDs())
	facts, err := s.threadFacts(uids)
	if err != nil {
		return nil, err
	}
	return algorithm.threads(facts, uids), nil
}

// threads threads those of the messages, given ascending, that are in facts.
func (a threadAlgorithm) threads(facts *threadFacts, uids []uint32) *threads {
	t := newThreads(facts, len(uids))
	place := 0
	for _, uid := range uids {
		if place = seek(facts.uids, place, uid); place < len(facts.uids) && facts.uids[place] == uid {
			t.add(place, a.references)
		}
	}
	a.build(t)
	return t
}

// writeThreads writes the untagged answer, with a stack of its own: a thread may be as deep as there are messages.
//
//	thread-data    = "THREAD" [SP 1*thread-list]
//	thread-list    = "(" (thread-members / thread-nested) ")"
//	thread-members = nz-number *(SP nz-number) [SP thread-nested]
//	thread-nested  = 2*thread-list
func (s *session) writeThreads(t *threads, uid bool) {
	s.enc.Raw("* THREAD")
	if len(t.roots) > 0 {
		s.enc.SP()
	}
	const end = 0 // on the stack: of a list
	var stack []int32
	for _, root := range t.roots {
		stack = append(stack, root)
		for len(stack) > 0 {
			n := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if n == end {
				s.enc.Raw(")")
				continue
			}
			s.enc.Raw("(")
			if !t.isDummy(n) {
				n = s.writeMembers(t, n, uid)
			}
			stack = append(stack, end)
			from := len(stack)
			for kid := t.first[n]; kid != 0; kid = t.next[kid] {
				stack = append(stack, kid)
			}
			slices.Reverse(stack[from:])
		}
	}
	s.enc.CRLF()
}

// writeMembers writes messages of which each is the only child of the one before, and returns the last.
func (s *session) writeMembers(t *threads, n int32, uid bool) int32 {
	for {
		if num := t.facts.uids[t.msg[n]-1]; uid {
			s.enc.Number(int64(num))
		} else {
			s.enc.Number(int64(s.view.seq(num)))
		}
		kid := t.first[n]
		if kid == 0 {
			return n
		}
		s.enc.SP()
		if t.next[kid] != 0 {
			return n
		}
		n = kid
	}
}
