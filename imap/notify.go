package imap

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"

	goimap "github.com/emersion/go-imap/v2"

	"roost/imap/wire"
	"roost/maildir"
)

// NOTIFY (RFC 5465). What a client asked for is held as event groups; of every mailbox all groups count that cover it. Mailboxes with message
// events are kept open, and one channel wakes the session for all of them, for the selected one, and for names, subscriptions and annotations. What
// is told is what differs from what was told before, so nothing has to be queued. What the client did itself is not told (§5), where that can be
// known for certain. notify_names.go has what is about names.

// notifier is what a session tells its client about without being asked.
type notifier struct {
	groups []wire.NotifyGroup
	wake   chan struct{}
	stop   func() // no more waking for names
	boxes  map[string]*notified
	lost   map[string]maildir.Status // what was told of mailboxes that went away, or from the groups; not more than may be open
	tree   uint64                    // what of Store.TreeChanges has been told
	names  map[string]listEntry      // as told
}

// notified is a mailbox of which message events are told while it is not selected.
type notified struct {
	box   *maildir.Mailbox
	stop  func()
	flags bool // FlagChange was asked for
	told  maildir.Status
}

var errTooManyBoxs = no("NOTIFICATIONOVERFLOW", "Too many mailboxes to tell about") // RFC 5465 §3.1

// notifyEvents are those that can be told, with what they need.
var notifyEvents = []struct {
	name       string
	event      wire.NotifyEvent
	capability string
}{
	{"MessageNew", wire.EventMessageNew, ""},
	{"MessageExpunge", wire.EventMessageExpunge, ""},
	{"FlagChange", wire.EventFlagChange, ""},
	{"MailboxName", wire.EventMailboxName, ""},
	{"SubscriptionChange", wire.EventSubscription, ""},
	{"MailboxMetadataChange", wire.EventMailboxMetadata, "METADATA"},
	{"ServerMetadataChange", wire.EventServerMetadata, "METADATA-SERVER"},
}

// checkEvents refuses a NOTIFY with an event that is not supported; the response code lists those that are (RFC 5465 §3.1).
func (s *session) checkEvents(groups []wire.NotifyGroup) error {
	var names []string
	supported := map[wire.NotifyEvent]bool{}
	for _, e := range notifyEvents {
		if e.capability == "" || s.has(e.capability) {
			names = append(names, e.name)
			supported[e.event] = true
		}
	}
	for _, g := range groups {
		if slices.ContainsFunc(g.Events, func(e wire.NotifyEvent) bool { return !supported[e] }) {
			return no(goimap.ResponseCode("BADEVENT ("+strings.Join(names, " ")+")"), "An event is not supported")
		}
	}
	return nil
}

// cmdNotify is NOTIFY (RFC 5465 §3.1).
func (s *session) cmdNotify(c *command) error {
	req, err := wire.ParseNotify(c.args)
	if err != nil {
		return err
	}
	if err := s.checkEvents(req.Groups); err != nil {
		return err
	}
	for i := range req.Groups {
		g := &req.Groups[i]
		if _, err := s.newsItems(g.Fetch); err != nil {
			return err
		}
		spellOut(&g.MailboxFilter)
	}
	n := &notifier{groups: req.Groups, wake: make(chan struct{}, 1), boxes: map[string]*notified{}}
	n.stop = s.mail.WaitTree(n.wake)
	if err := s.cover(n); err != nil {
		n.end()
		return err
	}
	if len(req.Groups) > 0 { // §3.1: what has come together is told, whatever is to be told from now on
		if err := s.tell(true, true, allEvents); err != nil {
			n.end()
			return err
		}
	}
	s.hearMetadata()
	s.endNotify()
	s.notify = n
	if req.Status {
		for _, name := range slices.Sorted(maps.Keys(n.boxes)) {
			if err := s.keepalive(); err != nil {
				return err
			}
			b := n.boxes[name]
			if s.view != nil && b.box == s.view.box {
				continue
			}
			items := s.statusOf(true)
			if b.flags && !s.condstore && s.has("CONDSTORE") { // §3.1: it is enough that it is offered
				items = append(items, "HIGHESTMODSEQ")
			}
			if err := s.writeStatus(name, items); s.isConnError(err) {
				return err
			}
		}
	}
	return nil
}

// endNotify goes back to telling nothing but what every client is told.
func (s *session) endNotify() {
	if s.notify != nil {
		s.notify.end()
		s.notify = nil
	}
}

func (n *notifier) end() {
	n.stop()
	for name := range n.boxes {
		n.drop(name)
	}
}

func (n *notifier) drop(name string) {
	b := n.boxes[name]
	b.stop()
	b.box.Release()
	delete(n.boxes, name)
}

