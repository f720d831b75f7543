package imap

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	goimap "github.com/emersion/go-imap/v2"

	"roost/imap/wire"
	"roost/maildir"
)

// METADATA (RFC 5464) and LIST-METADATA (RFC 9590). What the store has are the values that clients have written; a few entries are something
// else behind it, see ownEntries.

// Entries that are not the store's.
const (
	entryAdmin      = "/shared/admin"       // of the server: whom to ask (RFC 5464 §6.2.1), from the configuration
	entrySpecialUse = "/private/specialuse" // of a mailbox: RFC 6154 §4
)

var (
	errEntry         = no(goimap.ResponseCodeCannot, "Annotations are below /private and /shared")
	errAdminEntry    = no(goimap.ResponseCodeNoPerm, "The administrator says who that is")
	errEntriesLimit  = no("METADATA TOOMANY", "Too many annotations")
	errUseConfigured = no("USEATTR", "The special use of this mailbox is configured by the administrator")
)

// metadata returns the annotations of a mailbox, or of the server for the name "".
func (s *session) metadata(name string) (map[string]string, error) {
	values, err := s.mail.Metadata(name)
	if err != nil {
		return nil, err
	}
	switch {
	case name != "" && s.has("SPECIAL-USE"):
		if use := s.specialUse()[name]; use != "" {
			values[entrySpecialUse] = use
		}
	case name == "" && s.srv.opt.Admin != "":
		values[entryAdmin] = s.srv.opt.Admin
	}
	return values, nil
}

// cmdGetMetadata is GETMETADATA (RFC 5464 §4.2).
func (s *session) cmdGetMetadata(c *command) error {
	req, err := wire.ParseGetMetadata(c.args)
	if err != nil {
		return err
	}
	values, err := s.metadata(req.Name)
	if err != nil {
		return err
	}
	answer, longest := chooseEntries(req, values)
	s.writeMetadata(req.Name, answer)
	if longest > 0 {
		c.okCode = fmt.Sprintf("METADATA LONGENTRIES %d", longest) // §4.2.1
	}
	return nil
}

// chooseEntries picks what is asked for out of the values, each entry once: what was named with NIL where there is nothing, what is below it only
// where there is something. longest is the length of the longest value that is left out because of MAXSIZE, 0 when none is.
func chooseEntries(req *wire.GetMetadata, values map[string]string) (answer []wire.EntryValue, longest int) {
	seen := map[string]bool{}
	add := func(entry, key string) {
		value, ok := values[key]
		switch {
		case seen[key]:
		case ok && req.MaxSize != nil && int64(len(value)) > *req.MaxSize:
			longest = max(longest, len(value))
		case ok:
			answer = append(answer, wire.EntryValue{Entry: entry, Value: &value})
		case req.Depth == 0:
			answer = append(answer, wire.EntryValue{Entry: entry})
		}
		seen[key] = true
	}
	var all []string
	if req.Depth != 0 {
		all = slices.Sorted(maps.Keys(values))
	}
	for _, entry := range req.Entries {
		key := strings.ToLower(entry)
		add(entry, key)
		for _, below := range all {
			if rest, ok := strings.CutPrefix(below, key+"/"); ok && (req.Depth == wire.DepthAll || !strings.Contains(rest, "/")) {
				add(below, below)
			}
		}
	}
	return answer, longest
}

// writeMetadata writes a METADATA response with values (RFC 5464 §4.4.1), or nothing if there are none. Delta Chat reads the mailbox only in quotes.
func (s *session) writeMetadata(name string, entries []wire.EntryValue) {
	if len(entries) == 0 {
		return
	}
	s.enc.Raw("* METADATA ").QuotedMailbox(name).Raw(" (")
	for i, e := range entries {
		if i > 0 {
			s.enc.SP()
		}
		s.enc.AString(e.Entry).SP()
		if e.Value == nil {
			s.enc.Nil()
		} else {
			s.enc.Octets(*e.Value)
		}
	}
	s.enc.Raw(")").CRLF()
}

// cmdSetMetadata is SETMETADATA (RFC 5464 §4.3): all or none.
func (s *session) cmdSetMetadata(c *command) error {
	req, err := wire.ParseSetMetadata(c.args)
	if err != nil {
		return err
	}
	change := map[string]*string{}
	for _, e := range req.Entries {
		entry := strings.ToLower(e.Entry)
		switch {
		case !strings.HasPrefix(entry, "/private/") && !strings.HasPrefix(entry, "/shared/"):
			return errEntry
		case req.Name == "" && entry == entryAdmin:
			return errAdminEntry
		case e.Value != nil && len(*e.Value) > s.srv.opt.Limits.Metadata:
			return no(goimap.ResponseCode(fmt.Sprintf("METADATA MAXSIZE %d", s.srv.opt.Limits.Metadata)), "Value is too long")
		}
		if req.Name == "" && e.Value != nil {
			if err := s.checkFilter(entry, *e.Value); err != nil {
				return err
			}
		}
		change[entry] = e.Value
	}
	undo := func() {}
	if use, ok := change[entrySpecialUse]; ok && req.Name != "" && s.has("SPECIAL-USE") {
		delete(change, entrySpecialUse)
		if undo, err = s.annotateUse(req.Name, use); err != nil {
			return err
		}
	}
	err = s.mail.SetMetadata(req.Name, change, s.id)
	if err != nil {
		undo()
	}
	if errors.Is(err, maildir.ErrLimit) {
		return errEntriesLimit
	}
	if err == nil && req.Name != "" {
		s.annotatedChange(req.Name)
	}
	return err
}

