package wire

import "slices"

// maxPatterns bounds the patterns of one LIST: every mailbox is matched against every pattern.
const maxPatterns = 1000

// ParseList parses LIST.
//
//	list             = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts]
//	list-select-opts = "(" [list-select-opt *(SP list-select-opt)] ")"
//	mbox-or-pat      = list-mailbox / "(" list-mailbox *(SP list-mailbox) ")"
//	list-return-opts = "RETURN" SP "(" [return-option *(SP return-option)] ")"
func ParseList(d *Decoder) (*List, error) {
	var c List
	if !d.ExpectSP() {
		return nil, d.Err()
	}
	if d.peek() == '(' && !d.Without["RETURN"] {
		c.Extended = true
		if !d.ExpectList(func() bool { return selectOption(d, &c) }) || !d.ExpectSP() {
			return nil, d.Err()
		}
		if c.SelRecursiveMatch && !c.SelSubscribed && !c.SelSpecialUse { // RFC 9051 §6.3.9.1
			d.Fail("RECURSIVEMATCH needs another selection option")
			return nil, d.Err()
		}
	}
	if !d.ExpectListMailbox(&c.Reference) || !d.ExpectSP() || !patterns(d, &c) {
		return nil, d.Err()
	}
	if d.End() {
		return &c, nil
	}
	c.Extended = true
	ok := d.ExpectSP() && d.expect(d.Keyword("RETURN"), "RETURN") && d.ExpectSP() &&
		d.ExpectList(func() bool { return returnOption(d, &c) }) && d.ExpectEnd()
	return done(d, &c, ok)
}

// ParseLsub parses LSUB and XLIST: Reference and one pattern.
//
//	lsub = "LSUB" SP mailbox SP list-mailbox   ; RFC 3501
func ParseLsub(d *Decoder) (*List, error) {
	c := List{Patterns: make([]string, 1)}
	return done(d, &c, d.ExpectSP() && d.ExpectListMailbox(&c.Reference) && d.ExpectSP() && d.ExpectListMailbox(&c.Patterns[0]) && d.ExpectEnd())
}

// patterns takes mbox-or-pat.
func patterns(d *Decoder, c *List) bool {
	if d.peek() != '(' || d.Without["RETURN"] {
		c.Patterns = make([]string, 1)
		return d.ExpectListMailbox(&c.Patterns[0])
	}
	c.Extended = true
	return d.ExpectList1(func() bool {
		var p string
		if !d.ExpectListMailbox(&p) {
			return false
		}
		if len(c.Patterns) == maxPatterns {
			return d.Fail("too many patterns")
		}
		c.Patterns = append(c.Patterns, p)
		return true
	})
}

// selectOption takes one selection option.
//
//	list-select-opt = "SUBSCRIBED" / "REMOTE" / "RECURSIVEMATCH" / "SPECIAL-USE"
func selectOption(d *Decoder, c *List) bool {
	var word string
	if !d.ExpectKeyword(&word) {
		return false
	}
	switch word {
	case "SUBSCRIBED":
		c.SelSubscribed = true
	case "REMOTE":
		c.SelRemote = true
	case "RECURSIVEMATCH":
		c.SelRecursiveMatch = true
	case "SPECIAL-USE":
		c.SelSpecialUse = true
	default:
		return d.Fail("unknown LIST selection option")
	}
	return true
}

// returnOption takes one return option.
//
//	return-option = "SUBSCRIBED" / "CHILDREN" / "SPECIAL-USE" / status-option /
//	                "METADATA" SP "(" entry *(SP entry) ")"   ; RFC 9590 §4
//	status-option = "STATUS" SP "(" status-att *(SP status-att) ")"
func returnOption(d *Decoder, c *List) bool {
	var word string
	if !d.ExpectKeyword(&word) {
		return false
	}
	switch word {
	case "SUBSCRIBED":
		c.RetSubscribed = true
	case "CHILDREN":
		c.RetChildren = true
	case "SPECIAL-USE":
		c.RetSpecialUse = true
	case "STATUS":
		return d.ExpectSP() && statusItems(d, &c.RetStatus)
	case "METADATA":
		return d.ExpectSP() && d.expectEntries(&c.RetMetadata)
	default:
		return d.Fail("unknown LIST return option")
	}
	return true
}

// knownStatus are the STATUS items this server knows.
var knownStatus = []StatusItem{
	"MESSAGES", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "DELETED", "SIZE", "RECENT",
	"APPENDLIMIT", "HIGHESTMODSEQ", "MAILBOXID", "DELETED-STORAGE",
}

// ParseStatus parses STATUS.
//
//	status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")"
func ParseStatus(d *Decoder) (*Status, error) {
	var c Status
	return done(d, &c, d.ExpectSP() && d.ExpectMailbox(&c.Name) && d.ExpectSP() && statusItems(d, &c.Items) && d.ExpectEnd())
}

// statusItems takes a list of STATUS items; each counts once.
func statusItems(d *Decoder, items *[]StatusItem) bool {
	return d.ExpectList1(func() bool {
		var word string
		if !d.ExpectKeyword(&word) {
			return false
		}
		item := StatusItem(word)
		if !slices.Contains(knownStatus, item) {
			return d.Fail("unknown STATUS item")
		}
		if !slices.Contains(*items, item) {
			*items = append(*items, item)
		}
		return true
	})
}
