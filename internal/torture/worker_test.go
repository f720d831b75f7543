package torture

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// holding is a message in a mailbox, as far as its worker knows.
type holding struct {
	box, id string
	uid     uint32
	flags   string
	doing   string     // begun and not acknowledged: append, copy, move, moved, store, expunge
	flagsTo string     // of a store
	to      *holding   // of a move
	batch   []*holding // what is done together
}

// worker is a client that changes messages of its own at random, and only these. It keeps its knowledge when the server dies.
type worker struct {
	n     int
	rnd   *rand.Rand
	have  []*holding
	count int
	most  int // messages it keeps
	c     *client
	done  int // commands acknowledged
}

func newWorker(n, most int) *worker {
	return &worker{n: n, rnd: rand.New(rand.NewPCG(uint64(n), 17)), most: most}
}

// boxes are what messages are in.
var boxes = []string{"INBOX", "Arch"}

const bodyLen = 3000

func bodyOf(id string) string {
	return "Subject: " + id + "\r\n\r\n" + strings.Repeat(strings.Repeat("x", 58)+"\r\n", bodyLen/60)
}

// connect logs in.
func (w *worker) connect(s *server) (err error) {
	if w.c, err = s.client(); err == nil {
		_, _, err = w.c.do("SELECT INBOX")
	}
	return err
}

// pick returns up to n messages in a mailbox, without those whose like is in the other one when they are to go there.
func (w *worker) pick(n int, box string, toOther bool) (list []*holding) {
	for _, i := range w.rnd.Perm(len(w.have)) {
		h := w.have[i]
		if h.box != box || toOther && slices.ContainsFunc(w.have, func(o *holding) bool { return o.box != box && o.id == h.id }) {
			continue
		}
		if list = append(list, h); len(list) == n {
			break
		}
	}
	slices.SortFunc(list, func(a, b *holding) int { return int(a.uid) - int(b.uid) })
	return list
}

func setOf(list []*holding) string {
	var uids []string
	for _, h := range list {
		uids = append(uids, fmt.Sprint(h.uid))
	}
	return strings.Join(uids, ",")
}

// settle takes over what was acknowledged about messages that have new UIDs.
func settle(list []*holding, tagged string) error {
	uids := uidsOf(tagged)
	if len(uids) != len(list) {
		return fmt.Errorf("%w: %d UIDs for %d messages: %s", errRefused, len(uids), len(list), tagged)
	}
	for i, h := range list {
		h.uid, h.doing, h.batch = uids[i], "", nil
	}
	return nil
}

// step is one change. An error that is not errRefused means that the server is gone.
func (w *worker) step() error {
	op := w.rnd.IntN(10)
	if len(w.have) > w.most {
		op = 9
	}
	var err error
	switch {
	case op < 4:
		err = w.append()
	case op < 6:
		err = w.store()
	case op < 8:
		err = w.transfer(op == 6)
	default:
		err = w.expunge()
	}
	if err == nil {
		w.done++
	}
	return err
}

func (w *worker) append() error {
	command, flags := "APPEND INBOX", []string{`\Seen`, "", `$Label1 \Flagged`}[w.rnd.IntN(3)]
	var list []*holding
	for range 1 + 2*w.rnd.IntN(2) {
		w.count++
		h := &holding{box: "INBOX", id: fmt.Sprintf("w%d-%d", w.n, w.count), flags: sortFlags(flags), doing: "append"}
		list = append(list, h)
		body := bodyOf(h.id)
		command += fmt.Sprintf(" (%s) {%d+}\r\n%s", flags, len(body), body)
	}
	for _, h := range list {
		h.batch = list
	}
	w.have = append(w.have, list...)
	_, tagged, err := w.c.do("%s", command)
	if err != nil {
		return err
	}
	return settle(list, tagged)
}

func (w *worker) store() error {
	list := w.pick(1, "INBOX", false)
	if len(list) == 0 {
		return nil
	}
	h := list[0]
	h.doing, h.flagsTo = "store", sortFlags([]string{"", `\Seen`, `\Answered \Flagged`, `$Label1`, `\Draft $work`}[w.rnd.IntN(5)])
	if _, _, err := w.c.do("UID STORE %d FLAGS.SILENT (%s)", h.uid, h.flagsTo); err != nil {
		return err
	}
	h.doing, h.flags = "", h.flagsTo
	return nil
}

func (w *worker) transfer(move bool) error {
	list := w.pick(1+w.rnd.IntN(4), "INBOX", true)
	if len(list) == 0 {
		return nil
	}
	var arrived []*holding
	for _, h := range list {
		a := &holding{box: "Arch", id: h.id, flags: h.flags, doing: "copy"}
		if move {
			a.doing = "moved"
			h.doing, h.to = "move", a
		}
		arrived = append(arrived, a)
	}
	for i := range list {
		arrived[i].batch = arrived
		if move {
			list[i].batch = list
		}
	}
	w.have = append(w.have, arrived...)
	command := "COPY"
	if move {
		command = "MOVE"
	}
	untagged, tagged, err := w.c.do("UID %s %s Arch", command, setOf(list))
	if err != nil {
		return err
	}
	for _, l := range untagged {
		if strings.Contains(l, "COPYUID") {
			tagged = l
		}
	}
	if move {
		w.drop(list)
	}
	return settle(arrived, tagged)
}

