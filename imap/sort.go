package imap

import (
	"cmp"
	"crypto/sha256"
	"math"
	"strings"

	"roost/imap/wire"
	"roost/index"
	"roost/maildir/message"
)

// SORT and UID SORT (RFC 5256) with ESORT (RFC 5267 §3) and SORT=DISPLAY (RFC 5957). Texts are compared by i;unicode-casemap, which is
// I18NLEVEL=1 (RFC 5255 §4.3). This file reads from records and from the parsed facts of messages what is compared; sort_ranks.go puts it in order,
// sort_column.go keeps the order of what never changes.

const (
	sortChunk = 256 // messages that a processor takes at once
	// maxSortText bounds what is held of a text. Longer ones are compared by their beginning, and then in any order, but always the same and
	// never as equal.
	maxSortText = 256
)

func (s *session) cmdSort(c *command) error {
	req, err := wire.ParseSort(c.args)
	if req == nil {
		return err
	}
	o := searchReturn(req.Return, false)
	o.sorted = true
	return s.searched(c, &req.Search, o, req.Criteria, err)
}

// sortValue is what is compared of one message for one key.
type sortValue struct {
	num  int64
	text string
}

func (a *sortValue) compare(b *sortValue) int {
	if a.num != b.num {
		return cmp.Compare(a.num, b.num)
	}
	return strings.Compare(a.text, b.text)
}

// sortKey is how a value is found: e is the message's ENVELOPE, for the keys that need it; false when the message is gone or p.err says why
// it cannot be known.
type sortKey struct {
	envelope bool // the message says it, so that it never changes
	value    func(p *probe, e *message.Envelope) (sortValue, bool)
}

// sortKeys is the table of all keys.
var sortKeys = map[wire.SortKey]sortKey{
	wire.SortArrival: {false, func(p *probe, _ *message.Envelope) (v sortValue, ok bool) {
		v.num, ok = p.internalDate()
		return v, ok
	}},
	wire.SortSize: {false, func(p *probe, _ *message.Envelope) (sortValue, bool) {
		ok := p.rec.Wire >= 0 || p.fill()
		return sortValue{num: p.rec.Wire}, ok
	}},
	wire.SortDate: {true, func(p *probe, _ *message.Envelope) (v sortValue, ok bool) {
		v.num, ok = p.sentDate()
		return v, ok
	}},
	wire.SortSubject: {true, func(_ *probe, e *message.Envelope) (sortValue, bool) {
		base, _ := sortSubject(e)
		return base, true
	}},
	wire.SortRelevancy: {false, func(p *probe, _ *message.Envelope) (sortValue, bool) {
		return sortValue{num: -int64(math.Float32bits(p.pl.relevance[p.rec.UID]))}, true // of scores, none negative, the highest first (RFC 6203 §6)
	}},
	wire.SortFrom:        {true, addressKey(func(e *message.Envelope) []byte { return e.From.Mailbox })},
	wire.SortTo:          {true, addressKey(func(e *message.Envelope) []byte { return e.To.Mailbox })},
	wire.SortCc:          {true, addressKey(func(e *message.Envelope) []byte { return e.Cc.Mailbox })},
	wire.SortDisplayFrom: {true, displayKey(func(e *message.Envelope) *message.Address { return &e.From })},
	wire.SortDisplayTo:   {true, displayKey(func(e *message.Envelope) *message.Address { return &e.To })},
}

// addressKey compares the local part of an address.
func addressKey(mailbox func(*message.Envelope) []byte) func(*probe, *message.Envelope) (sortValue, bool) {
	return func(_ *probe, e *message.Envelope) (sortValue, bool) { return sortText(string(mailbox(e))), true }
}

// displayKey compares what people are shown of an address (RFC 5957 §3).
func displayKey(address func(*message.Envelope) *message.Address) func(*probe, *message.Envelope) (sortValue, bool) {
	return func(_ *probe, e *message.Envelope) (sortValue, bool) {
		a := address(e)
		text, ok := message.CollatedText(a.Name)
		if !ok {
			return undecoded(text), true
		}
		if text == "" {
			text = string(a.Mailbox)
			if a.Mailbox != nil && a.Host != nil {
				text += "@" + string(a.Host)
			}
		}
		return sortText(text), true
	}
}

// sortText is the value of a text.
func sortText(s string) sortValue {
	return sortValue{text: boundedText(index.Collate(s))}
}

// boundedText keeps what is held of a text.
func boundedText(key string) string {
	if len(key) > maxSortText {
		sum := sha256.Sum256([]byte(key))
		key = key[:maxSortText-len(sum)] + string(sum[:])
	}
	return strings.Clone(key) // it may be part of something longer
}

