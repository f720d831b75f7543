package imap

import (
	"slices"
	"strconv"
	"strings"

	"roost/imap/wire"
	"roost/maildir/message"
)

// Sections of a message (RFC 9051 §6.4.5.1): BODY[…] and the RFC822 items that are other names of it. A section is a stretch of the
// message file, found through the part tree, or a selection of header fields; section_stream.go sends it. A section that does not exist is
// NIL, where Dovecot sends an empty one; broken MIME is never an error.

// sectionItem compiles a section.
func sectionItem(sec *wire.FetchSection) fetchItem {
	it := fetchItem{name: sectionName(sec)}
	if sec.Partial != nil {
		it.key = it.name + strconv.FormatInt(sec.Partial.Count, 10) // the response names the origin only
	}
	it.setSeen = !sec.Peek && !sec.BinarySize && sec.Obsolete != "RFC822.HEADER"
	switch {
	case sec.Binary || sec.BinarySize:
		return binaryItem(it, sec)
	case sec.Spec == wire.SpecHeaderFields || sec.Spec == wire.SpecHeaderFieldsNot:
		return fieldsItem(it, sec)
	}
	whole := len(sec.Part) == 0 && sec.Spec == wire.SpecAll
	it.prepare = func(f *fetcher, m *fetchMessage) error {
		if err := f.open(m); err != nil {
			return err
		}
		if whole && m.size <= smallRegion {
			return nil // needs no structure
		}
		return f.parts(m)
	}
	it.write = func(f *fetcher, m *fetchMessage) error {
		if whole && m.size <= smallRegion {
			return f.writeRegion(m, region{0, m.size, 0}, sec.Partial)
		}
		rg, ok := findRegion(m.tree, sec)
		if !ok {
			f.enc.Raw("NIL")
			return nil
		}
		return f.writeRegion(m, rg, sec.Partial)
	}
	return it
}

// findRegion returns what a section without field names is in the file.
func findRegion(tree *message.Message, sec *wire.FetchSection) (region, bool) {
	if len(sec.Part) == 0 && sec.Spec == wire.SpecAll {
		return region{0, tree.Size, tree.Wire}, true
	}
	p := findPart(tree, sec)
	if p == nil {
		return region{}, false
	}
	switch {
	case sec.Spec == wire.SpecHeader, sec.Spec == wire.SpecMIME:
		return region{p.HeaderOff, p.BodyOff, p.WireHeader}, true
	default: // TEXT, or a part without specifier
		return region{p.BodyOff, p.End, p.WireBody}, true
	}
}

// findPart returns the part whose header or body a section means: the numbered one itself, or, for HEADER and TEXT, the message in it.
func findPart(tree *message.Message, sec *wire.FetchSection) *message.Part {
	if len(sec.Part) == 0 {
		return tree.Root
	}
	p := tree.Find(sec.Part)
	if p == nil || sec.Spec == wire.SpecAll || sec.Spec == wire.SpecMIME {
		return p
	}
	return p.Message // nil unless message/rfc822
}

var specNames = [...]string{
	wire.SpecAll: "", wire.SpecHeader: "HEADER", wire.SpecHeaderFields: "HEADER.FIELDS",
	wire.SpecHeaderFieldsNot: "HEADER.FIELDS.NOT", wire.SpecText: "TEXT", wire.SpecMIME: "MIME",
}

