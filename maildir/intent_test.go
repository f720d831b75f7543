package maildir

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestIntent leaves an intent behind after each number of its steps; whoever opens the root next finishes it.
func TestIntent(t *testing.T) {
	steps := []step{
		{stepRename, "tmp/one", "cur/1700000001.M1P1.h:2,S"},
		{stepLink, "cur/1700000000.M1P1.h:2,", ".Box/cur/1700000002.M1P1.h:2,"},
		{stepRemove, "cur/1700000000.M1P1.h:2,", ".Box/cur/1700000002.M1P1.h:2,"},
		{stepRename, ".A.x", ".B.x"},
	}
	for done := range len(steps) + 1 {
		s := testStore(t, MaildirPP)
		must(t, s.Create("Box"))
		must(t, s.Create("A/x"))
		put(t, s.root, "tmp/one", "Subject: one\n\n")
		put(t, s.root, "cur/1700000000.M1P1.h:2,", "Subject: two\n\n")
		i, err := s.intend(steps)
		must(t, err)
		for _, st := range steps[:done] {
			must(t, s.redo(st))
		}
		s.finishIntents() // of a living process: left alone
		if _, err := i.tmp.stat(i.name); err != nil {
			t.Fatal("the intent of somebody alive was finished")
		}
		i.f.Close() // and now it is dead
		s.finishIntents()
		if _, err := i.tmp.stat(i.name); err == nil {
			t.Error("still there")
		}
		for path, want := range map[string]bool{
			"tmp/one": false, "cur/1700000001.M1P1.h:2,S": true, "cur/1700000000.M1P1.h:2,": false, ".Box/cur/1700000002.M1P1.h:2,": true,
			".A.x": false, ".B.x/cur": true,
		} {
			if _, err := os.Stat(filepath.Join(s.root.path(), path)); (err == nil) != want {
				t.Errorf("after %d steps: %s: %v", done, path, err)
			}
		}
	}
}

// What others changed since is theirs: no step overwrites anything or leaves the root, and a torn intent says nothing.
func TestIntentOfOthers(t *testing.T) {
	s := testStore(t, MaildirPP)
	put(t, s.root, "tmp/one", "one")
	put(t, s.root, "tmp/two", "two")
	put(t, s.root, "cur/taken:2,", "taken")
	outside := filepath.Join(t.TempDir(), "outside")
	must(t, os.WriteFile(outside, nil, 0o600))
	rel, err := filepath.Rel(s.root.path(), outside)
	must(t, err)
	intents := []string{
		intentHead + "r tmp/one\x00cur/taken:2,\x00d tmp/two\x00cur/absent:2,\x00d " + rel + "\x00cur/taken:2,\x00r tmp/two\x00" + rel + "\x00" + intentEnd,
		intentHead + "r tmp/one\x00cur/other:2,\x00",
		intentHead + "r tmp/one" + intentEnd,
		"",
	}
	for i, text := range intents {
		put(t, s.root, "tmp/"+intentPrefix+string(rune('0'+i)), text)
	}
	s.finishIntents()
	for path, want := range map[string]string{"tmp/one": "one", "tmp/two": "two", "cur/taken:2,": "taken"} {
		if b, err := os.ReadFile(filepath.Join(s.root.path(), path)); string(b) != want {
			t.Errorf("%s: %q, %v", path, b, err)
		}
	}
	if _, err := os.Stat(outside); err != nil {
		t.Error(err)
	}
	left, _ := filepath.Glob(filepath.Join(s.root.path(), "tmp", intentPrefix+"*"))
	if len(left) != 1 { // the first names what cannot be; the administrator is told
		t.Errorf("left: %q", left)
	}
}

// A MULTIAPPEND, a COPY and a MOVE leave no intent behind, whether they succeed or not.
func TestIntentEnds(t *testing.T) {
	s := testStore(t, MaildirPP)
	must(t, s.Create("Box"))
	m, err := s.Open("INBOX")
	must(t, err)
	defer m.Release()
	box, err := s.Open("Box")
	must(t, err)
	defer box.Release()
	appendOne := func() []uint32 {
		d, err := m.NewDelivery()
		must(t, err)
		for range 3 {
			must(t, d.Add(strings.NewReader("Subject: x\r\n\r\n"), Seen, nil, time.Time{}))
		}
		uids, err := d.Commit(bg)
		must(t, err)
		return uids
	}
	uids := appendOne()
	_, err = m.CopyTo(bg, uids, box)
	must(t, err)
	_, err = m.MoveTo(bg, uids, box)
	must(t, err)
	if n, _ := filepath.Glob(filepath.Join(s.root.path(), "tmp", "*")); len(n) != 0 {
		t.Errorf("left: %q", n)
	}
	if len(m.UIDs()) != 0 || len(box.UIDs()) != 6 {
		t.Errorf("%d and %d messages", len(m.UIDs()), len(box.UIDs()))
	}
}
