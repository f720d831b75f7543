package maildir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// mailboxes shows a mailbox list: "-" after the name means NoSelect, "+" has children.
func mailboxes(t *testing.T, s *Store) string {
	t.Helper()
	list, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for i, info := range list {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(info.Name)
		if info.NoSelect {
			b.WriteByte('-')
		}
		if info.HasChildren {
			b.WriteByte('+')
		}
		// What is listed as selectable can be opened, and nothing else.
		if ok, err := s.Exists(info.Name); err != nil && !errors.Is(err, ErrInvalidName) || ok == info.NoSelect {
			t.Errorf("%q: exists %t, %v", info.Name, ok, err)
		}
	}
	return b.String()
}

func wantList(t *testing.T, s *Store, want string) {
	t.Helper()
	if got := mailboxes(t, s); got != want {
		t.Errorf("list is %q\n        want %q", got, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("got %v, want %v", err, kind)
	}
}

// header reads the uidlist header of a mailbox.
func header(t *testing.T, s *Store, name string) uidlistHeader {
	t.Helper()
	_, d, err := s.openBox(name)
	must(t, err)
	defer d.close()
	f, err := d.open(uidlistName)
	must(t, err)
	defer f.Close()
	hdr, _, err := parseUIDList(f, func(uint32, []byte, []byte) error { return nil })
	must(t, err)
	return hdr
}

func TestCreateFlat(t *testing.T) {
	s := testStore(t, MaildirPP)
	put(t, s.root, sharedMark, "")
	must(t, s.Create("Work"))
	must(t, s.Create("A/B/é/"))
	wantErr(t, s.Create("Work"), ErrExists)
	wantErr(t, s.Create("Work/"), ErrExists)
	wantErr(t, s.Create("iNBOX"), ErrExists)
	wantErr(t, s.Create("A/B/e\u0301"), ErrExists) // the same in NFC
	for _, bad := range []string{"", "/", "a//b", "a.b", "..", "~x", strings.Repeat("x", 300)} {
		wantErr(t, s.Create(bad), ErrInvalidName)
	}
	must(t, s.Create("A")) // fills in a missing parent
	must(t, s.Create("INBOX/Sub"))
	wantList(t, s, "INBOX+ A+ A/B-+ A/B/é INBOX/Sub Work")
	box := filepath.Join(s.root.path(), ".A.B.&AOk-")
	for _, name := range []string{"cur", "new", "tmp", folderMark, sharedMark, uidlistName} {
		if _, err := os.Stat(filepath.Join(box, name)); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Join(s.root.path(), folderMark)); err == nil {
		t.Error("maildirfolder in the root")
	}
	one, two := header(t, s, "Work"), header(t, s, "A")
	if one.Validity == 0 || one.Validity >= two.Validity || one.Next != 1 || len(one.GUID) != 32 || one.GUID == two.GUID {
		t.Errorf("%+v %+v", one, two)
	}
	if ok, err := s.Exists("A/B/e\u0301"); !ok || err != nil {
		t.Error("NFD does not find NFC", err)
	}
	_, _, err := s.openBox("A/B")
	wantErr(t, err, ErrNotFound)
}

func TestCreateTree(t *testing.T) {
	s := testStore(t, FS)
	must(t, s.Create("A/B/C"))
	must(t, s.Create("Bare/"))
	must(t, s.Create(".hid"))
	wantErr(t, s.Create("Bare/"), ErrExists)
	wantErr(t, s.Create("A/"), ErrExists)
	wantErr(t, s.Create("A/B/C"), ErrExists)
	for _, bad := range []string{"cur", "A/new", "subscriptions", "A/dovecot-uidlist", "/etc", "a//b", ".."} {
		wantErr(t, s.Create(bad), ErrInvalidName)
	}
	wantList(t, s, "INBOX .hid A-+ A/B-+ A/B/C Bare-")
	_, _, err := s.openBox("A")
	wantErr(t, err, ErrNoSelect)
	must(t, s.Create("A/B")) // a bare directory becomes a mailbox
	wantList(t, s, "INBOX .hid A-+ A/B+ A/B/C Bare-")
	put(t, s.root, "file", "")
	wantErr(t, s.Create("file/x"), ErrCannot)
	if names := listDir(t, s.root); names[folderMark] {
		t.Error("maildirfolder")
	}
}

func TestCreateInheritsMode(t *testing.T) {
	s := testStore(t, MaildirPP)
	must(t, s.Create("A"))
	must(t, unix.Chmod(filepath.Join(s.root.path(), ".A"), 0o770))
	must(t, s.Create("A/B"))
	must(t, s.Create("C"))
	for name, mode := range map[string]uint32{".A.B": 0o770, ".A.B/cur": 0o770, ".A.B/" + uidlistName: 0o660, ".C": 0o755} {
		fi, err := os.Stat(filepath.Join(s.root.path(), name))
		if err != nil || uint32(fi.Mode().Perm())&^0o055 != mode&^0o055 {
			t.Errorf("%s: %v %v", name, fi.Mode(), err)
		}
	}
}

// TestListOfOthers: what other programs may have left in a root.
func TestListOfOthers(t *testing.T) {
	s := testStore(t, MaildirPP)
	for _, name := range []string{
		".Plain", ".No.Parent.Here", ".Up.", "..dots", ".Q..R", ".INBOX", ".inbox.low", ".a&b", ".\u00e9t\u00e9", ".\xe9lat", ".&AOk-", "nodot",
		".~tilde", ".ctl\x01", ".e\u0301",
	} {
		must(t, os.MkdirAll(filepath.Join(s.root.path(), name), 0o700))
	}
	put(t, s.root, ".file", "")
	must(t, os.Symlink("/", filepath.Join(s.root.path(), ".link")))
	before := listDir(t, s.root)
	wantList(t, s, "INBOX+ INBOX/low- No-+ No/Parent-+ No/Parent/Here Plain a&b e\u0301 ~tilde- \u00e9 \u00e9t\u00e9 \uFFFDlat-")
	if after := listDir(t, s.root); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("LIST changed the disk: %v", after)
	}
	_, _, err := s.openBox("link")
	wantErr(t, err, ErrNotFound)
	_, _, err = s.openBox("link/etc")
	wantErr(t, err, ErrNotFound)
}

