package imap

import (
	"errors"
	"io"

	"roost/imap/wire"
	"roost/maildir"
	"roost/maildir/message"
)

// BINARY, BINARY.PEEK and BINARY.SIZE (RFC 3516, RFC 9051 §6.4.5): a part with its transfer encoding removed. How many octets that makes is
// only known after decoding, and must be announced before: small parts are decoded into memory, large ones twice. sizeMemo keeps a client
// that fetches a large part in chunks from paying for the first pass each time.

// sizeMemo is the decoded size of the part asked for last in this session.
type sizeMemo struct {
	box  *maildir.Mailbox
	uid  uint32
	off  int64
	size int64
}

// binaryItem compiles a BINARY item. Composite parts and whole messages have no transfer encoding of their own; their octets are sent as
// BODY would send them.
func binaryItem(it fetchItem, sec *wire.FetchSection) fetchItem {
	plain := func(p *message.Part) bool { return len(p.Children) > 0 || p.Message != nil }
	it.prepare = func(f *fetcher, m *fetchMessage) error {
		if err := f.parts(m); err != nil {
			return err
		}
		p := m.tree.Find(sec.Part)
		if len(sec.Part) == 0 || p == nil || plain(p) {
			return nil
		}
		if _, err := message.Decoded(m.file, p); err != nil {
			if errors.Is(err, message.ErrUnknownEncoding) {
				return errUnknownCTE
			}
			return err
		}
		return nil
	}
	it.write = func(f *fetcher, m *fetchMessage) error {
		f.grow()
		var rg region
		p := m.tree.Find(sec.Part)
		switch {
		case len(sec.Part) == 0:
			rg = region{0, m.tree.Size, m.tree.Wire}
		case p == nil:
			if sec.BinarySize {
				f.enc.Raw("0")
			} else {
				f.enc.Raw("NIL")
			}
			return nil
		case plain(p):
			rg = region{p.BodyOff, p.End, p.WireBody}
		case sec.BinarySize:
			f.enc.Number(f.decodedSize(m, p))
			return nil
		default:
			return f.writeDecoded(m, p, sec.Partial)
		}
		if sec.BinarySize {
			f.enc.Number(rg.wire)
			return nil
		}
		f.binary = true
		defer func() { f.binary = false }()
		return f.writeRegion(m, rg, sec.Partial)
	}
	return it
}

// writeDecoded writes a decoded part, or the chunk of it that a partial asks for, as a literal8.
func (f *fetcher) writeDecoded(m *fetchMessage, p *message.Part, part *wire.Partial) error {
	f.binary = true
	defer func() { f.binary = false }()
	rd, err := message.Decoded(m.file, p)
	if err != nil {
		f.logFile(m, err)
		return f.literal(nil)
	}
	from, count := int64(0), int64(1)<<62
	if part != nil {
		from, count = part.Offset, part.Count
	}
	if !f.discard(rd, from) {
		return f.literal(nil)
	}
	// One octet more than fits tells whether this was all.
	n, err := io.ReadFull(rd, f.in[:min(count, int64(len(f.in)))])
	if err != nil || int64(n) == count {
		return f.literal(f.in[:n])
	}
	total := min(f.decodedSize(m, p)-from, count)
	f.enc.Literal(total, true)
	f.enc.Write(f.in[:n])
	for left := total - int64(n); left > 0; left -= int64(n) {
		n, err = io.ReadFull(rd, f.in[:min(left, int64(len(f.in)))])
		if n == 0 {
			return f.lost(m, err)
		}
		f.enc.Write(f.in[:n])
		if err := f.s.keepalive(); err != nil {
			return err
		}
	}
	return nil
}

// discard skips n octets of rd and tells whether there are more.
func (f *fetcher) discard(rd io.Reader, n int64) bool {
	for n > 0 {
		got, err := io.ReadFull(rd, f.in[:min(n, int64(len(f.in)))])
		n -= int64(got)
		if err != nil {
			return false
		}
	}
	return true
}

// decodedSize decodes a part to learn its size. What comes behind a decoding error does not count, here and in writeDecoded.
func (f *fetcher) decodedSize(m *fetchMessage, p *message.Part) int64 {
	memo := &f.s.fetched.size
	if memo.box == f.box && memo.uid == m.rec.UID && memo.off == p.BodyOff {
		return memo.size
	}
	rd, err := message.Decoded(m.file, p)
	if err != nil {
		f.logFile(m, err)
		return 0
	}
	// f.out is free here: writeDecoded holds the beginning of the part in f.in.
	buf := f.out[:cap(f.out)]
	var size int64
	for {
		n, err := rd.Read(buf)
		size += int64(n)
		if err != nil {
			break
		}
	}
	*memo = sizeMemo{f.box, m.rec.UID, p.BodyOff, size}
	return size
}
