package maildir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// copyBox copies a mailbox's directory, without the mailboxes below it, as cp does.
func copyBox(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(from, path)
		switch {
		case e.IsDir() && rel != "." && filepath.Base(rel)[0] == '.':
			return fs.SkipDir
		case e.IsDir():
			return os.Mkdir(filepath.Join(to, rel), 0o700)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), b, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// identity opens a mailbox and returns its GUID, UIDVALIDITY and UIDs.
func identity(t *testing.T, s *Store, name string) (guid string, validity uint32, uids []uint32) {
	t.Helper()
	m, err := s.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Release()
	guid, validity = m.Identity()
	if err := checkMailbox(m); err != nil {
		t.Error(err)
	}
	if written := readUIDListHeader(m.box).GUID; written != guid {
		t.Errorf("%s: %s in memory, %s in the file", name, guid, written)
	}
	return guid, validity, m.UIDs()
}

// TestCopiedDirectory: a mailbox that somebody copied with its uidlist gets a GUID of its own (RFC 8474 §4), whichever is opened first, with and without a
// state directory. The original keeps its GUID, and both their UIDs.
func TestCopiedDirectory(t *testing.T) {
	for _, tt := range []struct {
		name     string
		original string // "" is INBOX
		copy     string
		seen     bool // Roost has had the original open before
		first    bool // the copy is opened first
		state    bool
	}{
		{"beside", "Archive", "Archive-old", true, false, true},
		{"opened first", "Archive", "Archive-old", true, true, true},
		{"shorter name", "Archive", "A", true, true, true},
		{"never seen", "Archive", "Archive-old", false, false, true},
		{"never seen, opened first", "Archive", "Archive-old", false, true, true},
		{"of INBOX", "", "A", false, true, true},
		{"without state", "Archive", "Archive-old", false, false, false},
		{"without state, opened first", "Archive", "Archive-old", false, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root, state := t.TempDir(), ""
			if tt.state {
				state = t.TempDir()
			}
			open := func() *Store {
				s, err := OpenStore(Options{Root: root, State: state, Separator: '/', Create: true})
				if err != nil {
					t.Fatal(err)
				}
				return s
			}
			name, dir := "INBOX", root
			if tt.original != "" {
				name, dir = tt.original, filepath.Join(root, "."+tt.original)
			}
			s := open()
			if err := s.Create(name); err != nil && !errors.Is(err, ErrExists) {
				t.Fatal(err)
			}
			for _, f := range []string{"1.a.h:2,", "2.b.h:2,S"} {
				if err := os.WriteFile(filepath.Join(dir, "cur", f), []byte("Subject: x\n\nbody\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			guid, validity, _ := identity(t, s, name)
			s.Close()
			if !tt.seen && state != "" {
				if err := os.RemoveAll(filepath.Join(state, "boxes")); err != nil {
					t.Fatal(err)
				}
			}
			copyBox(t, dir, filepath.Join(root, "."+tt.copy))
			var own string
			for range 2 { // and it stays so
				s = open()
				defer s.Close()
				order := []string{name, tt.copy}
				if tt.first {
					order = []string{tt.copy, name}
				}
				got := map[string]string{}
				for _, box := range order {
					g, v, uids := identity(t, s, box)
					if got[box] = g; v != validity || len(uids) != 2 {
						t.Errorf("%s: UIDVALIDITY %d, UIDs %v", box, v, uids)
					}
				}
				if got[name] != guid {
					t.Errorf("the original has another GUID: %s, not %s", got[name], guid)
				}
				if got[tt.copy] == guid || own != "" && got[tt.copy] != own {
					t.Errorf("the copy has GUID %s, the original %s, before it was %s", got[tt.copy], guid, own)
				}
				own = got[tt.copy]
				s.Close()
			}
		})
	}
}

// TestCopiedWhileOpen: the original is open and nothing is saved of it yet.
func TestCopiedWhileOpen(t *testing.T) {
	root := t.TempDir()
	s, err := OpenStore(Options{Root: root, State: t.TempDir(), Separator: '/', Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Create("Archive"); err != nil {
		t.Fatal(err)
	}
	m, err := s.Open("Archive")
	if err != nil {
		t.Fatal(err)
	}
	defer m.Release()
	guid, _ := m.Identity()
	copyBox(t, filepath.Join(root, ".Archive"), filepath.Join(root, ".A"))
	if got, _, _ := identity(t, s, "A"); got == guid {
		t.Error("the copy has the GUID of the original")
	}
	// One that another program renames is the same mailbox.
	own, _, _ := identity(t, s, "A")
	if err := os.Rename(filepath.Join(root, ".A"), filepath.Join(root, ".B")); err != nil {
		t.Fatal(err)
	}
	if got, _, _ := identity(t, s, "B"); got != own {
		t.Errorf("a mailbox that was renamed has GUID %s, not %s", got, own)
	}
}

// TestCopyTakesThePlace: a copy that was looked at before it takes the place of the original, as a backup that is put beside it first, is the original
// again: for clients its name and UIDVALIDITY are the same, so it has the same GUID, and no UID is given out twice.
func TestCopyTakesThePlace(t *testing.T) {
	root, state := t.TempDir(), t.TempDir()
	open := func() *Store {
		s, err := OpenStore(Options{Root: root, State: state, Separator: '/', Create: true})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	at := func(name string) string { return filepath.Join(root, "."+name) }
	deliver := func(name, file string) {
		if err := os.WriteFile(filepath.Join(at(name), "cur", file), []byte("Subject: x\n\nbody\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := open()
	defer func() { s.Close() }()
	if err := s.Create("Archive"); err != nil {
		t.Fatal(err)
	}
	deliver("Archive", "1.a.h:2,")
	guid, validity, _ := identity(t, s, "Archive")
	copyBox(t, at("Archive"), at("Archive-new"))
	if got, _, _ := identity(t, s, "Archive-new"); got == guid {
		t.Error("the copy has the GUID of the original")
	}
	deliver("Archive", "2.b.h:2,")
	identity(t, s, "Archive")
	s.Close()
	if err := errors.Join(os.Rename(at("Archive"), at("Archive-old")), os.Rename(at("Archive-new"), at("Archive"))); err != nil {
		t.Fatal(err)
	}
	deliver("Archive", "3.c.h:2,")
	s = open()
	got, v, uids := identity(t, s, "Archive")
	if got != guid || v != validity || !slices.Equal(uids, []uint32{1, 3}) {
		t.Errorf("in its place it has GUID %s, UIDVALIDITY %d and UIDs %v, the original had %s and %d and gave out 2", got, v, uids, guid, validity)
	}
	if got, _, _ := identity(t, s, "Archive-old"); got == guid {
		t.Error("what was moved away still has its GUID")
	}
}
