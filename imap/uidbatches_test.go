package imap

import (
	"slices"
	"testing"

	"roost/imap/wire"
)

func TestUIDBatches(t *testing.T) {
	many := make([]uint32, 7000)
	for i := range many {
		many[i] = uint32(10 * (i + 1))
	}
	for _, tt := range []struct {
		uids []uint32
		req  wire.UIDBatches
		want []uidRange
	}{
		{nil, wire.UIDBatches{Size: 500}, nil},
		{[]uint32{302}, wire.UIDBatches{Size: 500}, []uidRange{{1, 302}}},
		{many, wire.UIDBatches{Size: 2000}, []uidRange{{50001, 70000}, {30001, 50000}, {10001, 30000}, {1, 10000}}},
		{many, wire.UIDBatches{Size: 2000, First: 1, Last: 5}, []uidRange{{50001, 70000}, {30001, 50000}, {10001, 30000}, {1, 10000}}},
		{many, wire.UIDBatches{Size: 2000, First: 2, Last: 3}, []uidRange{{30001, 50000}, {10001, 30000}}},
		{many, wire.UIDBatches{Size: 2000, First: 6, Last: 8}, nil},
		{many, wire.UIDBatches{Size: 3500}, []uidRange{{35001, 70000}, {1, 35000}}},
		{many, wire.UIDBatches{Size: 7000}, []uidRange{{1, 70000}}},
		{many, wire.UIDBatches{Size: 4294967295}, []uidRange{{1, 70000}}},
		{many, wire.UIDBatches{Size: 500, First: 4294967295, Last: 4294967295}, nil},
	} {
		got := uidBatches(tt.uids, &tt.req)
		if !slices.Equal(got, tt.want) {
			t.Errorf("%d messages, %+v: got %v, want %v", len(tt.uids), tt.req, got, tt.want)
		}
		// Each batch has the size asked for, but for the last one.
		for i, r := range got {
			n := 0
			for _, uid := range tt.uids {
				if r.first <= uid && uid <= r.last {
					n++
				}
			}
			if n > int(tt.req.Size) || n < int(tt.req.Size) && r.first != 1 {
				t.Errorf("%+v: batch %d has %d messages", tt.req, i, n)
			}
		}
	}
}

// TestUIDBatchesExamples has the examples of RFC 10022 that need many messages.
func TestUIDBatchesExamples(t *testing.T) {
	// §3.1.5: 100,000 messages, here with their numbers as UIDs.
	many := make([]uint32, 100_000)
	for i := range many {
		many[i] = uint32(i + 1)
	}
	got := uidBatches(many, &wire.UIDBatches{Size: 2000, First: 10, Last: 20})
	if len(got) != 11 || got[0] != (uidRange{80001, 82000}) || got[10] != (uidRange{60001, 62000}) {
		t.Errorf("batches 10:20 are %v", got)
	}
	// §3.1.1: 6823 messages, and which UIDs stand where the batches meet.
	some := many[:6823:6823]
	for at, uid := range map[int]uint32{6822: 215295, 4822: 99695, 2822: 20350, 822: 7829} {
		some[at] = uid
	}
	for at := len(some) - 2; at >= 0; at-- {
		if some[at] >= some[at+1] || some[at] == uint32(at+1) {
			some[at] = some[at+1] - 1
		}
	}
	want := []uidRange{{99696, 215295}, {20351, 99695}, {7830, 20350}, {1, 7829}}
	if got := uidBatches(some, &wire.UIDBatches{Size: 2000}); !slices.Equal(got, want) {
		t.Errorf("batches are %v, want %v", got, want)
	}
}
