package imap

import (
	"bytes"
	"crypto/sha256"
	"hash/maphash"
	"math"
	"slices"
	"unsafe"

	"roost/maildir/message"
)

// What threading needs of a message never changes. What THREADs have read is kept with the mailbox, for all sessions, as long as there is memory
// (maildir.Mailbox.Keep); one that needs more reads the rest, and what is kept then is both, without the messages that are gone. Trees are made anew each
// time: identifiers and subjects are numbers by then, and that takes less than writing the answer.

// threadBlock is how many messages are read before they are added: it bounds how many references are held twice.
const threadBlock = 64 * sortChunk

// maxReferences bounds what references of one message count: the first and the last of them. The others are treated as if they were not in the header.
const maxReferences = 256

// threadMessage is what a message says.
type threadMessage struct {
	uid     uint32
	date    int64       // when it was sent
	subject messageID   // its base subject, as it is compared; zero: empty
	reply   bool        // there were marks of a reply or forward
	id      messageID   // zero: none
	refs    []messageID // its ancestors, the nearest last
}

// messageID is a Message-ID or a subject, hashed.
type messageID [16]byte

func hashMessageID(id []byte) (h messageID) {
	sum := sha256.Sum256(id)
	copy(h[:], sum[:])
	return h
}

// threadFacts is what is known of messages, with numbers for what they name. Immutable.
type threadFacts struct {
	uids  []uint32 // ascending, the mailbox's own slice if they are the same
	msgs  []threadFact
	refs  []uint32    // numbers of what messages refer to, message by message, the nearest ancestor last
	names []messageID // by number, of which 0 is none
}

// threadFact is what is known of a message.
type threadFact struct {
	date    int64
	id      uint32 // number
	subject uint32 // number, with replyBit
	refs    uint32 // where in threadFacts.refs its references begin; they end where those of the next message begin
}

const replyBit = 1 << 31

// threadKey is what threadFacts are kept under.
type threadKey struct{}

func (f *threadFacts) octets() int64 {
	return int64(cap(f.msgs))*int64(unsafe.Sizeof(threadFact{})) + 4*int64(cap(f.uids)+cap(f.refs)) + int64(cap(f.names))*int64(unsafe.Sizeof(messageID{}))
}

// references returns the numbers of what the message at a place refers to.
func (f *threadFacts) references(place int) []uint32 {
	if place+1 < len(f.msgs) {
		return f.refs[f.msgs[place].refs:f.msgs[place+1].refs]
	}
	return f.refs[f.msgs[place].refs:]
}

// threadFacts returns what is known of messages, given ascending, and perhaps of others. Those that are gone are not among them.
func (s *session) threadFacts(uids []uint32) (*threadFacts, error) {
	box := s.view.box
	known, _ := box.Kept(threadKey{}).(*threadFacts)
	if known == nil {
		known = new(threadFacts)
	}
	missing := without(uids, known.uids)
	if len(missing) == 0 {
		return known, nil
	}
	facts, err := s.gatherThreads(known, missing)
	if err != nil {
		return nil, err
	}
	box.Keep(threadKey{}, facts, facts.octets())
	return facts, nil
}

// gatherThreads returns what is known, without messages that are gone, and what others say, which are given ascending.
func (s *session) gatherThreads(known *threadFacts, others []uint32) (*threadFacts, error) {
	g := newThreadGatherer(known, s.view.box.UIDs(), len(others))
	blocks := (len(others) + threadBlock - 1) / threadBlock
	n := 0
	for block := range slices.Chunk(others, threadBlock) {
		n++
		s.progress.upTo = percent/2 + percent/2*n/blocks
		chunks := make([][]threadMessage, (len(block)+sortChunk-1)/sortChunk)
		err := s.inspect(&plan{}, len(chunks), true, func(p *probe, i int) bool {
			p.level = levelParse
			recs := p.records(block[i*sortChunk : min(len(block), (i+1)*sortChunk)])
			for j := range recs {
				if p.stop() {
					return false
				}
				p.begin(&recs[j])
				if m, ok := p.threadMessage(); ok {
					chunks[i] = append(chunks[i], m)
				}
			}
			return true
		})
		if err != nil {
			return nil, err
		}
		for _, chunk := range chunks {
			for i := range chunk {
				g.add(&chunk[i])
			}
		}
	}
	return g.done(), nil
}

// threadMessage reads a message; false like sortKey.value.
func (p *probe) threadMessage() (m threadMessage, ok bool) {
	var e message.Envelope
	if !p.envelope(&e) {
		return m, false
	}
	if m.date, ok = p.sentDate(); !ok {
		return m, false
	}
	m.uid = p.rec.UID
	m.subject, m.reply = threadSubject(&e)
	message.MessageIDs(e.MessageID, func(id []byte) bool {
		m.id = hashMessageID(id)
		return false
	})
	fields, ok := p.fields("References")
	if !ok {
		return m, false
	}
	for i := range fields {
		if bytes.EqualFold(fields[i].name, []byte("References")) {
			message.MessageIDs(fields[i].raw, func(id []byte) bool {
				m.refs = append(m.refs, hashMessageID(id))
				return true
			})
		}
	}
	if n := len(m.refs); n > maxReferences {
		m.refs = append(m.refs[:1:1], m.refs[n-maxReferences+1:]...)
	}
	if len(m.refs) == 0 {
		message.MessageIDs(e.InReplyTo, func(id []byte) bool {
			m.refs = []messageID{hashMessageID(id)}
			return false
		})
	}
	return m, true
}

