package imap

import (
	"errors"
	"slices"

	goimap "github.com/emersion/go-imap/v2"

	"roost/imap/wire"
	"roost/maildir"
	"roost/maildir/message"
)

// FETCH (RFC 9051 §6.4.5). The command is compiled into a list of items, each with what it needs of a message; messages are then walked in
// batches: records copied under the mailbox's lock, \Seen set for the batch, cold structure parsed by all processors, and the items
// written message by message without any lock. Everything that can fail without harm (the message is gone, its file unreadable, its
// encoding unknown) fails in prepare, before the first octet of a message's response is written.

const (
	fetchBatch     = 1000 // records copied at once
	fetchBatchMeta = 128  // the same when parsed structure is needed: bounds what is held of it
	fetchBatchSeen = 64   // the same when \Seen is set: bounds what is marked read and not sent when the client goes away
	keepaliveEvery = 64   // messages between looks at the connection
)

// fetchItem is one data item of a FETCH.
type fetchItem struct {
	name    string // as in the response, with section and origin octet
	key     string // what makes it the same item when asked twice, name when empty
	fill    bool   // needs Record.Wire and Record.Time
	meta    bool   // needs message.Meta
	id      bool   // needs EmailID or ThreadID of it
	setSeen bool
	prepare func(*fetcher, *fetchMessage) error // makes sure that write cannot fail; nil: nothing to do
	write   func(*fetcher, *fetchMessage) error // writes the value; an error ends the connection
}

// fetcher is a FETCH being run.
type fetcher struct {
	s                  *session
	box                *maildir.Mailbox
	enc                *wire.Encoder
	items              []fetchItem
	uid, flags, modSeq bool // asked for

	fill, meta, id, setSeen bool // any item needs it

	metas   *maildir.MetaReader // nil until facts
	buffers *fetchBuffers
	in, out []byte // for file contents as stored and as sent, nil until grow
	binary  bool   // the literal that comes next is a literal8

	down    bool  // the highest UID is answered first (RFC 9738 §3.1)
	next    int   // place in the view of the message behind the last one
	problem error // what the tagged NO will say
}

// fetchMessage is the message being answered.
type fetchMessage struct {
	rec     *maildir.Record
	seenNow bool                 // this command set \Seen
	meta    *message.Meta        // nil until facts; perhaps the reader's, which has one at a time
	file    *maildir.MessageFile // nil until open
	size    int64                // of file
	tree    *message.Message     // nil until parts
}

// errUnknownCTE is RFC 3516 §4.3.
var errUnknownCTE = no("UNKNOWN-CTE", "Transfer encoding of a part is unknown")

func (s *session) cmdFetch(c *command) error {
	req, err := wire.ParseFetch(c.args)
	if err != nil {
		return err
	}
	uids, err := s.resolve(req.Set, c.isUID())
	if err != nil {
		return err
	}
	if req.Vanished && !(c.isUID() && s.qresync && req.ChangedSince != nil) { // RFC 7162 §3.2.6
		return bad("VANISHED is for UID FETCH with CHANGEDSINCE, when QRESYNC is enabled")
	}
	if req.Partial != nil {
		if !c.isUID() { // RFC 9394 §3.3
			return bad("PARTIAL is for UID FETCH")
		}
		from, to := req.Partial.Of(len(uids))
		uids = uids[from:to]                               // before CHANGEDSINCE, §3.4
		if n := s.messageLimit(); n > 0 && len(uids) > n { // a page that is cut off would not be the page asked for
			return tooMany(n, 0)
		}
	}
	if req.ChangedSince != nil && !slices.Contains(req.Items, wire.FetchItem(modSeqItem)) { // RFC 7162 §3.1.4.1: implied
		req.Items = append(req.Items, modSeqItem)
	}
	f, err := newFetcher(s, req.Items, c.isUID() && !s.uidOnly)
	if err != nil {
		return err
	}
	defer f.close()
	if f.modSeq {
		s.useCondstore()
	}
	if req.ChangedSince != nil {
		uids = s.changedSince(req, uids)
	}
	return f.run(c, s.limited(c, uids))
}

