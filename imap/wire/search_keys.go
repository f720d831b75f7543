package wire

import (
	"math"
	"time"
)

// How search keys take what stands behind their names.

// flagKey is a key that is one word.
func flagKey(flag string, want bool) func(*searchParser) SearchKey {
	return func(*searchParser) SearchKey { return &KeyFlag{flag, want} }
}

// keywordKey is "KEYWORD" SP flag-keyword; what is no atom is refused.
func keywordKey(want bool) func(*searchParser) SearchKey {
	return func(p *searchParser) SearchKey {
		k := KeyFlag{Want: want}
		if !p.d.ExpectSP() || !p.d.ExpectAtom(&k.Flag) {
			return nil
		}
		return &k
	}
}

// fieldKey is a key that names a header field: "FROM" SP astring.
func fieldKey(field string) func(*searchParser) SearchKey {
	return func(p *searchParser) SearchKey {
		k := KeyHeader{Field: field}
		if !p.text(&k.Value) {
			return nil
		}
		return &k
	}
}

// textKey is "BODY" SP astring or "TEXT" SP astring.
func textKey(headers bool) func(*searchParser) SearchKey {
	return func(p *searchParser) SearchKey {
		k := KeyText{Headers: headers}
		if !p.text(&k.Value) {
			return nil
		}
		return &k
	}
}

// dateKey is "BEFORE" SP date and its like.
func dateKey(of DateOf, cmp Cmp) func(*searchParser) SearchKey {
	return func(p *searchParser) SearchKey {
		k := KeyDate{Of: of, Cmp: cmp, Day: time.Time{}}
		if !p.d.ExpectSP() || !p.d.ExpectDate(&k.Day) {
			return nil
		}
		return &k
	}
}

// ageKey is "OLDER" SP nz-number or "YOUNGER" SP nz-number.
func ageKey(younger bool) func(*searchParser) SearchKey {
	return func(p *searchParser) SearchKey {
		var n uint32
		if !p.d.ExpectSP() || !p.d.ExpectNzNumber(&n) {
			return nil
		}
		return &KeyAge{Younger: younger, Seconds: int64(n)}
	}
}

// sizeKey is "LARGER" SP number64 or "SMALLER" SP number64.
func sizeKey(larger bool) func(*searchParser) SearchKey {
	return func(p *searchParser) SearchKey {
		k := KeySize{Larger: larger}
		if !p.d.ExpectSP() || !p.d.ExpectNumber64(&k.N) {
			return nil
		}
		return &k
	}
}

// objectIDKey is "EMAILID" SP objectid, 1*255(ALPHA / DIGIT / "_" / "-").
func objectIDKey(thread bool) func(*searchParser) SearchKey {
	return func(p *searchParser) SearchKey {
		if !p.d.ExpectSP() {
			return nil
		}
		id := p.d.run(func(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_' || c == '-' })
		if !p.d.expect(len(id) > 0 && len(id) <= 255, "an object identifier") {
			return nil
		}
		return &KeyObjectID{Thread: thread, ID: string(id)}
	}
}

// modSeq is "MODSEQ" [SP entry-name SP ("all" / "priv" / "shared")] SP mod-sequence-valzer; the entry name is a quoted string
// (RFC 7162 §7).
func (p *searchParser) modSeq() SearchKey {
	d := p.d
	if !d.ExpectSP() {
		return nil
	}
	if d.peek() == '"' {
		var entry, kind string
		if !d.ExpectString(&entry) || !d.ExpectSP() || !d.ExpectKeyword(&kind) || !d.ExpectSP() {
			return nil
		}
		if kind != "ALL" && kind != "PRIV" && kind != "SHARED" {
			d.Fail("expected all, priv or shared")
			return nil
		}
	}
	var k KeyModSeq
	if !d.ExpectModSeq(&k.N) {
		return nil
	}
	return &k
}

// maxUID is the highest UID that a message can have.
const maxUID = math.MaxUint32

// uidKey is a key SP uniqueid, which names a range.
func uidKey(of func(n uint32) (first, last uint32)) func(*searchParser) SearchKey {
	return func(p *searchParser) SearchKey {
		var n uint32
		if !p.d.ExpectSP() || !p.d.ExpectNzNumber(&n) {
			return nil
		}
		first, last := of(n)
		if first == 0 || first > last {
			return &KeyNot{Key: &KeyAnd{}}
		}
		return &KeySet{UID: true, Set: Set{Ranges: []Range{{First: first, Last: last}}}}
	}
}

// uids is "UID" SP sequence-set.
func (p *searchParser) uids() SearchKey {
	if !p.d.ExpectSP() {
		return nil
	}
	return p.set(true)
}

// set takes a sequence-set.
func (p *searchParser) set(uid bool) SearchKey {
	k := KeySet{UID: uid}
	if !p.d.ExpectSet(&k.Set) {
		return nil
	}
	return &k
}

// text takes a space and an astring in the search's charset.
func (p *searchParser) text(s *string) bool {
	var raw string
	if !p.d.ExpectSP() || !p.d.rawAString(&raw, isAString8Char) {
		return false
	}
	text, ok := p.convert(raw)
	if !ok {
		return p.d.Fail("search string is not in its charset")
	}
	*s = text
	return true
}
