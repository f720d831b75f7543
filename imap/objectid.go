package imap

import (
	"roost/imap/wire"
	"roost/maildir"
	"roost/maildir/message"
)

// Object identifiers (RFC 8474). A mailbox's is the GUID in its dovecot-uidlist, which travels with the directory; a message's and a
// conversation's are hashes of what the message says. The letter in front keeps the three apart.

func mailboxID(st *maildir.Status) string { return "F" + st.GUID }

func emailID(m *message.Meta) string { return "M" + m.EmailID.String() }

func threadID(m *message.Meta) string { return "T" + m.ThreadID.String() }

// objectIDItem is the FETCH item of a message's identifier.
func objectIDItem(name string, id func(*message.Meta) string) fetchItem {
	return fetchItem{name: name, meta: true, write: func(f *fetcher, m *fetchMessage) error {
		f.enc.Raw("(").Raw(id(m.meta)).Raw(")")
		return nil
	}}
}

// objectIDNode is EMAILID or THREADID in a search (RFC 8474 §6).
func (pl *plan) objectIDNode(key *wire.KeyObjectID) *node {
	id := emailID
	if key.Thread {
		id = threadID
	}
	return pl.add("objectid "+key.ID, leaf{from: levelCached, to: levelParse, test: func(p *probe) tri {
		m := p.facts()
		if m == nil {
			return unknown
		}
		return truth(id(m) == key.ID)
	}})
}
