package main

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// way is how searches are answered.
type way int

const (
	indexed  way = iota // by Roost with its index
	scanned             // by Roost without
	dovecots            // by Dovecot, which reads the mail
	xapians             // by Dovecot with fts-xapian
	ways
)

// answers are what came of the needles of a class.
type answers struct {
	took  []float64 // seconds
	found []found   // by needle
	cpu   float64   // seconds of the server for all of them
}

// found is an answer to SEARCH, as far as answers are compared.
type found struct {
	failed bool // NO
	n      int
	sum    uint64
	first  uint64 // the same of the messages that fts-xapian has
}

var foundSeed = maphash.MakeSeed()

// searchBench measures searches of one large mailbox.
type searchBench struct {
	opt     *options
	mail    *prose
	roost   *side
	server  *roost
	peer    *side // nil without Dovecot
	dovecot *dovecot
	few     *prose // the beginning of mail, for fts-xapian; nil without it
	report  *searchReport
}

// compareSearch does everything with the mail that is searched: the index, and each class of searches in each way. What it started has ended when
// it returns.
func compareSearch(ctx context.Context, o *options) (*searchReport, error) {
	work, err := workDirectory(o)
	if err != nil {
		return nil, err
	}
	if !o.keepDirectory && o.tree == "" {
		defer os.RemoveAll(work)
	}
	b := &searchBench{opt: o, mail: newProse()}
	var sides []*side
	stop := func() {
		for _, s := range sides {
			if err := s.stop(); err != nil {
				o.progress("%v\n", err)
			}
		}
	}
	defer stop()
	if sides, err = b.setUp(work); err != nil {
		return nil, err
	}
	b.report = newSearchReport(o, work, sides, b.mail.octets.Load())
	b.pick()
	steps := []struct {
		name string
		do   func(context.Context) error
	}{
		{"build", b.build}, {"first search", b.firstSearch}, {"searches with the index", b.withIndex}, {"new mail", b.newMail},
		{"searches without the index", b.without}, {"Dovecot", b.withDovecot}, {"fts-xapian", b.withXapian},
	}
	for _, step := range steps {
		start := time.Now()
		if err := errors.Join(step.do(ctx), ctx.Err()); err != nil {
			return nil, fmt.Errorf("%s: %w", step.name, err)
		}
		o.progress("%6.1f s  %s\n", time.Since(start).Seconds(), step.name)
	}
	stop()
	b.report.finish(sides)
	return b.report, nil
}

// setUp makes the mail and the servers, which are not started.
func (b *searchBench) setUp(work string) ([]*side, error) {
	o := b.opt
	binary := filepath.Join(work, "roost-binary")
	if err := buildRoost(o.roost, binary); err != nil {
		return nil, err
	}
	if err := writeShared(work, 0); err != nil {
		return nil, err
	}
	var err error
	if b.server, err = newRoost(work, binary, o.roost, o.owner()); err != nil {
		return nil, err
	}
	b.server.index = true
	b.roost = &side{server: b.server, opt: o, mail: filepath.Join(work, "mail-roost")}
	sides := []*side{b.roost}
	if _, err := os.Stat(dovecotPath); err == nil && !o.withoutPeer {
		if b.dovecot, err = newDovecot(work, o.owner(), 100); err != nil {
			return nil, err
		}
		b.peer = &side{server: b.dovecot, opt: o, mail: filepath.Join(work, "mail-dovecot")}
		sides = append(sides, b.peer)
	}
	return sides, b.fill(work, sides)
}

// pick picks the searches: the first of each class only warms up.
func (b *searchBench) pick() {
	only := regexp.MustCompile(b.opt.only)
	for i, c := range classes() {
		if !only.MatchString(c.key) {
			continue
		}
		c.median, c.p99 = c.median*b.opt.timeFactor(), c.p99*b.opt.timeFactor()
		k := b.picker(uint64(i))
		r := &searchRow{class: c}
		for range 1 + max(b.opt.needles, b.opt.compared) {
			r.commands = append(r.commands, c.pick(k))
		}
		b.report.rows = append(b.report.rows, r)
	}
}

// picker picks as no other does; nor are its random numbers those that made a message.
func (b *searchBench) picker(nth uint64) *picker {
	return &picker{b.mail, &author{seed: b.opt.seed}, rand.New(rand.NewPCG(^b.opt.seed, nth)), b.opt.messages}
}

