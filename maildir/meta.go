package maildir

import (
	"bytes"
	"cmp"
	"io"
	"slices"
	"sync"

	"roost/maildir/message"
)

// Fill makes Size, Wire and Time of a record known; it may stat or read the file.
func (m *Mailbox) Fill(rec *Record) error {
	if rec.Time == unknownTime || rec.Size < 0 {
		var st fileInfo
		err := m.withFile(rec.UID, func(d *dir, name string) (err error) {
			st, err = d.stat(name)
			return err
		})
		if err != nil {
			return err
		}
		rec.Time = floorSeconds(st.mtime)
		// The sizes in the name are believed only when they are true: a wrong one must not reach a client.
		if rec.Size != st.size {
			rec.Size, rec.Wire = st.size, -1
		}
	}
	if rec.Wire < 0 {
		meta, err := m.Meta(rec.UID)
		if err != nil {
			return err
		}
		rec.Wire = meta.Wire
	}
	m.lockAll()
	defer m.mu.Unlock()
	if r := m.recs.find(rec.UID); r != nil {
		m.recs.setSize(r, rec.Size)
		r.wire, r.time = rec.Wire, rec.Time
		m.unsaved = true
		m.accountLocked(amount{})
	}
	return nil
}

// Meta returns the cached facts of a message; when they are not cached the file is parsed and the facts are cached.
func (m *Mailbox) Meta(uid uint32) (*message.Meta, error) {
	cached := m.NewMetaReader()
	meta := cached.Cached(uid).Clone()
	cached.Close()
	if meta != nil {
		return meta, nil
	}
	b := m.NewMetaBatch(false)
	defer b.Close()
	return b.Meta(&Record{UID: uid})
}

// Identified is Meta with EmailID and ThreadID. When they are not cached the whole file is read.
func (m *Mailbox) Identified(uid uint32) (*message.Meta, error) {
	cached := m.NewMetaReader()
	meta := cached.Cached(uid)
	if meta != nil && meta.HasEmailID {
		meta = meta.Clone()
	} else {
		meta = nil
	}
	cached.Close()
	if meta != nil {
		return meta, nil
	}
	b := m.NewMetaBatch(true)
	defer b.Close()
	return b.Meta(&Record{UID: uid})
}

// MetaBatch finds out facts of messages that are not cached, and caches those of all of them when it is closed, in UID order, so that they
// are quick to read in that order. Meta may be called concurrently.
type MetaBatch struct {
	m        *Mailbox
	identify bool
	mu       sync.Mutex // protects what follows
	found    []foundMeta
}

// foundMeta is a message that has been parsed.
type foundMeta struct {
	uid              uint32
	size, wire, time int64
	entry            []byte // of the cache, to be tied to the base name; nil: too large
}

// metaMakers are not in use.
var metaMakers = sync.Pool{New: func() any { return new(message.MetaMaker) }}

// NewMetaBatch returns a batch for messages of this mailbox; identify: with EmailID. It holds all facts until it is closed.
func (m *Mailbox) NewMetaBatch(identify bool) *MetaBatch { return &MetaBatch{m: m, identify: identify} }

// Meta parses the message that rec.UID names, and makes Size, Wire and Time of rec known.
func (b *MetaBatch) Meta(rec *Record) (*message.Meta, error) {
	defer b.m.store.opt.Budget.parse()()
	maker := metaMakers.Get().(*message.MetaMaker)
	defer metaMakers.Put(maker)
	meta, mtime, err := b.m.parse(rec.UID, maker, b.identify)
	if err != nil {
		return nil, err
	}
	rec.Size, rec.Wire, rec.Time = meta.Size, meta.Wire, floorSeconds(mtime)
	found := foundMeta{uid: rec.UID, size: rec.Size, wire: rec.Wire, time: rec.Time}
	meta, found.entry = newEntry(rec.UID, meta)
	b.mu.Lock()
	b.found = append(b.found, found)
	b.mu.Unlock()
	return meta, nil
}

var entryBuffers = sync.Pool{New: func() any { return new([]byte) }}