func TestListDeepTree(t *testing.T) {
	s := testStore(t, FS)
	must(t, os.MkdirAll(s.root.path()+strings.Repeat("/d", 200), 0o700))
	must(t, os.Symlink("/", filepath.Join(s.root.path(), "link")))
	list, err := s.List()
	if err != nil || len(list) > maxDepth+3 {
		t.Errorf("%d, %v", len(list), err)
	}
	_, _, err = s.openBox("link/etc")
	wantErr(t, err, ErrNotFound)
}

func TestListLarge(t *testing.T) {
	s := testStore(t, MaildirPP)
	for i := range 2000 {
		must(t, s.root.mkdir(fmt.Sprintf(".Lists.list-%04d", i), 0o700))
	}
	calls := 0
	s.root.inject(func(op, path string) error { calls++; return nil })
	list, err := s.List()
	s.root.inject(nil)
	if err != nil || len(list) != 2002 {
		t.Errorf("%d, %v", len(list), err)
	}
	if calls > 2 {
		t.Errorf("%d operations", calls)
	}
}

func TestDeleteFlat(t *testing.T) {
	s := testStore(t, MaildirPP)
	must(t, s.Create("A"))
	must(t, s.Create("A/B"))
	must(t, s.SetSubscribed("A", true))
	old := header(t, s, "A")
	must(t, os.WriteFile(filepath.Join(s.root.path(), ".A", "cur", "1.x:2,S"), []byte("x"), 0o600))
	wantErr(t, s.Delete("inbox"), ErrCannot)
	wantErr(t, s.Delete("None"), ErrNotFound)
	must(t, s.Delete("A"))
	wantList(t, s, "INBOX A-+ A/B")
	wantErr(t, s.Delete("A"), ErrNotFound) // a missing parent
	wantSubscribed(t, s, "A")
	if names := listDir(t, s.root); names[trashBox] || names[".A"] {
		t.Error(names)
	}
	must(t, s.Create("A"))
	if now := header(t, s, "A"); now.Validity <= old.Validity || now.GUID == old.GUID {
		t.Errorf("%+v after %+v", now, old)
	}
	// Dovecot is deleting something at this moment.
	must(t, os.MkdirAll(filepath.Join(s.root.path(), trashBox, "cur"), 0o700))
	must(t, s.Delete("A"))
	if entries, err := os.ReadDir(filepath.Join(s.root.path(), trashBox)); err != nil || len(entries) != 1 {
		t.Error(entries, err)
	}
	wantList(t, s, "INBOX A-+ A/B")
	if _, err := s.root.stat(trashBox); err != nil {
		t.Error("a fresh trash directory was removed")
	}
}

