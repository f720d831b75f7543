package maildir

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// The snapshot is what the state directory remembers of a mailbox: the records as of the last save with their modseqs, sizes and cache
// positions, and which version of uidlist and directories they reflect. When nothing moved since, opening a mailbox reads this file and
// nothing else. When something moved, it gives the modseqs of what did not change, what was expunged when, and the next UID that must never go
// down. Losing it costs time and makes every message look changed, no more.
//
// Between two saves clients hear of changes that no snapshot knows. So a file beside it, openMark, exists while the mailbox is open; if it is
// found when the mailbox is opened, a process died, and everything counts as changed: a flag that was set and taken back would go
// unnoticed otherwise, and so would the expunge of a message that came after the snapshot.
//
// Little-endian, one CRC over everything, version in the magic. Written to a temporary file and renamed, never fsynced: a torn one
// fails its checksum.

const (
	snapshotMagic = "RoostSN2"
	openMark      = "open"
)

// boxState returns the directory for a mailbox's state files.
func boxState(state, storage string) string {
	name := url.PathEscape(storage)
	if name == "" {
		name = "INBOX"
	}
	if len(name) > 200 || name[0] == '.' && len(name) <= 2 {
		sum := sha256.Sum256([]byte(storage))
		name = hex.EncodeToString(sum[:])
	}
	return filepath.Join(state, "boxes", name)
}

// snapshot is the decoded file.
type snapshot struct {
	hdr      uidlistHeader // Validity, Next, GUID
	now      ModSeq
	recent   uint32
	list     uidlistPos
	seen     dirTimes
	newIno   uint64
	curIno   uint64
	settled  bool // the directories had been quiet when it was taken
	cacheGen uint64
	cacheEnd int64
	cacheN   int
	recs     *records
	dead     map[string]uint32
	expunged history
}

type snapWriter struct{ b []byte }

func (w *snapWriter) u8(v uint8)   { w.b = append(w.b, v) }
func (w *snapWriter) u16(v uint16) { w.b = binary.LittleEndian.AppendUint16(w.b, v) }
func (w *snapWriter) u32(v uint32) { w.b = binary.LittleEndian.AppendUint32(w.b, v) }
func (w *snapWriter) u64(v uint64) { w.b = binary.LittleEndian.AppendUint64(w.b, v) }
func (w *snapWriter) str(s string) { w.u16(uint16(len(s))); w.b = append(w.b, s...) }
func (w *snapWriter) flag(v bool) {
	if v {
		w.u8(1)
	} else {
		w.u8(0)
	}
}

func (s *snapshot) encode() []byte {
	w := snapWriter{b: make([]byte, 0, 256+len(s.recs.list)*112)}
	w.b = append(w.b, snapshotMagic...)
	w.u32(s.hdr.Validity)
	w.u32(s.hdr.Next)
	w.str(s.hdr.GUID)
	w.str(s.hdr.Extra)
	w.u64(uint64(s.now))
	w.u32(s.recent)
	w.u64(s.list.ino)
	w.u64(s.list.dev)
	w.u64(uint64(s.list.size))
	w.u64(uint64(s.list.ctime))
	w.u64(s.list.head)
	w.u64(s.list.tail)
	w.u32(s.list.last)
	w.u64(uint64(s.seen.new))
	w.u64(uint64(s.seen.cur))
	w.u64(s.newIno)
	w.u64(s.curIno)
	w.flag(s.settled)
	w.u64(s.cacheGen)
	w.u64(uint64(s.cacheEnd))
	w.u32(uint32(s.cacheN))
	w.u32(uint32(len(s.recs.list)))
	for i := range s.recs.list {
		r := &s.recs.list[i]
		w.u32(r.uid)
		w.u64(uint64(r.modseq))
		w.u64(uint64(r.size))
		w.u64(uint64(r.wire))
		w.u64(uint64(r.time))
		w.u32(r.letters)
		w.u32(r.meta)
		w.u8(uint8(r.flags))
		w.u8(uint8(r.state &^ hasMore))
		w.u8(r.base)
		w.u16(r.extra)
		w.b = append(w.b, s.recs.text.get(r.text, int(r.base)+int(r.extra))...)
		if r.state&hasOdd != 0 {
			w.str(s.recs.odd[r.uid])
		}
	}
	w.u32(uint32(len(s.dead)))
	for base, uid := range s.dead {
		w.u32(uid)
		w.str(base)
	}
	w.u64(uint64(s.expunged.floor))
	w.u32(uint32(len(s.expunged.list)))
	for _, e := range s.expunged.list {
		w.u64(uint64(e.at))
		w.u32(e.uid)
	}
	w.u32(crc32.Checksum(w.b, crcTable))
	return w.b
}

