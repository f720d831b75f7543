package maildir

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// copyTree is cp -a.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// tree lists the files below a directory.
func fileTree(t *testing.T, dir string) (files []string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		files = append(files, path)
		return err
	}))
	return files
}

// A Maildir that is replaced while it is open is given up: nothing goes into the old one any more, and who opens the path next finds what is there,
// with the UIDs that clients know, and gives out none again.
func TestRootMoved(t *testing.T) {
	for name, replace := range map[string]func(root, backup string){
		"moved away": func(root, backup string) {
			must(t, os.Rename(root, root+".old"))
			copyTree(t, backup, root)
		},
		"removed": func(root, backup string) {
			err := os.RemoveAll(root)
			for try := 0; err != nil && try < 1000; try++ { // a file was made in it meanwhile
				err = os.RemoveAll(root)
			}
			must(t, err)
			copyTree(t, backup, root)
		},
		"with the home": func(root, backup string) {
			must(t, os.Rename(filepath.Dir(root), filepath.Dir(root)+".old"))
			must(t, os.Mkdir(filepath.Dir(root), 0o700))
			copyTree(t, backup, root)
		},
		"nothing instead": func(root, backup string) { must(t, os.Rename(root, root+".old")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			root, state, backup := filepath.Join(dir, "home", "Maildir"), filepath.Join(dir, "state"), filepath.Join(dir, "backup")
			for _, sub := range []string{"cur", "new", "tmp"} {
				must(t, os.MkdirAll(filepath.Join(root, sub), 0o700))
			}
			b := reopen(t, root, state)
			must(t, b.store.Create("Work"))
			first := b.append("one\n", Flagged)
			b.append("two\n", 0)
			validity := b.Status().UIDValidity
			copyTree(t, root, backup)
			last := b.append("three, after the backup\n", 0)
			d, err := b.NewDelivery()
			must(t, err)
			defer d.Abort()
			must(t, d.Add(strings.NewReader("under way\n"), 0, nil, time.Time{}))

			wake, stop := b.Wait()
			defer stop()
			<-wake
			replace(root, backup)
			if name != "nothing instead" {
				b.store.Check()
			}
			select { // the periodic look finds out by itself
			case <-b.store.Context().Done():
			case <-time.After(time.Minute):
				t.Fatal("nobody noticed")
			}
			<-wake
			before := fileTree(t, dir)
			if err := b.Sync(bg); !errors.Is(err, ErrGone) {
				t.Errorf("Sync: %v", err)
			}
			if _, err := d.Commit(bg); !errors.Is(err, ErrGone) {
				t.Errorf("Commit: %v", err)
			}
			if _, err := b.store.Open("Work"); !errors.Is(err, ErrMoved) {
				t.Errorf("Open: %v", err)
			}
			if err := b.store.Create("New"); !errors.Is(err, ErrMoved) {
				t.Errorf("Create: %v", err)
			}
			if _, _, err := b.SetFlags(bg, []uint32{first}, FlagChange{Op: Add, Flags: Seen}); !errors.Is(err, ErrGone) {
				t.Errorf("SetFlags: %v", err)
			}
			for _, path := range fileTree(t, dir) {
				if !slices.Contains(before, path) {
					t.Errorf("%s was made", path)
				}
			}
			if name == "nothing instead" {
				return
			}

			next := reopen(t, root, state)
			if got := next.Status().UIDValidity; got != validity {
				t.Errorf("UIDVALIDITY %d, was %d", got, validity)
			}
			if got := next.UIDs(); !slices.Equal(got, []uint32{first, first + 1}) {
				t.Errorf("UIDs %d", got)
			}
			if recs := next.Records([]uint32{first}, nil); len(recs) != 1 || recs[0].Flags != Flagged {
				t.Errorf("flags: %+v", recs)
			}
			b.Release() // later than its successor is opened
			if uid := next.append("four\n", 0); uid <= last {
				t.Errorf("UID %d was given out again", uid)
			}
			must(t, b.store.Close())
			b.store = nil
		})
	}
}

// The same for one mailbox, and for the directory of its messages.
func TestMailboxMoved(t *testing.T) {
	for _, c := range []struct {
		layout     Layout
		name, path string
	}{
		{MaildirPP, "Work", ".Work"}, {FS, "Work/Deep", "Work/Deep"}, {FS, "Work/Deep", "Work"},
		{MaildirPP, "Work", ".Work/cur"}, {MaildirPP, "INBOX", "cur"}, {FS, "INBOX", "new"},
	} {
		t.Run(c.name+" by "+c.path, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			root := filepath.Join(dir, "Maildir")
			s, err := OpenStore(Options{Root: root, Layout: c.layout, State: filepath.Join(dir, "state"), Separator: '/', Create: true})
			must(t, err)
			defer s.Close()
			if c.name != "INBOX" {
				must(t, s.Create(c.name))
			}
			open := func() *box {
				m, err := s.Open(c.name)
				must(t, err)
				return &box{m, t, s, root}
			}
			old := open()
			first := old.append("one\n", Flagged)
			path := filepath.Join(root, c.path)
			backup := filepath.Join(dir, "backup")
			copyTree(t, path, backup)
			last := old.append("two\n", Seen)
			must(t, os.Rename(path, path+".gone"))
			must(t, os.Rename(path+".gone", filepath.Join(dir, "elsewhere")))
			copyTree(t, backup, path)
			next := open()
			defer next.Release()
			if next.Mailbox == old.Mailbox {
				t.Fatal("the mailbox that was moved away is opened")
			}
			if err := old.Sync(bg); !errors.Is(err, ErrGone) {
				t.Errorf("Sync of the old one: %v", err)
			}
			if _, err := old.Expunge(bg, []uint32{first}); !errors.Is(err, ErrGone) {
				t.Errorf("Expunge in the old one: %v", err)
			}
			if got := next.UIDs(); len(got) == 0 || got[0] != first {
				t.Errorf("UIDs %d", got)
			}
			old.Release()
			if uid := next.append("three\n", 0); uid <= last {
				t.Errorf("UID %d was given out again", uid)
			}
			next.check()
		})
	}
}

// A mailbox that another program renames stays open for those who use it.
func TestMailboxRenamedByOthers(t *testing.T) {
	b := newBox(t)
	must(t, b.store.Create("Work"))
	m, err := b.store.Open("Work")
	must(t, err)
	defer m.Release()
	must(t, os.Rename(filepath.Join(b.dir, ".Work"), filepath.Join(b.dir, ".Play")))
	must(t, m.Sync(bg))
	again, err := b.store.Open("Play")
	must(t, err)
	defer again.Release()
	if again != m {
		t.Error("one directory is open twice")
	}
}
