package imap

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"roost/imap/wire"
	"roost/maildir"
)

// String shows a planned tree: leaves by number, "-" for negation.
func (n *node) String() string {
	switch n.op {
	case opConst:
		return map[tri]string{yes: "true", not: "false"}[n.value]
	case opLeaf:
		if n.not {
			return fmt.Sprint("-", n.leaf)
		}
		return fmt.Sprint(n.leaf)
	}
	words := []string{map[op]string{opAnd: "and", opOr: "or"}[n.op]}
	for _, kid := range n.kids {
		words = append(words, kid.String())
	}
	return "(" + strings.Join(words, " ") + ")"
}

func and(keys ...wire.SearchKey) wire.SearchKey { return &wire.KeyAnd{Keys: keys} }
func or(a, b wire.SearchKey) wire.SearchKey     { return &wire.KeyOr{A: a, B: b} }
func negated(key wire.SearchKey) wire.SearchKey { return &wire.KeyNot{Key: key} }
func flagged(flag string, want bool) wire.SearchKey {
	return &wire.KeyFlag{Flag: flag, Want: want}
}
func uidSetKey(a, b uint32) wire.SearchKey {
	return &wire.KeySet{UID: true, Set: wire.Set{Ranges: []wire.Range{{First: a, Last: b}}}}
}

func TestPlan(t *testing.T) {
	v := &view{uids: []uint32{2, 4, 6, 8, 10}, firstRecent: 8}
	seen, del := flagged(`\Seen`, true), flagged(`\Deleted`, true)
	large := &wire.KeySize{Larger: true, N: 10}
	sent := &wire.KeyDate{Of: wire.DateSent, Day: time.Unix(0, 0).UTC()}
	saved := &wire.KeyDate{Of: wire.DateSaved, Day: time.Unix(0, 0).UTC()}
	for _, tt := range []struct {
		name  string
		key   wire.SearchKey
		want  string
		cands []uint32
	}{
		{"all", and(), "true", v.uids},
		{"none", negated(and()), "false", nil},
		{"leaf", seen, "0", v.uids},
		{"unseen", flagged(`\Seen`, false), "-0", v.uids},
		{"not unseen", negated(flagged(`\Seen`, false)), "0", v.uids},
		{"equal leaves are one", or(seen, and(del, flagged(`\SEEN`, false))), "(or 0 (and 1 -0))", v.uids},
		{"De Morgan", negated(and(seen, or(del, large))), "(or -0 (and -1 -2))", v.uids},
		{"flattened", and(and(seen, and(del)), negated(or(large, negated(sent)))), "(and 0 1 -2 3)", v.uids},
		{"OR chain flattened", or(seen, or(del, or(large, sent))), "(or 0 1 2 3)", v.uids},
		{"cheap first", and(saved, sent, large, seen), "(and 3 0 2 1)", v.uids}, // SAVEDATE is known like the size, the Date field is in the cache
		{"unknown keyword", flagged("Nobody", true), "false", nil},
		{"unknown keyword, negated", and(flagged("Nobody", false), seen), "0", v.uids},
		{"OR with a truth", or(flagged("Nobody", false), seen), "true", v.uids},
		{"SAVEDATESUPPORTED", &wire.KeySaveDateSupported{}, "true", v.uids},
		{"empty text", &wire.KeyText{}, "true", v.uids},
		{"sets narrow", and(uidSetKey(3, 8), seen, uidSetKey(5, 100)), "1", []uint32{6, 8}},
		{"only a set", uidSetKey(3, 8), "true", []uint32{4, 6, 8}},
		{"a negated set stays", negated(uidSetKey(3, 8)), "-0", v.uids},
		{"a set in OR stays", or(uidSetKey(3, 8), seen), "(or 0 1)", v.uids},
		{"disjoint sets", and(uidSetKey(2, 4), uidSetKey(6, 8)), "true", nil},
		{"saved result", &wire.KeySet{Set: wire.Set{Saved: true}}, "true", []uint32{4, 10}},
	} {
		pl, err := newPlan(tt.key, v, []string{"$Junk", ""}, []uint32{4, 10})
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := pl.root.String(); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		if got := pl.candidates(); !slices.Equal(got, tt.cands) {
			t.Errorf("%s: candidates %v, want %v", tt.name, got, tt.cands)
		}
	}
}

