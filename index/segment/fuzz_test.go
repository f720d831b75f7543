package segment

import (
	"bytes"
	"context"
	"testing"
)

// FuzzFind: every piece of a text is found, whatever text, piece and neighbours are, and what is sure is true.
func FuzzFind(f *testing.F) {
	for _, s := range []string{"the invoice no. 12/2024 of o'neill@mail.example.org", "日本語のテキスト 東京", "a.b..c .d", "\x00\xff-_@", "กขคabcก"} {
		f.Add([]byte(s), []byte("other text"), uint16(2), uint16(7))
	}
	f.Add([]byte("at mail.example.org, .exam x"), []byte("exam . of exam."), uint16(7), uint16(4))
	f.Add([]byte("x .exam"), []byte("ends in exam."), uint16(2), uint16(4))
	f.Add([]byte("the end. of exam.x"), []byte("of exam .x"), uint16(12), uint16(4))
	f.Add([]byte("the words of theirs, other things"), []byte("that bothered the world of them"), uint16(4), uint16(11))
	f.Fuzz(func(t *testing.T, text, other []byte, at, n uint16) {
		text, other = bytes.ToValidUTF8(text, []byte("\ufffd")), bytes.ToValidUTF8(other, []byte("?"))
		runes := []rune(string(text))
		if len(runes) == 0 {
			return
		}
		from := int(at) % len(runes)
		needle := []byte(string(runes[from:min(len(runes), from+1+int(n)%300)]))
		// Many documents, so that all places where words meet are frequent, and a segment of two that follows these.
		b := NewBuilder(t.TempDir(), 1)
		var ss Segments
		for _, n := range []int{learnDocs, 2} {
			for i := range n {
				b.Begin(ID{byte(i), 1})
				text := [][]byte{text, other}[i%2]
				b.Add(Body, text)
				b.Text(text)
				b.EndText()
				if err := b.End(); err != nil {
					t.Fatal(err)
				}
			}
			path, err := b.Write(ss.Largest())
			if err != nil {
				t.Fatal(err)
			}
			s, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Release()
			ss = append(ss, s)
		}
		h, err := ss.Find(context.Background(), NewQuery(needle), Body)
		if err != nil {
			t.Fatal(err)
		}
		for _, doc := range []uint32{1, learnDocs + 1} {
			if !h.Maybe.Has(doc) {
				t.Errorf("%q is in %q and not found in document %d", needle, text, doc)
			}
			if h.Sure && h.Maybe.Has(doc+1) && !(h.Doubt != nil && h.Doubt.Has(doc+1)) && !bytes.Contains(other, needle) {
				t.Errorf("%q is not in %q and surely found in document %d", needle, other, doc+1)
			}
		}
	})
}

// FuzzOpen: no file makes Open or a search panic. The checksum is made right, as it is no protection against who writes on purpose.
func FuzzOpen(f *testing.F) {
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, data []byte) {
		c := contents{}
		if len(data) >= contentsSize {
			_ = c.parse(data[len(data)-contentsSize:], uint64(len(data)))
		}
		p := postings{data, 100}
		for len(p.b) > 0 {
			before := len(p.b)
			if before%2 == 0 {
				p.skip()
			} else {
				p.each(func(uint32) {})
			}
			if len(p.b) >= before {
				break
			}
		}
	})
}