// wants tells whether an event of a mailbox which is not selected is to be told: one of the groups that cover it has it, and none says NONE (RFC 5465
// §6, §8).
func (n *notifier) wants(e *listEntry, sep byte, event wire.NotifyEvent) (wanted bool) {
	for i := range n.groups {
		g := &n.groups[i]
		if !covers(&g.MailboxFilter, e, sep) {
			continue
		}
		if len(g.Events) == 0 {
			return false
		}
		wanted = wanted || slices.Contains(g.Events, event)
	}
	return wanted
}

// asks tells whether any group has the event. n may be nil.
func (n *notifier) asks(event wire.NotifyEvent) bool {
	return n != nil && slices.ContainsFunc(n.groups, func(g wire.NotifyGroup) bool { return slices.Contains(g.Events, event) })
}

// selected returns the group for the selected mailbox, nil when there is none: then the client wants to hear nothing of it.
func (n *notifier) selected() *wire.NotifyGroup {
	for i := range n.groups {
		if f := n.groups[i].Kind; f == wire.FilterSelected || f == wire.FilterSelectedDelayed {
			return &n.groups[i]
		}
	}
	return nil
}

// cover opens the mailboxes that the groups cover by now, gives up the others, and takes their names as told.
func (s *session) cover(n *notifier) error {
	n.tree = s.mail.TreeChanges() // before the names: what changes in between is looked at twice
	names, err := s.names()
	if err != nil {
		return err
	}
	n.names = make(map[string]listEntry, len(names.all))
	want := map[string]bool{}
	for _, e := range names.all {
		n.names[e.name] = *e
		if !e.exists || !n.wants(e, s.mail.Separator(), wire.EventMessageNew) {
			continue
		}
		want[e.name] = true
		flags := n.wants(e, s.mail.Separator(), wire.EventFlagChange)
		b := n.boxes[e.name]
		if b != nil && !b.box.Gone() && b.box.Name() == e.name {
			b.flags = flags
			continue
		}
		if len(want) > s.srv.opt.Limits.Notify {
			return errTooManyBoxs
		}
		if err := s.keepalive(); err != nil {
			return err
		}
		box, err := s.openMailbox(e.name)
		if err != nil {
			if !errors.Is(err, maildir.ErrNotFound) && !errors.Is(err, maildir.ErrNoSelect) {
				s.log.Warn("cannot tell about a mailbox", "mailbox", e.name, "cause", err)
			}
			continue
		}
		if b != nil && b.box == box { // which is spelled otherwise
			box.Release()
			b.flags = flags
			continue
		}
		now := &notified{box: box, stop: box.WaitOn(n.wake), flags: flags, told: box.Status()}
		if b != nil {
			n.lose(e.name, s.srv.opt.Limits.Notify)
		}
		if told, ok := n.lost[e.name]; ok {
			if delete(n.lost, e.name); told.UIDValidity != now.told.UIDValidity {
				told = maildir.Status{} // of another mailbox that took over the name all is news (§5.1)
			}
			now.told = told
		}
		n.boxes[e.name] = now
	}
	for name := range n.boxes {
		if !want[name] {
			n.lose(name, s.srv.opt.Limits.Notify)
		}
	}
	return nil
}

// lose drops a mailbox that went away and remembers what was told of it, in case the name comes back; of most names at once.
func (n *notifier) lose(name string, most int) {
	if len(n.lost) < most {
		if n.lost == nil {
			n.lost = map[string]maildir.Status{}
		}
		n.lost[name] = n.boxes[name].told
	}
	n.drop(name)
}

// viewEvents are what a client wants to hear of the selected mailbox at the moment.
type viewEvents struct {
	messages, flags bool
	immediate       bool // also EXPUNGE, at any time
	fetch           []fetchItem
}

// allEvents is what a client without NOTIFY hears.
var allEvents = viewEvents{messages: true, flags: true}

func (s *session) viewEvents() viewEvents {
	if s.notify == nil {
		return allEvents
	}
	g := s.notify.selected()
	if g == nil {
		return viewEvents{}
	}
	ev := viewEvents{
		messages:  slices.Contains(g.Events, wire.EventMessageNew),
		flags:     slices.Contains(g.Events, wire.EventFlagChange),
		immediate: g.Kind == wire.FilterSelected,
	}
	ev.fetch, _ = s.newsItems(g.Fetch) // it was compiled before
	return ev
}

// newsItems compiles the FETCH items of new messages.
func (s *session) newsItems(items []wire.FetchItem) ([]fetchItem, error) {
	if len(items) == 0 {
		return nil, nil
	}
	f := &fetcher{}
	if err := f.compile(items, !s.uidOnly); err != nil {
		return nil, err
	}
	return f.items, nil
}