// newFetcher compiles the items, in the order asked and each once.
func newFetcher(s *session, items []wire.FetchItem, uid bool) (*fetcher, error) {
	var compiled fetcher
	if err := compiled.compile(items, uid); err != nil {
		return nil, err
	}
	return newItemFetcher(s, compiled.items), nil
}

// compile makes rows of items. uid: UID is among them whether it was asked for or not (RFC 9051 §6.4.9).
func (f *fetcher) compile(items []wire.FetchItem, uid bool) error {
	have := make(map[string]int, len(items))
	add := func(it fetchItem) {
		key := it.key
		if key == "" {
			key = it.name
		}
		if i, ok := have[key]; ok {
			f.items[i].setSeen = f.items[i].setSeen || it.setSeen // BODY.PEEK[] and BODY[] print the same
		} else {
			have[key] = len(f.items)
			f.items = append(f.items, it)
		}
	}
	if uid {
		add(fetchAtts["UID"])
	}
	for _, item := range items {
		switch item := item.(type) {
		case wire.FetchAtt:
			row, ok := fetchAtts[item]
			if !ok {
				return bad("Unknown FETCH item " + string(item))
			}
			add(row)
		case *wire.FetchSection:
			add(sectionItem(item))
		}
	}
	return nil
}

// newItemFetcher returns a fetcher of compiled items for the selected mailbox.
func newItemFetcher(s *session, items []fetchItem) *fetcher {
	f := &fetcher{s: s, box: s.view.box, enc: s.enc, items: items}
	for i := range items {
		it := &items[i]
		f.fill = f.fill || it.fill
		f.meta = f.meta || it.meta
		f.id = f.id || it.id
		f.setSeen = f.setSeen || it.setSeen && !s.view.readOnly
		f.uid = f.uid || it.name == "UID"
		f.flags = f.flags || it.name == "FLAGS"
		f.modSeq = f.modSeq || it.name == string(modSeqItem)
	}
	return f
}

// batchSize is how many messages are answered for together.
func (f *fetcher) batchSize() int {
	switch {
	case f.setSeen:
		return fetchBatchSeen
	case f.meta:
		return fetchBatchMeta
	}
	return fetchBatch
}

// run answers for the messages, ascending, as they are now.
func (f *fetcher) run(c *command, uids []uint32) error {
	f.down = c.cut
	var recs []maildir.Record
	for batch := range batches(c, uids, f.batchSize()) {
		recs = f.box.Records(batch, recs[:0])
		if len(recs) < len(batch) {
			f.trouble(maildir.ErrGone)
		}
		if err := f.batch(recs); err != nil {
			return err
		}
	}
	return f.problem
}

// runAs answers for messages, ascending, as the records have them.
func (f *fetcher) runAs(recs []maildir.Record) error {
	for chunk := range slices.Chunk(recs, f.batchSize()) {
		if err := f.batch(chunk); err != nil {
			return err
		}
	}
	return f.problem
}

