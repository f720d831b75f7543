package index

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"roost/index/segment"
)

// TestLongText: what lies across two windows of a text is found like anything else, also where words meet.
func TestLongText(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 9))
	var b strings.Builder
	for b.Len() < 4*window {
		switch rng.IntN(40) {
		case 0:
			b.WriteString(strings.Repeat(" ", rng.IntN(5)) + "!?" + strings.Repeat("\r\n", rng.IntN(3)))
		case 1:
			b.WriteString("日本語 ")
		case 2:
			b.WriteString("... -- ... ")
		default:
			fmt.Fprintf(&b, "%c%d ", 'a'+rng.IntN(26), rng.IntN(300))
		}
	}
	text := b.String()
	dir := t.TempDir()
	a := &adder{b: segment.NewBuilder(dir, 1), in: make([]byte, chunk), stop: func() error { return nil }}
	a.b.Begin(segment.ID{1})
	if err := a.text(segment.Body)(nil, strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	if err := a.b.End(); err != nil {
		t.Fatal(err)
	}
	path, err := a.b.Write(nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := segment.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Release()
	for range 3000 {
		at := rng.IntN(len(text) - 50)
		if rng.IntN(3) > 0 { // near a window's end
			at = (1+rng.IntN(3))*window - 40 + rng.IntN(60)
		}
		needle := bytes.ToValidUTF8([]byte(text[at:at+1+rng.IntN(30)]), nil)
		if len(needle) == 0 {
			continue
		}
		hits, err := segment.Segments{s}.Find(context.Background(), segment.NewQuery(NewNeedle(string(needle)).folded), segment.Body)
		if err != nil {
			t.Fatal(err)
		}
		if !hits.Maybe.Has(1) || hits.Doubt != nil {
			t.Fatalf("%q at %d is not found", needle, at)
		}
	}
}
