package wire

import "slices"

// Sort is SORT or UID SORT (RFC 5256, RFC 5267 §3).
type Sort struct {
	Search
	Criteria []SortCriterion // at least one, no key twice
}

// SortCriterion is one key to sort by.
type SortCriterion struct {
	Key     SortKey
	Reverse bool
}

// SortKey says what of a message is compared.
type SortKey uint8

// The sort keys.
const (
	SortArrival SortKey = iota
	SortCc
	SortDate
	SortFrom
	SortSize
	SortSubject
	SortTo
	SortDisplayFrom
	SortDisplayTo
	SortRelevancy // only when the search has a KeyFuzzy
)

// sortKeys are the words for them.
var sortKeys = map[string]SortKey{
	"ARRIVAL":     SortArrival,
	"CC":          SortCc,
	"DATE":        SortDate,
	"FROM":        SortFrom,
	"SIZE":        SortSize,
	"SUBJECT":     SortSubject,
	"TO":          SortTo,
	"DISPLAYFROM": SortDisplayFrom, // RFC 5957, like the next one
	"DISPLAYTO":   SortDisplayTo,
	"RELEVANCY":   SortRelevancy, // RFC 6203 §6
}

// ParseSort parses SORT and UID SORT. A key that is named again decides nothing any more and is left out. About errors see ParseSearch.
//
//	sort            = "SORT" [search-return-opts] SP sort-criteria SP search-criteria
//	sort-criteria   = "(" sort-criterion *(SP sort-criterion) ")"
//	sort-criterion  = ["REVERSE" SP] sort-key
//	search-criteria = charset 1*(SP search-key)
func ParseSort(d *Decoder) (*Sort, error) {
	var c Sort
	ok := d.ExpectSP() && c.options(d) && d.ExpectList1(func() bool {
		reverse := d.Keyword("REVERSE")
		if reverse && !d.ExpectSP() {
			return false
		}
		var word string
		if !d.ExpectKeyword(&word) {
			return false
		}
		key, ok := sortKeys[word]
		if !ok {
			return d.Fail("unknown sort key")
		}
		if !slices.ContainsFunc(c.Criteria, func(s SortCriterion) bool { return s.Key == key }) {
			c.Criteria = append(c.Criteria, SortCriterion{key, reverse})
		}
		return true
	}) && d.ExpectSP() && c.charset(d) && c.keys(d) &&
		c.scored(d, c.Return.Relevancy || slices.ContainsFunc(c.Criteria, func(s SortCriterion) bool { return s.Key == SortRelevancy }))
	return searched(d, &c, ok)
}

// Thread is THREAD or UID THREAD (RFC 5256); it has no result options.
type Thread struct {
	Search
	Algorithm string // upper case
}

// ParseThread parses THREAD and UID THREAD. About errors see ParseSearch.
//
//	thread     = "THREAD" SP thread-alg SP search-criteria
//	thread-alg = "ORDEREDSUBJECT" / "REFERENCES" / thread-alg-ext
func ParseThread(d *Decoder) (*Thread, error) {
	var c Thread
	ok := d.ExpectSP() && d.ExpectKeyword(&c.Algorithm) && d.ExpectSP() && c.charset(d) && c.keys(d)
	return searched(d, &c, ok)
}
