package segment

import (
	"bytes"
	"context"
	"fmt"
	"testing"
)

// TestCertain looks for what is in no single word, in many documents: those that the dictionary decides need not be read, and the others are told apart.
func TestCertain(t *testing.T) {
	const docs = 2000
	bodies := []string{
		"see https://www.example.org/a and had it", "a / b // c web site, and she had", "file:///w stand hall and had", "and\r\nhad (www)//", "band had them",
	}
	froms := []string{"walter. <a@example.org>", "peter <peter.x@example.org>", "walter <w@example.org>, j. doe", "peter w.x", "\"ter.\" <b@example.org>"}
	b := NewBuilder(t.TempDir(), 1)
	for i := range docs {
		b.Begin(ID{byte(i), byte(i >> 8), 1})
		body := fmt.Appendf(nil, "%s %d", bodies[i%len(bodies)], i)
		b.Add(Body, body)
		b.Text(body)
		b.EndText()
		b.Add(From, []byte(froms[i%len(froms)]))
		b.Add(Header, fmt.Appendf(nil, "subject: or. not\r\nfrom: %s\r\n", froms[i%len(froms)]))
		if err := b.End(); err != nil {
			t.Fatal(err)
		}
	}
	path, err := b.Write(nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Release()
	for _, test := range []struct {
		field  Field
		needle string
		open   int // documents that are to be read, at most
	}{
		{Body, "//w", 1200}, // what has both, but not next to each other, or more between words than is kept
		{Body, "://", 0}, {Body, "s:/", 0}, {Body, "and had", 0},
		{From, "ter.", 800}, // neither those that have it in a word, nor those with the word alone
	} {
		h, err := Segments{s}.Find(context.Background(), NewQuery([]byte(test.needle)), test.field)
		if err != nil {
			t.Fatal(err)
		}
		texts := map[Field][]string{Body: bodies, From: froms}[test.field]
		open := 0
		for i := range docs {
			doc := uint32(1 + i)
			want := bytes.Contains([]byte(texts[i%len(texts)]), []byte(test.needle))
			may, doubt := h.Maybe.Has(doc), !h.Sure || h.Doubt != nil && h.Doubt.Has(doc)
			if want && !may {
				t.Errorf("%q is in %q and not found", test.needle, texts[i%len(texts)])
			}
			if may && !doubt && !want {
				t.Errorf("%q is not in %q and surely found", test.needle, texts[i%len(texts)])
			}
			if may && doubt {
				open++
			}
		}
		if open > test.open {
			t.Errorf("%q leaves %d documents open, want %d", test.needle, open, test.open)
		}
	}
}