func TestDeleteTree(t *testing.T) {
	s := testStore(t, FS)
	must(t, s.Create("A"))
	must(t, s.Create("A/B/C"))
	must(t, s.Create("Bare/"))
	must(t, os.WriteFile(filepath.Join(s.root.path(), "A", "cur", "1.x:2,S"), []byte("x"), 0o600))
	old := header(t, s, "A")
	must(t, s.Delete("A")) // its children stay
	wantList(t, s, "INBOX A-+ A/B-+ A/B/C Bare-")
	wantErr(t, s.Delete("A"), ErrHasChildren)
	must(t, s.Create("A"))
	if now := header(t, s, "A"); now.Validity <= old.Validity || now.GUID == old.GUID {
		t.Errorf("%+v after %+v", now, old)
	}
	must(t, s.Delete("A/B/C")) // bare parents go with it
	wantList(t, s, "INBOX A Bare-")
	must(t, s.Delete("Bare"))
	must(t, s.Delete("A"))
	wantErr(t, s.Delete("A"), ErrNotFound)
	wantErr(t, s.Delete("INBOX"), ErrCannot)
	wantList(t, s, "INBOX")
	names := listDir(t, s.root)
	for _, known := range []string{"cur", "new", "tmp", uidvalidityName} {
		delete(names, known)
	}
	if len(names) != 1 { // the uidvalidity marker
		t.Error(names)
	}
}

func TestDeleteWhileLocked(t *testing.T) {
	s := testStore(t, MaildirPP)
	must(t, s.Create("A"))
	_, d, err := s.openBox("A")
	must(t, err)
	defer d.close()
	lock, err := lockUIDList(s.ctx, d)
	must(t, err)
	time.AfterFunc(200*time.Millisecond, func() { lock.unlock() })
	start := time.Now()
	must(t, s.Delete("A"))
	if time.Since(start) < 150*time.Millisecond {
		t.Error("deleted under somebody's lock")
	}
}

func TestStaleTrash(t *testing.T) {
	s := testStore(t, MaildirPP)
	must(t, os.MkdirAll(filepath.Join(s.root.path(), trashBox, "cur"), 0o700))
	must(t, os.WriteFile(filepath.Join(s.root.path(), trashBox, "cur", "1.x"), nil, 0o600))
	wantList(t, s, "INBOX")
	s.cleaners.Wait()
	if _, err := s.root.stat(trashBox); err != nil {
		t.Error("a fresh trash directory was removed:", err)
	}
	s.cleanTrash(0)
	s.cleaners.Wait()
	if _, err := s.root.stat(trashBox); err == nil {
		t.Error("still there")
	}
}

