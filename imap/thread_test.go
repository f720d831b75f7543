package imap

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"roost/imap/wire"
	"roost/maildir/message"
)

// mail makes a message from "id<ref,ref Subject@date"; everything but the id, "-" for none, may be missing.
func mail(t testing.TB, uid int, text string) threadMessage {
	t.Helper()
	m := regexp.MustCompile(`^(\w+|-)(?:<([\w,]+))?(?: ([^@]*))?(?:@(\d+))?$`).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("what is %q", text)
	}
	out := threadMessage{uid: uint32(uid), date: int64(uid)}
	if m[1] != "-" {
		out.id = hashMessageID([]byte(m[1]))
	}
	for ref := range strings.SplitSeq(m[2], ",") {
		if ref != "" {
			out.refs = append(out.refs, hashMessageID([]byte(ref)))
		}
	}
	out.subject, out.reply = threadSubject(&message.Envelope{Subject: []byte(m[3])})
	if m[4] != "" {
		date, err := strconv.Atoi(m[4])
		if err != nil {
			t.Fatal(err)
		}
		out.date = int64(date)
	}
	return out
}

// threaded threads messages and returns the answer's trees.
func threaded(name string, msgs []threadMessage) string {
	g := newThreadGatherer(new(threadFacts), nil, 0)
	for i := range msgs {
		g.add(&msgs[i])
	}
	facts := g.done()
	return threadAlgorithms[name].threads(facts, facts.uids).String()
}

// String returns the answer's trees, with UIDs.
func (t *threads) String() string {
	var b strings.Builder
	s := &session{enc: wire.NewEncoder(&b)}
	s.writeThreads(t, true)
	s.enc.Flush()
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(b.String(), "* THREAD"), " "), "\r\n")
}

