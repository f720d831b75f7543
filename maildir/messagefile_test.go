package maildir

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func TestMessageFile(t *testing.T) {
	root := t.TempDir()
	d, err := openRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	path := filepath.Join(root, "m")
	if err := os.WriteFile(path, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := d.openMessage("m")
	if err != nil {
		t.Fatal(err)
	}
	if f.Size() != 10 {
		t.Errorf("size %d", f.Size())
	}
	for _, c := range []struct {
		off  int64
		n    int
		want string
		err  error
	}{{0, 10, "0123456789", nil}, {7, 3, "789", nil}, {8, 5, "89", io.EOF}, {10, 1, "", io.EOF}, {99, 1, "", io.EOF}, {3, 0, "", nil}} {
		b := make([]byte, c.n)
		if n, err := f.ReadAt(b, c.off); string(b[:n]) != c.want || err != c.err {
			t.Errorf("%d at %d: %q, %v", c.n, c.off, b[:n], err)
		}
	}
	f.Close()
	f.Close()
	if _, err := f.ReadAt(make([]byte, 1), 0); !errors.Is(err, os.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if _, err := d.openMessage("absent"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
}
