package imap

import (
	"cmp"
	"slices"
)

// The algorithms of THREAD (RFC 5256 §3). REFS is draft-ietf-morg-inthread as Dovecot has it: REFERENCES without subjects, threads by their
// latest message, which is the one sent last, where the draft has INTERNALDATE. Messages are added in the order of the mailbox, then one of
// orderedSubject, references and refs is called, then roots, first and next hold the result.
//
// Threads can be as deep as there are messages, so nothing here recurses, and each step takes time linear in the messages and their references
// but for sorting and for the look-up of roots (links). Whatever order siblings have to be in, it is by date and then by place in the mailbox: all
// messages are put in this order once, and lists are made by going through it.

// threadMessage is what is known of a message. What the algorithm does not ask for stays zero.
type threadMessage struct {
	uid     uint32
	date    int64       // when it was sent
	subject string      // its base subject, as it is compared
	reply   bool        // there were marks of a reply or forward
	id      messageID   // zero: none
	refs    []messageID // its ancestors, the nearest last
}

// messageID is a Message-ID, hashed.
type messageID [16]byte

// Bounds of what references can cost; what is beyond them is treated as if it were not in the header.
const (
	maxReferences     = 256     // of one message: the first and the last of them count
	dummiesPerMessage = 4       // identifiers nobody has seen a message of, on average
	minDummies        = 100_000 // … but so many in any case
)

// threads are messages becoming trees. A node is a message or a dummy for an identifier whose message is not there; 0 is none.
type threads struct {
	msgs    []threadMessage
	node    []int32 // of a message, by place in msgs
	msg     []int32 // by node: place in msgs + 1, 0 for a dummy
	parent  []int32 // by node
	hasKids []bool  // by node: it has been a parent
	byID    map[messageID]int32
	dummies int
	links   links // the same trees as parent has them, while references are followed

	roots       []int32
	first, next []int32 // by node: first child, next sibling
}

func newThreads() *threads {
	return &threads{byID: map[messageID]int32{}, msg: make([]int32, 1), parent: make([]int32, 1), hasKids: make([]bool, 1)}
}

// grow adds a node; place is that of its message, -1 for a dummy.
func (t *threads) grow(place int) int32 {
	t.msg = append(t.msg, int32(place+1))
	t.parent = append(t.parent, 0)
	t.hasKids = append(t.hasKids, false)
	t.links.grow()
	return int32(len(t.msg) - 1)
}

// add takes the next message and follows its references (step 1).
func (t *threads) add(m threadMessage) {
	refs := m.refs
	m.refs = nil
	place := len(t.msgs)
	t.msgs = append(t.msgs, m)

	// An identifier belongs to the first message that has it; the others, and messages without, are nobody's ancestors.
	self := t.byID[m.id]
	switch {
	case m.id == messageID{} || self != 0 && t.msg[self] != 0:
		self = t.grow(place)
	case self == 0:
		self = t.grow(place)
		t.byID[m.id] = self
	default:
		t.msg[self] = int32(place + 1)
		t.dummies--
	}
	t.node = append(t.node, self)

	// (A) Each reference is the parent of the next, unless that has a parent.
	above := int32(0)
	for _, id := range refs {
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
func (t *threads) reference(id messageID) int32 {
	n := t.byID[id]
	if n == 0 && t.dummies < max(minDummies, dummiesPerMessage*len(t.msgs)) {
		n = t.grow(-1)
		t.byID[id] = n
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
func (t *threads) of(node int32) *threadMessage { return &t.msgs[t.msg[node]-1] }

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
	heads := map[string]int32{}
	for _, n := range order {
		subject := t.of(n).subject
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
	order := slices.Clone(t.node)
	slices.SortFunc(order, func(a, b int32) int {
		return cmp.Or(cmp.Compare(t.of(a).date, t.of(b).date), cmp.Compare(t.msg[a], t.msg[b]))
	})
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
	t.roots = t.roots[:0]
	for _, n := range slices.Backward(order) {
		p := t.parent[n]
		if p == 0 {
			t.roots = append(t.roots, n)
			continue
		}
		t.next[n], t.first[p] = t.first[p], n
	}
	for n := range t.msg { // 0 is none, and has no children
		if f := t.first[n]; f != 0 && t.isDummy(int32(n)) {
			t.roots = append(t.roots, int32(n))
		}
	}
	slices.SortFunc(t.roots, func(a, b int32) int {
		x, y := t.head(a), t.head(b)
		return cmp.Or(cmp.Compare(t.of(x).date, t.of(y).date), cmp.Compare(t.msg[x], t.msg[y]))
	})
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
	// (B) The thread that others with its subject go to: a dummy rather than a message, an original rather than a reply, the first of equals.
	table := map[string]int32{}
	for _, n := range t.roots {
		m := t.of(t.head(n))
		if m.subject == "" {
			continue
		}
		old := table[m.subject]
		if old == 0 || !t.isDummy(old) && (t.isDummy(n) || t.of(old).reply && !m.reply) {
			table[m.subject] = n
		}
	}
	// (C)
	for _, n := range t.roots {
		m := t.of(t.head(n))
		if m.subject == "" || table[m.subject] == n {
			continue
		}
		merged = true
		into := table[m.subject]
		switch {
		case t.isDummy(n): // and so is into
			for kid := t.first[n]; kid != 0; kid = t.next[kid] {
				t.parent[kid] = into
			}
		case t.isDummy(into), m.reply && !t.of(into).reply:
			t.parent[n] = into
		default:
			both := t.grow(-1)
			t.parent[n], t.parent[into] = both, both
			table[m.subject] = both
		}
	}
	return merged
}