// build lets Roost start with mail that it never saw, and fill the index, while another client wants to be served.
func (b *searchBench) build(ctx context.Context) error {
	s := b.roost
	if now, err := b.progress(); err != nil || now.Documents > 0 {
		b.report.notes = append(b.report.notes, "the index was there from another run, and building it was not measured")
		// What the file says may be true of an index of another version.
		return errors.Join(err, os.Remove(b.server.progressFile()), s.start(), b.awaitIndex(ctx, b.opt.messages, nil))
	}
	start := time.Now()
	if err := s.start(); err != nil {
		return err
	}
	ended, pinged := make(chan struct{}), make(chan pings, 1)
	go func() { pinged <- ping(s, ended) }()
	var heap int64
	server := s.processes()[0]
	err := b.awaitIndex(ctx, b.opt.messages, func() { heap = max(heap, status(server, "RssAnon")) })
	took := time.Since(start).Seconds()
	close(ended)
	p := <-pinged
	if err := errors.Join(err, p.err); err != nil {
		return err
	}
	octets, err := treeSize(b.server.indexFiles())
	n, r := float64(b.opt.messages), b.report
	r.fact(fact{name: "full build", unit: rate, value: n / took, atLeast: 600})
	r.fact(fact{name: "CPU time of the server in it, per message", unit: seconds, value: s.cpu().Seconds() / n})
	r.fact(fact{name: "peak of resident memory (RSS)", unit: mebibytes, value: float64(status(server, "VmHWM")), atMost: 400 << 20})
	r.fact(fact{name: "of it not pages of files", unit: mebibytes, value: float64(heap)})
	r.fact(fact{name: "NOOP of another client meanwhile, median", unit: seconds, value: percentile(p.times, 50).Seconds()})
	r.fact(fact{name: "NOOP of another client meanwhile, p99", unit: seconds, value: percentile(p.times, 99).Seconds(), atMost: 0.050})
	r.fact(fact{name: "size on disk, of the decoded text", unit: share, value: float64(octets) / float64(b.mail.octets.Load()), atMost: 0.8})
	return err
}

// pings are the times of a client that does nothing but to ask for news.
type pings struct {
	times []time.Duration
	err   error
}