// Close caches what was found out.
func (b *MetaBatch) Close() {
	if len(b.found) == 0 {
		return
	}
	slices.SortFunc(b.found, func(x, y foundMeta) int { return cmp.Compare(x.uid, y.uid) })
	m := b.m
	m.mu.Lock()
	if m.err != nil { // the cache of a mailbox that is gone may be its successor's
		m.mu.Unlock()
		return
	}
	sums := make([]uint32, len(b.found))
	for i, f := range b.found {
		if r := m.recs.find(f.uid); r != nil {
			sums[i] = baseSum(m.recs.baseOf(r))
		}
	}
	m.mu.Unlock()

	buf := entryBuffers.Get().(*[]byte)
	defer entryBuffers.Put(buf)
	entries, n := (*buf)[:0], 0
	places := make([]uint32, len(b.found)) // in entries
	for i, f := range b.found {
		if f.entry != nil {
			tieEntry(f.entry, sums[i])
			entries = append(entries, padding[:-len(entries)&(metaAlign-1)]...)
			places[i] = uint32(len(entries) / metaAlign)
			entries = append(entries, f.entry...)
			n++
		}
	}
	at := m.cache.write(entries, n)
	if *buf = entries; cap(entries) > maxEntryBuffer {
		*buf = nil
	}

	m.mu.Lock()
	defer m.mu.Unlock()
	for i, f := range b.found {
		if r := m.recs.find(f.uid); r != nil {
			// What was just read is the truth, whatever ,S= and ,W= in the name say.
			m.recs.setSize(r, f.size)
			r.wire, r.time = f.wire, f.time
			if f.entry != nil && at != 0 {
				r.meta = at + places[i]
			}
			m.unsaved = true
		}
	}
	m.accountLocked(amount{})
}

// maxEntryBuffer is the capacity up to which a buffer for entries is used again.
const maxEntryBuffer = 1 << 20

// wholeFile is up to which size a message is read at once: nearly all are smaller.
const wholeFile = 256 << 10

var fileBuffers = sync.Pool{New: func() any { b := make([]byte, wholeFile); return &b }}

// parse finds out what is cached of a message, and when its file was modified, in nanoseconds since the epoch. The facts are maker's.
func (m *Mailbox) parse(uid uint32, maker *message.MetaMaker, identify bool) (meta *message.Meta, mtime int64, err error) {
	buf := fileBuffers.Get().(*[]byte)
	defer fileBuffers.Put(buf)
	err = m.withFile(uid, func(d *dir, name string) error {
		f, err := d.openMessage(name)
		if err != nil {
			return err
		}
		defer f.Close()
		var r io.ReaderAt = f
		if f.Size() <= wholeFile {
			n, err := f.ReadAt((*buf)[:f.Size()], 0)
			if err != nil && err != io.EOF {
				return err
			}
			r = bytes.NewReader((*buf)[:n])
		}
		mtime = f.info.mtime
		msg, err := message.Parse(r, f.Size(), message.DefaultLimits)
		if err != nil {
			return err
		}
		if meta, err = maker.Make(msg, r); err == nil && identify {
			err = meta.Identify(r)
		}
		return err
	})
	return meta, mtime, err
}

// Uncached lists the places in recs of the messages whose facts are not in the cache.
func (m *Mailbox) Uncached(recs []Record) []int {
	m.lockAll()
	defer m.mu.Unlock()
	var places []int
	next := 0
	for i := range recs {
		if rec := m.recs.findNear(recs[i].UID, &next); rec == nil || rec.meta == 0 {
			places = append(places, i)
		}
	}
	return places
}

// MetaReader reads cached facts of messages, one message after another, and is quickest in UID order. For one goroutine, which closes it.
type MetaReader struct {
	m     *Mailbox
	cache cacheReader
	meta  message.Meta
	next  int // place of the record behind the one that was asked for last
}

// NewMetaReader returns a reader for messages of this mailbox.
func (m *Mailbox) NewMetaReader() *MetaReader {
	return &MetaReader{m: m, cache: newCacheReader(m.cache)}
}

// Cached is Meta from the cache only, nil when it is not there. It holds until the next call.
func (r *MetaReader) Cached(uid uint32) *message.Meta {
	m := r.m
	m.lockAll()
	rec := m.recs.findNear(uid, &r.next)
	if rec == nil || rec.meta == 0 {
		m.mu.Unlock()
		return nil
	}
	at, sum := rec.meta, baseSum(m.recs.baseOf(rec))
	m.mu.Unlock()
	payload, err := r.cache.entry(at, uid, sum)
	if err == nil {
		err = r.meta.UnmarshalBinary(payload)
	}
	if err == nil {
		return &r.meta
	}
	m.log.Info("dropping a damaged cache entry", "mailbox", m.box.path(), "uid", uid, "cause", err)
	m.mu.Lock()
	if rec := m.recs.find(uid); rec != nil && rec.meta == at {
		rec.meta = 0
	}
	m.mu.Unlock()
	return nil
}

// Close gives the reader's memory back; what it returned does not hold any more.
func (r *MetaReader) Close() { r.cache.close() }
