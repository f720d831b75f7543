package imap

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// replica is a client that knows mailboxes from responses alone.
type replica struct {
	w *world
	n int

	// What kind of client it is.
	qresync, condstore bool
	rev2, compress     bool
	eager              bool // takes the highest MODSEQ of FETCH responses for HIGHESTMODSEQ where the server names none (RFC 7162 §3.2)
	notify             int  // 0: without NOTIFY, 1: with SELECTED-DELAYED, 2: with SELECTED

	conn  *testClient // nil: not connected
	epoch int64       // the server it is connected to
	bye   string      // what the server said last
	idle  string      // the tag of IDLE
	run   *running    // the command that runs

	box      string // the selected mailbox, "" none
	readOnly bool
	validity uint32
	msgs     []kept // by sequence number
	keywords string // of the last FLAGS response
	highest  uint64 // HIGHESTMODSEQ of what is known
	coded    uint64 // HIGHESTMODSEQ as named since the last command ended, 0: it was not
	fetched  uint64 // the highest MODSEQ of FETCH responses since then

	followed []*followed // searches of the selected mailbox

	away   map[string]offline           // what was known of mailboxes when all of it was known
	status map[string]map[string]uint64 // of NOTIFY
	dirty  map[string]bool              // mailboxes whose STATUS the client has to ask for, because its own changes are not told
}

// kept is what a client knows of a message.
type kept struct {
	uid    uint32 // 0: not told yet
	flags  string // sorted
	told   bool   // flags are known
	modseq uint64 // 0: not told
}

// offline is what a client has on its disk of a mailbox.
type offline struct {
	validity uint32
	highest  uint64
	msgs     []kept
}

// running is a command whose answer is being read.
type running struct {
	word     string // "STORE" also of UID STORE
	numbered bool   // no EXPUNGE may come (RFC 9051 §7.5.1)

	// Of SELECT.
	selecting bool   // the responses are about the new mailbox
	vanished  uidSet // EARLIER

	// Of STORE.
	op     string // +FLAGS, -FLAGS, FLAGS
	silent bool
	flags  []string
	first  map[uint32]string // flags as first answered

	changed map[uint32]bool // messages whose flags are told meanwhile, of UID EXPUNGE

	since uint64 // of CHANGEDSINCE: what is fetched has a higher MODSEQ

	tag    string
	found  []uint32  // by SEARCH or SORT
	follow *followed // what the command begins to follow
}

func newReplica(w *world, n int) *replica {
	c := &replica{w: w, n: n, away: map[string]offline{}}
	r := w.rnd
	switch kind := r.IntN(6); {
	case n == 0 || kind < 3 && n > 2:
		c.qresync = true
	case n == 1 || kind < 4 && n > 2:
	case kind < 5:
		c.condstore = true
	default:
		c.qresync = r.IntN(2) == 0
	}
	if n == 2 || n > 2 && r.IntN(4) == 0 {
		c.notify = 1 + r.IntN(2)
	}
	c.condstore = c.condstore || c.qresync
	c.eager, c.rev2, c.compress = r.IntN(2) == 0, r.IntN(3) == 0, r.IntN(4) == 0
	w.note("client %d: qresync %v condstore %v rev2 %v compress %v eager %v notify %d", n, c.qresync, c.condstore, c.rev2, c.compress, c.eager, c.notify)
	return c
}

// fault says that the server did wrong.
func (c *replica) fault(format string, args ...any) {
	c.w.fault("client %d: %s", c.n, fmt.Sprintf(format, args...))
}

