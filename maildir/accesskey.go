package maildir

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Keys of mailboxes vouch for URLs (RFC 4467): whoever has the key of a mailbox can make URLs with which others read what is in it. They are in a
// file of the state directory and not in the Maildir, where they would go into every backup and to every program that reads mail: that they are
// lost does no harm but that URLs, which are made to be used within the hour, must be made again. A line for each mailbox has its GUID and its
// key in hexadecimal, those made last at the end.
const (
	accessKeysName = "access-keys"
	accessKeySize  = 32
	maxAccessKeys  = 10_000 // of the oldest, with mailboxes that are gone among them, the URLs are no longer good
)

// accessKeys protects the file; it is held while that is written, and is taken with no other lock of this package.
type accessKeys struct{ sync.Mutex }

// AccessKey returns the secret key of an open mailbox, 32 octets; it is made if there is none and create is set, else nil. ErrCannot when there is
// no state directory.
func (s *Store) AccessKey(m *Mailbox, create bool) ([]byte, error) {
	guid, _ := m.Identity()
	s.keys.Lock()
	defer s.keys.Unlock()
	lines, err := s.readAccessKeys()
	if err != nil {
		return nil, err
	}
	for _, line := range lines {
		if id, text, _ := strings.Cut(line, " "); id == guid {
			if key, err := hex.DecodeString(text); err == nil && len(key) == accessKeySize {
				return key, nil
			}
		}
	}
	if !create {
		return nil, nil
	}
	key := make([]byte, accessKeySize)
	rand.Read(key)
	lines = append(without(lines, guid), guid+" "+hex.EncodeToString(key))
	return key, s.writeAccessKeys(lines[max(0, len(lines)-maxAccessKeys):])
}

// ResetAccessKeys forgets the key of an open mailbox, or all of them if it is nil: no URL made so far is good any more, and that survives a loss of
// power.
func (s *Store) ResetAccessKeys(m *Mailbox) error {
	if err := s.removeAccessKeys(m); err != nil {
		return err
	}
	reset := []*Mailbox{m}
	if m == nil {
		s.mu.Lock()
		reset = slices.Collect(maps.Values(s.boxes))
		s.mu.Unlock()
	}
	for _, m := range reset {
		m.mu.Lock()
		m.keyResets++
		m.wake()
		m.mu.Unlock()
	}
	return nil
}

func (s *Store) removeAccessKeys(m *Mailbox) error {
	s.keys.Lock()
	defer s.keys.Unlock()
	lines, err := s.readAccessKeys()
	if err != nil || len(lines) == 0 {
		return err
	}
	if m == nil {
		return s.writeAccessKeys(nil)
	}
	guid, _ := m.Identity()
	return s.writeAccessKeys(without(lines, guid))
}

// KeyResets counts how often ResetAccessKeys was about the mailbox; who waits for its changes is woken by it.
func (m *Mailbox) KeyResets() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.keyResets
}

// without returns the lines but for those of a mailbox.
func without(lines []string, guid string) (kept []string) {
	for _, line := range lines {
		if !strings.HasPrefix(line, guid+" ") {
			kept = append(kept, line)
		}
	}
	return kept
}

func (s *Store) readAccessKeys() ([]string, error) {
	if s.opt.State == "" {
		return nil, fmt.Errorf("%w: there is no place to keep keys", ErrCannot)
	}
	b, err := readState(filepath.Join(s.opt.State, accessKeysName))
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			s.log.Warn("dropping the keys of URLs", "cause", err)
		}
		return nil, nil
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n"), nil
}

func (s *Store) writeAccessKeys(lines []string) (err error) {
	var b bytes.Buffer
	for _, line := range lines {
		b.WriteString(line + "\n")
	}
	if err := os.MkdirAll(s.opt.State, 0o700); err != nil { // somebody may have emptied it
		return fileError("mkdir", s.opt.State, err)
	}
	f, err := os.CreateTemp(s.opt.State, accessKeysName+".tmp*")
	if err != nil {
		return fileError("write", s.opt.State, err)
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
			err = fileError("write", filepath.Join(s.opt.State, accessKeysName), err)
		}
	}()
	_, err = f.Write(b.Bytes())
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), filepath.Join(s.opt.State, accessKeysName)); err != nil {
		return err
	}
	d, err := os.Open(s.opt.State)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
