package maildir

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var powerLossSeed = flag.Uint64("powerloss.seed", 1, "what the power loss test begins with")

// placement is what is known of one message in one mailbox. Steps are those of the recorder; never is a step that did not come.
type placement struct {
	id, box     string
	begun, done int // when it was to come, and when that was acknowledged with its UID
	uid         uint32
	leaving     int // when it was to go
	left        int // when that was acknowledged
	moved       *placement
	flags       []string // all it ever had
}

const never = 1 << 30

// drill runs changes and writes down what they promise.
type drill struct {
	t       *testing.T
	rec     *recorder
	store   *Store
	boxes   map[string]*Mailbox
	all     []*placement
	states  []savedState
	state   string
	homes   map[string]uint32 // UIDVALIDITY by mailbox
	opened  map[string]int    // when a mailbox was there for good
	counter int
}

// savedState is the state directory as it was at a step.
type savedState struct {
	step int
	dir  string
}

const powerLossBody = 3000

func (d *drill) id() string {
	d.counter++
	return fmt.Sprintf("m%d", d.counter)
}

func bodyOf(id string) string { return id + "\n" + strings.Repeat("x", powerLossBody) + "\n" }

func (d *drill) now() int { return d.rec.now(d.t) }

func (d *drill) check(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// at is the message with a UID.
func (d *drill) at(box string, uid uint32) *placement {
	d.t.Helper()
	for _, p := range d.all {
		if p.box == box && p.uid == uid && p.left == never {
			return p
		}
	}
	d.t.Fatalf("%s has no UID %d", box, uid)
	return nil
}

// arrive writes down messages that are on their way; the result says that they have come.
func (d *drill) arrive(box string, ids []string) (arrived func(uids []uint32)) {
	begun := d.now()
	var ps []*placement
	for _, id := range ids {
		ps = append(ps, &placement{id: id, box: box, begun: begun, done: never, leaving: never, left: never})
	}
	d.all = append(d.all, ps...)
	return func(uids []uint32) {
		d.t.Helper()
		if len(uids) != len(ps) {
			d.t.Fatalf("%d UIDs for %d messages", len(uids), len(ps))
		}
		for i, p := range ps {
			p.uid, p.done = uids[i], d.now()
			p.flags = append(p.flags, d.flagsOf(p))
		}
	}
}

func (d *drill) flagsOf(p *placement) string {
	m := d.boxes[p.box]
	recs := m.Records([]uint32{p.uid}, nil)
	if len(recs) != 1 {
		d.t.Fatalf("%s has no UID %d", p.box, p.uid)
	}
	return flagText(m, recs[0])
}

// flagText is the flags as a number, and the keywords.
func flagText(m *Mailbox, r Record) string {
	text := fmt.Sprint(r.Flags)
	for slot, name := range m.KeywordNames() {
		if r.Keywords.Has(slot) {
			text += " " + name
		}
	}
	return text
}

func (d *drill) append(box string, n int, flags Flags, keywords ...string) {
	d.t.Helper()
	var ids []string
	for range n {
		ids = append(ids, d.id())
	}
	done := d.arrive(box, ids)
	dl, err := d.boxes[box].NewDelivery()
	d.check(err)
	defer dl.Abort()
	for _, id := range ids {
		d.check(dl.Add(strings.NewReader(bodyOf(id)), flags, keywords, time.Unix(1e9, 0)))
	}
	uids, err := dl.Commit(bg)
	d.check(err)
	done(uids)
}

func (d *drill) transfer(from, to string, move bool, uids ...uint32) {
	d.t.Helper()
	var ids []string
	var src []*placement
	for _, uid := range uids {
		p := d.at(from, uid)
		src, ids = append(src, p), append(ids, p.id)
	}
	done := d.arrive(to, ids)
	dst := d.all[len(d.all)-len(ids):]
	run := d.boxes[from].CopyTo
	if move {
		run = d.boxes[from].MoveTo
		for i, p := range src {
			p.leaving, p.moved = d.now(), dst[i]
		}
	}
	pairs, err := run(bg, uids, d.boxes[to])
	d.check(err)
	var got []uint32
	for _, p := range pairs {
		got = append(got, p.Dst)
	}
	done(got)
	if move {
		for _, p := range src {
			p.left = d.now()
		}
	}
}

func (d *drill) setFlags(box string, ch FlagChange, uids ...uint32) {
	d.t.Helper()
	_, _, err := d.boxes[box].SetFlags(bg, uids, ch)
	d.check(err)
	for _, uid := range uids {
		p := d.at(box, uid)
		p.flags = append(p.flags, d.flagsOf(p))
	}
}

func (d *drill) expunge(box string, uids ...uint32) {
	d.t.Helper()
	var ps []*placement
	for _, uid := range uids {
		p := d.at(box, uid)
		p.leaving = d.now()
		ps = append(ps, p)
	}
	_, err := d.boxes[box].Expunge(bg, uids)
	d.check(err)
	for _, p := range ps {
		p.left = d.now()
	}
}

// deliver is a delivery agent: the message counts from when it has been numbered.
func (d *drill) deliver(box string) {
	d.t.Helper()
	id := d.id()
	done := d.arrive(box, []string{id})
	m := d.boxes[box]
	name := d.store.newBase()
	d.check(os.WriteFile(filepath.Join(m.tmp.path(), name), []byte(bodyOf(id)), 0o600))
	f, err := m.tmp.open(name)
	d.check(err)
	d.check(m.tmp.syncFile(f))
	f.Close()
	d.check(m.tmp.rename(name, m.new, name))
	d.check(m.new.sync())
	d.check(m.Sync(bg))
	uids := m.UIDs()
	done(uids[len(uids)-1:])
}

// open makes a mailbox known to the checks.
func (d *drill) open(name string) {
	d.t.Helper()
	m, err := d.store.Open(name)
	d.check(err)
	hub.remove(m) // one step after the other: no sync in the background
	m.mu.Lock()
	m.watching = false
	m.mu.Unlock()
	d.boxes[name], d.homes[name] = m, m.hdr.Validity
	d.opened[name] = d.now()
}

func (d *drill) create(name string) {
	d.t.Helper()
	d.check(d.store.Create(name))
	d.open(name)
}

// save keeps the state directory as it is now.
func (d *drill) save() {
	d.t.Helper()
	for _, m := range d.boxes {
		m.save()
	}
	dir := filepath.Join(d.t.TempDir(), "state")
	d.check(os.CopyFS(dir, os.DirFS(d.state)))
	d.states = append(d.states, savedState{d.now(), dir})
}

func (d *drill) rewrite(box string) {
	d.t.Helper()
	d.check(d.boxes[box].update(bg, func(u *update) error { return u.rewriteList() }))
}

// run is every kind of change, most of them more than once, so that each also comes behind others that were not fsynced.
func (d *drill) run() {
	d.append("INBOX", 1, 0)
	d.append("INBOX", 1, Seen)
	d.save()
	d.append("INBOX", 3, Flagged, "work")
	d.transfer("INBOX", "Dst", false, 1, 4)
	d.setFlags("INBOX", FlagChange{Op: Add, Flags: Seen}, 1, 4, 6)
	d.setFlags("INBOX", FlagChange{Op: Replace, Flags: Answered, Keywords: []string{"urgent"}}, 7)
	d.transfer("INBOX", "Dst", true, 2, 5)
	d.transfer("INBOX", "Dst", true, 4)
	d.save()
	d.expunge("INBOX", 1, 3)
	d.deliver("INBOX")
	if _, err := d.boxes["INBOX"].ClaimRecent(bg); err != nil {
		d.t.Fatal(err)
	}
	d.create("New")
	d.append("New", 1, Seen)
	d.transfer("INBOX", "New", false, 7, 8)
	d.save()
	d.transfer("Dst", "INBOX", true, 1, 2)
	d.rewrite("INBOX")
	d.append("INBOX", 2, 0)
	many := make([]string, 30)
	for i := range many {
		many[i] = fmt.Sprintf("kw%d", i)
	}
	d.setFlags("INBOX", FlagChange{Op: Add, Keywords: many}, 7)
	d.expunge("Dst", 3)
	d.append("Dst", 2, Draft, many[3], many[29])
	d.rewrite("Dst")
	d.transfer("Dst", "New", true, d.boxes["Dst"].UIDs()...)
	d.save()
	d.append("Dst", 1, 0)
}

// TestPowerLoss takes the power away behind every step of changes, in all ways the recorder knows: what APPEND, COPY and MOVE have acknowledged is
// there exactly once under its UID, no message is half there, none has gone that was not to go, a move that was cut off has left the message in at
// least one place, and no UID that anybody was told means another message, now or later. State directories that are lost or old change nothing.
func TestPowerLoss(t *testing.T) {
	work := fastDir(t)
	root := filepath.Join(work, "Maildir")
	d := &drill{t: t, boxes: map[string]*Mailbox{}, homes: map[string]uint32{}, opened: map[string]int{}, state: filepath.Join(work, "state")}
	var err error
	if d.store, err = OpenStore(Options{Root: root, State: d.state, Separator: '/', Create: true}); err != nil {
		t.Fatal(err)
	}
	d.rec = newRecorder(t, d.store, root)
	d.open("INBOX")
	d.create("Dst")
	d.append("INBOX", 2, 0)
	d.append("INBOX", 1, Seen)
	d.run()
	steps := d.now()
	d.store.root.inject(nil)
	for _, m := range d.boxes {
		m.Release()
	}
	d.store.Close()

	stride, samples := 4, 1
	if *long {
		stride, samples = 1, 12
	}
	for k := int(*powerLossSeed) % stride; k <= steps; k += stride {
		t.Run(fmt.Sprint(k), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(*powerLossSeed, uint64(k)))
			for _, harsh := range []bool{false, true} {
				d.crash(t, k, harsh, []extent{nothing, everything}[rnd.IntN(2)], rnd)
				for range samples {
					d.crash(t, k, harsh, anything, rnd)
				}
			}
		})
	}
}

