package maildir

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

func str(s string) *string { return &s }

func wantMetadata(t *testing.T, s *Store, name string, want map[string]string) {
	t.Helper()
	got, err := s.Metadata(name)
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%q has %q, %v, want %q", name, got, err, want)
	}
}

// Annotations stay where they belong through restarts, renames and deletions, in both layouts, and have nothing to do with the state directory.
func TestMetadata(t *testing.T) {
	for _, layout := range []Layout{MaildirPP, FS} {
		t.Run(fmt.Sprint(layout), func(t *testing.T) {
			root := filepath.Join(t.TempDir(), "Maildir")
			open := func() *Store {
				t.Helper()
				s, err := OpenStore(Options{Root: root, Layout: layout, State: t.TempDir(), Separator: '/', Create: true})
				must(t, err)
				return s
			}
			s := open()
			for _, name := range []string{"a", "a/b", "c"} {
				must(t, s.Create(name))
			}
			odd := "\x00\x01\t\r\n \"ü\xff"
			for name, values := range map[string]map[string]*string{
				"":      {"/shared/comment": str("server"), "/private/x": str("")},
				"INBOX": {"/shared/comment": str("inbox")},
				"a/b":   {"/private/comment": str(odd), "/private/x\ty": str("y"), "/private/gone": str("z")},
				"c":     {"/private/c": str("c")},
			} {
				must(t, s.SetMetadata(name, values, 1))
			}
			must(t, s.SetMetadata("a/b", map[string]*string{"/private/gone": nil, "/private/never": nil}, 1))
			must(t, s.SetMetadata("c", map[string]*string{"/private/c": nil}, 1))
			must(t, s.Rename("a", "d"))
			must(t, s.Close())
			s = open()
			wantMetadata(t, s, "", map[string]string{"/shared/comment": "server", "/private/x": ""})
			wantMetadata(t, s, "INBOX", map[string]string{"/shared/comment": "inbox"})
			wantMetadata(t, s, "d/b", map[string]string{"/private/comment": odd, "/private/x\ty": "y"})
			wantMetadata(t, s, "d", nil)
			wantMetadata(t, s, "c", nil)
			dir := map[Layout]string{MaildirPP: ".c", FS: "c"}[layout]
			if _, err := os.Stat(filepath.Join(root, dir, metadataName)); err == nil {
				t.Error("a file that says nothing is left")
			}
			must(t, s.Delete("d/b"))
			must(t, s.Create("d/b"))
			wantMetadata(t, s, "d/b", nil)
			for _, name := range []string{"a/b", "x", "../x", "*"} {
				if _, err := s.Metadata(name); !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrInvalidName) {
					t.Errorf("%q: %v", name, err)
				}
				if err := s.SetMetadata(name, map[string]*string{"/private/x": str("x")}, 1); !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrInvalidName) {
					t.Errorf("%q: %v", name, err)
				}
			}
			must(t, s.Close())
		})
	}
}

// What Dovecot wrote is there, until it is changed or removed here; what is Dovecot's own is not shown. Its file is read again when it changes.
func TestDovecotAttributes(t *testing.T) {
	root := t.TempDir()
	b := reopen(t, root, t.TempDir())
	s := b.store
	must(t, s.Create("a"))
	inboxID, boxID := header(t, s, "INBOX").GUID, header(t, s, "a").GUID
	file := filepath.Join(root, attributesName)
	write := func(lines ...string) {
		t.Helper()
		must(t, os.WriteFile(file+".lock", []byte(strings.Join(lines, "\n")+"\n"), 0o600))
		must(t, os.Rename(file+".lock", file))
	}
	write(
		"priv/"+boxID+"/comment", "tab\x01tnl\x01nend",
		"shared/"+boxID+"/Comment", "shared",
		"priv/"+inboxID+"/comment", "inbox",
		"shared/"+inboxID+"/vendor/vendor.dovecot/pvt/server/comment", "server",
		"priv/"+inboxID+"/vendor/vendor.dovecot/pvt/server/vendor/x", "mine",
		"priv/"+inboxID+"/vendor/vendor.dovecot/pvt/sieve/default", "secret",
		"priv/00000000000000000000000000000000/comment", "of no mailbox",
		"nonsense", "x", "priv/"+boxID+"/half",
	)
	wantMetadata(t, s, "a", map[string]string{"/private/comment": "tab\tnl\nend", "/shared/comment": "shared"})
	wantMetadata(t, s, "INBOX", map[string]string{"/private/comment": "inbox"})
	wantMetadata(t, s, "", map[string]string{"/shared/comment": "server", "/private/vendor/x": "mine"})
	must(t, s.SetMetadata("a", map[string]*string{"/private/comment": nil, "/shared/comment": str("ours"), "/private/new": str("n")}, 1))
	want := map[string]string{"/shared/comment": "ours", "/private/new": "n"}
	wantMetadata(t, s, "a", want)
	write("priv/"+boxID+"/comment", "again", "priv/"+boxID+"/later", "later")
	want["/private/later"] = "later"
	wantMetadata(t, s, "a", want)
	must(t, s.SetMetadata("a", map[string]*string{"/private/comment": str("back")}, 1))
	want["/private/comment"] = "back"
	wantMetadata(t, s, "a", want)
	must(t, os.Remove(file))
	delete(want, "/private/later")
	wantMetadata(t, s, "a", want)
	must(t, os.Mkdir(file, 0o700))
	wantMetadata(t, s, "a", want)
}

