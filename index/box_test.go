package index

import (
	"os"
	"path/filepath"
	"testing"

	"roost/maildir"
)

// TestBoxFileDeleted: the file that says what of a mailbox is indexed is written anew with the next message when somebody deleted it.
func TestBoxFileDeleted(t *testing.T) {
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
	if err := x.Update(t.Context(), Follower{Store: store}); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(place, "*"+boxSuffix))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	if err := os.Remove(files[0]); err != nil {
		t.Fatal(err)
	}
	deliverWords(t, dir, 21)
	if err := x.Update(t.Context(), Follower{Store: store}); err != nil {
		t.Errorf("with a message more: %v", err)
	}
	if p, err := ReadProgress(place); err != nil || p.Waiting != 0 || p.Documents != 21 {
		t.Errorf("%+v, %v", p, err)
	}
	segs := x.segments()
	defer release(segs)
	b, err := loadBox(place, filepath.Base(files[0]), segs)
	if err != nil || len(b.entries) != 21 || b.written != 21 {
		t.Errorf("%d entries, %d in the file, %v", len(b.entries), b.written, err)
	}
}
