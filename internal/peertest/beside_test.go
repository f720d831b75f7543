package peertest

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// besideBoxes are the mailboxes that everybody works on.
var besideBoxes = []string{"INBOX", "Work.Deep", "B&APw-ro"}

const (
	besideActors = 3  // on each server
	besideRounds = 4  // each ends with a checkpoint
	besideSteps  = 25 // of each actor in a round
)

// TestBesideDovecot has clients of both servers change the same mailboxes at random, at the same time. Whoever made a message is the only one
// to remove it, and each client has a keyword of its own; so it is known what must be there whenever all of them pause. At these checkpoints
// both servers must tell new and old sessions the same, which must be what was acknowledged, and no UID may ever mean another message.
func TestBesideDovecot(t *testing.T) {
	d := newDovecot(t)
	first := d.client("dovecot")
	for _, box := range besideBoxes[1:] {
		first.must(t, "CREATE "+box)
	}
	seen := map[uid]string{}
	r := d.roost()
	var actors []*actor
	for i := range besideActors {
		actors = append(actors, newActor(i, r.client(fmt.Sprintf("roost%d", i))), newActor(i+besideActors, d.client(fmt.Sprintf("dovecot%d", i))))
	}
	for round := range besideRounds {
		var wg sync.WaitGroup
		for _, a := range actors {
			wg.Go(func() {
				for range besideSteps {
					if a.err = a.step(); a.err != nil {
						return
					}
				}
			})
		}
		wg.Wait()
		for _, a := range actors {
			if a.err != nil {
				t.Errorf("round %d: %v", round, a.err)
			}
		}
		if t.Failed() {
			return
		}
		checkpoint(t, r, d, actors, seen)
		if t.Failed() {
			for _, box := range besideBoxes {
				t.Log(d.files(box))
			}
			for _, a := range actors {
				t.Logf("%s did:\n%s", a.c.name, strings.Join(a.history, "\n"))
			}
			t.Fatalf("after round %d", round)
		}
	}
	for _, a := range actors {
		a.c.logout(t)
	}
	t.Logf("%d messages in all", len(seen))
}

// checkpoint compares what the servers say with each other, and with what their clients were told.
func checkpoint(t *testing.T, r *roost, d *dovecot, actors []*actor, seen map[uid]string) {
	t.Helper()
	for _, a := range actors {
		a.c.must(t, "NOOP")
	}
	ours, theirs := r.client("roost"), d.client("dovecot")
	defer ours.logout(t)
	defer theirs.logout(t)
	for _, box := range besideBoxes {
		var our, their mailbox
		// Dovecot looks again at a directory that changed in the second of its last look only when that second is over.
		for try := range 4 {
			var err error
			our, err = ours.read(box)
			must(t, err)
			their, err = theirs.read(box)
			must(t, err)
			if our.text() == their.text() {
				break
			}
			if try == 3 {
				t.Errorf("%s: roost says\n%s\nDovecot says\n%s", box, our.text(), their.text())
				return
			}
			time.Sleep(500 * time.Millisecond)
		}
		want := map[uint32]bool{}
		for _, a := range actors {
			for n := range a.own[box] {
				want[n] = true
			}
		}
		for i, m := range our.messages {
			if m.body != their.messages[i].body {
				t.Errorf("%s: bodies of UID %d differ", box, m.uid)
			}
			id := uid{box, our.validity, m.uid}
			if was, known := seen[id]; known && was != m.body {
				t.Errorf("%s: UID %d was %q, is %q", box, m.uid, headerOf(was), headerOf(m.body))
			}
			seen[id] = m.body
			if !want[m.uid] {
				t.Errorf("%s: UID %d was removed but is there", box, m.uid)
			}
			delete(want, m.uid)
			flags := strings.Fields(m.flags)
			for _, a := range actors {
				set, known := a.tagged[box][m.uid]
				if known && slices.Contains(flags, a.keyword) != set {
					t.Errorf("%s: UID %d has (%s), but %s set %s to %v", box, m.uid, m.flags, a.c.name, a.keyword, set)
				}
				if text := a.own[box][m.uid]; text != "" && text != m.body {
					t.Errorf("%s: UID %d is %q, but %s appended %q", box, m.uid, headerOf(m.body), a.c.name, headerOf(text))
				}
			}
		}
		if len(want) > 0 {
			t.Errorf("%s: UIDs %v are gone, nobody removed them", box, slices.Sorted(maps.Keys(want)))
		}
		for _, a := range actors {
			if a.box != box {
				continue
			}
			a.c.must(t, "NOOP")
			must(t, a.look())
			var all []uint32
			for _, m := range our.messages {
				all = append(all, m.uid)
			}
			if !slices.Equal(a.known, all) {
				t.Errorf("%s: %s sees UIDs %v, new sessions see %v", box, a.c.name, a.known, all)
			}
		}
	}
}