// crash is one crash with its checks.
func (d *drill) crash(t *testing.T, k int, harsh bool, much extent, rnd *rand.Rand) {
	work := fastDir(t)
	defer os.RemoveAll(work)
	root, state := filepath.Join(work, "Maildir"), ""
	d.rec.crash(t, root, k, harsh, much, rnd)
	var old []savedState
	for _, s := range d.states {
		if s.step <= k {
			old = append(old, s)
		}
	}
	which := "no state"
	if len(old) > 0 && rnd.IntN(2) == 0 {
		i := rnd.IntN(len(old))
		which, state = fmt.Sprintf("state of step %d", old[i].step), filepath.Join(work, "state")
		if err := os.CopyFS(state, os.DirFS(old[i].dir)); err != nil {
			t.Fatal(err)
		}
	}
	fail := func(format string, args ...any) {
		t.Helper()
		what := "the end"
		if k < len(d.rec.steps) {
			what = d.rec.steps[k].what
		}
		t.Errorf("power lost behind step %d, before %s (harsh %v, %s of the rest survives, %s): %s", k, what, harsh, much, which, fmt.Sprintf(format, args...))
	}
	s, err := OpenStore(Options{Root: root, State: state, Separator: '/', Create: true})
	if err != nil {
		fail("%v", err)
		return
	}
	defer s.Close()
	found := map[*placement]bool{}
	for name, validity := range d.homes {
		m, err := s.Open(name)
		if err != nil {
			if d.opened[name] <= k {
				fail("%s: %v", name, err)
			}
			continue
		}
		d.checkBox(m, name, k, fail, found)
		if d.opened[name] <= k && m.hdr.Validity != validity {
			fail("%s: UIDVALIDITY was %d and is %d", name, validity, m.hdr.Validity)
		}
		m.Release()
	}
	for _, p := range d.all {
		if p.moved != nil && p.done <= k && p.leaving < k && p.left > k && !found[p] && !found[p.moved] {
			fail("%s was being moved from %s to %s and is in neither", p.id, p.box, p.moved.box)
		}
	}
}

