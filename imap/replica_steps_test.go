package imap

import (
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// dialServer connects; an error where the test's own helper would end the test, because there may be no server just now.
func dialServer(ts *testServer) (*testClient, error) {
	c, err := net.Dial("tcp", ts.addr)
	if err != nil {
		return nil, err
	}
	tc := &testClient{t: ts.t}
	tc.upgrade(c)
	return tc, nil
}

// replicaNames are the mailboxes that clients use.
var replicaNames = []string{"INBOX", "INBOX", "INBOX", "A", "A", "B", "C"}

// step does something at random.
func (c *replica) step(rnd *rand.Rand) {
	if c.idle != "" {
		if rnd.IntN(2) == 0 {
			c.drain(2 * time.Millisecond)
			return
		}
		c.endIdle()
	}
	if !c.ready() {
		return
	}
	if c.notify > 0 && rnd.IntN(3) == 0 {
		c.drain(time.Millisecond)
	}
	if c.conn == nil {
		return
	}
	if c.box == "" && rnd.IntN(5) > 0 {
		c.open(pick(rnd, replicaNames), pick(rnd, []string{"SELECT", "SELECT", "SELECT", "EXAMINE"}), rnd)
		return
	}
	var all []func(*replica, *rand.Rand)
	for _, a := range replicaActs {
		if c.box != "" && (len(c.msgs) > 0 || !a.numbers) || !a.selected {
			for range a.weight {
				all = append(all, a.act)
			}
		}
	}
	pick(rnd, all)(c, rnd)
	c.learn()
}

func pick[T any](rnd *rand.Rand, list []T) T { return list[rnd.IntN(len(list))] }

// replicaActs is what clients do.
var replicaActs = []struct {
	weight   int
	selected bool // needs a mailbox
	numbers  bool // needs messages in it
	act      func(*replica, *rand.Rand)
}{
	{6, false, false, func(c *replica, _ *rand.Rand) { c.cmd("NOOP") }},
	{2, true, false, func(c *replica, _ *rand.Rand) { c.cmd("CHECK") }},
	{16, true, true, (*replica).doStore},
	{6, true, true, (*replica).doFetch},
	{3, true, true, (*replica).doChangedSince},
	{3, true, true, (*replica).doSearch},
	{3, true, false, (*replica).doFollow},
	{6, true, true, (*replica).doDelete},
	{6, true, true, (*replica).doCopy},
	{2, true, true, (*replica).doReplace},
	{8, false, false, (*replica).doAppend},
	{4, false, false, (*replica).doIdle},
	{7, false, false, (*replica).doOpen},
	{2, true, false, (*replica).doClose},
	{2, false, false, (*replica).doNames},
	{2, false, false, func(c *replica, rnd *rand.Rand) {
		c.cmd("STATUS %s (MESSAGES UIDNEXT UNSEEN UIDVALIDITY)", pick(rnd, replicaNames))
	}},
	{3, false, false, (*replica).doLeave},
}

// someSet is a set of messages: for a command with UIDs, or with numbers where numbers mean something to the client.
func (c *replica) someSet(rnd *rand.Rand) (uid, set string, at []int) {
	for range 1 + rnd.IntN(3) {
		from := rnd.IntN(len(c.msgs))
		for i := from; i < min(len(c.msgs), from+1+rnd.IntN(3)); i++ {
			at = append(at, i)
		}
	}
	slices.Sort(at)
	at = slices.Compact(at)
	byUID := c.notify == 2 || rnd.IntN(2) == 0
	var nums []uint32
	for _, i := range at {
		if byUID {
			nums = append(nums, c.msgs[i].uid)
		} else {
			nums = append(nums, uint32(i+1))
		}
	}
	if byUID {
		uid = "UID "
	}
	return uid, setOf(nums), at
}

// someFlags are flags, more of them keywords than there are letters for.
func someFlags(rnd *rand.Rand) (flags []string) {
	for range 1 + rnd.IntN(3) {
		if rnd.IntN(2) == 0 {
			flags = append(flags, pick(rnd, []string{`\Seen`, `\Flagged`, `\Answered`, `\Draft`, `\Deleted`}))
		} else {
			flags = append(flags, fmt.Sprintf("k%02d", rnd.IntN(40)))
		}
	}
	slices.Sort(flags)
	return slices.Compact(flags)
}

// doStore is STORE in all its forms.
func (c *replica) doStore(rnd *rand.Rand) {
	uid, set, at := c.someSet(rnd)
	run := &running{op: pick(rnd, []string{"+FLAGS", "-FLAGS", "FLAGS"}), flags: someFlags(rnd)}
	silent := ""
	// Without MODSEQ, what is told unasked while a silent change is under way could be from before or after it.
	if rnd.IntN(3) == 0 && (c.condstore || c.notify == 0) {
		run.silent, silent = true, ".SILENT"
	}
	before := map[uint32]kept{}
	highest := uint64(0)
	for _, i := range at {
		before[c.msgs[i].uid] = c.msgs[i]
		highest = max(highest, c.msgs[i].modseq)
	}
	since, cond := uint64(0), ""
	if c.condstore && rnd.IntN(2) == 0 {
		if since = highest; rnd.IntN(3) == 0 {
			since = c.msgs[at[0]].modseq
		}
		cond = fmt.Sprintf("(UNCHANGEDSINCE %d) ", since)
	}
	if run.silent && !c.condstore && !c.readOnly {
		for _, i := range at {
			c.msgs[i].flags = run.store(c.msgs[i].flags)
		}
	}
	edits := c.w.edits.Load()
	tagged := c.command(run, "%sSTORE %s %s%s%s (%s)", uid, set, cond, run.op, silent, strings.Join(run.flags, " "))
	if tagged == "" || c.box == "" {
		return
	}
	if !strings.HasPrefix(tagged, "OK") && run.silent {
		for i := range c.msgs {
			if _, ok := before[c.msgs[i].uid]; ok {
				c.msgs[i].told = false
			}
		}
	}
	if cond == "" || c.readOnly {
		return
	}
	modified := map[uint32]bool{}
	if _, nums, ok := strings.Cut(tagged, "[MODIFIED "); ok {
		nums, _, _ = strings.Cut(nums, "]")
		for _, n := range numbersOf(nums) {
			if uid == "" {
				if int(n) > len(c.msgs) {
					c.fault("%s, but it has %d", tagged, len(c.msgs))
					return
				}
				n = c.msgs[n-1].uid
			}
			modified[n] = true
		}
	}
	if len(modified) > 0 { // what is gone by now has its EXPUNGE to come
		c.cmd("NOOP")
	}
	for _, m := range c.msgs {
		was, ok := before[m.uid]
		if !ok || was.modseq == 0 {
			continue
		}
		if modified[m.uid] && m.modseq <= since {
			c.fault("%s: UID %d is modified, but at %d", tagged, m.uid, m.modseq)
		}
		got := run.first[m.uid]
		if c.notify > 0 || modified[m.uid] || got == "" {
			continue // what was answered may be what came unasked, and what was not may be gone
		}
		if was.modseq > since {
			c.fault("%s: UID %d was at %d and is not MODIFIED", tagged, m.uid, was.modseq)
		} else if edits == c.w.edits.Load() && was.told && got != "("+run.store(was.flags)+")" {
			c.fault("%s: UID %d had (%s) and nobody changed it since, then %s", tagged, m.uid, was.flags, got)
		}
	}
}

// doFetch fetches one thing or another; a body without PEEK sets \Seen.
func (c *replica) doFetch(rnd *rand.Rand) {
	uid, set, _ := c.someSet(rnd)
	items := pick(rnd, []string{"FLAGS", "(UID FLAGS)", "(UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])", "(UID BODY[HEADER.FIELDS (SUBJECT)])", "(ENVELOPE FLAGS)"})
	if c.condstore && rnd.IntN(2) == 0 {
		items = "(UID FLAGS MODSEQ)"
	}
	c.cmd("%sFETCH %s %s", uid, set, items)
}

// doChangedSince asks for changes since some message changed.
func (c *replica) doChangedSince(rnd *rand.Rand) {
	since := c.msgs[rnd.IntN(len(c.msgs))].modseq
	if rnd.IntN(2) == 0 {
		since = c.highest
	}
	if !c.condstore || since == 0 {
		return
	}
	vanished := ""
	if c.qresync && rnd.IntN(2) == 0 {
		vanished = " VANISHED"
	}
	// What is told meanwhile has to be asked for first: it may have changed before.
	if c.cmd("NOOP"); c.box != "" && c.notify == 0 {
		c.command(&running{since: since}, "UID FETCH 1:* (FLAGS) (CHANGEDSINCE %d%s)", since, vanished)
	}
}

func (c *replica) doSearch(rnd *rand.Rand) {
	uid := ""
	if c.notify == 2 || rnd.IntN(2) == 0 {
		uid = "UID "
	}
	key := pick(rnd, []string{"ALL", "FLAGGED", "UNSEEN", "KEYWORD k01", "SUBJECT m"})
	if c.condstore && rnd.IntN(3) == 0 {
		key = fmt.Sprintf("MODSEQ %d", max(c.highest, 1))
	}
	run := &running{}
	c.command(run, "%sSEARCH %s", uid, key)
	for _, n := range run.found {
		if uid == "" && (n < 1 || int(n) > len(c.msgs)) {
			c.fault("SEARCH finds %d, but it has %d", n, len(c.msgs))
		}
	}
}

// doDelete marks messages and expunges.
func (c *replica) doDelete(rnd *rand.Rand) {
	uid, set, _ := c.someSet(rnd)
	if len(c.msgs) > 50 {
		uid, set = "UID ", fmt.Sprintf("1:%d", c.msgs[30].uid)
	}
	if rnd.IntN(4) > 0 {
		c.cmd(`%sSTORE %s +FLAGS (\Deleted)`, uid, set)
		c.learn()
	}
	if c.box == "" {
		return
	}
	if rnd.IntN(2) == 0 {
		c.cmd("EXPUNGE")
		return
	}
	if len(c.msgs) == 0 {
		return
	}
	_, _, at := c.someSet(rnd)
	var uids []uint32
	deleted := map[uint32]bool{}
	for _, i := range at {
		uids = append(uids, c.msgs[i].uid)
		deleted[c.msgs[i].uid] = strings.Contains(c.msgs[i].flags, `\Deleted`)
	}
	run := &running{changed: map[uint32]bool{}}
	if !strings.HasPrefix(c.command(run, "UID EXPUNGE %s", setOf(uids)), "OK") || c.bye != "" { // all of them went with their mailbox, and nobody says it
		return
	}
	for _, m := range c.msgs {
		// Somebody may have taken the mark away meanwhile, which was told then, and set it again.
		if deleted[m.uid] && !run.changed[m.uid] {
			c.fault("UID %d is still there", m.uid)
		}
	}
}

// doCopy is COPY and MOVE, also within a mailbox.
func (c *replica) doCopy(rnd *rand.Rand) {
	uid, set, _ := c.someSet(rnd)
	verb, to := pick(rnd, []string{"COPY", "MOVE"}), pick(rnd, replicaNames)
	if len(c.msgs) > 40 {
		verb = "MOVE"
	}
	c.cmd("%s%s %s %s", uid, verb, set, to)
	c.changed(to)
}

// changed notes that the client has changed a mailbox itself, of which NOTIFY tells nothing.
func (c *replica) changed(name string) {
	if c.notify > 0 && c.conn != nil {
		c.dirty[name] = true
	}
}

// text is a new message.
func (c *replica) text() (literal, body string) {
	body = fmt.Sprintf("m%d", c.w.serial.Add(1))
	text := fmt.Sprintf("Subject: %s\r\n\r\nbody\r\n", body)
	return fmt.Sprintf("{%d+}\r\n%s", len(text), text), body
}

func (c *replica) doReplace(rnd *rand.Rand) {
	uid, seq := "", rnd.IntN(len(c.msgs))
	num := uint32(seq + 1)
	if c.notify == 2 || rnd.IntN(2) == 0 {
		uid, num = "UID ", c.msgs[seq].uid
	}
	literal, _ := c.text()
	to := pick(rnd, replicaNames)
	if rnd.IntN(2) == 0 {
		to = c.box
	}
	c.cmd("%sREPLACE %d %s (%s) %s", uid, num, to, strings.Join(someFlags(rnd), " "), literal)
	c.changed(to)
}

// doAppend appends one or more messages.
func (c *replica) doAppend(rnd *rand.Rand) {
	to := pick(rnd, replicaNames)
	var messages, bodies []string
	for range 1 + rnd.IntN(3)*rnd.IntN(2) {
		literal, body := c.text()
		flags := ""
		if rnd.IntN(2) == 0 {
			flags = "(" + strings.Join(someFlags(rnd), " ") + ") "
		}
		messages, bodies = append(messages, flags+literal), append(bodies, body)
	}
	tagged := c.cmd("APPEND %s %s", to, strings.Join(messages, " "))
	if m := codeLine.FindStringSubmatch(tagged); m != nil && m[1] == "APPENDUID" {
		words := strings.Fields(m[2])
		validity, _ := strconv.ParseUint(words[0], 10, 32)
		uids := numbersOf(words[1])
		if len(uids) != len(bodies) {
			c.fault("%d messages were appended: %s", len(bodies), tagged)
			return
		}
		for i, uid := range uids {
			c.w.is(uidKey{uint32(validity), uid}, bodies[i])
		}
	}
	c.changed(to)
}

// doIdle begins IDLE; the steps that follow listen, or end it.
func (c *replica) doIdle(_ *rand.Rand) {
	if c.learn(); c.conn == nil {
		return
	}
	c.conn.tag++
	tag := fmt.Sprintf("i%d", c.conn.tag)
	c.w.note("%d > %s IDLE", c.n, tag)
	if _, err := fmt.Fprintf(c.conn.c, "%s IDLE\r\n", tag); err != nil {
		c.lost(err)
		return
	}
	c.idle = tag
	for {
		l, err := c.line()
		if err != nil {
			c.lost(err)
			return
		}
		if strings.HasPrefix(l, "+ ") {
			return
		}
		c.apply(l)
	}
}

// doOpen goes to another mailbox, or to the same again.
func (c *replica) doOpen(rnd *rand.Rand) {
	name := pick(rnd, replicaNames)
	if c.box != "" && rnd.IntN(2) == 0 {
		name = c.box
	}
	c.open(name, pick(rnd, []string{"SELECT", "SELECT", "SELECT", "EXAMINE"}), rnd)
}

func (c *replica) doClose(rnd *rand.Rand) {
	verb := "UNSELECT"
	if c.readOnly || rnd.IntN(2) == 0 {
		verb = "CLOSE"
	}
	if strings.HasPrefix(c.cmd("%s", verb), "OK") {
		c.forget()
	}
}

// doNames creates, deletes and renames.
func (c *replica) doNames(rnd *rand.Rand) {
	names := []string{"A", "B", "C"}
	from, to := pick(rnd, names), pick(rnd, names)
	switch roll := rnd.IntN(8); {
	case roll < 3:
		c.cmd("CREATE %s", from)
	case roll < 4:
		c.w.files.Lock()
		c.w.deletes.Add(1)
		c.cmd("DELETE %s", from)
		c.w.files.Unlock()
	default:
		c.w.files.Lock()
		if strings.HasPrefix(c.cmd("RENAME %s %s", from, to), "OK") && c.box == from {
			c.box = to
		}
		c.w.files.Unlock()
		c.changed(to)
	}
	c.changed(from)
}

// doLeave goes away in one way or another, perhaps in the middle of a command.
func (c *replica) doLeave(rnd *rand.Rand) {
	last := ""
	switch rnd.IntN(5) {
	case 0:
		if c.cmd("LOGOUT"); c.conn == nil {
			return
		}
	case 1:
		last = "z NOOP"
	case 2:
		if len(c.msgs) > 0 && !c.readOnly {
			uid, set, _ := c.someSet(rnd)
			last = fmt.Sprintf("z %sSTORE %s +FLAGS.SILENT (%s)\r\nz2 EXPUNGE\r\n", uid, set, strings.Join(someFlags(rnd), " "))
		}
	case 3:
		if len(c.msgs) > 0 {
			uid, set, _ := c.someSet(rnd)
			last = fmt.Sprintf("z %sMOVE %s %s\r\n", uid, set, pick(rnd, replicaNames))
		}
	}
	if c.notify > 0 {
		c.drain(0)
	}
	if c.conn == nil {
		return
	}
	c.w.note("%d > %s and away", c.n, last)
	fmt.Fprint(c.conn.c, last)
	c.conn.c.Close()
	c.conn = nil
	c.forget()
}
