package wire

import "strings"

// ParseSearch parses SEARCH and UID SEARCH. Strings are converted to UTF-8. The error is a *CharsetError for an unknown CHARSET;
// then the result options are returned all the same, as RETURN (SAVE) has an effect when it fails (RFC 5182 §2.1).
//
//	search         = "SEARCH" [search-return-opts] SP search-program
//	search-program = ["CHARSET" SP charset SP] search-key *(SP search-key)
func ParseSearch(d *Decoder) (*Search, error) {
	var c Search
	if !d.ExpectSP() || !c.options(d) {
		return nil, d.Err()
	}
	if d.Keyword("CHARSET") && (!d.ExpectSP() || !c.charset(d)) {
		return nil, d.Err()
	}
	return searched(d, &c, c.keys(d) && c.scored(d, c.Return.Relevancy))
}

// searched returns v, also when all that is wrong is the charset.
func searched[T any](d *Decoder, v *T, ok bool) (*T, error) {
	if _, charset := d.err.(*CharsetError); charset {
		return v, d.err
	}
	return done(d, v, ok)
}

// options takes the result options that a command may begin with.
//
//	search-return-opts = SP "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")"
func (c *Search) options(d *Decoder) bool {
	if d.Keyword("RETURN") {
		return d.ExpectSP() && searchReturn(d, &c.Return) && d.ExpectSP()
	}
	return d.err == nil
}

// charset takes the name of a charset and the space behind it.
func (c *Search) charset(d *Decoder) bool {
	ok := d.ExpectAString(&c.Charset) && d.ExpectSP()
	c.Charset = strings.ToUpper(c.Charset)
	return ok
}

// keys takes search keys up to the end.
//
//	search-key *(SP search-key)
func (c *Search) keys(d *Decoder) bool {
	convert, ok := newConverter(c.Charset)
	if !ok {
		d.err = &CharsetError{Charset: c.Charset}
		return false
	}
	p := searchParser{d: d, convert: convert}
	var keys []SearchKey
	for {
		key := p.key()
		if key == nil {
			return false
		}
		keys = append(keys, key)
		if d.End() {
			c.Key, c.fuzzy = and(keys), p.fuzzy
			return true
		}
		if !d.ExpectSP() {
			return false
		}
	}
}

// ParseFilter parses the value of a filter: a search-program (RFC 5466 §3.1). without are the words that SEARCH has not here.
func ParseFilter(value string, depth int, without map[string]bool) (SearchKey, error) {
	d := NewDecoder([]byte(" "+value), depth)
	d.Without = without
	c, err := ParseSearch(d)
	if err != nil {
		return nil, err
	}
	if c.Return.Present {
		return nil, &SyntaxError{Text: "result options in a filter"}
	}
	return c.Key, nil
}

// scored fails when relevancy is asked for and nothing has any (RFC 6203 §4, §6).
func (c *Search) scored(d *Decoder, asked bool) bool {
	return d.expect(!asked || c.fuzzy, "FUZZY with RELEVANCY")
}

// searchReturn takes the list of result options; none means ALL (RFC 9051 §6.4.4).
//
//	search-return-opt = "MIN" / "MAX" / "ALL" / "COUNT" / "SAVE"
//	                  / "CONTEXT" / "UPDATE"              ; RFC 5267 §5
//	                  / "UPDATE" "(" fetch-att *(SP fetch-att) ")" ; RFC 5465 §8
//	                  / "PARTIAL" SP partial-range        ; RFC 9394 §4
//	                  / "RELEVANCY"                       ; RFC 6203 §7
func searchReturn(d *Decoder, r *SearchReturn) bool {
	r.Present = true
	r.All = true
	first := true
	return d.ExpectList(func() bool {
		if first {
			r.All, first = false, false
		}
		var word string
		if !d.ExpectKeyword(&word) {
			return false
		}
		switch word {
		case "MIN":
			r.Min = true
		case "MAX":
			r.Max = true
		case "ALL":
			r.All = true
		case "COUNT":
			r.Count = true
		case "SAVE":
			r.Save = true
		case "CONTEXT":
			r.Context = true
		case "UPDATE":
			r.Update = true
			if d.listFollows() && d.ExpectSP() || d.peek() == '(' { // the grammar has no space, the example has one
				if d.Without["UPDATE ("] { // NOTIFY is turned off
					return d.Fail("expected a search return option")
				}
				return newsItems(d, &r.Fetch)
			}
		case "RELEVANCY":
			r.Relevancy = true
		case "PARTIAL":
			if r.Partial != nil || !d.ExpectSP() {
				return d.Fail("PARTIAL twice")
			}
			r.Partial = new(PageRange)
			return d.ExpectPageRange(r.Partial)
		default:
			return d.Fail("unknown SEARCH return option")
		}
		return true
	}) && d.expect(!r.All || r.Partial == nil, "either ALL or PARTIAL")
}

// and joins keys; a single one stays as it is.
func and(keys []SearchKey) SearchKey {
	if len(keys) == 1 {
		return keys[0]
	}
	return &KeyAnd{Keys: keys}
}

// searchParser parses keys whose strings are in one charset. Its methods return nil on failure.
type searchParser struct {
	d       *Decoder
	convert converter
	fuzzy   bool // there was a FUZZY
}

