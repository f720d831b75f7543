package imap

import (
	"fmt"
	"math"
	"strings"

	"roost/imap/wire"
	"roost/index"
)

// FUZZY (RFC 6203). Keys that look for text in FUZZY find what they find without it, and what the index ranks: words by their stems, mistyped, in
// any order. So nothing is missed because it is too new to be there, or is no word. Other keys mean in FUZZY what they always do (§5).
//
// The relevancy of a message is the sum of what its keys say if all had to hold, and the best of it if one did. Keys that are matched as they stand say
// nothing: a message that only they found is of the least relevancy, and all are of the greatest where nobody says anything.

// relevance is the score of messages by UID: any number from 0, to be compared with the others.
type relevance map[uint32]float32

// rankedNode returns what the index is asked to rank for a key in FUZZY; nil when it has nothing to say.
func (pl *plan) rankedNode(key wire.SearchKey) *node {
	if !pl.loose {
		return nil
	}
	a := &ask{}
	switch key := key.(type) {
	case *wire.KeyText:
		a.where, a.needle = index.InBody, index.NewNeedle(key.Value)
		if key.Headers {
			a.where = index.InText
		}
		return pl.addRanked(a, key.Value)
	case *wire.KeyHeader:
		where, ok := whereFields[strings.ToLower(key.Field)]
		if !ok {
			return nil
		}
		a.where, a.needle = where, index.NewNeedle(key.Value)
		return pl.addRanked(a, key.Value)
	}
	return nil
}

// addRanked returns a leaf that is false of all messages unless the index says otherwise.
func (pl *plan) addRanked(a *ask, value string) *node {
	if value == "" {
		return nil // every text contains the empty string
	}
	pl.ranked = true
	return pl.add(fmt.Sprint("ranked ", a.where, value), leaf{from: levelIndex, to: levelIndex, rank: a, test: func(*probe) tri { return not }})
}

// alternatives holds when one of two leaves or constants does, negated when neither does.
func alternatives(a, b *node, neg bool) *node {
	if neg {
		return group(opAnd, []*node{inverse(a), inverse(b)})
	}
	return group(opOr, []*node{a, b})
}

// score finds out the relevance of messages that match, while the index is at hand.
func (pl *plan) score(uids []uint32) {
	if pl.index == nil {
		return
	}
	pl.relevance = make(relevance, len(uids))
	pl.index.r.Docs(uids, func(uid, doc uint32, ok bool) {
		if ok {
			pl.relevance[uid] = pl.index.score(pl.root, doc)
		}
	})
}

// score is what a node says of a document. The parser bounds the depth.
func (x *indexed) score(n *node, doc uint32) (score float32) {
	switch n.op {
	case opLeaf:
		if !n.not {
			score, _ = x.ranks[n.leaf].Of(doc)
		}
	case opAnd:
		for _, kid := range n.kids {
			score += x.score(kid, doc)
		}
	case opOr:
		for _, kid := range n.kids {
			score = max(score, x.score(kid, doc))
		}
	}
	return score
}

// writeScores writes the relevancy of messages, from 1 to 100, in their order.
//
//	search-return-data =/ "RELEVANCY" SP "(" [score *(SP score)] ")"
func (s *session) writeScores(pl *plan, uids []uint32) {
	var best float32
	for _, score := range pl.relevance {
		best = max(best, score)
	}
	s.enc.Raw(" RELEVANCY (")
	for i, uid := range uids {
		if i > 0 {
			s.enc.SP()
		}
		score := int64(100)
		if best > 0 {
			score = max(1, int64(math.Round(100*float64(pl.relevance[uid]/best))))
		}
		s.enc.Number(score)
	}
	s.enc.Raw(")")
}
