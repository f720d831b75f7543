package imap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"roost/imap/wire"
	"roost/index"
	"roost/maildir"
	"roost/maildir/message"
)

func init() { indexWorth = 0 } // tests have little mail

// TestSearchPieces looks for pieces of the mail itself, which begin and end anywhere, by every key that looks into text. The index and a
// look at each message have to agree, of mail that is indexed, and of mail that came later.
func TestSearchPieces(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	box := testMailbox(t)
	mail := corpus(t)
	half := len(mail) / 2
	put(t, box, make([]known, half), mail[:half])
	s := searchSession(box)
	s.fullText = testIndex(t, box)
	put(t, box, make([]known, len(mail)-half), mail[half:])
	s.view = newView(box, true)

	var texts []string
	for _, raw := range mail {
		msg := parsed(t, []byte(raw))
		collect := func(_ *message.Part, r io.Reader) error {
			text, err := io.ReadAll(r)
			texts = append(texts, string(text))
			return err
		}
		r := strings.NewReader(raw)
		if err := errors.Join(message.Headers(r, msg, collect), message.Text(r, msg, collect)); err != nil {
			t.Fatal(err)
		}
	}
	piece := func() string {
		for {
			text := []rune(texts[rng.IntN(len(texts))])
			if len(text) == 0 {
				continue
			}
			n := min(len(text), 1+rng.IntN([]int{1, 2, 4, 12, 60, 400}[rng.IntN(6)]))
			at := rng.IntN(len(text) - n + 1)
			if s := string(text[at : at+n]); index.Fold(s) != "" {
				return s
			}
		}
	}
	rounds := 150
	if *long {
		rounds = 20_000
	}
	for range rounds {
		word := piece()
		if rng.IntN(3) == 0 {
			word = strings.ToUpper(word)
		}
		key := wire.SearchKey(&wire.KeyText{Headers: rng.IntN(2) == 0, Value: word})
		switch rng.IntN(4) {
		case 0:
			key = &wire.KeyHeader{Field: []string{"From", "To", "Subject", "Cc", "Bcc", "Received", "Message-Id", "Content-Type"}[rng.IntN(8)], Value: word}
		case 1:
			key = or(negated(key), &wire.KeyText{Value: piece()})
		}
		s.mustSearch(t, key, wire.SearchReturn{})
		s.mustSearch(t, key, wire.SearchReturn{Min: true, Max: true})
	}
}

// TestFuzzyFindsMore: FUZZY finds what the plain key finds, and the ranked index makes it more; without an index it is the plain key.
func TestFuzzyFindsMore(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	box := testMailbox(t)
	mail := corpus(t)
	half := len(mail) / 2
	put(t, box, make([]known, half), mail[:half])
	store, _ := testStores.Load(box)
	x, err := index.Open(t.TempDir(), index.Options{Languages: []string{"en", "de"}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	if err := x.Update(t.Context(), index.Follower{Store: store.(*maildir.Store)}); err != nil {
		t.Fatal(err)
	}
	put(t, box, make([]known, len(mail)-half), mail[half:])
	find := func(x *index.Index, key wire.SearchKey) []uint32 {
		t.Helper()
		s := searchSession(box)
		s.fullText = x
		_, uids, err := s.find(&wire.Search{Key: key}, searchOptions{scored: true})
		if err != nil {
			t.Fatal(err)
		}
		return uids
	}
	more := 0
	for range 120 {
		words := strings.Fields(mail[rng.IntN(len(mail))])
		at := rng.IntN(len(words))
		value := strings.ToValidUTF8(strings.Join(words[at:min(len(words), at+1+rng.IntN(2))], " "), "")
		key := wire.SearchKey(&wire.KeyText{Headers: rng.IntN(2) == 0, Value: value})
		if rng.IntN(3) == 0 {
			key = &wire.KeyHeader{Field: []string{"From", "Subject", "Received"}[rng.IntN(3)], Value: value}
		}
		plain, fuzzy := find(x, key), find(x, &wire.KeyFuzzy{Key: key})
		if got := find(nil, &wire.KeyFuzzy{Key: key}); !slices.Equal(got, plain) {
			t.Errorf("%q: without an index %v, plain %v", value, got, plain)
		}
		for _, uid := range plain {
			if _, ok := slices.BinarySearch(fuzzy, uid); !ok {
				t.Errorf("%q: %d is not among %v", value, uid, fuzzy)
			}
		}
		if len(fuzzy) > len(plain) {
			more++
		}
		var all []uint32
		for _, key := range []wire.SearchKey{&wire.KeyFuzzy{Key: key}, negated(&wire.KeyFuzzy{Key: key})} {
			all = append(all, find(x, key)...)
		}
		if slices.Sort(all); !slices.Equal(all, box.UIDs()) {
			t.Errorf("%q: FUZZY and its negation have %v of %v", value, all, box.UIDs())
		}
	}
	if more < 20 {
		t.Errorf("FUZZY found more in %d searches only", more)
	}
}

// TestSearchWhileIndexing searches for what was delivered just now, over and over, while the index is built, messages are expunged, and the
// index is lost.
func TestSearchWhileIndexing(t *testing.T) {
	ts := newTestServer(t, nil)
	x, err := index.Open(t.TempDir(), index.Options{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ts.fullText = x
	t.Cleanup(func() { x.Close() })
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(done)
		x.Follow(ctx, index.Follower{Store: ts.store, Pause: 5 * time.Millisecond})
	}()
	defer func() { cancel(); <-done }()

	tc := ts.login()
	tc.ok("CREATE Other")
	tc.ok("SELECT INBOX")
	rng := rand.New(rand.NewPCG(13, 14))
	there := map[uint32]string{}
	next := uint32(1)
	for i := range 300 {
		word := fmt.Sprintf("w%dx%d", i, rng.IntN(10))
		text := "Subject: " + word + "\n\nsome words around " + word + "y and behind\n"
		tc.ok("APPEND INBOX {%d+}\r\n%s", len(text), text)
		there[next] = word
		next++
		switch rng.IntN(12) {
		case 0:
			uid := 1 + rng.Uint32N(next-1)
			tc.ok("UID STORE %d +FLAGS.SILENT (\\Deleted)", uid)
			tc.ok("EXPUNGE")
			delete(there, uid)
		case 1:
			uid := 1 + rng.Uint32N(next-1)
			tc.ok("UID MOVE %d Other", uid)
			delete(there, uid)
		case 2:
			time.Sleep(10 * time.Millisecond)
		case 3:
			if rng.IntN(8) == 0 {
				x.Drop(fmt.Errorf("a test"))
			}
		}
		needle := []string{word, word[1:], fmt.Sprintf("%dx", rng.IntN(i+1)), "d w" + word[1:] + "Y A"}[rng.IntN(4)]
		var want []uint32
		for uid, w := range there {
			if strings.Contains("subject: "+w+"\r\n\r\nsome words around "+w+"y and behind", strings.ToLower(needle)) {
				want = append(want, uid)
			}
		}
		slices.Sort(want)
		lines := tc.ok("UID SEARCH TEXT \"%s\"", needle)
		got := fmt.Sprint(lines)
		line := "* SEARCH"
		for _, uid := range want {
			line += fmt.Sprint(" ", uid)
		}
		if !slices.Contains(lines, line) {
			t.Fatalf("%q: %s, want %s", needle, got, line)
		}
	}
}
