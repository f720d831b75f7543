package imap

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var (
	modelSteps = flag.Int("model.steps", 150, "how many commands the model test sends on each connection")
	modelSeed  = flag.Uint64("model.seed", 1, "what it begins with")
)

// TestModel sends random commands in every spelling the grammar has over a socket, and knows from a model of the mailboxes, which has neither
// files nor sessions, what each of them has to answer and what is there afterwards.
func TestModel(t *testing.T) {
	t.Parallel()
	steps := *modelSteps
	if *long {
		steps *= 40
	}
	for i := range uint64(3) {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			ts := newTestServer(t, nil)
			m := &model{testClient: ts.login(), rnd: rand.New(rand.NewPCG(*modelSeed, i))}
			m.boxes = map[string]*modelBox{"INBOX": {next: 1}, "Söme box": {next: 1}}
			m.ok("CREATE \"S&APY-me box\"")
			m.open()
			for range steps {
				if m.step(); t.Failed() {
					return
				}
			}
			for range m.boxes {
				m.open()
				m.compare("in the end")
			}
		})
	}
}

// model is a client that knows what a server has to say.
type model struct {
	*testClient
	rnd   *rand.Rand
	boxes map[string]*modelBox
	name  string    // of the selected mailbox
	box   *modelBox // the selected mailbox
	count int       // of messages made
	last  string    // what was sent last
}

type modelBox struct {
	next int // UID
	msgs []*modelMessage
}

type modelMessage struct {
	uid   int
	flags map[string]bool
	body  string
}

var modelFlags = []string{`\Seen`, `\Flagged`, `\Answered`, `\Draft`, `\Deleted`, "$Label1", "work"}

// wireName is how the name of a mailbox is sent.
func wireName(name string) string { return strings.ReplaceAll(name, "ö", "&APY-") }

// word spells a keyword of the grammar.
func (m *model) word(s string) string {
	switch m.rnd.IntN(3) {
	case 0:
		return strings.ToLower(s)
	case 1:
		b := []byte(s)
		for i := range b {
			if m.rnd.IntN(2) == 0 {
				b[i] = strings.ToLower(s)[i]
			}
		}
		return string(b)
	}
	return s
}

// literal spells a literal.
func (m *model) literal(s string) string {
	return fmt.Sprintf("{%d%s}\r\n%s", len(s), []string{"", "+"}[m.rnd.IntN(2)], s)
}

// astring spells a string.
func (m *model) astring(s string) string {
	switch m.rnd.IntN(3) {
	case 0:
		if s != "" && !strings.ContainsAny(s, " (){%*\"\\]") {
			return s
		}
	case 1:
		return m.literal(s)
	}
	return `"` + s + `"`
}

// flagList spells flags and tells which.
func (m *model) flagList() (string, []string) {
	var set []string
	for _, f := range modelFlags {
		if m.rnd.IntN(4) == 0 {
			set = append(set, f)
		}
	}
	return "(" + strings.Join(set, " ") + ")", set
}

