package index

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"math/rand/v2"
	"os"
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
	x, err := Open(dir, []string{"en", "de"}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// ranks returns the UIDs that are found.
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
	for _, uid := range box.UIDs() {
		if doc, ok := r.Doc(uid); ok {
			if _, ok := found.Of(doc); ok {
				uids = append(uids, uid)
			}
		}
	}
	return uids
}

// TestRank: the ranked index follows mail that comes, goes and moves, and what happens to the files of both indexes.
func TestRank(t *testing.T) {
	store, box := testMail(t)
	deliver(t, box,
		"Subject: Invoices\r\nFrom: Ann Smith <ann@example.org>\r\n\r\nAll of these are late, running late\r\n",
		"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nTo: Jos\u00e9 <jose@example.org>\r\n\r\nDie Rechnungen sind da.\r\n",
		"Subject: x\r\n\r\nThe invoice, hidden from nobody\r\n")
	dir := t.TempDir()
	x := openRanked(t, dir)
	f := Follower{Store: store}
	update := func() {
		t.Helper()
		if err := x.Update(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	check := func(where Where, needle string, want ...uint32) {
		t.Helper()
		if got := ranks(t, x, box, where, needle); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", needle, got, want)
		}
	}
	all := func() {
		t.Helper()
		check(InText, "invoice", 1, 3)
		check(InBody, "invoices", 3)
		check(InSubject, "invioce", 1)
		check(InBody, "run late", 1)
		check(InFrom, "smith", 1)
		check(InTo, "Jose", 2)
		check(InCc, "jose")
		check(InBody, "rechnung", 2)
		check(InSubject, "grusse", 2)
		check(InHeader, "invoice")
	}
	update()
	all()
	// Closed and opened.
	x.Close()
	x = openRanked(t, dir)
	check(InText, "invoice") // nothing is opened before the follower has checked it
	update()
	all()
	// Gone.
	x.Close()
	if err := os.RemoveAll(filepath.Join(dir, rankedDir)); err != nil {
		t.Fatal(err)
	}
	x = openRanked(t, dir)
	update()
	all()
	// The exact index is lost and counts documents anew, in another order: what the ranked one knows is of no use.
	x.Close()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range files {
		if e.Name() != rankedDir {
			os.Remove(filepath.Join(dir, e.Name()))
		}
	}
	if _, err := box.Expunge(t.Context(), []uint32{1}); err != nil {
		t.Fatal(err)
	}
	x = openRanked(t, dir)
	defer func() { x.Close() }()
	update()
	check(InText, "invoice", 3)
	check(InBody, "rechnung", 2)
	// More mail, and all of it anew.
	deliver(t, box, "Subject: another invoice\r\n\r\n")
	update()
	check(InText, "invoice", 3, 4)
	x.Clear()
	check(InText, "invoice")
	update()
	check(InText, "invoice", 3, 4)
	keys, err := x.ranked.Keys()
	if err != nil || len(keys) != 3 {
		t.Errorf("%d documents, %v", len(keys), err)
	}
}

// TestRankFollows: while mail comes and goes and indexes are lost, what is found is there; in the end everything is found.
func TestRankFollows(t *testing.T) {
	store, box := testMail(t)
	x := openRanked(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		x.Follow(ctx, Follower{Store: store, Pause: 5 * time.Millisecond})
	}()
	defer func() {
		cancel()
		<-done
		x.Close()
	}()
	rnd := rand.New(rand.NewPCG(1, 2))
	names := []string{"apple", "banana", "cherry", "walnut"}
	there := map[uint32]string{}
	for i := range 60 {
		name := names[rnd.IntN(len(names))]
		for _, uid := range deliver(t, box, fmt.Sprintf("Subject: %s\r\n\r\nnumber %d\r\n", name, i)) {
			there[uid] = name
		}
		switch rnd.IntN(10) {
		case 0:
			for uid := range there {
				if _, err := box.Expunge(t.Context(), []uint32{uid}); err != nil {
					t.Fatal(err)
				}
				delete(there, uid)
				break
			}
		case 1:
			if err := x.ranked.Clear(); err != nil {
				t.Fatal(err)
			}
		}
		name = names[rnd.IntN(len(names))]
		for _, uid := range ranks(t, x, box, InText, name+"s") {
			if there[uid] != name {
				t.Fatalf("%q is found in %d, which has %q", name, uid, there[uid])
			}
		}
	}
	x.Drop(fmt.Errorf("a test")) // and with it the ranked one
	for uid := range maps.Clone(there) {
		if uid%2 == 0 {
			continue
		}
		if _, err := box.Expunge(t.Context(), []uint32{uid}); err != nil {
			t.Fatal(err)
		}
		delete(there, uid)
	}
	deliver(t, box, "Subject: last\r\n\r\n")
	for _, name := range names {
		var want []uint32
		for uid, n := range there {
			if n == name {
				want = append(want, uid)
			}
		}
		slices.Sort(want)
		deadline := time.Now().Add(time.Minute)
		for !slices.Equal(ranks(t, x, box, InText, name), want) {
			if time.Now().After(deadline) {
				t.Fatalf("%q: %v, want %v", name, ranks(t, x, box, InText, name), want)
			}
			time.Sleep(5 * time.Millisecond)
		}
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
		began := x.epoch
		ctx := meddler{t.Context(), func() {
			if !cleared && i >= 2 && x.epoch > began { // what is new is published, and merging goes on
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
	f.rank(t.Context(), time.Time{})
	if got := ranks(t, x, box, InSubject, "mails"); len(got) != 8 {
		t.Errorf("found are %v", got)
	}
}

// BenchmarkRank builds both indexes of mail-like text, says how fast and how large, and how long searches take.
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
	dir := b.TempDir()
	exact, err := Open(dir, nil, quiet)
	if err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	if err := exact.Update(b.Context(), Follower{Store: store}); err != nil {
		b.Fatal(err)
	}
	took := time.Since(start)
	size := int64(0)
	for _, s := range exact.segments() {
		size += s.Size()
		s.Release()
	}
	exact.Close()
	x, err := Open(dir, []string{"en", "de", "fr", "es", "it", "nl", "pt"}, quiet)
	if err != nil {
		b.Fatal(err)
	}
	defer x.Close()
	start = time.Now()
	if err := x.Update(b.Context(), Follower{Store: store}); err != nil {
		b.Fatal(err)
	}
	more := time.Since(start)
	b.Logf("%d messages, %d MB: exact %.2f of it at %.0f/s, ranked %.2f at %.0f/s, together %.0f/s", messages, octets>>20,
		float64(size)/float64(octets), messages/took.Seconds(), float64(x.ranked.Size())/float64(octets), messages/more.Seconds(),
		messages/(took+more).Seconds())
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
				found = len(ranks)
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