// snapReader reads with a sticky error: after bad is set everything is zero.
type snapReader struct {
	b   []byte
	bad bool
}

func (r *snapReader) take(n int) []byte {
	if r.bad || len(r.b) < n {
		r.bad = true
		return make([]byte, min(n, 8))
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *snapReader) u8() uint8   { return r.take(1)[0] }
func (r *snapReader) u16() uint16 { return binary.LittleEndian.Uint16(r.take(2)) }
func (r *snapReader) u32() uint32 { return binary.LittleEndian.Uint32(r.take(4)) }
func (r *snapReader) u64() uint64 { return binary.LittleEndian.Uint64(r.take(8)) }
func (r *snapReader) str() string {
	n := int(r.u16())
	if b := r.take(n); !r.bad {
		return string(b)
	}
	return ""
}

var errSnapshot = errors.New("snapshot is damaged or of another version")

// decodeSnapshot is the inverse of encode.
func decodeSnapshot(b []byte) (*snapshot, error) {
	if len(b) < len(snapshotMagic)+4 || string(b[:len(snapshotMagic)]) != snapshotMagic {
		return nil, errSnapshot
	}
	body := b[:len(b)-4]
	if crc32.Checksum(body, crcTable) != binary.LittleEndian.Uint32(b[len(b)-4:]) {
		return nil, errSnapshot
	}
	r := snapReader{b: body[len(snapshotMagic):]}
	s := &snapshot{recs: newRecords(), dead: map[string]uint32{}}
	s.hdr.Validity, s.hdr.Next, s.hdr.GUID, s.hdr.Extra = r.u32(), r.u32(), r.str(), r.str()
	s.now, s.recent = ModSeq(r.u64()), r.u32()
	s.list = uidlistPos{ino: r.u64(), dev: r.u64(), size: int64(r.u64()), ctime: int64(r.u64()), head: r.u64(), tail: r.u64(), last: r.u32()}
	s.seen = dirTimes{new: int64(r.u64()), cur: int64(r.u64())}
	s.newIno, s.curIno, s.settled = r.u64(), r.u64(), r.u8() != 0
	s.cacheGen, s.cacheEnd, s.cacheN = r.u64(), int64(r.u64()), int(r.u32())
	n := int(r.u32())
	if n > len(r.b)/52 {
		return nil, errSnapshot
	}
	s.recs.reserve(n)
	last := uint32(0)
	for range n {
		rec := record{uid: r.u32(), modseq: ModSeq(r.u64()), size: int64(r.u64()), wire: int64(r.u64()), time: int64(r.u64())}
		rec.letters, rec.meta, rec.flags, rec.state = r.u32(), r.u32(), Flags(r.u8()), recordState(r.u8())
		nb, ne := int(r.u8()), int(r.u16())
		text := r.take(nb + ne)
		if r.bad || rec.uid <= last {
			return nil, errSnapshot
		}
		last = rec.uid
		if rec.state&hasOdd != 0 {
			s.recs.odd[rec.uid] = r.str()
		}
		s.recs.add(rec, string(text[:nb]), string(text[nb:]))
	}
	for range int(r.u32()) {
		uid, base := r.u32(), r.str()
		if r.bad {
			return nil, errSnapshot
		}
		s.dead[base] = uid
	}
	s.expunged.floor = ModSeq(r.u64())
	n = int(r.u32())
	if n > len(r.b)/12 {
		return nil, errSnapshot
	}
	s.expunged.list = make([]event, n)
	for i := range s.expunged.list {
		s.expunged.list[i] = event{ModSeq(r.u64()), r.u32()}
	}
	if r.bad || s.hdr.Next <= last || s.hdr.Validity == 0 {
		return nil, errSnapshot
	}
	return s, nil
}

// loadSnapshot reads the snapshot of a mailbox; nil when there is none that is any good.
func (m *Mailbox) loadSnapshot(dir string) *snapshot {
	b, err := readState(filepath.Join(dir, "records"))
	if err != nil {
		if !os.IsNotExist(err) {
			m.log.Warn("no snapshot", "mailbox", m.box.path(), "cause", err)
		}
		return nil
	}
	s, err := decodeSnapshot(b)
	if err != nil {
		m.log.Warn("dropping the snapshot, it will be rebuilt", "mailbox", m.box.path(), "cause", err)
		return nil
	}
	return s
}

// maxSnapshot bounds what is read of a snapshot: some eight million messages. A damaged file system may show files of any size.
const maxSnapshot = 1 << 30

// readState reads a file of the state directory that is not larger than any of ours.
func readState(path string) ([]byte, error) {
	if st, err := os.Stat(path); err != nil {
		return nil, err
	} else if !st.Mode().IsRegular() || st.Size() > maxSnapshot {
		return nil, errSnapshot
	}
	return os.ReadFile(path)
}

// save writes the snapshot if it is behind. A mailbox that is gone is not saved: its directory may be another's by now.
func (m *Mailbox) save() {
	if m.store.opt.State == "" || m.failed() != nil || m.lockWrite(context.Background()) != nil {
		return
	}
	b, dir := m.takeSnapshot()
	m.unlockWrite()
	m.writeSnapshot(dir, b)
}

// takeSnapshot encodes what is in memory; nil when the file says the same. The caller holds write, unless the
// mailbox is given up.
func (m *Mailbox) takeSnapshot() (b []byte, dir string) {
	newSt, err1 := m.new.statSelf()
	curSt, err2 := m.cur.statSelf()
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.unsaved || m.hdr.Validity == 0 {
		return nil, ""
	}
	settled := err1 == nil && err2 == nil && m.seen.again.IsZero() && !m.hints.any() &&
		newSt.mtime == m.seen.new && curSt.mtime == m.seen.cur && len(m.pending) == 0 &&
		time.Now().UnixNano()-max(newSt.mtime, curSt.mtime) > int64(tick)
	s := snapshot{hdr: m.hdr, now: m.now, recent: m.recent, list: m.list, seen: m.seen, newIno: newSt.ino, curIno: curSt.ino,
		settled: settled, recs: m.recs, dead: m.dead, expunged: m.expunged}
	m.cache.mu.Lock()
	s.cacheGen, s.cacheEnd, s.cacheN = m.cache.gen, m.cache.end, m.cache.n
	m.cache.mu.Unlock()
	m.unsaved = false
	return s.encode(), boxState(m.store.opt.State, m.storage)
}

func (m *Mailbox) writeSnapshot(dir string, b []byte) {
	if b == nil {
		return
	}
	if err := writeState(filepath.Join(dir, "records"), b); err != nil {
		m.log.Warn("cannot save the snapshot", "mailbox", m.box.path(), "cause", err)
		m.mu.Lock()
		defer m.mu.Unlock()
		m.unsaved = true
	}
}

// markOpen says that the mailbox is open, and tells whether a process that had it open died.
func markOpen(dir string) (died bool) {
	f, err := os.OpenFile(filepath.Join(dir, openMark), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return true // or nothing can be remembered here at all
	}
	f.Close()
	return false
}

// unmark takes markOpen back, behind the last save. That of a mailbox that is gone may be its successor's by now.
func (m *Mailbox) unmark() {
	m.mu.Lock()
	behind, dir := m.unsaved || m.err != nil, boxState(m.store.opt.State, m.storage)
	m.mu.Unlock()
	if m.store.opt.State != "" && !behind {
		os.Remove(filepath.Join(dir, openMark))
	}
}

// writeState replaces a file of the state directory.
func writeState(path string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".tmp*")
	if err != nil {
		return err
	}
	_, err = f.ReadFrom(bytes.NewReader(b))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
