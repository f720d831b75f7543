package imap

import (
	"roost/imap/wire"
	"roost/maildir"
	"roost/maildir/message"
)

// Object identifiers (RFC 8474). A mailbox's is the GUID in its dovecot-uidlist, which travels with the directory; a message's and a
// conversation's are hashes of what the message says. The letter in front keeps the three apart.

func mailboxID(st *maildir.Status) string { return "F" + st.GUID }

// objectID is an identifier of a message: what it is called, and whether it is known.
type objectID func(*message.Meta) (id string, known bool)

func emailID(m *message.Meta) (string, bool) { return "M" + m.EmailID.String(), m.HasEmailID }

func threadID(m *message.Meta) (string, bool) { return "T" + m.ThreadID.String(), m.HasThreadID }

// objectIDItem is the FETCH item of a message's identifier.
func objectIDItem(name string, id objectID) fetchItem {
	return fetchItem{name: name, meta: true, id: true, prepare: func(f *fetcher, m *fetchMessage) (err error) {
		if _, known := id(m.meta); !known {
			m.meta, err = f.box.Identified(m.rec.UID)
		}
		return err
	}, write: func(f *fetcher, m *fetchMessage) error {
		text, _ := id(m.meta)
		f.enc.Raw("(").Raw(text).Raw(")")
		return nil
	}}
}

// objectIDNode is EMAILID or THREADID in a search (RFC 8474 §6).
func (pl *plan) objectIDNode(key *wire.KeyObjectID) *node {
	id := objectID(emailID)
	if key.Thread {
		id = threadID
	}
	return pl.add("objectid "+key.ID, leaf{from: levelCached, to: levelParse, test: func(p *probe) tri {
		m := p.facts()
		if m == nil {
			return unknown
		}
		text, known := id(m)
		if !known {
			if m = p.identified(); m == nil {
				return unknown
			}
			text, _ = id(m)
		}
		return truth(text == key.ID)
	}})
}
