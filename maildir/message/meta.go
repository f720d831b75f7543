package message

import (
	"crypto/sha256"
	"io"
	"math"
	"slices"
)

const (
	// maxHeaderKept bounds Meta.Header; fields beyond it are dropped and Cached says so.
	maxHeaderKept = 16 << 10
	// maxWholeHeader is the size up to which a header is kept whole.
	maxWholeHeader = 1 << 10
)

// CachedFields lists the header fields kept in Meta.Header, lower case, sorted: those of ENVELOPE and all that mail programs name when they
// fetch message lists (Thunderbird, K-9, mutt, Evolution, Roundcube, …). One that is missing here makes them wait for every file to be opened,
// one that is not in a message costs nothing. Received and the fields of signatures are left out: they outweigh all others together.
// Meta.dropped has a bit for each, so there can be 64.
var CachedFields = []string{
	"bcc", "cc", "chat-version", "content-class", "content-description", "content-transfer-encoding", "content-type", "date",
	"delivered-to", "disposition-notification-to", "envelope-to", "from", "importance", "in-reply-to", "lines", "list-id",
	"list-post", "list-subscribe", "list-unsubscribe", "mail-followup-to", "mail-reply-to", "mailing-list", "message-id",
	"mime-version", "newsgroups", "priority", "references", "reply-to", "return-path", "return-receipt-to", "sender", "sensitivity",
	"subject", "to", "x-beenthere", "x-calendar-attachment", "x-confirm-reading-to", "x-draft-info", "x-k9mail-identity", "x-label",
	"x-list", "x-loop", "x-mailing-list", "x-msmail-priority", "x-original-to", "x-priority", "x-spam-flag",
	"x-uniform-type-identifier", "x-universally-unique-identifier",
}

// NewMeta collects the cached facts from a parsed message; r is needed for header bytes. EmailID is left to Identify.
func NewMeta(m *Message, r io.ReaderAt) (*Meta, error) { return new(MetaMaker).Make(m, r) }

// MetaMaker makes one Meta after another in the same memory. The zero value is ready. For one goroutine at a time.
type MetaMaker struct {
	meta                         Meta
	envelope, structure, header  []byte // of the last Meta
	body, tree, field, unfolding []byte
}

// Make is NewMeta. What it returns holds until the next call.
func (k *MetaMaker) Make(m *Message, r io.ReaderAt) (*Meta, error) {
	k.meta = Meta{Size: m.Size, Wire: m.Wire, SentDay: math.MinInt64, SentTime: math.MinInt64, Header: k.header[:0]}
	c := newCollector(r, &k.meta)
	c.field, c.unfolding, c.rendered = k.field, k.unfolding[:0], k.envelope[:0]
	if err := c.walk(m.Root, true); err != nil {
		return nil, err
	}
	meta := &k.meta
	if i := slices.IndexFunc(c.thread[:], func(id []byte) bool { return id != nil }); i >= 0 {
		sum := sha256.Sum256(c.thread[i])
		meta.ThreadID, meta.HasThreadID = objectID(sum[:]), true
	}
	meta.Envelope = c.envelopes[0].value
	w := structureWriter{envelopes: c.envelopes}
	k.body = w.append(k.body[:0], m.Root)
	w.extended, w.next = true, 0
	k.structure = w.append(k.structure[:0], m.Root)
	k.tree = appendTree(k.tree[:0], m.Root, 0)
	meta.Body, meta.BodyStructure, meta.tree = k.body, k.structure, k.tree
	k.header, k.field, k.unfolding, k.envelope = meta.Header, c.field, c.unfolding, c.rendered
	for _, b := range [...]*[]byte{&k.header, &k.field, &k.unfolding, &k.envelope, &k.body, &k.structure, &k.tree} {
		if cap(*b) > maxKept {
			*b = nil
		}
	}
	return meta, nil
}

// maxKept is the capacity up to which memory of a MetaMaker is used again.
const maxKept = 64 << 10

// PartStructure renders BODYSTRUCTURE of one part of a message that was parsed from r.
func PartStructure(r io.ReaderAt, m *Message, p *Part) ([]byte, error) {
	c := newCollector(r, &Meta{})
	if err := c.walk(p, p == m.Root); err != nil {
		return nil, err
	}
	w := structureWriter{extended: true, envelopes: c.envelopes}
	return w.append(nil, p), nil
}

// collector reads the headers of a message and of those embedded in it, within one budget for all of them.
type collector struct {
	r         io.ReaderAt
	meta      *Meta
	envelopes []renderedEnvelope // in the order of the parts
	budget    int                // octets of fields that may still be kept
	addresses int                // that may still come
	thread    [len(threadFields)][]byte

	field     []byte // the field being read, as far as it is kept
	unfolding []byte // what the values of the envelope being read are parts of
	rendered  []byte // what envelopes are parts of
}

// renderedEnvelope is ENVELOPE of a message that a part holds, or of the message itself.
type renderedEnvelope struct {
	of    *Part
	value []byte
}

func newCollector(r io.ReaderAt, meta *Meta) collector {
	return collector{r: r, meta: meta, budget: headerBudget * DefaultLimits.HeaderBytes, addresses: DefaultLimits.Addresses}
}

