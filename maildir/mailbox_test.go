package maildir

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var bg = context.Background()

// box is a mailbox under test with its directory.
type box struct {
	*Mailbox
	t     *testing.T
	store *Store
	dir   string
}

// openBox opens INBOX of a new store; the state directory is kept when state is given.
func newBox(t *testing.T) *box {
	t.Helper()
	root := t.TempDir()
	return reopen(t, root, t.TempDir())
}

func reopen(t *testing.T, root, state string) *box {
	t.Helper()
	for _, d := range []string{"cur", "new", "tmp"} {
		os.MkdirAll(filepath.Join(root, d), 0o700)
	}
	s, err := OpenStore(Options{Root: root, State: state, Separator: '/', Create: true})
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Open("INBOX")
	if err != nil {
		t.Fatal(err)
	}
	b := &box{m, t, s, root}
	t.Cleanup(func() { b.shut() })
	return b
}

// shut closes the store like an orderly stop.
func (b *box) shut() {
	if b.store != nil {
		b.check()
		b.Release()
		b.store.Close()
		b.store = nil
	}
}

// check is the store's consistency check: memory, uidlist and directories agree.
func (b *box) check() {
	b.t.Helper()
	if b.failed() != nil {
		return
	}
	if err := b.Sync(bg); err != nil {
		b.t.Errorf("sync: %v", err)
		return
	}
	if err := checkMailbox(b.Mailbox); err != nil {
		b.t.Error(err)
	}
}

