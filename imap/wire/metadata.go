package wire

import "strings"

// GetMetadata is GETMETADATA. An empty Name is the server.
type GetMetadata struct {
	Name    string
	MaxSize *int64 // longer values are left out; nil: none
	Depth   int    // how many levels below the entries; DepthAll: all
	Entries []string
}

// SetMetadata is SETMETADATA: values by entry, nil to remove it. An empty Name is the server.
type SetMetadata struct {
	Name    string
	Entries []EntryValue
}

// EntryValue is an annotation; a nil Value means that there is none.
type EntryValue struct {
	Entry string // as sent; case does not matter
	Value *string
}

// DepthAll is DEPTH infinity.
const DepthAll = -1

const (
	maxEntries     = 1000 // of one command
	maxEntryLength = 255
)

// ParseGetMetadata parses GETMETADATA. RFC 5464 has the options before the mailbox in its grammar and behind it in its examples, which also have
// several entries without parentheses (§4.4.1); all of that is taken.
//
//	getmetadata         = "GETMETADATA" [SP getmetadata-options] SP mailbox SP entries   ; RFC 5464 §5
//	getmetadata-options = "(" getmetadata-option *(SP getmetadata-option) ")"
//	getmetadata-option  = "MAXSIZE" SP number / "DEPTH" SP ("0" / "1" / "infinity")
//	entries             = entry / "(" entry *(SP entry) ")"
func ParseGetMetadata(d *Decoder) (*GetMetadata, error) {
	var c GetMetadata
	ok := d.ExpectSP() && metadataOptions(d, &c) && d.ExpectMailbox(&c.Name) && d.ExpectSP() && metadataOptions(d, &c)
	if !ok {
		return done(d, &c, false)
	}
	if d.peek() == '(' {
		return done(d, &c, d.expectEntries(&c.Entries) && d.ExpectEnd())
	}
	for ok = d.addEntry(&c.Entries); ok && !d.End(); {
		ok = d.ExpectSP() && d.addEntry(&c.Entries)
	}
	return done(d, &c, ok)
}

// metadataOptions takes the options and a space, if they come next and not a list of entries.
func metadataOptions(d *Decoder, c *GetMetadata) bool {
	start := d.pos
	if !d.Special('(') {
		return true
	}
	d.SP()
	if next := d.peek(); next == '/' || next == '"' || next == '{' {
		d.pos = start
		return true
	}
	d.pos = start
	depth := false
	return d.ExpectList1(func() bool {
		switch {
		case d.Keyword("MAXSIZE") && c.MaxSize == nil:
			c.MaxSize = new(int64)
			return d.ExpectSP() && d.ExpectNumber64(c.MaxSize)
		case d.Keyword("DEPTH") && !depth:
			depth = true
			var word string
			if !d.ExpectSP() || !d.ExpectKeyword(&word) {
				return false
			}
			var known bool
			c.Depth, known = map[string]int{"0": 0, "1": 1, "INFINITY": DepthAll}[word]
			return d.expect(known, "0, 1 or infinity")
		}
		return d.Fail("unknown GETMETADATA option")
	}) && d.ExpectSP()
}

// ParseSetMetadata parses SETMETADATA. Of two values for one entry the last one counts.
//
//	setmetadata = "SETMETADATA" SP mailbox SP "(" entry-value *(SP entry-value) ")"
//	entry-value = entry SP value
//	value       = nstring / literal8
func ParseSetMetadata(d *Decoder) (*SetMetadata, error) {
	var c SetMetadata
	ok := d.ExpectSP() && d.ExpectMailbox(&c.Name) && d.ExpectSP() && d.ExpectList1(func() bool {
		var e EntryValue
		var value string
		if len(c.Entries) == maxEntries {
			return d.Fail("too many entries")
		}
		if !d.expectEntry(&e.Entry) || !d.ExpectSP() {
			return false
		}
		present := d.peek() == '~'
		if present {
			if !d.expectLiteral(&value, true) {
				return false
			}
		} else if !d.ExpectNString(&value, &present) {
			return false
		}
		if present {
			e.Value = &value
		}
		c.Entries = append(c.Entries, e)
		return true
	}) && d.ExpectEnd()
	return done(d, &c, ok)
}

// expectEntry takes the name of an annotation.
//
//	entry = astring   ; slash-separated path, must not contain "*" or "%"
func (d *Decoder) expectEntry(entry *string) bool {
	return d.ExpectAString(entry) && d.expect(isEntry(*entry), "the name of an annotation")
}

// expectEntries takes a list of names of annotations.
func (d *Decoder) expectEntries(entries *[]string) bool {
	return d.ExpectList1(func() bool { return d.addEntry(entries) })
}

// addEntry takes the name of an annotation.
func (d *Decoder) addEntry(entries *[]string) bool {
	var entry string
	if len(*entries) == maxEntries {
		return d.Fail("too many entries")
	}
	ok := d.expectEntry(&entry)
	*entries = append(*entries, entry)
	return ok
}

// isEntry holds RFC 5464 §3.2: names begin with a slash, have no empty components, and consist of printable ASCII without "*" and "%".
func isEntry(s string) bool {
	if len(s) < 2 || len(s) > maxEntryLength || s[0] != '/' || s[len(s)-1] == '/' || strings.Contains(s, "//") {
		return false
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f || s[i] == '*' || s[i] == '%' {
			return false
		}
	}
	return true
}
