package maildir

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"os"
	"sync"

	"roost/maildir/message"
)

// metaCache keeps what message.Meta knows of the messages of one mailbox: a file of the state directory to which entries are only ever
// appended. Everything in it can be computed again, so nothing is fsynced, every entry carries a checksum and its identity, and whatever does not
// match is dropped.
//
//	file  = magic generation(8) *entry
//	entry = length(4) crc32c(4) uid(4) base-sum(4) payload, padded to metaAlign
//
// It is read by pread, not mapped: a file that somebody truncates must not end the process with SIGBUS.
type metaCache struct {
	log  *slog.Logger
	mu   sync.Mutex // protects what follows; reading the file needs no lock
	f    *os.File   // nil: no cache (state directory unusable)
	gen  uint64     // tells this file from one that replaced it
	end  int64
	n    int // entries in the file, dead ones included
	down bool
}

const (
	metaMagic  = "RoostMC2"
	metaStart  = 16
	metaAlign  = 8
	metaHeader = 16
	// maxMeta bounds one entry; message.Meta of any real mail is far smaller.
	maxMeta = 8 << 20
	// maxCache is where uint32 positions end.
	maxCache = metaAlign << 32
)

var crcTable = crc32.MakeTable(crc32.Castagnoli)

var errCache = errors.New("cache entry is damaged")

// baseSum ties a cache entry to the base name it was made for.
func baseSum(base []byte) uint32 { return crc32.Checksum(base, crcTable) }

// openCache opens or creates a cache file. It never fails: without a usable file there is no cache.
func openCache(path string, log *slog.Logger) *metaCache {
	c := &metaCache{log: log}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		log.Warn("no message cache", "file", path, "cause", err)
		return c
	}
	var head [metaStart]byte
	st, err := f.Stat()
	if err == nil && st.Size() >= metaStart {
		_, err = f.ReadAt(head[:], 0)
	}
	if err == nil && string(head[:8]) == metaMagic && st.Size() <= maxCache {
		c.f, c.gen, c.end = f, binary.LittleEndian.Uint64(head[8:]), st.Size()
		return c
	}
	if err == nil {
		copy(head[:], metaMagic)
		rand.Read(head[8:])
		if err = f.Truncate(0); err == nil {
			_, err = f.WriteAt(head[:], 0)
		}
	}
	if err != nil {
		log.Warn("no message cache", "file", path, "cause", err)
		f.Close()
		return c
	}
	c.f, c.gen, c.end = f, binary.LittleEndian.Uint64(head[8:]), metaStart
	return c
}

func (c *metaCache) close() {
	if c.f != nil {
		c.f.Close()
	}
}

// padding is what stands between entries.
var padding [metaAlign]byte

// newEntry makes an entry of the facts, which tieEntry has to complete, and returns them as parts of it. Facts too large for an entry are
// returned as a copy.
func newEntry(uid uint32, meta *message.Meta) (*message.Meta, []byte) {
	size := meta.BinarySize()
	if size > maxMeta {
		return meta.Clone(), nil
	}
	b := meta.AppendBinary(make([]byte, metaHeader, metaHeader+size))
	beginEntry(b, uid)
	own := new(message.Meta)
	if own.UnmarshalBinary(b[metaHeader:]) != nil { // it was written a moment ago
		panic("maildir: facts cannot be read")
	}
	return own, b
}

// beginEntry writes the header of the entry b, but for what ties it to a message.
func beginEntry(b []byte, uid uint32) {
	binary.LittleEndian.PutUint32(b, uint32(len(b)-metaHeader))
	binary.LittleEndian.PutUint32(b[8:], uid)
}

// tieEntry ties the entry b to a base name.
func tieEntry(b []byte, sum uint32) {
	binary.LittleEndian.PutUint32(b[12:], sum)
	binary.LittleEndian.PutUint32(b[4:], crc32.Checksum(b[8:], crcTable))
}

// write appends n entries to the file and returns the position of the first for cacheReader, 0 when they could not be kept.
func (c *metaCache) write(entries []byte, n int) uint32 {
	if c.f == nil {
		return 0
	}
	c.mu.Lock()
	at := (c.end + metaAlign - 1) &^ (metaAlign - 1)
	if at+int64(len(entries)) > maxCache {
		c.mu.Unlock()
		return 0
	}
	c.end = at + int64(len(entries))
	c.n += n
	c.mu.Unlock()
	if _, err := c.f.WriteAt(entries, at); err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.down {
			c.log.Warn("message cache cannot be written", "file", c.f.Name(), "cause", err)
			c.down = true
		}
		return 0
	}
	return uint32(at / metaAlign)
}

