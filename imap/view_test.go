package imap

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"roost/imap/wire"
	"roost/maildir"
)

func viewOf(uids ...uint32) *session {
	return &session{view: &view{uids: uids, top: last(uids)}}
}

func TestResolve(t *testing.T) {
	const star = wire.Star
	s := viewOf(10, 20, 30, 40)
	s.saved = []uint32{20, 25, 40}
	for _, c := range []struct {
		name string
		set  []wire.Range
		uid  bool
		want []uint32 // nil: BAD
	}{
		{"one", []wire.Range{{First: 2, Last: 2}}, false, []uint32{20}},
		{"all", []wire.Range{{First: 1, Last: star}}, false, []uint32{10, 20, 30, 40}},
		{"last", []wire.Range{{First: star, Last: star}}, false, []uint32{40}},
		{"reversed", []wire.Range{{First: 3, Last: 2}}, false, []uint32{20, 30}},
		{"star first", []wire.Range{{First: star, Last: 3}}, false, []uint32{30, 40}},
		{"doubled", []wire.Range{{First: 4, Last: 4}, {First: 1, Last: 2}, {First: 2, Last: 3}, {First: 1, Last: 1}}, false, []uint32{10, 20, 30, 40}},
		{"beyond", []wire.Range{{First: 1, Last: 5}}, false, nil},
		{"beyond the star", []wire.Range{{First: 5, Last: star}}, false, nil},
		{"uid", []wire.Range{{First: 20, Last: 20}}, true, []uint32{20}},
		{"uid range", []wire.Range{{First: 11, Last: 39}}, true, []uint32{20, 30}},
		{"uid absent", []wire.Range{{First: 21, Last: 29}}, true, []uint32{}},
		{"uid beyond the star", []wire.Range{{First: 100, Last: star}}, true, []uint32{40}},
		{"uid star", []wire.Range{{First: star, Last: star}}, true, []uint32{40}},
		{"uid highest", []wire.Range{{First: 4294967295, Last: 4294967295}}, true, []uint32{}},
		{"uid reversed", []wire.Range{{First: 35, Last: 5}}, true, []uint32{10, 20, 30}},
	} {
		got, err := s.resolve(wire.Set{Ranges: c.set}, c.uid)
		if (err != nil) != (c.want == nil) || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v; want %v", c.name, got, err, c.want)
		}
	}
	if got, err := s.resolve(wire.Set{Saved: true}, false); err != nil || !slices.Equal(got, []uint32{20, 40}) {
		t.Errorf("$: %v, %v", got, err)
	}
	empty := viewOf()
	if _, err := empty.resolve(wire.Set{Ranges: []wire.Range{{First: star, Last: star}}}, false); err == nil {
		t.Error("* of an empty mailbox is a number")
	}
	if got, err := empty.resolve(wire.Set{Ranges: []wire.Range{{First: star, Last: star}, {First: 1, Last: star}}}, true); err != nil || len(got) != 0 {
		t.Errorf("UID *:* of an empty mailbox: %v, %v", got, err)
	}
}

// What resolve returns may be the view's own memory, and appending to it must not change the view.
func TestResolveDoesNotLendTheView(t *testing.T) {
	s := viewOf(1, 2, 3, 4)
	got, err := s.resolve(wire.Set{Ranges: []wire.Range{{First: 1, Last: 2}}}, false)
	if err != nil {
		t.Fatal(err)
	}
	_ = append(got, 99)
	if !slices.Equal(s.view.uids, []uint32{1, 2, 3, 4}) {
		t.Errorf("the view is now %v", s.view.uids)
	}
}

