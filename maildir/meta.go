package maildir

import (
	"bytes"
	"io"
	"os"
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
	m.mu.Lock()
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
	defer m.store.opt.Budget.parse()()
	f, err := m.OpenMessage(uid)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if meta, err = parseFile(f, st.Size()); err != nil {
		return nil, err
	}
	m.mu.Lock()
	r := m.recs.find(uid)
	if r == nil || m.err != nil { // the cache of a mailbox that is gone may be its successor's
		m.mu.Unlock()
		return meta, nil
	}
	sum := baseSum(m.recs.baseOf(r))
	m.mu.Unlock()
	at := m.cache.put(uid, sum, meta)
	m.mu.Lock()
	defer m.mu.Unlock()
	if r := m.recs.find(uid); r != nil {
		// What was just read is the truth, whatever ,S= and ,W= in the name say.
		m.recs.setSize(r, meta.Size)
		r.wire, r.time, r.meta = meta.Wire, st.ModTime().Unix(), at
		m.unsaved = true
		m.accountLocked(amount{})
	}
	return meta, nil
}

// wholeFile is up to which size a message is read at once: nearly all are smaller.
const wholeFile = 256 << 10

var fileBuffers = sync.Pool{New: func() any { b := make([]byte, wholeFile); return &b }}

// parseFile finds out what is cached of a message.
func parseFile(f *os.File, size int64) (*message.Meta, error) {
	var r io.ReaderAt = f
	if size <= wholeFile {
		buf := fileBuffers.Get().(*[]byte)
		defer fileBuffers.Put(buf)
		n, err := f.ReadAt((*buf)[:size], 0)
		if err != nil && err != io.EOF {
			return nil, err
		}
		r = bytes.NewReader((*buf)[:n])
	}
	msg, err := message.Parse(r, size, message.DefaultLimits)
	if err != nil {
		return nil, err
	}
	return message.NewMeta(msg, r)
}

// Uncached lists the places in recs of the messages whose facts are not in the cache.
func (m *Mailbox) Uncached(recs []Record) []int {
	m.mu.Lock()
	defer m.mu.Unlock()
	var places []int
	for i := range recs {
		if rec := m.recs.find(recs[i].UID); rec == nil || rec.meta == 0 {
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
}

// NewMetaReader returns a reader for messages of this mailbox.
func (m *Mailbox) NewMetaReader() *MetaReader {
	return &MetaReader{m: m, cache: newCacheReader(m.cache)}
}

// Cached is Meta from the cache only, nil when it is not there. It holds until the next call.
func (r *MetaReader) Cached(uid uint32) *message.Meta {
	m := r.m
	m.mu.Lock()
	rec := m.recs.find(uid)
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
