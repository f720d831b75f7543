package ranked

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/blevesearch/bleve/v2/index/scorch"
	index "github.com/blevesearch/bleve_index_api"
)

// format is counted up when what is written changes, so that old indexes are made anew.
const format = 1

// formatFile says what an index was made with. It is written before anything else.
const formatFile = "format"

// made is the content of formatFile.
type made struct {
	Format    int      `json:"format"`
	Languages []string `json:"languages"`
}

// Index is the ranked index in a directory of its own. Keys opens it. Nil is an index that has nothing.
type Index struct {
	dir   string
	names []string
	langs []*language
	log   *slog.Logger

	change sync.Mutex // held by who changes the index, before mu
	keys   []Key      // ascending; protected by change

	mu    sync.RWMutex // protects open; searches hold it for reading
	open  *store
	final bool // closed for good
}

// ErrClosed says that the index was closed.
var ErrClosed = errors.New("the ranked index is closed")

// New returns the index in dir, for mail in those languages, at least one, the likeliest first, none unknown. Nothing is read or written yet.
func New(dir string, languages []string, log *slog.Logger) (*Index, error) {
	x := &Index{dir: dir, names: languages, log: log}
	for _, name := range languages {
		l, err := load(name)
		if err != nil {
			return nil, err
		}
		x.langs = append(x.langs, l)
	}
	return x, nil
}

// store is an open index of Bleve.
type store struct {
	bleve  index.Index
	once   sync.Once
	broken chan struct{} // closed when a goroutine of Bleve failed
	cause  error         // why, once broken is closed
}

// Bleve knows the functions that it calls back by name, and tells them the path.
const callback = "roost"

var (
	stores        sync.Map // path → *store
	analysisQueue = sync.OnceValue(func() *index.AnalysisQueue { return index.NewAnalysisQueue(1) })
)

func init() {
	scorch.RegistryAsyncErrorCallbacks[callback] = func(err error, path string) {
		if s, ok := stores.Load(path); ok {
			s.(*store).fail(err)
		}
	}
	// Called in the goroutines that persist and merge before they do: a file that was cut short or cannot be read is a panic there, which Bleve takes for
	// an error, and no longer the end of the process.
	scorch.RegistryEventCallbacks[callback] = func(scorch.Event) bool {
		debug.SetPanicOnFault(true)
		return true
	}
}

func (s *store) fail(err error) {
	s.once.Do(func() {
		s.cause = err
		close(s.broken)
	})
}

// contain turns a panic into an error: files may be damaged in ways that Bleve does not expect.
func contain(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("ranked index: %v", r)
	}
}

// within calls fn so that neither a panic nor a fault of a mapped file leaves it.
func within(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer contain(&err)
	return fn()
}

// Keys returns the documents that are in the index, ascending; not to be changed, and true only until Update or Clear. What is damaged, of another version or for other languages is
// dropped. The error says why there can be no index.
func (x *Index) Keys() ([]Key, error) {
	x.change.Lock()
	defer x.change.Unlock()
	err := x.ensure()
	return x.keys, err
}

// ensure opens the index, a new one if need be; change is held.
func (x *Index) ensure() error {
	x.mu.RLock()
	open, final := x.open, x.final
	x.mu.RUnlock()
	if final {
		return ErrClosed
	}
	if open != nil {
		select {
		case <-open.broken:
			x.drop(open.cause)
		default:
			return nil
		}
	}
	s, keys, err := x.start()
	if err != nil {
		if _, e := os.Stat(x.dir); e == nil {
			x.log.Warn("dropping a damaged ranked search index; it is built again", "dir", x.dir, "cause", err)
		}
		if err := os.RemoveAll(x.dir); err != nil {
			return err
		}
		if s, keys, err = x.start(); err != nil {
			return err
		}
	}
	x.keys = keys
	x.mu.Lock()
	x.open = s
	x.mu.Unlock()
	return nil
}

// start opens what is in the directory, or makes it.
func (x *Index) start() (s *store, keys []Key, err error) {
	want, err := json.Marshal(made{format, x.names})
	if err != nil {
		return nil, nil, err
	}
	path := filepath.Join(x.dir, formatFile)
	if got, err := os.ReadFile(path); err != nil || string(got) != string(want) {
		if err := os.RemoveAll(x.dir); err != nil {
			return nil, nil, err
		}
		if err := os.MkdirAll(x.dir, 0o700); err != nil {
			return nil, nil, err
		}
		if err := os.WriteFile(path, want, 0o600); err != nil {
			return nil, nil, err
		}
	}
	if err := checkFiles(x.dir); err != nil {
		return nil, nil, err
	}
	dir := filepath.Join(x.dir, "store")
	s = &store{broken: make(chan struct{})}
	err = within(func() error {
		s.bleve, err = scorch.NewScorch(scorch.Name, map[string]any{
			"path": dir,
			// Without it a second opening waits for ever.
			"bolt_timeout":           "2s",
			"asyncErrorCallbackName": callback,
			"eventCallbackName":      callback,
			"numSnapshotsToKeep":     1,
		}, analysisQueue())
		if err != nil {
			return err
		}
		stores.Store(dir, s)
		if err := s.bleve.Open(); err != nil {
			return err
		}
		keys, err = s.keys()
		if err != nil {
			s.close(dir)
		}
		return err
	})
	if err != nil {
		stores.Delete(dir)
		return nil, nil, err
	}
	return s, keys, nil
}

