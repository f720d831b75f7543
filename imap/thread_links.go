package imap

// links is a forest whose links are made and cut while it is asked for the roots of its trees: link-cut trees (Sleator and Tarjan 1985), in
// which that takes O(log n) amortised. Walking up instead takes as many steps as a thread is deep, and a sender chooses how deep threads are and
// how often that is asked.
//
// Nodes are numbers from 1. Each path from the root down that was walked last is a splay tree in order of depth: up is the parent in it, or, of
// its top, the node above the path.
type links struct{ up, left, right []int32 }

// grow adds a node, a tree of its own.
func (l *links) grow() int32 {
	if len(l.up) == 0 {
		l.up, l.left, l.right = make([]int32, 1), make([]int32, 1), make([]int32, 1)
	}
	l.up, l.left, l.right = append(l.up, 0), append(l.left, 0), append(l.right, 0)
	return int32(len(l.up) - 1)
}

// root returns the root of the tree that holds v.
func (l *links) root(v int32) int32 {
	l.access(v)
	for l.left[v] != 0 {
		v = l.left[v]
	}
	l.splay(v)
	return v
}

// link makes parent, which is in another tree, the parent of the root of a tree.
func (l *links) link(root, parent int32) {
	l.access(root)
	l.up[root] = parent
}

// cut takes a node that is no root away from its parent.
func (l *links) cut(v int32) {
	l.access(v)
	l.up[l.left[v]] = 0
	l.left[v] = 0
}

// access makes the path from the root to v a splay tree with v at its top.
func (l *links) access(v int32) {
	below := int32(0)
	for u := v; u != 0; u = l.up[u] {
		l.splay(u)
		l.right[u] = below
		below = u
	}
	l.splay(v)
}

// isTop tells whether v is at the top of its splay tree.
func (l *links) isTop(v int32) bool {
	p := l.up[v]
	return p == 0 || l.left[p] != v && l.right[p] != v
}

func (l *links) splay(v int32) {
	for !l.isTop(v) {
		if p := l.up[v]; !l.isTop(p) {
			if g := l.up[p]; (l.left[g] == p) == (l.left[p] == v) {
				l.rotate(p)
			} else {
				l.rotate(v)
			}
		}
		l.rotate(v)
	}
}

// rotate exchanges v with its parent in the splay tree.
func (l *links) rotate(v int32) {
	p := l.up[v]
	g := l.up[p]
	if !l.isTop(p) {
		if l.left[g] == p {
			l.left[g] = v
		} else {
			l.right[g] = v
		}
	}
	l.up[v] = g
	inner := int32(0)
	if l.left[p] == v {
		inner, l.right[v] = l.right[v], p
		l.left[p] = inner
	} else {
		inner, l.left[v] = l.left[v], p
		l.right[p] = inner
	}
	if inner != 0 {
		l.up[inner] = p
	}
	l.up[p] = v
}