func (c *collector) walk(p *Part, isMessage bool) error {
	if isMessage {
		if err := c.header(p, len(c.envelopes) == 0); err != nil {
			return err
		}
	}
	if p.Message != nil {
		return c.walk(p.Message, true)
	}
	for _, child := range p.Children {
		if err := c.walk(child, false); err != nil {
			return err
		}
	}
	return nil
}

// header reads the header of one message, as far as DefaultLimits.HeaderBytes.
func (c *collector) header(p *Part, root bool) error {
	s := newScanner(c.r, p.HeaderOff, p.BodyOff)
	defer s.close()
	env := envelope{unfolding: c.unfolding[:0]}
	whole := root && p.BodyOff-p.HeaderOff <= maxWholeHeader
	var (
		field = c.field[:0] // the field being read, as far as it is kept
		use   = noField
		keep  = whole // it goes to Meta.Header
		cut   = false // not all of it fitted
		flush = func() {
			if use.envelope >= 0 {
				c.addresses -= env.set(int(use.envelope), field, c.addresses)
				if root && use.envelope == envDate {
					c.meta.SentDay, c.meta.SentTime = parseDate(env.text[envDate])
				}
			}
			if root && use.thread >= 0 && c.thread[use.thread] == nil {
				c.thread[use.thread] = firstMessageID(field)
			}
			if keep {
				c.keep(field, int(use.cached), cut)
			}
			field, use, keep, cut = field[:0], noField, false, false
		}
	)
	for {
		line, complete := s.line()
		if len(line) == 0 || isEmptyLine(line) {
			c.meta.OnlyHeader = c.meta.OnlyHeader || root && len(line) == 0
			break
		}
		if s.off()-p.HeaderOff > int64(DefaultLimits.HeaderBytes) || c.budget == 0 {
			if root {
				c.meta.dropped = math.MaxUint64 // who knows what comes
			}
			break
		}
		if !isWSP(line[0]) {
			flush()
			use = fieldUseOf(fieldName(line))
			keep = root && (use.cached >= 0 || whole)
		}
		for {
			if use.envelope >= 0 || keep {
				b := line[:min(len(line), c.budget, DefaultLimits.HeaderBytes-len(field))]
				field = append(field, b...)
				c.budget -= len(b)
				cut = cut || len(b) < len(line)
			}
			s.skip(len(line))
			if complete {
				break
			}
			line, complete = s.line()
		}
	}
	flush()
	c.meta.HasAllHeader = c.meta.HasAllHeader || whole
	at := len(c.rendered)
	c.rendered = env.appendTo(c.rendered)
	c.envelopes = append(c.envelopes, renderedEnvelope{p, c.rendered[at:len(c.rendered):len(c.rendered)]})
	c.field, c.unfolding = field, env.unfolding
	return s.err
}

// keep adds a raw field of the message's own header to the cache, or notes that it is not there.
func (c *collector) keep(field []byte, index int, cut bool) {
	if cut || len(c.meta.Header)+len(field) > maxHeaderKept {
		if index >= 0 {
			c.meta.dropped |= 1 << index
		}
		return
	}
	c.meta.Header = append(c.meta.Header, field...)
}

// fieldUse says what a header field is good for: its places in ENVELOPE, CachedFields and threadFields, -1 where it has none.
type fieldUse struct{ envelope, cached, thread int8 }

var noField = fieldUse{-1, -1, -1}

// fieldUses has a fieldUse for each field that is good for anything, by its name in lower case.
var fieldUses = func() map[string]fieldUse {
	uses := make(map[string]fieldUse)
	set := func(names []string, place func(*fieldUse) *int8) {
		for i, name := range names {
			use, ok := uses[name]
			if !ok {
				use = noField
			}
			*place(&use) = int8(i)
			uses[name] = use
		}
	}
	set(envelopeNames[:], func(u *fieldUse) *int8 { return &u.envelope })
	set(CachedFields, func(u *fieldUse) *int8 { return &u.cached })
	set(threadFields[:], func(u *fieldUse) *int8 { return &u.thread })
	return uses
}()

// fieldUseOf looks up a field in any case.
func fieldUseOf(name []byte) fieldUse {
	var lower [64]byte
	if len(name) <= len(lower) {
		if use, ok := fieldUses[string(appendLower(lower[:0], name))]; ok {
			return use
		}
	}
	return noField
}

// Cached tells whether Header answers questions about this field (any case): it is one of CachedFields, or HasAllHeader.
func (m *Meta) Cached(field string) bool {
	if m.HasAllHeader {
		return true
	}
	i, ok := slices.BinarySearch(CachedFields, lowerASCII(field))
	return ok && m.dropped&(1<<i) == 0
}

// Message rebuilds the part tree (offsets, types, encodings) from the cached facts, without the file.
func (m *Meta) Message() *Message {
	t := treeReader{reader: reader{b: m.tree}}
	root, ok := t.root(m.Size)
	if !ok {
		root = &Part{End: m.Size, WireBody: m.Wire, Type: "text", Subtype: "plain", Encoding: "7bit"} // a Meta nobody filled
	}
	return &Message{Root: root, Size: m.Size, Wire: m.Wire}
}
