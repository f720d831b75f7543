package index

import (
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"roost/maildir/message"

	"golang.org/x/text/unicode/norm"
)

func TestFold(t *testing.T) {
	for _, same := range [][]string{
		{"ABC xyz 09@[`{", "abc XYZ 09@[`{"},
		{"É", "é", "E\u0301", "e\u0301"},
		{"Straẞe", "straße"},
		{"ΣΊΣΥΦΟΣ", "σίσυφος"},
		{"ЖЁ", "жё", "же\u0308"},
		{"ﬁn", "FIN"},
		{"Ｆｕｌｌ", "full"},
		{"ｶﾞ", "ガ", "カ\u3099"},
		{"각", "\u1100\u1161\u11a8"},
		{"ǅ", "ǆ", "Ǆ"},
		{"\u212a", "k", "K"},
		{"ı", "I"}, // RFC 5051 by way of titlecase
		{"ªº", "AO"},
		{"a\u0323\u0302", "a\u0302\u0323", "ậ", "ạ\u0302"},
		{"𐐀", "𐐨"},
		{"\u00a0", " "},
		{"bad\xff\xfe", "BAD\ufffd\ufffd"},
	} {
		for _, s := range same[1:] {
			if Fold(s) != Fold(same[0]) {
				t.Errorf("Fold(%q) = %q, Fold(%q) = %q", s, Fold(s), same[0], Fold(same[0]))
			}
		}
	}
	for _, differ := range [][2]string{{"e", "é"}, {"ss", "ß"}, {"o", "ø"}, {"в", "b"}} {
		if Fold(differ[0]) == Fold(differ[1]) {
			t.Errorf("Fold takes %q and %q for equal", differ[0], differ[1])
		}
	}
}

// TestFoldAgainstNorm compares with the plain definition, character by character.
func TestFoldAgainstNorm(t *testing.T) {
	check := func(s string) {
		want := strings.Map(foldCase, norm.NFKD.String(s))
		if got := Fold(s); got != want {
			t.Fatalf("Fold(%+q) = %+q, want %+q", s, got, want)
		}
	}
	var b strings.Builder
	for r := rune(0); r < 0x20000; r++ {
		if r < 0xd800 || r > 0xdfff {
			b.WriteString("x" + string(r) + "\u0301\u0323")
		}
		if b.Len() > 500 {
			check(b.String())
			b.Reset()
		}
	}
	check(b.String())
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		check(randomText(rnd, rnd.IntN(60)))
	}
}

// randomText is made of few characters, so that needles match, of all the kinds that are hard.
func randomText(rnd *rand.Rand, n int) string {
	const hard = "aabBeE \r\néÉ\u0301\u0323\u0344ßẞﬁσςΣ가각ガｶﾞﾟ日本𐐀𐐨ǆİıſ\u0345"
	runes := []rune(hard)
	var b strings.Builder
	marks := 0
	for range n {
		r := runes[rnd.IntN(len(runes))]
		if norm.NFKD.PropertiesString(string(r)).CCC() == 0 {
			marks = 0
		} else if marks++; marks > 8 {
			continue // x/text and we part ways beyond some 30 marks
		}
		b.WriteRune(r)
	}
	return b.String()
}

// pieces reads a string in pieces of random size.
type pieces struct {
	s   string
	rnd *rand.Rand
}

func (p *pieces) Read(b []byte) (int, error) {
	if p.s == "" {
		return 0, io.EOF
	}
	n := copy(b, p.s[:min(len(p.s), 1+p.rnd.IntN(9))])
	p.s = p.s[n:]
	return n, nil
}

// match looks for needles in one text with windows of size in.
func match(text io.Reader, in int, needles ...string) []bool {
	found := make([]bool, len(needles))
	var list []Needle
	for _, n := range needles {
		list = append(list, NewNeedle(n))
	}
	s := newStream(list, found, func() bool { return false })
	s.in = make([]byte, in)
	s.look(nil)
	if len(s.open) > 0 {
		_ = s.text(nil, text)
	}
	return found
}