func (b *box) put(sub, name, body string) {
	b.t.Helper()
	tmp := filepath.Join(b.dir, "tmp", name)
	if err := os.WriteFile(tmp, []byte(body), 0o600); err != nil {
		b.t.Fatal(err)
	}
	if err := os.Rename(tmp, filepath.Join(b.dir, sub, name)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *box) sync() {
	b.t.Helper()
	if err := b.Sync(bg); err != nil {
		b.t.Fatal(err)
	}
}

func (b *box) append(body string, flags Flags, keywords ...string) uint32 {
	b.t.Helper()
	d, err := b.NewDelivery()
	if err != nil {
		b.t.Fatal(err)
	}
	defer d.Abort()
	if err := d.Add(strings.NewReader(body), flags, keywords, time.Unix(1e9, 0)); err != nil {
		b.t.Fatal(err)
	}
	uids, err := d.Commit(bg)
	if err != nil {
		b.t.Fatal(err)
	}
	return uids[0]
}

func (b *box) rec(uid uint32) Record {
	b.t.Helper()
	recs := b.Records([]uint32{uid}, nil)
	if len(recs) != 1 {
		b.t.Fatalf("no UID %d", uid)
	}
	return recs[0]
}

func (b *box) wantUIDs(want ...uint32) {
	b.t.Helper()
	if got := b.UIDs(); !slices.Equal(got, want) {
		b.t.Fatalf("UIDs %v, want %v", got, want)
	}
}

func (b *box) names(sub string) []string {
	b.t.Helper()
	es, err := os.ReadDir(filepath.Join(b.dir, sub))
	if err != nil {
		b.t.Fatal(err)
	}
	var names []string
	for _, e := range es {
		names = append(names, e.Name())
	}
	return names
}

func (b *box) body(uid uint32) string {
	b.t.Helper()
	f, err := b.OpenMessage(uid)
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	if err != nil {
		b.t.Fatal(err)
	}
	return string(data)
}

func TestDeliveriesByOthers(t *testing.T) {
	b := newBox(t)
	b.wantUIDs()
	state := b.store.opt.State
	b.shut() // so that all of them are found at once
	b.put("new", "100.V1I2M5.host", "Subject: a\n\nx\n")
	b.put("new", "99.M1P1.host", "Subject: b\n\nx\n")
	b.put("cur", "101.x:2,FS", "Subject: c\n\nx\n")
	b = reopen(t, b.dir, state)
	b.wantUIDs(1, 2, 3)
	if r := b.rec(3); r.Flags != Seen|Flagged {
		t.Errorf("flags %b", r.Flags)
	}
	if got := b.body(1); !strings.Contains(got, "Subject: b") {
		t.Errorf("UID 1 is %q: not numbered by time", got)
	}
	// Another program sets flags.
	before := b.Now()
	if err := os.Rename(filepath.Join(b.dir, "cur/101.x:2,FS"), filepath.Join(b.dir, "cur/101.x:2,ST")); err != nil {
		t.Fatal(err)
	}
	b.sync()
	if r := b.rec(3); r.Flags != Seen|Deleted || r.ModSeq <= before {
		t.Errorf("record %+v after a rename", r)
	}
	ch := b.Changes(before)
	if len(ch.Changed) != 1 || ch.Changed[0].UID != 3 || len(ch.Expunged) != 0 {
		t.Errorf("changes %+v", ch)
	}
	// … and removes one.
	os.Remove(filepath.Join(b.dir, "new/99.M1P1.host"))
	b.sync()
	b.wantUIDs(2, 3)
	if ch := b.Changes(ch.Now); !slices.Equal(ch.Expunged, []uint32{1}) {
		t.Errorf("changes %+v", ch)
	}
	// A file that comes back under its old name is a new message.
	b.put("cur", "99.M1P1.host:2,", "Subject: b\n\nx\n")
	b.sync()
	b.wantUIDs(2, 3, 4)
}

func TestAppend(t *testing.T) {
	b := newBox(t)
	uid := b.append("Subject: x\r\n\r\nline\r\nbare\nodd\r\r\nend\r", Seen, "$Junk", "mine")
	if got := b.body(uid); got != "Subject: x\n\nline\nbare\nodd\r\r\nend\r" {
		t.Errorf("stored %q", got)
	}
	names := b.names("cur")
	if len(names) != 1 || !strings.HasSuffix(names[0], ":2,Sab") {
		t.Fatalf("names %q", names)
	}
	r := b.rec(uid)
	size, wire := int64(len("Subject: x\n\nline\nbare\nodd\r\r\nend\r")), int64(len("Subject: x\r\n\r\nline\r\nbare\r\nodd\r\r\nend\r"))
	if r.Size != size || r.Wire != wire || r.Time != 1e9 {
		t.Errorf("record %+v, want size %d wire %d", r, size, wire)
	}
	if !strings.Contains(names[0], fmt.Sprintf(",S=%d,W=%d:", size, wire)) {
		t.Errorf("name %q", names[0])
	}
	meta, err := b.Meta(uid)
	if err != nil {
		t.Fatal(err)
	}
	if meta.Wire != wire || meta.Size != size {
		t.Errorf("the message counts %d and %d octets", meta.Size, meta.Wire)
	}
	plain := b.append("Subject: y\r\n\r\n", 0)
	if got := b.names("new"); len(got) != 1 || plain != 2 {
		t.Errorf("a message without flags belongs into new/: %q", got)
	}
	if got, want := b.KeywordNames(), []string{"$Junk", "mine"}; !slices.Equal(got, want) {
		t.Errorf("keywords %q", got)
	}
}

func TestSetFlags(t *testing.T) {
	b := newBox(t)
	b.put("new", "1.a.h", "x\n")
	b.put("cur", "2.b.h:2,SXb,tail", "x\n")
	b.sync()
	ch, _, err := b.SetFlags(bg, []uint32{1, 2, 77}, FlagChange{Op: Add, Flags: Flagged, Keywords: []string{"one", "two"}})
	if err != nil || len(ch) != 2 {
		t.Fatal(ch, err)
	}
	want := []string{"1.a.h:2,Fac", "2.b.h:2,FSXabc,tail"} // b is somebody's already
	if got := b.names("cur"); !slices.Equal(got, want) {
		t.Errorf("names %q, want %q", got, want)
	}
	if _, _, err := b.SetFlags(bg, []uint32{1}, FlagChange{Op: Remove, Flags: Flagged, Keywords: []string{"ONE", "unknown"}}); err != nil {
		t.Fatal(err)
	}
	if got := b.names("cur")[0]; got != "1.a.h:2,c" {
		t.Errorf("name %q", got)
	}
	if _, _, err := b.SetFlags(bg, []uint32{1}, FlagChange{Op: Replace, Flags: Seen}); err != nil {
		t.Fatal(err)
	}
	if got := b.names("cur")[0]; got != "1.a.h:2,S" {
		t.Errorf("name %q", got)
	}
	// Unchanged: no new modseq.
	at := b.Now()
	if _, _, err := b.SetFlags(bg, []uint32{1}, FlagChange{Op: Add, Flags: Seen}); err != nil || b.Now() != at {
		t.Errorf("a change without effect moved the modseq (%v)", err)
	}
	// UNCHANGEDSINCE.
	since := b.rec(1).ModSeq
	if _, _, err := b.SetFlags(bg, []uint32{1}, FlagChange{Op: Add, Flags: Draft}); err != nil {
		t.Fatal(err)
	}
	_, modified, err := b.SetFlags(bg, []uint32{1}, FlagChange{Op: Add, Flags: Deleted, UnchangedSince: &since})
	if err != nil || !slices.Equal(modified, []uint32{1}) || b.rec(1).Flags != Seen|Draft {
		t.Errorf("modified %v, record %+v, %v", modified, b.rec(1), err)
	}
}

func TestManyKeywords(t *testing.T) {
	b := newBox(t)
	uid := b.append("x\r\n", 0)
	var names []string
	for i := range 40 {
		names = append(names, fmt.Sprintf("kw%02d", i))
	}
	if _, _, err := b.SetFlags(bg, []uint32{uid}, FlagChange{Op: Add, Keywords: names}); err != nil {
		t.Fatal(err)
	}
	uid2 := b.append("y\r\n", 0, "kw39", "kw00")
	pairs, err := b.CopyTo(bg, []uint32{uid}, b.Mailbox)
	if err != nil {
		t.Fatal(err)
	}
	root, state := b.dir, b.Mailbox.store.opt.State
	b.shut()
	for _, st := range []string{state, t.TempDir()} {
		b = reopen(t, root, st)
		all := b.KeywordNames()
		for uid, want := range map[uint32]int{uid: 40, uid2: 2, pairs[0].Dst: 40} {
			n := 0
			r := b.rec(uid)
			for i, name := range all {
				if r.Keywords.Has(i) && name != "" {
					n++
				}
			}
			if n != want {
				t.Errorf("UID %d has %d keywords, want %d", uid, n, want)
			}
		}
		b.shut()
	}
}

func TestExpunge(t *testing.T) {
	b := newBox(t)
	for range 5 {
		b.append("x\r\n", 0)
	}
	at := b.Now()
	gone, err := b.Expunge(bg, []uint32{2, 4, 9})
	if err != nil || !slices.Equal(gone, []uint32{2, 4}) {
		t.Fatal(gone, err)
	}
	b.wantUIDs(1, 3, 5)
	if ch := b.Changes(at); !slices.Equal(ch.Expunged, []uint32{2, 4}) || ch.Unknown {
		t.Errorf("%+v", ch)
	}
	if _, err := b.OpenMessage(2); err != ErrGone {
		t.Errorf("opening an expunged message: %v", err)
	}
	if uid := b.append("y\r\n", 0); uid != 6 {
		t.Errorf("next UID %d", uid)
	}
}

func TestReopen(t *testing.T) {
	for _, lose := range []bool{false, true} {
		t.Run(fmt.Sprintf("state lost=%v", lose), func(t *testing.T) {
			root, state := t.TempDir(), t.TempDir()
			b := reopen(t, root, state)
			for i := range 10 {
				b.append(fmt.Sprintf("Subject: %d\r\n\r\nx\r\n", i), Flags(i), "k")
			}
			b.Expunge(bg, []uint32{3, 10})
			st := b.Status()
			want := b.Records(b.UIDs(), nil)
			b.Meta(5)
			b.shut()
			if lose {
				state = t.TempDir()
			}
			b = reopen(t, root, state)
			got := b.Records(b.UIDs(), nil)
			if b.Status().UIDValidity != st.UIDValidity || b.Status().GUID != st.GUID {
				t.Errorf("status %+v, was %+v", b.Status(), st)
			}
			if b.Status().UIDNext != 11 {
				t.Errorf("next UID %d", b.Status().UIDNext)
			}
			if len(got) != len(want) {
				t.Fatalf("%d records, want %d", len(got), len(want))
			}
			for i := range got {
				if got[i].UID != want[i].UID || got[i].Flags != want[i].Flags || got[i].Wire != want[i].Wire {
					t.Errorf("%+v, want %+v", got[i], want[i])
				}
				if !lose && got[i].ModSeq != want[i].ModSeq || lose && got[i].ModSeq <= want[i].ModSeq {
					t.Errorf("UID %d: modseq %d, was %d", got[i].UID, got[i].ModSeq, want[i].ModSeq)
				}
			}
			r := b.NewMetaReader()
			defer r.Close()
			if cached := r.Cached(5) != nil; cached == lose {
				t.Errorf("cache entry there: %v", cached)
			}
			if uid := b.append("y\r\n", 0); uid != 11 {
				t.Errorf("next UID %d", uid)
			}
		})
	}
}

// Facts sheet §5: a program that renames without the lock must not change a single UID.
func TestUnlockedRenames(t *testing.T) {
	b := newBox(t)
	const n = 2000
	for i := range n {
		b.put("cur", fmt.Sprintf("%d.M%dP1.host:2,", 1000+i, i), "x\n")
	}
	b.sync()
	want := slices.Clone(b.UIDs())
	if len(want) != n {
		t.Fatal(len(want))
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for g := range 2 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			flags := []string{"", "S", "FS", "F", "R", "RS"}
			names := make([]string, n)
			for {
				for i := g; i < n; i += 2 {
					if names[i] == "" {
						names[i] = fmt.Sprintf("%d.M%dP1.host:2,", 1000+i, i)
					}
					select {
					case <-stop:
						return
					default:
					}
					next := fmt.Sprintf("%d.M%dP1.host:2,%s", 1000+i, i, flags[rand.IntN(len(flags))])
					if os.Rename(filepath.Join(b.dir, "cur", names[i]), filepath.Join(b.dir, "cur", next)) == nil {
						names[i] = next
					}
				}
			}
		}()
	}
	end := time.Now().Add(1500 * time.Millisecond)
	for time.Now().Before(end) {
		b.sync()
		if got := b.UIDs(); !slices.Equal(got, want) {
			t.Errorf("%d UIDs, want %d", len(got), n)
			break
		}
	}
	close(stop)
	wg.Wait()
	b.sync()
	if got := b.UIDs(); !slices.Equal(got, want) {
		t.Errorf("afterwards %d UIDs, want %d", len(got), n)
	}
}

