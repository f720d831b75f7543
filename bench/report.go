package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// report is everything the page of results says.
type report struct {
	opt     *options
	started time.Time
	machine []string // lines
	servers []string // name, version and settings of each
	names   []string
	lines   []line
	notes   []string
	others  time.Duration // CPU time of other processes of the machine when it started
}

// line is a row with its figures.
type line struct {
	row
	key    string
	sides  []summary // Roost, and Dovecot when it was there
	cpu    []summary // seconds; nil for all rows of a workload but its first
	peak   []int64   // octets
	repeat int
}

// ratio is Roost/Dovecot, 0 when there is none.
func (l *line) ratio() float64 {
	if len(l.sides) < 2 || l.sides[1].median <= 0 || l.sides[0].median < 0 {
		return 0
	}
	return l.sides[0].median / l.sides[1].median
}

// met says whether the row reaches what is asked of it; known is false without Dovecot for a ratio.
func (l *line) met() (met, known bool) {
	t, r := l.target, l.ratio()
	if (t.atMost > 0 || t.atLeast > 0) && r == 0 {
		return false, false
	}
	return (t.atMost == 0 || r <= t.atMost) && (t.atLeast == 0 || r >= t.atLeast) && (t.limit == 0 || l.sides[0].median <= t.limit), true
}

// asked is the target as the page shows it.
func (l *line) asked() string {
	var parts []string
	if l.target.atMost > 0 {
		parts = append(parts, fmt.Sprintf("≤ %g", l.target.atMost))
	}
	if l.target.atLeast > 0 {
		parts = append(parts, fmt.Sprintf("≥ %g", l.target.atLeast))
	}
	if l.target.limit > 0 {
		parts = append(parts, "≤ "+l.unit(l.target.limit))
	}
	return strings.Join(parts, ", ")
}

func newReport(o *options, work string, sides []*side) *report {
	r := &report{opt: o, started: time.Now(), machine: machine(work), others: othersTime(sides)}
	for _, s := range sides {
		r.names = append(r.names, s.name())
		r.servers = append(r.servers, fmt.Sprintf("%s: %s.", s.version(), s.setting()))
	}
	return r
}

func (r *report) add(m *measured) {
	for i, row := range m.rows {
		l := line{row: row, key: m.key}
		for _, s := range m.sides {
			l.sides = append(l.sides, summarize(s.values[i]))
			l.repeat = len(s.values[i])
			l.peak = append(l.peak, s.peak)
			if i == 0 {
				l.cpu = append(l.cpu, summarize(s.cpu))
			}
		}
		r.lines = append(r.lines, l)
	}
	if m.differing != "" {
		r.notes = append(r.notes, fmt.Sprintf("%s: the servers did not answer the same: %s", m.key, m.differing))
	}
}

// finish adds what the logs of the stopped servers say, and how quiet the machine was.
func (r *report) finish(sides []*side) {
	took := time.Since(r.started)
	others := othersTime(sides) - r.others
	r.machine = append(r.machine, fmt.Sprintf("the run took %v, in which other processes of the machine used %.0f %% of its processors",
		took.Round(time.Second), 100*others.Seconds()/took.Seconds()/float64(runtime.NumCPU())))
	for _, s := range sides {
		c := s.complaints()
		if len(c) > 0 {
			r.notes = append(r.notes, fmt.Sprintf("%s logged %d warnings or errors; the first: `%s`", s.name(), len(c), c[0]))
		}
	}
}

// othersTime is the CPU time that neither the servers nor we have used since the machine started.
func othersTime(sides []*side) time.Duration {
	sum := busyTime()
	var us syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &us) == nil {
		sum -= time.Duration(us.Utime.Nano() + us.Stime.Nano())
	}
	for _, s := range sides {
		sum -= s.cpu()
	}
	return sum
}

func (r *report) markdown() string {
	var b strings.Builder
	w := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	w("%s, made by `go run . %s` in `bench/`.\n\n", r.started.Format("2 January 2006"), r.command())
	for _, m := range append(r.machine, r.servers...) {
		w("- %s\n", m)
	}
	w("\nEach figure is the median of the repetitions (n) with the smallest and the largest in parentheses. The ratio is Roost/Dovecot of the medians.")
	w(" CPU is the time used by all processes of the server in one repetition, memory the most that was seen of all of them (PSS).\n\n")
	if len(r.names) == 2 {
		w("![Ratios](%s)\n\n| workload | Roost | Dovecot | n | ratio | target | | CPU s | peak MB |\n|---|---|---|---|---|---|---|---|---|\n", r.opt.plotName())
	} else {
		w("Dovecot was not there: no ratios.\n\n| workload | Roost | n | target | | CPU s | peak MB |\n|---|---|---|---|---|---|---|\n")
	}
	for _, l := range r.lines {
		cells := []string{l.name}
		for _, s := range l.sides {
			cells = append(cells, fmt.Sprintf("%s (%s–%s)", l.unit(s.median), l.unit(s.min), l.unit(s.max)))
		}
		cells = append(cells, fmt.Sprint(l.repeat))
		if len(r.names) == 2 {
			cells = append(cells, fmt.Sprintf("**%s**", ratioText(l.ratio())))
		}
		cells = append(cells, l.asked(), l.verdict(), l.cpuText(), l.peakText())
		w("| %s |\n", strings.Join(cells, " | "))
	}
	r.summary(w)
	return b.String()
}

