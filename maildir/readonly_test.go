package maildir

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// frozen makes a file system of its own, which fill fills, and makes it read-only.
func frozen(t *testing.T, fill func(dir string)) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("needs a file system that can be made read-only: mounting a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	fill(dir)
	must(t, unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	return dir
}

// A Maildir that cannot be written to is read, with its UIDs; changes are refused.
func TestReadOnly(t *testing.T) {
	var validity uint32
	dir := frozen(t, func(dir string) {
		root := filepath.Join(dir, "Maildir")
		must(t, os.Mkdir(root, 0o700))
		b := reopen(t, root, "")
		b.append("one\n", Flagged, "kw")
		b.append("two\n", 0)
		validity = b.Status().UIDValidity
		must(t, b.store.Create("New"))
		must(t, b.store.Create("Never"))
		must(t, os.WriteFile(filepath.Join(root, ".New", "new", "1.unnumbered.h"), []byte("x\n"), 0o600))
		must(t, os.Remove(filepath.Join(root, ".Never", uidlistName)))
		b.shut()
	})
	state := t.TempDir()
	for _, state := range []string{"", state, state} {
		s, err := OpenStore(Options{Root: filepath.Join(dir, "Maildir"), State: state, Separator: '/', Create: true})
		must(t, err)
		var log bytes.Buffer
		s.log = slog.New(slog.NewTextHandler(&log, nil))
		m, err := s.Open("INBOX")
		must(t, err)
		b := &box{m, t, s, ""}
		if !m.ReadOnly() || m.Status().UIDValidity != validity || !slices.Equal(m.UIDs(), []uint32{1, 2}) {
			t.Errorf("read-only %v, status %+v, UIDs %d", m.ReadOnly(), m.Status(), m.UIDs())
		}
		recs := m.Records([]uint32{1}, nil)
		if len(recs) != 1 || recs[0].Flags != Flagged || recs[0].Keywords.Letters != 1 || b.body(1) != "one\n" {
			t.Errorf("message 1: %+v", recs)
		}
		must(t, m.Sync(bg))
		must(t, m.rescan(bg))
		if _, _, err := m.SetFlags(bg, []uint32{1}, FlagChange{Op: Add, Flags: Seen}); !errors.Is(err, ErrPermission) {
			t.Errorf("SetFlags: %v", err)
		}
		if _, err := m.Expunge(bg, []uint32{1}); !errors.Is(err, ErrPermission) {
			t.Errorf("Expunge: %v", err)
		}
		if _, err := m.CopyTo(bg, []uint32{1}, m); !errors.Is(err, ErrPermission) {
			t.Errorf("CopyTo: %v", err)
		}
		for _, name := range []string{"New", "Never"} {
			if _, err := s.Open(name); !errors.Is(err, ErrPermission) {
				t.Errorf("%s, whose messages have no UIDs: %v", name, err)
			} else {
				t.Log(err)
			}
		}
		for range 2 { // what was given up is watched no more
			if _, err := s.Open("New"); !errors.Is(err, ErrPermission) {
				t.Errorf("once more: %v", err)
			}
		}
		if text := log.String(); strings.Contains(text, "not watched") {
			t.Error(text)
		}
		m.Release()
		must(t, s.Close())
	}
}

// A mailbox that is open learns of permissions that change when it is opened once more.
func TestReadOnlyMeanwhile(t *testing.T) {
	dir := frozen(t, func(dir string) {
		b := reopen(t, filepath.Join(dir, "Maildir"), "")
		b.append("one\n", Flagged, "kw")
		b.shut()
	})
	thaw := func(flags uintptr) { must(t, unix.Mount("", dir, "", unix.MS_REMOUNT|flags, "")) }
	thaw(0)
	b := reopen(t, filepath.Join(dir, "Maildir"), "")
	for i, flags := range []uintptr{unix.MS_RDONLY, 0, unix.MS_RDONLY, 0} {
		thaw(flags)
		m, err := b.store.Open("INBOX")
		must(t, err)
		if m.ReadOnly() != (flags != 0) {
			t.Errorf("the %d. time it is read-only: %v", i+1, m.ReadOnly())
		}
		m.Release()
	}
}
