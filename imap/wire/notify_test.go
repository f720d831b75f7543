package wire

import (
	"strings"
	"testing"
)

func TestParseNotify(t *testing.T) {
	both := []NotifyEvent{EventMessageNew, EventMessageExpunge}
	accepts(t, ParseNotify, map[string]*Notify{
		" NONE": {},
		" set (selected (MessageNew MessageExpunge))": {Groups: []NotifyGroup{{MailboxFilter: MailboxFilter{Kind: FilterSelected}, Events: both}}},
		" SET STATUS (selected (MessageNew (UID FLAGS) MessageExpunge)) (subtree Lists NONE)": {Status: true, Groups: []NotifyGroup{
			{MailboxFilter: MailboxFilter{Kind: FilterSelected}, Events: both, Fetch: []FetchItem{FetchAtt("UID"), FetchAtt("FLAGS")}},
			{MailboxFilter: MailboxFilter{Kind: FilterSubtree, Mailboxes: []string{"Lists"}}}}},
		` SET (mailboxes (inbox "a b") (FlagChange MessageNew MessageExpunge)) (personal (MailboxName SubscriptionChange X-New))`: {Groups: []NotifyGroup{
			{MailboxFilter: MailboxFilter{Kind: FilterMailboxes, Mailboxes: []string{"INBOX", "a b"}}, Events: []NotifyEvent{EventFlagChange, EventMessageNew, EventMessageExpunge}},
			{MailboxFilter: MailboxFilter{Kind: FilterPersonal}, Events: []NotifyEvent{EventMailboxName, EventSubscription, "X-NEW"}}}},
		" SET (inboxes NONE) (subscribed NONE) (selected-delayed NONE)": {Groups: []NotifyGroup{
			{MailboxFilter: MailboxFilter{Kind: FilterInboxes}}, {MailboxFilter: MailboxFilter{Kind: FilterSubscribed}}, {MailboxFilter: MailboxFilter{Kind: FilterSelectedDelayed}}}},
	})
	refuses(t, ParseNotify, "", " ", " SET", " SET STATUS", " NONE x", " SET ()", " SET (selected)", " SET (selected ())", " SET (all NONE)", " SET (subtree NONE)",
		" SET (selected (MessageNew))", " SET (personal (MessageExpunge))", " SET (personal (FlagChange))", " SET (selected NONE) (selected-delayed NONE)",
		" SET (selected (MailboxName))", " SET (personal (MessageNew (UID) MessageExpunge))", " SET (selected (MessageNew () MessageExpunge))",
		" SET (selected NONE)(inboxes NONE)", " SET (mailboxes () NONE)", " SET"+strings.Repeat(" (inboxes NONE)", 101))
}

func FuzzNotify(f *testing.F) {
	for _, s := range []string{" NONE", " SET STATUS (selected (MessageNew (uid body.peek[header.fields (from to subject)]) MessageExpunge)) (subtree Lists (MessageNew MessageExpunge))",
		` SET (mailboxes (a "b" {1}` + "\r\nc) (FlagChange MessageNew MessageExpunge))", " SET (inboxes NONE) (personal (MailboxName))"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, args string) {
		c, err := ParseNotify(decode(args))
		if err == nil && c == nil {
			t.Fatal("neither an error nor a command")
		}
	})
}
