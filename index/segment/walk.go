package segment

import (
	"bytes"
	"context"
	"runtime"
	"sort"
	"sync"
	"sync/atomic"
)

// Match is a term that was picked: what was picked in it, how far that is from what is looked for, and its documents.
type Match struct {
	Word     string
	Distance uint8
	posts    []byte // begin with those of the term
	field    field
}

// AddTo adds the documents with the term. The segments must be retained.
func (m *Match) AddTo(set *Bitset) error {
	return Catch(func() error {
		p := postings{m.posts, m.field.span}
		p.each(func(d uint32) { set.add(min(d, m.field.span-1) + m.field.base) })
		return nil
	})
}

// maxMatches is how many terms Walk returns with a distance; of those without, which are few, all.
const maxMatches = 20_000

// Walk calls pick for every term of a field that begins with prefix, in several goroutines at once, and returns those that it picks. A term is in several
// segments. The term holds until pick returns. The error is that of ctx, or a fault of the file.
func (ss Segments) Walk(ctx context.Context, f Field, prefix string, pick func(term []byte) (word []byte, distance uint8, ok bool)) ([]Match, error) {
	type task struct {
		field  field
		lo, hi int
	}
	var tasks []task
	err := Catch(func() error {
		for _, s := range ss {
			fd := s.field(f)
			lo, hi := fd.jumpsOf(prefix)
			for ; lo < hi; lo += walkTask {
				tasks = append(tasks, task{fd, lo, min(lo+walkTask, hi)})
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var (
		next atomic.Int64
		far  atomic.Int64
		mu   sync.Mutex // protects out and err
		out  []Match
		wg   sync.WaitGroup
	)
	work := func() {
		var own []Match
		e := Catch(func() error {
			for i := next.Add(1) - 1; int(i) < len(tasks); i = next.Add(1) - 1 {
				if err := ctx.Err(); err != nil {
					return err
				}
				t := &tasks[i]
				t.field.walk(prefix, t.lo, t.hi, func(term []byte, posts func() []byte) {
					if word, distance, ok := pick(term); ok && (distance == 0 || far.Add(1) <= maxMatches) {
						own = append(own, Match{string(word), distance, posts(), t.field})
					}
				})
			}
			return nil
		})
		mu.Lock()
		defer mu.Unlock()
		if out = append(out, own...); err == nil {
			err = e
		}
	}
	for range min(runtime.GOMAXPROCS(0), len(tasks)) - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
	return out, err
}

// walkTask is how many jumps one goroutine walks before it takes the next.
const walkTask = 64

// jumpsOf returns the jumps behind which terms with a prefix are.
func (f *field) jumpsOf(prefix string) (lo, hi int) {
	n := f.count()
	first := func(i int) []byte { // the term at a jump, or as much of it as is to be compared
		at, _ := f.jump(i)
		t := f.terms[min(at+1, len(f.terms)):]
		return t[:min(len(t), len(prefix))]
	}
	lo = max(sort.Search(n, func(i int) bool { return string(first(i)) >= prefix })-1, 0)
	hi = sort.Search(n, func(i int) bool { return string(first(i)) > prefix })
	return min(lo, hi), hi
}

// walk calls fn for the terms behind jumps lo…hi-1 that begin with prefix; posts returns what begins with their postings.
func (f *field) walk(prefix string, lo, hi int, fn func(term []byte, posts func() []byte)) {
	for jump := lo; jump < hi; jump++ {
		at, post := f.jump(jump)
		end, _ := f.jump(jump + 1)
		p := postings{f.posts[post:], f.span}
		passed := 0 // terms whose postings are still in p
		posts := func() []byte {
			for ; passed > 0; passed-- {
				p.skip()
			}
			return p.b
		}
		for at < end {
			next := f.after(at)
			if term := f.terms[at+1 : next]; bytes.HasPrefix(term, []byte(prefix)) {
				fn(term, posts)
			} else if string(term) > prefix {
				return
			}
			at = next
			passed++
		}
	}
}
