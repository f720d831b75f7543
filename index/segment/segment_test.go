package segment

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// corpus are folded texts as mail has them, small enough for chance to find the same strings in several.
type corpus struct {
	rnd   *rand.Rand
	words []string
}

func newCorpus(seed uint64) *corpus {
	c := &corpus{rnd: rand.New(rand.NewPCG(seed, 1))}
	alphabets := []string{"abcde", "abcdefghijklmnopqrstuvwxyz0123456789", "äöüßéñ\u0301", "日本語東京か\u3099きく", "กขคงจฉ\u0e31", "aé日ก", "ab-_@+"}
	for range 300 {
		a := []rune(alphabets[c.rnd.IntN(len(alphabets))])
		var b strings.Builder
		for range 1 + c.rnd.IntN(8) {
			b.WriteRune(a[c.rnd.IntN(len(a))])
		}
		c.words = append(c.words, b.String())
	}
	return c
}

func (c *corpus) text() []byte {
	seps := []string{" ", " ", " ", "\r\n", ". ", ".", ", ", "'", "/", "://", "😀", "", "", "...", " .", "!?", "=", "\x00", "\u00a0", "\u200b", "“"}
	var b strings.Builder
	for range c.rnd.IntN(40) {
		f := c.rnd.Float64()
		w := c.words[int(f*f*f*f*float64(len(c.words)))]
		if c.rnd.IntN(30) == 0 {
			w = strings.Repeat(w, 1+c.rnd.IntN(60))
		}
		b.WriteString(w)
		b.WriteString(seps[c.rnd.IntN(len(seps))])
	}
	return []byte(b.String())
}

// needle is a piece of a text, or something like it.
func (c *corpus) needle(texts [][]byte) []byte {
	t := []rune(string(texts[c.rnd.IntN(len(texts))]))
	if len(t) == 0 || c.rnd.IntN(8) == 0 {
		t = []rune(c.words[c.rnd.IntN(len(c.words))])
	}
	n := 1 + c.rnd.IntN(min(len(t), []int{1, 2, 3, 8, 20, 200}[c.rnd.IntN(6)]))
	at := c.rnd.IntN(len(t) - n + 1)
	return []byte(string(t[at : at+n]))
}

// nodes counts the terms below nodes, those that only mark one among them.
func (ss Segments) nodes() (n int) {
	for _, s := range ss {
		for _, f := range []Field{bodyPairs, headerPairs} {
			n += bytes.Count(s.section(s.c.fields[f].terms), []byte{pathOctet})
		}
	}
	return n
}

