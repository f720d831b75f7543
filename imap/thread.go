package imap

import (
	"bytes"
	"crypto/sha256"
	"slices"

	"roost/imap/wire"
	"roost/maildir/message"
)

// THREAD and UID THREAD (RFC 5256). This file reads messages and writes trees, thread_build.go makes them.

// threadBlock is how many messages are read before they are threaded: it bounds how many references are held.
const threadBlock = 64 * sortChunk

// threadAlgorithm is a row of the table of algorithms.
type threadAlgorithm struct {
	subjects, references bool // what it looks at
	build                func(*threads)
}

var threadAlgorithms = map[string]threadAlgorithm{
	"ORDEREDSUBJECT": {true, false, (*threads).orderedSubject},
	"REFERENCES":     {true, true, (*threads).references},
	"REFS":           {false, true, (*threads).refs},
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

// thread reads the messages, ascending, and threads them; those that are gone are left out.
func (s *session) thread(uids []uint32, algorithm threadAlgorithm) (*threads, error) {
	t := newThreads()
	blocks := (len(uids) + threadBlock - 1) / threadBlock
	n := 0
	for block := range slices.Chunk(uids, threadBlock) {
		n++
		s.progress.upTo = percent/2 + percent/2*n/blocks
		chunks := make([][]threadMessage, (len(block)+sortChunk-1)/sortChunk)
		err := s.inspect(&plan{}, len(chunks), true, func(p *probe, i int) bool {
			p.level = levelParse
			recs := p.records(block[i*sortChunk : min(len(block), (i+1)*sortChunk)])
			for j := range recs {
				if p.stop() {
					return false
				}
				p.begin(&recs[j])
				if m, ok := p.threadMessage(algorithm); ok {
					chunks[i] = append(chunks[i], m)
				}
			}
			return true
		})
		if err != nil {
			return nil, err
		}
		for _, chunk := range chunks {
			for _, m := range chunk {
				t.add(m)
			}
		}
	}
	algorithm.build(t)
	return t, nil
}

// threadMessage reads what an algorithm needs; false like sortKey.value.
func (p *probe) threadMessage(algorithm threadAlgorithm) (m threadMessage, ok bool) {
	var e message.Envelope
	if !p.envelope(&e) {
		return m, false
	}
	if m.date, ok = p.sentDate(); !ok {
		return m, false
	}
	m.uid = p.rec.UID
	if algorithm.subjects {
		base, reply := sortSubject(&e)
		m.subject, m.reply = base.text, reply
		if base.num != 0 && base.text != "" {
			m.subject = "\xff" + base.text // no text that could be decoded is the same
		}
	}
	if !algorithm.references {
		return m, true
	}
	message.MessageIDs(e.MessageID, func(id []byte) bool {
		m.id = hashMessageID(id)
		return false
	})
	fields, ok := p.fields("References")
	if !ok {
		return m, false
	}
	for i := range fields {
		if bytes.EqualFold(fields[i].name, []byte("References")) {
			message.MessageIDs(fields[i].raw, func(id []byte) bool {
				m.refs = append(m.refs, hashMessageID(id))
				return true
			})
		}
	}
	if n := len(m.refs); n > maxReferences {
		m.refs = append(m.refs[:1:1], m.refs[n-maxReferences+1:]...)
	}
	if len(m.refs) == 0 {
		message.MessageIDs(e.InReplyTo, func(id []byte) bool {
			m.refs = []messageID{hashMessageID(id)}
			return false
		})
	}
	return m, true
}

func hashMessageID(id []byte) (h messageID) {
	sum := sha256.Sum256(id)
	copy(h[:], sum[:])
	return h
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
		if num := t.of(n).uid; uid {
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