func TestResolveAgainstNaive(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		var uids []uint32
		for uid := uint32(1); uid < 60; uid++ {
			if rnd.IntN(3) > 0 {
				uids = append(uids, uid)
			}
		}
		s := viewOf(uids...)
		byUID := rnd.IntN(2) == 0
		top := uint32(len(uids))
		if byUID {
			top = 70
		}
		var set wire.Set
		want := map[uint32]bool{}
		for range 1 + rnd.IntN(6) {
			a, b := 1+rnd.Uint32N(top), 1+rnd.Uint32N(top)
			set.Ranges = append(set.Ranges, wire.Range{First: a, Last: b})
			for i, uid := range uids {
				n := uint32(i + 1)
				if byUID {
					n = uid
				}
				if min(a, b) <= n && n <= max(a, b) {
					want[uid] = true
				}
			}
		}
		got, err := s.resolve(set, byUID)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(want) || !slices.IsSorted(got) {
			t.Fatalf("%v of %v: %v", set, uids, got)
		}
		for _, uid := range got {
			if !want[uid] {
				t.Fatalf("%v of %v: %v", set, uids, got)
			}
		}
	}
}

// A set of 50,000 ranges over a million messages: clients that synchronise send such.
func TestResolveLargeSet(t *testing.T) {
	s := viewOf(sequence(1, 1_000_000)...)
	var set wire.Set
	for i := range uint32(50_000) {
		set.Ranges = append(set.Ranges, wire.Range{First: 1_000_000 - 20*i, Last: 1_000_000 - 20*i - 5})
	}
	start := time.Now()
	got, err := s.resolve(set, true)
	if err != nil || len(got) != 300_000 || !slices.IsSorted(got) {
		t.Fatalf("%d UIDs, %v", len(got), err)
	}
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("took %v", d)
	}
}

func sequence(from, to uint32) []uint32 {
	uids := make([]uint32, 0, to-from+1)
	for uid := from; uid <= to; uid++ {
		uids = append(uids, uid)
	}
	return uids
}

func TestUnheard(t *testing.T) {
	v := &view{top: 5}
	changed := []maildir.Record{{UID: 2}, {UID: 5}, {UID: 6}, {UID: 9}}
	if got := v.unheard(changed); !slices.Equal(got, []uint32{6, 9}) {
		t.Error(got)
	}
	if got := v.unheard(changed[:2]); len(got) != 0 {
		t.Error(got)
	}
}

// Errors of the store become the response codes of RFC 5530; what nobody expected is a bug of the server, and the client learns no more.
func TestAnswer(t *testing.T) {
	ts := newTestServer(t, nil)
	s := newSession(ts.srv, ts.connect().c)
	for _, c := range []struct {
		err  error
		code string
	}{
		{maildir.ErrNotFound, "NONEXISTENT"}, {maildir.ErrExists, "ALREADYEXISTS"}, {maildir.ErrInvalidName, "CANNOT"},
		{maildir.ErrFull, "OVERQUOTA"}, {maildir.ErrLocked, "INUSE"}, {maildir.ErrPermission, "NOPERM"},
		{maildir.ErrGone, "EXPUNGEISSUED"}, {maildir.ErrTooBig, "TOOBIG"}, {maildir.ErrLimit, "LIMIT"},
		{errors.New("disk on fire in /var/mail"), "SERVERBUG"},
	} {
		r := s.answer(&command{name: "TEST"}, c.err)
		if r == nil || string(r.code) != c.code {
			t.Errorf("%v: %+v", c.err, r)
		}
	}
	if r := s.answer(&command{}, errors.New("secret path")); r.text != "Internal error, see the server's log" {
		t.Errorf("told the client: %q", r.text)
	}
}

func TestSeqNear(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 7))
	for range 200 {
		v := &view{}
		for uid := uint32(rnd.IntN(3)); len(v.uids) < rnd.IntN(60); {
			uid += 1 + uint32(rnd.IntN(4))
			v.uids = append(v.uids, uid)
		}
		if rnd.IntN(8) == 0 {
			v.uids = append(v.uids, math.MaxUint32-1)
		}
		near, uid := 0, uint32(0)
		for range 100 {
			switch rnd.IntN(6) {
			case 0:
				uid = uint32(rnd.IntN(200))
			case 1:
				uid = math.MaxUint32 - uint32(rnd.IntN(3))
			default:
				uid += uint32(rnd.IntN(3))
			}
			if got, want := v.seqNear(uid, &near), v.seq(uid); got != want {
				t.Fatalf("UID %d of %d: number %d, want %d", uid, v.uids, got, want)
			}
		}
	}
}
