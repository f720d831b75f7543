package imap

import (
	"errors"
	"slices"
	"strings"
	"time"

	goimap "github.com/emersion/go-imap/v2"

	"roost/maildir"
)

// errMailboxGone ends a session whose mailbox was deleted or replaced: nothing it knows is true any more. Dovecot does the same.
var errMailboxGone = &response{goimap.StatusResponseTypeBye, "", "Selected mailbox was deleted or replaced, log in again"}

// errMailMoved ends a session whose Maildir is another one by now (restored from a backup, for example).
var errMailMoved = &response{goimap.StatusResponseTypeBye, "", "Mail was replaced, log in again"}

// pollEvery is how often commands other than NOOP look at the directories. In between the watcher tells.
const pollEvery = time.Second

// sync asks the mailbox for changes and tells the client: EXPUNGE only if expunge is set, EXISTS, RECENT, FLAGS, FETCH. poll: also look at
// the directories for what other programs did.
func (s *session) sync(poll, expunge bool) error { return s.tell(poll, expunge, s.viewEvents()) }

// tell is sync for a client that may not want to hear of everything (NOTIFY).
func (s *session) tell(poll, expunge bool, ev viewEvents) error {
	s.tellMetadata()
	v := s.view
	if v == nil {
		return nil
	}
	s.tellKeyResets()
	own := v.created
	v.created = nil
	if poll || time.Since(s.polled) >= pollEvery {
		s.polled = time.Now()
		err := s.blocking(func() error { return v.box.Sync(s.ctx) })
		if errors.Is(err, maildir.ErrGone) {
			return errMailboxGone
		}
		if err != nil && s.ctx.Err() == nil && !errors.Is(err, maildir.ErrLocked) {
			s.log.Warn("cannot look for changes", "mailbox", v.box.Name(), "cause", err)
		}
	} else if v.box.Gone() {
		return errMailboxGone // the command, or another session, found out
	}
	if !ev.messages {
		return nil
	}
	if err := s.contextsAged(); err != nil {
		return err
	}
	// One question for both positions: of two, the second would know of expunges of messages that the first called new.
	since := v.seen
	if expunge || s.qresync {
		since = v.gone
	}
	ch := v.box.Changes(since)
	if ch.Now == since {
		return nil
	}
	delayed := false
	if !expunge && s.qresync {
		if delayed = len(v.vanished(&ch)) > 0; !delayed {
			v.gone = ch.Now // there was none
		}
	}
	if expunge {
		gone := v.vanished(&ch)
		s.contextsExpunged(gone)
		if s.qresync || s.uidOnly {
			s.writeVanished(savedSet(gone), false)
		} else {
			// From the end, so that each number is right when it is read (RFC 9051 §7.5.1).
			for _, uid := range slices.Backward(gone) {
				s.enc.Raw("* ").Number(int64(v.seq(uid))).Raw(" EXPUNGE").CRLF()
			}
		}
		v.drop(gone)
		v.gone = ch.Now
	}
	old := v.top
	fresh := v.unheard(ch.Changed)
	if len(fresh) > 0 {
		v.arrived(fresh)
		s.writeExists()
	}
	s.announceKeywords()
	for i := range ch.Changed {
		rec := &ch.Changed[i]
		if rec.UID > old || v.knows(rec) || !ev.flags {
			continue
		}
		s.writeChange(rec)
	}
	v.seen = ch.Now
	v.told = nil
	news := ch.Changed[len(ch.Changed)-len(fresh):]
	if len(own) > 0 { // RFC 5465 §5.2: not those that the client put here itself
		news = slices.DeleteFunc(slices.Clone(news), func(r maildir.Record) bool { return slices.Contains(own, r.UID) })
	}
	if err := s.contextsChanged(ch.Changed, old, news); err != nil {
		return err
	}
	if err := s.fetchNews(news, ev.fetch); err != nil {
		return err
	}
	if len(v.told) > 0 { // those were marked \Seen: the MODSEQ of that is above what others changed meanwhile
		return s.tell(false, expunge, ev)
	}
	if delayed {
		// The client may have seen a higher MODSEQ; if it came back with that, it would never hear of what is delayed (RFC 7162 §3.2).
		s.writeHighestModSeq()
	}
	return nil
}

// writeExists sends EXISTS and, for IMAP4rev1, RECENT.
func (s *session) writeExists() {
	v := s.view
	s.enc.Raw("* ").Number(int64(len(v.uids))).Raw(" EXISTS").CRLF()
	if !s.rev2 {
		i, _ := slices.BinarySearch(v.uids, v.firstRecent)
		s.enc.Raw("* ").Number(int64(len(v.uids) - i)).Raw(" RECENT").CRLF()
	}
}

var systemFlagNames = [...]struct {
	bit  maildir.Flags
	name string
}{
	{maildir.Answered, `\Answered`}, {maildir.Flagged, `\Flagged`}, {maildir.Deleted, `\Deleted`},
	{maildir.Seen, `\Seen`}, {maildir.Draft, `\Draft`},
}

// writeFlags writes the FLAGS list "(\Seen $Forwarded)" of a record.
func (s *session) writeFlags(rec *maildir.Record) {
	s.enc.Raw("(")
	sep := ""
	put := func(name string) {
		s.enc.Raw(sep).Raw(name)
		sep = " "
	}
	for _, f := range systemFlagNames {
		if rec.Flags&f.bit != 0 {
			put(f.name)
		}
	}
	if !s.rev2 && rec.UID >= s.view.firstRecent {
		put(`\Recent`)
	}
	if !rec.Keywords.Empty() {
		for slot, name := range s.view.box.KeywordNames() {
			if isAtom(name) && rec.Keywords.Has(slot) {
				put(name)
			}
		}
	}
	s.enc.Raw(")")
}

// isAtom tells whether a keyword that another program wrote can be sent.
func isAtom(name string) bool {
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= 0x7f || c == '(' || c == ')' || c == '{' || c == '%' || c == '*' || c == '"' || c == '\\' || c == ']' {
			return false
		}
	}
	return name != ""
}

// announceKeywords sends FLAGS and PERMANENTFLAGS when the mailbox has keywords that the client has not heard of.
func (s *session) announceKeywords() {
	if !slices.Equal(s.view.box.KeywordNames(), s.view.keywords) {
		s.writeFlagLists()
	}
}

// writeFlagLists sends the FLAGS response and the PERMANENTFLAGS code (RFC 9051 §6.3.2).
func (s *session) writeFlagLists() {
	v := s.view
	names := v.box.KeywordNames()
	v.keywords = names
	var b strings.Builder
	b.WriteString(`\Answered \Flagged \Deleted \Seen \Draft`)
	for _, name := range names {
		if isAtom(name) {
			b.WriteString(" " + name)
		}
	}
	list := b.String()
	s.enc.Raw("* FLAGS (").Raw(list).Raw(")").CRLF()
	if v.readOnly {
		s.enc.Raw("* OK [PERMANENTFLAGS ()] Read-only mailbox").CRLF()
	} else {
		s.enc.Raw("* OK [PERMANENTFLAGS (").Raw(list).Raw(` \*)] Flags permitted`).CRLF()
	}
}