// TestFind builds, merges and searches, and compares with the texts themselves: what contains the needle is found, and what is sure is true.
func TestFind(t *testing.T) {
	for seed := range uint64(5) {
		c := newCorpus(seed)
		dir := t.TempDir()
		var headers, froms, texts [][]byte // of each document
		var ss Segments
		b := NewBuilder(dir, 100)
		write := func() {
			path, err := b.Write(ss.Largest())
			if err != nil {
				t.Fatal(err)
			}
			s, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			ss = append(ss, s)
		}
		for i := range 400 { // in odd seeds the first batch is large enough to tell what is frequent
			from, text := c.text(), c.text()
			h := fmt.Appendf(nil, "from: %s\r\n", from)
			b.Begin(ID{byte(i), byte(i >> 8), 1})
			b.Add(Header, h)
			b.Add(From, from)
			b.Add(Body, text)
			b.Text(text)
			b.EndText()
			if err := b.End(); err != nil {
				t.Fatal(err)
			}
			headers, froms, texts = append(headers, h), append(froms, from), append(texts, text)
			if first := seed%2 == 1 && i < learnDocs+20; !first && (c.rnd.IntN(40) == 0 || b.Docs() == learnDocs-1) {
				write()
			}
		}
		if b.Docs() > 0 {
			write()
		}
		gone := func(uint32) bool { return false }
		check := func() {
			t.Helper()
			sure := 0
			for range 200 {
				needle := c.needle(append(texts, headers...))
				for _, fields := range [][]Field{{Body}, {Body, Header}, {Header}, {From}} {
					h, err := ss.Find(context.Background(), NewQuery(needle), fields...)
					if err != nil {
						t.Fatal(err)
					}
					if h.Sure {
						sure++
					}
					var r TextReader
					for i := range texts {
						doc := uint32(100 + i)
						want := false
						for _, f := range fields {
							want = want || bytes.Contains([][]byte{Body: texts[i], Header: headers[i], From: froms[i]}[f], needle)
						}
						if gone(doc) {
							continue
						}
						if may := h.Maybe.Has(doc); want && !may {
							t.Fatalf("seed %d: %q is in %q and not found", seed, needle, texts[i])
						} else if h.Sure && may && !want && !(h.Doubt != nil && h.Doubt.Has(doc)) {
							t.Fatalf("seed %d: %q is not in %q / %q and surely found, fields %v", seed, needle, texts[i], headers[i], fields)
						}
						if len(fields) == 1 && fields[0] == Body {
							found, known, err := r.Contains(ss, doc, needle)
							if err != nil || !known || found != want {
								t.Fatalf("seed %d: text of %d: %v %v %v", seed, doc, found, known, err)
							}
						}
					}
				}
			}
			if sure == 0 {
				t.Error("nothing was sure")
			}
		}
		check()
		if nodes := ss.nodes(); (nodes > 0) != (seed%2 == 1) {
			t.Errorf("seed %d: %d nodes", seed, nodes)
		}
		merge := func(lo, hi int, keep func(uint32) bool) {
			path, err := Merge(dir, ss[lo:hi], keep, func() error { return nil })
			if err != nil {
				t.Fatal(err)
			}
			s, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, old := range ss[lo:hi] {
				if old.path != path {
					old.Remove()
				}
				old.Release()
			}
			ss = append(append(ss[:lo:lo], s), ss[hi:]...)
		}
		all := func(uint32) bool { return true }
		if len(ss) > 2 {
			merge(0, len(ss)/2, all)
			check()
		}
		merge(0, len(ss), all)
		check()
		if ss.nodes() == 0 {
			t.Error("nothing is frequent")
		}
		gone = func(doc uint32) bool { return doc%3 == 0 || doc < 110 }
		merge(0, len(ss), func(doc uint32) bool { return !gone(doc) })
		check()
		for _, s := range ss {
			s.Each(func(num uint32, id ID) {
				if gone(num) || id[0] != byte(num-100) {
					t.Errorf("document %d is %x", num, id)
				}
			})
			s.Release()
		}
		left, _ := filepath.Glob(filepath.Join(dir, "*"))
		if len(left) != 1 {
			t.Errorf("left: %q", left)
		}
	}
}

// TestDamage flips and cuts: a damaged file is not opened, and one that is cut while it is open gives an error.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	c := newCorpus(7)
	b := NewBuilder(dir, 1)
	for i := range 50 {
		b.Begin(ID{byte(i), 1})
		text := c.text()
		b.Add(Body, text)
		b.Text(text)
		b.EndText()
		if err := b.End(); err != nil {
			t.Fatal(err)
		}
	}
	path, err := b.Write(nil)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for range 300 {
		bad := bytes.Clone(whole)
		if n := c.rnd.IntN(len(bad)); c.rnd.IntN(3) == 0 {
			bad = bad[:n]
		} else {
			bad[n] ^= 1 << c.rnd.IntN(8)
		}
		os.Remove(path)
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := Open(path); err == nil {
			s.Release()
			t.Fatal("opened")
		}
	}
	large := bytes.Repeat([]byte("word "), 100_000)
	b = NewBuilder(dir, 1)
	b.Begin(ID{1})
	for i := range 100_000 {
		fmt.Fprintf(bytes.NewBuffer(large[:0]), "w%d ", i)
		b.Add(Body, []byte(fmt.Sprintf("w%d ", i)))
	}
	if err := b.End(); err != nil {
		t.Fatal(err)
	}
	if path, err = b.Write(nil); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Release()
	if err := os.Truncate(path, 4096); err != nil {
		t.Fatal(err)
	}
	if _, err := (Segments{s}).Find(context.Background(), NewQuery([]byte("nothing")), Body); err == nil {
		t.Error("a file that was cut short answers")
	}
}