// sectionName is the item's name in the response: without PEEK, field names as sent, and of a partial only the origin.
func sectionName(sec *wire.FetchSection) string {
	if sec.Obsolete != "" {
		return strings.ReplaceAll(sec.Obsolete, ".PEEK", "")
	}
	var b []byte
	switch {
	case sec.BinarySize:
		b = append(b, "BINARY.SIZE["...)
	case sec.Binary:
		b = append(b, "BINARY["...)
	default:
		b = append(b, "BODY["...)
	}
	for i, n := range sec.Part {
		if i > 0 {
			b = append(b, '.')
		}
		b = wire.AppendNumber(b, int64(n))
	}
	if sec.Spec != wire.SpecAll {
		if len(sec.Part) > 0 {
			b = append(b, '.')
		}
		b = append(b, specNames[sec.Spec]...)
	}
	if sec.Spec == wire.SpecHeaderFields || sec.Spec == wire.SpecHeaderFieldsNot {
		open := " ("
		for _, field := range sec.Fields {
			b = append(b, open...)
			b = wire.AppendAString(b, field, false)
			open = " "
		}
		b = append(b, ')')
	}
	b = append(b, ']')
	if sec.Partial != nil {
		b = append(b, '<')
		b = wire.AppendNumber(b, sec.Partial.Offset)
		b = append(b, '>')
	}
	return string(b)
}

// fieldsItem compiles HEADER.FIELDS and HEADER.FIELDS.NOT. What clients ask of every message of a mailbox is in the cached header fields;
// the file is read for the rest.
func fieldsItem(it fetchItem, sec *wire.FetchSection) fetchItem {
	want := make(map[string]bool, len(sec.Fields))
	cachedOnly := sec.Spec == wire.SpecHeaderFields && len(sec.Part) == 0
	for _, field := range sec.Fields {
		field = strings.ToLower(field)
		want[field] = true
		_, found := slices.BinarySearch(message.CachedFields, field)
		cachedOnly = cachedOnly && found
	}
	not := sec.Spec == wire.SpecHeaderFieldsNot
	it.meta = cachedOnly
	cached := func(m *fetchMessage) bool { // of an enormous header not all is
		return cachedOnly && !slices.ContainsFunc(sec.Fields, func(field string) bool { return !m.meta.Cached(field) })
	}
	it.prepare = func(f *fetcher, m *fetchMessage) error {
		if cached(m) {
			return nil
		}
		return f.parts(m)
	}
	it.write = func(f *fetcher, m *fetchMessage) error {
		f.grow()
		var out []byte
		if cached(m) {
			out = selectFields(f.out[:0], m.meta.Header, want, not, !m.meta.OnlyHeader)
		} else {
			p := findPart(m.tree, sec)
			if p == nil {
				f.enc.Raw("NIL")
				return nil
			}
			header, emptyLine := f.readHeader(m, p)
			out = selectFields(f.out[:0], header, want, not, emptyLine)
		}
		f.out = out
		from, to := window(sec.Partial, int64(len(out)))
		return f.literal(out[from:to])
	}
	return it
}

// selectFields appends the fields named in want, or those not named there, as sent, and the empty line, which RFC 9051 §6.4.5.1 includes
// in every subset of a header that has one.
func selectFields(out, header []byte, want map[string]bool, not, emptyLine bool) []byte {
	var lower [64]byte
	message.Fields(header, func(name, raw []byte) bool {
		if want[string(appendLower(lower[:0], name))] != not {
			out = appendCRLF(out, raw, 0)
			if len(raw) == 0 || raw[len(raw)-1] != '\n' {
				out = append(out, '\r', '\n') // the file ends in the header
			}
		}
		return true
	})
	if emptyLine {
		out = append(out, '\r', '\n')
	}
	return out
}

// appendLower appends ASCII letters in lower case, other octets as they are.
func appendLower(dst, s []byte) []byte {
	for _, c := range s {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

// readHeader reads the header of a part, and tells whether an empty line ends it. The parser bounds what it keeps of a header, and so does this.
func (f *fetcher) readHeader(m *fetchMessage, p *message.Part) (header []byte, emptyLine bool) {
	n := min(p.BodyOff-p.HeaderOff, int64(message.DefaultLimits.HeaderBytes))
	var buf []byte
	if n <= int64(len(f.in)) {
		buf = f.in[:n]
	} else {
		buf = make([]byte, n)
	}
	got, err := m.file.ReadAt(buf, p.HeaderOff)
	if got < len(buf) {
		f.logFile(m, err)
	}
	return buf[:got], n < p.BodyOff-p.HeaderOff || message.EndsInEmptyLine(buf[:got])
}