// annotatedChange counts a change of annotations as one of the mailbox (RFC 7162 §3.2). Those are changed already: what fails here is only logged.
func (s *session) annotatedChange(name string) {
	box, err := s.openMailbox(name)
	if err != nil {
		s.log.Warn("cannot count a change of annotations", "mailbox", name, "cause", err)
		return
	}
	box.Touch()
	box.Release()
}

// annotateUse gives a mailbox the special use of an annotation, or takes it away. undo takes that back.
func (s *session) annotateUse(name string, value *string) (undo func(), err error) {
	if _, err := s.mail.Metadata(name); err != nil { // does it exist
		return nil, err
	}
	given, err := s.mail.SpecialUse()
	if err != nil {
		return nil, err
	}
	use := ""
	if value != nil {
		if use = creatableUses[strings.ToLower(*value)]; use == "" {
			return nil, errUseAttr
		}
	}
	for other, taken := range given {
		if taken == use && other != name {
			return nil, errUseAttr
		}
	}
	old := given[name]
	if use == "" && old == "" && s.specialUse()[name] != "" {
		return nil, errUseConfigured
	}
	return func() { s.setUse(name, old) }, s.mail.SetSpecialUse(name, use)
}

// listMetadata answers LIST … RETURN (METADATA …) for one mailbox (RFC 9590 §3). One whose annotations cannot be read is left out.
func (s *session) listMetadata(name string, entries []string) {
	values, err := s.metadata(name)
	if err != nil {
		return
	}
	answer, _ := chooseEntries(&wire.GetMetadata{Entries: entries}, values)
	s.writeMetadata(name, answer)
}

// metadataNews is what a client hears of the annotations that others change (RFC 5464 §4.4), once it has asked for that with ENABLE; NOTIFY asks for
// more.
type metadataNews struct {
	mailbox, server bool
	seen            uint64
}

// hearMetadata is called before the client asks to be told of more: what is older is no news.
func (s *session) hearMetadata() {
	if s.hearsMetadata() {
		s.tellMetadata()
	} else {
		s.annotated.seen = s.mail.MetadataNow()
	}
}

// hearsMetadata tells whether the client wants to hear of any changes.
func (s *session) hearsMetadata() bool {
	return s.annotated.mailbox || s.annotated.server || s.notify.asks(wire.EventMailboxMetadata) || s.notify.asks(wire.EventServerMetadata)
}

// tellMetadata names the entries that others have changed, with or without a selected mailbox.
func (s *session) tellMetadata() {
	if !s.hearsMetadata() {
		return
	}
	changed, now := s.mail.MetadataChanges(s.annotated.seen, s.id)
	s.annotated.seen = now
	if len(changed) == 0 {
		return
	}
	entries := map[string][]string{}
	for _, c := range changed {
		entries[c.Mailbox] = append(entries[c.Mailbox], c.Entry)
	}
	wanted := s.metadataWanted()
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if wanted(name) {
			s.writeEntries(name, entries[name])
		}
	}
}

// metadataWanted returns what tells whether the client wants to hear of the annotations of a mailbox, or of the server if the name is empty.
func (s *session) metadataWanted() func(name string) bool {
	byName := map[string]*listEntry{}
	if !s.annotated.mailbox && s.notify.asks(wire.EventMailboxMetadata) {
		names, err := s.names()
		if err != nil {
			s.log.Warn("cannot list mailboxes", "cause", err)
		} else {
			byName = names.byName
		}
	}
	return func(name string) bool {
		if name == "" {
			return s.annotated.server || s.notify.asks(wire.EventServerMetadata)
		}
		e := byName[name]
		return s.annotated.mailbox || e != nil && s.notify.wants(e, s.mail.Separator(), wire.EventMailboxMetadata)
	}
}

// writeEntries writes a METADATA response without values.
func (s *session) writeEntries(name string, entries []string) {
	slices.Sort(entries)
	s.enc.Raw("* METADATA ").QuotedMailbox(name)
	for _, entry := range slices.Compact(entries) {
		s.enc.SP().AString(entry)
	}
	s.enc.CRLF()
}
