package maildir

import (
	"hash/maphash"
	"math"
	"slices"
	"strings"
)

// record is one message in memory. Kept small: a million of them must fit (ARCHITECTURE.md, memory).
type record struct {
	modseq  ModSeq
	size    int64  // octets as stored, -1 unknown
	wire    int64  // octets as sent, -1 unknown
	time    int64  // mtime, seconds; unknownTime when not looked at yet
	uid     uint32 //
	text    uint32 // position of base and extra in the arena
	letters uint32 // keyword letters a–z as bits 0–25
	meta    uint32 // position in the meta cache in units of metaAlign, 0: not cached
	extra   uint16 // length of extra
	base    uint8  // length of base; a file name has at most 255 octets
	flags   Flags
	state   recordState
}

// recordState are bits that are no IMAP flags.
type recordState uint8

const (
	inNew   recordState = 1 << iota // the file is in new/, not cur/
	hasMore                         // has keywords beyond the letters: records.more
	hasOdd                          // the file name is not what fileName would write: records.odd
	missing                         // the last scan did not see the file and could not be sure that it is gone
)

const unknownTime = math.MinInt64

// records is the set of messages of a mailbox in UID order, with a hash index over base names. Its owner locks.
type records struct {
	list []record
	uids []uint32 // the UIDs of list; shared with views, so never written in place below its length
	text arena
	more map[uint32][]uint16 // uid → keyword slots ≥ 26, ascending; the slices are immutable
	odd  map[uint32]string   // uid → exact file name

	octets  int64 // sum of the known sizes
	unsized int   // messages whose size is not known

	seed    maphash.Seed
	table   []uint32 // open addressing: UID, 0 empty, tombstone deleted
	used    int      // entries of table that are not empty
	unnamed bool     // there is no table yet: byBase must wait for nameAll
}

const tombstone = math.MaxUint32

func newRecords() *records {
	return &records{seed: maphash.MakeSeed(), more: map[uint32][]uint16{}, odd: map[uint32]string{}}
}

// arena holds many short strings without a header each. Positions are stable.
type arena struct{ chunks [][]byte }

const arenaChunk = 1 << 18

func (a *arena) add(b, c string) uint32 {
	pos, chunk := a.room(len(b) + len(c))
	*chunk = append(append(*chunk, b...), c...)
	return pos
}

// room finds a chunk for n octets.
func (a *arena) room(n int) (pos uint32, chunk *[]byte) {
	last := len(a.chunks) - 1
	if last < 0 || len(a.chunks[last])+n > arenaChunk {
		// The first chunk of a small mailbox is small.
		size := arenaChunk
		if last < 0 {
			size = 1 << 12
		}
		a.chunks = append(a.chunks, make([]byte, 0, max(size, n)))
		last++
	}
	if last == 0 && cap(a.chunks[0]) < len(a.chunks[0])+n {
		a.chunks[0] = slices.Grow(a.chunks[0], min(arenaChunk-len(a.chunks[0]), len(a.chunks[0])+n))
	}
	return uint32(last)*arenaChunk + uint32(len(a.chunks[last])), &a.chunks[last]
}

func (a *arena) get(pos uint32, n int) []byte {
	c := a.chunks[pos/arenaChunk]
	off := int(pos % arenaChunk)
	return c[off : off+n : off+n]
}

// holds tells whether get may be called.
func (a *arena) holds(pos uint32, n int) bool {
	chunk := int(pos / arenaChunk)
	return chunk < len(a.chunks) && int(pos%arenaChunk)+n <= len(a.chunks[chunk])
}

// frozen is a copy of the records and their texts, which shares the texts: these are only ever added to.
func (rs *records) frozen() *records {
	return &records{
		list: append(grown([]record(nil), len(rs.list)), rs.list...), text: arena{slices.Clone(rs.text.chunks)}, octets: rs.octets, unsized: rs.unsized,
	}
}