// checkBox compares one mailbox with what is known of it.
func (d *drill) checkBox(m *Mailbox, name string, k int, fail func(string, ...any), found map[*placement]bool) {
	byID := map[string][]*placement{}
	owner := map[uint32]*placement{}
	highest := uint32(0)
	for _, p := range d.all {
		if p.box == name && p.begun < k {
			byID[p.id] = append(byID[p.id], p)
			if p.done <= k {
				owner[p.uid] = p
				highest = max(highest, p.uid)
			}
		}
	}
	for _, r := range m.Records(m.UIDs(), nil) {
		f, err := m.OpenMessage(r.UID)
		if err != nil {
			fail("%s UID %d: %v", name, r.UID, err)
			continue
		}
		b, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
		f.Close()
		id, _, _ := strings.Cut(string(b), "\n")
		if err != nil || string(b) != bodyOf(id) {
			fail("%s UID %d is half there: %d octets of %s, %v", name, r.UID, len(b), id, err)
			continue
		}
		// A message whose UID somebody was told is that placement; another is one that nobody was told of, or was told is gone.
		p, told := owner[r.UID]
		if told && p.id != id {
			fail("%s UID %d was %s and is %s", name, r.UID, p.id, id)
			continue
		}
		for _, q := range byID[id] {
			if !told && !found[q] && (q.done > k || p == nil && q.leaving < k && (q.moved == nil || q.left > k)) {
				p = q
			}
		}
		switch {
		case p == nil:
			fail("%s has %s as UID %d, which it should not have (again)", name, id, r.UID)
			continue
		case p.moved != nil && p.left <= k:
			fail("%s UID %d was moved to %s and is back", name, r.UID, p.moved.box)
		}
		for _, flag := range strings.Fields(flagText(m, r)) {
			if p.done <= k && p.uid == r.UID && !slices.ContainsFunc(p.flags, func(had string) bool {
				return slices.Contains(strings.Fields(had), flag)
			}) {
				fail("%s UID %d has %s, which it never had: %s", name, r.UID, flag, p.flags)
			}
		}
		found[p] = true
	}
	for _, p := range d.all {
		if p.box == name && p.done <= k && p.leaving >= k && !found[p] {
			fail("%s UID %d, %s, is lost", name, p.uid, p.id)
		}
	}
	dl, err := m.NewDelivery()
	if err != nil {
		fail("%s: %v", name, err)
		return
	}
	defer dl.Abort()
	if err := dl.Add(strings.NewReader("new\n"), 0, nil, time.Time{}); err != nil {
		fail("%s: %v", name, err)
		return
	}
	if uids, err := dl.Commit(bg); err != nil {
		fail("%s: life does not go on: %v", name, err)
	} else if uids[0] <= highest {
		fail("%s: a new message gets UID %d, but %d was given out", name, uids[0], highest)
	}
}
