package imap

import (
	"slices"
	"sort"

	"roost/imap/wire"
	"roost/maildir/message"
)

// What a message says never changes, so its rank by a key changes only with the messages around it. Ranks that a SORT has found are kept with the
// mailbox, for all sessions, as long as there is memory (maildir.Mailbox.Keep): a column for each key that was asked for. Flags never matter.
//
// A column is immutable: nobody needs a lock to read it. Messages that a SORT asks for and that it does not have are put among the others, by reading what
// a few of those say, and become part of a new column without the messages that are gone. If that is more work than reading all messages that the
// SORT asks for, they are read, and the new column takes the place of the old one if it covers more of the mailbox. So no SORT reads more than one that
// keeps nothing.

// insertionShare: more than one in so many messages are not put among the others, each of whom takes about as many reads.
const insertionShare = 64

// column is what one key says of messages.
type column struct {
	uids []uint32 // ascending, the mailbox's own slice if they are the same
	ranking
}

// columnKey is what a column is kept under.
type columnKey wire.SortKey

// sort returns the messages, given ascending, in the order of the criteria, of which relevancy is as found; those that are gone are left out. Ties are
// in the order of the mailbox, whatever is reversed.
func (s *session) sort(uids []uint32, by []wire.SortCriterion, found relevance) ([]uint32, error) {
	uids = among(uids, s.view.box.UIDs())
	columns := make([]*column, len(by))
	var unknown []wire.SortKey
	for k := range by {
		c, err := s.column(by[k].Key, uids)
		if err != nil {
			return nil, err
		}
		if columns[k] = c; c == nil {
			unknown = append(unknown, by[k].Key)
		}
	}
	if len(unknown) > 0 {
		rows, err := s.sortValues(uids, unknown, found)
		if err != nil {
			return nil, err
		}
		n := 0
		for k := range by {
			if columns[k] == nil {
				columns[k] = &column{rows.uids, rank(rows.values, n, len(unknown))}
				s.keepColumn(by[k].Key, columns[k])
				n++
			}
		}
	}
	for _, c := range columns {
		uids = among(uids, c.uids)
	}
	rankings := make([]ranking, len(by))
	for k, c := range columns {
		rankings[k] = c.of(uids)
	}
	places := placesByRank(len(uids), by, rankings)
	for i, place := range places {
		places[i] = uids[place]
	}
	return places, nil
}

// column returns the column of a key that is kept, with all of the messages that can be read; nil when it is better to read all that is asked for.
func (s *session) column(key wire.SortKey, uids []uint32) (*column, error) {
	c, _ := s.view.box.Kept(columnKey(key)).(*column)
	if c == nil {
		return nil, nil
	}
	missing := without(uids, c.uids)
	if len(missing) == 0 {
		return c, nil
	}
	if len(missing)*insertionShare > len(uids) {
		return nil, nil
	}
	rows, err := s.sortValues(missing, []wire.SortKey{key}, nil)
	if err != nil {
		return nil, err
	}
	c, err = s.insert(c.live(s.view.box.UIDs()), key, rows)
	if c != nil {
		s.keepColumn(key, c)
	}
	return c, err
}

// keepColumn keeps a column unless there is one that covers more.
func (s *session) keepColumn(key wire.SortKey, c *column) {
	if !sortKeys[key].envelope {
		return
	}
	box := s.view.box
	all := box.UIDs()
	if old, _ := box.Kept(columnKey(key)).(*column); old != nil && len(among(old.uids, all)) > len(c.uids) {
		return
	}
	uids := c.uids
	if slices.Equal(uids, all) {
		uids = all
	}
	box.Keep(columnKey(key), &column{uids, c.ranking}, 4*int64(cap(uids)+cap(c.ranks)))
}

// of returns the ranks of messages that are all in the column.
func (c *column) of(uids []uint32) ranking {
	if len(uids) == len(c.uids) {
		return c.ranking
	}
	r := ranking{make([]uint32, len(uids)), c.n}
	at := 0
	for i, uid := range uids {
		at = seek(c.uids, at, uid)
		r.ranks[i] = c.ranks[at]
	}
	return r
}

