package maildir

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestChangesAcrossRestart asks a mailbox that was closed and opened again what happened since a moment before.
func TestChangesAcrossRestart(t *testing.T) {
	opt := Options{Root: t.TempDir(), State: t.TempDir(), Separator: '/', Create: true}
	open := func() (*Store, *Mailbox) {
		s, err := OpenStore(opt)
		must(t, err)
		m, err := s.Open("INBOX")
		must(t, err)
		return s, m
	}
	s, m := open()
	for i := range 6 {
		put(t, s.root, "cur/170000000"+string(rune('0'+i))+".M1P1.h:2,S", "Subject: x\n\n")
	}
	must(t, m.rescan(bg))
	start := m.Now()
	_, _, err := m.SetFlags(bg, []uint32{2}, FlagChange{Op: Add, Flags: Flagged})
	must(t, err)
	_, err = m.Expunge(bg, []uint32{3})
	must(t, err)
	end := m.Now()
	check := func(what string, m *Mailbox, since ModSeq, changed, expunged []uint32, unknown bool) {
		t.Helper()
		ch := m.Changes(since)
		var got []uint32
		for _, r := range ch.Changed {
			got = append(got, r.UID)
		}
		if !slices.Equal(got, changed) || !slices.Equal(ch.Expunged, expunged) || ch.Unknown != unknown {
			t.Errorf("%s: changed %v, expunged %v, unknown %v", what, got, ch.Expunged, ch.Unknown)
		}
	}
	all := []uint32{1, 2, 4, 5, 6}
	check("open", m, start, []uint32{2}, []uint32{3}, false)
	check("of the future", m, end+1e12, all, nil, true)
	m.Release()
	must(t, s.Close())

	s, m = open()
	if m.Now() != end {
		t.Errorf("nothing happened, but HIGHESTMODSEQ moved from %d to %d", end, m.Now())
	}
	check("closed and opened", m, start, []uint32{2}, []uint32{3}, false)
	check("closed and opened, nothing new", m, end, nil, nil, false)
	check("closed and opened, from the beginning", m, 1, all, nil, true)
	m.Release()
	must(t, s.Close())

	// Somebody else is at it while we are not there.
	cur := filepath.Join(opt.Root, "cur")
	must(t, os.Rename(cur+"/1700000000.M1P1.h:2,S", cur+"/1700000000.M1P1.h:2,"))
	must(t, os.Remove(cur+"/1700000003.M1P1.h:2,S"))
	time.Sleep(2 * tick)
	s, m = open()
	check("changed meanwhile", m, end, []uint32{1}, []uint32{4}, false)
	check("changed meanwhile, since long ago", m, start, []uint32{1, 2}, []uint32{3, 4}, false)

	// This process dies: what it said since the last save nobody knows.
	m.save()
	_, _, err = m.SetFlags(bg, []uint32{5}, FlagChange{Op: Add, Flags: Flagged})
	must(t, err)
	told := m.Now()
	_, _, err = m.SetFlags(bg, []uint32{5}, FlagChange{Op: Remove, Flags: Flagged})
	must(t, err)
	s2, m2 := open()
	defer s2.Close()
	defer m2.Release()
	check("after a crash", m2, told, []uint32{1, 2, 5, 6}, nil, true)
	check("after a crash, again", m2, m2.Now(), nil, nil, false)
	m.Release()
	s.Close()
}
