package index

import (
	"cmp"
	"context"
	"math"
	"slices"

	"roost/index/segment"
	"roost/index/words"
)

// Searches for words as people mean them (SEARCH=FUZZY, RFC 6203) are answered from the dictionaries of the exact index: those of its terms that begin with
// the same letter are held against the word that is looked for. So there is no index of stems, which would be as large again as the terms are.

// rankedWhere are the fields in which words are looked for, with what one of them means there: more in a subject than in a long text.
var rankedWhere = [...][]rankedField{
	InBody: {rankedBody, rankedAttached}, InText: {rankedBody, rankedAttached, rankedSubject, rankedFrom, rankedTo, rankedCc, rankedBcc}, InHeader: nil,
	InSubject: {rankedSubject}, InFrom: {rankedFrom}, InTo: {rankedTo}, InCc: {rankedCc}, InBcc: {rankedBcc},
}

type rankedField struct {
	field   segment.Field
	weight  float32
	stemmed bool // words of a language; not so names
}

var (
	rankedBody     = rankedField{segment.Body, 1, true}
	rankedAttached = rankedField{segment.Attached, 0.7, true}
	rankedSubject  = rankedField{segment.Subject, 2.5, true}
	rankedFrom     = rankedField{segment.From, 2, false}
	rankedTo       = rankedField{segment.To, 1.2, false}
	rankedCc       = rankedField{segment.Cc, 1, false}
	rankedBcc      = rankedField{segment.Bcc, 1, false}
)

const (
	// maxSimilar is how many different words are taken for a mistyped one, in one field: the most similar ones.
	maxSimilar = 48
	// usualText is the length of a text in which a word means what it says, in octets. In longer ones it means less (Okapi BM25, with k1 = 1.2 and b = 0.75).
	usualText = 4 << 10
)

// similarity says how much less a word means that was mistyped, by the number of letters that differ.
var similarity = [words.Far + 1]float32{1, 0.5, 0.25}

// Ranks are documents with scores. Nil is none.
type Ranks struct {
	first  uint32    // document
	scores []float32 // 0: not found
}

// Of returns the score of a document, more than 0; ok is false when it was not found.
func (r *Ranks) Of(doc uint32) (score float32, ok bool) {
	if r == nil || doc-r.first >= uint32(len(r.scores)) {
		return 0, false
	}
	score = r.scores[doc-r.first]
	return score, score > 0
}

// Rank looks for words, as people mean them: other forms of them, words like them, in any order. All have to be there but those that only join others
// in some language. What it does not find may contain the needle all the same. The error is that of ctx, or says that the index is damaged.
func (r *Reader) Rank(ctx context.Context, where Where, n Needle) (*Ranks, error) {
	if r.languages == nil {
		return nil, nil
	}
	var all *Ranks
	sought := r.languages.Query([]byte(n.folded))
	for i := range sought {
		one, err := r.rankWord(ctx, &sought[i], rankedWhere[where])
		if err != nil {
			return nil, err
		}
		if i == 0 {
			all = one
		} else {
			all.and(one, sought[i].Joins && !sought[0].Joins)
		}
	}
	return all, nil
}

func (r *Reader) newRanks() *Ranks {
	first := r.segs[0].First()
	return &Ranks{first, make([]float32, r.segs[len(r.segs)-1].Last()-first+1)}
}

// and adds the scores of another word. Those without it go, unless it need not be there.
func (r *Ranks) and(other *Ranks, optional bool) {
	for i, score := range other.scores {
		switch {
		case r.scores[i] == 0:
		case score > 0:
			r.scores[i] += score
		case !optional:
			r.scores[i] = 0
		}
	}
}