func TestThread(t *testing.T) {
	for _, tt := range []struct {
		name, algorithm, mail, want string
	}{
		{"nothing", "REFERENCES", "", ""},
		{"strangers", "REFERENCES", "a; b; -; -", "(1)(2)(3)(4)"},
		{"by date", "REFERENCES", "a@3; b@1; c@2", "(2)(3)(1)"},
		{"ties", "REFERENCES", "a@5; b@5; c@5", "(1)(2)(3)"},
		{"centuries", "REFERENCES", "a@9999999999; b@1; c@4294967296; d@4294967297; e@9999999999", "(2)(3)(4)(1)(5)"},
		{"chain", "REFERENCES", "a; b<a; c<a,b; d<c", "(1 2 3 4)"},
		{"answers", "REFERENCES", "a; b<a@9; c<a@8; d<c", "(1 (3 4)(2))"},
		{"answer first", "REFERENCES", "b<a@2; a@1", "(2 1)"},
		{"one answer to nobody", "REFERENCES", "b<a", "(1)"},
		{"answers to nobody", "REFERENCES", "b<a; c<a", "((1)(2))"},
		{"a dummy between", "REFERENCES", "a; c<a,b; d<a,b", "(1 (2)(3))"},
		{"dummies above each other", "REFERENCES", "c<x,y,a; d<x,y,b; e<x", "((1)(2)(3))"},
		{"a dummy of one", "REFERENCES", "c<x,y,a; d<y,a,c", "(1 2)"},
		{"links that are there stay", "REFERENCES", "x<a,b; y<c,b; b@1; c@0", "(4)(3 (1)(2))"}, // b has a as parent, until it comes and has none
		{"the message's own word counts", "REFERENCES", "x<a,b; a; b<c; c", "(2)(4 3 1)"},
		{"truncated references", "REFERENCES", "a; b<a; c<a,b; e<a,d", "(1 (2 3)(4))"},
		{"a loop of two", "REFERENCES", "a<b; b<a", "(2 1)"},
		{"a loop of itself", "REFERENCES", "a<a; b<b,a,b", "(2 1)"},
		{"a loop of three", "REFERENCES", "a<b; b<c; c<a", "(3 2 1)"},
		{"a loop of references", "REFERENCES", "x<a,b,a,b", "(1)"},
		{"one identifier, two messages", "REFERENCES", "a; a; b<a", "(1 3)(2)"},
		{"one identifier, answers first", "REFERENCES", "b<a; a<z; a<b@0", "(2 1 3)"},

		{"one subject", "REFERENCES", "a Hello; b Re: hello; c Re: Hello", "(1 (2)(3))"},
		{"replies only", "REFERENCES", "a Re: hello; b Re: hello", "((1)(2))"},
		{"two originals", "REFERENCES", "a hello; b hello; c hello; d Re: hello", "((1)(2)(3)(4))"},
		{"the original comes late", "REFERENCES", "a Re: hello; b hello", "(2 1)"},
		{"no subject", "REFERENCES", "a; b Re:; c", "(1)(2)(3)"},
		{"subjects of dummies", "REFERENCES", "b<a hello; c<a x; d hello", "((1)(2)(3))"},
		{"two dummies", "REFERENCES", "b<a hello; c<a x; e<d hello; f<d y", "((1)(2)(3)(4))"},
		{"the first child speaks for a dummy", "REFERENCES", "b<a x@2; c<a hello@1; d Re: x; e Re: hello", "((2)(1)(4))(3)"},
		{"below roots subjects are nothing", "REFERENCES", "a x; b<a hello; c hello", "(1 2)(3)"},
		{"a thread moves whole", "REFERENCES", "a hello; b Re: hello; c<b z; d<b z", "(1 2 (3)(4))"},
		{"a merged dummy is where its first is", "REFERENCES", "x@5; a Re: s@3; b Re: s@9", "((2)(3))(1)"},

		{"refs has no subjects", "REFS", "a hello; b Re: hello", "(1)(2)"},
		{"refs by the latest", "REFS", "a@1; b@2; c<a@3", "(2)(1 3)"},
		{"refs: children by date", "REFS", "a@1; b<a@9; c<a@3; d@5", "(4)(1 (3)(2))"},
		{"refs: dummies", "REFS", "b<a@1; c<a@4; d@2; e<d@3", "(3 4)((1)(2))"},

		{"ordered", "ORDEREDSUBJECT", "a s@5; b Re: S@4; c t@1; d<a s@9; e", "(3)(2 (1)(4))(5)"},
		{"ordered, one answer", "ORDEREDSUBJECT", "a s; b t; c Re: s", "(1 3)(2)"},
		{"ordered, no subject is one too", "ORDEREDSUBJECT", "a; b Re:; c s", "(1 2)(3)"},
	} {
		var msgs []threadMessage
		for i, text := range strings.Split(tt.mail, "; ") {
			if text != "" {
				msgs = append(msgs, mail(t, i+1, text))
			}
		}
		if got := threaded(tt.algorithm, msgs); got != tt.want {
			t.Errorf("%s: %s of %q:\n got %s\nwant %s", tt.name, tt.algorithm, tt.mail, got, tt.want)
		}
	}
}

// plainNode is a node of the oracle: RFC 5256 §3 as it stands there, with pointers, recursion and loops over everything.
type plainNode struct {
	msg    *threadMessage // nil: a dummy
	parent *plainNode
	kids   []*plainNode
}

func (n *plainNode) unlink() {
	if n.parent != nil {
		n.parent.kids = slices.DeleteFunc(n.parent.kids, func(k *plainNode) bool { return k == n })
		n.parent = nil
	}
}

func (n *plainNode) under(parent *plainNode) {
	for up := parent; up != nil; up = up.parent {
		if up == n {
			return // a loop
		}
	}
	n.parent = parent
	parent.kids = append(parent.kids, n)
}

func (n *plainNode) prune(root bool) []*plainNode {
	var kids []*plainNode
	for _, k := range n.kids {
		kids = append(kids, k.prune(false)...)
	}
	n.kids = kids
	if n.msg != nil || root && len(kids) > 1 {
		return []*plainNode{n}
	}
	return kids
}

func (n *plainNode) head() *threadMessage {
	if n.msg == nil {
		return n.kids[0].msg
	}
	return n.msg
}

func plainSort(nodes []*plainNode) {
	for _, n := range nodes {
		plainSort(n.kids)
	}
	slices.SortFunc(nodes, func(a, b *plainNode) int {
		if x, y := a.head(), b.head(); x.date != y.date {
			return int(x.date - y.date)
		} else {
			return int(x.uid) - int(y.uid)
		}
	})
}

