package imap

import "roost/maildir"

// What a plan says of a message is often clear from the message's system flags: UNSEEN, UNDELETED and all that is made of them. There are few enough
// combinations of flags to ask the plan about each, and the mailbox then picks the messages without anything being copied.

// flagSets returns the combinations of system flags whose messages match whatever else is asked, and those of which that is not decided.
func (pl *plan) flagSets() (match, open maildir.FlagSets) {
	for f := range maildir.AllFlags + 1 {
		switch pl.decideFlags(pl.root, f) {
		case yes:
			match |= 1 << f
		case unknown:
			open |= 1 << f
		}
	}
	return match, open
}

// decideFlags decides a node for a message with these system flags, of which nothing else is known.
func (pl *plan) decideFlags(n *node, f maildir.Flags) tri {
	switch n.op {
	case opConst:
		return n.value
	case opLeaf:
		bit := pl.leaves[n.leaf].flag
		if bit == 0 {
			return unknown
		}
		return truth(f&bit != 0 != n.not)
	}
	decisive, all := not, yes
	if n.op == opOr {
		decisive, all = yes, not
	}
	for _, kid := range n.kids {
		switch pl.decideFlags(kid, f) {
		case decisive:
			return decisive
		case unknown:
			all = unknown
		}
	}
	return all
}
