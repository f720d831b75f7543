package message

import (
	"crypto/sha256"
	"io"
	"math"
	"slices"
	"strings"
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

// NewMeta collects the cached facts from a parsed message; r is needed for header bytes.
func NewMeta(m *Message, r io.ReaderAt) (*Meta, error) {
	c := collector{
		r:         r,
		meta:      &Meta{Size: m.Size, Wire: m.Wire, SentDay: math.MinInt64, SentTime: math.MinInt64},
		envelopes: make(map[*Part][]byte),
		budget:    headerBudget * DefaultLimits.HeaderBytes,
		addresses: DefaultLimits.Addresses,
	}
	if err := c.walk(m.Root, true); err != nil {
		return nil, err
	}
	meta := c.meta
	var err error
	if meta.EmailID, err = identify(r, m.Size); err != nil {
		return nil, err
	}
	meta.ThreadID = meta.EmailID // a message without identifiers is alone
	if i := slices.IndexFunc(c.thread[:], func(id []byte) bool { return id != nil }); i >= 0 {
		sum := sha256.Sum256(c.thread[i])
		meta.ThreadID = objectID(sum[:])
	}
	meta.Envelope = c.envelopes[m.Root]
	w := structureWriter{envelope: c.envelopes}
	meta.Body = w.append(nil, m.Root)
	w.extended = true
	meta.BodyStructure = w.append(nil, m.Root)
	meta.tree = appendTree(nil, m.Root, 0)
	return meta, nil
}

// PartStructure renders BODYSTRUCTURE of one part of a message that was parsed from r.
func PartStructure(r io.ReaderAt, m *Message, p *Part) ([]byte, error) {
	c := collector{
		r: r, meta: &Meta{}, envelopes: make(map[*Part][]byte), budget: headerBudget * DefaultLimits.HeaderBytes, addresses: DefaultLimits.Addresses,
	}
	if err := c.walk(p, p == m.Root); err != nil {
		return nil, err
	}
	w := structureWriter{extended: true, envelope: c.envelopes}
	return w.append(nil, p), nil
}

// collector reads the headers of a message and of those embedded in it, within one budget for all of them.
type collector struct {
	r         io.ReaderAt
	meta      *Meta
	envelopes map[*Part][]byte
	budget    int // octets of fields that may still be kept
	addresses int // that may still come
	thread    [len(threadFields)][]byte
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
	var env envelope
	whole := root && p.BodyOff-p.HeaderOff <= maxWholeHeader
	var (
		field    []byte  // the field being read, as far as it is kept
		envField = -1    // its place in ENVELOPE
		keep     = whole // it goes to Meta.Header
		cut      = false // not all of it fitted
		index    = -1    // its place in CachedFields
		thread   = -1    // its place in threadFields
		flush    = func() {
			if envField >= 0 {
				c.addresses -= env.set(envField, field, c.addresses)
				if root && envField == envDate {
					c.meta.SentDay, c.meta.SentTime = parseDate(env.text[envDate])
				}
			}
			if thread >= 0 && c.thread[thread] == nil {
				c.thread[thread] = firstMessageID(field)
			}
			if keep {
				c.keep(field, index, cut)
			}
			field, envField, thread, keep, cut = field[:0], -1, -1, false, false
		}
	)
	for {
		line, complete := s.line()
		if len(line) == 0 || isEmptyLine(line) {
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
			var lower [64]byte
			name := appendLower(lower[:0], fieldName(line))
			envField = envelopeField(name)
			index, keep = cachedField(name)
			keep = root && (keep || whole)
			if root {
				thread = threadField(name)
			}
		}
		for {
			if envField >= 0 || keep {
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
	c.envelopes[p] = env.appendTo(nil)
	return s.err
}

// keep adds a raw field of the message's own header to the cache, or notes that it is not there.
func (c *collector) keep(field []byte, index int, cut bool) {
	if cut || len(c.meta.Header)+len(field) > maxHeaderKept {
		c.meta.dropped |= 1 << index
		return
	}
	c.meta.Header = append(c.meta.Header, field...)
}

// envelopeField is the place of a field in ENVELOPE, -1: none.
func envelopeField(lower []byte) int {
	for i, name := range envelopeNames {
		if string(lower) == name {
			return i
		}
	}
	return -1
}

// cachedField is the place of a field in CachedFields.
func cachedField[S ~string | ~[]byte](lower S) (int, bool) {
	return slices.BinarySearchFunc(CachedFields, lower, func(a string, b S) int { return strings.Compare(a, string(b)) })
}

// Cached tells whether Header answers questions about this field (any case): it is one of CachedFields, or HasAllHeader.
func (m *Meta) Cached(field string) bool {
	if m.HasAllHeader {
		return true
	}
	i, ok := cachedField(lowerASCII(field))
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
