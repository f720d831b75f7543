package wire

import "time"

// This file holds what ParseSearch returns: the options and the tree of keys.

// Search is SEARCH or UID SEARCH.
type Search struct {
	Return  SearchReturn
	Charset string // upper case; empty when absent
	Key     SearchKey
	fuzzy   bool // a KeyFuzzy is in Key
}

// SearchReturn is RETURN (...) (RFC 4731, RFC 5182, RFC 5267, RFC 6203, RFC 9394).
type SearchReturn struct {
	Present                    bool // RETURN was given; with no option inside, All is set
	Min, Max, All, Count, Save bool
	Context, Update            bool
	Fetch                      []FetchItem // of UPDATE: what is to be told of each new message that is a result (RFC 5465 §7)
	Relevancy                  bool        // only when the search has a KeyFuzzy
	Partial                    *PageRange  // nil when absent, never with All
}

// PageRange is the argument of PARTIAL: results by their place, from 1, both included, in either order. FromEnd counts from the last one back.
type PageRange struct {
	First, Last uint32
	FromEnd     bool
}

// Of returns the places [from:to) that the range names among n.
func (r *PageRange) Of(n int) (from, to int) {
	from, to = min(int(min(r.First, r.Last))-1, n), min(int(max(r.First, r.Last)), n)
	if r.FromEnd {
		return n - to, n - from
	}
	return from, to
}

// SearchKey is a node of a search tree: one of the Key types below.
type SearchKey interface{ searchKey() }

type (
	// KeyAnd holds when all its children do; no children: always (ALL).
	KeyAnd struct{ Keys []SearchKey }
	// KeyOr holds when one of two does.
	KeyOr struct{ A, B SearchKey }
	// KeyNot negates.
	KeyNot struct{ Key SearchKey }
	// KeyFuzzy holds when its child does, taken less strictly (RFC 6203 §3).
	KeyFuzzy struct{ Key SearchKey }
	// KeySet is a sequence set, or a UID set when UID is set.
	KeySet struct {
		UID bool
		Set Set
	}
	// KeyFlag tests a system flag (`\Seen` …, also `\Recent`) or keyword; SEEN, UNSEEN, KEYWORD x, UNKEYWORD x, NEW (as And) …
	KeyFlag struct {
		Flag string
		Want bool
	}
	// KeyHeader is HEADER field value, and FROM TO CC BCC SUBJECT.
	KeyHeader struct{ Field, Value string }
	// KeyText is BODY (Headers false) or TEXT (Headers true).
	KeyText struct {
		Headers bool
		Value   string
	}
	// KeyDate compares a date without time or zone.
	KeyDate struct {
		Of  DateOf
		Cmp Cmp
		Day time.Time // midnight UTC of the named day
	}
	// KeySize is LARGER or SMALLER: strictly more or less than N octets.
	KeySize struct {
		Larger bool
		N      int64
	}
	// KeyAge is OLDER or YOUNGER, in seconds (RFC 5032).
	KeyAge struct {
		Younger bool
		Seconds int64
	}
	// KeyModSeq is MODSEQ: changed at N or later (RFC 7162 §3.1.5). The entry name and type, which could limit it to one flag, are ignored, as
	// that section allows.
	KeyModSeq struct{ N uint64 }
	// KeyObjectID is EMAILID or THREADID (RFC 8474 §6).
	KeyObjectID struct {
		Thread bool
		ID     string
	}
	// KeyFilter stands for a search that is kept under a name (RFC 5466).
	KeyFilter struct{ Name string }
	// KeySaveDateSupported is SAVEDATESUPPORTED (RFC 8514).
	KeySaveDateSupported struct{}
)

// DateOf says which date a KeyDate looks at.
type DateOf uint8

// The dates.
const (
	DateInternal DateOf = iota // BEFORE ON SINCE
	DateSent                   // SENTBEFORE SENTON SENTSINCE: the Date header
	DateSaved                  // SAVEDBEFORE SAVEDON SAVEDSINCE
)

// Cmp is a date comparison.
type Cmp uint8

// The comparisons.
const (
	Before Cmp = iota
	On
	Since
)

func (*KeyAnd) searchKey()               {}
func (*KeyOr) searchKey()                {}
func (*KeyNot) searchKey()               {}
func (*KeyFuzzy) searchKey()             {}
func (*KeySet) searchKey()               {}
func (*KeyFlag) searchKey()              {}
func (*KeyHeader) searchKey()            {}
func (*KeyText) searchKey()              {}
func (*KeyDate) searchKey()              {}
func (*KeySize) searchKey()              {}
func (*KeyAge) searchKey()               {}
func (*KeyModSeq) searchKey()            {}
func (*KeyObjectID) searchKey()          {}
func (*KeySaveDateSupported) searchKey() {}
func (*KeyFilter) searchKey()            {}