// live is the column without the messages that are not among all.
func (c *column) live(all []uint32) *column {
	uids := among(c.uids, all)
	if len(uids) == len(c.uids) {
		return c
	}
	r := c.of(uids)
	used := make([]uint32, c.n)
	for _, rank := range r.ranks {
		used[rank] = 1
	}
	r.n = 0
	for rank, n := range used {
		used[rank] = r.n
		r.n += n
	}
	for i, rank := range r.ranks {
		r.ranks[i] = used[rank]
	}
	return &column{uids, r}
}

// insert puts messages among those of a column, nil when one that has to be read for that is gone.
func (s *session) insert(c *column, key wire.SortKey, rows sorted) (*column, error) {
	if len(rows.uids) == 0 {
		return c, nil
	}
	fresh := rank(rows.values, 0, 1)
	values := make([]*sortValue, fresh.n) // by rank among the new ones
	for i, r := range fresh.ranks {
		values[r] = &rows.values[i]
	}
	above, same, err := s.findAmong(c, key, values)
	if above == nil || err != nil {
		return nil, err
	}
	// Ranks grow by the number of new values below them.
	news := make([]uint32, c.n+1) // by old rank: new values that are not the same, below it and above the rank before; then the new rank
	equal := uint32(0)
	for r := range values {
		at := above[r]
		above[r] += uint32(r) - equal
		if same[r] {
			equal++
		} else {
			news[at]++
		}
	}
	grown := uint32(0)
	for old := range news {
		grown += news[old]
		news[old] = uint32(old) + grown
	}
	out := &column{make([]uint32, 0, len(c.uids)+len(rows.uids)), ranking{make([]uint32, 0, len(c.uids)+len(rows.uids)), c.n + fresh.n - equal}}
	for i, j := 0, 0; i < len(c.uids) || j < len(rows.uids); {
		if j == len(rows.uids) || i < len(c.uids) && c.uids[i] < rows.uids[j] {
			out.uids, out.ranks = append(out.uids, c.uids[i]), append(out.ranks, news[c.ranks[i]])
			i++
		} else {
			out.uids, out.ranks = append(out.uids, rows.uids[j]), append(out.ranks, above[fresh.ranks[j]])
			j++
		}
	}
	return out, nil
}

// findAmong returns for each of the values, ascending, the lowest rank in the column whose value is not below it, and whether that is the same; nil when a
// message that has to be read is gone.
func (s *session) findAmong(c *column, key wire.SortKey, values []*sortValue) (above []uint32, same []bool, err error) {
	one := make([]uint32, c.n) // a message of each rank
	for i, r := range c.ranks {
		one[r] = c.uids[i]
	}
	above, same = make([]uint32, len(values)), make([]bool, len(values))
	lost := false
	err = s.inspect(&plan{}, 1, true, func(p *probe, _ int) bool {
		p.level = levelParse
		read := map[uint32]sortValue{} // by rank
		from := 0
		for i, v := range values {
			at, found := sort.Find(int(c.n)-from, func(r int) int {
				r += from
				old, ok := read[uint32(r)]
				if !ok {
					if old, ok = p.sortValue(one[r], key); !ok {
						lost = true
						return 0
					}
					read[uint32(r)] = old
				}
				return v.compare(&old)
			})
			if lost || p.stop() {
				return false
			}
			from += at
			above[i], same[i] = uint32(from), found
		}
		return true
	})
	if lost {
		return nil, nil, err
	}
	return above, same, err
}

// sortValue reads what is compared of a message; false like sortKey.value.
func (p *probe) sortValue(uid uint32, key wire.SortKey) (sortValue, bool) {
	recs := p.records([]uint32{uid})
	if len(recs) == 0 {
		return sortValue{}, false
	}
	var e message.Envelope
	p.begin(&recs[0])
	if !p.envelope(&e) {
		return sortValue{}, false
	}
	return sortKeys[key].value(p, &e)
}
