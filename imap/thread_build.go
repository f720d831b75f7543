package imap

import (
	"cmp"
	"math"
	"slices"
)

// The algorithms of THREAD (RFC 5256 §3). REFS is draft-ietf-morg-inthread as Dovecot has it: REFERENCES without subjects, threads by their
// latest message, which is the one sent last, where the draft has INTERNALDATE. Messages are added in the order of the mailbox, then one of
// orderedSubject, references and refs is called, then roots, first and next hold the result.
//
// Threads can be as deep as there are messages, so nothing here recurses, and each step takes time linear in the messages and their references
// but for the look-up of roots (links). Whatever order siblings have to be in, it is by date and then by place in the mailbox: all
// messages are put in this order once, and lists are made by going through it.

// What references can cost is bounded; what is beyond is treated as if it were not in the header.
const (
	dummiesPerMessage = 4       // identifiers nobody has seen a message of, on average
	minDummies        = 100_000 // … but so many in any case
)

// threads are messages becoming trees. A node is a message or a dummy for an identifier whose message is not there; 0 is none.
type threads struct {
	facts   *threadFacts
	node    []int32 // of messages, in the order of the mailbox
	msg     []int32 // by node: place in facts + 1, 0 for a dummy
	parent  []int32 // by node
	hasKids []bool  // by node: it has been a parent
	named   []int32 // by number of an identifier: node
	dummies int
	links   links // the same trees as parent has them, while references are followed

	roots       []int32
	first, next []int32 // by node: first child, next sibling
}

// newThreads returns threads for n messages.
func newThreads(facts *threadFacts, n int) *threads {
	t := &threads{facts: facts, node: make([]int32, 0, n), named: make([]int32, len(facts.names))}
	t.msg, t.parent, t.hasKids = make([]int32, 1, n+1), make([]int32, 1, n+1), make([]bool, 1, n+1)
	return t
}

// grow adds a node; place is that of its message, -1 for a dummy.
func (t *threads) grow(place int) int32 {
	t.msg = append(t.msg, int32(place+1))
	t.parent = append(t.parent, 0)
	t.hasKids = append(t.hasKids, false)
	t.links.grow()
	return int32(len(t.msg) - 1)
}

// add takes the next message, by its place in facts, and follows its references if they are wanted (step 1).
func (t *threads) add(place int, references bool) {
	if !references {
		t.node = append(t.node, t.grow(place))
		return
	}
	// An identifier belongs to the first message that has it; the others, and messages without, are nobody's ancestors.
	id := t.facts.msgs[place].id
	self := t.named[id]
	switch {
	case id == 0 || self != 0 && t.msg[self] != 0:
		self = t.grow(place)
	case self == 0:
		self = t.grow(place)
		t.named[id] = self
	default:
		t.msg[self] = int32(place + 1)
		t.dummies--
	}
	t.node = append(t.node, self)

	// (A) Each reference is the parent of the next, unless that has a parent.
	above := int32(0)
	for _, id := range t.facts.references(place) {
		ref := t.reference(id)
		if ref == 0 {
			continue
		}
		if above != 0 && t.parent[ref] == 0 {
			t.link(ref, above)
		}
		above = ref
	}
	// (B) The last one is the parent of the message, whatever was thought before.
	if t.parent[self] != 0 && t.parent[self] != above {
		t.links.cut(self)
		t.parent[self] = 0
	}
	if t.parent[self] == 0 && above != 0 {
		t.link(self, above)
	}
}

// reference returns the node of an identifier, 0 when there would be too many dummies.
func (t *threads) reference(id uint32) int32 {
	n := t.named[id]
	if n == 0 && t.dummies < max(minDummies, dummiesPerMessage*len(t.node)) {
		n = t.grow(-1)
		t.named[id] = n
		t.dummies++
	}
	return n
}

// link makes parent the parent of a node that has none, unless that made a loop: as the node is a root, when parent is in its tree.
func (t *threads) link(node, parent int32) {
	if node == parent || t.hasKids[node] && t.links.root(parent) == node {
		return
	}
	t.links.link(node, parent)
	t.parent[node] = parent
	t.hasKids[parent] = true
}

// isDummy tells whether there is no message.
func (t *threads) isDummy(node int32) bool { return t.msg[node] == 0 }

// of returns a node's message.
func (t *threads) of(node int32) *threadFact { return &t.facts.msgs[t.msg[node]-1] }

// references is THREAD=REFERENCES.
func (t *threads) references() {
	t.prune()
	order := t.order()
	t.arrange(order)
	if t.mergeSubjects() {
		t.arrange(order)
	}
}

// refs is THREAD=REFS.
func (t *threads) refs() {
	t.prune()
	order := t.order()
	t.arrange(order)
	type root struct {
		node   int32
		latest int64
		place  int32
	}
	at := make([]int32, len(t.msg)) // by node: place of its root in roots + 1
	roots := make([]root, len(t.roots))
	for i, n := range t.roots {
		at[n] = int32(i + 1)
		roots[i].node, roots[i].place = n, t.msg[n]
	}
	var path []int32
	for _, n := range order {
		for ; at[n] == 0; n = t.parent[n] {
			path = append(path, n)
		}
		i := at[n]
		for _, n := range path {
			at[n] = i
		}
		path = path[:0]
	}
	for _, n := range order {
		roots[at[n]-1].latest = t.of(n).date
	}
	slices.SortFunc(roots, func(a, b root) int { return cmp.Or(cmp.Compare(a.latest, b.latest), cmp.Compare(a.place, b.place)) })
	for i := range roots {
		t.roots[i] = roots[i].node
	}
}

