package index

import (
	"bytes"
	"context"
	"errors"
	"time"

	"roost/index/ranked"
	"roost/index/segment"
)

// The ranked index (index/ranked) follows the exact one: it is fed from the texts that are kept there, so that filling it never holds up the exact index,
// no message is read twice, and what a crash or damage took from it is simply missing and added again.

const (
	// rankBatch is how many documents are added at once, rankOctets of how much text.
	rankBatch, rankOctets = 256, 4 << 20
	// rankRetry is how long an index that could not be written is left alone.
	rankRetry = time.Minute
)

// rank brings the ranked index up to the exact one, until a time if that is not zero; false when it is not there yet, and has to be called again.
func (f *Follower) rank(ctx context.Context, until time.Time) (done bool) {
	f.x.mu.RLock()
	epoch := f.x.epoch
	f.x.mu.RUnlock()
	if f.x.ranked == nil || f.ranked == epoch+1 || time.Now().Before(f.rankAfter) {
		return true
	}
	segs := f.x.segments()
	defer func() {
		for _, s := range segs {
			s.Release()
		}
	}()
	done, err := f.rankAll(ctx, segs, until)
	switch {
	case ctx.Err() != nil || errors.Is(err, ranked.ErrClosed):
		return true
	case errors.Is(err, segment.ErrDamaged):
		f.forget()
		f.x.Drop(err)
		return false
	case err != nil:
		f.x.log.Warn("the ranked search index cannot be written; fuzzy searches find words as they stand", "dir", f.x.dir, "cause", err)
		f.rankAfter = time.Now().Add(rankRetry)
		return true
	case done:
		f.ranked = epoch + 1 // the zero value is that of no epoch
	}
	return done
}

// rankAll adds and removes documents.
func (f *Follower) rankAll(ctx context.Context, segs segment.Segments, until time.Time) (done bool, err error) {
	have, err := f.x.ranked.Keys()
	if err != nil {
		return false, err
	}
	var missing, gone []ranked.Key
	err = segment.Catch(func() error {
		for _, s := range segs {
			s.Each(func(doc uint32, id segment.ID) {
				key := rankedKey(doc, id)
				for len(have) > 0 && have[0] < key {
					gone, have = append(gone, have[0]), have[1:]
				}
				if len(have) > 0 && have[0] == key {
					have = have[1:]
				} else {
					missing = append(missing, key)
				}
			})
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	gone = append(gone, have...)
	var texts segment.TextReader
	for len(missing)+len(gone) > 0 {
		if ctx.Err() != nil || !until.IsZero() && time.Now().After(until) {
			return false, ctx.Err()
		}
		n, err := f.rankSome(ctx, segs, &texts, missing, gone)
		if err != nil {
			return false, err
		}
		missing, gone = missing[n:], nil
	}
	return true, nil
}

// rankSome adds the first of the missing documents, tells how many, and removes those that are gone.
func (f *Follower) rankSome(ctx context.Context, segs segment.Segments, texts *segment.TextReader, missing, gone []ranked.Key) (n int, err error) {
	if f.Turn != nil {
		select {
		case f.Turn <- struct{}{}:
			defer func() { <-f.Turn }()
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	var batch []ranked.Document
	octets := 0
	for n < len(missing) && n < rankBatch && octets < rankOctets {
		d := ranked.Document{Key: missing[n]}
		header, body, ok, err := texts.Texts(segs, d.Key.Doc())
		if err != nil {
			return 0, err
		}
		if ok { // else it is known all the same, as one without words
			d.Texts[ranked.Body] = bytes.Clone(body[:min(len(body), ranked.MaxText)])
			octets += len(d.Texts[ranked.Body]) + rankHeader(&d, header)
		}
		batch = append(batch, d)
		n++
	}
	return n, f.x.ranked.Update(batch, gone)
}

// rankedFields are the fields of a header that are ranked.
var rankedFields = map[string]ranked.Field{
	"subject": ranked.Subject, "from": ranked.From, "to": ranked.To, "cc": ranked.Cc, "bcc": ranked.Bcc,
}

// rankHeader finds fields in the folded texts of headers, of which that of the message comes first: a line each, "name: value".
func rankHeader(d *ranked.Document, texts []byte) (octets int) {
	head, _, _ := bytes.Cut(texts, []byte{0xff})
	for line := range bytes.Lines(head) {
		name, value, _ := bytes.Cut(line, []byte{':'})
		if which, ok := rankedFields[string(name)]; ok {
			if len(d.Texts[which])+len(value) > ranked.MaxText {
				continue
			}
			d.Texts[which] = append(append(d.Texts[which], value...), '\n')
			octets += len(value)
		}
	}
	return octets
}

func rankedKey(doc uint32, id segment.ID) ranked.Key { return ranked.NewKey(doc, [4]byte(id[:4])) }

var rankedWhere = [...][]ranked.Field{
	InBody: {ranked.Body}, InText: {ranked.Body, ranked.Subject, ranked.From, ranked.To, ranked.Cc, ranked.Bcc}, InHeader: nil,
	InSubject: {ranked.Subject}, InFrom: {ranked.From}, InTo: {ranked.To}, InCc: {ranked.Cc}, InBcc: {ranked.Bcc},
}

// Ranks are documents with scores.
type Ranks map[uint32]float32

// Of returns the score of a document, more than 0; ok is false when it was not found.
func (r Ranks) Of(doc uint32) (score float32, ok bool) {
	score, ok = r[doc]
	return score, ok
}

// Rank looks for words, as people mean them (RFC 6203): their stems, words like them, in any order. What it does not find may contain the needle all the
// same, see package ranked. The error is that of ctx: a ranked index that cannot be read is one that has nothing.
func (r *Reader) Rank(ctx context.Context, where Where, n Needle) (Ranks, error) {
	fields := rankedWhere[where]
	hits, err := r.ranked.Find(ctx, n.folded, fields...)
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	out := make(Ranks, len(hits))
	err = segment.Catch(func() error {
		for _, h := range hits {
			if id, ok := identity(r.segs, h.Key.Doc()); ok && rankedKey(h.Key.Doc(), segment.ID(id)) == h.Key {
				out[h.Key.Doc()] = h.Score
			}
		}
		return nil
	})
	return out, err
}
