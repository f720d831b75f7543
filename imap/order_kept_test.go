package imap

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"roost/imap/wire"
	"roost/maildir"
)

// What is kept for SORT and THREAD must never change an answer.

// orderMessage is a message of which few things are unlike another's.
func orderMessage(rng *rand.Rand) string {
	pick := func(words ...string) string { return words[rng.IntN(len(words))] }
	id := func() string { return fmt.Sprintf("<%d@x>", rng.IntN(200)) }
	text := fmt.Sprintf("From: %s <%s@x>\r\nTo: %s\r\nSubject: %s%s%s\r\n", pick("Ann", "Bob", "Émile", ""), pick("a", "b", "cc"), pick("u@x", "V@y", "G: w@x;"),
		pick("", "Re: ", "Fwd: "), pick("", "one", "Two", "three "+strings.Repeat("x", 300)), pick("", fmt.Sprint(rng.IntN(50))))
	if rng.IntN(8) > 0 {
		text += "Date: " + time.Unix(1700000000+rng.Int64N(500), 0).UTC().Format(time.RFC1123Z) + "\r\n"
	}
	if rng.IntN(8) > 0 {
		text += "Message-ID: " + id() + "\r\n"
	}
	if n := rng.IntN(4); n > 0 {
		text += "References:" + strings.Repeat(" "+id(), n) + "\r\n"
	}
	return text + "\r\n" + strings.Repeat("x", rng.IntN(5))
}

// deliverOrder puts messages there.
func deliverOrder(box *maildir.Mailbox, rng *rand.Rand, n int) ([]uint32, error) {
	d, err := box.NewDelivery()
	if err != nil {
		return nil, err
	}
	defer d.Abort()
	for range n {
		if err := d.Add(strings.NewReader(orderMessage(rng)), 0, nil, time.Unix(1690000000+rng.Int64N(100), 0)); err != nil {
			return nil, err
		}
	}
	return d.Commit(context.Background())
}

// mustDeliverOrder is deliverOrder for the goroutine of the test.
func mustDeliverOrder(t *testing.T, box *maildir.Mailbox, rng *rand.Rand, n int) []uint32 {
	t.Helper()
	uids, err := deliverOrder(box, rng, n)
	if err != nil {
		t.Fatal(err)
	}
	return uids
}

// randomSubset returns some of uids: mostly all of them, or nearly all.
func randomSubset(rng *rand.Rand, uids []uint32) []uint32 {
	leave := 0 // of a hundred
	switch rng.IntN(6) {
	case 0:
		leave = rng.IntN(100)
	case 1:
		leave = 1
	case 2:
		from, to := rng.IntN(len(uids)+1), rng.IntN(len(uids)+1)
		return uids[min(from, to):max(from, to)]
	}
	return slices.DeleteFunc(slices.Clone(uids), func(uint32) bool { return rng.IntN(100) < leave })
}

func randomCriteria(rng *rand.Rand) (by []wire.SortCriterion) {
	keys := []wire.SortKey{wire.SortArrival, wire.SortSize, wire.SortDate, wire.SortSubject, wire.SortFrom, wire.SortTo, wire.SortDisplayFrom}
	for _, i := range rng.Perm(len(keys))[:1+rng.IntN(3)] {
		by = append(by, wire.SortCriterion{Key: keys[i], Reverse: rng.IntN(2) == 0})
	}
	return by
}

// checkOrder compares SORT and THREAD of messages with what they are when nothing is kept.
func checkOrder(s *session, rng *rand.Rand, uids []uint32) error {
	by := randomCriteria(rng)
	got, err := s.sort(uids, by, nil)
	if err != nil {
		return err
	}
	want, err := s.sortRows(uids, by)
	if err != nil {
		return err
	}
	if !slices.Equal(got, want.uids) {
		return fmt.Errorf("SORT %v of %v:\n got %v\nwant %v", by, uids, got, want.uids)
	}
	facts, err := s.gatherThreads(new(threadFacts), uids)
	if err != nil {
		return err
	}
	for name, algorithm := range threadAlgorithms {
		got, err := s.thread(uids, algorithm)
		if err != nil {
			return err
		}
		if got, want := got.String(), algorithm.threads(facts, uids).String(); got != want {
			return fmt.Errorf("THREAD %s of %v:\n got %s\nwant %s", name, uids, got, want)
		}
	}
	return nil
}

