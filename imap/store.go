package imap

import (
	"slices"
	"strings"

	goimap "github.com/emersion/go-imap/v2"

	"roost/imap/wire"
	"roost/maildir"
)

// storeBatch is how many messages one SetFlags or Records call is given: others get the mailbox in between, and the connection is looked at.
const storeBatch = 2000

var errReadOnly = no("READ-ONLY", "Mailbox is open read-only")

// systemFlags are the flags that begin with a backslash and can be stored; \Recent is the session's (RFC 9051 §2.3.2).
var systemFlags = map[string]maildir.Flags{
	`\seen`:     maildir.Seen,
	`\answered`: maildir.Answered,
	`\flagged`:  maildir.Flagged,
	`\deleted`:  maildir.Deleted,
	`\draft`:    maildir.Draft,
}

func systemFlag(name string) (maildir.Flags, bool) {
	bit, ok := systemFlags[strings.ToLower(name)]
	return bit, ok
}

// splitFlags sorts flags as sent into system flags and keywords, each once. \Recent is refused, or left out when a message is appended:
// clients hand on the flags that another server gave them.
func splitFlags(names []string, appending bool) (flags maildir.Flags, keywords []string, err error) {
	have := make(map[string]bool, len(names))
	for _, name := range names {
		lower := strings.ToLower(name)
		bit, system := systemFlags[lower]
		switch {
		case system:
			flags |= bit
		case lower == `\recent` && appending:
		case strings.HasPrefix(name, `\`):
			return 0, nil, bad("Flag " + name + " cannot be set")
		case !have[lower]:
			have[lower] = true
			keywords = append(keywords, name)
		}
	}
	return flags, keywords, nil
}

// cmdStore is STORE and UID STORE (RFC 9051 §6.4.6).
func (s *session) cmdStore(c *command) error {
	req, err := wire.ParseStore(c.args)
	if err != nil {
		return err
	}
	uids, err := s.resolve(req.Set, c.isUID())
	if err != nil {
		return err
	}
	flags, keywords, err := splitFlags(req.Flags, false)
	if err != nil {
		return err
	}
	ch := maildir.FlagChange{Flags: flags, Keywords: keywords}
	switch req.Op {
	case wire.StoreAdd:
		ch.Op = maildir.Add
	case wire.StoreRemove:
		ch.Op = maildir.Remove
	default:
		ch.Op = maildir.Replace
	}
	if req.UnchangedSince != nil { // RFC 7162 §3.1.3
		s.useCondstore()
		since := maildir.ModSeq(*req.UnchangedSince)
		ch.UnchangedSince = &since
	}
	uids = s.limited(c, uids)
	var gone bool
	var modified []uint32
	done := 0
	for batch := range batches(c, uids, storeBatch) {
		var before []maildir.Record
		if req.Silent {
			before = s.view.box.Records(batch, nil)
		}
		var changed []maildir.Record
		var left []uint32
		s.during(done, len(uids), func() { changed, left, err = s.view.box.SetFlags(s.ctx, batch, ch) })
		if err != nil {
			return err
		}
		done += len(batch)
		modified = append(modified, left...)
		gone = gone || len(changed)+len(left) < len(batch)
		var pending map[uint32]bool
		if req.Silent {
			pending = s.pendingFlags(before, changed, &ch)
		}
		if err := s.answerStore(c, req.Silent, changed, pending); err != nil {
			return err
		}
	}
	gone = gone && !req.Silent // RFC 2180 §4.2.1, §4.2.3
	switch {
	case len(modified) > 0 && gone: // RFC 7162 §3.1.3
		return no(goimap.ResponseCode(s.modified(c, modified)), "Some messages were removed, and conditional STORE failed for some")
	case len(modified) > 0:
		c.okCode, c.okText = s.modified(c, modified), "Conditional STORE failed for some"
	case gone:
		return errSomeGone
	}
	return nil
}

// pendingFlags returns which of the messages of a silent change others have changed since this session was last told of them. Their change is
// merged with ours, and .SILENT does not cover it (RFC 9051 §6.4.6). It may have been noticed no earlier than while ours was made, so that before knows nothing
// of it; then it shows in what is there after. Both ascend.
func (s *session) pendingFlags(before, after []maildir.Record, ch *maildir.FlagChange) map[uint32]bool {
	var pending map[uint32]bool
	names := s.view.box.KeywordNames()
	for i := range after {
		for len(before) > 0 && before[0].UID < after[i].UID {
			before = before[1:]
		}
		if len(before) > 0 && before[0].UID == after[i].UID && s.view.knows(&before[0]) && onlyOurs(&before[0], &after[i], ch, names) {
			continue
		}
		if pending == nil {
			pending = make(map[uint32]bool)
		}
		pending[after[i].UID] = true
	}
	return pending
}

// onlyOurs tells whether nothing but ch makes the difference between before and after.
func onlyOurs(before, after *maildir.Record, ch *maildir.FlagChange, names []string) bool {
	flags := ch.Flags
	switch ch.Op {
	case maildir.Add:
		flags |= before.Flags
	case maildir.Remove:
		flags = before.Flags &^ flags
	}
	if after.Flags != flags {
		return false
	}
	if len(ch.Keywords) == 0 && before.Keywords.Empty() && after.Keywords.Empty() {
		return true
	}
	for slot, name := range names {
		want := before.Keywords.Has(slot) && ch.Op != maildir.Replace
		if slices.ContainsFunc(ch.Keywords, func(k string) bool { return strings.EqualFold(k, name) }) {
			want = ch.Op != maildir.Remove
		}
		if after.Keywords.Has(slot) != want {
			return false
		}
	}
	return true
}

// answerStore tells the client of the new flags, unless it asked not to be told, and the view that the client knows.
func (s *session) answerStore(c *command, silent bool, changed []maildir.Record, pending map[uint32]bool) error {
	if err := s.keepalive(); err != nil {
		return err
	}
	if !silent {
		s.announceKeywords()
	}
	if c.cut { // RFC 9738 §3.1
		slices.Reverse(changed)
	}
	known := changed[:0]
	for i := range changed {
		rec := &changed[i]
		if !silent || !pending[rec.UID] {
			known = append(known, *rec)
		}
		if silent && (!s.condstore || pending[rec.UID]) || !s.beginFetch(rec) {
			continue
		}
		sep := ""
		if (c.isUID() || s.condstore) && !s.uidOnly { // RFC 9051 §6.4.9, RFC 7162 §3.2.4
			s.enc.Raw("UID ").Number(int64(rec.UID))
			sep = " "
		}
		if !silent {
			s.enc.Raw(sep).Raw("FLAGS ")
			s.writeFlags(rec)
			sep = " "
		}
		if s.condstore { // RFC 7162 §3.1.3: also with .SILENT
			s.enc.Raw(sep)
			s.writeModSeq(rec)
		}
		s.enc.Raw(")").CRLF()
	}
	s.view.tell(known)
	return nil
}
