package main

import (
	"fmt"
	"slices"
	"strings"
)

// searchReport is what is known of searches; it becomes a section of the page.
type searchReport struct {
	*report
	octets int64 // of decoded text
	facts  []fact
	rows   []*searchRow
}

// fact is a figure of the index.
type fact struct {
	name    string
	unit    unit
	value   float64
	atMost  float64 // 0: nothing is asked
	atLeast float64
	peer    float64 // the same of fts-xapian, 0 if unknown
}

// searchRow is a class of searches with what came of them.
type searchRow struct {
	*class
	commands []string // the first only warms up
	by       [ways]answers
}

func newSearchReport(o *options, work string, sides []*side, octets int64) *searchReport {
	return &searchReport{report: newReport(o, work, sides), octets: octets}
}

func (r *searchReport) fact(f fact) { r.facts = append(r.facts, f) }

// peerFacts are facts, by name, of fts-xapian.
func (r *searchReport) peerFacts(values map[string]float64) {
	for i := range r.facts {
		r.facts[i].peer = values[r.facts[i].name]
	}
}

// same is how many answers are those of Roost without an index, of how many that both were asked for.
func (r *searchRow) same(w way) (same, of int) {
	want, have := r.by[scanned].found, r.by[w].found
	for i := range min(len(want), len(have)) {
		equal := want[i].sum == have[i].sum
		if w == xapians {
			equal = want[i].first == have[i].first
		}
		if of++; equal && !have[i].failed {
			same++
		}
	}
	return same, of
}

// p99 is the 99th percentile of the times with the index.
func (r *searchRow) percentile99() float64 {
	v := slices.Sorted(slices.Values(r.by[indexed].took))
	return v[max(0, (len(v)*99+99)/100-1)]
}

// met tells whether the targets are reached.
func (r *searchRow) met() bool {
	return summarize(r.by[indexed].took).median <= r.median && (r.p99 == 0 || r.percentile99() <= r.p99)
}

func (r *searchRow) asked() string {
	if r.p99 == 0 {
		return "≤ " + seconds(r.median)
	}
	return fmt.Sprintf("≤ %s, ≤ %s", seconds(r.median), seconds(r.p99))
}

// cell is the median of a way with how many answers are right.
func (r *searchRow) cell(w way) string {
	a := &r.by[w]
	if len(a.took) == 0 {
		return "–"
	}
	text := fmt.Sprintf("%s (%d)", seconds(summarize(a.took).median), len(a.took))
	if same, of := r.same(w); w != scanned && of > 0 {
		text += fmt.Sprintf(", %d/%d", same, of)
	}
	return text
}

func (f *fact) asked() string {
	switch {
	case f.atMost > 0:
		return "≤ " + f.unit(f.atMost)
	case f.atLeast > 0:
		return "≥ " + f.unit(f.atLeast)
	}
	return ""
}

func (f *fact) met() bool { return (f.atMost == 0 || f.value <= f.atMost) && f.value >= f.atLeast }

// mark is what the page shows of a target.
func mark(asked string, met bool) string {
	switch {
	case asked == "":
		return ""
	case met:
		return "✓"
	}
	return "missed"
}

// Targets of searches are asked for targetMessages, and of ten times as many messages in largerFactor times the time.
const (
	targetMessages = 100_000
	largerFactor   = 8
)

// timeFactor is how many times longer than with targetMessages a search may take.
func (o *options) timeFactor() float64 {
	if o.messages > targetMessages {
		return largerFactor
	}
	return 1
}

func (r *searchReport) markdown() string {
	var b strings.Builder
	w := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	w("%s, made by `go run . %s` in `bench/`.\n\n", r.started.Format("2 January 2006"), r.command())
	for _, m := range append(r.machine, r.servers...) {
		w("- %s\n", m)
	}
	w("- %s messages with %d MB of decoded text\n", human(r.opt.messages), r.octets/1e6)
	w("\nThe machine is shared: what others do on it is in all times, most of all in the slowest.\n")
	switch {
	case r.opt.messages > targetMessages:
		w("The targets are those of %s messages, and %d times the time for searches.\n", human(targetMessages), largerFactor)
	case r.opt.messages < targetMessages:
		w("The targets are those of %s messages.\n", human(targetMessages))
	}
	few := human(r.opt.xapian)
	w("\n| index | Roost | target | | fts-xapian, %s messages |\n|---|---|---|---|---|\n", few)
	var missed []string
	notes := slices.Clone(r.notes)
	for _, f := range r.facts {
		peer := ""
		if f.peer > 0 {
			peer = f.unit(f.peer)
		}
		w("| %s | %s | %s | %s | %s |\n", f.name, f.unit(f.value), f.asked(), mark(f.asked(), f.met()), peer)
		if !f.met() {
			missed = append(missed, fmt.Sprintf("%s: %s, asked %s", f.name, f.unit(f.value), f.asked()))
		}
	}
	w("\nEach search has another needle. In parentheses stands how many were asked, after it how many answers were those of Roost without its index, ")
	w("of those that both were asked for. Hits are the median; CPU is of the server, the mean. Dovecot also finds what is in the tags of HTML, and in the addresses of links there.\n\n")
	w("| search | hits | Roost, median | p99 | target | | CPU | without index | Dovecot | fts-xapian, %s messages |\n|---|---|---|---|---|---|---|---|---|---|\n", few)
	for _, row := range r.rows {
		a := &row.by[indexed]
		w("| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", row.name, row.hits(), row.cell(indexed), seconds(row.percentile99()), row.asked(),
			mark(row.asked(), row.met()), seconds(a.cpu/float64(len(a.took))), row.cell(scanned), row.cell(dovecots), row.cell(xapians))
		if !row.met() {
			missed = append(missed, fmt.Sprintf("%s: median %s, p99 %s, asked %s", row.name, seconds(summarize(a.took).median), seconds(row.percentile99()), row.asked()))
		}
		if same, of := row.same(indexed); same < of {
			notes = append(notes, fmt.Sprintf("%s: %d of %d answers with the index are not those without", row.name, of-same, of))
		}
	}
	if len(missed) == 0 {
		w("\nAll targets are reached.")
	} else {
		w("\nMissed:\n\n- %s", strings.Join(missed, "\n- "))
	}
	if len(notes) > 0 {
		w("\n\nRemarkable:\n\n- %s", strings.Join(notes, "\n- "))
	}
	w("\n")
	return b.String()
}

// hits is the median of how many messages were found.
func (r *searchRow) hits() string {
	var n []float64
	for _, f := range r.by[indexed].found {
		n = append(n, float64(f.n))
	}
	return fmt.Sprintf("%.0f", summarize(n).median)
}

// share shows a part of a whole.
func share(v float64) string { return fmt.Sprintf("%.2f", v) }

func mebibytes(v float64) string { return fmt.Sprintf("%.0f MB", v/(1<<20)) }
