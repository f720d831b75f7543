package imap

import (
	"errors"
	"maps"
	"slices"

	goimap "github.com/emersion/go-imap/v2"

	"roost/imap/wire"
	"roost/maildir"
)

// NOTIFY (RFC 5465). What a client asked for is held as event groups; of every mailbox the first group that covers it counts. Mailboxes with message
// events are kept open, and one channel wakes the session for all of them, for the selected one, and for names and subscriptions. What is
// told is what differs from what was told before, so nothing has to be queued.

// notifier is what a session tells its client about without being asked.
type notifier struct {
	groups []wire.NotifyGroup
	wake   chan struct{}
	stop   func() // no more waking for names
	boxes  map[string]*notified
	tree   uint64               // what of Store.TreeChanges has been told
	names  map[string]listEntry // as told
}

// notified is a mailbox of which message events are told while it is not selected.
type notified struct {
	box   *maildir.Mailbox
	stop  func()
	flags bool // FlagChange was asked for
	told  maildir.Status
}

var (
	errBadEvent    = no("BADEVENT (FlagChange MailboxName MessageExpunge MessageNew SubscriptionChange)", "An event is not supported")
	errTooManyBoxs = no(goimap.ResponseCodeLimit, "Too many mailboxes to tell about")
)

// supportedEvents are those of errBadEvent.
var supportedEvents = []wire.NotifyEvent{
	wire.EventMessageNew, wire.EventMessageExpunge, wire.EventFlagChange, wire.EventMailboxName, wire.EventSubscription,
}

// cmdNotify is NOTIFY (RFC 5465 §3.1).
func (s *session) cmdNotify(c *command) error {
	req, err := wire.ParseNotify(c.args)
	if err != nil {
		return err
	}
	for _, g := range req.Groups {
		for _, e := range g.Events {
			if !slices.Contains(supportedEvents, e) {
				return errBadEvent
			}
		}
		if _, err := s.notifyFetch(&g); err != nil {
			return err
		}
	}
	n := &notifier{groups: req.Groups, wake: make(chan struct{}, 1), boxes: map[string]*notified{}}
	n.stop = s.mail.WaitTree(n.wake)
	if err := s.cover(n); err != nil {
		n.end()
		return err
	}
	s.endNotify()
	s.notify = n
	if req.Status {
		for _, name := range slices.Sorted(maps.Keys(n.boxes)) {
			if err := s.keepalive(); err != nil {
				return err
			}
			if s.view == nil || n.boxes[name].box != s.view.box {
				if err := s.writeStatus(name, s.statusOf(true)); s.isConnError(err) {
					return err
				}
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

// group returns the group that covers a mailbox which is not selected; nil when none does.
func (n *notifier) group(e *listEntry, sep byte) *wire.NotifyGroup {
	for i := range n.groups {
		g := &n.groups[i]
		if covers(&g.MailboxFilter, e, sep) {
			return g
		}
	}
	return nil
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
		g := n.group(e, s.mail.Separator())
		if g == nil || !e.exists || !slices.Contains(g.Events, wire.EventMessageNew) {
			continue
		}
		want[e.name] = true
		if b := n.boxes[e.name]; b != nil {
			b.flags = slices.Contains(g.Events, wire.EventFlagChange)
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
		n.boxes[e.name] = &notified{box: box, stop: box.WaitOn(n.wake), flags: slices.Contains(g.Events, wire.EventFlagChange), told: box.Status()}
	}
	for name := range n.boxes {
		if !want[name] {
			n.drop(name)
		}
	}
	return nil
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
	ev.fetch, _ = s.notifyFetch(g) // it was compiled before
	return ev
}

// notifyFetch compiles the FETCH items of new messages.
func (s *session) notifyFetch(g *wire.NotifyGroup) ([]fetchItem, error) {
	if len(g.Fetch) == 0 {
		return nil, nil
	}
	f := &fetcher{}
	if err := f.compile(g.Fetch, true); err != nil {
		return nil, err
	}
	return f.items, nil
}

// fetchNew answers the FETCH that MessageNew may carry (RFC 5465 §5.2).
func (s *session) fetchNew(uids []uint32, items []fetchItem) error {
	f := newItemFetcher(s, items)
	defer f.close()
	err := f.run(uids)
	if s.isConnError(err) {
		return err
	}
	return nil // what could not be read is in the log, and there is no command to answer
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
	if s.mail.TreeChanges() != n.tree {
		if err := s.tellNames(n); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(n.boxes)) {
		b := n.boxes[name]
		if b.box.Now() == b.told.ModSeq {
			continue
		}
		old, now := b.told, b.box.Status()
		if s.view != nil && s.view.box == b.box {
			if ev.messages {
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

// tellNames tells of names and subscriptions that changed (RFC 5465 §5.4, §5.5) and covers what is new.
func (s *session) tellNames(n *notifier) error {
	before, since := n.names, n.tree
	if err := s.cover(n); errors.Is(err, errTooManyBoxs) {
		s.enc.Raw("* OK [NOTIFICATIONOVERFLOW] Too many mailboxes to tell about").CRLF() // RFC 5465 §3.1: from here on as after NOTIFY NONE
		s.endNotify()
		s.notify = &notifier{wake: make(chan struct{}, 1), stop: func() {}, tree: s.mail.TreeChanges()}
		return nil
	} else if err != nil {
		if s.isConnError(err) {
			return err
		}
		s.log.Warn("cannot list mailboxes", "cause", err)
		return nil
	}
	wants := func(e *listEntry, event wire.NotifyEvent) bool {
		g := n.group(e, s.mail.Separator())
		return g != nil && slices.Contains(g.Events, event)
	}
	oldName, renamed := map[string]string{}, map[string]bool{}
	for name, e := range n.names {
		if e.exists && !before[name].exists {
			if from := s.mail.OldName(name, since); before[from].exists { // otherwise nobody told this client of it
				oldName[name], renamed[from] = from, true
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(n.names)) {
		e, old := n.names[name], before[name]
		switch {
		case e.exists != old.exists:
			if renamed[name] && !e.exists || !wants(&e, wire.EventMailboxName) {
				continue
			}
		case e.subscribed == old.subscribed || !wants(&e, wire.EventSubscription):
			continue
		}
		s.beginList(&e, true, true)
		if from := oldName[name]; from != "" {
			s.enc.Raw(` ("OLDNAME" (`).Mailbox(from).Raw("))")
		}
		s.enc.CRLF()
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		old := before[name]
		if _, left := n.names[name]; !left && !renamed[name] && old.exists && wants(&old, wire.EventMailboxName) {
			old.exists, old.hasChildren, old.subscribed, old.use = false, false, false, ""
			s.beginList(&old, true, true)
			s.enc.CRLF()
		}
	}
	return nil
}
