package maildir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// isFrozen tells whether the records are still to be read.
func (m *Mailbox) isFrozen() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.frozen != nil
}

// frozenBox is a mailbox with all that a snapshot can say, as it is after a restart, and where its snapshot is.
func frozenBox(t *testing.T) (b *box, before []Record, snapshot string) {
	t.Helper()
	root, state := fastDir(t), fastDir(t)
	b = reopen(t, root, state)
	for i := range 8 {
		b.append("message\n", []Flags{Seen, Seen | Flagged, 0, Deleted}[i%4], []string{"Work"}[:i%2]...)
	}
	b.put("cur", "1.odd.host:2,SFX,ext", "a name that is not like ours\n")
	b.put("new", "2.new.host", "not claimed\n")
	b.sync()
	if _, err := b.Expunge(bg, []uint32{2, 5}); err != nil {
		t.Fatal(err)
	}
	before = b.Records(b.UIDs(), nil)
	if len(before) != 8 {
		t.Fatalf("%d messages", len(before))
	}
	b.shut()
	b = reopen(t, root, state)
	if !b.isFrozen() {
		t.Fatal("nothing changed, but all was read")
	}
	return b, before, filepath.Join(boxState(state, inbox), "records")
}

// What SELECT asks for is known without the records, and the records are as they were.
func TestFrozen(t *testing.T) {
	b, before, _ := frozenBox(t)
	b.wantUIDs(1, 3, 4, 6, 7, 8, 9, 10)
	st := b.Status()
	if st.Messages != 8 || st.Unseen != 5 || st.Deleted != 2 || b.FirstUnseen() != 3 || st.UIDNext != 11 {
		t.Errorf("%+v, first unseen %d", st, b.FirstUnseen())
	}
	if ch := b.Changes(b.Now()); ch.Changed != nil || ch.Expunged != nil || ch.Unknown {
		t.Errorf("%+v", ch)
	}
	b.sync()
	if !b.isFrozen() {
		t.Error("all was read for nothing")
	}
	if got := b.Records(b.UIDs(), nil); !reflect.DeepEqual(got, before) || b.isFrozen() {
		t.Errorf("%+v, were %+v", got, before)
	}
	if again := b.Status(); again != st || b.FirstUnseen() != 3 {
		t.Errorf("%+v, first unseen %d", again, b.FirstUnseen())
	}
	if ch := b.Changes(before[0].ModSeq); !reflect.DeepEqual(ch.Expunged, []uint32{2, 5}) {
		t.Errorf("%+v", ch)
	}
}

// A change by others or by us, and an event, need the records.
func TestFrozenChanges(t *testing.T) {
	for name, change := range map[string]func(b *box){
		"store":  func(b *box) { b.SetFlags(bg, []uint32{1}, FlagChange{Op: Add, Flags: Answered}) },
		"append": func(b *box) { b.append("more\n", 0) },
		"claim":  func(b *box) { b.ClaimRecent(bg) },
		"others": func(b *box) { b.put("new", "3.more.host", "by others\n"); b.sync() },
		"reappears": func(b *box) {
			b.put("cur", b.deadName()+":2,", "clients were told that it is gone\n")
			b.sync()
			if uids := b.UIDs(); uids[len(uids)-1] != 11 {
				b.t.Errorf("UIDs %d", uids)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, before, _ := frozenBox(t)
			change(b)
			if b.isFrozen() {
				t.Error("still frozen")
			}
			if got := b.Records([]uint32{4}, nil); !reflect.DeepEqual(got[0], before[2]) {
				t.Errorf("%+v, was %+v", got[0], before[2])
			}
			b.shut()
		})
	}
}

// deadName is a base name of a message that was expunged, of which the uidlist still has the line.
func (b *box) deadName() string {
	b.t.Helper()
	b.lockAll()
	defer b.mu.Unlock()
	for base := range b.dead {
		return base
	}
	b.t.Fatal("no line is left")
	return ""
}

// Whatever becomes of the snapshot, before it is opened or after that, no message and no flag is another one.
func TestFrozenDamaged(t *testing.T) {
	b, before, path := frozenBox(t)
	good, err := os.ReadFile(path)
	must(t, err)
	state := filepath.Dir(filepath.Dir(filepath.Dir(path)))
	damaged := map[string][]byte{"empty": {}, "longer": append(append([]byte{}, good...), 0), "another": []byte("RoostSN2 of before")}
	stride := 41
	if *long {
		stride = 1
	}
	for i := 0; i < len(good); i += stride {
		flipped := append([]byte{}, good...)
		flipped[i] ^= 1 << (i % 8)
		damaged[fmt.Sprintf("a bit flipped at %d", i)] = flipped
		damaged[fmt.Sprintf("cut at %d", i)] = good[:i]
	}
	compare := func(what string) {
		t.Helper()
		got := b.Records(b.UIDs(), nil)
		if len(got) != len(before) {
			t.Fatalf("%s: %d messages", what, len(got))
		}
		for i := range got {
			// Others are only MODSEQs, and what is found out when it is asked for.
			g, w := got[i], before[i]
			if g.UID != w.UID || g.Flags != w.Flags || !reflect.DeepEqual(g.Keywords, w.Keywords) || g.ModSeq < w.ModSeq {
				t.Fatalf("%s: %+v, was %+v", what, g, w)
			}
		}
	}
	for what, content := range damaged {
		must(t, os.WriteFile(path, content, 0o600)) // in place: the file that is open
		compare(what + " while open")
		b.shut()
		must(t, os.WriteFile(path, content, 0o600))
		b = reopen(t, b.dir, state)
		compare(what)
		b.shut()
		must(t, os.WriteFile(path, good, 0o600))
		b = reopen(t, b.dir, state)
	}
}

// When neither the snapshot nor the uidlist can be read, the mailbox ends, and who opens it anew gets what there is.
func TestFrozenLost(t *testing.T) {
	b, before, path := frozenBox(t)
	must(t, os.Truncate(path, 300))
	list := filepath.Join(b.dir, uidlistName)
	must(t, os.Rename(list, list+".away"))
	if got := b.Records(b.UIDs(), nil); len(got) != 0 || !errors.Is(b.failed(), ErrGone) {
		t.Errorf("%d records, %v", len(got), b.failed())
	}
	must(t, os.Rename(list+".away", list))
	m, err := b.store.Open("INBOX")
	must(t, err)
	defer m.Release()
	if got := m.Records(m.UIDs(), nil); len(got) != len(before) || got[0].UID != before[0].UID {
		t.Errorf("%+v", got)
	}
}
