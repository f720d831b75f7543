package maildir

import (
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"time"
)

// The file "quota" of the state directory has what closed mailboxes take, with the directory times for which that is true: else all of them
// would have to be opened after each start. Little-endian, one CRC over everything, version in the magic; what does not match is counted again.
const (
	usageMagic = "RoostQU1"
	usageFile  = "quota"
	usageSize  = 6 * 8 // octets of an entry
)

// loadUsage reads the file into empty memory.
func (s *Store) loadUsage() {
	if s.opt.State == "" {
		return
	}
	b, err := readState(filepath.Join(s.opt.State, usageFile))
	if err != nil {
		if !os.IsNotExist(err) {
			s.log.Warn("counting the mail anew", "cause", err)
		}
		return
	}
	q := &s.quota
	q.mu.Lock()
	defer q.mu.Unlock()
	body, ok := checkUsage(b)
	if !ok {
		s.log.Warn("counting the mail anew, the file with the sums is damaged or of another version")
		return
	}
	for ; len(body) > 0; body = body[usageSize:] {
		n := func(i int) uint64 { return binary.LittleEndian.Uint64(body[8*i:]) }
		key := inode{n(0), n(1)}
		if q.boxes[key] != nil { // opened meanwhile
			continue
		}
		q.set(key, amount{int64(n(4)), int64(n(5))})
		q.boxes[key].new, q.boxes[key].cur = int64(n(2)), int64(n(3))
	}
	q.unsaved = false
}

// checkUsage returns the entries of a file that is whole.
func checkUsage(b []byte) (body []byte, ok bool) {
	n := len(b) - len(usageMagic) - 4
	if n < 0 || n%usageSize != 0 || string(b[:len(usageMagic)]) != usageMagic ||
		crc32.Checksum(b[:len(b)-4], crcTable) != binary.LittleEndian.Uint32(b[len(b)-4:]) {
		return nil, false
	}
	return b[len(usageMagic) : len(b)-4], true
}

// saveUsage writes the file if it is behind and older than that. Called with looking held.
func (s *Store) saveUsage(age time.Duration) {
	q := &s.quota
	if s.opt.State == "" || !q.loaded || time.Since(q.saved) < age {
		return
	}
	q.mu.Lock()
	if !q.unsaved {
		q.mu.Unlock()
		return
	}
	q.unsaved = false
	b := []byte(usageMagic)
	for key, u := range q.boxes {
		if u.new == 0 {
			continue
		}
		for _, n := range []uint64{key.dev, key.ino, uint64(u.new), uint64(u.cur), uint64(u.octets), uint64(u.messages)} {
			b = binary.LittleEndian.AppendUint64(b, n)
		}
	}
	q.mu.Unlock()
	q.saved = time.Now()
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, crcTable))
	if err := writeState(filepath.Join(s.opt.State, usageFile), func(f *os.File) error { _, err := f.Write(b); return err }); err != nil {
		s.log.Warn("cannot save what the mail takes", "cause", err)
	}
}