// ready connects, and ends IDLE; false when there is no server.
func (c *replica) ready() bool {
	if c.conn != nil {
		c.endIdle()
		return c.conn != nil
	}
	c.w.serving.RLock()
	c.epoch = c.w.epoch.Load()
	conn, err := dialServer(c.w.ts)
	c.w.serving.RUnlock()
	if err != nil {
		c.w.note("client %d: %v", c.n, err)
		return false
	}
	c.conn, c.bye = conn, ""
	c.status, c.dirty = map[string]map[string]uint64{}, map[string]bool{}
	if _, err := c.line(); err != nil {
		c.lost(err)
		return false
	}
	c.cmd("LOGIN user secret")
	enable := ""
	if c.qresync {
		enable += " QRESYNC"
	} else if c.condstore {
		enable += " CONDSTORE"
	}
	if c.rev2 {
		enable += " IMAP4rev2"
	}
	if enable != "" {
		c.cmd("ENABLE%s", enable)
	}
	if c.compress && c.conn != nil {
		if c.cmd("COMPRESS DEFLATE"); c.conn != nil {
			c.conn.upgrade(newDeflateConn(c.conn.c))
		}
	}
	if c.notify > 0 {
		c.cmd("NOTIFY SET STATUS (%s (MessageNew (UID FLAGS) MessageExpunge FlagChange)) (PERSONAL (MessageNew MessageExpunge FlagChange MailboxName))",
			[]string{"", "SELECTED-DELAYED", "SELECTED"}[c.notify])
	}
	return c.conn != nil
}

// lost is called when the connection has failed: that is right only if the server ended, or the selected mailbox.
func (c *replica) lost(err error) {
	c.w.note("client %d: connection lost: %v", c.n, err)
	c.conn.c.Close()
	c.conn, c.idle = nil, ""
	c.forget()
	c.w.serving.RLock() // a server that is on its way down has made room for the next one
	defer c.w.serving.RUnlock()
	if c.epoch != c.w.epoch.Load() || strings.Contains(c.bye, "was deleted") && c.w.deletes.Load() > 0 {
		return
	}
	c.fault("connection lost: %v, after %q", err, c.bye)
}

// line reads a response.
func (c *replica) line() (string, error) {
	l, err := c.conn.readLine()
	if err == nil {
		c.w.note("%d < %s", c.n, l)
	}
	return l, err
}

// cmd runs a command and applies all that is said meanwhile. It returns the tagged response, "" when the connection was lost.
func (c *replica) cmd(format string, args ...any) string {
	return c.command(&running{}, format, args...)
}

// command is cmd for who looks at what run has afterwards.
func (c *replica) command(run *running, format string, args ...any) string {
	if c.conn == nil || c.idle != "" {
		return ""
	}
	text := fmt.Sprintf(format, args...)
	words := strings.Fields(text)
	run.word = words[0]
	if run.word == "UID" {
		run.word = words[1]
	} else {
		run.numbered = run.word == "FETCH" || run.word == "STORE" || run.word == "SEARCH"
	}
	run.selecting = (run.word == "SELECT" || run.word == "EXAMINE") && c.box == ""
	run.first = map[uint32]string{}
	c.run = run
	defer func() { c.run = nil }()
	if n := c.conn.r.Buffered(); c.notify == 0 && n > 0 {
		if b, _ := c.conn.r.Peek(n); !strings.HasPrefix(string(b), "* BYE ") {
			c.fault("%q is said and was not asked for", b)
		}
	}
	c.conn.tag++
	tag := fmt.Sprintf("c%d", c.conn.tag)
	run.tag = tag
	if run.follow != nil {
		run.follow.tag = tag
		c.followed = append(c.followed, run.follow)
	}
	c.w.note("%d > %s %s", c.n, tag, text)
	if _, err := fmt.Fprintf(c.conn.c, "%s %s\r\n", tag, text); err != nil {
		c.drain(time.Second) // BYE perhaps
		if c.conn != nil {
			c.lost(err)
		}
		return ""
	}
	tagged, ok := c.answers(tag)
	if !ok {
		return ""
	}
	if strings.HasPrefix(tagged, "BAD") {
		c.fault("%s: %s", text, tagged)
	}
	if strings.HasPrefix(tagged, "NO [SERVERBUG]") {
		c.fault("%s: %s", text, tagged)
	}
	return tagged
}

