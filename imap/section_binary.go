package imap

import (
	"bytes"
	"errors"
	"io"

	"roost/imap/wire"
	"roost/maildir"
	"roost/maildir/message"
)

// BINARY, BINARY.PEEK and BINARY.SIZE (RFC 3516, RFC 9051 §6.4.5): a part with its transfer encoding removed. How many octets that makes is
// only known after decoding, and must be announced before: small parts are decoded into memory, large ones twice. A client that fetches a large
// part in chunks must not pay for decoding from the start each time: decodeMemo goes on where the last chunk stopped. A literal8 is used only where there
// is NUL, so that the client need not look for it itself (RFC 3516 §4.3).

// partKey names a part of a message file as it was.
type partKey struct {
	box       *maildir.Mailbox
	uid       uint32
	size, off int64 // of the file, and where the part's body is in it
}

func (f *fetcher) partKey(m *fetchMessage, p *message.Part) partKey {
	return partKey{f.box, m.rec.UID, m.size, p.BodyOff}
}

// sizeMemo is the decoded size of the part asked for last in this session, and whether there is NUL in it.
type sizeMemo struct {
	key  partKey
	size int64
	nul  bool
}

// decodeMemo is a decoder that has given its first at octets. It does not hold the file open.
type decodeMemo struct {
	key  partKey
	file *swapReaderAt
	rd   io.Reader
	at   int64
}

// swapReaderAt reads from a file that can be exchanged for the same file opened again.
type swapReaderAt struct{ io.ReaderAt }

// binaryItem compiles a BINARY item. Composite parts and whole messages have no transfer encoding of their own; their octets are sent as
// BODY would send them.
func binaryItem(it fetchItem, sec *wire.FetchSection) fetchItem {
	it.prepare = func(f *fetcher, m *fetchMessage) error {
		if err := f.parts(m); err != nil {
			return err
		}
		p := m.tree.Find(sec.Part)
		if len(sec.Part) == 0 || p == nil || composite(p) {
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
		case composite(p):
			rg = region{p.BodyOff, p.End, p.WireBody}
		case sec.BinarySize:
			f.enc.Number(f.decodedSize(m, p).size)
			return nil
		default:
			return f.writeDecoded(m, p, sec.Partial)
		}
		if sec.BinarySize {
			f.enc.Number(rg.wire)
			return nil
		}
		f.binary = f.holdsNUL(m)
		defer func() { f.binary = false }()
		return f.writeRegion(m, rg, sec.Partial)
	}
	return it
}

// holdsNUL tells whether there is NUL anywhere in a message as it is stored. Where in it is not known for every section.
func (f *fetcher) holdsNUL(m *fetchMessage) bool {
	root := m.tree.Root
	if root.HasNUL {
		return true
	}
	header, _ := f.readHeader(m, root)
	return bytes.IndexByte(header, 0) >= 0
}

// composite tells whether a part has parts, and so no transfer encoding of its own.
func composite(p *message.Part) bool { return len(p.Children) > 0 || p.Message != nil }

// writeDecoded writes a decoded part, or the chunk of it that a partial asks for.
func (f *fetcher) writeDecoded(m *fetchMessage, p *message.Part, part *wire.Partial) error {
	defer func() { f.binary = false }()
	from, count := int64(0), int64(1)<<62
	if part != nil {
		from, count = part.Offset, part.Count
	}
	d, err := f.decodeFrom(m, p, from)
	if err != nil {
		f.logFile(m, err)
		return f.literal(nil)
	}
	if d == nil {
		return f.literal(nil) // nothing is there
	}
	n, err := io.ReadFull(d.rd, f.in[:min(count, int64(len(f.in)))])
	d.at += int64(n)
	if err != nil || int64(n) == count {
		if err == nil {
			f.s.fetched.decoder = *d
		}
		f.binary = bytes.IndexByte(f.in[:n], 0) >= 0
		return f.literal(f.in[:n])
	}
	whole := f.decodedSize(m, p)
	f.binary = whole.nul
	total := min(whole.size-from, count)
	f.enc.Literal(total, f.binary)
	f.enc.Write(f.in[:n])
	for left := total - int64(n); left > 0; left -= int64(n) {
		n, err = io.ReadFull(d.rd, f.in[:min(left, int64(len(f.in)))])
		if n == 0 {
			return f.lost(m, err)
		}
		d.at += int64(n)
		f.enc.Write(f.in[:n])
		if err := f.alive(); err != nil {
			return err
		}
	}
	if part != nil {
		f.s.fetched.decoder = *d
	}
	return nil
}

// decodeFrom returns a decoder of the part that stands at an offset, the one used last if that is not behind it; nil beyond the end.
func (f *fetcher) decodeFrom(m *fetchMessage, p *message.Part, from int64) (*decodeMemo, error) {
	d := f.s.fetched.decoder
	f.s.fetched.decoder = decodeMemo{}
	if key := f.partKey(m, p); d.rd == nil || d.key != key || d.at > from {
		d = decodeMemo{key: key, file: &swapReaderAt{m.file}}
		var err error
		if d.rd, err = message.Decoded(d.file, p); err != nil {
			return nil, err
		}
	}
	d.file.ReaderAt = m.file
	if !f.discard(d.rd, from-d.at) {
		return nil, nil
	}
	d.at = from
	return &d, nil
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
func (f *fetcher) decodedSize(m *fetchMessage, p *message.Part) sizeMemo {
	memo := &f.s.fetched.size
	key := f.partKey(m, p)
	if memo.key == key {
		return *memo
	}
	rd, err := message.Decoded(m.file, p)
	if err != nil {
		f.logFile(m, err)
		return sizeMemo{}
	}
	// f.out is free here: writeDecoded holds the beginning of the part in f.in.
	buf := f.out[:cap(f.out)]
	*memo = sizeMemo{key: key}
	for {
		n, err := rd.Read(buf)
		memo.size += int64(n)
		memo.nul = memo.nul || bytes.IndexByte(buf[:n], 0) >= 0
		if err != nil {
			return *memo
		}
	}
}
