package wire

// ESearch is ESEARCH (RFC 7377). Without sources it searches the selected mailbox.
type ESearch struct {
	Sources []MailboxFilter
	Search
}

// maxSources bounds the sources of one ESEARCH.
const maxSources = 100

// ParseESearch parses ESEARCH. Errors are as of ParseSearch.
//
//	esearch             = "ESEARCH" [SP esearch-source-opts] [SP search-return-opts] SP search-program
//	esearch-source-opts = "IN" SP "(" source-mbox [SP "(" scope-options ")"] ")"
//	source-mbox         = filter-mailboxes *(SP filter-mailboxes)
func ParseESearch(d *Decoder) (*ESearch, error) {
	var c ESearch
	if !d.ExpectSP() {
		return nil, d.Err()
	}
	if d.Keyword("IN") && (!d.ExpectSP() || !c.sources(d) || !d.ExpectSP()) {
		return nil, d.Err()
	}
	if d.Err() != nil || !c.options(d) {
		return nil, d.Err()
	}
	if d.Keyword("CHARSET") && (!d.ExpectSP() || !c.charset(d)) {
		return nil, d.Err()
	}
	return searched(d, &c, c.keys(d) && c.scored(d, c.Return.Relevancy))
}

// sources takes what is searched. No scope option has been defined yet.
func (c *ESearch) sources(d *Decoder) bool {
	names := 0
	return d.ExpectList1(func() bool {
		var f MailboxFilter
		if len(c.Sources) > 0 && d.peek() == '(' {
			return d.Fail("unknown scope option")
		}
		if !d.expect(len(c.Sources) < maxSources, "fewer sources") || !mailboxFilter(d, &f, &names) {
			return false
		}
		if f.Kind == FilterSelectedDelayed {
			return d.Fail("selected-delayed is no place to search")
		}
		c.Sources = append(c.Sources, f)
		return true
	})
}
