package imap

import (
	"strings"

	goimap "github.com/emersion/go-imap/v2"

	"roost/imap/wire"
)

// FILTERS (RFC 5466): searches that are kept as annotations of the server, and stand in others by their names.

// filterEntries are where a filter is looked for: the user's own comes first.
var filterEntries = [...]string{"/private/filters/values/", "/shared/filters/values/"}

const (
	maxFilterDepth = 10      // filters in filters
	maxFilters     = 1000    // that one search comes to
	maxFilterText  = 1 << 20 // octets of them together
)

var errNoFilter = no(goimap.ResponseCodeCannot, "A filter is a search that is understood here")

// errFilterCharset is RFC 5466 §3.1: filters are UTF-8, and so is a search with one.
var errFilterCharset = &response{goimap.StatusResponseTypeBad, badCharset, "A search with a filter is in UTF-8"}

// filters puts kept searches in the place of their names.
type filters struct {
	s      *session
	values map[string]string // annotations of the server, once they were needed
	count  int
	depth  int
	octets int
}

// expandFilters replaces the filters in a search.
func (s *session) expandFilters(req *wire.Search) (err error) {
	f := filters{s: s}
	req.Key, err = f.expand(req.Key)
	if err == nil && f.count > 0 && req.Charset != "" && req.Charset != "UTF-8" && req.Charset != "US-ASCII" {
		return errFilterCharset
	}
	return err
}

// expand returns key without filters. What is in a group is replaced in place: nobody else has it.
func (f *filters) expand(key wire.SearchKey) (wire.SearchKey, error) {
	var err error
	each := func(keys ...*wire.SearchKey) (wire.SearchKey, error) {
		for _, k := range keys {
			if *k, err = f.expand(*k); err != nil {
				return nil, err
			}
		}
		return key, nil
	}
	switch k := key.(type) {
	case *wire.KeyNot:
		return each(&k.Key)
	case *wire.KeyFuzzy:
		return each(&k.Key)
	case *wire.KeyOr:
		return each(&k.A, &k.B)
	case *wire.KeyAnd:
		for i := range k.Keys {
			if _, err := each(&k.Keys[i]); err != nil {
				return nil, err
			}
		}
	case *wire.KeyFilter:
		return f.lookup(k.Name)
	}
	return key, nil
}

// lookup finds a filter and expands it.
func (f *filters) lookup(name string) (wire.SearchKey, error) {
	undefined := func(text string) error { return no(goimap.ResponseCode("UNDEFINED-FILTER "+name), text) }
	if f.count++; f.count > maxFilters || f.depth == maxFilterDepth { // §3.1: as if it did not exist
		return nil, undefined("Filters in filters go too far, or in a circle")
	}
	if f.values == nil {
		var err error
		if f.values, err = f.s.mail.Metadata(""); err != nil {
			return nil, err
		}
	}
	for _, where := range filterEntries {
		value, ok := f.values[where+strings.ToLower(name)]
		if !ok {
			continue
		}
		if f.octets += len(value); f.octets > maxFilterText {
			return nil, undefined("Filters in filters are too long")
		}
		key, err := f.s.parseFilter(value)
		if err != nil {
			return nil, undefined("The filter is no search that is understood here")
		}
		f.depth++
		key, err = f.expand(key)
		f.depth--
		return key, err
	}
	return nil, undefined("There is no such filter")
}

func (s *session) parseFilter(value string) (wire.SearchKey, error) {
	return wire.ParseFilter(value, s.srv.opt.Limits.Depth, s.off.without("SEARCH"))
}

// checkFilter refuses to keep what is no search under the name of a filter (RFC 5466 §3.2). What other filters it speaks of may come later. entry is in lower case.
func (s *session) checkFilter(entry, value string) error {
	for _, where := range filterEntries {
		if strings.HasPrefix(entry, where) && s.has("FILTERS") {
			if _, err := s.parseFilter(value); err != nil {
				return errNoFilter
			}
		}
	}
	return nil
}