func (w *worker) expunge() error {
	box := boxes[w.rnd.IntN(len(boxes))]
	list := w.pick(1+w.rnd.IntN(4), box, false)
	if len(list) == 0 {
		return nil
	}
	// Two commands, the second of which begins what the first has made possible.
	for _, h := range list {
		h.doing, h.flagsTo = "store", sortFlags(h.flags+` \Deleted`)
	}
	if box != "INBOX" {
		if _, _, err := w.c.do("SELECT %s", box); err != nil {
			return err
		}
	}
	if _, _, err := w.c.do(`UID STORE %s +FLAGS.SILENT (\Deleted)`, setOf(list)); err != nil {
		return err
	}
	for _, h := range list {
		h.doing, h.flags = "expunge", h.flagsTo
	}
	if _, _, err := w.c.do("UID EXPUNGE %s", setOf(list)); err != nil {
		return err
	}
	w.drop(list)
	if box != "INBOX" {
		_, _, err := w.c.do("SELECT INBOX")
		return err
	}
	return nil
}

func (w *worker) drop(list []*holding) {
	w.have = slices.DeleteFunc(w.have, func(h *holding) bool { return slices.Contains(list, h) })
}

// owners remember which message every UID ever meant, as "box uid".
type owners map[string]string

// audit compares the mailboxes with what all workers know: acknowledged is there once with its UID and flags, what was cut off has happened whole or
// not at all, nothing else is there, no UID means another message than before. Then the workers take over how it ended.
func audit(t *testing.T, c *client, workers []*worker, owner owners) {
	t.Helper()
	there := map[string]map[string]*found{}
	for _, box := range boxes {
		list, err := c.read(box)
		check(t, err)
		there[box] = map[string]*found{}
		for _, f := range list {
			id, _, _ := strings.Cut(strings.TrimPrefix(f.body, "Subject: "), "\r\n")
			if strings.HasPrefix(id, "delivered-") {
				continue
			}
			if f.body != bodyOf(id) {
				t.Errorf("%s UID %d is half there: %d octets, %.50q", box, f.uid, len(f.body), f.body)
				continue
			}
			if there[box][id] != nil {
				t.Errorf("%s is twice in %s: UID %d and %d", id, box, there[box][id].uid, f.uid)
			}
			there[box][id] = &f
			key := fmt.Sprint(box, " ", f.uid)
			if was := owner[key]; was != "" && was != id {
				t.Errorf("%s was %s and is %s", key, was, id)
			}
			owner[key] = id
		}
	}
	for _, w := range workers {
		var kept []*holding
		for _, h := range w.have {
			f := there[h.box][h.id]
			if bad := h.verdict(f, there); bad != "" {
				t.Errorf("%s UID %d, %s (%s): %s", h.box, h.uid, h.id, h.doing, bad)
			}
			if f != nil {
				h.uid, h.flags = f.uid, f.flags
				kept = append(kept, h)
			}
		}
		for _, h := range kept {
			h.doing, h.batch, h.to = "", nil, nil
			delete(there[h.box], h.id)
		}
		w.have = kept
	}
	for box, left := range there {
		for id, f := range left {
			t.Errorf("%s UID %d is %s, which should not be there", box, f.uid, id)
		}
	}
}

// verdict is what is wrong about a message, which is f or nil.
func (h *holding) verdict(f *found, there map[string]map[string]*found) string {
	for _, o := range h.batch {
		if (there[o.box][o.id] == nil) != (f == nil) {
			return "not the same happened to " + o.id
		}
	}
	switch h.doing {
	case "append", "copy", "moved":
		if f != nil && f.flags != h.flags {
			return "came with the flags " + f.flags
		}
		return ""
	case "expunge":
		if f == nil {
			return ""
		}
	case "move":
		if (f == nil) == (there[h.to.box][h.to.id] == nil) {
			return "not in one of two mailboxes"
		} else if f == nil {
			return ""
		}
	}
	switch {
	case f == nil:
		return "is lost"
	case f.uid != h.uid:
		return fmt.Sprint("has UID ", f.uid)
	case f.flags != h.flags && (h.doing != "store" || f.flags != h.flagsTo):
		return fmt.Sprintf("has the flags %q instead of %q", f.flags, h.flags)
	}
	return ""
}

// refused tells whether a server that lives has said no.
func refused(err error) bool { return errors.Is(err, errRefused) }
