package wire

// MailboxFilter says which mailboxes are meant (RFC 5465 §6, RFC 7377 §2.2).
type MailboxFilter struct {
	Kind      FilterKind
	Mailboxes []string // of FilterSubtree, FilterSubtreeOne and FilterMailboxes
}

// FilterKind is the kind of a MailboxFilter.
type FilterKind uint8

// The kinds.
const (
	FilterSelected FilterKind = iota
	FilterSelectedDelayed
	FilterInboxes
	FilterPersonal
	FilterSubscribed
	FilterSubtree
	FilterSubtreeOne // the mailboxes and those directly below
	FilterMailboxes
)

var filterKinds = map[string]FilterKind{
	"SELECTED": FilterSelected, "SELECTED-DELAYED": FilterSelectedDelayed, "INBOXES": FilterInboxes, "PERSONAL": FilterPersonal,
	"SUBSCRIBED": FilterSubscribed, "SUBTREE": FilterSubtree, "SUBTREE-ONE": FilterSubtreeOne, "MAILBOXES": FilterMailboxes,
}

// maxFilterNames bounds the mailboxes that the filters of one command name.
const maxFilterNames = 10000

// mailboxFilter takes a filter; names counts the mailboxes of the command.
//
//	filter-mailboxes = "selected" / "selected-delayed" / "inboxes" / "personal" / "subscribed" /
//	               ("subtree" / "subtree-one" / "mailboxes") SP (mailbox / "(" mailbox *(SP mailbox) ")")
func mailboxFilter(d *Decoder, f *MailboxFilter, names *int) bool {
	var word string
	if !d.ExpectKeyword(&word) {
		return false
	}
	var known bool
	if f.Kind, known = filterKinds[word]; !known {
		return d.Fail("unknown mailbox filter")
	}
	if f.Kind < FilterSubtree {
		return true
	}
	one := func() bool {
		var name string
		ok := d.ExpectMailbox(&name)
		f.Mailboxes = append(f.Mailboxes, name)
		*names++
		return ok && d.expect(*names <= maxFilterNames, "fewer mailboxes")
	}
	if !d.ExpectSP() {
		return false
	}
	if d.peek() == '(' {
		return d.ExpectList1(one)
	}
	return one()
}
