package imap

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// world is what the clients of one seed share.
type world struct {
	t       *testing.T
	seed    uint64
	rnd     *rand.Rand // of the beginning and the end
	ts      *testServer
	clients []*replica
	quiet   bool // a failure is counted and not reported

	serving sync.RWMutex // contents for writing while there is no server
	epoch   atomic.Int64 // servers there were
	deletes atomic.Int64 // mailboxes that clients have deleted
	serial  atomic.Int64 // of messages
	edits   atomic.Int64 // counts beginnings and ends of what other programs do
	files   sync.Mutex   // contents by who edits files, and who removes directories
	removed []removedFile

	muted atomic.Bool // nothing is added to the trace

	mu     sync.Mutex // protects what follows
	trace  []string
	faults []string
	begun  time.Time
	bodies map[uidKey]string  // what a message is, which never changes
	states map[flagsAt]string // flags
}

// uidKey names a message for ever.
type uidKey struct{ validity, uid uint32 }

// flagsAt is a state of a message.
type flagsAt struct {
	uidKey
	modseq uint64
}

// maxWatch is how long the watcher may take to tell of a file.
const maxWatch = 25 * time.Millisecond

const traceLines = 400

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	base := "" // even seeds in memory, where that is possible, odd ones on disk
	if _, err := os.Stat("/dev/shm"); err == nil && seed%2 == 0 {
		base = "/dev/shm"
	}
	dir, err := os.MkdirTemp(base, "roost-replica")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, seed: seed, rnd: rand.New(rand.NewPCG(seed, 1<<40)), begun: time.Now(), bodies: map[uidKey]string{}, states: map[flagsAt]string{}}
	w.ts = &testServer{t: t, root: filepath.Join(dir, "Maildir"), state: filepath.Join(dir, "state")}
	t.Cleanup(func() { os.RemoveAll(dir) })
	w.serve()
	for _, name := range []string{"A", "B"} {
		if err := w.ts.store.Create(name); err != nil {
			t.Fatal(err)
		}
	}
	for range w.rnd.IntN(30) {
		w.deliver("", "cur", ":2,"+[]string{"", "S", "FS"}[w.rnd.IntN(3)])
	}
	for range w.rnd.IntN(10) {
		w.deliver(".A", "new", "")
	}
	for n := range 3 + w.rnd.IntN(6) {
		w.clients = append(w.clients, newReplica(w, n))
	}
	return w
}

// serve starts a server.
func (w *world) serve() {
	w.ts.open(func(o *Options) {
		o.Log = slog.New(slog.NewTextHandler(worldLog{w}, &slog.HandlerOptions{Level: slog.LevelInfo}))
	})
	w.epoch.Add(1)
}

// worldLog takes the server's log into the trace.
type worldLog struct{ w *world }

func (l worldLog) Write(p []byte) (int, error) {
	line := string(bytes.TrimSpace(p))
	l.w.note("log: %s", line)
	if strings.Contains(line, "level=ERROR") {
		l.w.fault("%s", line)
	}
	return len(p), nil
}

// end stops the server.
func (w *world) end() {
	for _, c := range w.clients {
		if c.conn != nil {
			c.conn.c.Close()
		}
	}
	w.ts.stop()
}

// note adds a line to the trace.
func (w *world) note(format string, args ...any) {
	if w.muted.Load() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.trace) >= 2*traceLines {
		w.trace = append(w.trace[:0], w.trace[traceLines:]...)
	}
	w.trace = append(w.trace, fmt.Sprintf("%8.3f ", time.Since(w.begun).Seconds())+fmt.Sprintf(format, args...))
}

// fault reports that something is wrong; the first time with what went before.
func (w *world) fault(format string, args ...any) {
	w.muted.Store(false)
	w.note("FAULT: "+format, args...)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, fmt.Sprintf(format, args...))
	if w.quiet || len(w.faults) > 1 {
		return
	}
	w.t.Errorf("seed %d: %s\n%s", w.seed, w.faults[0], strings.Join(w.trace, "\n"))
}

func (w *world) failed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.faults) > 0
}

// is notes what a message is, or holds it against what is known.
func (w *world) is(m uidKey, body string) {
	w.mu.Lock()
	known, ok := w.bodies[m]
	w.bodies[m] = body
	w.mu.Unlock()
	if ok && known != body {
		w.fault("UID %d of %d was %s and is %s", m.uid, m.validity, known, body)
	}
}

// bodyOf is what is known of a message, "" if nothing is.
func (w *world) bodyOf(m uidKey) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bodies[m]
}

// had notes the flags that a message had at a modseq: they are always the same.
func (w *world) had(m uidKey, modseq uint64, flags string) {
	v := flagsAt{m, modseq}
	w.mu.Lock()
	known, ok := w.states[v]
	w.states[v] = flags
	w.mu.Unlock()
	if ok && known != flags {
		w.fault("UID %d of %d at MODSEQ %d had (%s) and has (%s)", m.uid, m.validity, modseq, known, flags)
	}
}