// key takes one search key.
//
//	search-key = "ALL" / … / sequence-set / "(" search-key *(SP search-key) ")" / "NOT" SP search-key / "OR" SP search-key SP search-key
//	           / "FUZZY" SP search-key                 ; RFC 6203 §7
func (p *searchParser) key() SearchKey {
	d := p.d
	if !d.enter() {
		return nil
	}
	defer d.leave()
	switch c := d.peek(); {
	case c == '(':
		return p.group()
	case isDigit(c) || c == '*' || c == '$':
		return p.set(false)
	}
	var word string
	if !d.ExpectKeyword(&word) {
		return nil
	}
	switch word {
	case "NOT":
		if d.ExpectSP() {
			if key := p.key(); key != nil {
				return &KeyNot{Key: key}
			}
		}
		return nil
	case "FUZZY":
		p.fuzzy = true
		if d.ExpectSP() {
			if key := p.key(); key != nil {
				return &KeyFuzzy{Key: key}
			}
		}
		return nil
	case "OR":
		if !d.ExpectSP() {
			return nil
		}
		a := p.key()
		if a == nil || !d.ExpectSP() {
			return nil
		}
		b := p.key()
		if b == nil {
			return nil
		}
		return &KeyOr{A: a, B: b}
	}
	leaf, ok := searchLeaves[word]
	if !ok {
		d.Fail("unknown search key")
		return nil
	}
	return leaf(p)
}

// group takes keys in parentheses.
func (p *searchParser) group() SearchKey {
	d := p.d
	var keys []SearchKey
	d.ExpectSpecial('(')
	d.SP()
	for {
		key := p.key()
		if key == nil {
			return nil
		}
		keys = append(keys, key)
		spaced := d.SP()
		if d.Special(')') {
			return and(keys)
		}
		if !d.expect(spaced, "space or ) in a search") {
			return nil
		}
	}
}

// searchLeaves are the keys without keys inside.
var searchLeaves = map[string]func(*searchParser) SearchKey{
	"ALL":        func(*searchParser) SearchKey { return &KeyAnd{} },
	"ANSWERED":   flagKey(`\Answered`, true),
	"UNANSWERED": flagKey(`\Answered`, false),
	"DELETED":    flagKey(`\Deleted`, true),
	"UNDELETED":  flagKey(`\Deleted`, false),
	"DRAFT":      flagKey(`\Draft`, true),
	"UNDRAFT":    flagKey(`\Draft`, false),
	"FLAGGED":    flagKey(`\Flagged`, true),
	"UNFLAGGED":  flagKey(`\Flagged`, false),
	"SEEN":       flagKey(`\Seen`, true),
	"UNSEEN":     flagKey(`\Seen`, false),
	"RECENT":     flagKey(`\Recent`, true), // RFC 3501, like the next two
	"OLD":        flagKey(`\Recent`, false),
	"NEW": func(*searchParser) SearchKey {
		return &KeyAnd{Keys: []SearchKey{&KeyFlag{`\Recent`, true}, &KeyFlag{`\Seen`, false}}}
	},
	"KEYWORD":   keywordKey(true),
	"UNKEYWORD": keywordKey(false),

	"BCC":     fieldKey("Bcc"),
	"CC":      fieldKey("Cc"),
	"FROM":    fieldKey("From"),
	"SUBJECT": fieldKey("Subject"),
	"TO":      fieldKey("To"),
	"HEADER": func(p *searchParser) SearchKey {
		var k KeyHeader
		if !p.text(&k.Field) || !p.text(&k.Value) {
			return nil
		}
		return &k
	},
	"BODY": textKey(false),
	"TEXT": textKey(true),

	"BEFORE":            dateKey(DateInternal, Before),
	"ON":                dateKey(DateInternal, On),
	"SINCE":             dateKey(DateInternal, Since),
	"SENTBEFORE":        dateKey(DateSent, Before),
	"SENTON":            dateKey(DateSent, On),
	"SENTSINCE":         dateKey(DateSent, Since),
	"SAVEDBEFORE":       dateKey(DateSaved, Before), // RFC 8514, like the next three
	"SAVEDON":           dateKey(DateSaved, On),
	"SAVEDSINCE":        dateKey(DateSaved, Since),
	"SAVEDATESUPPORTED": func(*searchParser) SearchKey { return &KeySaveDateSupported{} },
	"OLDER":             ageKey(false), // RFC 5032
	"YOUNGER":           ageKey(true),
	"LARGER":            sizeKey(true),
	"SMALLER":           sizeKey(false),
	"MODSEQ":            (*searchParser).modSeq, // RFC 7162
	"EMAILID":           objectIDKey(false),     // RFC 8474
	"THREADID":          objectIDKey(true),
	"FILTER": func(p *searchParser) SearchKey { // RFC 5466
		var k KeyFilter
		if !p.d.ExpectSP() || !p.d.ExpectAtom(&k.Name) || !p.d.expect(!strings.ContainsAny(k.Name, "/]"), "a filter's name without / and ]") {
			return nil
		}
		return &k
	},
	"UID":       func(p *searchParser) SearchKey { return p.uids() },
	"UIDAFTER":  uidKey(func(n uint32) (first, last uint32) { return n + 1, maxUID }), // RFC 9738 §3.2
	"UIDBEFORE": uidKey(func(n uint32) (first, last uint32) { return 1, n - 1 }),
}
