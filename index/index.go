package index

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"roost/index/segment"
	"roost/index/words"
	"roost/maildir"
)

// Index is the full-text index of one mail root. Its files may vanish or be damaged at any time: messages that are not indexed are searched all the
// same, by reading them. Nil is an index that has nothing. Safe for concurrent use; Follow fills it.
type Index struct {
	dir string
	log *slog.Logger

	languages   *words.Languages // nil: there are none
	attachments Attachments

	ready    chan struct{} // closed after the first pass of Follow
	caughtUp sync.Once     // closes it

	mu    sync.RWMutex // protects what follows; readers copy it and retain the segments
	lock  *os.File
	segs  segment.Segments
	boxes map[string]*box // by file name
	clear int             // counts Clear, so that Follow notices
}

// ErrInUse says that another process has the index open.
var ErrInUse = errors.New("another process has this search index open")

// Options say what an index is for.
type Options struct {
	Languages   []string    // of the mail (see words.New); with none, words cannot be ranked
	Attachments Attachments // empty: AttachmentsNone
}

// Open opens the index in dir, which is made if it is not there. What cannot be read there, or was made with other Attachments, is removed. Close it.
func Open(dir string, o Options, log *slog.Logger) (*Index, error) {
	x := &Index{dir: dir, log: log, attachments: o.Attachments, boxes: map[string]*box{}, ready: make(chan struct{})}
	if x.attachments == "" {
		x.attachments = AttachmentsNone
	}
	var err error
	if len(o.Languages) > 0 {
		if x.languages, err = words.New(o.Languages); err != nil {
			return nil, err
		}
	}
	if x.lock, err = takeDir(dir); err != nil {
		return nil, err
	}
	if err = x.remake(); err == nil {
		x.segs, err = x.load()
	}
	if err != nil {
		x.lock.Close()
		return nil, err
	}
	return x, nil
}

// madeFile says what the attachments of an index count for.
const madeFile = "attachments"

// remake clears an index away in which attachments count for something else.
func (x *Index) remake() error {
	path := filepath.Join(x.dir, madeFile)
	made, err := os.ReadFile(path)
	if err == nil && string(made) == string(x.attachments) {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	files, err := filepath.Glob(filepath.Join(x.dir, "*"+segment.Suffix))
	for _, f := range files {
		err = errors.Join(err, os.Remove(f))
	}
	if len(files) > 0 {
		x.log.Info("building the search index anew, as attachments count for something else now", "dir", x.dir, "attachments", x.attachments)
	}
	x.Clear()
	return errors.Join(err, os.WriteFile(path, []byte(x.attachments), 0o600))
}

// takeDir makes the directory of an index if it is not there, and locks it until the file is closed.
func takeDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		return nil, fmt.Errorf("%s: %w", dir, ErrInUse)
	}
	return lock, nil
}

// keepDir finds out whether somebody deleted the directory, and begins anew in another one then. Called by who fills the index.
func (x *Index) keepDir() error {
	mine, err := x.lock.Stat()
	if err != nil {
		return err
	}
	if there, err := os.Stat(filepath.Join(x.dir, "lock")); err == nil && os.SameFile(mine, there) {
		return nil
	}
	x.log.Info("the search index was deleted; it is built again", "dir", x.dir)
	for _, s := range x.forget() {
		s.Release() // a file of its name is another one
	}
	lock, err := takeDir(x.dir)
	if err != nil {
		return err
	}
	err = x.remake()
	segs, e := x.load()
	err = errors.Join(err, e)
	x.mu.Lock()
	defer x.mu.Unlock()
	old := x.lock
	x.lock, x.segs = lock, segs
	return errors.Join(err, old.Close())
}

// forget leaves the index without content, and returns its segments.
func (x *Index) forget() segment.Segments {
	x.mu.Lock()
	defer x.mu.Unlock()
	segs := x.segs
	x.segs, x.boxes = nil, map[string]*box{}
	x.clear++
	return segs
}