// set spells a set of sequence numbers or UIDs that has at least one message, and tells which. There has to be one.
func (m *model) set(byUID bool) (string, map[*modelMessage]bool) {
	msgs := m.box.msgs
	top := len(msgs)
	if byUID {
		top = msgs[len(msgs)-1].uid
	}
	in := map[*modelMessage]bool{}
	var parts []string
	number := func() (string, int) {
		if m.rnd.IntN(6) == 0 {
			return "*", top
		}
		n := 1 + m.rnd.IntN(top)
		return fmt.Sprint(n), n
	}
	add := func(from, to int) {
		for i, msg := range msgs {
			n := i + 1
			if byUID {
				n = msg.uid
			}
			if n >= min(from, to) && n <= max(from, to) {
				in[msg] = true
			}
		}
	}
	for range 1 + m.rnd.IntN(4) {
		text, n := number()
		if m.rnd.IntN(3) == 0 {
			other, k := number()
			text += ":" + other
			add(n, k)
		} else {
			add(n, n)
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ","), in
}

// run sends a command, waits where a literal has to be asked for, and wants a tagged OK.
func (m *model) run(command string) []string {
	m.t.Helper()
	m.last = command
	m.tag++
	tag := fmt.Sprintf("M%d", m.tag)
	text := tag + " " + command + "\r\n"
	var untagged []string
	for {
		at := syncLiteral.FindStringIndex(text)
		if at == nil {
			m.send(text)
			break
		}
		m.send(text[:at[1]])
		text = text[at[1]:]
		for {
			l := m.line()
			if strings.HasPrefix(l, "+ ") {
				break
			}
			if !strings.HasPrefix(l, "* ") {
				m.t.Fatalf("%q: %s", command, l)
			}
			untagged = append(untagged, l)
		}
	}
	for {
		l := m.line()
		if rest, ok := strings.CutPrefix(l, tag+" "); ok {
			if !strings.HasPrefix(rest, "OK ") {
				m.t.Fatalf("%q: %s", command, rest)
			}
			return untagged
		}
		untagged = append(untagged, l)
	}
}

var syncLiteral = regexp.MustCompile(`\{\d+\}\r\n`)

// open selects another mailbox.
func (m *model) open() {
	names := slices.Sorted(maps.Keys(m.boxes))
	for i, name := range names {
		if m.name == "" || m.name == name {
			m.name = names[(i+1)%len(names)]
			break
		}
	}
	m.box = m.boxes[m.name]
	m.run(m.word("SELECT") + " " + m.astring(wireName(m.name)))
}

// step is one command and a look at the mailbox.
func (m *model) step() {
	uid, byUID := "", m.rnd.IntN(2) == 0
	if byUID {
		uid = m.word("UID") + " "
	}
	op := m.rnd.IntN(12)
	switch {
	case len(m.box.msgs) == 0:
		op = 0
	case len(m.box.msgs) > 60: // copies of copies
		m.run("UID STORE 1:* +FLAGS.SILENT (\\Deleted)")
		m.run("EXPUNGE")
		m.box.msgs, op = nil, 0
	}
	switch op {
	case 0, 1:
		m.append()
	case 2, 3:
		m.store(uid, byUID)
	case 4, 5:
		m.fetch(uid, byUID)
	case 6, 7:
		m.search(uid, byUID)
	case 8:
		m.expunge(byUID)
	case 9, 10:
		m.transfer(uid, byUID)
	default:
		m.run(m.word([]string{"NOOP", "CHECK"}[m.rnd.IntN(2)]))
		if m.rnd.IntN(3) == 0 {
			m.open()
		}
	}
	m.compare(m.last)
}

func (b *modelBox) add(flags map[string]bool, body string) {
	b.msgs = append(b.msgs, &modelMessage{uid: b.next, flags: flags, body: body})
	b.next++
}

func flagSet(flags []string) map[string]bool {
	set := map[string]bool{}
	for _, f := range flags {
		set[f] = true
	}
	return set
}

func (m *model) append() {
	name := slices.Sorted(maps.Keys(m.boxes))[m.rnd.IntN(len(m.boxes))]
	command := m.word("APPEND") + " " + m.astring(wireName(name))
	for range 1 + m.rnd.IntN(2) {
		m.count++
		body := fmt.Sprintf("Subject: %s %d\r\nX-N: %d\r\n\r\n%s", oracleWords[m.rnd.IntN(2)*2], m.count, m.count,
			strings.Repeat(oracleWords[m.rnd.IntN(2)*5]+" lorem\r\n", m.rnd.IntN(20)))
		var flags []string
		if m.rnd.IntN(3) > 0 {
			var text string
			text, flags = m.flagList()
			command += " " + text
		}
		if m.rnd.IntN(3) == 0 {
			command += ` " 3-Feb-2024 04:05:06 +0100"`
		}
		command += " " + m.literal(body)
		m.boxes[name].add(flagSet(flags), body)
	}
	m.run(command)
	if m.boxes[name] != m.box {
		return
	}
	m.run("NOOP")
}

func (m *model) store(uid string, byUID bool) {
	set, in := m.set(byUID)
	op := []string{"FLAGS", "+FLAGS", "-FLAGS"}[m.rnd.IntN(3)]
	text, flags := m.flagList()
	if m.rnd.IntN(2) == 0 && len(flags) > 0 {
		text = strings.Trim(text, "()")
	}
	for msg := range in {
		if op == "FLAGS" {
			clear(msg.flags)
		}
		for _, f := range flags {
			if op == "-FLAGS" {
				delete(msg.flags, f)
			} else {
				msg.flags[f] = true
			}
		}
	}
	m.run(uid + m.word("STORE") + " " + set + " " + m.word(op+[]string{"", ".SILENT"}[m.rnd.IntN(2)]) + " " + text)
}

func (m *model) fetch(uid string, byUID bool) {
	set, in := m.set(byUID)
	peek := m.rnd.IntN(2) == 0
	item := []string{"BODY", "BODY.PEEK"}
	text := m.word(item[0])
	if peek {
		text = m.word(item[1])
	}
	text += "[]"
	from, n := 0, 1<<20
	if m.rnd.IntN(2) == 0 {
		from, n = m.rnd.IntN(300), 1+m.rnd.IntN(200)
		text += fmt.Sprintf("<%d.%d>", from, n)
	}
	got := map[int]string{}
	for _, l := range m.run(uid + m.word("FETCH") + " " + set + " (" + m.word("UID") + " " + text + ")") {
		if u := fetchUID.FindStringSubmatch(l); u != nil && strings.Contains(l, "BODY[]") {
			id, _ := strconv.Atoi(u[1])
			if _, data, ok := strings.Cut(l, "}\r\n"); ok {
				size, _ := strconv.Atoi(l[strings.LastIndexByte(l[:len(l)-len(data)-3], '{')+1 : len(l)-len(data)-3])
				got[id] = data[:size]
			} else if strings.Contains(l, `""`) {
				got[id] = ""
			}
		}
	}
	for _, msg := range m.box.msgs {
		body, told := got[msg.uid]
		want := msg.body[min(from, len(msg.body)):min(from+n, len(msg.body))]
		if told != in[msg] || told && body != want {
			m.t.Fatalf("%q: UID %d is told %v: %q instead of %q", m.last, msg.uid, told, body, want)
		}
		if told && !peek {
			msg.flags[`\Seen`] = true
		}
	}
}

// key spells a search key and tells whom it fits.
func (m *model) key(depth int) (string, func(*modelMessage) bool) {
	op := m.rnd.IntN(11)
	if depth == 0 {
		op = m.rnd.IntN(8)
	}
	switch op {
	case 0:
		return m.word("ALL"), func(*modelMessage) bool { return true }
	case 1, 2:
		flag := modelFlags[m.rnd.IntN(len(modelFlags))]
		text, not := "", m.rnd.IntN(2) == 0
		if un := []string{"", "UN"}[m.rnd.IntN(2)]; flag[0] == '\\' {
			text, not = m.word(un+strings.ToUpper(flag[1:])), un != ""
		} else {
			text, not = m.word(un+"KEYWORD")+" "+m.word(flag), un != ""
		}
		return text, func(msg *modelMessage) bool { return msg.flags[flag] != not }
	case 3:
		text, in := m.set(false)
		return text, func(msg *modelMessage) bool { return in[msg] }
	case 4:
		text, in := m.set(true)
		return m.word("UID") + " " + text, func(msg *modelMessage) bool { return in[msg] }
	case 5:
		n := m.rnd.IntN(400)
		if m.rnd.IntN(2) == 0 {
			return m.word("LARGER") + fmt.Sprint(" ", n), func(msg *modelMessage) bool { return len(msg.body) > n }
		}
		return m.word("SMALLER") + fmt.Sprint(" ", n), func(msg *modelMessage) bool { return len(msg.body) < n }
	case 6, 7:
		what := []string{"alpha", "invoice", "lunch", "LOREM", "1", "Subject"}[m.rnd.IntN(6)]
		where := []string{"SUBJECT", "BODY", "TEXT"}[m.rnd.IntN(3)]
		return m.word(where) + " " + m.astring(what), func(msg *modelMessage) bool {
			header, body, _ := strings.Cut(msg.body, "\r\n\r\n")
			in := msg.body
			switch where {
			case "SUBJECT":
				in, _, _ = strings.Cut(strings.TrimPrefix(header, "Subject: "), "\r\n")
			case "BODY":
				in = body
			}
			return strings.Contains(strings.ToLower(in), strings.ToLower(what))
		}
	case 8:
		text, fits := m.key(depth - 1)
		return m.word("NOT") + " " + text, func(msg *modelMessage) bool { return !fits(msg) }
	}
	a, fitsA := m.key(depth - 1)
	b, fitsB := m.key(depth - 1)
	if op == 9 {
		return m.word("OR") + " " + a + " " + b, func(msg *modelMessage) bool { return fitsA(msg) || fitsB(msg) }
	}
	return "(" + a + " " + b + ")", func(msg *modelMessage) bool { return fitsA(msg) && fitsB(msg) }
}

func (m *model) search(uid string, byUID bool) {
	text, fits := m.key(3)
	want := "* SEARCH"
	for i, msg := range m.box.msgs {
		if n := i + 1; fits(msg) {
			if byUID {
				n = msg.uid
			}
			want += fmt.Sprint(" ", n)
		}
	}
	if got := m.run(uid + m.word("SEARCH") + " " + text); !slices.Contains(got, want) {
		m.t.Fatalf("%q: %q, want %q", m.last, got, want)
	}
}

func (m *model) expunge(byUID bool) {
	in := map[*modelMessage]bool{}
	for _, msg := range m.box.msgs {
		in[msg] = true
	}
	command := m.word("EXPUNGE")
	if byUID {
		var set string
		set, in = m.set(true)
		command = m.word("UID EXPUNGE") + " " + set
	} else if m.rnd.IntN(3) == 0 {
		command = m.word("CLOSE")
	}
	m.box.msgs = slices.DeleteFunc(m.box.msgs, func(msg *modelMessage) bool { return in[msg] && msg.flags[`\Deleted`] })
	m.run(command)
	if strings.EqualFold(command, "CLOSE") {
		m.open()
	}
}

func (m *model) transfer(uid string, byUID bool) {
	set, in := m.set(byUID)
	name := slices.Sorted(maps.Keys(m.boxes))[m.rnd.IntN(len(m.boxes))]
	move := m.rnd.IntN(2) == 0
	for _, msg := range slices.Clone(m.box.msgs) {
		if in[msg] {
			m.boxes[name].add(maps.Clone(msg.flags), msg.body)
		}
	}
	command := "COPY"
	if move {
		command = "MOVE"
		m.box.msgs = slices.DeleteFunc(m.box.msgs, func(msg *modelMessage) bool { return in[msg] })
	}
	m.run(uid + m.word(command) + " " + set + " " + m.astring(wireName(name)))
}

// compare looks at the whole mailbox.
func (m *model) compare(after string) {
	var got, want []string
	for _, l := range m.ok("UID FETCH 1:* (UID FLAGS RFC822.SIZE)") {
		u, f := fetchUID.FindStringSubmatch(l), fetchFlags.FindStringSubmatch(l)
		if s := fetchSize.FindStringSubmatch(l); u != nil && f != nil && s != nil {
			words := slices.DeleteFunc(strings.Fields(f[1]), func(w string) bool { return w == `\Recent` })
			slices.Sort(words)
			got = append(got, fmt.Sprintf("%s %v %s", u[1], words, s[1]))
		}
	}
	for _, msg := range m.box.msgs {
		want = append(want, fmt.Sprintf("%d %v %d", msg.uid, slices.Sorted(maps.Keys(msg.flags)), len(msg.body)))
	}
	if !slices.Equal(got, want) {
		m.t.Fatalf("after %.300q %s has\n%q and should have\n%q", after, m.name, got, want)
	}
}

var fetchSize = regexp.MustCompile(`RFC822\.SIZE (\d+)`)
