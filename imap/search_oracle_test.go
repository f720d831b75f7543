package imap

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"mime"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"roost/imap/wire"
	"roost/index"
	"roost/maildir"
	"roost/maildir/message"
)

// The oracle tests run random trees through planner and scanner, and compare with an evaluation that knows no plan: every leaf of every
// message, from what the generator put there or, for mail found in the wild, from a fresh look at the file.

// testMailbox is an open INBOX of a fresh store.
func testMailbox(t testing.TB) *maildir.Mailbox {
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
	testStores.Store(box, store)
	return box
}

var testStores sync.Map // *maildir.Mailbox → *maildir.Store, for testIndex

// testIndex makes a full-text index of what is in a testMailbox.
func testIndex(t testing.TB, box *maildir.Mailbox) *index.Index {
	t.Helper()
	store, _ := testStores.Load(box)
	x, err := index.Open(t.TempDir(), index.Options{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	if err := x.Update(t.Context(), index.Follower{Store: store.(*maildir.Store)}); err != nil {
		t.Fatal(err)
	}
	return x
}

// put delivers messages that belong to mail and tells their UIDs.
func put(t testing.TB, box *maildir.Mailbox, mail []known, raw []string) {
	t.Helper()
	d, err := box.NewDelivery()
	if err != nil {
		t.Fatal(err)
	}
	defer d.Abort()
	for i := range raw {
		if err := d.Add(strings.NewReader(raw[i]), mail[i].flags, mail[i].keywords, mail[i].date); err != nil {
			t.Fatal(err)
		}
	}
	uids, err := d.Commit(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for i := range mail {
		mail[i].uid = uids[i]
	}
}

// searchSession is as much of a session as SEARCH needs.
func searchSession(box *maildir.Mailbox) *session {
	return &session{srv: &Server{}, conn: &timedConn{}, ctx: context.Background(), log: slog.New(slog.DiscardHandler), view: newView(box, true)}
}

func (s *session) mustSearch(t testing.TB, key wire.SearchKey, ret wire.SearchReturn) []uint32 {
	t.Helper()
	pl, err := newPlan(key, s.view, s.view.box.KeywordNames(), s.saved)
	if err != nil {
		t.Fatal(err)
	}
	uids, err := s.search(pl, searchReturn(ret, false))
	if err != nil {
		t.Fatal(err)
	}
	if s.fullText == nil {
		return uids
	}
	// Once more without the index.
	without := *s
	without.fullText = nil
	if plain := without.mustSearch(t, key, ret); !slices.Equal(plain, uids) {
		t.Fatalf("%s\nwith the index    %v\nwithout the index %v", showKey(key), uids, plain)
	}
	return uids
}

// known is a message and everything that keys ask about, as the oracle sees it.
type known struct {
	uid      uint32
	flags    maildir.Flags
	keywords []string
	date     time.Time
	sent     time.Time
	size     int64
	header   map[string]string // lower-case name: decoded value
	text     string            // body, decoded
	raw      []byte            // for mail from the wild, instead of header and text
}

var oracleWords = []string{"alpha", "Übergröße", "invoice", "日本語", "x", "lunch", "Привет", "re", "100%", "o'clock"}

// generate makes a message in one of several encodings together with what it says.
func generate(rng *rand.Rand) (known, string) {
	words := func(n int) string {
		w := make([]string, n)
		for i := range w {
			w[i] = oracleWords[rng.IntN(len(oracleWords))]
		}
		return strings.Join(w, " ")
	}
	k := known{header: map[string]string{}}
	k.sent = time.Date(2024, 1, 1+rng.IntN(10), rng.IntN(24), 0, 0, 0, time.FixedZone("", (rng.IntN(24)-12)*3600))
	k.date = time.Date(2024, 1, 1+rng.IntN(10), rng.IntN(24), 30, 0, 0, time.Local)
	k.flags = maildir.Flags(rng.IntN(32))
	for _, kw := range []string{"$Junk", "Work", "later"} {
		if rng.IntN(3) == 0 {
			k.keywords = append(k.keywords, kw)
		}
	}
	var b strings.Builder
	field := func(name, value, written string) {
		k.header[strings.ToLower(name)] = value
		fmt.Fprintf(&b, "%s: %s\n", name, written)
	}
	subject, odd := words(1+rng.IntN(3)), words(1)
	field("Subject", subject, mime.QEncoding.Encode("utf-8", subject))
	field("X-Odd", odd, mime.QEncoding.Encode("utf-8", odd)) // not a cached field
	address := fmt.Sprintf(" <%s@example.org>", oracleWords[rng.IntN(3)*2])
	address = strings.NewReplacer("日本語", "j").Replace(address)
	field("From", oracleWords[1]+address, mime.BEncoding.Encode("utf-8", oracleWords[1])+address)
	date := k.sent.Format("Mon, 2 Jan 2006 15:04:05 -0700")
	field("Date", date, date)
	k.text = words(rng.IntN(12)) + " end"
	content := ""
	switch rng.IntN(4) {
	case 0:
		field("Content-Type", "text/plain", "text/plain; charset=utf-8")
		content = k.text + "\n"
	case 1:
		field("Content-Type", "text/plain", "text/plain; charset=utf-8")
		field("Content-Transfer-Encoding", "quoted-printable", "quoted-printable")
		for i, c := range []byte(k.text) {
			content += fmt.Sprintf("=%02X", c)
			if i%20 == 19 {
				content += "=\n"
			}
		}
		content += "\n"
	case 2:
		field("Content-Type", "multipart/mixed", "multipart/mixed; boundary=bb")
		content = "--bb\nContent-Type: text/plain; charset=utf-8\n\n" + k.text + "\n--bb\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\nYWxwaGE=\n--bb--\n"
	case 3:
		field("Content-Type", "text/html", "text/html; charset=utf-8")
		content = "<html><head><style>lunch { x: y }</style></head>\n<body class=alpha><!-- invoice -->"
		for i, word := range strings.Fields(k.text) {
			first := []rune(word)[0]
			content += fmt.Sprintf([]string{"<b>%c</b>%s\n", "&#%d;<span class=lunch>%s</span>&nbsp;"}[i%2], first, word[utf8.RuneLen(first):])
		}
		content += "</body></html>\n"
	}
	return k, b.String() + "\n" + content
}

// randomKey makes a tree over what generate makes.
func randomKey(rng *rand.Rand, depth int, top uint32) wire.SearchKey {
	if depth > 0 && rng.IntN(4) > 0 {
		switch rng.IntN(3) {
		case 0:
			var keys []wire.SearchKey
			for range rng.IntN(4) {
				keys = append(keys, randomKey(rng, depth-1, top))
			}
			return and(keys...)
		case 1:
			return or(randomKey(rng, depth-1, top), randomKey(rng, depth-1, top))
		default:
			return negated(randomKey(rng, depth-1, top))
		}
	}
	day := time.Date(2024, 1, rng.IntN(13), 0, 0, 0, 0, time.UTC)
	word := oracleWords[rng.IntN(len(oracleWords))]
	if rng.IntN(3) == 0 {
		word = strings.ToUpper(strings.ReplaceAll(word, "ß", "SS"))
		word, _, _ = strings.Cut(word, "SS")
	}
	switch rng.IntN(10) {
	case 0:
		return uidSetKey(1+rng.Uint32N(top), 1+rng.Uint32N(top))
	case 1:
		return &wire.KeySet{Set: wire.Set{Ranges: []wire.Range{{First: 1 + rng.Uint32N(top/2), Last: wire.Star}}}}
	case 2:
		return flagged([]string{`\Seen`, `\Deleted`, `\ANSWERED`, `\Flagged`, `\Draft`}[rng.IntN(5)], rng.IntN(2) == 0)
	case 3:
		return flagged([]string{"$junk", "Work", "LATER", "never"}[rng.IntN(4)], rng.IntN(2) == 0)
	case 4:
		return &wire.KeyHeader{Field: []string{"Subject", "From", "X-Odd", "Nope", "DATE"}[rng.IntN(5)], Value: []string{word, "", "example"}[rng.IntN(3)]}
	case 5:
		return &wire.KeyText{Value: word}
	case 6:
		return &wire.KeyText{Headers: true, Value: word + " " + oracleWords[rng.IntN(len(oracleWords))]} // two words are in no other field
	case 7:
		return &wire.KeyDate{Of: wire.DateOf(rng.IntN(2)), Cmp: wire.Cmp(rng.IntN(3)), Day: day}
	case 8:
		return &wire.KeySize{Larger: rng.IntN(2) == 0, N: 150 + rng.Int64N(400)}
	default:
		return &wire.KeyAge{Younger: rng.IntN(2) == 0, Seconds: int64(time.Since(day).Seconds())}
	}
}

// holds is the oracle.
func (k *known) holds(t testing.TB, key wire.SearchKey, seq, count uint32) bool {
	contains := func(text, value string) bool { return strings.Contains(strings.ToLower(text), strings.ToLower(value)) }
	switch key := key.(type) {
	case *wire.KeyAnd:
		return !slices.ContainsFunc(key.Keys, func(c wire.SearchKey) bool { return !k.holds(t, c, seq, count) })
	case *wire.KeyOr:
		return k.holds(t, key.A, seq, count) || k.holds(t, key.B, seq, count)
	case *wire.KeyNot:
		return !k.holds(t, key.Key, seq, count)
	case *wire.KeySet:
		n := seq
		if key.UID {
			n = k.uid
		}
		return slices.ContainsFunc(key.Set.Ranges, func(r wire.Range) bool {
			if r.Last == wire.Star {
				r.Last = count
			}
			return min(r.First, r.Last) <= n && n <= max(r.First, r.Last)
		})
	case *wire.KeyFlag:
		bits := map[string]maildir.Flags{`\seen`: maildir.Seen, `\deleted`: maildir.Deleted, `\answered`: maildir.Answered, `\flagged`: maildir.Flagged, `\draft`: maildir.Draft}
		bit, system := bits[strings.ToLower(key.Flag)]
		has := k.flags&bit != 0
		if !system {
			has = slices.ContainsFunc(k.keywords, func(kw string) bool { return strings.EqualFold(kw, key.Flag) })
		}
		return has == key.Want
	case *wire.KeyHeader:
		if k.raw != nil {
			return rawHeader(t, k.raw, key)
		}
		value, ok := k.header[strings.ToLower(key.Field)]
		return ok && contains(value, key.Value)
	case *wire.KeyText:
		if k.raw != nil {
			return rawText(t, k.raw, key)
		}
		if contains(k.text, key.Value) {
			return true
		}
		for _, value := range k.header {
			if key.Headers && contains(value, key.Value) {
				return true
			}
		}
		return false
	case *wire.KeyDate:
		at := k.date.Local()
		if key.Of == wire.DateSent {
			at = k.sent
		}
		day := at.Format(time.DateOnly)
		switch want := key.Day.Format(time.DateOnly); key.Cmp {
		case wire.Before:
			return day < want
		case wire.On:
			return day == want
		default:
			return day >= want
		}
	case *wire.KeySize:
		if key.Larger {
			return k.size > key.N
		}
		return k.size < key.N
	case *wire.KeyAge:
		if key.Younger {
			return time.Since(k.date) <= time.Duration(key.Seconds)*time.Second
		}
		return time.Since(k.date) >= time.Duration(key.Seconds)*time.Second
	}
	t.Fatalf("oracle does not know %T", key)
	return false
}

// rawHeader and rawText look at a whole message, one needle at a time.
func rawHeader(t testing.TB, raw []byte, key *wire.KeyHeader) bool {
	msg := parsed(t, raw)
	found := false
	message.Fields(raw[msg.Root.HeaderOff:msg.Root.BodyOff], func(name, field []byte) bool {
		found = strings.EqualFold(string(name), key.Field) && index.NewNeedle(key.Value).MatchHeader(field)
		return !found
	})
	return found
}

func rawText(t testing.TB, raw []byte, key *wire.KeyText) bool {
	found := []bool{false}
	needles := []index.Needle{index.NewNeedle(key.Value)}
	if err := index.MatchMessage(bytes.NewReader(raw), parsed(t, raw), needles, []bool{key.Headers}, found, func() bool { return false }); err != nil {
		t.Fatal(err)
	}
	return found[0]
}

func parsed(t testing.TB, raw []byte) *message.Message {
	msg, err := message.Parse(bytes.NewReader(raw), int64(len(raw)), message.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	return msg
}

// checkSearch compares search with oracle, for all results and for the lowest and highest.
func checkSearch(t *testing.T, s *session, mail []known, key wire.SearchKey) {
	t.Helper()
	var want []uint32
	for i := range mail {
		if mail[i].holds(t, key, uint32(i+1), uint32(len(mail))) {
			want = append(want, mail[i].uid)
		}
	}
	if got := s.mustSearch(t, key, wire.SearchReturn{}); !slices.Equal(got, want) {
		t.Fatalf("%s:\n got %v\nwant %v", showKey(key), got, want)
	}
	for _, ret := range []wire.SearchReturn{{Present: true, Min: true}, {Present: true, Max: true}, {Present: true, Min: true, Max: true}} {
		got := s.mustSearch(t, key, ret)
		if len(got) == 0 || len(want) == 0 {
			if len(got) != len(want) {
				t.Fatalf("%s: %+v: got %v, want %v", showKey(key), ret, got, want)
			}
		} else if ret.Min && got[0] != want[0] || ret.Max && last(got) != last(want) {
			t.Fatalf("%s: %+v: got %v, want the ends of %v", showKey(key), ret, got, want)
		}
	}
}

func showKey(key wire.SearchKey) string {
	switch key := key.(type) {
	case *wire.KeyAnd:
		var words []string
		for _, k := range key.Keys {
			words = append(words, showKey(k))
		}
		return "(" + strings.Join(words, " ") + ")"
	case *wire.KeyOr:
		return "OR " + showKey(key.A) + " " + showKey(key.B)
	case *wire.KeyNot:
		return "NOT " + showKey(key.Key)
	}
	return strings.TrimPrefix(fmt.Sprintf("%T%+v", key, key), "*wire.Key")
}

func TestSearchOracle(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	box := testMailbox(t)
	var mail []known
	var raw []string
	for range 60 {
		k, text := generate(rng)
		k.size = int64(len(wireForm(text)))
		mail, raw = append(mail, k), append(raw, text)
	}
	put(t, box, mail, raw)
	s := searchSession(box)
	s.fullText = testIndex(t, box)
	for range 300 {
		checkSearch(t, s, mail, randomKey(rng, 3, uint32(len(mail))))
	}
	t.Run("thousand needles", func(t *testing.T) {
		key := wire.SearchKey(&wire.KeyText{Value: "nowhere"})
		for i := range 1000 {
			key = or(&wire.KeyHeader{Field: "Subject", Value: fmt.Sprint("needle ", i)}, key)
		}
		checkSearch(t, s, mail, or(key, &wire.KeyText{Value: "lunch"}))
	})
	t.Run("deep", func(t *testing.T) {
		key := wire.SearchKey(&wire.KeyText{Value: "lunch"})
		for i := range 400 {
			key = or(&wire.KeyText{Value: fmt.Sprint("needle ", i)}, and(key, negated(&wire.KeyText{Value: fmt.Sprint("thread ", i)})))
		}
		if got, want := s.mustSearch(t, key, wire.SearchReturn{}), s.mustSearch(t, &wire.KeyText{Value: "lunch"}, wire.SearchReturn{}); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}

func TestSearchCorpus(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	box := testMailbox(t)
	var mail []known
	var raw []string
	for i, text := range corpus(t) {
		if len(text) > 100<<10 {
			continue // the point is the trees
		}
		mail = append(mail, known{flags: maildir.Flags(rng.IntN(32)), date: time.Date(2024, 1, 1+i%9, 12, 0, 0, 0, time.Local)})
		raw = append(raw, text)
	}
	put(t, box, mail, raw)
	for i := range mail {
		f, err := box.OpenMessage(mail[i].uid)
		if err != nil {
			t.Fatal(err)
		}
		if mail[i].raw, err = io.ReadAll(io.NewSectionReader(f, 0, f.Size())); err != nil {
			t.Fatal(err)
		}
		f.Close()
		mail[i].size = int64(len(wireForm(string(mail[i].raw))))
	}
	words := []string{"the", "mikel", "Subject", "ä", "テスト", "=?", "attachment", "html", "\n", "zz no such text zz", "a"}
	leaf := func() wire.SearchKey {
		word := words[rng.IntN(len(words))]
		switch rng.IntN(6) {
		case 0:
			return &wire.KeyText{Value: word}
		case 1:
			return &wire.KeyText{Headers: true, Value: word}
		case 2:
			return &wire.KeyHeader{Field: []string{"From", "To", "Subject", "Received", "X-Mailer"}[rng.IntN(5)], Value: word}
		case 3:
			return flagged(`\Seen`, rng.IntN(2) == 0)
		case 4:
			return &wire.KeySize{Larger: true, N: rng.Int64N(4000)}
		}
		return uidSetKey(1+rng.Uint32N(uint32(len(mail))), 1+rng.Uint32N(uint32(len(mail))))
	}
	s := searchSession(box)
	s.fullText = testIndex(t, box)
	for range 20 {
		checkSearch(t, s, mail, and(or(leaf(), leaf()), or(negated(leaf()), and(leaf(), leaf()))))
	}
}

// TestSearchGone: a message that was removed meanwhile does not match, and is no error.
func TestSearchGone(t *testing.T) {
	box := testMailbox(t)
	put(t, box, make([]known, 3), []string{"Subject: a\n\nsame text\n", "Subject: b\n\nsame text\n", "Subject: c\n\nsame text\n"})
	s := searchSession(box)
	s.fullText = testIndex(t, box)
	if _, err := box.Expunge(context.Background(), []uint32{2}); err != nil {
		t.Fatal(err)
	}
	if got, want := s.mustSearch(t, &wire.KeyText{Value: "SAME"}, wire.SearchReturn{}), []uint32{1, 3}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestSearchStops: a scan ends when the connection does.
func TestSearchStops(t *testing.T) {
	box := testMailbox(t)
	put(t, box, make([]known, 1), []string{"Subject: a\n\ntext\n"})
	s := searchSession(box)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s.ctx = ctx
	pl, err := newPlan(&wire.KeyText{Value: "text"}, s.view, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if uids, err := s.search(pl, searchReturn(wire.SearchReturn{}, false)); err == nil {
		t.Errorf("no error, %v", uids)
	}
}