func TestRenameFlat(t *testing.T) {
	s := testStore(t, MaildirPP)
	for _, name := range []string{"A", "A/B/C", "AB", "X/Y"} {
		must(t, s.Create(name))
	}
	old := header(t, s, "A")
	wantErr(t, s.Rename("A", "AB"), ErrExists)
	wantErr(t, s.Rename("A", "X"), ErrExists) // a missing parent is there too
	wantErr(t, s.Rename("A", "A"), ErrExists)
	wantErr(t, s.Rename("A", "A/B/D"), ErrCannot)
	wantErr(t, s.Rename("A", "inbox"), ErrExists)
	wantErr(t, s.Rename("None", "N"), ErrNotFound)
	wantErr(t, s.Rename("A", "a//b"), ErrInvalidName)
	wantErr(t, s.Rename("A", strings.Repeat("x", 252)), ErrInvalidName) // A/B/C would be too long
	wantList(t, s, "INBOX A+ A/B-+ A/B/C AB X-+ X/Y")
	must(t, s.Rename("A", "N/é"))
	wantList(t, s, "INBOX AB N-+ N/é+ N/é/B-+ N/é/B/C X-+ X/Y")
	if now := header(t, s, "N/é"); now != old {
		t.Errorf("%+v became %+v", old, now)
	}
	must(t, s.Rename("X", "Z")) // only its child exists
	wantList(t, s, "INBOX AB N-+ N/é+ N/é/B-+ N/é/B/C Z-+ Z/Y")
}

func TestRenameFlatRollsBack(t *testing.T) {
	s := testStore(t, MaildirPP)
	for _, name := range []string{"A", "A/B", "A/C"} {
		must(t, s.Create(name))
	}
	s.root.inject(func(op, path string) error {
		if op == "rename" && strings.HasSuffix(path, ".A.C") {
			return unix.EACCES
		}
		return nil
	})
	wantErr(t, s.Rename("A", "N"), ErrPermission)
	s.root.inject(nil)
	wantList(t, s, "INBOX A+ A/B A/C")
}

func TestRenameTree(t *testing.T) {
	s := testStore(t, FS)
	for _, name := range []string{"A", "A/B/C", "AB", "X/Y"} {
		must(t, s.Create(name))
	}
	old := header(t, s, "A/B/C")
	wantErr(t, s.Rename("A", "X"), ErrExists)
	wantErr(t, s.Rename("A", "A/N"), ErrCannot)
	wantErr(t, s.Rename("None", "N"), ErrNotFound)
	wantErr(t, s.Rename("A", "tmp"), ErrInvalidName)
	wantErr(t, s.Rename("A", strings.Repeat("n/", 31)+"n"), ErrInvalidName) // A/B/C would be too deep
	must(t, s.Rename("A", "P/Q"))
	wantList(t, s, "INBOX AB P-+ P/Q+ P/Q/B-+ P/Q/B/C X-+ X/Y")
	if now := header(t, s, "P/Q/B/C"); now != old {
		t.Errorf("%+v became %+v", old, now)
	}
	must(t, s.Rename("X/Y", "Y")) // the bare parent goes
	wantList(t, s, "INBOX AB P-+ P/Q+ P/Q/B-+ P/Q/B/C Y")
}

func TestRenameOpenMailbox(t *testing.T) {
	for _, layout := range []Layout{MaildirPP, FS} {
		s := testStore(t, layout)
		must(t, s.Create("A/B"))
		m, err := s.Open("A/B")
		must(t, err)
		must(t, s.Rename("A", "N"))
		if m.Name() != "N/B" {
			t.Errorf("the open mailbox is called %q", m.Name())
		}
		again, err := s.Open("N/B")
		must(t, err)
		if again != m {
			t.Error("two mailboxes of one directory")
		}
		again.Release()
		must(t, s.Delete("N/B"))
		wantErr(t, m.Sync(s.ctx), ErrGone)
		must(t, s.Create("N/B"))
		fresh, err := s.Open("N/B")
		must(t, err)
		must(t, fresh.Sync(s.ctx))
		fresh.Release()
		m.Release()
	}
}