func TestWatch(t *testing.T) {
	b := newBox(t)
	b.put("cur", "1.a.h:2,", "x\n")
	b.sync()
	wake, stop := b.Wait()
	defer stop()
	<-wake
	at := b.Now()
	expect := func(what string) Changes {
		t.Helper()
		deadline := time.After(2 * time.Second)
		for {
			if ch := b.Changes(at); ch.Now > at {
				at = ch.Now
				return ch
			}
			select {
			case <-wake:
			case <-deadline:
				t.Fatalf("%s: nobody was told", what)
			}
		}
	}
	b.put("new", "2.b.h", "x\n")
	if ch := expect("delivery"); len(ch.Changed) != 1 || ch.Changed[0].UID != 2 {
		t.Errorf("%+v", ch)
	}
	os.Rename(filepath.Join(b.dir, "cur/1.a.h:2,"), filepath.Join(b.dir, "cur/1.a.h:2,S"))
	if ch := expect("flag"); len(ch.Changed) != 1 || ch.Changed[0].Flags != Seen {
		t.Errorf("%+v", ch)
	}
	os.Remove(filepath.Join(b.dir, "cur/1.a.h:2,S"))
	if ch := expect("removal"); !slices.Equal(ch.Expunged, []uint32{1}) {
		t.Errorf("%+v", ch)
	}
}