// uid names a message for ever.
type uid struct {
	box, validity string
	n             uint32
}

// actor is a client that does random things.
type actor struct {
	c       *client
	rnd     *rand.Rand
	keyword string
	box     string   // selected
	known   []uint32 // in box, when last looked
	own     map[string]map[uint32]string
	tagged  map[string]map[uint32]bool
	made    int
	history []string
	err     error
}

// newActor makes an actor; own are the messages only it removes, with their text where it appended them, tagged the messages on which its
// keyword was seen to be set or cleared.
func newActor(id int, c *client) *actor {
	a := &actor{c: c, rnd: rand.New(rand.NewPCG(uint64(id), 1)), keyword: fmt.Sprintf("Client%d", id),
		own: map[string]map[uint32]string{}, tagged: map[string]map[uint32]bool{}}
	for _, box := range besideBoxes {
		a.own[box], a.tagged[box] = map[uint32]string{}, map[uint32]bool{}
	}
	return a
}

// do runs a command and remembers it.
func (a *actor) do(command string, literal ...string) ([]string, error) {
	lines, tagged, err := a.c.do(command, literal...)
	a.history = append(a.history, a.box+" "+command+" → "+tagged)
	if err != nil {
		err = fmt.Errorf("%s in %s: %w\n%s", a.c.name, a.box, err, strings.Join(lines, "\n"))
	}
	return append(lines, tagged), err
}

func (a *actor) step() error {
	other := besideBoxes[a.rnd.IntN(len(besideBoxes))]
	n := a.rnd.IntN(100)
	switch {
	case a.box == "" || n < 8:
		return a.choose(other)
	case n < 30 || len(a.known) == 0:
		return a.append(other)
	case n < 55:
		return a.tag(a.known[a.rnd.IntN(len(a.known))])
	case n < 65:
		flag := []string{`\Seen`, `\Flagged`, `\Answered`, `\Draft`, `$Forwarded`, fmt.Sprintf("Label%d", a.rnd.IntN(6))}[a.rnd.IntN(6)]
		_, err := a.do(fmt.Sprintf("UID STORE %d:* %cFLAGS.SILENT (%s)", a.known[a.rnd.IntN(len(a.known))], "+-"[a.rnd.IntN(2)], flag))
		return err
	case n < 73:
		return a.copy(a.known[a.rnd.IntN(len(a.known))], other)
	case n < 80:
		return a.move(other)
	case n < 88:
		return a.remove()
	case n < 95:
		_, err := a.do(fmt.Sprintf("UID FETCH %d:* (FLAGS BODY.PEEK[])", a.known[a.rnd.IntN(len(a.known))]))
		return gone(err)
	}
	if _, err := a.do("NOOP"); err != nil {
		return err
	}
	return a.look()
}

func (a *actor) choose(box string) error {
	a.box = box
	if _, err := a.do("SELECT " + box); err != nil {
		return err
	}
	return a.look()
}

// look learns which messages are in the selected mailbox.
func (a *actor) look() error {
	lines, err := a.do("UID SEARCH ALL")
	if err != nil {
		return err
	}
	a.known = nil
	for _, l := range lines {
		if numbers, ok := strings.CutPrefix(l, "* SEARCH"); ok {
			for word := range strings.FieldsSeq(numbers) {
				n, err := strconv.ParseUint(word, 10, 32)
				if err != nil {
					return err
				}
				a.known = append(a.known, uint32(n))
			}
		}
	}
	return nil
}

var (
	codeAppend = regexp.MustCompile(`\[APPENDUID \d+ (\d+)\]`)
	codeCopy   = regexp.MustCompile(`\[COPYUID \d+ \d+ (\d+)\]`)
)

