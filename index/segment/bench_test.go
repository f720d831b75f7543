package segment

import (
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"
)

var messages = flag.Int("bench.messages", 5000, "how many documents benchmarks search")

// mail writes folded texts of 7 KB with the distribution of words that mail has: few are in most, most are in one.
type mail struct {
	rnd   *rand.Rand
	zipf  *rand.Zipf
	words []string
	buf   []byte
}

func newMail() *mail {
	m := &mail{rnd: rand.New(rand.NewPCG(3, 4))}
	const letters = "etaoinshrdlcumwfgypbvkjxqz"
	for i := range 400_000 {
		n := 2 + int(math.Log2(float64(i+2)))/3 + m.rnd.IntN(5)
		w := make([]byte, n)
		for j := range w {
			w[j] = letters[int(float64(len(letters))*m.rnd.Float64()*m.rnd.Float64())]
		}
		m.words = append(m.words, string(w))
	}
	m.zipf = rand.NewZipf(m.rnd, 1.07, 4, uint64(len(m.words)-1))
	return m
}

func (m *mail) random(n int, alphabet string) {
	for range n {
		m.buf = append(m.buf, alphabet[m.rnd.IntN(len(alphabet))])
	}
}

func (m *mail) body() []byte {
	m.buf = m.buf[:0]
	for n := int(6000 * math.Exp(m.rnd.NormFloat64()*0.8)); len(m.buf) < n; {
		switch m.rnd.IntN(60) {
		case 0:
			m.buf = append(m.buf, "https://www.example.com/"...)
			m.random(12, "abcdefghijklmnopqrstuvwxyz0123456789")
			m.buf = append(m.buf, "?id="...)
			m.random(20, "abcdefghijklmnopqrstuvwxyz0123456789-_")
		case 1:
			m.buf = fmt.Appendf(m.buf, "%d.%02d", m.rnd.IntN(10000), m.rnd.IntN(100))
		default:
			m.buf = append(m.buf, m.words[m.zipf.Uint64()]...)
		}
		m.buf = append(m.buf, []string{" ", " ", " ", " ", ", ", ". ", "\r\n"}[m.rnd.IntN(7)]...)
	}
	return m.buf
}

func (m *mail) header() []byte {
	m.buf = m.buf[:0]
	const hex = "0123456789abcdef"
	for range 3 {
		m.buf = fmt.Appendf(m.buf, "received: from mx%d.example.org (mx%[1]d.example.org [192.0.2.%d]) by in.example.org (postfix) with esmtps id ",
			m.rnd.IntN(20), m.rnd.IntN(256))
		m.random(11, hex)
		m.buf = fmt.Appendf(m.buf, " for <user%d@example.org>; mon, %d jan 2024 %02d:%02d:%02d +0000 (utc)\r\n", m.rnd.IntN(500), m.rnd.IntN(28), m.rnd.IntN(24), m.rnd.IntN(60), m.rnd.IntN(60))
	}
	m.buf = append(m.buf, "dkim-signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; h=from:to:subject; bh="...)
	m.random(44, "abcdefghijklmnopqrstuvwxyz0123456789+/")
	m.buf = append(m.buf, "; b="...)
	for range 5 {
		m.random(68, "abcdefghijklmnopqrstuvwxyz0123456789+/")
		m.buf = append(m.buf, ' ')
	}
	m.buf = append(m.buf, "\r\nmessage-id: <"...)
	m.random(24, "abcdefghijklmnopqrstuvwxyz0123456789")
	m.buf = append(m.buf, "@mail.example.org>\r\nsubject: "...)
	for range 6 {
		m.buf = append(m.buf, m.words[m.zipf.Uint64()]...)
		m.buf = append(m.buf, ' ')
	}
	return m.buf
}

// BenchmarkAll builds an index, merging as it grows, and says how fast, how large, and how long searches take.
func BenchmarkAll(b *testing.B) {
	dir := b.TempDir()
	m := newMail()
	var texts, gen int64
	var ss Segments
	var spent time.Duration
	build := NewBuilder(dir, 1)
	write := func() {
		path, err := build.Write(nil)
		if err != nil {
			b.Fatal(err)
		}
		s, err := Open(path)
		if err != nil {
			b.Fatal(err)
		}
		ss = append(ss, s)
		for {
			lo := Due(ss)
			if lo == len(ss) {
				break
			}
			path, err := Merge(dir, ss[lo:], func(uint32) bool { return true }, func() error { return nil })
			if err != nil {
				b.Fatal(err)
			}
			s, err := Open(path)
			if err != nil {
				b.Fatal(err)
			}
			for _, old := range ss[lo:] {
				old.Remove()
				old.Release()
			}
			ss = append(ss[:lo], s)
		}
	}
	_ = gen
	for i := range *messages {
		header := slices.Clone(m.header())
		body := m.body()
		texts += int64(len(header) + len(body))
		start := time.Now()
		build.Begin(ID{byte(i), byte(i >> 8), byte(i >> 16), 1})
		build.Add(Header, header)
		build.Add(Body, body)
		build.Text(body)
		build.EndText()
		if err := build.End(); err != nil {
			b.Fatal(err)
		}
		if build.Size() > 64<<20 {
			write()
		}
		spent += time.Since(start)
	}
	start := time.Now()
	write()
	spent += time.Since(start)
	var size int64
	for _, s := range ss {
		size += s.Size()
		b.Logf("%s: %d docs, %d octets", s.Path(), s.Docs(), s.Size())
		for f := range Fields {
			c := s.c.fields[f]
			b.Logf("  field %d: terms %d, postings %d, jumps %d", f, c.terms.size, c.posts.size, c.jumps.size)
		}
		b.Logf("  texts %d", s.c.fields[0].terms.off)
	}
	var ms runtime.MemStats
	runtime.ReadMemStats(&ms)
	fmt.Fprintf(os.Stderr, "%d documents, %d MB of text, index %.2f of it, built at %.0f/s, heap %d MB\n", *messages, texts>>20, float64(size)/float64(texts),
		float64(*messages)/spent.Seconds(), ms.Sys>>20)
	for _, q := range []string{"invoice", "the", "ing", "e", "qz", "xyzzyx", "@example.org", "192.0.2.7", "example.com/ab", m.words[1000], m.words[3] + " " + m.words[5], m.words[2000] + " " + m.words[900]} {
		for name, fields := range map[string][]Field{"body": {Body}, "text": {Header, Body}} {
			b.Run(name+"="+q, func(b *testing.B) {
				n := 0
				for range b.N {
					h, err := ss.Find(context.Background(), NewQuery([]byte(q)), fields...)
					if err != nil {
						b.Fatal(err)
					}
					n = h.Maybe.Len()
				}
				b.ReportMetric(float64(n), "found")
			})
		}
	}
}