// orderedSubject is THREAD=ORDEREDSUBJECT: of the messages with a subject the first is the parent of the others.
func (t *threads) orderedSubject() {
	order := t.order()
	heads := make([]int32, len(t.facts.names)) // by subject
	for _, n := range order {
		subject := t.of(n).subject &^ replyBit
		if head := heads[subject]; head != 0 {
			t.parent[n] = head
		} else {
			heads[subject] = n
		}
	}
	t.arrange(order)
}

// order returns the nodes of all messages by date.
func (t *threads) order() []int32 {
	earliest, latest := int64(math.MaxInt64), int64(math.MinInt64)
	for _, node := range t.node {
		earliest, latest = min(earliest, t.of(node).date), max(latest, t.of(node).date)
	}
	since := func(place uint32) uint64 { return uint64(t.of(t.node[place]).date) - uint64(earliest) }
	pairs, spare := make([]uint64, len(t.node)), make([]uint64, len(t.node)) // of half a date and a place in node
	for i := range pairs {
		pairs[i] = since(uint32(i))<<32 | uint64(i)
	}
	pairs, spare = sortPairs(pairs, spare, math.MaxUint32)
	if len(pairs) > 0 && uint64(latest)-uint64(earliest) > math.MaxUint32 { // 136 years
		for i, pair := range pairs {
			pairs[i] = since(uint32(pair))>>32<<32 | pair&math.MaxUint32
		}
		pairs, _ = sortPairs(pairs, spare, math.MaxUint32)
	}
	order := make([]int32, len(pairs))
	for i, pair := range pairs {
		order[i] = t.node[uint32(pair)]
	}
	return order
}

// prune takes dummies out (steps 2 and 3): the parent of a message becomes the next message above, or else the dummy at the top, if that
// keeps several together.
func (t *threads) prune() {
	above := make([]int32, len(t.msg)) // by dummy: what takes its children
	kids := make([]int32, len(t.msg))  // by dummy: messages that have it as parent in the end
	var path []int32
	for _, n := range t.node {
		p := t.parent[n]
		if p == 0 || !t.isDummy(p) {
			continue
		}
		for above[p] == 0 {
			path = append(path, p)
			up := t.parent[p]
			if up == 0 || !t.isDummy(up) {
				above[p] = cmp.Or(up, p)
				break
			}
			p = up
		}
		for _, dummy := range path {
			above[dummy] = above[p]
		}
		path = path[:0]
		t.parent[n] = above[p]
		if t.isDummy(above[p]) {
			kids[above[p]]++
		}
	}
	for _, n := range t.node {
		if p := t.parent[n]; p != 0 && kids[p] == 1 {
			t.parent[n] = 0
		}
	}
	for n := range t.parent {
		if t.msg[n] == 0 {
			t.parent[n] = 0 // only dummies at the top are left
		}
	}
}

// arrange makes the lists of children and roots from the parents: each in the order given, dummies where their first child is (steps 4 and 6).
func (t *threads) arrange(order []int32) {
	t.first, t.next = make([]int32, len(t.msg)), make([]int32, len(t.msg))
	for _, n := range slices.Backward(order) {
		if p := t.parent[n]; p != 0 {
			t.next[n], t.first[p] = t.first[p], n
		}
	}
	t.roots = t.roots[:0]
	for _, n := range order {
		if p := t.parent[n]; p == 0 {
			t.roots = append(t.roots, n)
		} else if t.isDummy(p) && t.first[p] == n { // only dummies at the top are left
			t.roots = append(t.roots, p)
		}
	}
}

// head is the root, or the first child of a dummy.
func (t *threads) head(root int32) int32 {
	if t.isDummy(root) {
		return t.first[root]
	}
	return root
}

// mergeSubjects gathers threads with one subject (step 5) and tells whether there were any.
func (t *threads) mergeSubjects() (merged bool) {
	subject := func(m *threadFact) uint32 { return m.subject &^ replyBit }
	isReply := func(m *threadFact) bool { return m.subject&replyBit != 0 }
	// (B) The thread that others with its subject go to: a dummy rather than a message, an original rather than a reply, the first of equals.
	table := make([]int32, len(t.facts.names)) // by subject
	for _, n := range t.roots {
		m := t.of(t.head(n))
		if subject(m) == 0 {
			continue
		}
		old := table[subject(m)]
		if old == 0 || !t.isDummy(old) && (t.isDummy(n) || isReply(t.of(old)) && !isReply(m)) {
			table[subject(m)] = n
		}
	}
	// (C)
	for _, n := range t.roots {
		m := t.of(t.head(n))
		into := table[subject(m)]
		if subject(m) == 0 || into == n {
			continue
		}
		merged = true
		switch {
		case t.isDummy(n): // and so is into
			for kid := t.first[n]; kid != 0; kid = t.next[kid] {
				t.parent[kid] = into
			}
		case t.isDummy(into), isReply(m) && !isReply(t.of(into)):
			t.parent[n] = into
		default:
			both := t.grow(-1)
			t.parent[n], t.parent[into] = both, both
			table[subject(m)] = both
		}
	}
	return merged
}
