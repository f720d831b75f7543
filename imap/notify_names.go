package imap

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"

	"roost/imap/wire"
)

// tellNames tells of names and subscriptions that changed (RFC 5465 §5.4, §5.5) and covers what is new.
func (s *session) tellNames() error {
	n := s.notify
	if s.mail.TreeChanges() == n.tree {
		return nil
	}
	before, since := n.names, n.tree
	if err := s.cover(n); errors.Is(err, errTooManyBoxs) {
		s.enc.Raw("* OK [NOTIFICATIONOVERFLOW] Too many mailboxes to tell about").CRLF() // RFC 5465 §5.8: from here on as after NOTIFY NONE
		s.endNotify()
		s.notify = &notifier{wake: make(chan struct{}, 1), stop: func() {}, tree: s.mail.TreeChanges(), names: map[string]listEntry{}}
		return nil
	} else if err != nil {
		if s.isConnError(err) {
			return err
		}
		s.log.Warn("cannot list mailboxes", "cause", err)
		return nil
	}
	news := s.nameNews(before, n.names, since)
	for _, name := range inOrder(news) {
		e, ok := n.names[name]
		if !ok {
			e = listEntry{name: name}
		}
		c := news[name]
		// What a group covered before counts as well: a name that a mailbox was renamed from, one that is not subscribed any more.
		was, known := before[cmp.Or(c.oldName, name)]
		wants := func(event wire.NotifyEvent) bool {
			return n.wants(&e, s.mail.Separator(), event) || known && n.wants(&was, s.mail.Separator(), event)
		}
		if !(c.name && wants(wire.EventMailboxName) || c.subscription && wants(wire.EventSubscription)) {
			continue
		}
		s.beginList(&e, true, true)
		if from := c.oldName; from != "" {
			s.enc.Raw(` ("OLDNAME" (`).Mailbox(from).Raw("))")
		}
		s.enc.CRLF()
	}
	return nil
}

// nameChange is what happened to a name.
type nameChange struct {
	name, subscription bool   // MailboxName, SubscriptionChange
	oldName            string // of a mailbox that was renamed
}

// nameNews compares the names before and after; since is the state of the tree before. With a mailbox that comes or goes its parent is affected, whether
// that exists or not; of a tree that is renamed only its top is told.
func (s *session) nameNews(before, after map[string]listEntry, since uint64) map[string]*nameChange {
	sep := s.mail.Separator()
	oldName, renamed := map[string]string{}, map[string]bool{}
	for name, e := range after {
		if from := s.mail.OldName(name, since); e.exists && from != name && before[from].exists { // otherwise nobody told this client of it
			oldName[name], renamed[from] = from, true
		}
	}
	for name := range oldName {
		// Mailboxes that changed places have not been renamed one after the other. Their UIDVALIDITY tells.
		from := oldName[name]
		for range len(oldName) {
			if from != name {
				from = oldName[from]
			}
		}
		if from == name {
			for next := name; next != ""; next, oldName[next] = oldName[next], "" {
			}
		}
	}
	news := map[string]*nameChange{}
	of := func(name string) *nameChange {
		if news[name] == nil {
			news[name] = &nameChange{}
		}
		return news[name]
	}
	compare := func(name string) {
		e, old := after[name], before[name]
		if from := oldName[name]; from != "" {
			if up := parent(name, sep); oldName[up] == "" || oldName[up] != parent(from, sep) {
				c := of(name)
				c.name, c.oldName = true, from
			}
			return
		}
		if renamed[name] && !e.exists {
			return
		}
		if e.exists != old.exists {
			of(name).name = true
			if up := parent(name, sep); up != "" {
				of(up).name = true
			}
		}
		if e.subscribed != old.subscribed {
			of(name).subscription = true
		}
	}
	for name := range after {
		compare(name)
	}
	for name := range before {
		if _, left := after[name]; !left {
			compare(name)
		}
	}
	return news
}

// inOrder lists names so that each is given up, by a mailbox that was renamed, before another takes it over.
func inOrder(news map[string]*nameChange) (order []string) {
	takenBy := map[string]string{}
	for name, c := range news {
		takenBy[c.oldName] = name
	}
	done := map[string]bool{"": true}
	for _, name := range slices.Sorted(maps.Keys(news)) {
		var chain []string
		for ; !done[name]; name = takenBy[name] {
			done[name] = true
			chain = append(chain, name)
		}
		slices.Reverse(chain)
		order = append(order, chain...)
	}
	return order
}

// changeNames runs what changes names, and takes them for told: those named, what is below, and what is above (RFC 5465 §5). What others did before is told
// first.
func (s *session) changeNames(change func() error, names ...string) error {
	if s.notify == nil {
		return change()
	}
	if err := s.tellNames(); err != nil {
		return err
	}
	if err := change(); err != nil {
		return err
	}
	now, err := s.names()
	if err != nil {
		s.log.Warn("cannot list mailboxes", "cause", err)
		return nil
	}
	sep := string(s.mail.Separator())
	var spelled []string
	for _, name := range names {
		spelled = append(spelled, spellings(name)...)
	}
	own := func(name string) bool {
		return slices.ContainsFunc(spelled, func(top string) bool {
			top = strings.TrimSuffix(top, sep)
			return name == top || strings.HasPrefix(name, top+sep) || strings.HasPrefix(top, name+sep)
		})
	}
	maps.DeleteFunc(s.notify.names, func(name string, _ listEntry) bool { return own(name) })
	for _, e := range now.all {
		if own(e.name) {
			s.notify.names[e.name] = *e
		}
	}
	return nil
}