func (rs *records) baseOf(r *record) []byte { return rs.text.get(r.text, int(r.base)) }
func (rs *records) extraOf(r *record) []byte {
	return rs.text.get(r.text, int(r.base)+int(r.extra))[r.base:]
}

// find returns the record of uid, or nil.
func (rs *records) find(uid uint32) *record {
	if i, ok := slices.BinarySearch(rs.uids, uid); ok {
		return &rs.list[i]
	}
	return nil
}

// findNear is find for who asks for one record after another: *next is where the one asked for probably is, and becomes the place behind it.
func (rs *records) findNear(uid uint32, next *int) *record {
	i := *next
	if i >= len(rs.uids) || rs.uids[i] != uid {
		if i = rs.index(uid); i < 0 {
			return nil
		}
	}
	*next = i + 1
	return &rs.list[i]
}

// byBase returns the record with this base name, or nil.
func (rs *records) byBase(base string) *record {
	if len(rs.table) == 0 {
		return nil
	}
	mask := uint64(len(rs.table) - 1)
	for h := maphash.String(rs.seed, base) & mask; ; h = (h + 1) & mask {
		switch uid := rs.table[h]; uid {
		case 0:
			return nil
		case tombstone:
		default:
			if r := rs.find(uid); r != nil && string(rs.baseOf(r)) == base {
				return r
			}
		}
	}
}

// add appends a record whose UID is above all others. base must not be in rs and have at most 255 octets.
func (rs *records) add(r record, base, extra string) *record {
	if len(extra) > math.MaxUint16 {
		extra = "" // never written by anyone; a record key we cannot carry
	}
	r.base, r.extra = uint8(len(base)), uint16(len(extra))
	r.text = rs.text.add(base, extra)
	rs.list = append(rs.list, r)
	rs.uids = append(rs.uids, r.uid)
	rs.count(r.size, 1)
	rs.insert(r.uid, base)
	return &rs.list[len(rs.list)-1]
}

// count adds n messages of a size to the sums.
func (rs *records) count(size int64, n int) {
	if size < 0 {
		rs.unsized += n
	} else {
		rs.octets += size * int64(n)
	}
}

// setSize sets the size of a message as stored.
func (rs *records) setSize(r *record, size int64) {
	rs.count(r.size, -1)
	rs.count(size, 1)
	r.size = size
}

func (rs *records) insert(uid uint32, base string) {
	if rs.unnamed {
		return
	}
	if (rs.used+1)*4 > len(rs.table)*3 {
		rs.rehash()
		return // rehash put it in: it is in list already
	}
	rs.put(uid, base)
}

func (rs *records) put(uid uint32, base string) {
	mask := uint64(len(rs.table) - 1)
	h := maphash.String(rs.seed, base) & mask
	for rs.table[h] != 0 && rs.table[h] != tombstone {
		h = (h + 1) & mask
	}
	if rs.table[h] == 0 {
		rs.used++
	}
	rs.table[h] = uid
}

// reserve makes room for n more records.
func (rs *records) reserve(n int) {
	rs.list = grown(rs.list, n)
	rs.uids = grown(rs.uids, n)
	if !rs.unnamed && (rs.used+n+1)*4 > len(rs.table)*3 {
		rs.resize(len(rs.list) + n)
	}
}

func (rs *records) rehash() { rs.resize(len(rs.list)) }

// nameAll makes the table that records which come from a snapshot do without at first: many sessions never ask for a name.
func (rs *records) nameAll() {
	if rs.unnamed {
		rs.unnamed = false
		rs.rehash()
	}
}

// resize makes a table for n records and puts in those that there are.
func (rs *records) resize(n int) {
	size := 16
	for size*3 < (n+1)*5 {
		size *= 2
	}
	rs.table, rs.used = make([]uint32, size), 0
	for i := range rs.list {
		rs.put(rs.list[i].uid, string(rs.baseOf(&rs.list[i])))
	}
}