// event is what happens to the server.
func (w *world) event(rnd *rand.Rand) {
	state := filepath.Join(w.ts.state, "user")
	roll := rnd.IntN(10)
	w.files.Lock() // before serving, as who waits for the end of a connection has it
	defer w.files.Unlock()
	if roll < 3 || roll >= 6 {
		// A file that is put back has its old UID again if nobody remembers any more that clients were told of its end, a limit of what can be
		// kept outside the state. So those that were put back are noticed first.
		w.removed = nil
		time.Sleep(2 * maxWatch)
		for _, name := range w.mailboxes() {
			if box, err := w.ts.store.Open(name); err == nil {
				box.Release()
			}
		}
	}
	if roll < 3 {
		w.note("event: the state is deleted while serving")
		os.RemoveAll(state)
		return
	}
	w.serving.Lock()
	defer w.serving.Unlock()
	switch {
	case roll < 6:
		w.note("event: restart")
		w.ts.stop()
	case roll < 9:
		// What the state directory would be had the process died now. The Maildir is as it is, because nothing there is left for the end.
		w.note("event: kill")
		then := w.ts.state + ".then"
		copyTree(w.ts.state, then)
		w.ts.stop()
		os.RemoveAll(w.ts.state)
		os.Rename(then, w.ts.state)
		if rnd.IntN(4) == 0 {
			host, _ := os.Hostname()
			os.WriteFile(filepath.Join(w.ts.root, "dovecot-uidlist.lock"), []byte("999999999:"+host), 0o600)
		}
	default:
		w.note("event: restart without state")
		w.ts.stop()
		os.RemoveAll(state)
	}
	if rnd.IntN(3) == 0 {
		for range rnd.IntN(5) {
			w.edit(rnd)
		}
	}
	w.serve()
}

// copyTree copies a directory that is in use, as far as it is there.
func copyTree(from, to string) {
	entries, _ := os.ReadDir(from)
	os.MkdirAll(to, 0o700)
	for _, e := range entries {
		a, b := filepath.Join(from, e.Name()), filepath.Join(to, e.Name())
		if e.IsDir() {
			copyTree(a, b)
		} else if content, err := os.ReadFile(a); err == nil {
			os.WriteFile(b, content, 0o600)
		}
	}
}

// contents is what a directory holds, as somebody reads it who knows nothing but its files.
type contents struct {
	name       string
	validity   uint32
	messages   map[uint32]contentsMessage
	unnumbered int // files without a line
	two        string
}

type contentsMessage struct{ path, flags string }

func (d *contents) uids() []uint32 { return slices.Sorted(maps.Keys(d.messages)) }

// mailboxes are the names of those there are.
func (w *world) mailboxes() []string {
	names := []string{"INBOX"}
	dirs, _ := filepath.Glob(filepath.Join(w.ts.root, ".[A-Z]*", "cur"))
	for _, d := range dirs {
		names = append(names, strings.ReplaceAll(strings.TrimPrefix(filepath.Base(filepath.Dir(d)), "."), ".", "/"))
	}
	return names
}

// directory reads the mailbox of a UIDVALIDITY; nil when there is none.
func (w *world) directory(validity uint32) *contents {
	for _, name := range w.mailboxes() {
		if d := w.directoryOf(name); d != nil && d.validity == validity {
			return d
		}
	}
	return nil
}

var diskFlags = map[byte]string{'D': `\Draft`, 'F': `\Flagged`, 'R': `\Answered`, 'S': `\Seen`, 'T': `\Deleted`}

func (w *world) directoryOf(name string) *contents {
	dir := w.ts.root
	if name != "INBOX" {
		dir = filepath.Join(dir, "."+strings.ReplaceAll(name, "/", "."))
	}
	list, err := os.ReadFile(filepath.Join(dir, "dovecot-uidlist"))
	if err != nil {
		return nil
	}
	d := &contents{name: name, messages: map[uint32]contentsMessage{}}
	uids := map[string]uint32{}
	for i, line := range strings.Split(strings.TrimSuffix(string(list), "\n"), "\n") {
		if i == 0 {
			fmt.Sscanf(line, "3 V%d", &d.validity)
			continue
		}
		keys, base, _ := strings.Cut(line, ":")
		var uid uint32
		fmt.Sscanf(keys, "%d", &uid)
		uids[base] = uid
	}
	names := map[byte]string{}
	letters, _ := os.ReadFile(filepath.Join(dir, "dovecot-keywords"))
	for line := range strings.Lines(string(letters)) {
		slot, keyword, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, _ := strconv.Atoi(slot)
		names['a'+byte(n)] = keyword
	}
	more := map[string][]string{}
	others, _ := os.ReadFile(filepath.Join(dir, "roost-keywords"))
	for line := range strings.Lines(string(others)) {
		words := strings.Fields(line)
		more[words[0]] = words[1:]
	}
	for _, sub := range []string{"new", "cur"} {
		entries, _ := os.ReadDir(filepath.Join(dir, sub))
		for _, e := range entries {
			base, info, _ := strings.Cut(e.Name(), ":2,")
			uid := uids[base]
			if uid == 0 {
				d.unnumbered++
				continue
			}
			flags := slices.Clone(more[base])
			for i := range len(info) {
				if f := diskFlags[info[i]]; f != "" {
					flags = append(flags, f)
				} else if k := names[info[i]]; k != "" {
					flags = append(flags, k)
				}
			}
			slices.Sort(flags)
			if was, ok := d.messages[uid]; ok {
				d.two = fmt.Sprintf("%s and %s are both UID %d", was.path, e.Name(), uid)
			}
			d.messages[uid] = contentsMessage{filepath.Join(dir, sub, e.Name()), strings.Join(flags, " ")}
		}
	}
	return d
}

// audit holds the files against what clients were told that they are.
func (w *world) audit() {
	for _, name := range w.mailboxes() {
		d := w.directoryOf(name)
		if d == nil {
			continue
		}
		if d.two != "" {
			w.fault("%s: %s", name, d.two)
		}
		for uid, m := range d.messages {
			if b, err := os.ReadFile(m.path); err == nil {
				w.is(uidKey{d.validity, uid}, subjectOf(string(b)))
			}
		}
	}
}

// subjectOf is what tells messages apart.
func subjectOf(text string) string {
	_, rest, _ := strings.Cut(text, "Subject: ")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(line)
}
