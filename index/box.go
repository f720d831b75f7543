package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"roost/index/segment"
)

// A box file says which message of a mailbox is which document:
//
//	magic
//	count, CRC-32C of what follows, count times (UID, document, first 4 octets of the document's identity)
//	…
//
// all numbers of 4 octets, little-endian. Batches are appended; what a crash left of the last one is cut off. As the meaning of a UID never changes
// within a UIDVALIDITY, which is part of the file's name, a file that is too old is just incomplete. That a document's number was
// given anew after segments were lost is found out by its identity.

const (
	boxMagic  = "roostBX1"
	boxSuffix = ".box"
	entrySize = 12
)

// entry is a message that is indexed.
type entry struct{ uid, doc uint32 }

// box are the indexed messages of a mailbox.
type box struct {
	path    string
	entries []entry // ascending UIDs; what is there never changes, so that readers share it
	written int     // entries in the file, including those of UIDs that are gone
}

// boxName is the file of a mailbox.
func boxName(guid string, validity uint32) string {
	return fmt.Sprintf("%s-%08x%s", guid, validity, boxSuffix)
}

// loadBox reads the file in dir; a box without entries when there is none, or none that can be read.
func loadBox(dir, name string, segs segment.Segments) (*box, error) {
	b := &box{path: filepath.Join(dir, name)}
	data, err := os.ReadFile(b.path)
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	} else if err != nil {
		return b, err
	}
	rest, ok := strings.CutPrefix(string(data), boxMagic)
	for ok && len(rest) >= 8 {
		n, sum := binary.LittleEndian.Uint32([]byte(rest)), binary.LittleEndian.Uint32([]byte(rest[4:]))
		if uint64(len(rest)-8) < uint64(n)*entrySize {
			break
		}
		batch := []byte(rest[8 : 8+n*entrySize])
		if crc32.Checksum(batch, castagnoli) != sum {
			break
		}
		for at := 0; at < len(batch); at += entrySize {
			e := entry{binary.LittleEndian.Uint32(batch[at:]), binary.LittleEndian.Uint32(batch[at+4:])}
			b.written++
			if id, ok := identity(segs, e.doc); ok && [4]byte(batch[at+8:]) == [4]byte(id[:4]) {
				b.entries = append(b.entries, e)
			}
		}
		rest = rest[8+n*entrySize:]
	}
	if !ok || len(rest) > 0 {
		err = os.Remove(b.path) // written anew with the next batch
		b.written = 0
	}
	b.settle()
	return b, err
}

// settle orders the entries; of those of one UID the last one counts.
func (b *box) settle() {
	byUID := func(a, b entry) int { return int(int64(a.uid) - int64(b.uid)) }
	if slices.IsSortedFunc(b.entries, byUID) {
		return
	}
	slices.SortStableFunc(b.entries, byUID)
	out := b.entries[:0]
	for i, e := range b.entries {
		if i+1 == len(b.entries) || b.entries[i+1].uid != e.uid {
			out = append(out, e)
		}
	}
	b.entries = out
}

// with returns the box with more entries.
func (b *box) with(more []entry) *box {
	next := *b
	if n := len(b.entries); n > 0 && more[0].uid <= b.entries[n-1].uid {
		next.entries = slices.Clone(b.entries)
	}
	next.entries = append(next.entries, more...)
	next.settle()
	return &next
}

// save appends entries to the file, or writes all of them anew when most of the file is about messages that are gone, or there is none.
func (b *box) save(more []entry, segs segment.Segments) error {
	if b.written > 0 && b.written <= 2*len(b.entries)+1000 {
		if err := b.append(appendBatch(nil, more, segs), len(more)); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	b.written = 0
	if err := os.WriteFile(b.path+".tmp", appendBatch([]byte(boxMagic), b.entries, segs), 0o600); err != nil {
		return err
	}
	b.written = len(b.entries)
	return os.Rename(b.path+".tmp", b.path)
}

// append adds a batch of n entries to the file.
func (b *box) append(batch []byte, n int) error {
	f, err := os.OpenFile(b.path, os.O_WRONLY|os.O_APPEND, 0o600)
	if err == nil {
		_, err = f.Write(batch)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		b.written = 0 // who knows what is there now
		return err
	}
	b.written += n
	return nil
}

func appendBatch(dst []byte, entries []entry, segs segment.Segments) []byte {
	at := len(dst)
	dst = append(dst, make([]byte, 8)...)
	for _, e := range entries {
		id, _ := identity(segs, e.doc)
		dst = binary.LittleEndian.AppendUint32(dst, e.uid)
		dst = binary.LittleEndian.AppendUint32(dst, e.doc)
		dst = append(dst, id[:4]...)
	}
	binary.LittleEndian.PutUint32(dst[at:], uint32(len(entries)))
	binary.LittleEndian.PutUint32(dst[at+4:], crc32.Checksum(dst[at+8:], castagnoli))
	return dst
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func identity(segs segment.Segments, doc uint32) (segment.ID, bool) {
	if s := segs.Lookup(doc); s != nil {
		return s.ID(doc)
	}
	return segment.ID{}, false
}
