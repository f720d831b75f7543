package imap

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"roost/maildir"
)

var (
	concurrentSteps = flag.Int("concurrent.steps", 30, "what each client of the concurrency test does")
	concurrentSeed  = flag.Uint64("concurrent.seed", 3, "what it begins with")
)

// TestConcurrentClients lets several clients and another program work on one mailbox. Each client keeps the list that the responses
// describe, as a mail program does, and in the end all of them, one that comes fresh, and the directory have the same.
func TestConcurrentClients(t *testing.T) {
	t.Parallel()
	for clients := 3; clients <= 6; clients += 3 {
		t.Run(fmt.Sprint(clients), func(t *testing.T) {
			t.Parallel()
			concurrentClients(t, clients, *concurrentSteps*3/clients)
		})
	}
}

func concurrentClients(t *testing.T, clients, steps int) {
	ts := newTestServer(t, nil)
	if err := ts.store.Create("Archive"); err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		ts.deliver("", "cur", ":2,", fmt.Sprintf("Subject: %d\n\nbody\n", i))
	}
	var wg, outside sync.WaitGroup
	quit := make(chan struct{})
	outside.Go(func() { ts.meddle(rand.New(rand.NewPCG(*concurrentSeed, 1<<32)), quit) })
	replicas := make([]*replica, clients)
	for i := range replicas {
		replicas[i] = newReplica(t, ts, i)
		wg.Go(func() {
			for range steps {
				replicas[i].act()
			}
		})
	}
	wg.Wait()
	close(quit)
	outside.Wait()
	if t.Failed() {
		return
	}
	want := ts.directory()
	for _, r := range append(replicas, newReplica(t, ts, clients)) {
		var got []string
		// A removed file counts as gone after two scans that did not see it, so that it may take some.
		for until := time.Now().Add(5 * time.Second); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
			r.cmd("NOOP")
			r.learn()
			if got = r.list(); slices.Equal(got, want) {
				break
			}
		}
		for i := range max(len(got), len(want)) {
			if i >= len(got) || i >= len(want) || got[i] != want[i] {
				t.Errorf("client %d has %d messages, the directory %d; from %d on they differ: %q, %q", r.n, len(got), len(want), i+1,
					got[min(i, len(got)):min(i+3, len(got))], want[min(i, len(want)):min(i+3, len(want))])
				break
			}
		}
	}
	if files := ts.files(); len(files) != len(want) {
		t.Errorf("%d files, %d messages", len(files), len(want))
	}
	again := newReplica(t, ts, clients+1)
	if got := again.list(); !slices.Equal(got, want) {
		t.Errorf("SELECT shows %q, want %q", got, want)
	}
}

// files are the message files of INBOX.
func (ts *testServer) files() []string {
	ts.t.Helper()
	files, err := filepath.Glob(filepath.Join(ts.root, "[cn][ue][rw]", "*"))
	if err != nil {
		ts.t.Fatal(err)
	}
	return files
}

// directory is what somebody finds in INBOX who has no state directory.
func (ts *testServer) directory() []string {
	ts.t.Helper()
	s, err := maildir.OpenStore(ts.options("user", ts.t.TempDir()))
	if err != nil {
		ts.t.Fatal(err)
	}
	defer s.Close()
	box, err := s.Open(inbox)
	if err != nil {
		ts.t.Fatal(err)
	}
	defer box.Release()
	var list []string
	for _, rec := range box.Records(box.UIDs(), nil) {
		list = append(list, fmt.Sprintf("%d %s", rec.UID, flagWords(box, &rec)))
	}
	return list
}

