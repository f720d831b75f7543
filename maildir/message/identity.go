package message

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
)

// ObjectID identifies a message or a conversation by content (RFC 8474): the same wherever a copy of the message lies, and computed anew to the
// same value when every cache is lost.
type ObjectID [16]byte

// String returns 32 hex digits.
func (id ObjectID) String() string { return hex.EncodeToString(id[:]) }

// objectID is half a SHA-256: what a sender could make collide is only worth it to confuse their own mail.
func objectID(sum []byte) (id ObjectID) {
	copy(id[:], sum)
	return id
}

// Identify makes EmailID and ThreadID known: it hashes the message that m was made from, octet by octet, which takes about as long as parsing it.
// Few clients ask for it.
func (m *Meta) Identify(r io.ReaderAt) error {
	h := sha256.New()
	window := scanBuffers.Get().(*[]byte)
	defer scanBuffers.Put(window)
	if _, err := io.CopyBuffer(h, io.NewSectionReader(r, 0, m.Size), *window); err != nil {
		return err
	}
	m.EmailID, m.HasEmailID = objectID(h.Sum(nil)), true
	if !m.HasThreadID { // a message without identifiers is alone
		m.ThreadID, m.HasThreadID = m.EmailID, true
	}
	return nil
}

// The fields that say which conversation a message belongs to: the first identifier of the first of them that has one. Everything that answers
// a message, directly or not, has that message's identifier first in References (RFC 5322 §3.6.4).
var threadFields = [...]string{"references", "in-reply-to", "message-id"}

// firstMessageID returns the first "<…>" of a field's body, without white space; nil when there is none.
func firstMessageID(field []byte) []byte {
	_, rest, ok := bytes.Cut(fieldBody(field), []byte{'<'})
	id, _, closed := bytes.Cut(rest, []byte{'>'})
	if !ok || !closed || len(id) == 0 {
		return nil
	}
	return bytes.Join(bytes.Fields(id), nil)
}