// answers applies responses up to the tagged one.
func (c *replica) answers(tag string) (string, bool) {
	for {
		l, err := c.line()
		if err != nil {
			c.lost(err)
			return "", false
		}
		if tagged, ok := strings.CutPrefix(l, tag+" "); ok {
			c.note(tagged)
			if c.run != nil && c.run.selecting {
				return tagged, true // open sees to it
			}
			if c.coded > 0 {
				c.highest = c.coded
			} else if c.eager {
				c.highest = max(c.highest, c.fetched)
			}
			c.coded, c.fetched = 0, 0
			return tagged, true
		}
		c.apply(l)
	}
}

// drain applies what comes without being asked for, until nothing comes for some time.
func (c *replica) drain(d time.Duration) {
	for c.conn != nil && !c.compress { // a decompressor does not survive a timeout
		c.conn.c.SetReadDeadline(time.Now().Add(d))
		if _, err := c.conn.r.Peek(1); err != nil {
			if !strings.Contains(err.Error(), "timeout") {
				c.lost(err)
			}
			return
		}
		l, err := c.line()
		if err != nil {
			c.lost(err)
			return
		}
		c.apply(l)
	}
}

// endIdle ends IDLE.
func (c *replica) endIdle() {
	if c.conn == nil || c.idle == "" {
		return
	}
	tag := c.idle
	c.idle = ""
	c.w.note("%d > DONE", c.n)
	if _, err := fmt.Fprint(c.conn.c, "DONE\r\n"); err != nil {
		c.lost(err)
		return
	}
	c.run = &running{word: "IDLE"}
	c.answers(tag)
	c.run = nil
	c.learn()
}

var codeLine = regexp.MustCompile(`\[(UIDVALIDITY|HIGHESTMODSEQ|COPYUID|APPENDUID|CLOSED)( [0-9:, ]+)?\]`)

// note takes in a response code.
func (c *replica) note(line string) {
	m := codeLine.FindStringSubmatch(line)
	if m == nil {
		return
	}
	num := func(s string) uint64 {
		n, _ := strconv.ParseUint(strings.TrimSpace(s), 10, 64)
		return n
	}
	words := strings.Fields(m[2])
	switch m[1] {
	case "CLOSED":
		c.forget()
		if c.run != nil && (c.run.word == "SELECT" || c.run.word == "EXAMINE") {
			c.run.selecting = true
		}
	case "UIDVALIDITY":
		c.validity = uint32(num(m[2]))
	case "HIGHESTMODSEQ":
		c.coded = num(m[2])
	case "COPYUID":
		from, to := numbersOf(words[1]), numbersOf(words[2])
		if len(from) != len(to) {
			c.fault("%s", line)
			return
		}
		for i := range from {
			if body := c.w.bodyOf(uidKey{c.validity, from[i]}); body != "" {
				c.w.is(uidKey{uint32(num(words[0])), to[i]}, body)
			}
		}
	}
}

// forget is what a client does when nothing is selected any more.
func (c *replica) forget() {
	if c.box != "" && c.notify > 0 {
		c.dirty[c.box] = true
	}
	c.box, c.validity, c.msgs, c.keywords, c.highest, c.coded, c.fetched = "", 0, nil, "", 0, 0, 0
	c.followed = nil
}

// numbersOf lists the numbers of a set.
func numbersOf(set string) (nums []uint32) {
	for part := range strings.SplitSeq(set, ",") {
		var a, b uint32
		if n, _ := fmt.Sscanf(part, "%d:%d", &a, &b); n < 2 {
			b = a
		}
		for a, b = min(a, b), max(a, b); a <= b; a++ {
			nums = append(nums, a)
		}
	}
	return nums
}

