package ranked

import (
	"cmp"
	"context"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/blevesearch/bleve/v2/search"
	"github.com/blevesearch/bleve/v2/search/searcher"
	index "github.com/blevesearch/bleve_index_api"
)

const (
	// maxNeedle is how much of what is looked for is read, maxWords how many words of it count.
	maxNeedle, maxWords = 4 << 10, 16
	// maxSimilar is how many terms are taken for a mistyped word, in one field: the most similar ones.
	maxSimilar = 48
	// lookAfter is how many documents are gone through between two looks at the context.
	lookAfter = 4096
)

// weights say how much more a word means in one field than in another.
var weights = [fields]float64{Body: 1, Subject: 2.5, From: 2, To: 1.2, Cc: 1, Bcc: 1}

// similarity says how much less a word means that was mistyped, by the number of letters that differ.
var similarity = [...]float32{1: 0.5, 2: 0.25}

// Hit is a document that was found. The higher the score, the better; scores of one search can be compared, and added.
type Hit struct {
	Key   Key
	Score float32
}

// Find returns the documents that have all words of the needle, folded: each of them, its stem, or something similar in one of the fields. Words that only
// join others in some language need not be there when there are others; what is not kept as a word counts for nothing. Hits come in any order,
// each document once. The error is that of ctx, or says that the index is damaged, in which case it is made anew.
func (x *Index) Find(ctx context.Context, needle []byte, in ...Field) (hits []Hit, err error) {
	if x == nil || len(in) == 0 {
		return nil, nil
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	s := x.open
	if s == nil {
		return nil, nil
	}
	err = within(func() error {
		hits, err = x.find(ctx, s, needle, in)
		return err
	})
	if err != nil && ctx.Err() == nil {
		s.fail(err)
	}
	return hits, err
}

func (x *Index) find(ctx context.Context, s *store, needle []byte, in []Field) ([]Hit, error) {
	sought := x.sought(needle)
	if len(sought) == 0 {
		return nil, nil
	}
	r, err := s.bleve.Reader()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var all tally // by document, the sum of all words so far; of the first word those that have it
	for i := range sought {
		one, err := sought[i].find(ctx, r, in)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			all = one
			continue
		}
		all.and(one, sought[i].joins && !sought[0].joins)
	}
	var hits []Hit
	for doc, score := range all {
		if score == 0 {
			continue
		}
		if len(hits)%lookAfter == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		name, err := r.ExternalID(index.NewIndexInternalID(nil, uint64(doc)))
		if err != nil {
			return nil, err
		}
		if key, ok := keyOf(name); ok {
			hits = append(hits, Hit{key, score})
		}
	}
	return hits, nil
}

// sought is a word that is looked for.
type sought struct {
	stems []string // its terms in all languages, and without one; each once
	name  string   // its term where words have no language
	typed int      // how many letters may differ
	joins bool     // it says nothing in some language, and need not be there
}

// sought cuts a needle into words, those that have to be there first.
func (x *Index) sought(needle []byte) (out []sought) {
	needle = needle[:min(len(needle), maxNeedle)]
	words(needle, func(word []byte) bool {
		w := sought{name: plain(string(word))}
		for _, l := range x.langs {
			switch t := l.term(word); {
			case t == "":
				w.joins = true
			case !slices.Contains(w.stems, t):
				w.stems = append(w.stems, t)
			}
		}
		switch n := utf8.RuneCountInString(w.name); {
		case !isLetters(w.name):
		case n >= 8:
			w.typed = 2
		case n >= 4:
			w.typed = 1
		}
		if !slices.ContainsFunc(out, func(o sought) bool { return o.name == w.name }) {
			out = append(out, w)
		}
		return len(out) < maxWords
	})
	slices.SortStableFunc(out, func(a, b sought) int {
		switch {
		case a.joins == b.joins:
			return 0
		case b.joins:
			return -1
		}
		return 1
	})
	return out
}

// isLetters tells whether typing errors make sense in a word: not in numbers, nor in pairs of characters.
func isLetters(word string) bool {
	for _, r := range word {
		if classOf(r) != letter {
			return false
		}
	}
	return word != ""
}

// tally has a score for each document that was found, by Bleve's number; 0 of others.
type tally []float32