// flagWords are the flags of a record as a replica keeps them.
func flagWords(box *maildir.Mailbox, rec *maildir.Record) string {
	var words []string
	for _, f := range systemFlagNames {
		if rec.Flags&f.bit != 0 {
			words = append(words, f.name)
		}
	}
	for slot, name := range box.KeywordNames() {
		if rec.Keywords.Has(slot) {
			words = append(words, name)
		}
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

// meddle delivers, renames and removes files like other programs until quit is closed.
func (ts *testServer) meddle(rnd *rand.Rand, quit <-chan struct{}) {
	cur := filepath.Join(ts.root, "cur")
	for n := 0; ; n++ {
		select {
		case <-quit:
			return
		case <-time.After(5 * time.Millisecond):
		}
		entries, err := os.ReadDir(cur)
		if err != nil {
			ts.t.Error(err)
			return
		}
		switch {
		case n%5 == 0:
			ts.deliver("", "new", "", "Subject: outside\n\nbody\n")
		case len(entries) == 0:
		case n%7 == 0:
			os.Remove(filepath.Join(cur, entries[rnd.IntN(len(entries))].Name())) // gone already: as good
		default:
			name := entries[rnd.IntN(len(entries))].Name()
			base, _, _ := strings.Cut(name, ":")
			os.Rename(filepath.Join(cur, name), filepath.Join(cur, base+":2,"+[]string{"", "F", "FS", "RS"}[rnd.IntN(4)]))
		}
	}
}

// replica is a client that knows the mailbox from responses alone.
type replica struct {
	*testClient
	n    int
	rnd  *rand.Rand
	msgs []replicaMessage // by sequence number

	// Of those that use QRESYNC (RFC 7162), every other one.
	qresync  bool
	validity string
	highest  string
}

type replicaMessage struct {
	uid   int // 0: not told yet
	flags string
}

func newReplica(t *testing.T, ts *testServer, n int) *replica {
	r := &replica{testClient: ts.login(), n: n, rnd: rand.New(rand.NewPCG(*concurrentSeed, uint64(n))), qresync: n%2 == 1}
	if r.qresync {
		r.cmd("ENABLE QRESYNC")
	}
	r.cmd("SELECT INBOX")
	r.learn()
	return r
}

// act does something at random.
func (r *replica) act() {
	if len(r.msgs) == 0 {
		r.cmd("APPEND INBOX {12+}\r\nSubject: x\r\n")
		r.cmd("NOOP")
		r.learn()
		return
	}
	seq := 1 + r.rnd.IntN(len(r.msgs))
	flag := []string{`\Flagged`, `\Seen`, `\Answered`, "$Label1", "work"}[r.rnd.IntN(5)]
	op := []string{"+FLAGS", "-FLAGS", "FLAGS", "+FLAGS.SILENT"}[r.rnd.IntN(4)]
	switch r.rnd.IntN(15) {
	case 0, 1:
		if op == "+FLAGS.SILENT" && r.msgs[seq-1].uid != 0 {
			// The client has to know what a silent change does.
			if r.cmd("STORE %d %s (%s)", seq, op, flag) {
				r.cmd("UID FETCH %d (FLAGS)", r.msgs[min(seq, len(r.msgs))-1].uid)
			}
		} else {
			r.cmd("STORE %d %s (%s)", seq, strings.TrimSuffix(op, ".SILENT"), flag)
		}
	case 2:
		r.cmd("UID STORE %d %s (%s)", r.msgs[seq-1].uid, strings.TrimSuffix(op, ".SILENT"), flag)
	case 3:
		r.cmd(`STORE %d +FLAGS (\Deleted)`, seq)
		r.cmd("EXPUNGE")
	case 4:
		r.cmd(`APPEND INBOX (\Seen $Label1) {%d+}`+"\r\n%s", 12, "Subject: x\r\n")
	case 5:
		r.cmd("FETCH %d:* (UID FLAGS)", seq)
	case 6:
		r.cmd("SEARCH FLAGGED")
	case 7:
		r.idle()
	case 8:
		r.cmd("COPY %d INBOX", seq)
	case 9:
		uid := r.msgs[seq-1].uid
		r.cmd(`UID STORE %d +FLAGS (\Deleted)`, uid)
		if r.cmd("UID EXPUNGE %d", uid) && slices.ContainsFunc(r.msgs, func(m replicaMessage) bool { return m.uid == uid && strings.Contains(m.flags, `\Deleted`) }) {
			r.t.Errorf("client %d: UID %d is still there", r.n, uid)
		}
	case 10:
		r.cmd("MOVE %d Archive", seq)
	case 11:
		r.cmd("UID MOVE %d:* INBOX", r.msgs[len(r.msgs)-1].uid) // within the mailbox: new UIDs
	case 12, 13:
		if r.qresync {
			r.comeBack()
		}
	default:
		r.cmd("NOOP")
	}
	r.learn()
}

// comeBack selects the mailbox again and asks what it missed. Until then it keeps what it knows by UID, as a mail program does on its disk.
func (r *replica) comeBack() {
	r.cmd("UNSELECT")
	if r.rnd.IntN(2) == 0 {
		time.Sleep(time.Duration(r.rnd.IntN(50)) * time.Millisecond)
	}
	known := map[int]string{}
	for _, m := range r.msgs {
		known[m.uid] = m.flags
	}
	r.msgs = nil
	untagged, tagged := r.testClient.cmd("SELECT INBOX (QRESYNC (%s %s))", r.validity, r.highest)
	if !strings.HasPrefix(tagged, "OK") {
		r.t.Errorf("client %d: %s", r.n, tagged)
		return
	}
	exists := 0
	for _, l := range untagged {
		switch m := numberedLine.FindStringSubmatch(l); {
		case m != nil && m[2] == "EXISTS":
			exists, _ = strconv.Atoi(m[1])
		case m != nil && m[2] == "FETCH":
			uid, _ := strconv.Atoi(fetchUID.FindStringSubmatch(m[3])[1])
			known[uid] = flagList(m[3])
		case strings.HasPrefix(l, "* VANISHED (EARLIER) "):
			for _, uid := range expand(strings.TrimPrefix(l, "* VANISHED (EARLIER) ")) {
				delete(known, uid)
			}
		}
		r.note(l)
	}
	if len(known) != exists {
		r.t.Errorf("client %d: %d messages after coming back, the server has %d: %q", r.n, len(known), exists, untagged)
		return
	}
	for _, uid := range slices.Sorted(maps.Keys(known)) {
		r.msgs = append(r.msgs, replicaMessage{uid, known[uid]})
	}
}

// expand lists the numbers of a set.
func expand(set string) (nums []int) {
	for part := range strings.SplitSeq(set, ",") {
		var a, b int
		if n, _ := fmt.Sscanf(part, "%d:%d", &a, &b); n < 2 {
			b = a
		}
		for ; a <= b; a++ {
			nums = append(nums, a)
		}
	}
	return nums
}

var noted = regexp.MustCompile(`\[(UIDVALIDITY|HIGHESTMODSEQ) (\d+)\]`)

// note remembers what a client needs to come back.
func (r *replica) note(line string) {
	if m := noted.FindStringSubmatch(line); m != nil && m[1] == "UIDVALIDITY" {
		r.validity = m[2]
	} else if m != nil {
		r.highest = m[2]
	}
}

// learn asks about messages of which only EXISTS is known, until there are none.
func (r *replica) learn() {
	for range 100 {
		i := slices.IndexFunc(r.msgs, func(m replicaMessage) bool { return m.uid == 0 })
		if i < 0 {
			return
		}
		if !r.cmd("FETCH %d:* (UID FLAGS)", i+1) {
			r.cmd("NOOP") // some were removed
		}
	}
	r.t.Errorf("client %d cannot find out about its messages", r.n)
}

// idle waits for news for a moment.
func (r *replica) idle() {
	r.send("i IDLE\r\n")
	time.AfterFunc(20*time.Millisecond, func() { r.c.Write([]byte("DONE\r\n")) })
	for {
		l := r.line()
		if strings.HasPrefix(l, "i OK") {
			return
		}
		r.apply(l, true)
	}
}

// cmd runs a command and applies all that is said meanwhile.
func (r *replica) cmd(format string, args ...any) bool {
	text := fmt.Sprintf(format, args...)
	word, _, _ := strings.Cut(text, " ")
	mayExpunge := word != "FETCH" && word != "STORE" && word != "SEARCH"
	untagged, tagged := r.testClient.cmd("%s", text)
	for _, l := range untagged {
		r.apply(l, mayExpunge)
	}
	r.note(tagged)
	if strings.HasPrefix(tagged, "BAD") {
		r.t.Errorf("client %d: %s: %s", r.n, text, tagged)
	}
	return strings.HasPrefix(tagged, "OK")
}

var (
	numberedLine = regexp.MustCompile(`^\* (\d+) (EXISTS|EXPUNGE|FETCH)(?: \((.*)\))?$`)
	fetchUID     = regexp.MustCompile(`\bUID (\d+)`)
	fetchFlags   = regexp.MustCompile(`FLAGS \(([^)]*)\)`)
)

// apply does to the list what a response says.
func (r *replica) apply(line string, mayExpunge bool) {
	r.note(line)
	if set, ok := strings.CutPrefix(line, "* VANISHED "); ok {
		if !mayExpunge || !r.qresync {
			r.t.Errorf("client %d: %s", r.n, line)
		}
		for _, uid := range expand(set) {
			i := r.place(uid)
			if i < 0 {
				r.t.Errorf("client %d: %s, but it has no %d", r.n, line, uid)
				return
			}
			r.msgs = slices.Delete(r.msgs, i, i+1)
		}
		return
	}
	m := numberedLine.FindStringSubmatch(line)
	if m == nil {
		return
	}
	n, _ := strconv.Atoi(m[1])
	if m[2] == "EXISTS" {
		if n < len(r.msgs) {
			r.t.Errorf("client %d: %s, but it has %d", r.n, line, len(r.msgs))
			return
		}
		r.msgs = append(r.msgs, make([]replicaMessage, n-len(r.msgs))...)
		return
	}
	if n < 1 || n > len(r.msgs) {
		r.t.Errorf("client %d: %s, but it has %d", r.n, line, len(r.msgs))
		return
	}
	if m[2] == "EXPUNGE" {
		if !mayExpunge || r.qresync {
			r.t.Errorf("client %d: %s during a command with numbers", r.n, line)
		}
		r.msgs = slices.Delete(r.msgs, n-1, n)
		return
	}
	msg := &r.msgs[n-1]
	if u := fetchUID.FindStringSubmatch(m[3]); u != nil {
		uid, _ := strconv.Atoi(u[1])
		if msg.uid != 0 && msg.uid != uid {
			r.t.Errorf("client %d: %s, but it was UID %d", r.n, line, msg.uid)
		}
		msg.uid = uid
	}
	if fetchFlags.MatchString(m[3]) {
		msg.flags = flagList(m[3])
	}
}

// place finds a message by UID, or, when the client has not asked for its UID yet, the place where it must be.
func (r *replica) place(uid int) int {
	for i, m := range r.msgs {
		if m.uid == uid || m.uid == 0 && !slices.ContainsFunc(r.msgs[i:], func(m replicaMessage) bool { return m.uid != 0 && m.uid <= uid }) {
			return i
		}
	}
	return -1
}

// flagList is the flags of a FETCH response as a replica keeps them.
func flagList(items string) string {
	words := slices.DeleteFunc(strings.Fields(fetchFlags.FindStringSubmatch(items)[1]), func(w string) bool { return w == `\Recent` })
	slices.Sort(words)
	return strings.Join(words, " ")
}

// list is what the client has.
func (r *replica) list() []string {
	var l []string
	for _, m := range r.msgs {
		l = append(l, fmt.Sprintf("%d %s", m.uid, m.flags))
	}
	return l
}