// setExtra replaces the uidlist keys of a record.
func (rs *records) setExtra(r *record, extra string) {
	if string(rs.extraOf(r)) == extra || len(extra) > math.MaxUint16 {
		return
	}
	r.text = rs.text.add(string(rs.baseOf(r)), extra)
	r.extra = uint16(len(extra))
}

// remove drops the records with these UIDs (ascending). Slices handed out before stay valid.
func (rs *records) remove(uids []uint32) {
	if len(uids) == 0 {
		return
	}
	gone := make(map[uint32]bool, len(uids))
	for _, uid := range uids {
		gone[uid] = true
		delete(rs.more, uid)
		delete(rs.odd, uid)
		if r := rs.find(uid); r != nil && len(uids)*8 < len(rs.list) {
			rs.forget(uid, string(rs.baseOf(r)))
		}
	}
	many := len(uids)*8 >= len(rs.list)
	first, _ := slices.BinarySearch(rs.uids, uids[0])
	list := rs.list[:first]
	fresh := slices.Clone(rs.uids[:first])
	for _, r := range rs.list[first:] {
		if !gone[r.uid] {
			list = append(list, r)
			fresh = append(fresh, r.uid)
		} else {
			rs.count(r.size, -1)
		}
	}
	clear(rs.list[len(list):])
	rs.list, rs.uids = list, fresh
	if many && !rs.unnamed {
		rs.rehash()
	}
}

func (rs *records) forget(uid uint32, base string) {
	if len(rs.table) == 0 {
		return
	}
	mask := uint64(len(rs.table) - 1)
	for h := maphash.String(rs.seed, base) & mask; rs.table[h] != 0; h = (h + 1) & mask {
		if rs.table[h] == uid {
			rs.table[h] = tombstone
			return
		}
	}
}

// name returns the file name of a record as it is on disk, as far as we know.
func (rs *records) name(r *record) string {
	if r.state&hasOdd != 0 {
		return rs.odd[r.uid]
	}
	return rs.canonical(r)
}

// named tells whether name is the file name of a record, without allocating.
func (rs *records) named(r *record, name string) bool {
	if r.state&hasOdd != 0 {
		return rs.odd[r.uid] == name
	}
	var buf [maxName + 64]byte
	return string(rs.appendCanonical(buf[:0], r)) == name
}

// canonical is the name that a record's flags ask for: bare in new/ without flags, else with sorted flags.
func (rs *records) canonical(r *record) string {
	var buf [maxName + 64]byte
	return string(rs.appendCanonical(buf[:0], r))
}

func (rs *records) appendCanonical(dst []byte, r *record) []byte {
	dst = append(dst, rs.baseOf(r)...)
	if r.state&inNew != 0 && r.flags == 0 && r.letters == 0 {
		return dst
	}
	return fileName{flags: r.flags, letters: r.letters}.appendInfo(dst)
}

// setName records the exact file name of a message that fn was parsed from.
func (rs *records) setName(r *record, name string, fn fileName, dir recordState) {
	r.flags, r.letters = fn.flags, fn.letters
	r.state = r.state&^(inNew|hasOdd|missing) | dir
	delete(rs.odd, r.uid)
	if !rs.named(r, name) {
		rs.odd[r.uid] = strings.Clone(name) // which may be part of something larger
		r.state |= hasOdd
	}
}

// public is the copy of a record that callers see.
func (rs *records) public(r *record) Record {
	p := Record{
		UID: r.uid, Flags: r.flags, Keywords: Keywords{Letters: r.letters}, ModSeq: r.modseq,
		Size: r.size, Wire: r.wire, Time: r.time,
	}
	if r.state&hasMore != 0 {
		p.Keywords.More = rs.more[r.uid]
	}
	return p
}

// index returns the position of uid in list, -1 when absent.
func (rs *records) index(uid uint32) int {
	if i, ok := slices.BinarySearch(rs.uids, uid); ok {
		return i
	}
	return -1
}