func TestSearchReturn(t *testing.T) {
	uids := []uint32{3, 5, 9}
	for _, tt := range []struct {
		name     string
		in       wire.SearchReturn
		rev2     bool
		all, ext bool
		saved    []uint32
	}{
		{"plain", wire.SearchReturn{}, false, true, false, uids},
		{"plain, rev2", wire.SearchReturn{}, true, true, true, uids},
		{"RETURN ()", wire.SearchReturn{Present: true}, false, true, true, uids},
		{"COUNT", wire.SearchReturn{Present: true, Count: true}, false, false, true, uids},
		// RFC 5182 §2.4
		{"SAVE", wire.SearchReturn{Present: true, Save: true}, false, false, true, uids},
		{"SAVE MIN", wire.SearchReturn{Present: true, Save: true, Min: true}, false, false, true, []uint32{3}},
		{"SAVE MAX", wire.SearchReturn{Present: true, Save: true, Max: true}, false, false, true, []uint32{9}},
		{"SAVE MIN MAX", wire.SearchReturn{Present: true, Save: true, Min: true, Max: true}, false, false, true, []uint32{3, 9}},
		{"SAVE MIN COUNT", wire.SearchReturn{Present: true, Save: true, Min: true, Count: true}, false, false, true, uids},
		{"SAVE MAX ALL", wire.SearchReturn{Present: true, Save: true, Max: true, All: true}, false, true, true, uids},
	} {
		o := searchReturn(tt.in, tt.rev2)
		if o.All != tt.all || o.extended != tt.ext {
			t.Errorf("%s: all %v extended %v, want %v %v", tt.name, o.All, o.extended, tt.all, tt.ext)
		}
		if tt.in.Save {
			if got := o.toSave(uids); !slices.Equal(got, tt.saved) {
				t.Errorf("%s: saves %v, want %v", tt.name, got, tt.saved)
			}
			if got := o.toSave(nil); len(got) != 0 {
				t.Errorf("%s: saves %v of nothing", tt.name, got)
			}
		}
	}
}

// TestStartOfDay: in São Paulo's summer times the clock went from midnight to one; in all zones a day begins where the last one ends.
func TestStartOfDay(t *testing.T) {
	local := time.Local
	defer func() { time.Local = local }()
	for _, name := range []string{"America/Sao_Paulo", "Europe/Berlin", "Pacific/Apia", "Asia/Kathmandu", "UTC"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		time.Local = zone
		for day := time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() < 2014; day = day.AddDate(0, 0, 1) {
			if name == "Pacific/Apia" && day.Format(time.DateOnly) == "2011-12-30" {
				continue // did not happen there
			}
			start := time.Unix(startOfDay(day), 0)
			if got := start.Format(time.DateOnly); got != day.Format(time.DateOnly) {
				t.Fatalf("%s: %s starts on %s", name, day.Format(time.DateOnly), got)
			}
			if before := start.Add(-time.Second); before.Day() == start.Day() {
				t.Fatalf("%s: %s starts before %v", name, day.Format(time.DateOnly), start)
			}
		}
	}
}

func TestFloorDiv(t *testing.T) {
	for _, tt := range [][3]int64{{0, 5, 0}, {4, 5, 0}, {5, 5, 1}, {-1, 5, -1}, {-5, 5, -1}, {-6, 5, -2}} {
		if got := floorDiv(tt[0], tt[1]); got != tt[2] {
			t.Errorf("floorDiv(%d, %d) = %d, want %d", tt[0], tt[1], got, tt[2])
		}
	}
}

func TestFlagSets(t *testing.T) {
	const all = maildir.AllFlagSets
	having := func(bit maildir.Flags) (sets maildir.FlagSets) {
		for f := range maildir.AllFlags + 1 {
			if f&bit != 0 {
				sets |= 1 << f
			}
		}
		return sets
	}
	seen, answered := having(maildir.Seen), having(maildir.Answered)
	flag := func(name string, want bool) wire.SearchKey { return &wire.KeyFlag{Flag: name, Want: want} }
	subject := &wire.KeyHeader{Field: "Subject", Value: "x"}
	for _, tt := range []struct {
		key         wire.SearchKey
		match, open maildir.FlagSets
	}{
		{flag(`\Seen`, true), seen, 0},
		{&wire.KeyAnd{Keys: []wire.SearchKey{flag(`\Seen`, false), flag(`\Answered`, false)}}, all &^ (seen | answered), 0},
		{&wire.KeyNot{Key: &wire.KeyOr{A: flag(`\Seen`, true), B: flag(`\Answered`, false)}}, answered &^ seen, 0},
		{&wire.KeyAnd{Keys: []wire.SearchKey{flag(`\Seen`, true), subject}}, 0, seen},
		{&wire.KeyOr{A: flag(`\Seen`, true), B: subject}, seen, all &^ seen},
		{flag(`\Recent`, true), 0, all},
		{flag("known", true), 0, all},
		{subject, 0, all},
	} {
		pl, err := newPlan(tt.key, &view{uids: []uint32{1}, firstRecent: 1}, []string{"known"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if match, open := pl.flagSets(); match != tt.match || open != tt.open {
			t.Errorf("%v: %032b, %032b; want %032b, %032b", pl.root, match, open, tt.match, tt.open)
		}
	}
}
