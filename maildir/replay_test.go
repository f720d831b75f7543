package maildir

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A recorder notes what a store does to its directory: it is asked before each operation (dir.inject), looks at the whole directory, and the
// difference to what it saw before is what the operation before has done. So it misses nothing that goes past the seam, like writes to
// open files. Of fsync, which leaves no trace, it takes the seam's word, and counts it as done.
//
// A crash is what a file system may show after the power went away behind step k. Two of them are known:
//
//   - ordered, as ext4 with data=ordered and delayed allocation, XFS: names are changed in the order of the operations, all those before some
//     moment, and every fsync of anything pushes that moment to itself. Content is its own matter: what was written to a file since its last
//     fsync is there, cut off anywhere, or not there at all (a file of zero octets).
//   - harsh, as little as POSIX says with the one thing that all file systems in use add, that a rename loses no file: each directory on its own
//     shows the operations on it before some moment, which only its own fsync pushes; of a rename between two directories the old name can
//     stay when the new one is there, but not the other way round. Content since the last fsync is there, old, cut off, or zeros.
//
// Both: fdatasync is as good as fsync, and what was fsynced is there for ever. One thing is left out of both: the owner in a lock file is always
// whole. Where it is not, whoever comes next waits the two minutes that Dovecot waits too, and then it is the same.
type recorder struct {
	root string

	mu    sync.Mutex
	names map[inode]node // what has a name now
	nodes []nodeState    // by node; [0] is the root
	steps []traced
}

// node is a file or directory.
type node int

type nodeState struct {
	dir     bool
	first   []byte // content when the recording began
	content []byte // content now
	before  map[string]node
	entries map[string]node
}

// traced is one step: names of a directory that change at once, new content of a file, or an fsync.
type traced struct {
	what  string
	node  node
	names map[string]node // of a directory; -1: goes
	data  []byte          // of a file, when not nil
	sync  bool
	needs int // a step without which this one cannot survive, -1: none
}

