package maildir

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
)

// The snapshot is what the state directory remembers of a mailbox: the records as of the last save with their modseqs, sizes and cache
// positions, and which version of uidlist and directories they reflect. When nothing moved since, opening a mailbox reads the beginning of this
// file and nothing else. When something moved, it gives the modseqs of what did not change, what was expunged when, and the next UID that must
// never go down. Losing it costs time and makes every message look changed, no more.
//
//	file     = magic length(4) crc32c(4) header uids records text rest
//	uids     = *uid(4)
//	records  = *record, of recordOctets each
//	text     = the chunks of the arena, all but the last padded to arenaChunk
//	rest     = *odd-name *dead expunged
//
// Little-endian, version in the magic. The header has the length and the CRC of each section behind it, so that the first two things SELECT
// needs are read without the others. Written to a temporary file and renamed, never fsynced: of a torn one some checksum is wrong. It is read
// into memory and not mapped, because a mapped file that somebody truncates would end the process with SIGBUS.
const (
	snapshotMagic = "RoostSN4"
	recordOctets  = 53
	maxHeader     = 1 << 20 // the uidlist's header line may carry what we do not know
)

// snapshot is the decoded file. Of recs there are only the UIDs and sums, and no dead and expunged, until readAll.
type snapshot struct {
	hdr         uidlistHeader // Validity, Next, GUID
	now         ModSeq
	recent      uint32
	list        uidlistPos
	seen        dirTimes
	newIno      uint64
	curIno      uint64
	settled     bool // the directories had been quiet when it was taken
	cacheGen    uint64
	cacheEnd    int64
	cacheN      int
	unseen      uint32   // messages without \Seen
	firstUnseen uint32   // the UID of the first of them, 0: none
	deleted     uint32   // messages with \Deleted
	inNew       uint32   // messages in new/
	cached      uint32   // messages with facts in the cache
	more        uint32   // messages with keywords that only roost-keywords names
	recs        *records // when it is written, frozen
	dead        map[string]uint32
	expunged    history
	hadMore     []uint32 // the UIDs that more counts
	rest        []byte   // the section, to be written

	f        *os.File // nil when all has been read
	body     int64    // where the sections begin
	sections [4]section
}

// section is a part of the file behind the header.
type section struct {
	octets int64
	sum    uint32
}

const (
	uidSection = iota
	recordSection
	textSection
	restSection
)

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

// openSnapshot reads header and UIDs of a file, and keeps it open for readAll. Close it.
func openSnapshot(path string) (_ *snapshot, err error) {
	st, err := statState(path)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	s := &snapshot{recs: newRecords(), f: f}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	buf := make([]byte, 1024) // more than a header mostly takes
	got, err := f.ReadAt(buf, 0)
	if err != nil && err != io.EOF {
		return nil, err
	}
	const fixed = int64(len(snapshotMagic) + 8)
	if int64(got) < fixed || string(buf[:len(snapshotMagic)]) != snapshotMagic {
		return nil, errSnapshot
	}
	size := int64(binary.LittleEndian.Uint32(buf[len(snapshotMagic):]))
	sum := binary.LittleEndian.Uint32(buf[len(snapshotMagic)+4:])
	body := buf[fixed:got]
	if size > maxHeader || fixed+size > st.Size() {
		return nil, errSnapshot
	} else if size > int64(len(body)) {
		body = make([]byte, size)
		if _, err := f.ReadAt(body, fixed); err != nil {
			return nil, errSnapshot
		}
	}
	body = body[:size]
	s.body = fixed + size
	end := s.body
	if crc32.Checksum(body, crcTable) != sum || !s.decodeHeader(body) {
		return nil, errSnapshot
	}
	for _, sec := range s.sections {
		if sec.octets < 0 || sec.octets > maxSnapshot {
			return nil, errSnapshot
		}
		end += sec.octets
	}
	n := s.sections[uidSection].octets / 4
	if end != st.Size() || s.sections[uidSection].octets != 4*n || s.sections[recordSection].octets != recordOctets*n {
		return nil, errSnapshot
	}
	return s, s.readUIDs(int(n))
}

func (s *snapshot) decodeHeader(b []byte) bool {
	r := snapReader{b: b}
	s.hdr.Validity, s.hdr.Next, s.hdr.GUID, s.hdr.Extra = r.u32(), r.u32(), r.str(), r.str()
	s.now, s.recent = ModSeq(r.u64()), r.u32()
	s.list = uidlistPos{ino: r.u64(), dev: r.u64(), size: int64(r.u64()), ctime: int64(r.u64()), head: r.u64(), tail: r.u64(), last: r.u32()}
	s.seen = dirTimes{new: int64(r.u64()), cur: int64(r.u64())}
	s.newIno, s.curIno, s.settled = r.u64(), r.u64(), r.u8() != 0
	s.cacheGen, s.cacheEnd, s.cacheN = r.u64(), int64(r.u64()), int(r.u32())
	for _, n := range []*uint32{&s.unseen, &s.firstUnseen, &s.deleted, &s.inNew, &s.cached, &s.more} {
		*n = r.u32()
	}
	s.recs.octets, s.recs.unsized = int64(r.u64()), int(r.u32())
	for i := range s.sections {
		s.sections[i] = section{int64(r.u64()), r.u32()}
	}
	return !r.bad && len(r.b) == 0 && s.hdr.Validity != 0
}

