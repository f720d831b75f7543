package maildir

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fullDisk is a directory on a small file system of its own, and a function that leaves no room on it.
func fullDisk(t *testing.T) (dir string, fill func()) {
	t.Helper()
	dir = t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("needs a file system that can be filled: mounting a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir, func() {
		f, err := os.OpenFile(filepath.Join(dir, "ballast"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		must(t, err)
		defer f.Close()
		for size := 1 << 16; size > 0; {
			if _, err := f.Write(make([]byte, size)); err != nil {
				size /= 2
			}
		}
		must(t, f.Sync())
	}
}

// On a full disk nothing can be added, and everything can be removed, so that there is room again.
func TestFullDisk(t *testing.T) {
	disk, fill := fullDisk(t)
	root := filepath.Join(disk, "Maildir")
	must(t, os.Mkdir(root, 0o700))
	b := reopen(t, root, filepath.Join(disk, "state"))
	must(t, b.store.Create("Work"))
	work, err := b.store.Open("Work")
	must(t, err)
	text := strings.Repeat("room\n", 4000)
	for range 8 {
		b.append(text, 0)
	}
	fill()
	if _, err := b.ClaimRecent(bg); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(filepath.Join(root, "new")); err != nil || len(left) != 8 {
		t.Errorf("%d messages were left in new/: %v", len(left), err)
	}
	removeFromFull(t, b, work)
	b.append(text, Seen)
	work.Release()
}

// The same with errors of the file operations that take room, on any file system.
func TestFullDiskFaults(t *testing.T) {
	b := newBox(t)
	must(t, b.store.Create("Work"))
	work, err := b.store.Open("Work")
	must(t, err)
	for range 8 {
		b.append("room\n", 0)
	}
	b.store.root.inject(func(op, _ string) error {
		if op == "write" || op == "mkdir" {
			return unix.ENOSPC
		}
		return nil
	})
	must(t, os.WriteFile(filepath.Join(b.dir, "new", "1.unnumbered.h"), []byte("later\n"), 0o600))
	removeFromFull(t, b, work)
	b.store.root.inject(nil)
	b.append("more\n", Seen)
	must(t, b.rescan(bg))
	if n := len(b.UIDs()); n != 6 {
		t.Errorf("%d messages, want 4 that were left, the unnumbered one, and the last", n)
	}
	work.Release()
}

// Where there is room for some names and not for others, what can be marked for deletion is.
func TestFullDirectory(t *testing.T) {
	b := newBox(t)
	for range 4 {
		b.append("room\n", Seen)
	}
	recs := b.Records(b.UIDs(), nil)
	name := ""
	must(t, b.withFile(recs[1].UID, func(_ *dir, n string) error { name = n; return nil }))
	b.store.root.inject(func(op, path string) error {
		if op == "rename" && strings.HasSuffix(path, "/"+name) {
			return unix.ENOSPC
		}
		return nil
	})
	changed, _, err := b.SetFlags(bg, b.UIDs(), FlagChange{Op: Add, Flags: Deleted})
	b.store.root.inject(nil)
	if !errors.Is(err, ErrFull) || len(changed) != 3 {
		t.Errorf("%d changed, %v", len(changed), err)
	}
	if gone, err := b.Expunge(bg, []uint32{1, 3, 4}); err != nil || len(gone) != 3 {
		t.Errorf("EXPUNGE: %d gone, %v", len(gone), err)
	}
}

// removeFromFull deletes messages of an INBOX with eight of them, and the mailbox Work.
func removeFromFull(t *testing.T, b *box, work *Mailbox) {
	t.Helper()
	d, err := b.NewDelivery()
	must(t, err)
	if err = d.Add(strings.NewReader(strings.Repeat("more\n", 4000)), 0, nil, time.Time{}); err == nil {
		_, err = d.Commit(bg)
	}
	d.Abort()
	if !errors.Is(err, ErrFull) {
		t.Errorf("there was room: %v", err)
	}
	uids := b.UIDs()
	changed, _, err := b.SetFlags(bg, uids[:4], FlagChange{Op: Add, Flags: Deleted})
	if err != nil || len(changed) != 4 {
		t.Errorf("STORE: %d changed, %v", len(changed), err)
	}
	if gone, err := b.Expunge(bg, uids[:2]); err != nil || len(gone) != 2 {
		t.Errorf("EXPUNGE: %d gone, %v", len(gone), err)
	}
	if err := b.store.Delete("Work"); err != nil {
		t.Errorf("DELETE: %v", err)
	}
	if gone, err := b.Expunge(bg, uids[2:4]); err != nil || len(gone) != 2 {
		t.Errorf("EXPUNGE: %d gone, %v", len(gone), err)
	}
	if got := b.UIDs(); len(got) != 4 || got[0] != uids[4] {
		t.Errorf("UIDs %d", got)
	}
}

// TestKeywordsOnFullDisk: a keyword that there is no room to write is not there, now and after the next start; and it can be set when there is.
func TestKeywordsOnFullDisk(t *testing.T) {
	disk, fill := fullDisk(t)
	root := filepath.Join(disk, "Maildir")
	must(t, os.Mkdir(root, 0o700))
	state := t.TempDir()
	b := reopen(t, root, state)
	var keywords []string
	for i := range 30 {
		keywords = append(keywords, fmt.Sprint("k", i))
	}
	b.append("one", Seen, keywords...)
	b.append("two", Seen)
	fill()
	add := FlagChange{Op: Add, Flags: Flagged, Keywords: []string{"k29"}}
	check := func(has bool) {
		t.Helper()
		got := b.has(2, "k29")
		if got != has {
			t.Errorf("the message has k29: %v", got)
		}
	}
	changed, _, err := b.SetFlags(bg, []uint32{1, 2}, add)
	if !errors.Is(err, ErrFull) {
		t.Fatalf("%v", err)
	}
	check(false)
	for _, r := range changed {
		if r.UID == 2 && len(r.Keywords.More) > 0 {
			t.Error("it is told to be there")
		}
	}
	b.shut()
	b = reopen(t, root, state)
	check(false)
	must(t, os.Remove(filepath.Join(disk, "ballast")))
	_, _, err = b.SetFlags(bg, []uint32{2}, add)
	must(t, err)
	check(true)
	b.shut()
	b = reopen(t, root, state)
	check(true)
}

// has tells whether a message has a keyword.
func (b *box) has(uid uint32, name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	slot, ok := b.keywords.slots[name]
	kw := b.keywordsOf(b.recs.find(uid))
	return ok && kw.Has(int(slot))
}

// TestFirstOpenFull: a mailbox that nobody ever read has no messages while they cannot be numbered, and gets the UIDs they would have had.
func TestFirstOpenFull(t *testing.T) {
	for op, wants := range map[string]error{"write": nil, "fdatasync": unix.EIO} {
		t.Run(op, func(t *testing.T) {
			b := newBox(t)
			must(t, b.store.Create("Old"))
			const n = 2 * manyFiles
			for i := range n {
				put(t, b.store.root, fmt.Sprintf(".Old/cur/%d.M1P1.h:2,S", 1700000000+i), "Subject: x\n\n")
			}
			must(t, os.WriteFile(filepath.Join(b.dir, ".Old", uidlistName), []byte("3 V5 N7 G"+strings.Repeat("ab", 16)+"\n"), 0o600))
			b.store.root.inject(func(o, path string) error {
				if o == op && strings.HasSuffix(path, ".Old/"+uidlistName) {
					return cmp.Or(wants, error(unix.ENOSPC))
				}
				return nil
			})
			m, err := b.store.Open("Old")
			if !errors.Is(err, wants) {
				t.Fatal(err)
			}
			if err == nil {
				defer m.Release()
				if got := m.UIDs(); len(got) != 0 {
					t.Errorf("UIDs %v that are not on disk", got)
				}
			}
			b.store.root.inject(nil)
			again, err := b.store.Open("Old")
			must(t, err)
			defer again.Release()
			must(t, again.rescan(bg))
			uids := again.UIDs()
			if len(uids) != n {
				t.Fatalf("%d messages", len(uids))
			}
			for i := range uids {
				if recs := again.Records(uids[i:i+1], nil); string(again.recs.baseOf(again.recs.find(uids[i]))) != fmt.Sprintf("%d.M1P1.h", 1700000000+i) ||
					recs[0].Flags != Seen {
					t.Fatalf("UID %d: %+v", uids[i], recs)
				}
			}
			if uids[0] < 7 {
				t.Errorf("UIDs begin with %d", uids[0])
			}
		})
	}
}
