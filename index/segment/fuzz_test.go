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
	f.Fuzz(func(t *testing.T, text, other []byte, at, n uint16) {
		text, other = bytes.ToValidUTF8(text, []byte("\ufffd")), bytes.ToValidUTF8(other, []byte("?"))
		runes := []rune(string(text))
		if len(runes) == 0 {
			return
		}
		from := int(at) % len(runes)
		needle := []byte(string(runes[from:min(len(runes), from+1+int(n)%300)]))
		b := NewBuilder(t.TempDir(), 1)
		for i, text := range [][]byte{text, other} {
			b.Begin(ID{byte(i), 1})
			b.Add(Body, text)
			b.Text(text)
			b.EndText()
			if err := b.End(); err != nil {
				t.Fatal(err)
			}
		}
		path, err := b.Write()
		if err != nil {
			t.Fatal(err)
		}
		s, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Release()
		h, err := (Segments{s}).Find(context.Background(), NewQuery(needle), Body)
		if err != nil {
			t.Fatal(err)
		}
		if !h.Maybe.Has(1) {
			t.Errorf("%q is in %q and not found", needle, text)
		}
		if h.Sure && h.Maybe.Has(2) && !(h.Doubt != nil && h.Doubt.Has(2)) && !bytes.Contains(other, needle) {
			t.Errorf("%q is not in %q and surely found", needle, other)
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
