package wire

import (
	"slices"
	"strings"
)

// maxSections bounds the sections of one FETCH, each of which may be a whole message.
const maxSections = 1024

// maxPartial bounds both numbers of a Partial so that their sum is no overflow.
const maxPartial = 1 << 62

// fetchMacros may stand alone, not in a list.
var fetchMacros = map[string][]FetchItem{
	"ALL":  {FetchAtt("FLAGS"), FetchAtt("INTERNALDATE"), FetchAtt("RFC822.SIZE"), FetchAtt("ENVELOPE")},
	"FAST": {FetchAtt("FLAGS"), FetchAtt("INTERNALDATE"), FetchAtt("RFC822.SIZE")},
	"FULL": {FetchAtt("FLAGS"), FetchAtt("INTERNALDATE"), FetchAtt("RFC822.SIZE"), FetchAtt("ENVELOPE"), FetchAtt("BODY")},
}

// fetchAtts are the items without arguments.
var fetchAtts = []FetchAtt{
	"UID", "FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY", "BODYSTRUCTURE",
	"SAVEDATE",            // RFC 8514
	"MODSEQ",              // RFC 7162
	"EMAILID", "THREADID", // RFC 8474
	"PREVIEW", // RFC 8970
}

// fetchSections are the items that name octets: those with a section behind them and RFC 3501's old names for fixed ones.
// RFC822.HEADER never sets \Seen. The names with PEEK are from before RFC 1730; Outlook still sends them.
var fetchSections = map[string]FetchSection{
	"BODY":               {},
	"BODY.PEEK":          {Peek: true},
	"BINARY":             {Binary: true},
	"BINARY.PEEK":        {Binary: true, Peek: true},
	"BINARY.SIZE":        {BinarySize: true, Peek: true},
	"RFC822":             {Obsolete: "RFC822"},
	"RFC822.PEEK":        {Obsolete: "RFC822", Peek: true},
	"RFC822.HEADER":      {Obsolete: "RFC822.HEADER", Spec: SpecHeader, Peek: true},
	"RFC822.HEADER.PEEK": {Obsolete: "RFC822.HEADER", Spec: SpecHeader, Peek: true},
	"RFC822.TEXT":        {Obsolete: "RFC822.TEXT", Spec: SpecText},
	"RFC822.TEXT.PEEK":   {Obsolete: "RFC822.TEXT", Spec: SpecText, Peek: true},
}

// sectionTexts are the words inside a section.
var sectionTexts = map[string]Specifier{
	"HEADER":            SpecHeader,
	"HEADER.FIELDS":     SpecHeaderFields,
	"HEADER.FIELDS.NOT": SpecHeaderFieldsNot,
	"TEXT":              SpecText,
	"MIME":              SpecMIME,
}

// ParseFetch parses FETCH and UID FETCH. An item without arguments that is asked for twice counts once.
//
//	fetch           = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")") [fetch-modifiers]
//	fetch-modifiers = SP "(" fetch-modifier *(SP fetch-modifier) ")"                     ; RFC 4466
//	fetch-modifier  = "CHANGEDSINCE" SP mod-sequence-value / "VANISHED"                  ; RFC 7162 §7
//	                  / "PARTIAL" SP partial-range                                       ; RFC 9394 §4
func ParseFetch(d *Decoder) (*Fetch, error) {
	var c Fetch
	if !d.ExpectSP() || !d.ExpectSet(&c.Set) || !d.ExpectSP() {
		return nil, d.Err()
	}
	if d.peek() != '(' {
		for name, items := range fetchMacros {
			if d.Keyword(name) {
				c.Items = slices.Clone(items)
				return done(d, &c, fetchModifiers(d, &c))
			}
		}
		item := fetchItem(d)
		c.Items = []FetchItem{item}
		return done(d, &c, item != nil && fetchModifiers(d, &c))
	}
	var atts []FetchAtt
	ok := d.ExpectList1(func() bool {
		item := fetchItem(d)
		if item == nil {
			return false
		}
		if att, isAtt := item.(FetchAtt); isAtt {
			if slices.Contains(atts, att) {
				return true
			}
			atts = append(atts, att)
		} else if len(c.Items)-len(atts) == maxSections {
			return d.Fail("too many sections")
		}
		c.Items = append(c.Items, item)
		return true
	})
	return done(d, &c, ok && fetchModifiers(d, &c))
}

