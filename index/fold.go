package index

import (
	"encoding/binary"
	"slices"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Fold makes strings comparable that people take for the same: characters are decomposed (NFKD: é is e and an accent, the ligature ﬁ
// is f and i, full-width letters are plain ones) and case is dropped by Unicode's simple mappings, one character to one.
//
// Everything that i;unicode-casemap (RFC 5051: titlecase, then decompose) takes for equal is equal here. As the order of the steps is the
// other way round, this also finds what RFC 5051 misses, such as fi in ﬁ. As there, a needle that ends in a letter is found where the text
// has an accent behind it: cafe is in café, but resume is not in résumé.
func Fold(s string) string {
	var f folder
	return string(f.append(make([]byte, 0, len(s)), []byte(s)))
}

// append appends the whole of src, folded.
func (f *folder) append(dst, src []byte) []byte {
	dst, _ = f.fold(dst, src, true)
	return dst
}

// maxMarks is how many combining marks are put into canonical order together. More on one letter is no language's; they are ordered in
// groups, so that memory stays bounded.
const maxMarks = 32

// folder is the state of folding a stream: the marks behind the last letter, which are held until all of them are there to be put in order.
type folder struct {
	marks [maxMarks]char
	n     int
}

// char is a folded character and its canonical combining class, which is that of the character before folding; 0 except for combining marks.
type char struct {
	r   rune
	ccc uint8
}

// fold appends src, folded. Up to three octets of an incomplete character are left if more may follow (no atEOF); the number of octets used
// is returned.
func (f *folder) fold(dst, src []byte, atEOF bool) ([]byte, int) {
	i := 0
	for i < len(src) {
		if src[i] < utf8.RuneSelf {
			dst = f.flush(dst)
			n := len(dst)
			dst = appendLowerASCII(dst, src[i:])
			i += len(dst) - n
			continue
		}
		// All up to the next ASCII character.
		t := plane()
		for i < len(src) && src[i] >= utf8.RuneSelf {
			r, size := decodeTwo(src[i:])
			if size == 0 {
				r, size = utf8.DecodeRune(src[i:])
				if size == 1 && !atEOF && !utf8.FullRune(src[i:]) {
					return dst, i
				}
			}
			i += size
			if r >= 1<<16 || t.entry[r] >= 1<<16 {
				dst = f.rune(dst, r)
				continue
			}
			if f.n > 0 {
				dst = f.flush(dst)
			}
			dst = utf8.AppendRune(dst, rune(t.entry[r]))
		}
	}
	if atEOF {
		dst = f.flush(dst)
	}
	return dst, i
}

// decodeTwo decodes a character of two octets, which most are that are not ASCII; size 0 when b begins with none. It is inlined.
func decodeTwo(b []byte) (r rune, size int) {
	if len(b) >= 2 && 0xc2 <= b[0] && b[0] < 0xe0 && b[1]&0xc0 == 0x80 {
		return rune(b[0]&0x1f)<<6 | rune(b[1]&0x3f), 2
	}
	return 0, 0
}

// Hangul syllables decompose by rule (The Unicode Standard §3.12), not by table.
const (
	hangulBase, hangulEnd = 0xAC00, 0xD7A4
	jamoL, jamoV, jamoT   = 0x1100, 0x1161, 0x11A7
	jamoVCount            = 21
	jamoTCount            = 28
)

// rune takes a character beyond ASCII that the basic plane's table does not answer at once.
func (f *folder) rune(dst []byte, r rune) []byte {
	if hangulBase <= r && r < hangulEnd {
		dst = f.flush(dst)
		s := r - hangulBase
		dst = utf8.AppendRune(dst, jamoL+s/(jamoVCount*jamoTCount))
		dst = utf8.AppendRune(dst, jamoV+s%(jamoVCount*jamoTCount)/jamoTCount)
		if t := s % jamoTCount; t > 0 {
			dst = utf8.AppendRune(dst, jamoT+t)
		}
		return dst
	}
	if t := plane(); r < 1<<16 {
		for _, c := range t.long[t.entry[r]-1<<16] {
			dst = f.char(dst, c)
		}
		return dst
	}
	for _, c := range decompose(nil, r) {
		dst = f.char(dst, c)
	}
	return dst
}

// char takes one character of a folded decomposition.
func (f *folder) char(dst []byte, c char) []byte {
	if c.ccc == 0 {
		return utf8.AppendRune(f.flush(dst), c.r)
	}
	if f.n == maxMarks {
		dst = f.flush(dst)
	}
	f.marks[f.n] = c
	f.n++
	return dst
}

// flush appends the marks in canonical order.
func (f *folder) flush(dst []byte) []byte {
	if f.n == 0 {
		return dst
	}
	marks := f.marks[:f.n]
	if len(marks) > 1 {
		slices.SortStableFunc(marks, func(a, b char) int { return int(a.ccc) - int(b.ccc) })
	}
	for _, m := range marks {
		dst = utf8.AppendRune(dst, m.r)
	}
	f.n = 0
	return dst
}

// decompose appends the folded characters that r, no Hangul syllable, consists of.
func decompose(dst []char, r rune) []char {
	b := utf8.AppendRune(nil, r)
	d := norm.NFKD.Properties(b).Decomposition()
	if d == nil {
		d = b
	}
	for len(d) > 0 {
		r, size := utf8.DecodeRune(d)
		dst = append(dst, char{foldCase(r), norm.NFKD.Properties(d[:size]).CCC()})
		d = d[size:]
	}
	return dst
}

// planeTable has ready what decompose says of the basic plane, where nearly all mail is.
type planeTable struct {
	entry [1 << 16]uint32 // the one folded character; or 1<<16 + index in long
	long  [][]char
}

var plane = sync.OnceValue(func() *planeTable {
	t := new(planeTable)
	for r := range rune(1 << 16) {
		switch chars := decompose(nil, r); {
		case hangulBase <= r && r < hangulEnd:
			t.entry[r] = 1 << 16
		case len(chars) == 1 && chars[0].ccc == 0 && chars[0].r < 1<<16:
			t.entry[r] = uint32(chars[0].r)
		default:
			t.entry[r] = 1<<16 + uint32(len(t.long))
			t.long = append(t.long, chars)
		}
	}
	return t
})

// foldCase returns the smallest of all characters that simple folding equates with the upper case of r; in ASCII, the small letter.
// Upper case comes first for the sake of RFC 5051, which has the dotless i with the others.
func foldCase(r rune) rune {
	r = unicode.ToUpper(r)
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	if 'A' <= least && least <= 'Z' {
		least += 'a' - 'A'
	}
	return least
}

const (
	highBits = 0x8080808080808080
	lowBits  = 0x0101010101010101
)

// appendLowerASCII appends src up to its first octet beyond ASCII, in lower case, eight octets at a time.
func appendLowerASCII(dst, src []byte) []byte {
	at := len(dst)
	dst = slices.Grow(dst, len(src))[:at+len(src)]
	out := dst[at:]
	i := 0
	for ; i+8 <= len(src) && i+8 <= len(out); i += 8 {
		x := binary.LittleEndian.Uint64(src[i:])
		if x&highBits != 0 {
			break
		}
		// Adding carries into the high bit of an octet when it is at least 'A', or greater than 'Z'.
		upper := (x + lowBits*(0x80-'A')) &^ (x + lowBits*(0x80-'Z'-1)) & highBits
		binary.LittleEndian.PutUint64(out[i:], x|upper>>2)
	}
	for ; i < len(src) && src[i] < utf8.RuneSelf; i++ {
		c := src[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		out[i] = c
	}
	return dst[:at+i]
}