func TestConcurrentAppends(t *testing.T) {
	b := newBox(t)
	const clients, each = 8, 20
	var mu sync.Mutex
	seen := map[uint32]string{}
	var wg sync.WaitGroup
	for c := range clients {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range each {
				body := fmt.Sprintf("Subject: %d-%d\r\n\r\n", c, i)
				uid := b.append(body, 0)
				mu.Lock()
				if seen[uid] != "" {
					t.Errorf("UID %d twice", uid)
				}
				seen[uid] = strings.ReplaceAll(body, "\r", "")
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
	if len(b.UIDs()) != clients*each {
		t.Fatal(len(b.UIDs()))
	}
	for uid, body := range seen {
		if got := b.body(uid); got != body {
			t.Fatalf("UID %d is %q, want %q", uid, got, body)
		}
	}
}

func TestUIDListRemoved(t *testing.T) {
	b := newBox(t)
	for range 3 {
		b.append("x\r\n", 0)
	}
	b.Expunge(bg, []uint32{1})
	v := b.Status().UIDValidity
	os.Remove(filepath.Join(b.dir, uidlistName))
	b.sync()
	b.wantUIDs(2, 3)
	if got := b.Status(); got.UIDValidity != v || got.UIDNext != 4 {
		t.Errorf("%+v", got)
	}
	// The same while nobody had it open.
	root, state := b.dir, b.Mailbox.store.opt.State
	b.shut()
	os.Remove(filepath.Join(root, uidlistName))
	b = reopen(t, root, state)
	b.wantUIDs(2, 3)
	if got := b.Status(); got.UIDValidity != v || got.UIDNext != 4 {
		t.Errorf("%+v", got)
	}
}

// TestUIDListEmptied: whatever moment an emptied dovecot-uidlist is noticed in, all messages keep their UIDs: memory knows them, or the snapshot.
func TestUIDListEmptied(t *testing.T) {
	b := newBox(t)
	for i := range 5 {
		b.append(fmt.Sprint("message ", i), Seen)
	}
	b.Expunge(bg, []uint32{2})
	was := b.Status()
	check := func(how string) {
		t.Helper()
		if got := b.Status(); got.UIDValidity != was.UIDValidity || got.UIDNext != was.UIDNext || !slices.Equal(b.UIDs(), []uint32{1, 3, 4, 5}) {
			t.Errorf("%s: %v %+v, want %+v", how, b.UIDs(), got, was)
		}
		b.check()
	}
	list := filepath.Join(b.dir, uidlistName)
	for _, content := range []string{"", "garbage\n"} {
		if err := os.WriteFile(list, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		b.sync()
		check("by a sync")
		if err := os.WriteFile(list, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		seen := sighting{name: b.names("cur")[0]}
		b.mu.Lock()
		b.hints.names = []hint{{seen, true}}
		b.mu.Unlock()
		if err := b.withLocks(bg, (*update).followHints); err != nil {
			t.Fatal(err)
		}
		check("by a hint")
		root, state := b.dir, b.Mailbox.store.opt.State
		b.shut()
		if err := os.WriteFile(list, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		b = reopen(t, root, state)
		check("by opening it")
	}
}

// TestLineLost: a file whose line is gone while nobody looked at cur/ is a message still, also when only a hint about another file is followed.
func TestLineLost(t *testing.T) {
	b := newBox(t)
	for i := range 3 {
		b.append(fmt.Sprint("message ", i), Seen)
	}
	list := filepath.Join(b.dir, uidlistName)
	text, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	if err := os.WriteFile(list+".new", []byte(strings.Join(slices.Delete(lines, 2, 3), "")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(list+".new", list); err != nil {
		t.Fatal(err)
	}
	b.mu.Lock()
	b.hints.names = []hint{{sighting{name: "nothing"}, true}}
	b.mu.Unlock()
	if err := b.withLocks(bg, (*update).followHints); err != nil {
		t.Fatal(err)
	}
	b.wantUIDs(1, 3, 4)
}

// TestLookedAtAgain: what could not be read is read as soon as it can be, although nothing changed since.
func TestLookedAtAgain(t *testing.T) {
	b := newBox(t)
	b.append("x", Seen)
	b.put("cur", "1700000000.x.y:2,", "by somebody else")
	more := filepath.Join(b.dir, moreKeywordsName)
	if err := os.Mkdir(more, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := b.Sync(bg); err == nil {
		t.Fatal("a directory is read as keywords")
	}
	if err := os.Remove(more); err != nil {
		t.Fatal(err)
	}
	b.sync()
	b.wantUIDs(1, 2)
}

// TestNoDirectory: a mailbox whose cur is none cannot be opened, and that is said.
func TestNoDirectory(t *testing.T) {
	b := newBox(t)
	for _, name := range []string{".Loop", ".File"} {
		if err := os.Mkdir(filepath.Join(b.dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Symlink("..", filepath.Join(b.dir, ".Loop", "cur")), os.WriteFile(filepath.Join(b.dir, ".File", "cur"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	b.store.log = slog.New(slog.NewTextHandler(&log, nil))
	for range 3 {
		for _, name := range []string{"Loop", "File"} {
			if _, err := b.store.Open(name); !errors.Is(err, ErrCannot) || strings.Contains(err.Error(), b.dir) {
				t.Errorf("%s: %v", name, err) // clients are told the text, and are not to learn paths of the server
			}
		}
	}
	if text := log.String(); strings.Count(text, "\n") != 2 {
		t.Errorf("the log is not to be filled:\n%s", text)
	}
}

func TestMoveBetweenMailboxes(t *testing.T) {
	b := newBox(t)
	os.MkdirAll(filepath.Join(b.dir, ".Arch", "cur"), 0o700)
	dst, err := b.store.Open("Arch")
	if err != nil {
		t.Fatal(err)
	}
	defer dst.Release()
	b.append("Subject: one\r\n\r\n", Seen, "alpha", "beta")
	b.append("Subject: two\r\n\r\n", Flagged, "beta")
	pairs, err := b.MoveTo(bg, []uint32{2}, dst)
	if err != nil || !slices.Equal(pairs, []Pair{{2, 1}}) {
		t.Fatal(pairs, err)
	}
	pairs, err = b.CopyTo(bg, []uint32{1, 5}, dst)
	if err != nil || !slices.Equal(pairs, []Pair{{1, 2}}) {
		t.Fatal(pairs, err)
	}
	b.wantUIDs(1)
	if got := dst.KeywordNames(); !slices.Equal(got, []string{"beta", "alpha"}) {
		t.Errorf("keywords %q", got)
	}
	// A copy of what is there already gets a base name of its own but keeps the message's GUID.
	pairs, err = b.CopyTo(bg, []uint32{1}, dst)
	if err != nil || !slices.Equal(pairs, []Pair{{1, 3}}) {
		t.Fatal(pairs, err)
	}
	list, _ := os.ReadFile(filepath.Join(b.dir, ".Arch", uidlistName))
	if !strings.Contains(string(list), "\n3 G") {
		t.Errorf("uidlist %s", list)
	}
	if err := checkMailbox(dst); err != nil {
		t.Error(err)
	}
}

// TestLinesOfOthers: UIDs that another server gave are taken over, also when one of its messages is gone again before we looked.
func TestLinesOfOthers(t *testing.T) {
	b := newBox(t)
	b.append("first\r\n", Seen)
	f, err := os.OpenFile(filepath.Join(b.dir, uidlistName), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(f, "2 :1.gone.h\n3 :2.here.h\n7 :3.too.h\n")
	f.Close()
	b.put("cur", "2.here.h:2,", "x\n")
	b.put("cur", "0.unnumbered.h:2,", "x\n")
	b.put("new", "3.too.h", "x\n")
	b.sync()
	b.wantUIDs(1, 3, 7, 8)
	if got := b.rec(8); got.Flags != 0 || b.body(8) != "x\n" {
		t.Errorf("%+v", got)
	}
	// The one that was gone comes back: a new message.
	b.put("cur", "1.gone.h:2,", "x\n")
	b.sync()
	b.wantUIDs(1, 3, 7, 8, 9)
}

// TestLastLineCounts: files that were removed and restored several times have as many lines, of which the last is the one that clients were told.
func TestLastLineCounts(t *testing.T) {
	root := t.TempDir()
	list := "3 V7 N1 G00112233445566778899aabbccddeeff\n"
	rnd := rand.New(rand.NewPCG(7, 0))
	last := map[string]uint32{}
	for uid := range uint32(300) {
		base := fmt.Sprintf("%d.restored.h", rnd.IntN(60))
		list += fmt.Sprintf("%d :%s\n", uid+1, base)
		last[base] = uid + 1
	}
	os.Mkdir(filepath.Join(root, "cur"), 0o700)
	for base := range last {
		if err := os.WriteFile(filepath.Join(root, "cur", base+":2,S"), []byte("x\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, uidlistName), []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	reopen(t, root, t.TempDir()).wantUIDs(slices.Sorted(maps.Values(last))...)
}

// TestRestoreWhileServing puts an older copy of a whole Maildir back in place: who has it open is sent away, and afterwards the old messages are
// there with their UIDs, nothing that was restored is numbered again, and no UID is given out twice.
func TestRestoreWhileServing(t *testing.T) {
	b := newBox(t)
	one := b.append("one\r\n", Seen)
	two := b.append("two\r\n", Seen)
	list, err := os.ReadFile(filepath.Join(b.dir, uidlistName))
	if err != nil {
		t.Fatal(err)
	}
	saved := b.names("cur")
	b.append("three\r\n", Seen)
	b.append("four\r\n", Seen)
	b.Expunge(bg, []uint32{one})
	// The restore: the files of the backup come back, those that are not in it go, the uidlist is the old one.
	for _, name := range b.names("cur") {
		os.Remove(filepath.Join(b.dir, "cur", name))
	}
	for i, name := range saved {
		b.put("cur", name, []string{"one\n", "two\n"}[i])
	}
	os.WriteFile(filepath.Join(b.dir, "restored"), list, 0o600)
	os.Rename(filepath.Join(b.dir, "restored"), filepath.Join(b.dir, uidlistName))
	if err := b.Sync(bg); err == nil {
		t.Error("nobody noticed")
	}
	m, err := b.store.Open("INBOX")
	if err != nil {
		t.Fatal(err)
	}
	b.Release()
	b.Mailbox = m
	b.wantUIDs(one, two)
	// The watcher may have seen a restored file before the old uidlist was in place, and given it UID 5.
	if uid := b.append("five\r\n", 0); uid < 5 {
		t.Errorf("next UID %d", uid)
	}
}

// TestFloodOfEvents: while another program renames without pause, sessions still get their turn, and no goroutine is left behind per event.
func TestFloodOfEvents(t *testing.T) {
	b := reopen(t, fastDir(t), fastDir(t))
	const n = 300
	for i := range n {
		b.put("cur", fmt.Sprintf("%d.a.h:2,", 1000+i), "x\n")
	}
	b.sync()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		flags := []string{"", "S"}
		for round := 0; ; round++ {
			for i := range n {
				select {
				case <-stop:
					return
				default:
				}
				from, to := fmt.Sprintf("%d.a.h:2,%s", 1000+i, flags[round%2]), fmt.Sprintf("%d.a.h:2,%s", 1000+i, flags[1-round%2])
				os.Rename(filepath.Join(b.dir, "cur", from), filepath.Join(b.dir, "cur", to))
			}
		}
	})
	time.Sleep(300 * time.Millisecond)
	before := runtime.NumGoroutine()
	for range 3 {
		begin := time.Now()
		b.sync()
		if d := time.Since(begin); d > 10*time.Second {
			t.Errorf("a sync took %v", d)
		}
	}
	if after := runtime.NumGoroutine(); after > before+20 {
		t.Errorf("%d goroutines, were %d", after, before)
	}
	close(stop)
	wg.Wait()
}

// TestNoMessages: what is in cur/ and is no file is no message, and a symbolic link leads nowhere.
func TestNoMessages(t *testing.T) {
	b := newBox(t)
	cur := filepath.Join(b.dir, "cur")
	os.Mkdir(filepath.Join(cur, "dir"), 0o700)
	os.Symlink("/etc/passwd", filepath.Join(cur, "1.link.h:2,"))
	b.sync()
	b.wantUIDs()
	uid := b.append("x\r\n", Seen)
	b.wantUIDs(uid)
	os.Remove(filepath.Join(cur, "dir"))
	os.Remove(filepath.Join(cur, "1.link.h:2,"))
}

// TestMovesAtOnce: a message that several clients move away at the same time, back and forth too, is there once.
func TestMovesAtOnce(t *testing.T) {
	b := newBox(t)
	const n = 20
	for i := range n {
		b.put("cur", fmt.Sprintf("%d.M1P1.host:2,", 1000+i), fmt.Sprintf("Subject: %d\n\nx\n", i))
	}
	b.check()
	boxes := []*Mailbox{b.Mailbox}
	for _, name := range []string{"A", "B"} {
		if err := b.store.Create(name); err != nil {
			t.Fatal(err)
		}
		m, err := b.store.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Release()
		boxes = append(boxes, m)
	}
	var wg sync.WaitGroup
	for w := range 6 {
		wg.Go(func() {
			for i := range 40 {
				from, to := boxes[(w+i)%3], boxes[(w+i+1+w%2)%3]
				if _, err := from.MoveTo(bg, from.UIDs(), to); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	total, bodies := 0, map[string]bool{}
	for _, m := range boxes {
		for _, uid := range m.UIDs() {
			f, err := m.OpenMessage(uid)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
			f.Close()
			if err != nil {
				t.Fatal(err)
			}
			total++
			bodies[string(text)] = true
		}
	}
	if total != n || len(bodies) != n {
		t.Errorf("%d messages, %d different ones, of %d", total, len(bodies), n)
	}
}

// TestTooManyKeywords: a change that brings too many keywords leaves none of them behind.
func TestTooManyKeywords(t *testing.T) {
	b := newBox(t)
	b.put("cur", "1000.M1P1.host:2,", "Subject: x\n\nx\n")
	b.check()
	var names []string
	for i := range defaultMaxKeywords + 1 {
		names = append(names, fmt.Sprint("k", i))
	}
	uids := b.UIDs()
	if _, _, err := b.SetFlags(bg, uids, FlagChange{Op: Add, Keywords: names}); !errors.Is(err, ErrLimit) {
		t.Fatalf("%v, want ErrLimit", err)
	}
	if _, _, err := b.SetFlags(bg, uids, FlagChange{Op: Add, Keywords: []string{"$Forwarded", "$FORWARDED"}}); err != nil {
		t.Fatal(err)
	}
	if got := b.KeywordNames(); !slices.Equal(got, []string{"$Forwarded"}) {
		t.Errorf("keywords %q", got)
	}
}

// A letter that has no name, of a message that was restored or because dovecot-keywords was lost, does not become that of the next new keyword.
func TestLettersWithoutName(t *testing.T) {
	b := newBox(t)
	b.append("one\n", 0, "first")
	b.put("cur", "2.b:2,Sbd", "two\n")
	b.sync()
	before := b.Now()
	names := func(uid uint32) string { return fmt.Sprint(b.keywords.namesOf(b.rec(uid).Keywords)) }
	if got := names(2); got != "[]" {
		t.Errorf("letters without a name are %s", got)
	}
	_, _, err := b.SetFlags(bg, []uint32{1}, FlagChange{Op: Add, Keywords: []string{"second", "third"}})
	must(t, err)
	if one, two := names(1), names(2); one != "[first second third]" || two != "[unknown-1 unknown-3]" {
		t.Errorf("keywords %s and %s", one, two)
	}
	if ch := b.Changes(before); len(ch.Changed) != 2 {
		t.Errorf("changes %+v", ch)
	}
	text, err := os.ReadFile(filepath.Join(b.dir, keywordsName))
	if want := "0 first\n1 unknown-1\n2 second\n3 unknown-3\n4 third\n"; err != nil || string(text) != want {
		t.Errorf("%q, %v", text, err)
	}
	b.check()
}

// What roost-keywords says of a message may be another's after a restore while nobody served: the message counts as changed.
func TestMoreKeywordsRestored(t *testing.T) {
	for _, arrived := range []bool{false, true} {
		for _, lost := range []bool{false, true} {
			b := newBox(t)
			var names []string
			for i := range maxLetters + 1 {
				names = append(names, fmt.Sprint("k", i))
			}
			b.append("one\n", 0, names...)
			b.append("two\n", 0)
			state := b.store.opt.State
			b.shut()
			time.Sleep(2 * tick) // so that the snapshot counts
			b = reopen(t, b.dir, state)
			before := b.Now()
			b.shut()
			path := filepath.Join(b.dir, moreKeywordsName)
			text, err := os.ReadFile(path)
			must(t, err)
			must(t, os.Remove(path))
			if !lost {
				must(t, os.WriteFile(path, bytes.Replace(text, []byte("k26"), []byte("another"), 1), 0o600))
			}
			if arrived {
				b.put("cur", "1.b:2,S", "three\n")
			}
			b = reopen(t, b.dir, state)
			ch := b.Changes(before)
			if !ch.Unknown && !slices.ContainsFunc(ch.Changed, func(r Record) bool { return r.UID == 1 }) {
				t.Errorf("arrived %v, lost %v: changes %+v", arrived, lost, ch)
			}
		}
	}
}
