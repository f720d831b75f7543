package maildir

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"os"
)

// snapWriter encodes.
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

// sectionWriter writes one section after another, a piece at a time.
type sectionWriter struct {
	snapWriter
	to  io.Writer
	now section
	err error
}

const sectionPiece = 64 << 10

// pass writes what was encoded, once it is worth it. The error is kept.
func (w *sectionWriter) pass() {
	if len(w.b) >= sectionPiece {
		w.flush()
	}
}

func (w *sectionWriter) flush() {
	w.now.octets += int64(len(w.b))
	w.now.sum = crc32.Update(w.now.sum, crcTable, w.b)
	if w.err == nil {
		_, w.err = w.to.Write(w.b)
	}
	w.b = w.b[:0]
}

// end ends a section.
func (w *sectionWriter) end() (sec section) {
	w.flush()
	sec, w.now = w.now, section{}
	return sec
}

// packing is where strings come to lie that are put into an empty arena one after another.
type packing struct{ at uint32 }

// place returns the place of n octets, and how many are left unused before them.
func (p *packing) place(n int) (pos uint32, unused int) {
	if in := int(p.at % arenaChunk); in+n > arenaChunk {
		unused = arenaChunk - in
	}
	pos = p.at + uint32(unused)
	p.at = pos + uint32(n)
	return pos, unused
}

// freeze takes of what changes all that write needs. The caller holds mu.
func (s *snapshot) freeze(rs *records) {
	s.recs = rs.frozen()
	var rest snapWriter
	for i := range s.recs.list {
		if r := &s.recs.list[i]; r.state&hasOdd != 0 {
			rest.str(rs.odd[r.uid])
		}
	}
	rest.u32(uint32(len(s.dead)))
	for base, uid := range s.dead {
		rest.u32(uid)
		rest.str(base)
	}
	rest.u64(uint64(s.expunged.floor))
	rest.u32(uint32(len(s.expunged.list)))
	for _, e := range s.expunged.list {
		rest.u64(uint64(e.at))
		rest.u32(e.uid)
	}
	s.rest = rest.b
}

// write writes the file, and counts what the header says of the records. Of their texts it leaves out those that belong to none any more.
func (s *snapshot) write(f *os.File) error {
	for i := range s.recs.list {
		s.tally(&s.recs.list[i])
	}
	header := int64(len(s.encodeHeader())) // what it says of the sections is of the same length later
	if _, err := f.Seek(header, io.SeekStart); err != nil {
		return err
	}
	w := sectionWriter{to: f}
	for _, r := range s.recs.list {
		w.u32(r.uid)
		w.pass()
	}
	s.sections[uidSection] = w.end()
	var text packing
	for i := range s.recs.list {
		r := &s.recs.list[i]
		pos, _ := text.place(int(r.base) + int(r.extra))
		w.u32(r.uid)
		w.u32(pos)
		w.u32(r.letters)
		w.u32(r.meta)
		w.u64(uint64(r.modseq))
		w.u64(uint64(r.size))
		w.u64(uint64(r.wire))
		w.u64(uint64(r.time))
		w.u16(r.extra)
		w.u8(r.base)
		w.u8(uint8(r.flags))
		w.u8(uint8(r.state))
		w.pass()
	}
	s.sections[recordSection] = w.end()
	text = packing{}
	for i := range s.recs.list {
		r := &s.recs.list[i]
		n := int(r.base) + int(r.extra)
		_, unused := text.place(n)
		w.b = append(append(w.b, make([]byte, unused)...), s.recs.text.get(r.text, n)...)
		w.pass()
	}
	s.sections[textSection] = w.end()
	w.b = append(w.b, s.rest...)
	s.sections[restSection] = w.end()
	if w.err == nil {
		_, w.err = f.WriteAt(s.encodeHeader(), 0)
	}
	return w.err
}

// tally counts a record for the header.
func (s *snapshot) tally(r *record) {
	if r.flags&Seen == 0 {
		if s.unseen++; s.firstUnseen == 0 {
			s.firstUnseen = r.uid
		}
	}
	if r.flags&Deleted != 0 {
		s.deleted++
	}
	if r.state&inNew != 0 {
		s.inNew++
	}
	if r.meta != 0 {
		s.cached++
	}
	if r.state&hasMore != 0 {
		s.more++
	}
}

func (s *snapshot) encodeHeader() []byte {
	w := snapWriter{b: make([]byte, len(snapshotMagic)+8, 512)}
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
	for _, n := range []uint32{s.unseen, s.firstUnseen, s.deleted, s.inNew, s.cached, s.more} {
		w.u32(n)
	}
	w.u64(uint64(s.recs.octets))
	w.u32(uint32(s.recs.unsized))
	for _, sec := range s.sections {
		w.u64(uint64(sec.octets))
		w.u32(sec.sum)
	}
	body := w.b[len(snapshotMagic)+8:]
	copy(w.b, snapshotMagic)
	binary.LittleEndian.PutUint32(w.b[len(snapshotMagic):], uint32(len(body)))
	binary.LittleEndian.PutUint32(w.b[len(snapshotMagic)+4:], crc32.Checksum(body, crcTable))
	return w.b
}