// rankWord looks for one word. A document that has it as it was typed comes before all that have something similar.
func (r *Reader) rankWord(ctx context.Context, w *words.Word, in []rankedField) (*Ranks, error) {
	exact, similar := r.newRanks(), r.newRanks()
	same, near := make([]*segment.Bitset, len(in)), make([][]alike, len(in))
	anySame, anyNear := r.segs.NewSet(), r.segs.NewSet()
	for i, f := range in {
		var err error
		if same[i], near[i], err = r.terms(ctx, w, f); err != nil {
			return nil, err
		}
		anySame.Or(same[i])
		for _, a := range near[i] {
			anyNear.Or(a.docs)
		}
	}
	rarity, rarityNear := r.rarity(anySame), r.rarity(anyNear)
	for i, f := range in {
		err := r.weigh(same[i], f, rarity, func(doc uint32, score float32) { exact.scores[doc-exact.first] += score })
		for _, a := range near[i] {
			if err == nil {
				err = r.weigh(a.docs, f, rarityNear*similarity[a.distance], func(doc uint32, score float32) {
					s := &similar.scores[doc-similar.first]
					*s = max(*s, score)
				})
			}
		}
		if err != nil {
			return nil, err
		}
	}
	// What hardly anything has weighs more than what is common; a slip of somebody's keyboard should not.
	least := float32(math.MaxFloat32)
	for _, score := range exact.scores {
		if score > 0 {
			least = min(least, score)
		}
	}
	for i, score := range similar.scores {
		if score > 0 && exact.scores[i] == 0 {
			exact.scores[i] = min(score, least/2)
		}
	}
	return exact, nil
}

// alike is a word with typing errors.
type alike struct {
	word     string
	distance uint8
	docs     *segment.Bitset
}

// terms returns the documents that have a word, and those that have similar ones.
func (r *Reader) terms(ctx context.Context, w *words.Word, f rankedField) (same *segment.Bitset, similar []alike, err error) {
	if w.Pair {
		hits, err := r.segs.Find(ctx, segment.NewQuery([]byte(Fold(w.Text))), f.field)
		return hits.Maybe, nil, err
	}
	same = r.segs.NewSet()
	byWord := map[string][]segment.Match{}
	for _, first := range w.First {
		found, err := r.segs.Walk(ctx, f.field, first, func(term []byte) ([]byte, uint8, bool) { return w.Match(term, f.stemmed) })
		if err != nil {
			return nil, nil, err
		}
		for i := range found {
			m := &found[i]
			if m.Distance > 0 {
				byWord[m.Word] = append(byWord[m.Word], *m)
			} else if err := m.AddTo(same); err != nil {
				return nil, nil, err
			}
		}
	}
	for word, matches := range byWord {
		similar = append(similar, alike{word: word, distance: matches[0].Distance})
	}
	slices.SortFunc(similar, func(a, b alike) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(len(a.word), len(b.word)), cmp.Compare(a.word, b.word))
	})
	similar = similar[:min(len(similar), maxSimilar)]
	for i := range similar {
		a := &similar[i]
		a.docs = r.segs.NewSet()
		for _, m := range byWord[a.word] {
			if err := m.AddTo(a.docs); err != nil {
				return nil, nil, err
			}
		}
	}
	return same, similar, nil
}

// rarity is what a word says of the documents that have it: the more the fewer they are.
func (r *Reader) rarity(docs *segment.Bitset) float32 {
	all := 0
	for _, s := range r.segs {
		all += s.Docs()
	}
	have := docs.Len()
	return float32(math.Log(1 + (float64(all-have)+0.5)/(float64(have)+0.5)))
}

// weigh calls fn with the documents that have a word of that rarity in a field, and what it says of each.
func (r *Reader) weigh(docs *segment.Bitset, f rankedField, rarity float32, fn func(doc uint32, score float32)) error {
	return segment.Catch(func() error {
		docs.Each(func(doc uint32) {
			score := f.weight * rarity
			if f.field == segment.Body {
				s := r.segs.Lookup(doc)
				if s == nil {
					return
				}
				score *= 2.2 / (1 + 1.2*(0.25+0.75*float32(s.TextSize(doc))/usualText))
			}
			fn(doc, max(score, math.SmallestNonzeroFloat32))
		})
		return nil
	})
}
