package maildir

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A STORE that meets a rename by a program without a lock changes what there is then: it takes nothing back of the other change, and with UNCHANGEDSINCE it
// leaves the message alone (RFC 7162 §3.1.3).
func TestStoreMeetsRename(t *testing.T) {
	for _, cond := range []bool{false, true} {
		b := newBox(t)
		b.put("cur", "1.M1P1.x:2,", "Subject: x\n\n")
		if err := b.Sync(bg); err != nil {
			t.Fatal(err)
		}
		cur := filepath.Join(b.dir, "cur")
		done := false
		b.box.inject(func(op, path string) error {
			if op == "rename" && !done && strings.HasSuffix(path, "/cur/1.M1P1.x:2,") {
				done = true
				return os.Rename(filepath.Join(cur, "1.M1P1.x:2,"), filepath.Join(cur, "1.M1P1.x:2,F"))
			}
			return nil
		})
		ch := FlagChange{Op: Add, Flags: Seen}
		if now := b.Now(); cond {
			ch.UnchangedSince = &now
		}
		changed, modified, err := b.SetFlags(bg, b.UIDs(), ch)
		b.box.inject(nil)
		if err != nil || !done {
			t.Fatal(err, done)
		}
		want := Flagged | Seen
		if cond {
			want = Flagged
		}
		if recs := b.Records(b.UIDs(), nil); len(recs) != 1 || recs[0].Flags != want {
			t.Errorf("UNCHANGEDSINCE %v: flags are %v, want %v", cond, recs, want)
		}
		if cond != (len(modified) == 1) || cond != (len(changed) == 0) {
			t.Errorf("UNCHANGEDSINCE %v: changed %v, modified %v", cond, changed, modified)
		}
		b.shut()
	}
}