// created notes messages, ascending, that a command of the client has put into a mailbox: it knows of them.
func (s *session) created(box *maildir.Mailbox, uids []uint32) {
	if s.view != nil && s.view.box == box {
		s.view.created = append(s.view.created, uids...)
	}
	if s.notify == nil {
		return
	}
	for _, b := range s.notify.boxes {
		if b.box != box {
			continue
		}
		now, ch := box.Status(), box.Changes(b.told.ModSeq)
		others := func(r maildir.Record) bool { return !slices.Contains(uids, r.UID) }
		if now.ModSeq == ch.Now && !ch.Unknown && len(ch.Expunged) == 0 && !slices.ContainsFunc(ch.Changed, others) {
			b.told = now // nothing else has happened there
		}
	}
}

// fetchNew answers the FETCH that MessageNew and UPDATE may carry (RFC 5465 §5.2, §7). The messages are shown as they were at the position that the
// client has been told of everything up to: a higher MODSEQ would hide from it, when it comes back with that, what others changed meanwhile.
func (s *session) fetchNew(news []maildir.Record, items []fetchItem) error {
	if len(news) == 0 || len(items) == 0 {
		return nil
	}
	if s.condstore && !slices.ContainsFunc(items, func(it fetchItem) bool { return it.name == string(modSeqItem) }) { // RFC 7162 §3.1
		items = append(items[:len(items):len(items)], fetchAtts[modSeqItem])
	}
	f := newItemFetcher(s, items)
	defer f.close()
	err := f.runAs(news)
	if s.isConnError(err) {
		return err
	}
	return nil // what could not be read is in the log, and there is no command to answer
}

// fetchResults answers the FETCH of UPDATE for new results: now, before the ESEARCH that names them (RFC 5465 §7), or together with that of MessageNew,
// which comes behind it (§5.2).
func (s *session) fetchResults(news []maildir.Record, items []fetchItem) error {
	if len(s.viewEvents().fetch) == 0 {
		return s.fetchNew(news, items)
	}
	v := s.view
	if v.alsoFetch == nil {
		v.alsoFetch = map[uint32][]fetchItem{}
	}
	for i := range news {
		uid := news[i].UID
		v.alsoFetch[uid] = mergeItems(v.alsoFetch[uid], items)
	}
	return nil
}

// fetchNews answers the FETCH of MessageNew, one response for each message whoever wants to know something of it.
func (s *session) fetchNews(news []maildir.Record, items []fetchItem) error {
	also := s.view.alsoFetch
	s.view.alsoFetch = nil
	for len(news) > 0 {
		extra, n := also[news[0].UID], 1
		for ; n < len(news) && extra == nil && also[news[n].UID] == nil; n++ {
		}
		if err := s.fetchNew(news[:n], mergeItems(items, extra)); err != nil {
			return err
		}
		news = news[n:]
	}
	return nil
}

// mergeItems is a and what of b is not in it.
func mergeItems(a, b []fetchItem) []fetchItem {
	a = a[:len(a):len(a)]
	for _, it := range b {
		if !slices.ContainsFunc(a, func(have fetchItem) bool { return cmp.Or(have.key, have.name) == cmp.Or(it.key, it.name) }) {
			a = append(a, it)
		}
	}
	return a
}

// awaitNotify waits for a command, or for DONE in IDLE, and tells what happens meanwhile.
func (s *session) awaitNotify(idle bool) error {
	if s.view != nil {
		defer s.view.box.WaitOn(s.notify.wake)()
	}
	select {
	case s.notify.wake <- struct{}{}: // for what happened during the last command
	default:
	}
	return s.await(s.notify.wake, func() error { return s.tellNotify(idle) })
}

// tellNotify tells what happened since it told last.
func (s *session) tellNotify(idle bool) error {
	n, ev := s.notify, s.viewEvents()
	if s.view != nil && ev.messages {
		if err := s.sync(s.view.box.Now() == s.view.seen, ev.immediate || idle); err != nil {
			return err
		}
	}
	if err := s.tellNames(); err != nil {
		return err
	}
	s.tellMetadata()
	for _, name := range slices.Sorted(maps.Keys(n.boxes)) {
		b := n.boxes[name]
		if b.box.Now() == b.told.ModSeq {
			continue
		}
		old, now := b.told, b.box.Status()
		if s.view != nil && s.view.box == b.box {
			if ev.messages && now.ModSeq == s.view.gone {
				b.told = now
			}
			continue
		}
		b.told = now
		numbers := old.Messages != now.Messages || old.UIDNext != now.UIDNext
		if numbers || b.flags {
			if err := s.writeStatus(name, s.statusOf(numbers)); s.isConnError(err) {
				return err
			}
		}
	}
	return nil
}

// statusOf are the items of a STATUS about message events (RFC 5465 §5.1–5.3). numbers: messages came or went, not only flags.
func (s *session) statusOf(numbers bool) []wire.StatusItem {
	items := []wire.StatusItem{"UIDVALIDITY", "UNSEEN"}
	if numbers {
		items = []wire.StatusItem{"MESSAGES", "UIDNEXT", "UIDVALIDITY", "UNSEEN"}
	}
	if s.condstore {
		items = append(items, "HIGHESTMODSEQ")
	}
	return items
}
