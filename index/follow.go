package index

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"roost/index/segment"
	"roost/maildir"
	"roost/maildir/message"
)

// DefaultMemory is what messages take at most before they are written.
const DefaultMemory = 48 << 20

const (
	// lookEvery is how often mailboxes are looked at for new messages.
	lookEvery = 3 * time.Second
	// flushAfter is how long a message that was indexed waits at most to be found.
	flushAfter = 2 * time.Second
	// retryAfter is how long a message is left alone that could not be read.
	retryAfter = 10 * time.Minute
)

// Follower keeps an index up to date with the mail root it is of: it looks what messages each mailbox has and adds those that the index does not
// know. One that was moved or copied is known by its content, and not read again.
type Follower struct {
	Store *maildir.Store
	// Memory is how many octets messages take that are not written yet; a document may go beyond by 32 MiB. 0: DefaultMemory.
	Memory int
	// Turn is held by who indexes: with a capacity of one, indexes of a process are built one at a time. Nil: no need to wait.
	Turn chan struct{}
	// Pause is how long a pass may be behind; tests make it shorter. 0: lookEvery.
	Pause time.Duration
	// Told, if set, is told the progress now and then.
	Told func(Progress)

	x *Index
	a *adder

	documents *Documents

	ids   map[uint64]uint32 // first octets of identities → documents; nil while there is nothing to do
	named map[string]followed
	fails map[failure]time.Time
	added map[string][]entry // by box file name: not in the index yet
	began time.Time          // when the first of them was added
	clear int                // Index.clear at the beginning of the pass
	state Progress
	told  time.Time // when state was written

	turn      bool // Turn is ours
	childless bool // it was said that attachments cannot be read
}

// followed is what is known of a mailbox of a name.
type followed struct {
	stamp maildir.Stamp
	box   string
}

type failure struct {
	box string
	uid uint32
}

// Follow keeps x up to date until ctx ends. It works at a lower priority than the threads that serve clients. One at a time.
func (x *Index) Follow(ctx context.Context, f Follower) {
	runtime.LockOSThread() // and never unlocked: the thread, which is a nice one now, ends with the goroutine
	_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), 10)
	_, _, _ = unix.Syscall(unix.SYS_IOPRIO_SET, 1, 0, 2<<13|7) // this thread, best effort, last

	f.begin(ctx, x)
	defer f.forget()
	wake := make(chan struct{}, 1)
	defer f.Store.WaitTree(wake)()
	for {
		err := contain(func() error { return f.pass(ctx) })
		if ctx.Err() != nil {
			return
		}
		pause := f.Pause
		if err == nil {
			x.caughtUp.Do(func() { close(x.ready) })
		} else {
			f.forget()
			if errors.Is(err, errCleared) {
				pause = 0
			} else if errors.Is(err, segment.ErrDamaged) {
				x.Drop(err)
			} else if f.Store.Check() == nil { // otherwise the mail is gone, and this ends with its Store
				x.log.Warn("the search index cannot be written; searches read messages instead", "dir", x.dir, "cause", err)
				pause += retryAfter / 10
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-time.After(pause):
		}
	}
}

// Update brings x up to date once, and returns when that is done.
func (x *Index) Update(ctx context.Context, f Follower) error {
	f.begin(ctx, x)
	defer f.forget()
	if err := f.pass(ctx); err != nil {
		return err
	}
	f.tell(true)
	return ctx.Err()
}

func (f *Follower) begin(ctx context.Context, x *Index) {
	f.x, f.named, f.fails, f.added = x, map[string]followed{}, map[failure]time.Time{}, map[string][]entry{}
	if f.Pause == 0 {
		f.Pause = lookEvery
	}
	if f.Memory == 0 {
		f.Memory = DefaultMemory
	}
	f.a, f.documents = &adder{stop: ctx.Err}, &Documents{}
	x.mu.RLock()
	f.clear = x.clear
	x.mu.RUnlock()
	if known, err := ReadProgress(x.dir); err == nil {
		f.state.Unread = known.Unread
	}
}

// errCleared: somebody called Clear meanwhile, and what was begun makes no sense any more.
var errCleared = errors.New("the index was cleared")

// contain makes a panic an error, whose stack is part of it.
func contain(fn func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return fn()
}