// threadSubject returns the base subject, and whether there were marks of a reply or forward.
func threadSubject(e *message.Envelope) (subject messageID, reply bool) {
	base, reply := sortSubject(e)
	switch {
	case base.text == "":
		return messageID{}, reply
	case base.num != 0:
		return hashMessageID([]byte("\xff" + base.text)), reply // no text that could be decoded is the same
	}
	return hashMessageID([]byte(base.text)), reply
}

// threadGatherer makes threadFacts of old ones and of messages that are added.
type threadGatherer struct {
	threadFacts
	old     *threadFacts
	place   int      // in old
	numbers []uint32 // by number in old: that in the new ones, 0 when there is none yet
	live    []uint32 // UIDs of messages that are not gone
	at      int      // in live

	// seed keeps senders from choosing names that all want one place in the table.
	seed  maphash.Seed
	table []uint32 // open addressing: numbers, 0 empty
}

// newThreadGatherer returns a gatherer for so many more messages; of old ones it takes those that live.
func newThreadGatherer(old *threadFacts, live []uint32, more int) *threadGatherer {
	g := &threadGatherer{old: old, numbers: make([]uint32, len(old.names)), live: live, seed: maphash.MakeSeed()}
	g.uids, g.msgs = make([]uint32, 0, len(old.uids)+more), make([]threadFact, 0, len(old.uids)+more)
	g.refs = make([]uint32, 0, len(old.refs)+more)
	g.names = make([]messageID, 1, len(old.names)+2*more+1)
	g.resize(cap(g.names))
	return g
}

// add adds a message, whose UID is above those of the ones that were added before.
func (g *threadGatherer) add(m *threadMessage) {
	g.take(m.uid)
	fact := threadFact{date: m.date, id: g.number(m.id), subject: g.number(m.subject), refs: uint32(len(g.refs))}
	if m.reply {
		fact.subject |= replyBit
	}
	for _, ref := range m.refs {
		g.refs = append(g.refs, g.number(ref))
	}
	g.uids, g.msgs = append(g.uids, m.uid), append(g.msgs, fact)
}

// take takes the old ones below a UID.
func (g *threadGatherer) take(below uint32) {
	for ; g.place < len(g.old.uids) && g.old.uids[g.place] < below; g.place++ {
		uid, fact := g.old.uids[g.place], g.old.msgs[g.place]
		if g.at = seek(g.live, g.at, uid); g.at == len(g.live) || g.live[g.at] != uid {
			continue
		}
		fact.id, fact.subject, fact.refs = g.renumber(fact.id), g.renumber(fact.subject&^replyBit)|fact.subject&replyBit, uint32(len(g.refs))
		for _, ref := range g.old.references(g.place) {
			g.refs = append(g.refs, g.renumber(ref))
		}
		g.uids, g.msgs = append(g.uids, uid), append(g.msgs, fact)
	}
}

// done returns the facts.
func (g *threadGatherer) done() *threadFacts {
	g.take(math.MaxUint32) // which is no UID
	if slices.Equal(g.uids, g.live) {
		g.uids = g.live
	}
	return &threadFacts{g.uids, g.msgs, slices.Clone(g.refs), slices.Clone(g.names)}
}

// renumber returns the new number of an old one.
func (g *threadGatherer) renumber(old uint32) uint32 {
	if g.numbers[old] == 0 && old != 0 {
		g.numbers[old] = g.number(g.old.names[old])
	}
	return g.numbers[old]
}

// number returns the number of a name.
func (g *threadGatherer) number(name messageID) uint32 {
	if name == (messageID{}) {
		return 0
	}
	if len(g.names)*4 > len(g.table)*3 {
		g.resize(2 * len(g.names))
	}
	at := g.find(name)
	if g.table[at] == 0 {
		g.table[at] = uint32(len(g.names))
		g.names = append(g.names, name)
	}
	return g.table[at]
}

// find returns where in the table a name is, or would be.
func (g *threadGatherer) find(name messageID) uint64 {
	mask := uint64(len(g.table) - 1)
	at := maphash.Bytes(g.seed, name[:]) & mask
	for n := g.table[at]; n != 0 && g.names[n] != name; n = g.table[at] {
		at = (at + 1) & mask
	}
	return at
}

// resize makes a table for n names and puts in those that there are.
func (g *threadGatherer) resize(n int) {
	size := 16
	for size*3 < (n+1)*4 {
		size *= 2
	}
	g.table = make([]uint32, size)
	for n := 1; n < len(g.names); n++ {
		g.table[g.find(g.names[n])] = uint32(n)
	}
}
