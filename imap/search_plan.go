package imap

import (
	"slices"
	"sort"
	"strings"
	"time"

	"roost/imap/wire"
	"roost/index"
	"roost/maildir"
)

// A search tree is planned before it is run. NOT is pushed down to the leaves, nested ANDs and ORs become one, equal leaves are one leaf, and
// what is true or false of every message disappears. Each leaf knows at which level of effort it can be decided; a message is evaluated level
// by level in three-valued logic and left alone as soon as the tree is decided, so a file is opened only for messages that the levels before
// leave undecided. Sequence and UID sets at the top narrow the candidates before that.

// level is an effort, in the order it is made.
type level uint8

const (
	levelRecord level = iota // sets, flags; sizes and dates when the record has them
	levelFill                // sizes and dates
	levelIndex               // what the full-text index knows
	levelCached              // parsed facts, when they are in the cache
	levelStored              // texts that the full-text index keeps
	levelParse               // parsed facts and header fields, whatever it takes
	levelText                // the message's text
	levels
)

// tri is a truth value.
type tri int8

const (
	unknown tri = iota
	yes
	not
)

func truth(b bool) tri {
	if b {
		return yes
	}
	return not
}

// negate keeps unknown as it is.
func (t tri) negate() tri {
	switch t {
	case yes:
		return not
	case not:
		return yes
	}
	return unknown
}

// op is what a node does with its children.
type op uint8

const (
	opConst op = iota
	opLeaf
	opAnd
	opOr
)

// node is a node of the planned tree. Only leaves are negated.
type node struct {
	op    op
	value tri // of opConst
	leaf  int // index in plan.leaves
	not   bool
	kids  []*node
	cost  level // highest level below
}

// leaf is one question about a message.
type leaf struct {
	from, to level              // test is first asked at from, and must answer at to
	test     func(p *probe) tri // nil for texts
	set      uidSet             // of a set leaf
	flag     maildir.Flags      // of a leaf that asks for a system flag
	text     *textLeaf          // of BODY and TEXT
	ask      *ask               // what the full-text index may know
	rank     *ask               // what the index ranks, which alone can decide it
}

// textLeaf looks for needle in the body, and in all header fields too (TEXT).
type textLeaf struct {
	needle  index.Needle
	headers bool
}

// plan is a search ready to run.
type plan struct {
	root   *node
	leaves []leaf
	levels []level // the levels that leaves need, ascending
	within uidSet  // candidates; nil with all set: the whole view
	all    bool
	modSeq bool   // MODSEQ is among the keys
	most   int    // candidates that are looked at, the highest; 0: all
	lowest uint32 // the first of them, when there were more
	fixed  bool   // what a message is asked never changes: no flags, no MODSEQ, no age
	index  *indexed

	loose     bool // what is planned now is in a FUZZY
	ranked    bool // there are leaves that the index ranks
	scored    bool // relevance is wanted
	relevance relevance

	view  *view
	saved []uint32
	names []string // keyword slots
	byKey map[string]int
	now   time.Time
}

// newPlan plans a search for messages of v. keywords are the mailbox's, by slot; saved is "$".
func newPlan(key wire.SearchKey, v *view, keywords []string, saved []uint32) (*plan, error) {
	pl := &plan{view: v, saved: saved, names: keywords, byKey: map[string]int{}, now: time.Now(), all: true, fixed: true}
	root, err := pl.build(key, false)
	if err != nil {
		return nil, err
	}
	pl.root = pl.narrow(root)
	pl.setLevels()
	return pl, nil
}

// setLevels finds out which levels the leaves need.
func (pl *plan) setLevels() {
	var need [levels]bool
	for _, l := range pl.leaves {
		need[l.from], need[l.to] = true, true
	}
	if pl.index != nil {
		need[levelStored] = true
	}
	pl.levels = pl.levels[:0]
	for lv, needed := range need {
		if needed {
			pl.levels = append(pl.levels, level(lv))
		}
	}
}

// narrow takes the sets that every match must be in out of the tree and makes them the candidates.
func (pl *plan) narrow(root *node) *node {
	kids := []*node{root}
	if root.op == opAnd {
		kids = root.kids
	}
	rest := kids[:0:0]
	for _, kid := range kids {
		if kid.op != opLeaf || kid.not || pl.leaves[kid.leaf].set == nil {
			rest = append(rest, kid)
			continue
		}
		if set := pl.leaves[kid.leaf].set; pl.all {
			pl.within, pl.all = set, false
		} else {
			pl.within = pl.within.intersect(set)
		}
	}
	return group(opAnd, rest)
}