// forget drops what is not written.
func (f *Follower) forget() {
	f.documents.Close()
	if f.a.b != nil {
		f.a.b.Close()
	}
	f.a.b, f.ids = nil, nil
	clear(f.added)
	clear(f.named)
}

// pass looks at all mailboxes once.
func (f *Follower) pass(ctx context.Context) error {
	if err := f.x.keepDir(); err != nil {
		return err
	}
	if RebuildAsked(f.x.dir) {
		f.forget()
		f.x.log.Info("building the search index anew, as asked", "dir", f.x.dir)
		f.x.Clear() // before the request goes, or who asked would take the old progress for the new one
		if err := UnaskRebuild(f.x.dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	f.x.mu.RLock()
	clear := f.x.clear
	f.x.mu.RUnlock()
	if f.clear != clear { // a session found damage since the last pass
		f.forget()
		f.clear, f.state.Unread = clear, 0
	}
	infos, err := f.Store.List()
	if err != nil {
		return err
	}
	names := map[string]bool{}
	var todo []string
	stamps := map[string]maildir.Stamp{}
	for _, info := range infos {
		if info.NoSelect {
			continue
		}
		stamp, settled, err := f.Store.Stamp(info.Name)
		if err != nil {
			continue // gone, or not to be read: whoever opens it is told
		}
		names[info.Name] = true
		if known, ok := f.named[info.Name]; !ok || known.stamp != stamp {
			todo = append(todo, info.Name)
		}
		if settled {
			stamps[info.Name] = stamp
		}
	}
	if len(todo) == 0 && len(f.added) == 0 {
		return nil
	}
	f.state.Mailboxes = len(names)
	for i, name := range todo {
		f.state.Waiting = len(todo) - i
		m, err := f.Store.Open(name)
		if err != nil {
			continue // as above
		}
		box, err := f.catchUp(ctx, m)
		m.Release()
		if err != nil {
			return err
		}
		if stamp, ok := stamps[name]; ok {
			f.named[name] = followed{stamp, box}
		}
	}
	f.state.Waiting = 0
	if err := f.flush(ctx); err != nil {
		return err
	}
	maps.DeleteFunc(f.named, func(name string, _ followed) bool { return !names[name] })
	if len(f.named) == len(names) {
		f.sweep()
		if err := f.x.purge(ctx, f.clear); err != nil {
			return err
		}
	}
	f.ids = nil
	f.a.folded, f.a.in = nil, nil
	f.tell(true)
	return nil
}

// sweep removes what is known of mailboxes that are gone.
func (f *Follower) sweep() {
	there := map[string]bool{}
	for _, b := range f.named {
		there[b.box] = true
	}
	files, _ := filepath.Glob(filepath.Join(f.x.dir, "*"+boxSuffix))
	for _, path := range files {
		if name := filepath.Base(path); !there[name] {
			f.x.mu.Lock()
			delete(f.x.boxes, name)
			f.x.mu.Unlock()
			os.Remove(path)
		}
	}
}

// catchUp indexes what is new in a mailbox and returns the name of its box file.
func (f *Follower) catchUp(ctx context.Context, m *maildir.Mailbox) (string, error) {
	guid, validity := m.Identity()
	boxName := boxName(guid, validity)
	uids := m.UIDs()
	f.x.prune(boxName, uids)
	var missing []uint32
	r := &Reader{entries: f.x.box(boxName).entries, segs: f.x.segments()}
	r.Docs(uids, func(uid, _ uint32, ok bool) {
		if !ok {
			missing = append(missing, uid)
		}
	})
	release(r.segs)
	f.state.Messages, f.state.Indexed = len(uids), len(uids)-len(missing)
	if len(missing) == 0 {
		return boxName, nil
	}
	if f.ids == nil {
		f.ids = f.x.identities()
	}
	metas := m.NewMetaReader()
	defer metas.Close()
	for _, uid := range missing {
		if until, ok := f.fails[failure{boxName, uid}]; ok && time.Now().Before(until) {
			continue
		}
		if err := f.message(ctx, m, metas, boxName, uid); err != nil {
			return "", err
		}
		f.state.Indexed++
		if f.a.b != nil && f.a.b.Size() > f.Memory || len(f.added) > 0 && time.Since(f.began) > flushAfter && f.pending() < len(missing)/50 {
			if err := f.flush(ctx); err != nil {
				return "", err
			}
		}
		f.tell(false)
	}
	return boxName, nil
}

func (f *Follower) pending() int {
	n := 0
	for _, entries := range f.added {
		n += len(entries)
	}
	return n
}

// take waits for Turn, and release ends it.
func (f *Follower) take(ctx context.Context) error {
	if f.Turn != nil && ctx.Err() == nil {
		select {
		case f.Turn <- struct{}{}:
			f.turn = true
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

func (f *Follower) release() {
	if f.turn {
		f.turn = false
		<-f.Turn
	}
}

// message indexes one message. The error is one of the index; what is wrong with the message is recorded.
func (f *Follower) message(ctx context.Context, m *maildir.Mailbox, metas *maildir.MetaReader, box string, uid uint32) error {
	defer f.release()
	if err := f.take(ctx); err != nil {
		return err
	}
	meta := metas.Cached(uid)
	if meta == nil || !meta.HasEmailID {
		var err error
		if meta, err = m.Identified(uid); err != nil {
			f.failed(m, box, uid, err)
			return nil
		}
	}
	key := idKey(segment.ID(meta.EmailID))
	if doc, ok := f.ids[key]; ok {
		f.note(box, uid, doc)
		return nil
	}
	file, err := m.OpenMessage(uid)
	if err != nil {
		f.failed(m, box, uid, err)
		return nil
	}
	defer file.Close()
	var attached [][]byte
	if f.x.attachments != AttachmentsNone {
		f.release() // reading documents may take its time
		attached, err = f.attached(ctx, m, uid, file, meta)
		if e := f.take(ctx); e != nil {
			return e
		}
		if err != nil {
			f.failed(m, box, uid, err)
			return nil
		}
	}
	if f.a.b == nil {
		f.a.b = segment.NewBuilder(f.x.dir, f.x.nextDoc())
	}
	in := segment.Attached
	if f.x.attachments == AttachmentsText {
		in = segment.Body
	}
	doc, err := f.a.add(meta.EmailID, file, meta, attached, in)
	var cause *unreadable
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &cause):
		f.failed(m, box, uid, cause.error)
		return nil
	case err != nil:
		return err
	}
	f.ids[key] = doc
	f.note(box, uid, doc)
	return nil
}

// attached reads the attachments of a message. What cannot be read of them is recorded, and no error.
func (f *Follower) attached(ctx context.Context, m *maildir.Mailbox, uid uint32, file *maildir.MessageFile, meta *message.Meta) ([][]byte, error) {
	texts, err := f.documents.texts(ctx, file, meta.Message(), func(p *message.Part, err error) {
		f.state.Unread++
		f.x.log.Info("cannot read an attachment; the message is found by the rest of it", "mailbox", m.Name(), "uid", uid,
			"type", p.Type+"/"+p.Subtype, "cause", err)
	})
	if errors.Is(err, errNoChild) {
		if !f.childless {
			f.childless = true
			f.x.log.Warn("attachments are not searched", "dir", f.x.dir, "cause", err)
		}
		err = nil
	}
	return texts, err
}

func (f *Follower) note(box string, uid, doc uint32) {
	if len(f.added) == 0 {
		f.began = time.Now()
	}
	f.added[box] = append(f.added[box], entry{uid, doc})
}

// failed leaves a message alone for a while.
func (f *Follower) failed(m *maildir.Mailbox, box string, uid uint32, err error) {
	if errors.Is(err, maildir.ErrGone) {
		return
	}
	f.x.log.Info("cannot index a message; searches read it", "mailbox", m.Name(), "uid", uid, "cause", err)
	f.fails[failure{box, uid}] = time.Now().Add(retryAfter)
}

// flush writes what was added and makes it known to readers, then merges segments.
func (f *Follower) flush(ctx context.Context) error {
	if len(f.added) == 0 {
		return nil
	}
	var fresh *segment.Segment
	if b := f.a.b; b != nil && b.Docs() > 0 {
		segs := f.x.segments()
		path, err := b.Write(segs.Largest())
		release(segs)
		if err != nil {
			return err
		}
		f.a.b = nil
		if fresh, err = segment.Open(path); err != nil {
			return err
		}
	}
	if err := f.x.publish(fresh, f.added, f.clear); err != nil {
		return err
	}
	clear(f.added)
	return f.x.merge(ctx, f.clear)
}
