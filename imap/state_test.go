package imap

import (
	"encoding/base64"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var long = flag.Bool("long", false, "run the long form of the tests")

// stateRack is a server whose state directory is damaged, with what it answered when there was none.
type stateRack struct {
	*testServer
	want string
	good map[string][]byte // the files of INBOX's state after an orderly stop
	rnd  *rand.Rand
}

// stateMessage is the n-th message; its shape is one of those of which the cache keeps different things.
func stateMessage(n int, topic string) string {
	subject := fmt.Sprintf("%s %d", topic, n)
	switch n % 4 {
	case 0:
		return "From: A <a@example.org>\nSubject: " + subject + "\nDate: Sat, 3 Feb 2024 04:05:06 +0000\n\nplain " + topic + "\n"
	case 1:
		return "From: =?utf-8?q?J=C3=BCrgen?= <b@example.org>\nTo: undisclosed-recipients:;\nSubject: =?utf-8?b?" +
			base64.StdEncoding.EncodeToString([]byte(subject+" äöü")) + "?=\nContent-Type: text/plain; charset=iso-8859-1\n" +
			"Content-Transfer-Encoding: quoted-printable\n\nGr=FC=DFe " + topic + "\n"
	case 2:
		return "From: c@example.org\nSubject: " + subject + "\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\npreamble\n--b\n\n" +
			topic + " text\n--b\nContent-Type: application/pdf; name=x.pdf\nContent-Disposition: attachment; filename=x.pdf\n" +
			"Content-Transfer-Encoding: base64\n\n" + base64.StdEncoding.EncodeToString(make([]byte, 100)) + "\n--b--\n"
	}
	return "Subject: " + subject + "\nMIME-Version: 1.0\nContent-Type: message/rfc822\n\nFrom: inner@example.org\nSubject: inner " + topic + "\n\ninside\n"
}

func newStateRack(t *testing.T, seed uint64) *stateRack {
	r := &stateRack{testServer: newTestServer(t, nil), rnd: rand.New(rand.NewPCG(seed, 0))}
	r.login().ok("CREATE Other")
	for i := range 12 {
		if i == 7 {
			r.deliver("", "new", "", stateMessage(i, "inbox"))
		} else {
			r.deliver("", "cur", []string{":2,", ":2,S", ":2,FS", ":2,RS"}[i%4], stateMessage(i, "inbox"))
		}
		r.deliver("Other", "cur", ":2,F", stateMessage(i+1, "other"))
	}
	tc := r.login()
	tc.ok("SELECT INBOX")
	tc.ok("STORE 3 +FLAGS ($Label1)")
	tc.ok(`STORE 5 +FLAGS (\Deleted)`)
	tc.ok("EXPUNGE")
	r.want = r.answers("INBOX")
	r.answers("Other")
	r.again(func() { r.check(os.RemoveAll(r.state)) })
	if got := r.answers("INBOX"); got != r.want {
		t.Fatalf("without its state the server says\n%s\nwhich was\n%s", got, r.want)
	}
	r.answers("Other")
	r.again(func() {
		r.good = map[string][]byte{}
		for _, name := range stateFiles {
			b, err := os.ReadFile(r.file("INBOX", name))
			r.check(err)
			r.good[name] = b
		}
	})
	return r
}

// stateFiles are what the state directory has for each mailbox.
var stateFiles = []string{"records", "meta"}

func (r *stateRack) file(box, name string) string {
	if box != "INBOX" {
		box = "." + box
	}
	return filepath.Join(r.state, "user", "boxes", box, name)
}

func (r *stateRack) check(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// again stops the server, does something, and starts it.
func (r *stateRack) again(do func()) {
	r.t.Helper()
	r.stop()
	do()
	r.open(nil)
}

var (
	// volatile is what may be different after the state was lost: only clients that keep MODSEQs see it, and get flags again.
	volatile = regexp.MustCompile(`^\* OK \[HIGHESTMODSEQ|^\* \d+ RECENT|^\* OK \[UNSEEN|^\* OK \[CLOSED`)
	// recentFlag is what the first session that sees a message is told.
	recentFlag = regexp.MustCompile(` ?\\Recent\b`)
)

// answers is what a new session is told about a mailbox, in all ways that use a cache.
func (r *stateRack) answers(box string) string {
	r.t.Helper()
	tc := r.login()
	defer tc.c.Close()
	var b strings.Builder
	for _, command := range []string{
		"EXAMINE " + box,
		"UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)",
		"UID FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT FROM)] BODY.PEEK[1] BODY.PEEK[1.MIME])",
		"UID FETCH 1:* BODY.PEEK[]",
		"SEARCH FLAGGED",
		"SEARCH KEYWORD $Label1",
		"SEARCH SUBJECT äöü",
		"SEARCH HEADER FROM example",
		"SEARCH BODY inbox",
		"SEARCH TEXT grüße",
		"SEARCH LARGER 150",
		"SEARCH SENTSINCE 1-Jan-2020",
		"STATUS " + box + " (MESSAGES UIDNEXT UIDVALIDITY UNSEEN SIZE)",
	} {
		if strings.Contains(command, "ü") {
			command = strings.Replace(command, "SEARCH", "SEARCH CHARSET UTF-8", 1)
			word := command[strings.LastIndexByte(command, ' ')+1:]
			command = strings.Replace(command, word, fmt.Sprintf("{%d+}\r\n%s", len(word), word), 1)
		}
		for _, l := range tc.ok("%s", command) {
			if !volatile.MatchString(l) {
				b.WriteString(recentFlag.ReplaceAllString(l, "") + "\n")
			}
		}
	}
	return b.String()
}

// damage is a way in which a file is not what it was.
type damage struct {
	name string
	do   func(path string) error
}

// damages are the ways for a file, whose content is good; another is the same file of another mailbox.
func (r *stateRack) damages(name, another string, much bool) []damage {
	good := r.good[name]
	put := func(b []byte) func(string) error {
		return func(path string) error { return os.WriteFile(path, b, 0o600) } // in place: an open file notices
	}
	all := []damage{
		{"is empty", put(nil)},
		{"is zeroed", put(make([]byte, len(good)))},
		{"is random", put(r.random(len(good)))},
		{"has a zeroed end", put(append(slices.Clone(good[:len(good)/2]), make([]byte, len(good)/2)...))},
		{"is there twice", put(slices.Concat(good, good))},
		{"goes on at random", put(slices.Concat(good, r.random(1000)))},
		{"is of another version", put(append([]byte("RoostXX9"), good[8:]...))},
		{"is of another mailbox", func(path string) error {
			b, err := os.ReadFile(another)
			if err != nil {
				return err
			}
			return os.WriteFile(path, b, 0o600)
		}},
		{"is gone", os.Remove},
		{"is larger than memory", func(path string) error { return os.Truncate(path, 1<<42) }},
		{"is a directory", func(path string) error {
			if err := os.Remove(path); err != nil {
				return err
			}
			return os.MkdirAll(filepath.Join(path, "in", "it"), 0o700)
		}},
		{"cannot be read", func(path string) error { return os.Chmod(path, 0) }}, // by anybody but root
		{"is a symbolic link to nowhere", func(path string) error {
			if err := os.Remove(path); err != nil {
				return err
			}
			return os.Symlink("/nowhere/at/all", path)
		}},
		{"has lost its directory", func(path string) error { return os.RemoveAll(filepath.Dir(path)) }},
	}
	n := 6
	if *long {
		n = 200
	}
	cuts := []int{1, 7, 8, 15, 16, 17, 20, len(good) - 1}
	flips := []int{0, 7, 8, 12, 16, 17, 20, 24}
	for range n {
		cuts, flips = append(cuts, r.rnd.IntN(len(good))), append(flips, r.rnd.IntN(len(good)))
	}
	for _, at := range cuts {
		all = append(all, damage{fmt.Sprintf("is cut off at %d", at), func(path string) error { return os.Truncate(path, int64(at)) }})
	}
	for _, at := range flips {
		b := slices.Clone(good)
		b[at] ^= 1 << r.rnd.IntN(8)
		all = append(all, damage{fmt.Sprintf("has a bit turned at %d", at), put(b)})
	}
	if !much && !*long {
		r.rnd.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		all = all[:len(all)/2]
	}
	return all
}

func (r *stateRack) random(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.rnd.Uint32())
	}
	return b
}

