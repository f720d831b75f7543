package imap

import (
	"slices"

	goimap "github.com/emersion/go-imap/v2"

	"roost/imap/wire"
	"roost/maildir"
)

// UIDONLY (RFC 9586): once it is enabled no sequence number is sent or taken, save the count in EXISTS. Commands that have them are refused by
// dispatch, FETCH becomes UIDFETCH, and EXPUNGE VANISHED, as with QRESYNC.

var errUIDRequired = &response{goimap.StatusResponseTypeBad, "UIDREQUIRED", "Message numbers are not taken once UIDONLY is enabled"}

// useUIDOnly enables it. Searches that are followed by number would have to say numbers.
func (s *session) useUIDOnly() {
	s.uidOnly = true
	if s.view == nil {
		return
	}
	s.view.contexts = slices.DeleteFunc(s.view.contexts, func(x *searchContext) bool {
		if !x.uid {
			s.writeNoUpdate(x.tag, "It was about message numbers")
		}
		return !x.uid
	})
}

// beginFetch begins the response about a message of the view; false when the view has no such message.
func (s *session) beginFetch(rec *maildir.Record) bool {
	seq := s.view.seq(rec.UID)
	if seq == 0 {
		return false
	}
	s.beginFetchOf(seq, rec)
	return true
}

// beginFetchOf begins the response about the message with number seq.
func (s *session) beginFetchOf(seq uint32, rec *maildir.Record) {
	if s.uidOnly {
		s.enc.Raw("* ").Number(int64(rec.UID)).Raw(" UIDFETCH (") // §3.3
	} else {
		s.enc.Raw("* ").Number(int64(seq)).Raw(" FETCH (")
	}
}

// numbersIn tells whether sequence numbers are among the keys of a search. The parser bounds the depth.
func numbersIn(key wire.SearchKey) bool {
	switch key := key.(type) {
	case *wire.KeyNot:
		return numbersIn(key.Key)
	case *wire.KeyFuzzy:
		return numbersIn(key.Key)
	case *wire.KeyOr:
		return numbersIn(key.A) || numbersIn(key.B)
	case *wire.KeyAnd:
		return slices.ContainsFunc(key.Keys, numbersIn)
	case *wire.KeySet:
		return !key.UID && !key.Set.Saved
	}
	return false
}