// number finds a response code with the UID of a new message.
func number(code *regexp.Regexp, lines []string) (uint32, bool) {
	for _, l := range lines {
		if m := code.FindStringSubmatch(l); m != nil {
			n, err := strconv.ParseUint(m[1], 10, 32)
			return uint32(n), err == nil
		}
	}
	return 0, false
}

func (a *actor) append(box string) error {
	a.made++
	text := crlf(letter(fmt.Sprintf("%s wrote %d", a.c.name, a.made), a.rnd.IntN(60)))
	flags := []string{"()", `(\Seen)`, `(\Flagged Label1)`}[a.rnd.IntN(3)]
	lines, err := a.do("APPEND "+box+" "+flags, text)
	if err != nil {
		return err
	}
	n, ok := number(codeAppend, lines)
	if !ok {
		return fmt.Errorf("%s: no APPENDUID in %q", a.c.name, lines)
	}
	a.own[box][n] = text
	return nil
}

// answered finds the FETCH response about a message.
func answered(lines []string, n uint32) (message, bool) {
	for _, l := range slices.Backward(lines) {
		if m, ok := fetched(l); ok && m.uid == n {
			return m, true
		}
	}
	return message{}, false
}

// tag sets or clears the actor's keyword. There is no answer about a message that somebody has removed, or that is not in the session's view yet.
func (a *actor) tag(n uint32) error {
	set := a.rnd.IntN(3) > 0
	lines, err := a.do(fmt.Sprintf("UID STORE %d %cFLAGS (%s)", n, map[bool]byte{true: '+', false: '-'}[set], a.keyword))
	if err != nil {
		return gone(err)
	}
	if m, ok := answered(lines, n); ok {
		a.tagged[a.box][n] = set
		if slices.Contains(strings.Fields(m.flags), a.keyword) != set {
			return fmt.Errorf("%s: %s is not %v in %q", a.c.name, a.keyword, set, lines)
		}
	}
	return nil
}

// gone forgives a refusal because the message was removed by somebody else (RFC 5530).
func gone(err error) error {
	if errors.Is(err, errRefused) && strings.Contains(err.Error(), "[EXPUNGEISSUED]") {
		return nil
	}
	return err
}

func (a *actor) copy(n uint32, box string) error {
	lines, err := a.do(fmt.Sprintf("UID COPY %d %s", n, box))
	if err != nil {
		return gone(err)
	}
	if n, ok := number(codeCopy, lines); ok {
		a.own[box][n] = ""
	}
	return nil
}

// mine picks one of the actor's own messages in the selected mailbox, after a look.
func (a *actor) mine() (n uint32, ok bool, err error) {
	if _, err := a.do("NOOP"); err != nil {
		return 0, false, err
	}
	if err := a.look(); err != nil {
		return 0, false, err
	}
	all := slices.Sorted(maps.Keys(a.own[a.box]))
	if len(all) == 0 {
		return 0, false, nil
	}
	n = all[a.rnd.IntN(len(all))]
	if !slices.Contains(a.known, n) {
		return 0, false, fmt.Errorf("%s: its message UID %d of %s is not in %v", a.c.name, n, a.box, a.known)
	}
	return n, true, nil
}

func (a *actor) move(box string) error {
	n, ok, err := a.mine()
	if err != nil || !ok || box == a.box {
		return err
	}
	lines, err := a.do(fmt.Sprintf("UID MOVE %d %s", n, box))
	if err != nil {
		return err
	}
	to, ok := number(codeCopy, lines)
	if !ok {
		return fmt.Errorf("%s: no COPYUID in %q", a.c.name, lines)
	}
	a.own[box][to] = a.own[a.box][n]
	delete(a.own[a.box], n)
	return nil
}

// remove expunges by UID: a plain EXPUNGE would also take copies that others made of a message just marked \Deleted.
func (a *actor) remove() error {
	n, ok, err := a.mine()
	if err != nil || !ok {
		return err
	}
	lines, err := a.do(fmt.Sprintf(`UID STORE %d +FLAGS (\Deleted)`, n))
	if err != nil {
		return err
	}
	if _, ok := answered(lines, n); !ok {
		return fmt.Errorf("%s: no answer about its own message UID %d of %s in %q", a.c.name, n, a.box, lines)
	}
	if _, err := a.do(fmt.Sprintf("UID EXPUNGE %d", n)); err != nil {
		return err
	}
	delete(a.own[a.box], n)
	return nil
}