// toldFlags is what a session may be told of its own accord, of messages whose flags may have changed since they were remembered.
var toldFlags = regexp.MustCompile(`^\* \d+ FETCH \(UID \d+ FLAGS \([^)]*\)( MODSEQ \(\d+\))?\)`)

func (r *stateRack) expect(when string) {
	r.t.Helper()
	g, w := strings.Split(r.answers("INBOX"), "\n"), strings.Split(r.want, "\n")
	for i := 0; i < len(g); i++ {
		switch {
		case i < len(w) && g[i] == w[i]:
		case toldFlags.MatchString(g[i]):
			g = slices.Delete(g, i, i+1)
			i--
		default:
			r.t.Errorf("%s: it says\n%.500q\nand should say\n%.500q", when, g[i], w[min(i, len(w)-1)])
			return
		}
	}
	if len(g) != len(w) {
		r.t.Errorf("%s: %d lines instead of %d", when, len(g), len(w))
	}
}

// TestDamagedState damages the files of the state directory between two runs and while the server runs: nobody is told anything else than when
// there are no such files, then, later, and after the next start.
func TestDamagedState(t *testing.T) {
	t.Parallel()
	for i, name := range stateFiles {
		t.Run(name+" between runs", func(t *testing.T) {
			t.Parallel()
			r := newStateRack(t, uint64(i))
			another := filepath.Join(t.TempDir(), name)
			b, err := os.ReadFile(r.file("Other", name))
			r.check(err)
			r.check(os.WriteFile(another, b, 0o600))
			for _, d := range r.damages(name, another, true) {
				r.again(func() { r.check(d.do(r.file("INBOX", name))) })
				r.expect(name + " " + d.name)
				r.again(func() {})
				r.expect(name + " " + d.name + ", one start later")
				r.restore()
			}
		})
		t.Run(name+" while serving", func(t *testing.T) {
			t.Parallel()
			r := newStateRack(t, uint64(10+i))
			another := filepath.Join(t.TempDir(), name)
			b, err := os.ReadFile(r.file("Other", name))
			r.check(err)
			r.check(os.WriteFile(another, b, 0o600))
			for _, d := range r.damages(name, another, false) {
				r.expect("before")
				r.check(d.do(r.file("INBOX", name)))
				r.expect(name + " " + d.name + " while serving")
				r.again(func() {})
				r.expect(name + " " + d.name + " before the start")
				r.restore()
			}
		})
	}
}

// restore puts good files back, whatever is there now, and lets the server make of them what it likes.
func (r *stateRack) restore() {
	r.again(func() {
		r.check(os.RemoveAll(filepath.Dir(r.file("INBOX", "records"))))
	})
	r.expect("after a new beginning")
	r.again(func() {})
}
