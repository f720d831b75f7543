// Command bench measures Roost beside Debian's Dovecot: the same workloads on identical copies of a generated mail tree, in turn, over loopback
// sockets, with one client for both. It prints a table, and with -out writes it into a page, with a plot. See README.md here.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

// nobody owns the mail when root runs the bench, because Dovecot refuses to serve root's.
const nobody = 65534

// options are the flags.
type options struct {
	messages      int
	corpus        string
	seed          uint64
	reps          int
	budget        time.Duration
	quick         time.Duration // workloads that take less are repeated more often
	only          string
	roost         string
	work          string
	out           string
	idle          int
	idleMost      int
	mixed         time.Duration
	mixedClients  int
	loginTime     time.Duration
	loginClients  int
	appends       int
	multiappend   int
	deliveries    int
	progress      func(format string, args ...any)
	withoutPeer   bool // no Dovecot, by choice
	keepDirectory bool
	tree          string // directory that is kept and used again, "" for a new one

	search   bool // measure searches with the full-text index, instead of everything else
	needles  int  // of each class of searches
	compared int  // of them that servers without an index are asked for
	xapian   int  // messages that fts-xapian gets
}

// owner is the user that mail and servers belong to, -1 for the caller.
func (o *options) owner() int {
	if os.Getuid() == 0 {
		return nobody
	}
	return -1
}

// idleDovecot is how many idle connections Dovecot gets: each of them is a process.
func (o *options) idleDovecot() int { return min(o.idle, o.idleMost) }

func parse(args []string) (*options, error) {
	o := &options{quick: 3 * time.Second, appends: 100, multiappend: 1000, deliveries: 20, loginClients: 50, mixedClients: 100}
	o.progress = func(format string, args ...any) { fmt.Fprintf(os.Stderr, format, args...) }
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.IntVar(&o.messages, "messages", 0, "messages in the INBOX, such as 10000, 100000, 1000000 (default 10000, with -search 100000)")
	f.StringVar(&o.corpus, "corpus", "", "directory of real messages to fill the mailboxes with, instead of generated ones")
	f.Uint64Var(&o.seed, "seed", 1, "of everything random")
	f.IntVar(&o.reps, "reps", 5, "repetitions of each workload on each server")
	f.DurationVar(&o.budget, "budget", 40*time.Second, "time for one workload, after which it is not repeated again (but done twice)")
	f.StringVar(&o.only, "run", "", "regular expression of the workloads to run")
	f.StringVar(&o.roost, "roost", "..", "source of Roost")
	f.StringVar(&o.work, "work", "", "directory for mail and servers, on the file system to measure (default a new one in $TMPDIR)")
	f.StringVar(&o.out, "out", "", "directory to write RESULTS.md and the plot to")
	f.IntVar(&o.idle, "idle", 5000, "idle connections")
	f.IntVar(&o.idleMost, "idle-dovecot", 1000, "at most so many to Dovecot, where each is a process")
	f.DurationVar(&o.mixed, "mixed", time.Minute, "length of the mixed load")
	f.DurationVar(&o.loginTime, "logins", 5*time.Second, "how long to count logins")
	f.BoolVar(&o.withoutPeer, "no-dovecot", false, "measure Roost alone")
	f.BoolVar(&o.keepDirectory, "keep", false, "leave the directory with mail and servers")
	f.StringVar(&o.tree, "tree", "", "with -search: directory to keep, and to go on with the next time: what there is of mail and index is not made again")
	f.BoolVar(&o.search, "search", false, "measure searches with the full-text index, instead of everything else")
	f.IntVar(&o.needles, "needles", 200, "with -search: needles of each class")
	f.IntVar(&o.compared, "compared", 3, "with -search: of them that are also asked for without an index")
	f.IntVar(&o.xapian, "xapian", 1000, "with -search: messages that fts-xapian gets, which fills its index slowly")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if o.messages == 0 {
		o.messages = 10_000
		if o.search {
			o.messages = 100_000
		}
	}
	o.xapian = min(o.xapian, o.messages)
	if o.tree != "" && !o.search {
		return nil, fmt.Errorf("-tree is for -search: other workloads change the mail")
	}
	if f.NArg() > 0 || o.messages < 1 || o.reps < 1 || o.idle < 1 || o.needles < 1 || o.compared < 0 || o.xapian < 0 {
		return nil, fmt.Errorf("wrong arguments; see -help")
	}
	if _, err := regexp.Compile(o.only); err != nil {
		return nil, fmt.Errorf("-run: %w", err)
	}
	return o, nil
}