// fetchModifiers takes what may follow the items, and the end.
func fetchModifiers(d *Decoder, c *Fetch) bool {
	if d.End() {
		return true
	}
	return d.ExpectSP() && d.ExpectList1(func() bool {
		switch {
		case d.Keyword("CHANGEDSINCE") && c.ChangedSince == nil:
			c.ChangedSince = new(uint64)
			return d.ExpectSP() && d.ExpectModSeq(c.ChangedSince)
		case d.Keyword("VANISHED"):
			c.Vanished = true
			return true
		case d.Keyword("PARTIAL") && c.Partial == nil:
			c.Partial = new(PageRange)
			return d.ExpectSP() && d.ExpectPageRange(c.Partial)
		}
		return d.Fail("unknown FETCH modifier")
	}) && d.ExpectEnd()
}

// isItemChar is what names of FETCH items and section texts are made of.
func isItemChar(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' || isDigit(c) || c == '.' }

// fetchItem takes one item; nil on failure.
//
//	fetch-att = "ENVELOPE" / "FLAGS" / "INTERNALDATE" / "RFC822" [".HEADER" / ".SIZE" / ".TEXT"] / "UID" /
//	            "BODY" ["STRUCTURE"] / "BODY" [".PEEK"] section [partial] /
//	            "BINARY" [".PEEK"] section-binary [partial] / "BINARY.SIZE" section-binary / "SAVEDATE" / "MODSEQ"
func fetchItem(d *Decoder) FetchItem {
	name := strings.ToUpper(string(d.run(isItemChar)))
	if d.Without[name] {
		d.Fail("unknown FETCH item")
		return nil
	}
	if att := FetchAtt(name); d.peek() != '[' && slices.Contains(fetchAtts, att) {
		if att == "PREVIEW" {
			previewModifier(d)
		}
		return att
	}
	s, ok := fetchSections[name]
	if !ok {
		d.Fail("unknown FETCH item")
		return nil
	}
	if s.Obsolete == "" && !(section(d, &s) && partial(d, &s)) {
		return nil
	}
	return &s
}

// previewModifier takes SP "(LAZY)" (RFC 8970 §3.2), if it is there. What follows could be the modifiers of the command as well. It makes no
// difference to us: a preview costs the same whether it is wanted badly or not.
func previewModifier(d *Decoder) {
	const lazy = " (LAZY)"
	if rest := d.buf[d.pos:]; len(rest) >= len(lazy) && strings.EqualFold(string(rest[:len(lazy)]), lazy) {
		d.pos += len(lazy)
	}
}

// section takes what stands in brackets.
//
//	section        = "[" [section-spec] "]"
//	section-spec   = section-msgtext / (section-part ["." section-text])
//	section-part   = nz-number *("." nz-number)
//	section-text   = section-msgtext / "MIME"
//	section-binary = "[" [section-part] "]"
func section(d *Decoder, s *FetchSection) bool {
	if !d.ExpectSpecial('[') {
		return false
	}
	text := d.peek() != ']' // a word is due
	for isDigit(d.peek()) {
		var n uint32
		if !d.ExpectNzNumber(&n) {
			return false
		}
		s.Part = append(s.Part, n)
		if text = d.Special('.'); !text {
			break
		}
	}
	if text && (s.Binary || s.BinarySize) {
		return d.Fail("BINARY takes a part number only")
	}
	return (!text || sectionText(d, s)) && d.ExpectSpecial(']')
}

// sectionText takes the word in a section.
//
//	section-msgtext = "HEADER" / "HEADER.FIELDS" [".NOT"] SP header-list / "TEXT"
//	header-list     = "(" header-fld-name *(SP header-fld-name) ")"
//	header-fld-name = astring
func sectionText(d *Decoder, s *FetchSection) bool {
	var ok bool
	s.Spec, ok = sectionTexts[strings.ToUpper(string(d.run(isItemChar)))]
	if !ok || s.Spec == SpecMIME && s.Part == nil {
		return d.Fail("unknown section")
	}
	if s.Spec != SpecHeaderFields && s.Spec != SpecHeaderFieldsNot {
		return true
	}
	return d.ExpectSP() && d.ExpectList1(func() bool {
		var name string
		ok := d.ExpectAString(&name)
		s.Fields = append(s.Fields, name)
		return ok
	})
}

// partial takes what may follow a section.
//
//	partial = "<" number64 "." nz-number64 ">"
func partial(d *Decoder, s *FetchSection) bool {
	if s.BinarySize || !d.Special('<') {
		return d.err == nil
	}
	offset, ok := d.digits(maxPartial)
	if !d.expect(ok, "an offset") || !d.ExpectSpecial('.') {
		return false
	}
	count, ok := d.digits(maxPartial)
	if !d.expect(ok && count > 0, "a count above 0") {
		return false
	}
	s.Partial = &Partial{Offset: int64(offset), Count: int64(count)}
	return d.ExpectSpecial('>')
}