// newRecorder begins a recording of the store's root, all of which counts as durable.
func newRecorder(t *testing.T, s *Store, root string) *recorder {
	t.Helper()
	r := &recorder{root: root, names: map[inode]node{}}
	r.nodes = []nodeState{{dir: true, entries: map[string]node{}}}
	if err := r.look("begin"); err != nil {
		t.Fatal(err)
	}
	r.steps = nil
	for i := range r.nodes {
		n := &r.nodes[i]
		n.first, n.before = n.content, maps.Clone(n.entries)
	}
	last := "begin"
	s.root.inject(func(op, path string) error {
		if op == "stat" || op == "readdir" {
			return nil
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if err := r.look(last); err != nil {
			return err
		}
		last = op + " " + strings.TrimPrefix(path, root)
		if op == "fsync" || op == "fdatasync" {
			n, err := r.find(path)
			if err != nil {
				return err
			}
			r.steps = append(r.steps, traced{what: last, node: n, sync: true, needs: -1})
		}
		return nil
	})
	return r
}

// now is how many steps there have been.
func (r *recorder) now(t *testing.T) int {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.look("end"); err != nil {
		t.Fatal(err)
	}
	return len(r.steps)
}

// find is the node at a path.
func (r *recorder) find(path string) (node, error) {
	rel, err := filepath.Rel(r.root, path)
	if err != nil {
		return 0, err
	}
	n := node(0)
	for part := range strings.SplitSeq(rel, "/") {
		if part == "." {
			continue
		}
		next, ok := r.nodes[n].entries[part]
		if !ok {
			return 0, fmt.Errorf("nothing known at %s", path)
		}
		n = next
	}
	return n, nil
}

// place is a name in a directory.
type place struct {
	dir  node
	name string
}

// look notes what is different from the last time.
func (r *recorder) look(what string) error {
	seen := map[inode]node{}
	var gone, come []place
	at := map[place]node{}
	var visit func(n node, path string) error
	visit = func(n node, path string) error {
		list, err := os.ReadDir(path)
		if err != nil {
			return err
		}
		found := map[string]node{}
		for _, e := range list {
			sub := filepath.Join(path, e.Name())
			var st unix.Stat_t
			if err := unix.Lstat(sub, &st); err != nil {
				return err
			}
			id := inode{uint64(st.Dev), st.Ino}
			child, known := seen[id]
			if !known {
				if child, known = r.names[id]; !known {
					child = node(len(r.nodes))
					r.nodes = append(r.nodes, nodeState{dir: e.IsDir(), entries: map[string]node{}})
				}
				seen[id] = child
				if e.IsDir() {
					if err := visit(child, sub); err != nil {
						return err
					}
				} else if content, err := os.ReadFile(sub); err != nil {
					return err
				} else if state := &r.nodes[child]; !bytes.Equal(content, state.content) {
					state.content = content
					r.steps = append(r.steps, traced{what: what + ": content of " + e.Name(), node: child, data: content, needs: -1})
				}
			}
			found[e.Name()] = child
			if was, ok := r.nodes[n].entries[e.Name()]; !ok || was != child {
				come = append(come, place{n, e.Name()})
				at[place{n, e.Name()}] = child
			}
		}
		for name := range r.nodes[n].entries {
			if _, ok := found[name]; !ok {
				gone = append(gone, place{n, name})
			}
		}
		return nil
	}
	if err := visit(0, r.root); err != nil {
		return err
	}
	note := func(p place, to node, needs int) int {
		r.steps = append(r.steps, traced{what: what, node: p.dir, names: map[string]node{p.name: to}, needs: needs})
		return len(r.steps) - 1
	}
	for _, c := range come {
		i := note(c, at[c], -1)
		gone = slices.DeleteFunc(gone, func(g place) bool {
			if r.nodes[g.dir].entries[g.name] != at[c] {
				return false
			}
			if g.dir == c.dir {
				r.steps[i].names[g.name] = -1
			} else {
				note(g, -1, i)
			}
			delete(r.nodes[g.dir].entries, g.name)
			return true
		})
		r.nodes[c.dir].entries[c.name] = at[c]
	}
	for _, g := range gone {
		note(g, -1, -1)
		delete(r.nodes[g.dir].entries, g.name)
	}
	r.names = seen
	return nil
}

// extent is how much survives of what was not fsynced.
type extent string

const (
	nothing    extent = "nothing"
	anything   extent = "something"
	everything extent = "everything"
)

// crash builds in dir what a file system may show after the power went away behind step k.
func (r *recorder) crash(t *testing.T, dir string, k int, harsh bool, much extent, rnd *rand.Rand) {
	t.Helper()
	pick := func(from, to int) int { // from..to
		switch {
		case much == nothing:
			return from
		case much == everything:
			return to
		}
		return from + rnd.IntN(to-from+1)
	}
	durable := make([]int, len(r.nodes)) // the step behind the last fsync of each node
	synced := 0                          // the step behind the last fsync of all
	for i, s := range r.steps[:k] {
		if s.sync {
			durable[s.node], synced = i+1, i+1
		}
	}
	entries := make([]map[string]node, len(r.nodes))
	upto := make([]int, len(r.nodes))
	moment := pick(synced, k)
	for n := range r.nodes {
		entries[n] = maps.Clone(r.nodes[n].before)
		if entries[n] == nil {
			entries[n] = map[string]node{}
		}
		if upto[n] = moment; harsh {
			upto[n] = pick(durable[n], k)
		}
	}
	for again := true; again; {
		again = false
		for i, s := range r.steps[:k] {
			if s.needs >= 0 && i < upto[s.node] {
				if need := r.steps[s.needs].node; upto[need] <= s.needs {
					upto[need], again = s.needs+1, true
				}
			}
		}
	}
	versions := make([][][]byte, len(r.nodes)) // of files, from the last that is durable on
	for n := range r.nodes {
		versions[n] = [][]byte{r.nodes[n].first}
	}
	for i, s := range r.steps[:k] {
		switch {
		case s.names != nil && i < upto[s.node]:
			for name, to := range s.names {
				if to < 0 {
					delete(entries[s.node], name)
				} else {
					entries[s.node][name] = to
				}
			}
		case s.data != nil && i < durable[s.node]:
			versions[s.node] = [][]byte{s.data}
		case s.data != nil:
			versions[s.node] = append(versions[s.node], s.data)
		}
	}
	content := func(n node, name string) []byte {
		v := versions[n]
		old, b := v[0], v[pick(0, len(v)-1)]
		if strings.HasSuffix(name, ".lock") {
			return v[len(v)-1]
		}
		if len(b) > len(old) {
			b = slices.Clone(b)
			cut := pick(len(old), len(b))
			if harsh && much == anything && rnd.IntN(2) == 0 {
				clear(b[cut:])
			} else {
				b = b[:cut]
			}
		}
		return b
	}
	made := map[node]string{}
	long := time.Now().Add(-time.Hour)
	var build func(n node, path string)
	build = func(n node, path string) {
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, name := range slices.Sorted(maps.Keys(entries[n])) {
			child, sub := entries[n][name], filepath.Join(path, name)
			var err error
			if r.nodes[child].dir {
				build(child, sub)
			} else if first := made[child]; first != "" {
				err = os.Link(first, sub)
			} else if err = os.WriteFile(sub, content(child, name), 0o600); err == nil && strings.HasSuffix(name, ".lock") {
				err = os.Chtimes(sub, long, long) // its owner has been dead for a while
			}
			if err != nil {
				t.Fatal(err)
			}
			made[child] = sub
		}
	}
	build(0, dir)
}
