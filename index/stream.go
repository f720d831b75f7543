package index

import (
	"bytes"
	"errors"
	"io"
	"sync"

	"roost/maildir/message"
)

// chunk is how much of a text is read at once.
const chunk = 32 << 10

// stream looks for needles in texts that are read piece by piece. The end of what was folded before, one octet shorter than the longest
// needle, stays in front of the next piece, so that a needle may lie across both.
type stream struct {
	needles []Needle
	found   []bool
	stop    func() bool
	stopped bool
	open    []int // the needles to look for now
	keep    int   // length of the longest of them, less one
	*buffers
}

// buffers are the memory of a stream that is worth keeping.
type buffers struct {
	in     []byte // text as read
	folded []byte // what was kept, and then in folded
}

var pool = sync.Pool{New: func() any { return &buffers{in: make([]byte, chunk)} }}

func newStream(needles []Needle, found []bool, stop func() bool) *stream {
	return &stream{needles: needles, found: found, stop: stop, buffers: pool.Get().(*buffers)}
}

// release gives the buffers back, unless a text of many decompositions or a very long needle made them large.
func (s *stream) release() {
	if cap(s.folded) <= 8*chunk {
		pool.Put(s.buffers)
	}
	s.buffers = nil
}

// look chooses the needles to look for: those not found, of them only the ones in among, if given.
func (s *stream) look(among []bool) {
	s.open, s.keep = s.open[:0], 0
	for i, n := range s.needles {
		if len(n.folded) == 0 {
			s.found[i] = true
		}
		if !s.found[i] && (among == nil || among[i]) {
			s.open = append(s.open, i)
			s.keep = max(s.keep, len(n.folded)-1)
		}
	}
}

// done tells that nothing is left to do.
func (s *stream) done() bool { return len(s.open) == 0 || s.stopped }

// text searches one text; io.EOF when done, as message.Text wants it.
func (s *stream) text(_ *message.Part, r io.Reader) error {
	var f folder
	folded := s.folded[:0]
	left := 0 // octets of an incomplete character at the start of s.in
	for {
		n, err := readSome(r, s.in[left:])
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		n += left
		used := 0
		folded, used = f.fold(folded, s.in[:n], err != nil)
		left = copy(s.in, s.in[used:n])
		// Pieces are gathered until they are as long as what is kept: a long needle is not looked for again in all of it for every piece.
		if s.stopped = s.stop(); err == nil && !s.stopped && len(folded) < s.keep+max(s.keep, len(s.in)/2) {
			continue
		}
		s.search(folded)
		s.stopped = s.stopped || s.stop()
		if s.done() || err != nil {
			break
		}
		folded = folded[:copy(folded, folded[len(folded)-s.keep:])]
	}
	s.folded = folded
	if s.done() {
		return io.EOF
	}
	return nil
}

// readSome fills b unless the text ends before.
func readSome(r io.Reader, b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var m int
		m, err = r.Read(b[n:])
		n += m
	}
	return n, err
}

// search notes which of the open needles are in folded.
func (s *stream) search(folded []byte) {
	open := s.open[:0]
	for _, i := range s.open {
		if bytes.Contains(folded, s.needles[i].folded) {
			s.found[i] = true
		} else {
			open = append(open, i)
		}
	}
	s.open = open
}