// load opens the segments and clears away what a crash left.
func (x *Index) load() (segs segment.Segments, err error) {
	names, err := os.ReadDir(x.dir)
	if err != nil {
		return nil, err
	}
	for _, e := range names {
		name := e.Name()
		path := filepath.Join(x.dir, name)
		switch {
		case strings.HasSuffix(name, segment.Suffix):
			s, err := segment.Open(path)
			if errors.Is(err, segment.ErrDamaged) {
				x.log.Warn("dropping a damaged part of the search index; it is built again", "file", path)
				err = os.Remove(path)
			}
			if err != nil {
				return segs, err
			}
			if s != nil {
				segs = append(segs, s)
			}
		case strings.HasSuffix(name, ".tmp"):
			os.Remove(path)
		}
	}
	// A merge that was done before its sources were removed covers them.
	slices.SortFunc(segs, func(a, b *segment.Segment) int {
		if a.First() != b.First() {
			return int(int64(a.First()) - int64(b.First()))
		}
		return int(int64(b.Last()) - int64(a.Last()))
	})
	kept := segs[:0]
	for _, s := range segs {
		if n := len(kept); n > 0 && s.First() <= kept[n-1].Last() {
			s.Remove()
			s.Release()
			continue
		}
		kept = append(kept, s)
	}
	return kept, nil
}

// CheckLanguages says what is wrong with a list of languages for Open.
func CheckLanguages(names []string) error { return words.Check(names) }

// Ranked tells whether words can be ranked, and so whether there is a point in SEARCH=FUZZY.
func (x *Index) Ranked() bool { return x != nil && x.languages != nil }

// Wait waits until Follow has been through all mailboxes once, or ctx ends.
func (x *Index) Wait(ctx context.Context) {
	select {
	case <-x.ready:
	case <-ctx.Done():
	}
}

// Close closes the index; who still reads it may go on.
func (x *Index) Close() error {
	if x == nil {
		return nil
	}
	x.mu.Lock()
	segs, lock := x.segs, x.lock
	x.segs, x.boxes = nil, map[string]*box{}
	x.mu.Unlock()
	for _, s := range segs {
		s.Release()
	}
	return lock.Close()
}