var (
	numberedLine = regexp.MustCompile(`(?s)^\* (\d+) (EXISTS|EXPUNGE|RECENT|FETCH)(?: \((.*)\))?$`)
	fetchUID     = regexp.MustCompile(`\bUID (\d+)`)
	fetchFlags   = regexp.MustCompile(`FLAGS \(([^)]*)\)`)
	statusLine   = regexp.MustCompile(`^\* STATUS "?([^" ]+)"? \((.*)\)$`)
	listLine     = regexp.MustCompile(`^\* LIST \(([^)]*)\) "/" "?([^" ]+)"?(?: \("OLDNAME" \("?([^" )]+)"?\)\))?`)
	foundLine    = regexp.MustCompile(`^\* (?:SEARCH|SORT)([0-9 ]*)`)
	flagsLine    = regexp.MustCompile(`^\* FLAGS \((.*)\)$`)
)

// apply does to the replica what a response says, if it may say that now.
func (c *replica) apply(line string) {
	if text, ok := strings.CutPrefix(line, "* BYE "); ok {
		c.bye = text
		return
	}
	if strings.HasPrefix(line, "* OK ") || strings.HasPrefix(line, "* NO ") {
		c.note(line)
		if m := noUpdate.FindStringSubmatch(line); m != nil {
			c.unfollow(m[1])
		}
		return
	}
	if strings.HasPrefix(line, "* ESEARCH ") {
		c.applySearch(line)
		return
	}
	if set, ok := strings.CutPrefix(line, "* VANISHED "); ok {
		c.vanished(line, set)
		return
	}
	if m := numberedLine.FindStringSubmatch(line); m != nil {
		n, _ := strconv.Atoi(m[1])
		switch m[2] {
		case "EXISTS":
			if n < len(c.msgs) {
				c.fault("%s, but it has %d", line, len(c.msgs))
				return
			}
			c.msgs = append(c.msgs, make([]kept, n-len(c.msgs))...)
		case "EXPUNGE":
			if c.qresync {
				c.fault("%s with QRESYNC", line)
			}
			if c.mayExpunge(line); n < 1 || n > len(c.msgs) {
				c.fault("%s, but it has %d", line, len(c.msgs))
				return
			}
			c.expunged(line, n-1)
		case "FETCH":
			c.applyFetch(line, n, m[3])
		}
		return
	}
	if m := flagsLine.FindStringSubmatch(line); m != nil {
		c.keywords = " " + m[1] + " "
	} else if m := statusLine.FindStringSubmatch(line); m != nil {
		st := c.status[m[1]]
		if st == nil {
			st = map[string]uint64{}
			c.status[m[1]] = st
		}
		for pair := range slices.Chunk(strings.Fields(m[2]), 2) {
			st[pair[0]], _ = strconv.ParseUint(pair[1], 10, 64)
		}
	} else if m := listLine.FindStringSubmatch(line); m != nil && c.notify > 0 {
		if strings.Contains(m[1], `\NonExistent`) {
			delete(c.status, m[2])
		} else {
			c.dirty[m[2]] = true
		}
		if delete(c.status, m[3]); m[3] != "" && m[3] == c.box {
			c.box = m[2]
		}
	} else if m := foundLine.FindStringSubmatch(line); m != nil && c.run != nil {
		for word := range strings.FieldsSeq(m[1]) {
			n, _ := strconv.ParseUint(word, 10, 32)
			c.run.found = append(c.run.found, uint32(n))
		}
	}
}

// mayExpunge checks that an EXPUNGE or VANISHED may come now (RFC 9051 §7.5.1).
func (c *replica) mayExpunge(line string) {
	switch {
	case c.run != nil && c.run.numbered:
		c.fault("%s during %s", line, c.run.word)
	case c.run == nil && c.idle == "" && c.notify != 2 && c.bye == "":
		c.fault("%s while no command runs", line)
	case c.box == "":
		c.fault("%s, but nothing is selected", line)
	}
}

