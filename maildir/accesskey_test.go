package maildir

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestAccessKeys: a key is a mailbox's as long as it lives, whatever it is called, and until it is reset.
func TestAccessKeys(t *testing.T) {
	o := Options{Root: filepath.Join(t.TempDir(), "Maildir"), State: t.TempDir(), Separator: '/', Create: true}
	s, err := OpenStore(o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	key := func(name string, create bool) []byte {
		t.Helper()
		box, err := s.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer box.Release()
		key, err := s.AccessKey(box, create)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	if err := s.Create("a"); err != nil {
		t.Fatal(err)
	}
	if key("a", false) != nil {
		t.Error("a key that nobody has made")
	}
	first, other := key("a", true), key("INBOX", true)
	if len(first) != accessKeySize || bytes.Equal(first, other) || !bytes.Equal(first, key("a", true)) {
		t.Errorf("%x, %x", first, other)
	}
	if err := s.Rename("a", "b"); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(key("b", false), first) {
		t.Error("renamed, and another key")
	}
	if err := s.Create("a"); err != nil {
		t.Fatal(err)
	}
	if key("a", false) != nil {
		t.Error("a new mailbox has an old one's key")
	}
	box, err := s.Open("b")
	if err != nil {
		t.Fatal(err)
	}
	defer box.Release()
	if err := s.ResetAccessKeys(box); err != nil {
		t.Fatal(err)
	}
	if key("b", false) != nil || !bytes.Equal(key("INBOX", false), other) {
		t.Error("not the one key was reset")
	}
	if bytes.Equal(key("b", true), first) {
		t.Error("the same key again")
	}
	path := filepath.Join(o.State, accessKeysName)
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	if err := os.WriteFile(path, []byte("\x00\n \nx\n"+string(bytes.Repeat([]byte{'y'}, 100))), 0o600); err != nil {
		t.Fatal(err)
	}
	if key("INBOX", false) != nil || len(key("INBOX", true)) != accessKeySize {
		t.Error("a damaged file")
	}
	if err := s.ResetAccessKeys(nil); err != nil {
		t.Fatal(err)
	}
	if key("INBOX", false) != nil {
		t.Error("not all were reset")
	}
}

// TestAccessKeysStateless has nowhere to keep keys.
func TestAccessKeysStateless(t *testing.T) {
	s, err := OpenStore(Options{Root: filepath.Join(t.TempDir(), "Maildir"), Separator: '/', Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	box, err := s.Open("INBOX")
	if err != nil {
		t.Fatal(err)
	}
	defer box.Release()
	if _, err := s.AccessKey(box, true); !errors.Is(err, ErrCannot) {
		t.Error(err)
	}
	if err := s.ResetAccessKeys(nil); !errors.Is(err, ErrCannot) {
		t.Error(err)
	}
}
