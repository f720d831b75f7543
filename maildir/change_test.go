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

// A keyword comes into being when a message gets it, not when a change that was to bring it leaves all messages alone or finds none.
func TestNoKeywordForNobody(t *testing.T) {
	b := newBox(t)
	b.put("cur", "1.M1P1.x:2,", "Subject: x\n\n")
	b.put("cur", "1.M2P1.x:2,", "Subject: x\n\n")
	if err := b.Sync(bg); err != nil {
		t.Fatal(err)
	}
	var none ModSeq
	ch := FlagChange{Op: Add, Keywords: []string{"New"}, UnchangedSince: &none}
	if _, modified, err := b.SetFlags(bg, b.UIDs(), ch); err != nil || len(modified) != 2 {
		t.Fatal(modified, err)
	}
	if _, _, err := b.SetFlags(bg, []uint32{77}, FlagChange{Op: Replace, Keywords: []string{"New"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(b.dir, "dovecot-keywords")); err == nil || len(b.KeywordNames()) != 0 {
		t.Errorf("nobody has one of the keywords %q; dovecot-keywords: %v", b.KeywordNames(), err)
	}
	// One of several is enough.
	now := b.Now()
	if _, _, err := b.SetFlags(bg, []uint32{1}, FlagChange{Op: Add, Flags: Seen}); err != nil {
		t.Fatal(err)
	}
	ch.UnchangedSince = &now
	if changed, modified, err := b.SetFlags(bg, b.UIDs(), ch); err != nil || len(modified) != 1 || len(changed) != 1 || !changed[0].Keywords.Has(0) {
		t.Error(changed, modified, err)
	}
}