// vanished applies VANISHED (RFC 7162 §3.2.10).
func (c *replica) vanished(line, set string) {
	if !c.qresync {
		c.fault("%s without QRESYNC", line)
	}
	if earlier, ok := strings.CutPrefix(set, "(EARLIER) "); ok {
		if c.run == nil || !c.run.selecting && c.run.word != "FETCH" {
			c.fault("%s, which was not asked for", line)
			return
		}
		uids := savedSet(numbersOf(earlier))
		c.run.vanished = append(c.run.vanished, uids...)
		for _, m := range c.msgs {
			if m.uid != 0 && uids.has(m.uid) {
				c.fault("%s, but UID %d is there", line, m.uid)
			}
		}
		return
	}
	c.mayExpunge(line)
	for _, uid := range numbersOf(set) {
		i := c.place(uid)
		if i < 0 {
			c.fault("%s, but it has no %d", line, uid)
			return
		}
		c.expunged(line, i)
	}
}

// place finds a message by UID, or, when the client has not asked for its UID yet, the place where it must be.
func (c *replica) place(uid uint32) int {
	for i, m := range c.msgs {
		if m.uid == uid || m.uid == 0 && !slices.ContainsFunc(c.msgs[i:], func(m kept) bool { return m.uid != 0 && m.uid <= uid }) {
			return i
		}
	}
	return -1
}

// applyFetch applies a FETCH response.
func (c *replica) applyFetch(line string, n int, items string) {
	if n < 1 || n > len(c.msgs) {
		c.fault("%s, but it has %d", line, len(c.msgs))
		return
	}
	msg := &c.msgs[n-1]
	uid, flags, modseq := fetchUID.FindStringSubmatch(items), fetchFlags.FindStringSubmatch(items), fetchModSeq.FindStringSubmatch(items)
	if uid != nil {
		u, _ := strconv.ParseUint(uid[1], 10, 32)
		if msg.uid != 0 && msg.uid != uint32(u) {
			c.fault("%s, but it was UID %d", line, msg.uid)
		}
		msg.uid = uint32(u)
		for i, other := range c.msgs {
			if other.uid != 0 && (i < n-1 && other.uid >= msg.uid || i > n-1 && other.uid <= msg.uid) {
				c.fault("%s, but %d is UID %d", line, i+1, other.uid)
			}
		}
	}
	word := ""
	if c.run != nil {
		word = c.run.word
	}
	if flags != nil && word != "FETCH" {
		if c.condstore && modseq == nil { // RFC 7162 §3.1
			c.fault("%s without MODSEQ", line)
		}
		if c.qresync && uid == nil && word != "STORE" {
			c.fault("%s without UID", line)
		}
	}
	if modseq != nil {
		at, _ := strconv.ParseUint(modseq[1], 10, 64)
		if at < msg.modseq {
			c.fault("%s, but the MODSEQ was %d", line, msg.modseq)
		}
		if word == "FETCH" && at <= c.run.since {
			c.fault("%s is no change since %d", line, c.run.since)
		}
		msg.modseq = at
		c.fetched = max(c.fetched, at)
		if !c.condstore {
			c.fault("%s without CONDSTORE", line)
		}
	}
	if flags != nil {
		msg.flags, msg.told = sortedFlags(flags[1]), true
		if c.run != nil && c.run.changed != nil {
			c.run.changed[msg.uid] = true
		}
		for f := range strings.FieldsSeq(msg.flags) {
			if !strings.Contains(c.keywords, " "+f+" ") {
				c.fault("%s, but the flags are %s", line, c.keywords)
			}
		}
		if modseq != nil && msg.uid != 0 {
			c.w.had(uidKey{c.validity, msg.uid}, msg.modseq, msg.flags)
		}
		if word == "STORE" && c.run.first[msg.uid] == "" {
			c.run.first[msg.uid] = "(" + msg.flags + ")"
		}
	} else if word == "STORE" && modseq != nil && c.run.silent {
		msg.flags = c.run.store(msg.flags)
		c.run.first[msg.uid] = "(" + msg.flags + ")"
		if msg.told {
			c.w.had(uidKey{c.validity, msg.uid}, msg.modseq, msg.flags)
		}
	}
	if _, text, ok := strings.Cut(items, "Subject: "); ok && msg.uid != 0 {
		c.w.is(uidKey{c.validity, msg.uid}, subjectOf("Subject: "+text))
	}
}