// undecoded is the value of a text that could not be decoded, given by its octets, which are compared as they are and stand behind all other texts
// (RFC 5255 §4.6).
func undecoded(octets string) sortValue {
	return sortValue{num: 1, text: boundedText(octets)}
}

// sortSubject is the value of the base subject, and whether it is that of a reply or forward.
func sortSubject(e *message.Envelope) (v sortValue, reply bool) {
	text, ok := message.CollatedText(e.Subject)
	base, reply := baseSubject(text)
	if !ok {
		return undecoded(base), reply
	}
	return sortText(base), reply
}

// internalDate is INTERNALDATE in seconds since the epoch.
func (p *probe) internalDate() (int64, bool) {
	ok := p.rec.Time != unknownTime || p.fill()
	return p.rec.Time, ok
}

// sentDate is the moment of the Date field, or of INTERNALDATE where that says none (RFC 5256 §2.2); facts must be there.
func (p *probe) sentDate() (int64, bool) {
	if p.meta.SentTime != math.MinInt64 {
		return p.meta.SentTime, true
	}
	return p.internalDate()
}

// envelope reads what ENVELOPE says; false like sortKey.value.
func (p *probe) envelope(e *message.Envelope) (ok bool) {
	if p.facts() == nil {
		return false
	}
	*e, _ = message.ReadEnvelope(p.meta.Envelope)
	return true
}

// sorted is messages with their values, a row of them for each.
type sorted struct {
	uids   []uint32
	values []sortValue
}

// byRelevancy tells whether a criterion is the relevancy.
func byRelevancy(c wire.SortCriterion) bool { return c.Key == wire.SortRelevancy }

// sortValues reads what is compared of messages, given ascending; relevancy is as found. Those that are gone are left out.
func (s *session) sortValues(uids []uint32, by []wire.SortKey, found relevance) (sorted, error) {
	keys := make([]sortKey, len(by))
	envelope := false
	for i, key := range by {
		keys[i] = sortKeys[key]
		envelope = envelope || keys[i].envelope
	}
	chunks := make([]sorted, (len(uids)+sortChunk-1)/sortChunk)
	err := s.inspect(&plan{relevance: found}, len(chunks), true, func(p *probe, i int) bool {
		p.level = levelParse
		recs := p.records(uids[i*sortChunk : min(len(uids), (i+1)*sortChunk)])
		row := sorted{make([]uint32, 0, len(recs)), make([]sortValue, 0, len(recs)*len(by))}
	messages:
		for j := range recs {
			if p.stop() {
				return false
			}
			var e message.Envelope
			p.begin(&recs[j])
			if envelope && !p.envelope(&e) {
				continue
			}
			start := len(row.values)
			for k := range keys {
				v, ok := keys[k].value(p, &e)
				if !ok {
					row.values = row.values[:start]
					continue messages
				}
				row.values = append(row.values, v)
			}
			row.uids = append(row.uids, recs[j].UID)
		}
		chunks[i] = row
		return true
	})
	if err != nil {
		return sorted{}, err
	}
	all := sorted{make([]uint32, 0, len(uids)), make([]sortValue, 0, len(uids)*len(by))}
	for i := range chunks {
		all.uids = append(all.uids, chunks[i].uids...)
		all.values = append(all.values, chunks[i].values...)
		chunks[i] = sorted{}
	}
	return all, nil
}

// sortRows returns the messages, given ascending, in the order of the criteria, of which none is the relevancy, with what was compared; those that are
// gone are left out. Ties are in the order of the mailbox, whatever is reversed.
func (s *session) sortRows(uids []uint32, by []wire.SortCriterion) (sorted, error) {
	keys := make([]wire.SortKey, len(by))
	for k := range by {
		keys[k] = by[k].Key
	}
	rows, err := s.sortValues(uids, keys, nil)
	if err != nil {
		return sorted{}, err
	}
	n := len(by)
	ranks := make([]ranking, n)
	for k := range ranks {
		ranks[k] = rank(rows.values, k, n)
	}
	out := sorted{make([]uint32, 0, len(rows.uids)), make([]sortValue, 0, len(rows.values))}
	for _, place := range placesByRank(len(rows.uids), by, ranks) {
		out.uids = append(out.uids, rows.uids[place])
		out.values = append(out.values, rows.values[int(place)*n:(int(place)+1)*n]...)
	}
	return out, nil
}

// compareRows compares the rows that begin two lists of values.
func compareRows(by []wire.SortCriterion, a, b []sortValue) int {
	for k := range by {
		if c := a[k].compare(&b[k]); c != 0 {
			if by[k].Reverse {
				return -c
			}
			return c
		}
	}
	return 0
}