// cacheReader reads entries. It reads a piece of the file at once, so that neighbours cost no more than a copy. For one goroutine.
type cacheReader struct {
	c      *metaCache
	buf    *[]byte
	window []byte // of the file, in buf
	at     int64  // where it begins
}

const (
	metaFirst  = 8 << 10   // octets read for one entry; few are larger
	metaWindow = 128 << 10 // octets read when entries are asked for in the order of the file
)

var metaBuffers = sync.Pool{New: func() any { b := make([]byte, metaWindow); return &b }}

func newCacheReader(c *metaCache) cacheReader {
	return cacheReader{c: c, buf: metaBuffers.Get().(*[]byte)}
}

func (r *cacheReader) close() {
	if cap(*r.buf) <= 4*metaWindow {
		metaBuffers.Put(r.buf)
	}
	*r = cacheReader{}
}

// entry returns the payload of the entry at a position. It holds until the next call.
func (r *cacheReader) entry(at, uid, sum uint32) ([]byte, error) {
	if r.c.f == nil {
		return nil, errCache
	}
	off := int64(at) * metaAlign
	b, err := r.octets(off, metaHeader)
	if err != nil {
		return nil, err
	}
	size := int(binary.LittleEndian.Uint32(b))
	if size > maxMeta || binary.LittleEndian.Uint32(b[8:]) != uid || binary.LittleEndian.Uint32(b[12:]) != sum {
		return nil, errCache
	}
	if b, err = r.octets(off, metaHeader+size); err != nil {
		return nil, err
	}
	if crc32.Checksum(b[8:], crcTable) != binary.LittleEndian.Uint32(b[4:]) {
		return nil, errCache
	}
	return b[metaHeader:], nil
}

// octets returns n octets of the file.
func (r *cacheReader) octets(off int64, n int) ([]byte, error) {
	i := off - r.at
	if i >= 0 && i+int64(n) <= int64(len(r.window)) {
		return r.window[i:][:n], nil
	}
	size := metaFirst
	if i >= 0 && len(r.window) > 0 && i <= int64(len(r.window)+metaWindow) {
		size = metaWindow
	}
	if size = max(size, n); cap(*r.buf) < size {
		*r.buf = make([]byte, size)
	}
	got, err := r.c.f.ReadAt((*r.buf)[:size], off)
	r.at, r.window = off, (*r.buf)[:got]
	if got < n {
		return nil, fmt.Errorf("%w: %v", errCache, err)
	}
	return r.window[:n], nil
}

// recover walks the entries from off on, which no snapshot knows of, and reports position and identity of each. It stops at the first
// damaged one, behind which nothing can be found.
func (c *metaCache) recover(off int64, fn func(at, uid, sum uint32)) {
	if c.f == nil {
		return
	}
	off = max(off, metaStart)
	for off < c.end {
		off = (off + metaAlign - 1) &^ (metaAlign - 1)
		var h [metaHeader]byte
		if _, err := c.f.ReadAt(h[:], off); err != nil {
			break
		}
		size := int64(binary.LittleEndian.Uint32(h[:]))
		if size > maxMeta || off+metaHeader+size > c.end || binary.LittleEndian.Uint32(h[8:]) == 0 { // no UID is 0, but a hole in a file is
			break
		}
		fn(uint32(off/metaAlign), binary.LittleEndian.Uint32(h[8:]), binary.LittleEndian.Uint32(h[12:]))
		c.n++
		off += metaHeader + size
	}
	c.end = min(c.end, off)
}

// wasteful tells whether too many of n entries belong to no message any more.
func (c *metaCache) wasteful(n, live int) bool { return c.f != nil && n > 2*live+1000 }

// compact copies the live entries to a new file and returns it; move reports old and new position of each.
func (c *metaCache) compact(path string, live func(yield func(at, uid, sum uint32)), move func(uid, at uint32)) (*metaCache, error) {
	tmp := path + ".tmp"
	if err := os.Remove(tmp); err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	fresh := openCache(tmp, c.log)
	if fresh.f == nil {
		return nil, io.ErrClosedPipe
	}
	old := newCacheReader(c)
	defer old.close()
	var entry []byte
	live(func(at, uid, sum uint32) {
		payload, err := old.entry(at, uid, sum)
		if err != nil {
			move(uid, 0)
			return
		}
		entry = append(append(entry[:0], make([]byte, metaHeader)...), payload...)
		beginEntry(entry, uid)
		tieEntry(entry, sum)
		move(uid, fresh.write(entry, 1))
	})
	if err := os.Rename(tmp, path); err != nil {
		fresh.close()
		return nil, err
	}
	return fresh, nil
}
