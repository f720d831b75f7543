package maildir

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSaveDate: the name of a file says when it came, a field of the uidlist when it was copied, and its date only when there is nothing else.
func TestSaveDate(t *testing.T) {
	b := newBox(t)
	must(t, b.store.Create("Other"))
	date := time.Unix(1600000000, 0)
	want := map[uint32]int64{}
	for i, c := range []struct {
		name  string
		saved int64
	}{{"1700000000.M5P1.h", 1700000000}, {"1700000001_0.7.h,U=3", 1700000001}, {"5.x", 1600000000}, {"99999999999.x", 1600000000}, {"1700000002", 1600000000}, {"mail", 1600000000}} {
		path := filepath.Join(b.dir, "cur", c.name+":2,")
		must(t, os.WriteFile(path, []byte("Subject: x\n\nx\n"), 0o600))
		must(t, os.Chtimes(path, date, date))
		must(t, b.Sync(bg))
		want[uint32(i+1)] = c.saved
	}
	check := func(b *box) {
		t.Helper()
		recs := b.Records(b.UIDs(), nil)
		if len(recs) != len(want) {
			t.Fatalf("%d messages", len(recs))
		}
		for _, r := range recs {
			must(t, b.Fill(&r))
			if got := b.SaveDate(&r); got != want[r.UID] {
				t.Errorf("UID %d: %d, want %d", r.UID, got, want[r.UID])
			}
		}
	}
	check(b)
	if _, _, err := b.SetFlags(bg, b.UIDs(), FlagChange{Op: Add, Flags: Seen}); err != nil {
		t.Fatal(err)
	}
	check(b)
	// A copy is saved when it is made, also once the state is lost and the uidlist was written anew by somebody else.
	other, err := b.store.Open("Other")
	must(t, err)
	before := time.Now().Unix()
	if _, err := b.CopyTo(bg, []uint32{1, 6}, other); err != nil {
		t.Fatal(err)
	}
	after := time.Now().Unix()
	list := func() string { return text(t, other.box, uidlistName) }
	if n := strings.Count(list(), " D"); n != 2 {
		t.Fatalf("%d dates in\n%s", n, list())
	}
	other.Release()
	b.shut()
	b = reopen(t, b.dir, t.TempDir())
	check(b)
	other, err = b.store.Open("Other")
	must(t, err)
	defer other.Release()
	for _, r := range other.Records(other.UIDs(), nil) {
		if got := other.SaveDate(&r); got < before || got > after {
			t.Errorf("copy: %d, made at %d", got, before)
		}
	}
}