// TestOrderKept: mail comes, goes and gets flags, sessions know less than is there or more.
func TestOrderKept(t *testing.T) {
	for seed := range uint64(2) {
		rng := rand.New(rand.NewPCG(seed, 9))
		box := testMailbox(t)
		mustDeliverOrder(t, box, rng, 250)
		sessions := []*session{searchSession(box), searchSession(box), searchSession(box)}
		grown := 0
		for range 80 {
			switch rng.IntN(8) {
			case 0:
				mustDeliverOrder(t, box, rng, 1+rng.IntN(40))
			case 1, 2, 3:
				mustDeliverOrder(t, box, rng, 1+rng.IntN(3))
			case 4:
				all := box.UIDs()
				gone := slices.DeleteFunc(slices.Clone(all), func(uint32) bool { return rng.IntN(len(all)) > 5 })
				if _, err := box.Expunge(t.Context(), gone); err != nil {
					t.Fatal(err)
				}
			case 5:
				if _, _, err := box.SetFlags(t.Context(), randomSubset(rng, box.UIDs()), maildir.FlagChange{Op: maildir.Add, Flags: maildir.Seen}); err != nil {
					t.Fatal(err)
				}
			}
			i := rng.IntN(len(sessions))
			if rng.IntN(2) == 0 {
				sessions[i] = searchSession(box)
			}
			before, _ := box.Kept(columnKey(wire.SortSubject)).(*column)
			if err := checkOrder(sessions[i], rng, randomSubset(rng, sessions[i].view.uids)); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if after, _ := box.Kept(columnKey(wire.SortSubject)).(*column); before != nil && after != before && len(without(after.uids, before.uids)) < len(after.uids)/insertionShare {
				grown++
			}
		}
		if grown == 0 {
			t.Errorf("seed %d: no column grew", seed)
		}
	}
}