func (n *plainNode) String() string {
	out := "("
	if n.msg != nil {
		out += fmt.Sprint(n.msg.uid)
		if len(n.kids) > 0 {
			out += " "
		}
		if len(n.kids) == 1 {
			return out + n.kids[0].String()[1:]
		}
	}
	for _, k := range n.kids {
		out += k.String()
	}
	return out + ")"
}

func plainReferences(msgs []threadMessage) string {
	byID := map[messageID]*plainNode{}
	nodes := make([]*plainNode, len(msgs))
	all := []*plainNode{}
	for i := range msgs {
		nodes[i] = &plainNode{msg: &msgs[i]}
		all = append(all, nodes[i])
		if id := msgs[i].id; id != (messageID{}) && byID[id] == nil {
			byID[id] = nodes[i]
		}
	}
	for i := range msgs {
		var last *plainNode
		for _, id := range msgs[i].refs {
			ref := byID[id]
			if ref == nil {
				ref = &plainNode{}
				byID[id] = ref
				all = append(all, ref)
			}
			if last != nil && ref.parent == nil {
				ref.under(last)
			}
			last = ref
		}
		nodes[i].unlink()
		if last != nil {
			nodes[i].under(last)
		}
	}
	var roots []*plainNode
	for _, n := range all {
		if n.parent == nil {
			roots = append(roots, n.prune(true)...)
		}
	}
	plainSort(roots)
	table := map[messageID]*plainNode{}
	for _, n := range roots {
		if old, s := table[n.head().subject], n.head().subject; s != (messageID{}) &&
			(old == nil || old.msg != nil && (n.msg == nil || old.msg.reply && !n.msg.reply)) {
			table[s] = n
		}
	}
	for _, n := range slices.Clone(roots) {
		s := n.head().subject
		into := table[s]
		if s == (messageID{}) || into == n {
			continue
		}
		remove := func(n *plainNode) { roots = slices.DeleteFunc(roots, func(r *plainNode) bool { return r == n }) }
		switch {
		case n.msg == nil && into.msg == nil:
			into.kids = append(into.kids, n.kids...)
			remove(n)
		case into.msg == nil, n.msg.reply && !into.msg.reply:
			into.kids = append(into.kids, n)
			remove(n)
		default:
			both := &plainNode{kids: []*plainNode{into, n}}
			remove(n)
			remove(into)
			roots = append(roots, both)
			table[s] = both
		}
	}
	plainSort(roots)
	out := ""
	for _, n := range roots {
		out += n.String()
	}
	return out
}

// TestThreadOracle compares with the RFC taken literally, for mail with few identifiers, so that all goes wrong that can.
func TestThreadOracle(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	subjects := []string{"", "Re:", "a", "Re: a", "b", "Re: b", "[fwd: A]"}
	for round := range 5000 {
		ids := 1 + rng.IntN(12)
		msgs := make([]threadMessage, rng.IntN(12))
		for i := range msgs {
			id := fmt.Sprint(rng.IntN(ids))
			if rng.IntN(8) == 0 {
				id = "-"
			}
			var refs []string
			for range rng.IntN(4) {
				refs = append(refs, fmt.Sprint(rng.IntN(ids)))
			}
			text := id
			if refs != nil {
				text += "<" + strings.Join(refs, ",")
			}
			msgs[i] = mail(t, i+1, fmt.Sprintf("%s %s@%d", text, subjects[rng.IntN(len(subjects))], rng.IntN(9)))
		}
		if got, want := threaded("REFERENCES", msgs), plainReferences(msgs); got != want {
			t.Fatalf("round %d, %+v:\n got %s\nwant %s", round, msgs, got, want)
		}
		for _, algorithm := range []string{"REFS", "ORDEREDSUBJECT"} {
			checkOnce(t, threaded(algorithm, msgs), len(msgs))
		}
	}
}