func TestRenameInbox(t *testing.T) {
	for _, layout := range []Layout{MaildirPP, FS} {
		s := testStore(t, layout)
		must(t, s.Create("INBOX/Sub"))
		for i := range 5 {
			put(t, s.root, fmt.Sprintf("cur/170000000%d.M1P1.h:2,S", i), "Subject: x\n\n"+strings.Repeat("x", i))
		}
		must(t, s.Rename("inbox", "Old/Mail"))
		wantErr(t, s.Rename("INBOX", "Old/Mail"), ErrExists)
		want := "INBOX+ INBOX/Sub Old-+ Old/Mail"
		wantList(t, s, want)
		for name, n := range map[string]int{"INBOX": 0, "Old/Mail": 5, "INBOX/Sub": 0} {
			m, err := s.Open(name)
			must(t, err)
			must(t, m.Sync(s.ctx))
			if got := m.Records(m.UIDs(), nil); len(got) != n || slices.ContainsFunc(got, func(r Record) bool { return r.Flags != Seen }) {
				t.Errorf("%s: %+v", name, got)
			}
			m.Release()
		}
	}
}

// TestTreeRaces: two processes create, rename and delete the same names; everything that is there at the end is whole.
func TestTreeRaces(t *testing.T) {
	for _, layout := range []Layout{MaildirPP, FS} {
		one := testStore(t, layout)
		two, err := OpenStore(one.opt)
		must(t, err)
		defer two.Close()
		var wg sync.WaitGroup
		for i, s := range []*Store{one, two} {
			wg.Go(func() {
				for j := range 30 {
					name := fmt.Sprintf("A/%d", j%3)
					var err error
					switch (i + j) % 4 {
					case 0, 1:
						err = s.Create(name)
					case 2:
						err = s.Rename(name, fmt.Sprintf("B/%d", j%2))
					case 3:
						err = s.Delete(name)
					}
					if err != nil && !errors.Is(err, ErrExists) && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrHasChildren) {
						t.Errorf("%s: %v", name, err)
					}
					if _, err := s.List(); err != nil {
						t.Errorf("list: %v", err)
					}
				}
			})
		}
		wg.Wait()
		list, err := one.List()
		must(t, err)
		validities := map[uint32]string{}
		for _, info := range list {
			if info.NoSelect {
				continue
			}
			m, err := one.Open(info.Name)
			must(t, err)
			v := m.Status().UIDValidity
			if validities[v] != "" {
				t.Errorf("%s and %s have the same UIDVALIDITY", info.Name, validities[v])
			}
			validities[v] = info.Name
			m.Release()
		}
	}
}

func TestCreateFaults(t *testing.T) {
	for _, layout := range []Layout{MaildirPP, FS} {
		s := testStore(t, layout)
		for n := 1; ; n++ {
			left := n
			fired := false
			s.root.inject(func(op, path string) error {
				if op == "stat" || op == "unlink" || op == "rmdir" || op == "readdir" {
					return nil
				}
				if left--; left == 0 {
					fired = true
					return unix.ENOSPC
				}
				return nil
			})
			err := s.Create("A")
			s.root.inject(nil)
			if !fired {
				must(t, err)
				break
			}
			if err != nil {
				wantErr(t, err, ErrFull)
			}
			// Whatever is there now is a mailbox or nothing.
			if err := s.Create("A"); err != nil {
				wantErr(t, err, ErrExists)
			}
			m, err := s.Open("A")
			must(t, err)
			m.Release()
			must(t, s.Delete("A"))
			wantList(t, s, "INBOX")
			if n > 200 {
				t.Fatal("never succeeds")
			}
		}
		wantList(t, s, "INBOX A")
	}
}