// summary says in words what was missed and what was odd.
func (r *report) summary(w func(format string, args ...any)) {
	var missed []string
	known := 0
	for _, l := range r.lines {
		met, sure := l.met()
		if sure {
			known++
		}
		if sure && !met {
			missed = append(missed, fmt.Sprintf("%s: %s, asked %s", l.name, l.reached(), l.asked()))
		}
	}
	w("\n%d of %d targets are reached.", known-len(missed), known)
	if len(missed) > 0 {
		w(" Missed:\n\n- %s", strings.Join(missed, "\n- "))
	}
	if len(r.notes) > 0 {
		w("\n\nRemarkable:\n\n- %s", strings.Join(r.notes, "\n- "))
	}
	w("\n")
}

// reached is Roost's figure of what the target asks.
func (l *line) reached() string {
	var parts []string
	if l.target.atMost > 0 || l.target.atLeast > 0 {
		parts = append(parts, "ratio "+ratioText(l.ratio()))
	}
	if l.target.limit > 0 {
		parts = append(parts, l.unit(l.sides[0].median))
	}
	return strings.Join(parts, ", ")
}

func (l *line) verdict() string {
	switch met, known := l.met(); {
	case !known:
		return ""
	case met:
		return "✓"
	}
	return "missed"
}

func (l *line) cpuText() string {
	var parts []string
	for _, c := range l.cpu {
		parts = append(parts, fmt.Sprintf("%.2f", c.median))
	}
	return strings.Join(parts, " / ")
}

func (l *line) peakText() string {
	var parts []string
	for _, p := range l.peak {
		parts = append(parts, fmt.Sprint((p+1<<19)>>20))
	}
	return strings.Join(parts, " / ")
}

func ratioText(r float64) string {
	switch {
	case r == 0:
		return "–"
	case r < 0.1:
		return fmt.Sprintf("%.3f", r)
	}
	return fmt.Sprintf("%.2f", r)
}

// command is what makes this run again; the directories are the caller's own business.
func (r *report) command() string {
	o := r.opt
	if o.search {
		text := fmt.Sprintf("-search -messages %d -seed %d -reps %d -budget %v -needles %d -compared %d -xapian %d",
			o.messages, o.seed, o.reps, o.budget, o.needles, o.compared, o.xapian)
		if o.only != "" {
			text += fmt.Sprintf(" -run '%s'", o.only)
		}
		return text
	}
	text := fmt.Sprintf("-messages %d -seed %d -reps %d -budget %v -idle %d -idle-dovecot %d -mixed %v -logins %v",
		o.messages, o.seed, o.reps, o.budget, o.idle, o.idleMost, o.mixed, o.loginTime)
	if o.corpus != "" {
		text += " -corpus " + o.corpus
	}
	if o.only != "" {
		text += fmt.Sprintf(" -run '%s'", o.only)
	}
	return text
}

// unit shows a figure.
type unit func(float64) string

func seconds(v float64) string {
	switch {
	case v < 0.0995:
		return fmt.Sprintf("%.2f ms", v*1e3)
	case v < 0.995:
		return fmt.Sprintf("%.0f ms", v*1e3)
	}
	return fmt.Sprintf("%.2f s", v)
}

func rate(v float64) string { return fmt.Sprintf("%.0f/s", v) }

func octets(v float64) string {
	if v >= 10<<10 {
		return fmt.Sprintf("%.0f KiB", v/(1<<10))
	}
	return fmt.Sprintf("%.0f B", v)
}

// machine describes what this runs on.
func machine(work string) []string {
	var u syscall.Utsname
	syscall.Uname(&u)
	release := []byte{}
	for _, c := range u.Release {
		if c == 0 {
			break
		}
		release = append(release, byte(c))
	}
	system := field("/etc/os-release", "PRETTY_NAME", "=")
	return []string{
		fmt.Sprintf("%d × %s, %s of memory, %s, Linux %s, %s", runtime.NumCPU(), field("/proc/cpuinfo", "model name", ":"),
			memTotal(), strings.Trim(system, `"`), release, runtime.Version()),
		fmt.Sprintf("mail on %s; writing 4 KB into a new file and fsync takes %s (median of 50)", fileSystem(work), seconds(syncTime(work))),
	}
}

// field is the value of a key in a file of lines.
func field(file, key, separator string) string {
	f, err := os.Open(file)
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if k, v, ok := strings.Cut(s.Text(), separator); ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return "unknown"
}

func memTotal() string {
	var kib int64
	fmt.Sscan(field("/proc/meminfo", "MemTotal", ":"), &kib)
	return fmt.Sprintf("%d GB", (kib+1<<19)>>20)
}

func fileSystem(dir string) string {
	out, err := exec.Command("findmnt", "-n", "-o", "FSTYPE", "-T", dir).Output()
	if err != nil {
		return "an unknown file system"
	}
	return strings.TrimSpace(string(out))
}

func syncTime(dir string) float64 {
	var times []time.Duration
	for range 50 {
		path := filepath.Join(dir, "sync")
		start := time.Now()
		f, err := os.Create(path)
		if err != nil {
			return 0
		}
		f.Write(make([]byte, 4<<10))
		f.Sync()
		f.Close()
		times = append(times, time.Since(start))
		os.Remove(path)
	}
	slices.Sort(times)
	return times[len(times)/2].Seconds()
}