// inPieces reads a section and calls fn with one piece after the other, of size octets but for the last. A piece is fn's until the next one, or for
// ever with keep.
func (s *snapshot) inPieces(sec, size int, keep bool, fn func(piece []byte)) error {
	at, left, sum := s.body, s.sections[sec].octets, uint32(0)
	for _, before := range s.sections[:sec] {
		at += before.octets
	}
	var buf []byte
	for left > 0 {
		if n := min(int64(size), left); keep || buf == nil {
			buf = make([]byte, n)
		} else {
			buf = buf[:n]
		}
		if _, err := s.f.ReadAt(buf, at); err != nil {
			return errSnapshot
		}
		sum = crc32.Update(sum, crcTable, buf)
		fn(buf)
		at, left = at+int64(len(buf)), left-int64(len(buf))
	}
	if sum != s.sections[sec].sum {
		return errSnapshot
	}
	return nil
}

func (s *snapshot) readUIDs(n int) error {
	rs := s.recs
	rs.uids = grown([]uint32(nil), n)
	if err := s.inPieces(uidSection, 1<<16, false, func(b []byte) {
		for ; len(b) >= 4; b = b[4:] {
			rs.uids = append(rs.uids, binary.LittleEndian.Uint32(b))
		}
	}); err != nil {
		return err
	}
	last := uint32(0)
	for _, uid := range rs.uids {
		if uid <= last {
			return errSnapshot
		}
		last = uid
	}
	if s.hdr.Next <= last {
		return errSnapshot
	}
	return nil
}

// readAll reads what openSnapshot left, and closes the file. After an error s holds what it held before.
func (s *snapshot) readAll() error {
	if s.f == nil {
		return nil
	}
	defer s.close()
	rs := *s.recs // its users read what is there already
	list := grown([]record(nil), len(rs.uids))
	if err := s.inPieces(recordSection, recordOctets<<10, false, func(b []byte) {
		for ; len(b) >= recordOctets; b = b[recordOctets:] {
			list = append(list, record{
				uid:     binary.LittleEndian.Uint32(b),
				text:    binary.LittleEndian.Uint32(b[4:]),
				letters: binary.LittleEndian.Uint32(b[8:]),
				meta:    binary.LittleEndian.Uint32(b[12:]),
				modseq:  ModSeq(binary.LittleEndian.Uint64(b[16:])),
				size:    int64(binary.LittleEndian.Uint64(b[24:])),
				wire:    int64(binary.LittleEndian.Uint64(b[32:])),
				time:    int64(binary.LittleEndian.Uint64(b[40:])),
				extra:   binary.LittleEndian.Uint16(b[48:]),
				base:    b[50],
				flags:   Flags(b[51]) & AllFlags,
				state:   recordState(b[52]),
			})
		}
	}); err != nil {
		return err
	}
	var text arena
	if err := s.inPieces(textSection, arenaChunk, true, func(b []byte) { text.chunks = append(text.chunks, b) }); err != nil {
		return err
	}
	var rest []byte
	if err := s.inPieces(restSection, maxSnapshot, true, func(b []byte) { rest = b }); err != nil {
		return err
	}
	odd := map[uint32]string{}
	var more []uint32
	r := snapReader{b: rest}
	for i := range list {
		rec := &list[i]
		if rec.uid != rs.uids[i] || !text.holds(rec.text, int(rec.base)+int(rec.extra)) {
			return errSnapshot
		}
		if rec.state&hasOdd != 0 {
			odd[rec.uid] = r.str()
		}
		if rec.state&hasMore != 0 { // roost-keywords says which
			rec.state &^= hasMore
			more = append(more, rec.uid)
		}
	}
	dead, expunged, ok := r.history()
	if !ok {
		return errSnapshot
	}
	rs.list, rs.text, rs.odd, rs.unnamed = list, text, odd, true
	s.recs, s.dead, s.expunged, s.hadMore = &rs, dead, expunged, more
	return nil
}

// history reads what stands behind the odd names.
func (r *snapReader) history() (dead map[string]uint32, expunged history, ok bool) {
	dead = map[string]uint32{}
	for range int(r.u32()) {
		uid, base := r.u32(), r.str()
		if r.bad {
			return nil, history{}, false
		}
		dead[base] = uid
	}
	expunged.floor = ModSeq(r.u64())
	n := int(r.u32())
	if r.bad || n != len(r.b)/12 {
		return nil, history{}, false
	}
	expunged.list = make([]event, n)
	for i := range expunged.list {
		expunged.list[i] = event{ModSeq(r.u64()), r.u32()}
	}
	return dead, expunged, !r.bad && len(r.b) == 0
}

// close closes the file.
func (s *snapshot) close() {
	if s != nil && s.f != nil {
		s.f.Close()
		s.f = nil
	}
}