// checkOnce: every message is in the trees exactly once, and parentheses match.
func checkOnce(t *testing.T, trees string, n int) {
	t.Helper()
	seen := make([]bool, n+1)
	count, depth, num := 0, 0, 0
	for i, c := range trees {
		switch c {
		case '(':
			depth++
		case ')', ' ':
		default:
			num = num*10 + int(c-'0')
			continue
		}
		if num > 0 {
			if num > n || seen[num] {
				t.Fatalf("%d in %.200s", num, trees)
			}
			seen[num], num = true, 0
			count++
		}
		if c == ')' {
			if depth--; depth < 0 || trees[i-1] == '(' {
				t.Fatalf("not well-formed: %.200s", trees)
			}
		}
	}
	if depth != 0 || count != n {
		t.Fatalf("depth %d, %d of %d messages: %.200s", depth, count, n, trees)
	}
}

// TestThreadLarge: 100,000 messages in every shape that makes a walk long. Were time not nearly linear, or anything recursive, this would not
// end well.
func TestThreadLarge(t *testing.T) {
	const n = 100_000
	rng := rand.New(rand.NewPCG(5, 6))
	id := func(i int) string { return fmt.Sprint("m", i) }
	shapes := map[string]func(i int) string{
		"chain":               func(i int) string { return id(i) + "<" + id(i-1) },
		"backwards":           func(i int) string { return id(n-i) + "<" + id(n-i-1) },
		"ring":                func(i int) string { return id(i) + "<" + id((i+1)%n) },
		"star":                func(i int) string { return id(i) + "<" + id(0) },
		"nobody":              func(i int) string { return id(i) + "<x,y" },
		"duplicates":          func(i int) string { return "same<same" },
		"missing every other": func(i int) string { return id(2*i) + "<" + id(2*i-1) + "," + id(2*i-2) },
		"caterpillar":         func(i int) string { return id(i) + "<" + id(i&^1-2) },
		// A deep thread first, then many that know their children already and go to its end.
		"known children": func(i int) string {
			switch {
			case i < n/2:
				return id(i) + "<" + id(i-1)
			case i%2 == 0:
				return "child" + id(i) + "<" + id(i+1)
			}
			return id(i) + "<" + id(n/2-1)
		},
	}
	order := rng.Perm(n)
	shapes["shuffled"] = func(i int) string { return id(order[i]) + "<" + id(order[i]-1) }
	shapes["random"] = func(i int) string {
		return fmt.Sprintf("%s<%s,%s,%s", id(i), id(rng.IntN(n)), id(rng.IntN(n)), id(rng.IntN(n)))
	}
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			msgs := make([]threadMessage, n)
			for i := range msgs {
				text := strings.ReplaceAll(shape(i), "-", "_")
				head, refs, _ := strings.Cut(text, "<")
				msgs[i] = threadMessage{uid: uint32(i + 1), date: int64(rng.IntN(n)), id: hashMessageID([]byte(head)), subject: hashMessageID([]byte(strconv.Itoa(i % 1000)))}
				for ref := range strings.SplitSeq(refs, ",") {
					msgs[i].refs = append(msgs[i].refs, hashMessageID([]byte(ref)))
				}
			}
			checkOnce(t, threaded("REFERENCES", msgs), n)
			if name == "known children" {
				checkOnce(t, threaded("REFS", msgs), n)
				checkOnce(t, threaded("ORDEREDSUBJECT", msgs), n)
			}
		})
	}
}

// TestThreadDummies: identifiers of messages that nobody has cost memory; what is beyond the bound is not there.
func TestThreadDummies(t *testing.T) {
	g := newThreadGatherer(new(threadFacts), nil, 0)
	for i := range 2000 {
		m := threadMessage{uid: uint32(i + 1)}
		for j := range maxReferences {
			m.refs = append(m.refs, hashMessageID(fmt.Append(nil, i, j)))
		}
		g.add(&m)
	}
	threads := newThreads(g.done(), 2000)
	for i := range 2000 {
		threads.add(i, true)
	}
	if limit := minDummies + 2000; len(threads.msg) > limit+1 {
		t.Errorf("%d nodes for 2000 messages", len(threads.msg))
	}
	threads.references()
	if len(threads.roots) != 2000 {
		t.Errorf("%d roots", len(threads.roots))
	}
}