// box returns the box of that name.
func (x *Index) box(name string) *box {
	x.mu.RLock()
	b := x.boxes[name]
	x.mu.RUnlock()
	if b != nil {
		return b
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if b = x.boxes[name]; b == nil {
		var err error
		if b, err = loadBox(x.dir, name, x.segs); err != nil {
			x.log.Warn("cannot read what of a mailbox is indexed", "file", b.path, "cause", err)
		}
		x.boxes[name] = b
	}
	return b
}

// Reader is what the index knows of one mailbox at one moment. Safe for concurrent use, but for Close.
type Reader struct {
	segs      segment.Segments
	entries   []entry
	languages *words.Languages
}

// Reader returns a reader for a mailbox; nil when nothing of it is indexed. Close it.
func (x *Index) Reader(m *maildir.Mailbox) *Reader {
	if x == nil {
		return nil
	}
	guid, validity := m.Identity()
	b := x.box(boxName(guid, validity))
	x.mu.RLock()
	defer x.mu.RUnlock()
	// The entries are no newer than the segments.
	r := &Reader{segs: slices.Clone(x.segs), entries: b.entries, languages: x.languages}
	if len(r.entries) == 0 || len(r.segs) == 0 {
		return nil
	}
	for _, s := range r.segs {
		s.Retain()
	}
	return r
}

// Close ends the use of a reader.
func (r *Reader) Close() {
	if r == nil {
		return
	}
	for _, s := range r.segs {
		s.Release()
	}
	r.segs = nil
}

// Doc returns the document of a message; false when it is not indexed.
func (r *Reader) Doc(uid uint32) (doc uint32, ok bool) {
	i, ok := slices.BinarySearchFunc(r.entries, uid, func(e entry, uid uint32) int { return int(int64(e.uid) - int64(uid)) })
	if !ok || r.segs.Lookup(r.entries[i].doc) == nil {
		return 0, false
	}
	return r.entries[i].doc, true
}

// Docs calls fn for each of the UIDs, ascending, with its document.
func (r *Reader) Docs(uids []uint32, fn func(uid, doc uint32, ok bool)) {
	entries := r.entries
	var seg *segment.Segment
	for _, uid := range uids {
		if len(entries) > 0 && entries[0].uid < uid {
			if len(entries) > 1 && entries[1].uid >= uid {
				entries = entries[1:]
			} else {
				i, _ := slices.BinarySearchFunc(entries, uid, func(e entry, uid uint32) int { return int(int64(e.uid) - int64(uid)) })
				entries = entries[i:]
			}
		}
		if len(entries) == 0 || entries[0].uid != uid {
			fn(uid, 0, false)
			continue
		}
		doc := entries[0].doc
		if seg == nil || doc < seg.First() || doc > seg.Last() {
			seg = r.segs.Lookup(doc)
		}
		fn(uid, doc, seg != nil)
	}
}

// Where says in which texts to look: the body, the body and all headers (TEXT), or one header field.
type Where uint8

// Where to look.
const (
	InBody Where = iota
	InText
	InHeader // any header field, also of the parts: more than HEADER asks for, so nothing found there is sure
	InSubject
	InFrom
	InTo
	InCc
	InBcc
)

var whereFields = [...]segment.Field{
	InBody: segment.Body, InText: segment.Body, InHeader: segment.Header,
	InSubject: segment.Subject, InFrom: segment.From, InTo: segment.To, InCc: segment.Cc, InBcc: segment.Bcc,
}

// Hits is the answer to Find.
type Hits struct {
	hits   segment.Hits
	header *segment.Hits // of InText: hits is about the body alone then
}

// Answer is what is known of a document: No, Yes, or Maybe, which has to be looked at.
type Answer uint8

// Answers, in the order of what one of two texts says of both.
const (
	No Answer = iota
	Maybe
	Yes
)

// Find looks for a needle, not an empty one, in all documents. The error is that of ctx, or says that the index is damaged.
func (r *Reader) Find(ctx context.Context, where Where, n Needle) (*Hits, error) {
	q := segment.NewQuery(n.folded)
	found, err := r.segs.Find(ctx, q, whereFields[where])
	if err != nil {
		return nil, err
	}
	h := &Hits{hits: found}
	switch where {
	case InHeader:
		h.hits.Sure = false
	case InText:
		header, err := r.segs.Find(ctx, q, segment.Header)
		if err != nil {
			return nil, err
		}
		h.header = &header
	}
	return h, nil
}

// Of tells of a document whether it contains the needle.
func (h *Hits) Of(doc uint32) Answer {
	if h.header == nil {
		return answer(&h.hits, doc)
	}
	return max(answer(&h.hits, doc), answer(h.header, doc))
}

func answer(h *segment.Hits, doc uint32) Answer {
	switch {
	case !h.Maybe.Has(doc):
		return No
	case !h.Sure, h.Doubt != nil && h.Doubt.Has(doc):
		return Maybe
	}
	return Yes
}

// Texts looks into kept texts, quickest for documents in ascending order. For one goroutine.
type Texts struct {
	r    *Reader
	read segment.TextReader
}

// Texts returns a reader of texts.
func (r *Reader) Texts() *Texts { return &Texts{r: r} }

// Contains decides for one document of InBody or InText that is a Maybe by its text; Maybe when that does not decide, or cannot be read.
func (t *Texts) Contains(doc uint32, h *Hits, n Needle) Answer {
	found, known, err := t.read.Contains(t.r.segs, doc, n.folded)
	switch {
	case found && err == nil:
		return Yes
	case !known || err != nil || h.header != nil && answer(h.header, doc) != No:
		return Maybe
	}
	return No
}

// Drop is Clear, because the index was found to be damaged.
func (x *Index) Drop(cause error) {
	x.log.Warn("dropping the search index; it is built again", "dir", x.dir, "cause", cause)
	x.Clear()
}

// Clear forgets everything; Follow builds it again.
func (x *Index) Clear() {
	for _, s := range x.forget() {
		s.Remove()
		s.Release()
	}
	files, err := filepath.Glob(filepath.Join(x.dir, "*"+boxSuffix))
	for _, f := range append(files, filepath.Join(x.dir, progressFile)) {
		if e := os.Remove(f); err == nil && !errors.Is(e, fs.ErrNotExist) {
			err = e
		}
	}
	if err != nil {
		x.log.Warn("cannot clear a search index", "dir", x.dir, "cause", err)
	}
}