// store is what a STORE makes of flags.
func (r *running) store(flags string) string {
	have := strings.Fields(flags)
	switch r.op {
	case "FLAGS":
		have = nil
	case "-FLAGS":
		have = slices.DeleteFunc(have, func(f string) bool { return slices.Contains(r.flags, f) })
	}
	if r.op != "-FLAGS" {
		have = append(have, r.flags...)
	}
	return sortedFlags(strings.Join(have, " "))
}

// sortedFlags is a list of flags as replicas keep it.
func sortedFlags(list string) string {
	words := slices.DeleteFunc(strings.Fields(list), func(w string) bool { return w == `\Recent` })
	slices.Sort(words)
	return strings.Join(slices.Compact(words), " ")
}

// learn asks about messages of which only EXISTS is known, until there are none, and about mailboxes.
func (c *replica) learn() {
	for range 200 {
		if c.conn == nil || c.idle != "" {
			return
		}
		if len(c.dirty) > 0 {
			for name := range c.dirty {
				delete(c.dirty, name)
				delete(c.status, name)
				c.cmd("STATUS %s (MESSAGES UIDNEXT UNSEEN UIDVALIDITY)", name)
				break
			}
			continue
		}
		i := slices.IndexFunc(c.msgs, func(m kept) bool { return m.uid == 0 || !m.told })
		if c.box == "" || i < 0 {
			c.keep()
			return
		}
		items := "UID FLAGS"
		if c.condstore {
			items += " MODSEQ"
		}
		if c.w.serial.Add(1)%4 == 0 {
			items += " BODY.PEEK[HEADER.FIELDS (SUBJECT)]"
		}
		var tagged string
		if c.notify == 2 { // numbers change at any time
			from := uint32(0)
			if i > 0 {
				from = c.msgs[i-1].uid
			}
			tagged = c.cmd("UID FETCH %d:* (%s)", from+1, items)
		} else {
			tagged = c.cmd("FETCH %d:* (%s)", i+1, items)
		}
		if !strings.HasPrefix(tagged, "OK") || c.notify == 2 {
			c.cmd("NOOP") // some were removed
		}
	}
	c.fault("cannot find out about its messages")
}

// keep writes down what is known of the selected mailbox, all of it.
func (c *replica) keep() {
	if c.box != "" && c.conn != nil {
		c.away[c.box] = offline{c.validity, c.highest, slices.Clone(c.msgs)}
	}
}

// open selects a mailbox and finds out what is in it.
func (c *replica) open(name, verb string, rnd *rand.Rand) bool {
	known, ok := c.away[name]
	param, all := "", true
	if c.qresync && ok && known.highest > 0 && len(known.msgs) > 0 && rnd.IntN(8) > 0 {
		param, all = c.qresyncParam(&known, rnd)
	} else {
		ok = false
		if c.condstore && !c.qresync && rnd.IntN(2) == 0 {
			param = " (CONDSTORE)"
		}
	}
	run := &running{}
	tagged := c.command(run, "%s %s%s", verb, name, param)
	if !strings.HasPrefix(tagged, "OK") {
		c.forget()
		return false
	}
	c.box, c.readOnly = name, strings.Contains(tagged, "READ-ONLY")
	if c.highest = c.coded; c.highest == 0 {
		c.fault("SELECT without HIGHESTMODSEQ")
	}
	c.coded, c.fetched = 0, 0
	if c.readOnly && verb == "SELECT" {
		c.fault("%s", tagged)
	}
	if param != "" && ok && known.validity == c.validity {
		c.merge(&known, run.vanished, all)
	}
	if c.condstore && !c.qresync {
		c.catchUp(name)
	}
	c.learn()
	return c.conn != nil && c.box != ""
}