// keys reads the keys of all documents.
func (s *store) keys() (keys []Key, err error) {
	r, err := s.bleve.Reader()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	all, err := r.DocIDReaderAll()
	if err != nil {
		return nil, err
	}
	defer all.Close()
	for {
		id, err := all.Next()
		if err != nil {
			return nil, err
		}
		if id == nil {
			break
		}
		name, err := r.ExternalID(id)
		if err != nil {
			return nil, err
		}
		key, ok := keyOf(name)
		if !ok {
			return nil, errors.New("a document of a strange name")
		}
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys, nil
}

// closeWait is how long Bleve may take to end its goroutines.
const closeWait = 10 * time.Second

func (s *store) close(path string) error {
	done := make(chan error, 1)
	go func() { done <- within(s.bleve.Close) }()
	defer stores.Delete(path)
	select {
	case err := <-done:
		return err
	case <-time.After(closeWait):
		return errors.New("the ranked index does not end")
	}
}

// checkFiles compares the files of segments with their checksums. What Bleve makes of damaged ones is anything.
func checkFiles(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "store", "*.zap"))
	if err != nil {
		return err
	}
	for _, path := range files {
		if err := checkFile(path); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(path), err)
		}
	}
	return nil
}

var errChecksum = errors.New("wrong checksum")

// checkFile: the last four octets are the CRC-32 of those before.
func checkFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if st.Size() < 4 {
		return errChecksum
	}
	sum := crc32.NewIEEE()
	r := bufio.NewReaderSize(f, 64<<10)
	if _, err := io.CopyN(sum, r, st.Size()-4); err != nil {
		return err
	}
	var want [4]byte
	if _, err := io.ReadFull(r, want[:]); err != nil {
		return err
	}
	if binary.BigEndian.Uint32(want[:]) != sum.Sum32() {
		return errChecksum
	}
	return nil
}

// Update adds documents and removes others, at once, and returns when that is on disk. After an error the index is given up and made
// anew with the next call of Keys.
func (x *Index) Update(add []Document, remove []Key) error {
	x.change.Lock()
	defer x.change.Unlock()
	if err := x.ensure(); err != nil {
		return err
	}
	batch := index.NewBatch()
	for _, key := range remove {
		batch.Delete(key.id())
	}
	for i := range add {
		doc, err := add[i].analyse(x.langs)
		if err != nil { // nothing of it, then; and not again
			x.log.Info("cannot rank a message; searches find its words as they stand", "document", add[i].Key.Doc(), "cause", err)
			doc, err = (&Document{Key: add[i].Key}).analyse(x.langs)
		}
		if err != nil {
			return err
		}
		batch.Update(doc)
	}
	s := x.open
	done := make(chan error, 1)
	go func() { done <- within(func() error { return s.bleve.Batch(batch) }) }()
	var err error
	select {
	case err = <-done:
	case <-s.broken:
		err = s.cause
	}
	if err != nil {
		x.drop(err)
		return err
	}
	for i := range add {
		x.keys = append(x.keys, add[i].Key)
	}
	slices.Sort(x.keys)
	x.keys = slices.Compact(x.keys)
	if len(remove) > 0 {
		gone := slices.Clone(remove)
		slices.Sort(gone)
		x.keys = slices.DeleteFunc(x.keys, func(k Key) bool {
			_, ok := slices.BinarySearch(gone, k)
			return ok
		})
	}
	return nil
}

// drop closes and removes the index; change is held.
func (x *Index) drop(cause error) {
	x.log.Warn("dropping the ranked search index; it is built again", "dir", x.dir, "cause", cause)
	x.shut(false)
	if err := os.RemoveAll(x.dir); err != nil {
		x.log.Warn("cannot remove a ranked search index", "dir", x.dir, "cause", err)
	}
}

// shut closes what is open, once no search reads it; change is held.
func (x *Index) shut(final bool) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.open
	x.open, x.keys, x.final = nil, nil, x.final || final
	if s == nil {
		return nil
	}
	return s.close(filepath.Join(x.dir, "store"))
}

// Clear removes everything.
func (x *Index) Clear() error {
	if x == nil {
		return nil
	}
	x.change.Lock()
	defer x.change.Unlock()
	if err := x.shut(false); err != nil {
		x.log.Warn("closing a ranked search index", "dir", x.dir, "cause", err)
	}
	return os.RemoveAll(x.dir)
}

// Close closes the index for good, once searches of it are over.
func (x *Index) Close() error {
	if x == nil {
		return nil
	}
	x.change.Lock()
	defer x.change.Unlock()
	return x.shut(true)
}

// Size is how many octets the index has on disk.
func (x *Index) Size() (n int64) {
	if x == nil {
		return 0
	}
	names, err := os.ReadDir(filepath.Join(x.dir, "store"))
	if err != nil {
		return 0
	}
	for _, e := range names {
		if info, err := e.Info(); err == nil && !strings.HasSuffix(e.Name(), ".tmp") {
			n += info.Size()
		}
	}
	return n
}
