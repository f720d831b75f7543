package index

import (
	"path/filepath"
	"testing"
	"time"

	"roost/maildir"
)

// TestPurge expunges most messages: the index forgets their texts, also in the middle of it, and finds what is left.
func TestPurge(t *testing.T) {
	const n = 400
	dir := t.TempDir()
	deliverWords(t, dir, n)
	store, err := maildir.OpenStore(mailIn(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	x, err := Open(filepath.Join(dir, "search"), Options{}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	box, err := store.Open("INBOX")
	if err != nil {
		t.Fatal(err)
	}
	defer box.Release()
	f := Follower{Store: store, Memory: 150 << 10}
	update := func() (segs, docs int) {
		t.Helper()
		if err := x.Update(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		for _, s := range x.segments() {
			segs, docs = segs+1, docs+s.Docs()
			s.Release()
		}
		return segs, docs
	}
	if segs, docs := update(); segs < 2 || docs != n {
		t.Fatalf("%d segments, %d documents", segs, docs)
	}
	var gone []uint32
	stays := func(i int) bool { return i%10 == 3 || i >= n-5 } // the last segment keeps most of its documents
	for i := range n {
		if !stays(i) {
			gone = append(gone, uint32(i+1))
		}
	}
	if _, err := box.Expunge(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	left := len(box.UIDs())
	if left+len(gone) != n {
		t.Fatalf("%d messages are left", left)
	}
	segs, docs := update()
	for deadline := time.Now().Add(time.Minute); docs > 2*left && time.Now().Before(deadline); segs, docs = update() {
		time.Sleep(50 * time.Millisecond) // until the directory is old enough for its time to be believed
	}
	if segs < 2 || docs > 2*left {
		t.Errorf("%d segments, %d documents of %d messages", segs, docs, left)
	}
	for i := range n {
		own, _ := wordsOf(i)
		if got := len(found(t, x, box, own)); (got == 1) != stays(i) {
			t.Errorf("%q is found %d times", own, got)
		}
	}
}
