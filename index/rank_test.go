package index

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"roost/maildir"
)

// testMail is an open INBOX of a fresh store.
func testMail(t testing.TB) (*maildir.Store, *maildir.Mailbox) {
	t.Helper()
	dir := t.TempDir()
	store, err := maildir.OpenStore(maildir.Options{
		Root: filepath.Join(dir, "mail"), State: filepath.Join(dir, "state"), Separator: '/', Create: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	box, err := store.Open("INBOX")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(box.Release)
	return store, box
}

func deliver(t testing.TB, box *maildir.Mailbox, raw ...string) []uint32 {
	t.Helper()
	d, err := box.NewDelivery()
	if err != nil {
		t.Fatal(err)
	}
	defer d.Abort()
	for _, text := range raw {
		if err := d.Add(strings.NewReader(text), 0, nil, time.Unix(1700000000, 0)); err != nil {
			t.Fatal(err)
		}
	}
	uids, err := d.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return uids
}

var quiet = slog.New(slog.DiscardHandler)

func openRanked(t testing.TB, dir string) *Index {
	t.Helper()
	x, err := Open(dir, Options{Languages: []string{"en", "de"}}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// ranks returns the UIDs that are found, the best first.
func ranks(t testing.TB, x *Index, box *maildir.Mailbox, where Where, needle string) []uint32 {
	t.Helper()
	r := x.Reader(box)
	defer r.Close()
	if r == nil {
		return nil
	}
	found, err := r.Rank(context.Background(), where, NewNeedle(needle))
	if err != nil {
		t.Fatal(err)
	}
	var uids []uint32
	scores := map[uint32]float32{}
	for _, uid := range box.UIDs() {
		if doc, ok := r.Doc(uid); ok {
			if score, ok := found.Of(doc); ok {
				uids = append(uids, uid)
				scores[uid] = score
			}
		}
	}
	slices.SortStableFunc(uids, func(a, b uint32) int { return -cmp.Compare(scores[a], scores[b]) })
	return uids
}

// TestRank: words are found by their forms and with typing errors, the best first; while mail comes and goes.
func TestRank(t *testing.T) {
	store, box := testMail(t)
	mail := []struct{ body, subject, from string }{
		{"The invoices that you asked for are in the attachment. We were running late.", "Your invoices", "Ann Smith <ann@example.org>"},
		{"Please pay the invoice.", "Reminder", "Jos\u00e9 <jose@example.org>"},
		{"Die Häuser stehen leer, und wir haben die Rechnungen noch nicht bezahlt. Viele Grüße aus Köln", "Straßenfest", "a"},
		{"Nous avons reçu les factures de votre société, mais les chevaux sont dans le jardin.", "À propos", "b"},
		{"会議は明日の東京で行われます。よろしくお願いします。", "会議の件", "c"},
		{"안녕하세요 회의는 내일 서울에서 열립니다", "회의", "d"},
		{"To be or not to be, that is the question whether it is nobler", "Hamlet", "e"},
		{"A long letter about other things, in which somebody says hello once in passing, and nothing else that has to do with anything" + strings.Repeat(" at all", 1000), "Things", "f"},
		{"hello hello", "Hello", "g"},
		{"The Acme company helps people who need help", "Help", "h"},
		{"La ciudad no tiene canciones para los niños", "Música", "i"},
		{"สวัสดีครับ ยินดีต้อนรับ", "ไทย", "j"},
		{"an invoice among other things", "x", "k"},
	}
	for _, m := range mail {
		deliver(t, box, fmt.Sprintf("Subject: %s\r\nFrom: %s\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%s\r\n", m.subject, m.from, m.body))
	}
	x := openRanked(t, t.TempDir())
	defer func() { x.Close() }()
	f := Follower{Store: store}
	if err := x.Update(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		where  Where
		needle string
		want   []uint32 // in this order
	}{
		{InText, "invoice", []uint32{1, 2, 13}}, // in the subject; in a short text
		{InText, "INVOICES", []uint32{1, 2, 13}},
		{InText, "invioce", []uint32{1, 2, 13}},
		{InSubject, "invoice", []uint32{1}},
		{InBody, "run late", []uint32{1}},
		{InBody, "late running", []uint32{1}},
		{InBody, "invoice late", []uint32{1}},
		{InBody, "invoice nowhere", nil},
		{InText, "haus", []uint32{3}},
		{InText, "die Rechnung", []uint32{3}}, // a stop word of one language
		{InText, "grusse", []uint32{3}},
		{InText, "facture", []uint32{4}},
		{InText, "societe", []uint32{4}},
		{InText, "東京", []uint32{5}},
		{InText, "会議", []uint32{5}},
		{InText, "東京会議", nil}, // 京会 is nowhere
		{InText, "서울", []uint32{6}},
		{InText, "niño", []uint32{11}},
		{InText, "ยินดี", []uint32{12}},
		{InText, "the question", []uint32{7}},
		{InText, "hello", []uint32{9, 8}}, // the short one is about it
		{InFrom, "smith", []uint32{1}},
		{InFrom, "smiht", []uint32{1}},
		{InFrom, "Jose", []uint32{2}},
		{InCc, "jose", nil},
		{InHeader, "invoice", nil},
		{InText, "xnvoice", nil}, // the first letter is never wrong
		{InText, "!?", nil},
	} {
		if got := ranks(t, x, box, tt.where, tt.needle); !slices.Equal(got, tt.want) {
			t.Errorf("%q: %v, want %v", tt.needle, got, tt.want)
		}
	}
	// Many segments say what one does.
	for i := range 20 {
		deliver(t, box, fmt.Sprintf("Subject: companies %d\r\n\r\nnothing\r\n", i))
		if err := x.Update(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	if got := ranks(t, x, box, InText, "company"); len(got) != 21 || got[20] != 10 { // those with it in the subject come first
		t.Errorf("company: %v", got)
	}
}

// meddler is a context that has something done when it is asked.
type meddler struct {
	context.Context
	do func()
}

func (m meddler) Err() error {
	m.do()
	return m.Context.Err()
}

// TestClearWhileMerging: a session that finds the index damaged may clear it while the follower merges. Everything is indexed again afterwards.
func TestClearWhileMerging(t *testing.T) {
	store, box := testMail(t)
	x := openRanked(t, t.TempDir())
	defer x.Close()
	f := Follower{Store: store}
	f.begin(t.Context(), x)
	defer f.forget()
	m := newMail()
	cleared := false
	for i := range 8 {
		var text strings.Builder
		for range 6000 + (7-i)/7*200_000 { // the first is so large that only those behind it are merged
			text.WriteString(m.words[m.zipf.Uint64()] + " ")
		}
		deliver(t, box, fmt.Sprintf("Subject: mail %d\r\n\r\n%s\r\n", i, text.String()))
		began := len(x.segs)
		ctx := meddler{t.Context(), func() {
			if !cleared && i >= 2 && len(x.segs) > began { // what is new is published, and merging goes on
				cleared = true
				x.Drop(fmt.Errorf("a test"))
			}
		}}
		if err := f.pass(ctx); err != nil && !errors.Is(err, errCleared) {
			t.Fatal(err)
		}
	}
	if !cleared {
		t.Fatal("nothing was merged")
	}
	for deadline := time.Now().Add(time.Minute); f.named["INBOX"].stamp == (maildir.Stamp{}) && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if err := f.pass(t.Context()); err != nil { // until the mailbox need not be looked at any more
			t.Fatal(err)
		}
	}
	x.Drop(fmt.Errorf("another test"))
	if err := f.pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := ranks(t, x, box, InSubject, "mails"); len(got) != 8 {
		t.Errorf("found are %v", got)
	}
}

// BenchmarkRank builds an index of mail-like text, says how fast and how large it is, and how long searches for words take.
func BenchmarkRank(b *testing.B) {
	const messages = 20_000
	store, box := testMail(b)
	m := newMail()
	var octets int64
	for range messages / 100 {
		var batch []string
		for range 100 {
			raw := m.message()
			octets += int64(len(raw))
			batch = append(batch, raw)
		}
		deliver(b, box, batch...)
	}
	x := openRanked(b, b.TempDir())
	defer x.Close()
	start := time.Now()
	if err := x.Update(b.Context(), Follower{Store: store}); err != nil {
		b.Fatal(err)
	}
	took := time.Since(start)
	size := int64(0)
	for _, s := range x.segments() {
		size += s.Size()
		s.Release()
	}
	b.Logf("%d messages, %d MB: %.2f of it at %.0f/s", messages, octets>>20, float64(size)/float64(octets), messages/took.Seconds())
	r := x.Reader(box)
	defer r.Close()
	for _, needle := range []string{m.words[3], m.words[50], m.words[1000], m.words[20000], m.words[200] + " " + m.words[300], m.words[5] + "x " + m.words[5000], "notthereatall"} {
		b.Run(strings.ReplaceAll(needle, " ", "+"), func(b *testing.B) {
			found := 0
			for b.Loop() {
				ranks, err := r.Rank(b.Context(), InText, NewNeedle(needle))
				if err != nil {
					b.Fatal(err)
				}
				found = 0
				for _, score := range ranks.scores {
					if score > 0 {
						found++
					}
				}
			}
			b.ReportMetric(float64(found), "found")
		})
	}
}

// mailMaker makes messages with the vocabulary of real mail: few words often, many once.
type mailMaker struct {
	rnd   *rand.Rand
	words []string
	zipf  *rand.Zipf
}

var joining = strings.Fields("the of and to in a is that for it with as was be by on not he i this are or his from at which but have an had they you were " +
	"their one all we can her has there been if more when will would who so no")

func newMail() *mailMaker {
	m := &mailMaker{rnd: rand.New(rand.NewPCG(1, 2))}
	const letters = "etaoinshrdlcumwfgypbvkjxqz"
	for i := range 400_000 {
		w := make([]byte, 2+int(math.Log2(float64(i+2)))/3+m.rnd.IntN(5))
		for j := range w {
			w[j] = letters[int(float64(len(letters))*m.rnd.Float64()*m.rnd.Float64())]
		}
		m.words = append(m.words, string(w))
	}
	m.zipf = rand.NewZipf(m.rnd, 1.07, 4, uint64(len(m.words)-1))
	return m
}

func (m *mailMaker) random(b *strings.Builder, n int, alphabet string) {
	for range n {
		b.WriteByte(alphabet[m.rnd.IntN(len(alphabet))])
	}
}

func (m *mailMaker) message() string {
	const small = "abcdefghijklmnopqrstuvwxyz0123456789"
	var b strings.Builder
	for range 3 {
		fmt.Fprintf(&b, "Received: from mx%d.example.org (mx.example.org [192.0.2.%d]) by in.example.org with esmtps id ", m.rnd.IntN(20), m.rnd.IntN(256))
		m.random(&b, 11, "0123456789ABCDEF")
		b.WriteString("\r\n")
	}
	b.WriteString("DKIM-Signature: v=1; a=rsa-sha256; d=example.org; b=")
	m.random(&b, 340, small)
	fmt.Fprintf(&b, "\r\nFrom: user%d@example.org\r\nTo: somebody@example.org\r\nMessage-ID: <", m.rnd.IntN(500))
	m.random(&b, 24, small)
	b.WriteString("@mail.example.org>\r\nSubject:")
	for range 6 {
		b.WriteString(" " + m.words[m.zipf.Uint64()])
	}
	b.WriteString("\r\n\r\n")
	for n := b.Len() + int(6000*math.Exp(m.rnd.NormFloat64()*0.8)); b.Len() < n; {
		switch m.rnd.IntN(60) {
		case 0:
			b.WriteString("https://www.example.com/")
			m.random(&b, 12, small)
			b.WriteString("?id=")
			m.random(&b, 20, small)
		case 1:
			fmt.Fprintf(&b, "%d.%02d", m.rnd.IntN(10000), m.rnd.IntN(100))
		default:
			if m.rnd.IntN(100) < 42 { // as much of English text is words that join others
				b.WriteString(joining[min(m.rnd.IntN(len(joining)), m.rnd.IntN(len(joining)))])
			} else {
				b.WriteString(m.words[m.zipf.Uint64()])
			}
		}
		b.WriteString([]string{" ", " ", " ", " ", ", ", ". ", "\r\n"}[m.rnd.IntN(7)])
	}
	return b.String()
}
