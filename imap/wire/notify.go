package wire

import "bytes"

// Notify is NOTIFY (RFC 5465). Without groups it is NOTIFY NONE.
type Notify struct {
	Status bool
	Groups []NotifyGroup
}

// NotifyGroup is an event-group: which events are wanted of which mailboxes.
type NotifyGroup struct {
	MailboxFilter
	Events []NotifyEvent
	Fetch  []FetchItem // of MessageNew in the selected mailbox; nil: none
}

// NotifyEvent is the name of an event in upper case, also of one that nobody knows.
type NotifyEvent string

// The events of RFC 5465 §5.
const (
	EventMessageNew       NotifyEvent = "MESSAGENEW"
	EventMessageExpunge   NotifyEvent = "MESSAGEEXPUNGE"
	EventFlagChange       NotifyEvent = "FLAGCHANGE"
	EventAnnotationChange NotifyEvent = "ANNOTATIONCHANGE"
	EventMailboxName      NotifyEvent = "MAILBOXNAME"
	EventSubscription     NotifyEvent = "SUBSCRIPTIONCHANGE"
	EventMailboxMetadata  NotifyEvent = "MAILBOXMETADATACHANGE"
	EventServerMetadata   NotifyEvent = "SERVERMETADATACHANGE"
)

// maxNotifyGroups bounds one NOTIFY.
const maxNotifyGroups = 100

// ParseNotify parses NOTIFY and checks which events may stand together (RFC 5465 §5, §6.1).
//
//	notify       = "NOTIFY" SP ("SET" [SP "STATUS"] 1*(SP event-group) / "NONE")
//	event-group  = "(" filter-mailboxes SP events ")"
//	events       = "(" event *(SP event) ")" / "NONE"
//	event        = "MessageNew" [SP "(" fetch-att *(SP fetch-att) ")"] / atom
func ParseNotify(d *Decoder) (*Notify, error) {
	var c Notify
	if !d.ExpectSP() {
		return nil, d.Err()
	}
	if d.Keyword("NONE") {
		return done(d, &c, d.ExpectEnd())
	}
	if !d.expect(d.Keyword("SET"), "SET or NONE") || !d.ExpectSP() {
		return nil, d.Err()
	}
	if c.Status = d.Keyword("STATUS"); c.Status && !d.ExpectSP() {
		return nil, d.Err()
	}
	names, selected := 0, false
	for {
		var g NotifyGroup
		if !d.expect(len(c.Groups) < maxNotifyGroups, "fewer event groups") || !notifyGroup(d, &g, &names) {
			return nil, d.Err()
		}
		if g.Kind == FilterSelected || g.Kind == FilterSelectedDelayed {
			if selected {
				d.Fail("the selected mailbox in two event groups")
				return nil, d.Err()
			}
			selected = true
		}
		c.Groups = append(c.Groups, g)
		if d.End() {
			return &c, nil
		}
		if !d.ExpectSP() {
			return nil, d.Err()
		}
	}
}

func notifyGroup(d *Decoder, g *NotifyGroup, names *int) bool {
	if !d.ExpectSpecial('(') || !mailboxFilter(d, &g.MailboxFilter, names) || !d.ExpectSP() {
		return false
	}
	if d.peek() != '(' {
		return d.expect(d.Keyword("NONE"), "events or NONE") && d.ExpectSpecial(')')
	}
	return d.ExpectList1(func() bool { return notifyEvent(d, g) }) && d.ExpectSpecial(')') && consistent(d, g)
}

// listFollows tells whether the next is a space and a list.
func (d *Decoder) listFollows() bool { return bytes.HasPrefix(d.buf[d.pos:], []byte(" (")) }

// notifyEvent takes one event. The list behind MessageNew cannot be mistaken for anything else: no event begins with a parenthesis.
func notifyEvent(d *Decoder, g *NotifyGroup) bool {
	var word string
	if !d.ExpectKeyword(&word) {
		return false
	}
	g.Events = append(g.Events, NotifyEvent(word))
	if NotifyEvent(word) != EventMessageNew || !d.listFollows() {
		return true
	}
	if g.Kind != FilterSelected && g.Kind != FilterSelectedDelayed {
		return d.Fail("FETCH items are for the selected mailbox")
	}
	return d.ExpectSP() && newsItems(d, &g.Fetch)
}

// newsItems takes the list of what a client wants to know of each new message.
//
//	"(" fetch-att *(SP fetch-att) ")"
func newsItems(d *Decoder, items *[]FetchItem) bool {
	return d.ExpectList1(func() bool {
		item := fetchItem(d)
		if item == nil {
			return false
		}
		*items = append(*items, item)
		return d.expect(len(*items) <= maxSections, "fewer FETCH items")
	})
}

// consistent checks the events of one group.
func consistent(d *Decoder, g *NotifyGroup) bool {
	has := map[NotifyEvent]bool{}
	for _, e := range g.Events {
		has[e] = true
	}
	switch {
	case has[EventMessageNew] != has[EventMessageExpunge]:
		return d.Fail("MessageNew and MessageExpunge go together")
	case (has[EventFlagChange] || has[EventAnnotationChange]) && !has[EventMessageNew]:
		return d.Fail("FlagChange needs MessageNew and MessageExpunge")
	case (g.Kind == FilterSelected || g.Kind == FilterSelectedDelayed) &&
		(has[EventMailboxName] || has[EventSubscription] || has[EventMailboxMetadata] || has[EventServerMetadata]):
		return d.Fail("only message events of the selected mailbox")
	}
	return true
}
