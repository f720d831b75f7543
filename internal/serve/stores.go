package serve

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"roost/index"
	"roost/internal/auth"
	"roost/maildir"
)

// keepWarm is how long a mail root stays open after its last session: mail programs come back.
const keepWarm = 2 * time.Minute

var errStopping = errors.New("the server is stopping")

// Stores shares one open mail root, and its full-text index, among all sessions of its users. Safe for concurrent use.
type Stores struct {
	locate func(*auth.User) (maildir.Options, error)
	search Search
	log    *slog.Logger
	warm   time.Duration
	turn   chan struct{} // held by the index that is being filled

	confined bool // the sandbox is in force; set before anything is opened

	mu      sync.Mutex // protects the rest and the counters; never held while a root is opened or closed
	open    map[string]*shared
	served  map[string]bool // roots that were open once
	stopped bool
}

// shared is an open mail root, or one that is being opened.
type shared struct {
	key   string
	ready chan struct{} // closed when store and err are set
	store *maildir.Store
	err   error

	index  *index.Index // nil: none
	finish func()       // ends filling it
	refs   int
	timer  *time.Timer   // runs while refs is 0
	moved  bool          // its Maildir was moved away or replaced: nobody takes it any more
	gone   chan struct{} // closed when the store is closed, or no longer touches its state directory
}

// Search says whether mail roots have full-text indexes, and how much memory filling one takes, in octets; 0: the default.
type Search struct {
	Enabled     bool
	Memory      int
	Languages   []string // for SEARCH=FUZZY
	Attachments index.Attachments
}

func (s Search) options() index.Options {
	return index.Options{Languages: s.Languages, Attachments: s.Attachments}
}

// NewStores makes a registry that finds mail by locate.
func NewStores(locate func(*auth.User) (maildir.Options, error), search Search, log *slog.Logger) *Stores {
	return &Stores{locate: locate, search: search, log: log, warm: keepWarm, turn: make(chan struct{}, 1),
		open: map[string]*shared{}, served: map[string]bool{}}
}

// Open gives the user's mail root and its index, nil when there is none; release must be called once when the session is over.
func (s *Stores) Open(u *auth.User) (store *maildir.Store, search *index.Index, release func(), err error) {
	sh, err := s.share(u)
	if err != nil {
		return nil, nil, nil, err
	}
	return sh.store, sh.index, sync.OnceFunc(func() { s.release(sh) }), nil
}

// IndexAll brings the indexes of all users up to date, one after another, until ctx ends. That of a user who is logged in has its own follower.
func (s *Stores) IndexAll(ctx context.Context, users []*auth.User) {
	if !s.search.Enabled {
		return
	}
	for _, u := range users {
		sh, err := s.share(u)
		if err != nil {
			continue // the log says so when the user logs in
		}
		if sh.index != nil {
			wait, cancel := context.WithCancel(ctx)
			stop := context.AfterFunc(sh.store.Context(), cancel)
			sh.index.Wait(wait)
			stop()
			cancel()
		}
		s.release(sh)
		if ctx.Err() != nil {
			return
		}
	}
}

func (s *Stores) share(u *auth.User) (*shared, error) {
	o, err := s.locate(u)
	if err != nil {
		return nil, err
	}
	for {
		sh, mine, wait, err := s.claim(o.Root)
		if err != nil {
			return nil, err
		}
		if wait != nil { // it is being closed
			<-wait
			continue
		}
		if mine {
			s.openRoot(sh, o)
			close(sh.ready)
		}
		<-sh.ready
		if sh.err != nil {
			s.drop(sh)
			return nil, sh.err
		}
		if sh.store.Check() != nil {
			s.retire(sh)
			s.release(sh)
			continue
		}
		sh.store.LimitQuota(o.Quota, o.OwnQuota) // may have changed since it was opened
		return sh, nil
	}
}