func main() {
	o, err := parse(os.Args[1:])
	if err == flag.ErrHelp {
		return
	}
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
		context.AfterFunc(ctx, stop) // a second signal ends us at once, and with us the servers
		err = run(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures, prints and writes the results.
func run(ctx context.Context, o *options) error {
	if o.search {
		r, err := compareSearch(ctx, o)
		if err != nil {
			return err
		}
		text := r.markdown()
		os.Stdout.WriteString(text)
		return publish(o, text)
	}
	r, err := compare(ctx, o)
	if err != nil {
		return err
	}
	text := r.markdown()
	os.Stdout.WriteString(text)
	if err := publish(o, text); err != nil || o.out == "" || len(r.names) < 2 {
		return err
	}
	return os.WriteFile(filepath.Join(o.out, o.plotName()), []byte(r.svg()), 0o644)
}

// compare does everything: the tree, the servers, the workloads. What it started has ended when it returns. When ctx ends it finishes the
// repetition it is at and returns an error.
func compare(ctx context.Context, o *options) (*report, error) {
	work, err := workDirectory(o)
	if err != nil {
		return nil, err
	}
	if !o.keepDirectory {
		defer os.RemoveAll(work)
	}
	sides, err := setUp(o, work)
	stop := func() {
		for _, s := range sides {
			if err := s.stop(); err != nil {
				o.progress("%v\n", err)
			}
		}
	}
	defer stop()
	if err != nil {
		return nil, err
	}
	r := newReport(o, work, sides)
	only := regexp.MustCompile(o.only)
	for _, w := range workloads(o) {
		if !only.MatchString(w.key) {
			continue
		}
		start := time.Now()
		m, err := measure(ctx, w, sides)
		if err != nil {
			return nil, err
		}
		r.add(m)
		o.progress("%6.1f s  %s\n", time.Since(start).Seconds(), w.key)
	}
	stop()
	r.finish(sides)
	return r, nil
}

// workDirectory makes a directory that every user may enter, a new one unless it is to be kept.
func workDirectory(o *options) (work string, err error) {
	if o.tree == "" {
		work, err = os.MkdirTemp(o.work, "roost-bench-")
	} else {
		work, err = o.tree, os.MkdirAll(o.tree, 0o755)
	}
	if err != nil {
		return "", err
	}
	if work, err = filepath.Abs(work); err != nil {
		return "", err
	}
	return work, os.Chmod(work, 0o755)
}

// setUp makes the mail and starts the servers.
func setUp(o *options, work string) ([]*side, error) {
	binary := filepath.Join(work, "roost-binary")
	if err := buildRoost(o.roost, binary); err != nil {
		return nil, err
	}
	if err := writeShared(work, manyUsers); err != nil {
		return nil, err
	}
	r, err := newRoost(work, binary, o.roost, o.owner())
	if err != nil {
		return nil, err
	}
	sides := []*side{{server: r, opt: o, mail: filepath.Join(work, "mail-roost")}}
	if _, err := os.Stat(dovecotPath); err != nil && !o.withoutPeer {
		o.progress("No %s: Roost is measured alone. It is in Debian's dovecot-core and dovecot-imapd.\n", dovecotPath)
	} else if !o.withoutPeer {
		d, err := newDovecot(work, o.owner(), o.idleDovecot()+500)
		if err != nil {
			return nil, err
		}
		sides = append(sides, &side{server: d, opt: o, mail: filepath.Join(work, "mail-dovecot")})
	}

	start := time.Now()
	t := newTree(o)
	template := filepath.Join(work, "template")
	if err := t.generate(template); err != nil {
		return nil, err
	}
	for _, s := range sides {
		if err := t.copyTo(template, s.mail); err != nil {
			return nil, err
		}
	}
	octets, err := t.warm(template)
	if err != nil {
		return nil, err
	}
	o.progress("%6.1f s  generating %d messages in the INBOX, %d MB in all\n", time.Since(start).Seconds(), o.messages, octets>>20)
	for _, s := range sides {
		s.all = sides
		if err := s.start(); err != nil {
			return sides, err
		}
	}
	return sides, nil
}