// qresyncParam is the parameter with which a client comes back (RFC 7162 §3.2.5); all tells whether new messages are told as well.
func (c *replica) qresyncParam(known *offline, rnd *rand.Rand) (param string, all bool) {
	param, all = fmt.Sprintf("%d %d", known.validity, known.highest), true
	var uids []uint32
	for _, m := range known.msgs {
		uids = append(uids, m.uid)
	}
	if rnd.IntN(2) == 0 {
		all = false
		if rnd.IntN(2) == 0 {
			param += fmt.Sprintf(" 1:%d", uids[len(uids)-1])
		} else {
			param += " " + setOf(uids)
		}
	}
	if rnd.IntN(3) == 0 {
		var seqs, match []uint32
		for i := rnd.IntN(len(uids)); i < len(uids); i += 1 + rnd.IntN(5) {
			seqs, match = append(seqs, uint32(i+1)), append(match, uids[i])
		}
		if all { // the match data come behind the known UIDs
			all = false
			param += fmt.Sprintf(" 1:%d", uids[len(uids)-1])
		}
		param += fmt.Sprintf(" (%s %s)", setOf(seqs), setOf(match))
	}
	return " (QRESYNC (" + param + "))", all
}

// setOf writes a set.
func setOf(nums []uint32) string {
	var b strings.Builder
	for i, r := range savedSet(nums) {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprint(&b, r.first)
		if r.last > r.first {
			fmt.Fprintf(&b, ":%d", r.last)
		}
	}
	return b.String()
}

// merge makes one of what the client had and what SELECT said.
func (c *replica) merge(known *offline, vanished uidSet, all bool) {
	byUID := map[uint32]kept{}
	for _, m := range known.msgs {
		if !vanished.has(m.uid) {
			byUID[m.uid] = m
		}
	}
	exists := len(c.msgs)
	for _, m := range c.msgs {
		if m.uid == 0 {
			continue
		}
		if vanished.has(m.uid) {
			c.fault("UID %d has vanished and changed", m.uid)
		}
		byUID[m.uid] = m
	}
	if len(byUID) > exists || all && len(byUID) != exists {
		c.fault("%d messages after coming back with HIGHESTMODSEQ %d, the server has %d; it had %v, vanished %v", len(byUID), known.highest, exists, known.msgs, vanished)
		return
	}
	told := c.msgs
	c.msgs = make([]kept, exists)
	i := 0
	for _, uid := range sortedUIDs(byUID) {
		c.msgs[i] = byUID[uid]
		i++
	}
	for i, m := range told {
		if m.uid != 0 && c.msgs[i].uid != m.uid {
			c.fault("%d is UID %d to the server, UID %d to who came back", i+1, m.uid, c.msgs[i].uid)
		}
	}
}

func sortedUIDs(m map[uint32]kept) (uids []uint32) {
	for uid := range m {
		uids = append(uids, uid)
	}
	slices.Sort(uids)
	return uids
}

// catchUp is how a client with CONDSTORE alone comes back: it asks what there is and what changed (RFC 7162 §6).
func (c *replica) catchUp(name string) {
	known, ok := c.away[name]
	if !ok || known.validity != c.validity || known.highest == 0 || len(c.msgs) == 0 {
		return
	}
	if c.cmd("UID FETCH 1:* (UID)") == "" || c.box == "" || len(c.msgs) == 0 {
		return
	}
	tagged := c.command(&running{since: known.highest}, "UID FETCH 1:* (FLAGS) (CHANGEDSINCE %d)", known.highest)
	if !strings.HasPrefix(tagged, "OK") {
		return
	}
	for _, m := range known.msgs {
		if i := slices.IndexFunc(c.msgs, func(k kept) bool { return k.uid == m.uid }); i >= 0 && !c.msgs[i].told {
			c.msgs[i] = m
		}
	}
}