func ping(s *side, ended <-chan struct{}) (p pings) {
	c, err := s.open("INBOX", false)
	if err != nil {
		return pings{err: err}
	}
	defer c.close()
	for {
		start := time.Now()
		if _, p.err = c.do("NOOP"); p.err != nil {
			return p
		}
		p.times = append(p.times, time.Since(start))
		select {
		case <-ended:
			return p
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// firstSearch asks a server that has just been started.
func (b *searchBench) firstSearch(context.Context) error {
	var first, all []float64
	k := b.picker(1000)
	for range b.opt.reps {
		if err := b.roost.stop(); err != nil {
			return err
		}
		start := time.Now()
		if err := b.roost.start(); err != nil {
			return err
		}
		c, err := b.roost.open("INBOX", false)
		if err != nil {
			return err
		}
		asked := time.Now()
		_, err = c.do("%s", search("TEXT %", k.word(500, 20_000)))
		first, all = append(first, time.Since(asked).Seconds()), append(all, time.Since(start).Seconds())
		c.close()
		if err != nil {
			return err
		}
	}
	b.report.fact(fact{name: "first search after process start", unit: seconds, value: summarize(first).median, atMost: 0.5 * b.opt.timeFactor()})
	b.report.fact(fact{name: "from process start to that answer: reading state, LOGIN, SELECT, SEARCH", unit: seconds, value: summarize(all).median})
	return nil
}

// newMail delivers messages and looks for them, until the search says so and until they are in the index.
func (b *searchBench) newMail(ctx context.Context) error {
	s := b.roost
	c, err := s.open("INBOX", false)
	if err != nil {
		return err
	}
	defer c.close()
	before, err := b.progress() // an index from another run has that run's messages, too
	if err != nil {
		return err
	}
	k := b.picker(2000)
	var told, through []float64
	for i := range b.opt.reps {
		word := k.random(16, idLetters)
		text := fmt.Appendf(nil, "From: bench@example.org\nSubject: new, behind %[2]d\nMessage-ID: <%[1]s@bench>\n\nIt has the word %[1]s.\n", word, before.Documents)
		start, err := s.put(i, text)
		if err != nil {
			return err
		}
		for n := 0; n == 0; {
			if _, err := c.do("NOOP"); err != nil {
				return err
			}
			answer, err := c.ask("%s", search("TEXT %", word))
			if err != nil {
				return err
			}
			if n = look(answer, 0).n; n == 0 && time.Since(start) > time.Minute {
				return fmt.Errorf("a new message is not found")
			}
		}
		told = append(told, time.Since(start).Seconds())
		if err := b.awaitIndex(ctx, before.Documents+i+1, nil); err != nil {
			return err
		}
		through = append(through, time.Since(start).Seconds())
	}
	b.report.fact(fact{name: "delivery until found by NOOP and SEARCH, not indexed yet", unit: seconds, value: summarize(told).median})
	b.report.fact(fact{name: "delivery until in the index, longest of " + fmt.Sprint(b.opt.reps), unit: seconds, value: summarize(through).max, atMost: 5})
	// The mailbox becomes what it was.
	if _, err := c.do(`STORE %d:* +FLAGS.SILENT (\Deleted)`, b.opt.messages+1); err != nil {
		return err
	}
	_, err = c.do("UID EXPUNGE %d:*", b.opt.messages+1)
	return err
}

// withIndex asks everything of Roost.
func (b *searchBench) withIndex(ctx context.Context) error {
	c, err := b.roost.open("INBOX", false)
	if err != nil {
		return err
	}
	defer c.close()
	for _, r := range b.report.rows {
		if _, err := c.do("%s", r.commands[0]); err != nil {
			return err
		}
	}
	return b.ask(ctx, b.roost, "INBOX", indexed, b.opt.needles)
}

// without asks Roost again, with the index turned off.
func (b *searchBench) without(ctx context.Context) error {
	if err := b.roost.stop(); err != nil {
		return err
	}
	b.server.index = false
	if err := b.roost.start(); err != nil {
		return err
	}
	if err := b.ask(ctx, b.roost, "INBOX", scanned, b.opt.compared); err != nil {
		return err
	}
	return b.roost.stop()
}

// withDovecot asks Dovecot, which has opened the mailbox and cached the fields of the header that SEARCH has keys for.
func (b *searchBench) withDovecot(ctx context.Context) error {
	if b.peer == nil {
		b.report.notes = append(b.report.notes, "Dovecot was not there, and nothing is compared with it")
		return nil
	}
	if err := b.peer.start(); err != nil {
		return err
	}
	if err := warmed("INBOX", "SEARCH OR OR OR FROM zyx TO zyx CC zyx SUBJECT zyx")(b.peer); err != nil {
		return err
	}
	if err := b.ask(ctx, b.peer, "INBOX", dovecots, b.opt.compared); err != nil {
		return err
	}
	return b.peer.stop()
}

// withXapian does the same with Debian's dovecot-fts-xapian, if it is there. It gets the oldest messages only, because it fills its index so slowly.
func (b *searchBench) withXapian(ctx context.Context) error {
	if b.few == nil {
		b.report.notes = append(b.report.notes, "Debian's dovecot-fts-xapian was not there, and nothing is compared with it")
		return nil
	}
	b.dovecot.index = true
	if err := b.peer.start(); err != nil {
		return err
	}
	start := time.Now()
	peak, err := b.dovecot.fillIndex(ctx, workBox)
	if err != nil {
		return err
	}
	took := time.Since(start).Seconds()
	octets, err := treeSize(b.dovecot.indexFiles())
	if err != nil {
		return err
	}
	b.report.peerFacts(map[string]float64{
		"full build": float64(b.opt.xapian) / took, "peak of resident memory (RSS)": float64(peak),
		"size on disk, of the decoded text": float64(octets) / float64(b.few.octets.Load()),
	})
	if err := b.ask(ctx, b.peer, workBox, xapians, b.opt.needles); err != nil {
		return err
	}
	return b.peer.stop()
}

// ask asks for up to n needles of each class, for as long as there is time for a class, but for one at least.
func (b *searchBench) ask(ctx context.Context, s *side, box string, w way, n int) error {
	for _, r := range b.report.rows {
		c, err := s.open(box, false)
		if err != nil {
			return err
		}
		s.settle()
		start, before, a := time.Now(), s.cpu(), &r.by[w]
		for i, command := range r.commands[1 : 1+n] {
			if err := ctx.Err(); err != nil {
				c.close()
				return err
			}
			if i > 0 && time.Since(start) > b.opt.budget {
				break
			}
			asked := time.Now()
			text, err := c.ask("%s", command)
			a.took = append(a.took, time.Since(asked).Seconds())
			f := look(text, b.opt.xapian)
			if f.failed = err != nil && strings.Contains(text, " NO "); err != nil && !f.failed {
				c.close()
				return fmt.Errorf("%s: %w", r.key, err)
			}
			a.found = append(a.found, f)
		}
		a.cpu = (s.cpu() - before).Seconds()
		c.close()
	}
	return nil
}

// look reads the answer to UID SEARCH, in which UIDs up to few are those of messages that fts-xapian has.
func look(answer string, few int) found {
	_, rest, _ := strings.Cut("\r\n"+answer, "\r\n* SEARCH")
	line, _, _ := strings.Cut(rest, "\r\n")
	line = strings.TrimRight(line, " ")
	f := found{n: strings.Count(line, " "), sum: maphash.String(foundSeed, line)}
	end := 0
	for field := range strings.FieldsSeq(line) {
		if uid, err := strconv.Atoi(field); err != nil || uid > few {
			break
		}
		end += 1 + len(field)
	}
	f.first = maphash.String(foundSeed, line[:end])
	return f
}

// treeSize is how many octets the files below a directory have.
func treeSize(dir string) (sum int64, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			sum += info.Size()
		}
		return err
	})
	return sum, err
}
