package index

import (
	"path/filepath"
	"testing"

	"roost/maildir"
)

// TestProgressCounts: what a person is told to be in the index are the messages that are there, each content once, not those that were expunged and whose
// texts the index has still.
func TestProgressCounts(t *testing.T) {
	dir := t.TempDir()
	deliverWords(t, dir, 20)
	store, err := maildir.OpenStore(mailIn(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	place := filepath.Join(dir, "search")
	x, err := Open(place, Options{}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	box, err := store.Open("INBOX")
	if err != nil {
		t.Fatal(err)
	}
	defer box.Release()
	expect := func(what string, want int) {
		t.Helper()
		if err := x.Update(t.Context(), Follower{Store: store}); err != nil {
			t.Fatal(err)
		}
		if p, err := ReadProgress(place); err != nil || p.Documents != want {
			t.Errorf("%s: %d documents, want %d (%v)", what, p.Documents, want, err)
		}
	}
	expect("at first", 20)
	if _, err := box.Expunge(t.Context(), []uint32{1, 7, 20}); err != nil {
		t.Fatal(err)
	}
	expect("after three were expunged", 17)
	if _, err := box.CopyTo(t.Context(), []uint32{2, 3}, box); err != nil {
		t.Fatal(err)
	}
	expect("with copies", 17)
	if _, err := box.Expunge(t.Context(), []uint32{2}); err != nil {
		t.Fatal(err)
	}
	expect("without one of the originals", 17)
}