func (t *tally) set(doc uint64, score float32, join func(a, b float32) float32) {
	for uint64(len(*t)) <= doc {
		*t = append(*t, make([]float32, max(256, int(doc)+1-len(*t)))...)
	}
	(*t)[doc] = join((*t)[doc], score)
}

func sum(a, b float32) float32 { return a + b }

// and adds the scores of another word. Those without it go, unless it need not be there.
func (t tally) and(other tally, optional bool) {
	for doc := range t {
		switch {
		case t[doc] == 0:
		case doc < len(other) && other[doc] > 0:
			t[doc] += other[doc]
		case !optional:
			t[doc] = 0
		}
	}
}

// find looks for one word. A document that has it as it was typed comes before all that have something similar.
func (w *sought) find(ctx context.Context, r index.IndexReader, in []Field) (tally, error) {
	var exact, similar tally
	for _, f := range in {
		terms := w.stems
		if !f.stemmed() {
			terms = []string{w.name}
		}
		for _, term := range terms {
			err := scores(ctx, r, f, term, weights[f], func(doc uint64, score float32) { exact.set(doc, score, sum) })
			if err != nil {
				return nil, err
			}
		}
		if w.typed == 0 {
			continue
		}
		alike, err := alike(ctx, r, f, terms, w.typed)
		if err != nil {
			return nil, err
		}
		for _, a := range alike {
			factor := similarity[a.distance]
			err := scores(ctx, r, f, a.term, weights[f], func(doc uint64, score float32) {
				similar.set(doc, score*factor, func(a, b float32) float32 { return max(a, b) })
			})
			if err != nil {
				return nil, err
			}
		}
	}
	// A term that hardly anything has weighs more than a common one; a rare slip of somebody's keyboard should not.
	least := float32(math.MaxFloat32)
	for _, score := range exact {
		if score > 0 {
			least = min(least, score)
		}
	}
	for doc, score := range similar {
		if score > 0 && (doc >= len(exact) || exact[doc] == 0) {
			exact.set(uint64(doc), min(score, least/2), sum)
		}
	}
	return exact, nil
}

// scores calls fn with the documents that have a term in a field.
func scores(ctx context.Context, r index.IndexReader, f Field, term string, boost float64, fn func(doc uint64, score float32)) error {
	s, err := searcher.NewTermSearcher(ctx, r, term, fieldNames[f], boost, search.SearcherOptions{})
	if err != nil {
		return err
	}
	defer s.Close()
	s.SetQueryNorm(1)
	c := &search.SearchContext{DocumentMatchPool: search.NewDocumentMatchPool(s.DocumentMatchPoolSize(), 0), IndexReader: r}
	for n := 0; ; n++ {
		if n%lookAfter == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		m, err := s.Next(c)
		if err != nil || m == nil {
			return err
		}
		fn(m.IndexInternalID.Value(), max(float32(m.Score), math.SmallestNonzeroFloat32))
		c.DocumentMatchPool.Put(m)
	}
}

// other is a term like one that is sought.
type alikeTerm struct {
	term     string
	distance uint8
}

// alike returns the terms of a field that differ from one of terms by at most so many letters, not the first one, the most similar first.
func alike(ctx context.Context, r index.IndexReader, f Field, terms []string, distance int) (out []alikeTerm, err error) {
	fuzzy, ok := r.(index.IndexReaderFuzzy)
	if !ok {
		return nil, nil
	}
	found := map[string]uint8{}
	for _, term := range terms {
		_, size := utf8.DecodeRuneInString(term)
		dict, err := fuzzy.FieldDictFuzzy(fieldNames[f], term, distance, term[:size])
		if err != nil {
			return nil, err
		}
		for n := 0; ; n++ {
			if n%lookAfter == 0 && ctx.Err() != nil {
				err = ctx.Err()
				break
			}
			e, next := dict.Next()
			if err = next; err != nil || e == nil {
				break
			}
			if d, ok := found[e.Term]; !slices.Contains(terms, e.Term) && (!ok || e.EditDistance < d) {
				found[e.Term] = e.EditDistance
			}
		}
		if e := dict.Close(); err == nil {
			err = e
		}
		if err != nil {
			return nil, err
		}
	}
	for term, d := range found {
		out = append(out, alikeTerm{term, max(d, 1)})
	}
	slices.SortFunc(out, func(a, b alikeTerm) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(len(a.term), len(b.term)), cmp.Compare(a.term, b.term))
	})
	return out[:min(len(out), maxSimilar)], nil
}