func (f *fetcher) batch(recs []maildir.Record) error {
	var seenNow map[uint32]bool
	if f.setSeen {
		seenNow = f.markSeen(recs)
	}
	if f.flags || len(seenNow) > 0 {
		f.s.announceKeywords()
	}
	var parsed []metaResult
	if f.meta {
		parsed = parseCold(f.s.ctx, f.box, recs, f.id)
	}
	var m fetchMessage // one for all: items are called through their table, so that it is on the heap
	for n := range recs {
		if n%keepaliveEvery == 0 {
			if err := f.alive(); err != nil {
				return err
			}
		}
		i := n
		if f.down {
			i = len(recs) - 1 - n
		}
		m = fetchMessage{rec: &recs[i], seenNow: seenNow != nil && seenNow[recs[i].UID]}
		if parsed != nil {
			if err := parsed[i].err; err != nil {
				f.skip(&m, err)
				continue
			}
			m.meta = parsed[i].meta
		}
		if f.meta && m.meta == nil {
			if err := f.facts(&m); err != nil {
				f.skip(&m, err)
				continue
			}
		}
		err := f.message(&m)
		if m.file != nil {
			m.file.Close()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// message writes one FETCH response.
func (f *fetcher) message(m *fetchMessage) error {
	seq := f.seq(m.rec.UID)
	if seq == 0 {
		return nil
	}
	if f.fill && (m.rec.Wire < 0 || m.rec.Time == unknownTime) {
		if err := f.box.Fill(m.rec); err != nil {
			f.skip(m, err)
			return nil
		}
	}
	for i := range f.items {
		if p := f.items[i].prepare; p != nil {
			if err := p(f, m); err != nil {
				f.skip(m, err)
				return nil
			}
		}
	}
	f.s.beginFetchOf(seq, m.rec)
	first := true
	if m.seenNow && !f.flags {
		f.enc.Raw("FLAGS ")
		f.s.writeFlags(m.rec)
		first = false
	}
	if m.seenNow && f.s.condstore { // RFC 7162 §3.2.4
		if !f.uid && !f.s.uidOnly {
			if !first {
				f.enc.SP()
			}
			f.enc.Raw("UID ").Number(int64(m.rec.UID))
			first = false
		}
		if !f.modSeq {
			if !first {
				f.enc.SP()
			}
			f.s.writeModSeq(m.rec)
			first = false
		}
	}
	for i := range f.items {
		if !first {
			f.enc.SP()
		}
		first = false
		f.enc.Raw(f.items[i].name).SP()
		if err := f.items[i].write(f, m); err != nil {
			return err
		}
	}
	f.enc.Raw(")").CRLF()
	return nil
}

// seq is view.seq for messages one after another.
func (f *fetcher) seq(uid uint32) uint32 {
	if uids := f.s.view.uids; f.next >= len(uids) || uids[f.next] != uid {
		seq := f.s.view.seq(uid)
		if seq == 0 {
			return 0
		}
		f.next = int(seq) - 1
	}
	f.next++
	return uint32(f.next)
}

// markSeen sets \Seen on those of recs that do not have it, updates recs, and returns which they were. Mail that cannot be marked (a
// read-only file system) is still served.
func (f *fetcher) markSeen(recs []maildir.Record) map[uint32]bool {
	var unseen []uint32
	for i := range recs {
		if recs[i].Flags&maildir.Seen == 0 {
			unseen = append(unseen, recs[i].UID)
		}
	}
	if len(unseen) == 0 {
		return nil
	}
	changed, _, err := f.box.SetFlags(f.s.ctx, unseen, maildir.FlagChange{Op: maildir.Add, Flags: maildir.Seen})
	if err != nil && !errors.Is(err, maildir.ErrGone) {
		f.s.log.Warn("cannot set \\Seen", "mailbox", f.box.Name(), "cause", err)
	}
	now := make(map[uint32]bool, len(changed))
	i := 0
	for _, rec := range changed {
		for i < len(recs) && recs[i].UID < rec.UID {
			i++
		}
		if i < len(recs) && recs[i].UID == rec.UID {
			recs[i] = rec
			now[rec.UID] = true
		}
	}
	f.s.view.tell(changed)
	return now
}

// skip leaves a message out of the answer and remembers why.
func (f *fetcher) skip(m *fetchMessage, err error) {
	if !errors.Is(err, maildir.ErrGone) && err != errUnknownCTE {
		f.logFile(m, err)
	}
	f.trouble(err)
}

// trouble keeps the first reason that some message was not answered for: the tagged response of the command. The other messages are
// answered all the same (RFC 2180 §4.1.2).
func (f *fetcher) trouble(err error) {
	if f.problem != nil {
		return
	}
	switch {
	case errors.Is(err, maildir.ErrGone):
		f.problem = errSomeGone
	case err == errUnknownCTE:
		f.problem = err
	default:
		f.problem = errUnreadable
	}
}

var (
	errSomeGone   = no("EXPUNGEISSUED", "Some messages were removed")
	errUnreadable = no(goimap.ResponseCodeServerBug, "Some messages could not be read")
)