// TestBelowInbox: in the fs layout mailboxes below INBOX have nothing to do with those of the same name beside it.
func TestBelowInbox(t *testing.T) {
	root := t.TempDir()
	s, err := OpenStore(Options{Root: root, State: t.TempDir(), Layout: FS, Separator: '/', Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	names := func() (all []string) {
		t.Helper()
		infos, err := s.List()
		do(err)
		for _, i := range infos {
			name := i.Name
			if i.NoSelect {
				name += "!"
			}
			all = append(all, name)
		}
		return all
	}
	want := func(want ...string) {
		t.Helper()
		if got := names(); !slices.Equal(got, want) {
			t.Fatalf("%q, want %q", got, want)
		}
	}
	for _, name := range []string{"wrk", "INBOX/wrk", "par/kid", "INBOX/par/kid"} {
		do(s.Create(name))
	}
	top, err := s.Open("wrk")
	do(err)
	defer top.Release()
	below, err := s.Open("INBOX/wrk")
	do(err)
	defer below.Release()
	do(s.Rename("INBOX/wrk", "moved"))
	want("INBOX", "INBOX/par!", "INBOX/par/kid", "moved", "par!", "par/kid", "wrk")
	do(top.Sync(bg))
	do(below.Sync(bg))
	do(s.Rename("INBOX/par", "INBOX/par2"))
	want("INBOX", "INBOX/par2!", "INBOX/par2/kid", "moved", "par!", "par/kid", "wrk")
	do(s.Rename("moved", "INBOX/back"))
	do(s.Rename("INBOX/back", "INBOX/deep/er"))
	want("INBOX", "INBOX/deep!", "INBOX/deep/er", "INBOX/par2!", "INBOX/par2/kid", "par!", "par/kid", "wrk")
	do(below.Sync(bg))
	do(s.Delete("INBOX/deep/er"))
	do(s.Delete("INBOX/par2/kid"))
	want("INBOX", "par!", "par/kid", "wrk")
	if _, err := os.Stat(filepath.Join(root, "INBOX")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory INBOX is left: %v", err)
	}
}

// TestDeletedAtOnce: a mailbox of the fs layout that is in use, renamed and deleted leaves nothing behind.
func TestDeletedAtOnce(t *testing.T) {
	root := t.TempDir()
	s, err := OpenStore(Options{Root: root, State: t.TempDir(), Layout: FS, Separator: '/', Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range 30 {
		first, then := fmt.Sprint("a", i), fmt.Sprint("b", i)
		if err := s.Create(first); err != nil {
			t.Fatal(err)
		}
		m, err := s.Open(first)
		if err != nil {
			t.Fatal(err)
		}
		(&box{Mailbox: m, t: t}).append("x", Seen)
		m.doubt() // as when somebody else changes something
		m.Release()
		if err := errors.Join(s.Rename(first, then), s.Delete(then)); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(5 * hintDelay)
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), "b") {
			t.Errorf("%s is left", e.Name())
		}
	}
}

// TestFileForParent: what stands where a parent would have to be is told without a path of the server.
func TestFileForParent(t *testing.T) {
	root := t.TempDir()
	must(t, os.WriteFile(filepath.Join(root, "plain"), nil, 0o600))
	s, err := OpenStore(Options{Root: root, State: t.TempDir(), Layout: FS, Separator: '/', Create: true})
	must(t, err)
	defer s.Close()
	if err := s.Create("plain/below"); !errors.Is(err, ErrCannot) || strings.Contains(err.Error(), root) {
		t.Error(err)
	}
}

// A message that is on its way when its mailbox is deleted has nowhere to go, and that is all that is wrong.
func TestDeleteMeetsDelivery(t *testing.T) {
	s, err := OpenStore(Options{Root: t.TempDir(), State: t.TempDir(), Separator: '/', Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Create("A"); err != nil {
		t.Fatal(err)
	}
	m, err := s.Open("A")
	if err != nil {
		t.Fatal(err)
	}
	defer m.Release()
	d, err := m.NewDelivery()
	if err != nil {
		t.Fatal(err)
	}
	defer d.Abort()
	if err := s.Delete("A"); err != nil {
		t.Fatal(err)
	}
	if err := d.Add(strings.NewReader("Subject: x\n\n"), 0, nil, time.Time{}); !errors.Is(err, ErrGone) {
		t.Errorf("got %v, want ErrGone", err)
	}
}