func TestStreamAgainstOracle(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	hits := 0
	for range 3000 {
		text := randomText(rnd, rnd.IntN(400))
		var needles []string
		for range 1 + rnd.IntN(4) {
			if rnd.IntN(2) == 0 && len(text) > 0 {
				from := rnd.IntN(len(text))
				needles = append(needles, strings.ToUpper(text[from:from+rnd.IntN(min(30, len(text)-from))]))
			} else {
				needles = append(needles, randomText(rnd, rnd.IntN(4)))
			}
		}
		found := match(&pieces{text, rnd}, 4+rnd.IntN(40), needles...)
		for i, n := range needles {
			want := strings.Contains(Fold(text), Fold(n))
			if found[i] != want || NewNeedle(n).MatchString(text) != want {
				t.Fatalf("%+q in %+q: stream %t, string %t, want %t", n, text, found[i], NewNeedle(n).MatchString(text), want)
			}
			if want {
				hits++
			}
		}
	}
	if hits < 1000 {
		t.Errorf("only %d needles were there to be found", hits)
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("Grüße aus Köln", "SSE", uint8(3))
	f.Add("e\u0301\u0323"+strings.Repeat("\u0301", 70), "\u0301\u0301", uint8(0))
	f.Add("a\xff\xe3\x81", "\ufffd", uint8(1))
	f.Fuzz(func(t *testing.T, text, needle string, in uint8) {
		want := strings.Contains(Fold(text), Fold(needle))
		if got := match(strings.NewReader(text), 4+int(in), needle)[0]; got != want {
			t.Errorf("%+q in %+q: %t, want %t", needle, text, got, want)
		}
		if got := NewNeedle(needle).MatchString(text); got != want {
			t.Errorf("MatchString(%+q) in %+q: %t, want %t", needle, text, got, want)
		}
	})
}

func TestLongNeedleAcrossPieces(t *testing.T) {
	needle := strings.Repeat("Nadel im Heu ", 20000)
	for _, text := range []string{strings.Repeat("x", 100001) + needle, needle + "x", needle} {
		if !match(strings.NewReader(text), chunk, needle)[0] {
			t.Error("not found")
		}
	}
	if match(strings.NewReader(needle[1:]), chunk, needle)[0] {
		t.Error("found though cut")
	}
}

// TestConstantMemory: neither a long text nor one that grows elevenfold in folding takes more than some pieces' room.
func TestConstantMemory(t *testing.T) {
	for _, unit := range []string{"plain text\n", "\ufdfa", "\u0301"} {
		s := newStream([]Needle{NewNeedle("needle")}, []bool{false}, func() bool { return false })
		s.look(nil)
		text := strings.Repeat(unit, 3<<20/len(unit)) + "Needle"
		if err := s.text(nil, strings.NewReader(text)); err != io.EOF || !s.found[0] {
			t.Errorf("%q: %v, found %t", unit, err, s.found[0])
		}
		if room := cap(s.folded); room > 32*chunk {
			t.Errorf("%q: %d octets held", unit, room)
		}
	}
}

func TestMatchHeader(t *testing.T) {
	for _, tt := range []struct {
		raw, needle string
		want        bool
	}{
		{"Subject: Hello World\r\n", "o w", true},
		{"Subject: Hello\r\n\tWorld\r\n", "hello world", true},
		{"Subject: Hello\n World\n", "hello world", true},
		{"Subject: =?iso-8859-1?Q?Gr=FC=DFe?=\r\n", "GRÜßE", true},
		{"Subject: =?utf-8?B?R3LDvA==?= =?utf-8?B?w59l?=\r\n", "grüße", true},
		{"Subject: x\r\n", "subject", false},
		{"X-Empty:\r\n", "", true},
		{"X-Empty:\r\n", "x", false},
	} {
		if got := NewNeedle(tt.needle).MatchHeader([]byte(tt.raw)); got != tt.want {
			t.Errorf("%q in %q: %t", tt.needle, tt.raw, got)
		}
	}
}

const mail = `From: sender@example.org
Subject: outer subject
Content-Type: multipart/mixed; boundary=b

preamble
--b
Content-Type: text/plain; charset=iso-8859-1; name=mimefield
Content-Transfer-Encoding: quoted-printable

K=F6ln and a soft=
break
--b
Content-Type: application/octet-stream

opaque
--b
Content-Type: text/html
Content-Transfer-Encoding: base64

PGI+aGlkPC9iPmRlbg==
--b
Content-Type: message/rfc822

Subject: =?utf-8?Q?inner_s=C3=BCbject?=

deepest
--b--
epilogue
`

func TestMatchMessage(t *testing.T) {
	tests := []struct {
		needle     string
		body, text bool
	}{
		{"", true, true},
		{"KÖLN", true, true},
		{"softbreak", true, true},
		{"hidden", true, true},
		{"<b>hidden", false, false},
		{"deepest", true, true},
		{"inner sübject", true, true},
		{"outer subject", false, true},
		{"sender@", false, true},
		{"from: sender", false, true},
		{"mimefield", false, true},
		{"opaque", false, false},
		{"preamble", false, false},
		{"PGI+", false, false},
	}
	r := strings.NewReader(mail)
	m, err := message.Parse(r, int64(len(mail)), message.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	var needles []Needle
	var headers []bool
	for _, tt := range tests {
		needles = append(needles, NewNeedle(tt.needle), NewNeedle(tt.needle))
		headers = append(headers, false, true)
	}
	found := make([]bool, len(needles))
	if err := MatchMessage(r, m, needles, headers, found, func() bool { return false }); err != nil {
		t.Fatal(err)
	}
	for i, tt := range tests {
		if found[2*i] != tt.body || found[2*i+1] != tt.text {
			t.Errorf("%q: BODY %t, TEXT %t, want %t, %t", tt.needle, found[2*i], found[2*i+1], tt.body, tt.text)
		}
	}
}

// TestMatchMessageStops: reading ends when all is found or stop says so.
func TestMatchMessageStops(t *testing.T) {
	text := "\nneedle" + strings.Repeat("hay ", 1<<20)
	r := &counter{ReaderAt: strings.NewReader(text)}
	m, err := message.Parse(r, int64(len(text)), message.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		needle      string
		stop, found bool
	}{{"needle", false, true}, {"absent", true, false}} {
		r.n = 0
		found := []bool{false}
		err := MatchMessage(r, m, []Needle{NewNeedle(tt.needle)}, []bool{false}, found, func() bool { return tt.stop })
		if err != nil || found[0] != tt.found {
			t.Errorf("%q: %t, %v", tt.needle, found[0], err)
		}
		if r.n > 4*chunk {
			t.Errorf("%q: %d octets read", tt.needle, r.n)
		}
	}
}

type counter struct {
	io.ReaderAt
	n int
}

func (c *counter) ReadAt(b []byte, off int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(b, off)
	c.n += n
	return n, err
}

var errDisk = errors.New("disk")

type brokenDisk struct{ io.ReaderAt }

func (brokenDisk) ReadAt([]byte, int64) (int, error) { return 0, errDisk }

func TestMatchMessageReadError(t *testing.T) {
	m, err := message.Parse(strings.NewReader(mail), int64(len(mail)), message.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	for _, headers := range []bool{false, true} {
		found := []bool{false}
		err := MatchMessage(brokenDisk{}, m, []Needle{NewNeedle("x")}, []bool{headers}, found, func() bool { return false })
		if !errors.Is(err, errDisk) || found[0] {
			t.Errorf("headers %t: %v, found %t", headers, err, found[0])
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	for name, line := range map[string]string{
		"ascii":    "The quick brown fox jumps over the lazy dog, again and again and again.\r\n",
		"latin":    "Größere Mengen französischer Käse müssen täglich über die Straße.\r\n",
		"cyrillic": "Съешь же ещё этих мягких французских булок, да выпей чаю.\r\n",
	} {
		b.Run(name, func(b *testing.B) {
			text := "\n" + strings.Repeat(line, 5<<20/len(line))
			r := strings.NewReader(text)
			m, err := message.Parse(r, int64(len(text)), message.DefaultLimits)
			if err != nil {
				b.Fatal(err)
			}
			needles, headers := []Needle{NewNeedle("Nowhere")}, []bool{false}
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				found := []bool{false}
				if err := MatchMessage(r, m, needles, headers, found, func() bool { return false }); err != nil || found[0] {
					b.Fatal(err, found)
				}
			}
		})
	}
}