// candidates returns the UIDs to look at, ascending.
func (pl *plan) candidates() []uint32 {
	switch {
	case pl.root.op == opConst && pl.root.value == not:
		return nil
	case pl.all:
		return pl.view.uids
	}
	var out []uint32
	uids := pl.view.uids
	for _, r := range pl.within {
		lo, _ := slices.BinarySearch(uids, r.first)
		uids = uids[lo:]
		hi, found := slices.BinarySearch(uids, r.last)
		if found {
			hi++
		}
		out = append(out, uids[:hi]...)
		uids = uids[hi:]
	}
	return out
}

// constant is a node that is true or false of every message.
func constant(b bool) *node { return &node{op: opConst, value: truth(b)} }

// group joins nodes with AND or OR: nested groups of the same kind are flattened, constants folded, cheap children come first.
func group(o op, nodes []*node) *node {
	neutral, decisive := yes, not
	if o == opOr {
		neutral, decisive = not, yes
	}
	var kids []*node
	for _, n := range nodes {
		switch {
		case n.op == opConst && n.value == decisive:
			return n
		case n.op == opConst:
		case n.op == o:
			kids = append(kids, n.kids...)
		default:
			kids = append(kids, n)
		}
	}
	switch len(kids) {
	case 0:
		return &node{op: opConst, value: neutral}
	case 1:
		return kids[0]
	}
	sort.SliceStable(kids, func(i, j int) bool { return kids[i].cost < kids[j].cost })
	return &node{op: o, kids: kids, cost: kids[len(kids)-1].cost}
}

// build plans one key; neg when an odd number of NOTs is around it. The parser bounds the depth.
func (pl *plan) build(key wire.SearchKey, neg bool) (*node, error) {
	switch key := key.(type) {
	case *wire.KeyNot:
		return pl.build(key.Key, !neg)
	case *wire.KeyFuzzy:
		defer func(was bool) { pl.loose = was }(pl.loose)
		pl.loose = true
		return pl.build(key.Key, neg)
	case *wire.KeyAnd:
		return pl.buildGroup(opAnd, key.Keys, neg)
	case *wire.KeyOr:
		return pl.buildGroup(opOr, []wire.SearchKey{key.A, key.B}, neg)
	}
	n, err := pl.buildLeaf(key)
	if r := pl.rankedNode(key); r != nil && err == nil {
		return alternatives(n, r, neg), nil
	}
	if err != nil || !neg {
		return n, err
	}
	return inverse(n), nil
}

// inverse is a leaf or constant of the opposite meaning.
func inverse(n *node) *node {
	if n.op == opConst {
		return constant(n.value == not)
	}
	n.not = !n.not
	return n
}

// buildGroup is De Morgan: a negated AND is the OR of its negated children.
func (pl *plan) buildGroup(o op, keys []wire.SearchKey, neg bool) (*node, error) {
	if neg {
		o = opAnd + opOr - o
	}
	nodes := make([]*node, 0, len(keys))
	for _, key := range keys {
		n, err := pl.build(key, neg)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	return group(o, nodes), nil
}

// add returns a node for a leaf. key, when not empty, makes equal leaves one.
func (pl *plan) add(key string, l leaf) *node {
	i, ok := pl.byKey[key]
	if !ok || key == "" {
		i = len(pl.leaves)
		pl.leaves = append(pl.leaves, l)
		pl.byKey[key] = i
	}
	return &node{op: opLeaf, leaf: i, cost: pl.leaves[i].to}
}

// flagNode tests one flag or keyword.
func (pl *plan) flagNode(key *wire.KeyFlag) *node {
	pl.fixed = false
	var test func(p *probe) tri
	bit, system := systemFlag(key.Flag)
	if strings.EqualFold(key.Flag, `\Recent`) {
		first := pl.view.firstRecent
		test = func(p *probe) tri { return truth(p.rec.UID >= first) }
	} else if system {
		test = func(p *probe) tri { return truth(p.rec.Flags&bit != 0) }
	} else {
		slot := slices.IndexFunc(pl.names, func(name string) bool { return strings.EqualFold(name, key.Flag) })
		if slot < 0 || key.Flag == "" {
			return constant(!key.Want) // a keyword nobody ever used here
		}
		test = func(p *probe) tri { return truth(p.rec.Keywords.Has(slot)) }
	}
	n := pl.add("flag "+strings.ToLower(key.Flag), leaf{from: levelRecord, to: levelRecord, flag: bit, test: test})
	n.not = !key.Want
	return n
}