// openRoot opens a mail root. One that this process has served and that is gone is not made anew: whoever moved it away is about to put something
// in its place, which an empty Maildir would be in the way of.
func (s *Stores) openRoot(sh *shared, o maildir.Options) {
	s.mu.Lock()
	if s.served[sh.key] {
		o.Create = false
	}
	s.mu.Unlock()
	if sh.err = os.MkdirAll(o.State, 0o700); sh.err != nil {
		return
	}
	sh.store, sh.err = maildir.OpenStore(o)
	switch {
	case sh.err == nil:
	case errors.Is(sh.err, fs.ErrNotExist):
		sh.err = fmt.Errorf("%w; put it back, or make an empty directory", sh.err)
		return
	case errors.Is(sh.err, maildir.ErrPermission) && s.confined:
		sh.err = fmt.Errorf("%w: permissions of the file system, or %w", sh.err, errOutside) // of a home that was replaced
		return
	default:
		return
	}
	s.mu.Lock()
	s.served[sh.key] = true
	s.mu.Unlock()
	if s.search.Enabled {
		s.openIndex(sh, filepath.Join(o.State, indexDir))
	}
	context.AfterFunc(sh.store.Context(), func() {
		if sh.store.Check() != nil {
			s.retire(sh)
		}
	})
}

// retire has the next login open anew what a Maildir's path leads to, while the sessions of the old one end. It returns when the state directory is
// free.
func (s *Stores) retire(sh *shared) {
	s.mu.Lock()
	if sh.moved || sh.refs < 0 {
		s.mu.Unlock()
		<-sh.gone
		return
	}
	sh.moved = true
	if sh.timer != nil {
		sh.timer.Stop()
		sh.timer = nil
	}
	sh.refs++ // not closed before the end of this
	s.mu.Unlock()
	if sh.finish != nil {
		sh.finish()
	}
	s.drop(sh)
	close(sh.gone)
	s.release(sh)
}

// indexDir is the index of a mail root in its state directory.
const indexDir = "search"

// openIndex opens the index of a mail root that has just been opened, and begins to fill it. Without one, searches read messages.
func (s *Stores) openIndex(sh *shared, dir string) {
	x, err := index.Open(dir, s.search.options(), s.log)
	if err != nil {
		s.log.Warn("no search index; searches read messages instead", "maildir", sh.key, "cause", err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		x.Follow(ctx, index.Follower{Store: sh.store, Memory: s.search.Memory, Turn: s.turn})
	}()
	sh.index = x
	sh.finish = func() {
		cancel()
		<-done
		if err := x.Close(); err != nil {
			s.log.Warn("closing a search index", "dir", dir, "cause", err)
		}
	}
}

// claim counts the caller in. mine: the caller has to open the root; wait: it is being closed.
func (s *Stores) claim(root string) (sh *shared, mine bool, wait <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return nil, false, nil, errStopping
	}
	if sh = s.open[root]; sh == nil {
		sh = &shared{key: root, ready: make(chan struct{}), gone: make(chan struct{})}
		s.open[root], mine = sh, true
	} else if sh.refs < 0 || sh.moved {
		return nil, false, sh.gone, nil
	}
	if sh.timer != nil {
		sh.timer.Stop()
		sh.timer = nil
	}
	sh.refs++
	return sh, mine, nil, nil
}

// drop forgets a root that could not be opened.
func (s *Stores) drop(sh *shared) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[sh.key] == sh {
		delete(s.open, sh.key)
	}
}

func (s *Stores) release(sh *shared) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sh.refs--; sh.refs == 0 && sh.moved {
		sh.refs = -1
		go s.closeStore(sh)
	} else if sh.refs == 0 {
		sh.timer = time.AfterFunc(s.warm, func() { s.expire(sh) })
	}
}

// expire closes a root nobody came back to.
func (s *Stores) expire(sh *shared) {
	s.mu.Lock()
	if sh.refs != 0 || s.open[sh.key] != sh {
		s.mu.Unlock()
		return
	}
	sh.refs = -1 // nobody takes it any more
	s.mu.Unlock()
	s.shut(sh)
}

func (s *Stores) shut(sh *shared) {
	if sh.finish != nil {
		sh.finish()
	}
	s.closeStore(sh)
	s.drop(sh)
	close(sh.gone)
}

func (s *Stores) closeStore(sh *shared) {
	if err := sh.store.Close(); err != nil {
		s.log.Error("closing a mail root", "maildir", sh.key, "err", err)
	}
}

// Close closes every root. The sessions must be over.
func (s *Stores) Close() {
	s.mu.Lock()
	s.stopped = true
	var mine, others []*shared
	for _, sh := range s.open {
		if sh.refs < 0 || sh.moved {
			others = append(others, sh)
			continue
		}
		sh.refs = -1
		if sh.timer != nil {
			sh.timer.Stop()
		}
		mine = append(mine, sh)
	}
	s.mu.Unlock()
	for _, sh := range mine {
		if <-sh.ready; sh.err == nil {
			s.shut(sh)
		}
	}
	for _, sh := range others {
		<-sh.gone
	}
}