// Whatever goes wrong with the files, what was there is there, or what was to be.
func TestMetadataFaults(t *testing.T) {
	for n := int64(1); ; n++ {
		b := reopen(t, fastDir(t), fastDir(t))
		must(t, b.store.SetMetadata("INBOX", map[string]*string{"/private/a": str("old"), "/private/b": str("old")}, 1))
		var count atomic.Int64
		failed := false
		b.store.root.inject(func(string, string) error {
			if count.Add(1) == n {
				failed = true
				return unix.ENOSPC
			}
			return nil
		})
		err := b.store.SetMetadata("INBOX", map[string]*string{"/private/a": str("new"), "/private/b": nil}, 1)
		b.store.root.inject(nil)
		got, rerr := b.store.Metadata("INBOX")
		must(t, rerr)
		old, fresh := map[string]string{"/private/a": "old", "/private/b": "old"}, map[string]string{"/private/a": "new"}
		if !maps.Equal(got, fresh) && (err == nil || !maps.Equal(got, old)) {
			t.Errorf("operation %d failed: %q, %v", n, got, err)
		}
		must(t, b.store.SetMetadata("INBOX", map[string]*string{"/private/c": str("later")}, 1))
		b.shut()
		if !failed {
			return
		}
	}
}

// Changes at the same time all count, up to the limit.
func TestMetadataAtOnce(t *testing.T) {
	b := reopen(t, fastDir(t), fastDir(t))
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 10 {
				if err := b.store.SetMetadata("INBOX", map[string]*string{fmt.Sprintf("/private/%d/%d", i, j): str("x")}, uint64(i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got, err := b.store.Metadata("INBOX"); err != nil || len(got) != 40 {
		t.Errorf("%d annotations, %v", len(got), err)
	}
	many := map[string]*string{}
	for i := range defaultMaxMetadata - 40 {
		many[fmt.Sprint("/shared/", i)] = str("x")
	}
	must(t, b.store.SetMetadata("INBOX", many, 1))
	wantErr(t, b.store.SetMetadata("INBOX", map[string]*string{"/private/more": str("x"), "/shared/0": str("y")}, 1), ErrLimit)
	must(t, b.store.SetMetadata("INBOX", map[string]*string{"/shared/0": str("y")}, 1))
	must(t, b.store.SetMetadata("INBOX", map[string]*string{"/private/more": str("x"), "/shared/0": nil}, 1))
	changed, now := b.store.MetadataChanges(40, 2)
	if len(changed) != defaultMaxMetadata-40+3 || changed[0].Mailbox != "INBOX" || now != b.store.MetadataNow() {
		t.Errorf("%d changes up to %d", len(changed), now)
	}
	if changed, _ := b.store.MetadataChanges(0, 1); len(changed) > 40 {
		t.Errorf("%d changes of others", len(changed))
	}
	if changed, _ := b.store.MetadataChanges(now, 2); len(changed) != 0 {
		t.Errorf("%q has changed since", changed)
	}
	// The memory for news ends.
	for i := range maxMetadataNews {
		must(t, b.store.SetMetadata("", map[string]*string{"/shared/x": str(fmt.Sprint(i))}, 1))
	}
	if changed, _ := b.store.MetadataChanges(0, 2); len(changed) != maxMetadataNews || changed[0] != (MetadataChange{"", "/shared/x"}) {
		t.Errorf("%d changes", len(changed))
	}
}
