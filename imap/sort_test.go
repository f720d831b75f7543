package imap

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"roost/imap/wire"
	"roost/index"
)

// TestSortOracle compares SORT by random criteria with the order of what the generator put into the messages.
func TestSortOracle(t *testing.T) {
	type known struct {
		uid  uint32
		nums map[wire.SortKey]int64
		text map[wire.SortKey]string
	}
	rng := rand.New(rand.NewPCG(7, 8))
	pick := func(words ...string) string { return words[rng.IntN(len(words))] }
	box := testMailbox(t)
	d, err := box.NewDelivery()
	if err != nil {
		t.Fatal(err)
	}
	defer d.Abort()
	var all []*known
	for range 200 {
		k := &known{nums: map[wire.SortKey]int64{}, text: map[wire.SortKey]string{}}
		var raw strings.Builder
		arrival := time.Date(2024, 1, 1+rng.IntN(4), 0, 0, rng.IntN(3), 0, time.UTC)
		k.nums[wire.SortArrival] = arrival.Unix()
		k.nums[wire.SortDate] = arrival.Unix()
		if rng.IntN(4) > 0 {
			sent := time.Date(2024, 1, 1+rng.IntN(3), rng.IntN(3), 0, 0, 0, time.FixedZone("", (rng.IntN(5)-2)*3600))
			k.nums[wire.SortDate] = sent.Unix()
			fmt.Fprintf(&raw, "Date: %s\r\n", sent.Format(time.RFC1123Z))
		}
		if rng.IntN(5) > 0 {
			word := pick("alpha", "Beta", "GAMMA", "[x]", "")
			k.text[wire.SortSubject] = word
			fmt.Fprintf(&raw, "Subject: %s%s%s\r\n", pick("", "Re: ", "[list] Fwd: "), word, pick("", " (fwd)"))
		}
		for _, field := range []struct {
			name           string
			local, display wire.SortKey
		}{{"From", wire.SortFrom, wire.SortDisplayFrom}, {"To", wire.SortTo, wire.SortDisplayTo}, {"Cc", wire.SortCc, 255}} {
			if rng.IntN(5) == 0 {
				continue
			}
			local, host := pick("ann", "Bob", "cy"), pick("x.example", "Y.example")
			k.text[field.local] = local
			switch rng.IntN(3) {
			case 0:
				k.text[field.display] = local + "@" + host
				fmt.Fprintf(&raw, "%s: %s@%s, second@z\r\n", field.name, local, host)
			case 1:
				k.text[field.display] = pick("zoe", "Émile", "Ann")
				fmt.Fprintf(&raw, "%s: =?utf-8?b?%s?= <%s@%s>\r\n", field.name, base64.StdEncoding.EncodeToString([]byte(k.text[field.display])), local, host)
			case 2:
				k.text[field.local], k.text[field.display] = "Team", "Team"
				fmt.Fprintf(&raw, "%s: Team: %s@%s;\r\n", field.name, local, host)
			}
		}
		raw.WriteString("\r\n" + strings.Repeat("x", rng.IntN(4)))
		k.nums[wire.SortSize] = int64(raw.Len())
		if err := d.Add(strings.NewReader(raw.String()), 0, nil, arrival); err != nil {
			t.Fatal(err)
		}
		all = append(all, k)
	}
	uids, err := d.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, uid := range uids {
		all[i].uid = uid
	}
	s := searchSession(box)
	for range 200 {
		var by []wire.SortCriterion
		for _, key := range rng.Perm(9)[:1+rng.IntN(4)] {
			by = append(by, wire.SortCriterion{Key: wire.SortKey(key), Reverse: rng.IntN(2) == 0})
		}
		want := slices.Clone(all)
		slices.SortStableFunc(want, func(a, b *known) int {
			for _, c := range by {
				n := cmp.Compare(a.nums[c.Key], b.nums[c.Key])
				if n == 0 {
					n = cmp.Compare(index.Collate(a.text[c.Key]), index.Collate(b.text[c.Key]))
				}
				if c.Reverse {
					n = -n
				}
				if n != 0 {
					return n
				}
			}
			return 0
		})
		rows, err := s.sortRows(uids, by)
		if err != nil {
			t.Fatal(err)
		}
		kept, err := s.sort(uids, by, nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, got := range map[string][]uint32{"read": rows.uids, "kept": kept} {
			if len(got) != len(want) {
				t.Fatalf("%s: %v: %d of %d", name, by, len(got), len(want))
			}
			for i := range want {
				if got[i] != want[i].uid {
					t.Fatalf("%s: %v: place %d has %d, want %d", name, by, i, got[i], want[i].uid)
				}
			}
		}
	}
}

// TestSortText: long texts stay bounded, apart, and in order as far as they are held.
func TestSortText(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	a, b, c := sortText(long+"a"), sortText(long+"b"), sortText("y"+long)
	if len(a.text) > maxSortText || a.compare(&b) == 0 || a.compare(&c) >= 0 || b.compare(&c) >= 0 {
		t.Errorf("%d octets, %d, %d, %d", len(a.text), a.compare(&b), a.compare(&c), b.compare(&c))
	}
	if again := sortText(strings.ToUpper(long) + "A"); a.compare(&again) != 0 {
		t.Error("equal texts differ")
	}
}

// TestSortGone: a message that was removed meanwhile is left out.
func TestSortGone(t *testing.T) {
	box := testMailbox(t)
	put(t, box, make([]known, 3), []string{"Subject: b\r\n\r\n", "Subject: a\r\n\r\n", "Subject: c\r\n\r\n"})
	s := searchSession(box)
	if _, err := box.Expunge(t.Context(), []uint32{2}); err != nil {
		t.Fatal(err)
	}
	by := []wire.SortCriterion{{Key: wire.SortSubject, Reverse: true}}
	got, err := s.sort([]uint32{1, 2, 3}, by, nil)
	if err != nil || !slices.Equal(got, []uint32{3, 1}) {
		t.Errorf("%v, %v", got, err)
	}
	rows, err := s.sortRows([]uint32{1, 2, 3}, by)
	if err != nil || !slices.Equal(rows.uids, []uint32{3, 1}) {
		t.Errorf("%v, %v", rows, err)
	}
}