// TestOrderKeptConcurrent: sessions ask at the same time while mail comes and goes. What they ask of stays.
func TestOrderKeptConcurrent(t *testing.T) {
	box := testMailbox(t)
	stay := mustDeliverOrder(t, box, rand.New(rand.NewPCG(1, 1)), 300)
	ctx, cancel := context.WithCancel(t.Context())
	var others, mutator sync.WaitGroup
	mutator.Go(func() {
		rng := rand.New(rand.NewPCG(2, 2))
		var mine []uint32
		for ctx.Err() == nil {
			uids, err := deliverOrder(box, rng, 1+rng.IntN(3))
			if err != nil {
				t.Error(err)
				return
			}
			mine = append(mine, uids...)
			if n := rng.IntN(len(mine) + 1); n > 0 {
				if _, err := box.Expunge(t.Context(), mine[:n]); err != nil {
					t.Error(err)
				}
				mine = mine[n:]
			}
		}
	})
	for i := range uint64(4) {
		others.Go(func() {
			rng := rand.New(rand.NewPCG(3, i))
			for range 15 {
				if err := checkOrder(searchSession(box), rng, randomSubset(rng, stay)); err != nil {
					t.Error(err)
				}
				s := searchSession(box) // among these some may go at any time
				if _, err := s.sort(s.view.uids, randomCriteria(rng), nil); err != nil {
					t.Error(err)
				}
				if _, err := s.thread(s.view.uids, threadAlgorithms["REFERENCES"]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	others.Wait()
	cancel()
	mutator.Wait()
}

// TestOrderVanished: a message whose file is not there, and of which nothing is cached, is left out until it is back.
func TestOrderVanished(t *testing.T) {
	dir := t.TempDir()
	store, err := maildir.OpenStore(maildir.Options{Root: filepath.Join(dir, "mail"), Separator: '/', Create: true}) // no state, so no cache
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	box, err := store.Open("INBOX")
	if err != nil {
		t.Fatal(err)
	}
	defer box.Release()
	put(t, box, make([]known, 3), []string{"Subject: b\r\n\r\n", "Subject: a\r\n\r\n", "Subject: c\r\n\r\n"})
	names, err := filepath.Glob(filepath.Join(dir, "mail", "[cn][ue][rw]", "*"))
	if err != nil || len(names) != 3 {
		t.Fatal(names, err)
	}
	second := slices.IndexFunc(names, func(name string) bool { // names are in no order
		text, err := os.ReadFile(name)
		return err == nil && strings.HasPrefix(string(text), "Subject: a")
	})
	if second < 0 {
		t.Fatal("the message with subject a is nowhere")
	}
	uids := []uint32{1, 2, 3}
	check := func(what string, want []uint32) {
		t.Helper()
		s := searchSession(box)
		got, err := s.sort(uids, []wire.SortCriterion{{Key: wire.SortSubject}}, nil)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v; %v", what, got, want, err)
		}
		threads, err := s.thread(uids, threadAlgorithms["REFERENCES"])
		if err != nil || strings.Count(threads.String(), "(") != len(want) {
			t.Errorf("%s: %v of %d; %v", what, threads, len(want), err)
		}
	}
	hidden := filepath.Join(dir, "hidden")
	if err := os.Rename(names[second], hidden); err != nil {
		t.Fatal(err)
	}
	check("one is away", []uint32{1, 3})
	if err := os.Rename(hidden, names[second]); err != nil {
		t.Fatal(err)
	}
	if err := box.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	uids = box.UIDs() // it has another one if it was taken for expunged
	if len(uids) != 3 || uids[0] != 1 {
		t.Fatal(uids)
	}
	back := uids[2]
	if back == 3 {
		back = 2
	}
	check("it is back", []uint32{back, 1, 3})
}

// TestOrderSmall: a search for few of many messages reads no others, and what is kept of many stays.
func TestOrderSmall(t *testing.T) {
	box := testMailbox(t)
	rng := rand.New(rand.NewPCG(4, 4))
	uids := mustDeliverOrder(t, box, rng, 300)
	s := searchSession(box)
	by := []wire.SortCriterion{{Key: wire.SortSubject}}
	kept := func() *column { c, _ := box.Kept(columnKey(wire.SortSubject)).(*column); return c }
	few := uids[10:13]
	if _, err := s.sort(few, by, nil); err != nil || len(kept().uids) != len(few) {
		t.Fatalf("%d messages are known after a SORT of %d; %v", len(kept().uids), len(few), err)
	}
	if _, err := s.sort(uids, by, nil); err != nil || len(kept().uids) != len(uids) {
		t.Fatalf("%d messages are known after a SORT of %d; %v", len(kept().uids), len(uids), err)
	}
	all := kept()
	more := mustDeliverOrder(t, box, rng, 1)
	if _, err := s.sort(append(slices.Clone(few), more...), by, nil); err != nil || kept() != all {
		t.Fatalf("%d messages are known after a SORT of few; %v", len(kept().uids), err)
	}
	if _, err := s.sort(box.UIDs(), by, nil); err != nil || len(kept().uids) != len(uids)+1 {
		t.Fatalf("%d messages are known after one came; %v", len(kept().uids), err)
	}
	if &kept().uids[0] != &box.UIDs()[0] {
		t.Error("the list of UIDs is there twice")
	}
}

// TestInsertLost: a message that went while it is read gives no wrong order.
func TestInsertLost(t *testing.T) {
	box := testMailbox(t)
	uids := mustDeliverOrder(t, box, rand.New(rand.NewPCG(5, 5)), 10)
	s := searchSession(box)
	rows, err := s.sortValues(uids, []wire.SortKey{wire.SortDate}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &column{rows.uids, rank(rows.values, 0, 1)}
	if _, err := box.Expunge(t.Context(), uids); err != nil {
		t.Fatal(err)
	}
	if c, err := s.insert(c, wire.SortDate, rows); c != nil || err != nil {
		t.Errorf("%v, %v", c, err)
	}
}

// TestRanks compares with a stable sort by values, of texts whose beginnings are alike.
func TestRanks(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	texts := []string{"", "\x00", "\x00\x00", "A", "A\x00", "AAAAAAA", "AAAAAAAA", "AAAAAAAA\x00", "AAAAAAAAB", "AAAAAAAB", "\xff", "Z"}
	for _, count := range []int{0, 1, 2, 50, 3000, 20000} {
		by := []wire.SortCriterion{{Reverse: rng.IntN(2) == 0}, {Reverse: rng.IntN(2) == 0}, {Reverse: rng.IntN(2) == 0}}
		values := make([]sortValue, 0, 3*count)
		want := make([]uint32, count)
		for i := range want {
			want[i] = uint32(i)
			values = append(values, sortValue{text: texts[rng.IntN(len(texts))]}, sortValue{num: rng.Int64N(3) - 1}, sortValue{num: int64(rng.Uint64())})
		}
		slices.SortStableFunc(want, func(a, b uint32) int {
			return cmp.Or(compareRows(by, values[3*a:], values[3*b:]), cmp.Compare(a, b))
		})
		ranks := []ranking{rank(values, 0, 3), rank(values, 1, 3), rank(values, 2, 3)}
		if got := placesByRank(count, by, ranks); !slices.Equal(got, want) {
			t.Errorf("%d messages are in the wrong order", count)
		}
	}
}

// TestUIDLists compares with maps, and sequence numbers with a walk.
func TestUIDLists(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	list := func() (uids []uint32) {
		step := 1 + rng.IntN(5)
		uid := rng.Uint32N(3)
		for range rng.IntN(40) {
			uid += 1 + rng.Uint32N(uint32(step))
			uids = append(uids, uid)
		}
		return uids
	}
	for range 2000 {
		a, b := list(), list()
		var both, only []uint32
		for _, uid := range a {
			if slices.Contains(b, uid) {
				both = append(both, uid)
			} else {
				only = append(only, uid)
			}
		}
		if got := among(a, b); !slices.Equal(got, both) {
			t.Fatalf("among %v, %v: %v", a, b, got)
		}
		if got := without(a, b); !slices.Equal(got, only) {
			t.Fatalf("without %v, %v: %v", a, b, got)
		}
		v := &view{uids: a}
		near := 0
		for range 20 {
			uid := rng.Uint32N(60)
			want := uint32(slices.Index(a, uid) + 1)
			if got, quick := v.seq(uid), v.seqNear(uid, &near); got != want || quick != want {
				t.Fatalf("%d in %v: %d and %d", uid, a, got, quick)
			}
		}
	}
}
