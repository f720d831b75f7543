package maildir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// testRoot opens a fresh directory.
func testRoot(t testing.TB) *dir {
	t.Helper()
	d, err := openRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.close() })
	return d
}

// put writes a file with this content.
func put(t testing.TB, d *dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(d.path(), name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// text reads a file.
func text(t testing.TB, d *dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(d.path(), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func listDir(t testing.TB, d *dir) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	if err := d.readNames(func(name string, _ uint8) bool {
		if names[name] {
			t.Errorf("%q listed twice", name)
		}
		names[name] = true
		return true
	}); err != nil {
		t.Fatal(err)
	}
	return names
}

func TestDirRefusesPaths(t *testing.T) {
	d := testRoot(t)
	put(t, d, "file", "")
	for _, name := range []string{"", ".", "..", "/", "a/b", "../x", "/etc/passwd", "a\x00b", string(make([]byte, 256))} {
		ops := map[string]func() error{
			"sub":     func() error { _, err := d.sub(name); return err },
			"create":  func() error { _, err := d.create(name, 0o600); return err },
			"open":    func() error { _, err := d.open(name); return err },
			"append":  func() error { _, err := d.openAppend(name); return err },
			"write":   func() error { _, err := d.openWrite(name); return err },
			"stat":    func() error { _, err := d.stat(name); return err },
			"rename":  func() error { return d.rename(name, d, "x") },
			"to":      func() error { return d.rename("file", d, name) },
			"norepl":  func() error { return d.renameNoReplace("file", d, name) },
			"link":    func() error { return d.link("file", d, name) },
			"unlink":  func() error { return d.unlink(name) },
			"rmdir":   func() error { return d.rmdir(name) },
			"mkdir":   func() error { return d.mkdir(name, 0o700) },
			"times":   func() error { return d.setTimes(name, time.Now()) },
			"remove":  func() error { return d.removeAll(name) },
			"mkdirAs": func() error { return d.mkdirAs(name, perm{0o600, 0o700, -1, -1}) },
		}
		for op, call := range ops {
			if err := call(); err == nil {
				t.Errorf("%s(%q) worked", op, name)
			}
		}
	}
	if got := listDir(t, d); len(got) != 1 || !got["file"] {
		t.Errorf("left behind: %v", got)
	}
}

func TestDirFollowsNoLinks(t *testing.T) {
	outside := testRoot(t)
	put(t, outside, "secret", "s")
	d := testRoot(t)
	if err := os.Symlink(outside.path(), filepath.Join(d.path(), "dir")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(outside.path(), "secret"), filepath.Join(d.path(), "file")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.sub("dir"); !absent(err) {
		t.Errorf("sub: %v", err)
	}
	if _, err := d.open("file"); !errors.Is(err, unix.ELOOP) {
		t.Errorf("open: %v", err)
	}
	if _, err := d.create("file", 0o600); !errors.Is(err, fs.ErrExist) {
		t.Errorf("create: %v", err)
	}
	if err := d.removeAll("dir"); err != nil {
		t.Error(err)
	}
	if text(t, outside, "secret") != "s" {
		t.Error("removed what a link pointed to")
	}
}

func TestOpenOnlyRegular(t *testing.T) {
	d := testRoot(t)
	if err := unix.Mkfifo(filepath.Join(d.path(), "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.open("fifo"); !errors.Is(err, errNotRegular) { // and does not block
		t.Error(err)
	}
	if err := d.mkdir("d", 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := d.open("d"); !errors.Is(err, errNotRegular) {
		t.Error(err)
	}
}

func TestDirSurvivesRename(t *testing.T) {
	root := testRoot(t)
	if err := root.mkdir("a", 0o700); err != nil {
		t.Fatal(err)
	}
	a, err := root.sub("a")
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	if err := root.rename("a", root, "b"); err != nil {
		t.Fatal(err)
	}
	f, err := a.create("x", 0o600)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if _, err := os.Stat(filepath.Join(root.path(), "b", "x")); err != nil {
		t.Error(err)
	}
	a.close()
	if _, err := a.stat("x"); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after close: %v", err)
	}
}

func TestRenameNoReplace(t *testing.T) {
	d := testRoot(t)
	put(t, d, "a", "a")
	put(t, d, "b", "b")
	if err := d.renameNoReplace("a", d, "b"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("onto a file: %v", err)
	}
	if err := d.renameNoReplace("a", d, "c"); err != nil || text(t, d, "c") != "a" {
		t.Error(err)
	}
	d.mkdir("d", 0o700)
	d.mkdir("e", 0o700)
	if err := d.renameNoReplace("d", d, "e"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("onto an empty directory: %v", err)
	}
}

func TestReadNames(t *testing.T) {
	d := testRoot(t)
	const n = 1500 // several buffers
	for i := range n {
		put(t, d, fmt.Sprintf("1700000000.M%06dP1.a-host-name-of-some-length", i), "")
	}
	d.mkdir("sub", 0o700)
	var wg sync.WaitGroup
	for range 4 { // readers do not share a position
		wg.Go(func() {
			if got := listDir(t, d); len(got) != n+1 {
				t.Errorf("%d names", len(got))
			}
		})
	}
	wg.Wait()
	calls := 0
	d.readNames(func(string, uint8) bool { calls++; return calls < 5 })
	if calls != 5 {
		t.Errorf("stopped after %d", calls)
	}
	d.readNames(func(name string, dtype uint8) bool {
		if isDir(d, name, dtype) != (name == "sub") {
			t.Errorf("%s: type %d", name, dtype)
		}
		return true
	})
}

func TestRemoveAll(t *testing.T) {
	d := testRoot(t)
	deep := d.path() + "/box"
	for range maxDepth - 2 {
		deep += "/d"
	}
	if err := os.MkdirAll(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(deep+"/f", nil, 0o600)
	if err := d.removeAll("box"); err != nil {
		t.Error(err)
	}
	if err := d.removeAll("box"); err != nil {
		t.Errorf("nothing there: %v", err)
	}
	os.MkdirAll(deep+"/d/d/d/d", 0o700)
	if err := d.removeAll("box"); err == nil {
		t.Error("no depth limit")
	}
}

func TestPermissions(t *testing.T) {
	for _, c := range []struct{ box, file, dir uint32 }{
		{0o700, 0o600, 0o700}, {0o770, 0o660, 0o770}, {0o755, 0o644, 0o755}, {0o2770, 0o660, 0o770}, {0o500, 0o600, 0o700},
	} {
		root := testRoot(t)
		if err := unix.Chmod(root.path(), c.box|0o700); err != nil {
			t.Fatal(err)
		}
		p, err := root.perm()
		if err != nil || p.file != c.file&0o666 || p.dir != c.dir {
			t.Errorf("%o: %o %o, %v", c.box, p.file, p.dir, err)
		}
		f, err := root.createAs("f", p)
		if err != nil {
			t.Fatal(err)
		}
		fi, _ := statFile(f)
		f.Close()
		if fi.mode&0o777 != p.file {
			t.Errorf("%o: file %o", c.box, fi.mode)
		}
		if err := root.mkdirAs("d", p); err != nil {
			t.Fatal(err)
		}
		if fi, _ := root.stat("d"); fi.mode&0o777 != p.dir || fi.mode&unix.S_ISGID != c.box&unix.S_ISGID {
			t.Errorf("%o: directory %o", c.box, fi.mode)
		}
	}
}

func TestInject(t *testing.T) {
	root := testRoot(t)
	root.mkdir("a", 0o700)
	a, err := root.sub("a")
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	var seen []string
	root.inject(func(op, path string) error {
		seen = append(seen, op)
		if op == "mkdir" {
			return unix.ENOSPC
		}
		return nil
	})
	if err := a.mkdir("b", 0o700); !errors.Is(err, ErrFull) || errors.Is(err, ErrPermission) {
		t.Errorf("injected: %v", err)
	}
	a.stat("b")
	root.inject(nil)
	if err := a.mkdir("b", 0o700); err != nil {
		t.Error(err)
	}
	if fmt.Sprint(seen) != "[mkdir stat]" {
		t.Error(seen)
	}
}

func TestErrorKinds(t *testing.T) {
	pe := &fs.PathError{Op: "write", Path: "x", Err: unix.EDQUOT}
	if err := fileError("write", "y", pe); !errors.Is(err, ErrFull) || !errors.Is(err, unix.EDQUOT) {
		t.Error(err)
	}
	if err := fileError("open", "y", unix.EROFS); !errors.Is(err, ErrPermission) {
		t.Error(err)
	}
	if err := fileError("open", "y", nil); err != nil {
		t.Error(err)
	}
}

// Times that do not fit 64 bits of nanoseconds come out as the nearest that does, and not as some other century's.
func TestDistantTimes(t *testing.T) {
	d := testRoot(t)
	for date, want := range map[time.Time][2]int{
		time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC): {2100, 2262},
		time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC):    {1677, 1970},
		time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC): {1999, 1999},
	} {
		if err := os.WriteFile(filepath.Join(d.path(), "x"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := d.setTimes("x", date); err != nil {
			t.Fatal(err)
		}
		st, err := d.stat("x")
		if err != nil {
			t.Fatal(err)
		}
		if got := time.Unix(0, st.mtime).UTC().Year(); got < want[0] || got > want[1] {
			t.Errorf("%v became %d", date, got)
		}
	}
}
