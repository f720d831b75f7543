package main

import (
	"fmt"
	"strings"
)

// workload is what is measured, and what it should come out at. To add one, add it to the table.
type workload struct {
	key  string // for -run
	rows []row
	// prepare is called on each side before the first repetition; what it does is not measured. It may be nil.
	prepare func(*side) error
	// sample is one repetition. What it does within meter.time is measured.
	sample func(*side, *meter) (outcome, error)
}

// row is one line of the table of results: a figure of a workload.
type row struct {
	name   string
	unit   unit
	target target
}

// outcome is what a repetition comes to: one value for each row, or none for the wall time in seconds.
type outcome struct {
	values []float64
	same   string // what has to be the same on both servers
}

// target is what Roost should reach, measured as the ratio Roost/Dovecot and as its own figure. Zero means nothing is asked.
type target struct {
	atMost  float64 // ratio
	atLeast float64 // ratio, where more is better
	limit   float64 // Roost's own figure, at most
}

// workloads is the table of the issue that asks for this bench, as far as there are commands for it.
func workloads(o *options) []*workload {
	n, work := human(o.messages), human(min(o.messages, 10_000))
	all := []*workload{
		{key: "first-open", rows: ratio(0.7, "first open of %s never indexed, to SELECT answered", n), sample: restarted("SELECT INBOX", "", true)},
		{key: "select", rows: ratio(0.5, "SELECT of %s, index warm, fresh processes", n), prepare: warmed("INBOX", "NOOP"), sample: restarted("SELECT INBOX", "")},
	}
	for _, f := range []struct{ key, items string }{
		{"flags", "(UID FLAGS)"}, {"envelope", "(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)"}, {"bodystructure", "(BODYSTRUCTURE)"},
	} {
		command := "FETCH 1:* " + f.items
		all = append(all,
			&workload{key: f.key + "-cold", rows: ratio(0.7, "`%s` of %s, nothing cached", command, n), sample: restarted(command, "INBOX", false)},
			&workload{key: f.key, rows: ratio(0.5, "`%s` of %s, warm", command, n), prepare: warmed("INBOX", command), sample: again("INBOX", command, false)})
	}
	all = append(all,
		&workload{key: "body", rows: ratio(0.8, "`FETCH 1:* BODY.PEEK[]` of %s", n), prepare: warmed("INBOX", "FETCH 1:* RFC822.SIZE"),
			sample: again("INBOX", "FETCH 1:* BODY.PEEK[]", false)},
		&workload{key: "body-tls", rows: ratio(0.9, "the same over TLS"), prepare: warmed("INBOX", "FETCH 1:* RFC822.SIZE"),
			sample: again("INBOX", "FETCH 1:* BODY.PEEK[]", true)},
		&workload{key: "partial", rows: ratio(0.5, "25 MB attachment in partials of 64 KiB"), prepare: warmed(largeBox, "FETCH 1 BODYSTRUCTURE"), sample: partials},

		&workload{key: "store", rows: ratio(0.8, "STORE +FLAGS on %s", work), sample: storeFlags},
		&workload{key: "copy", rows: ratio(0.8, "COPY of %s", work), sample: copyAll},
		&workload{key: "move", rows: ratio(0.8, "MOVE of %s", work), sample: moveAll},
		&workload{key: "expunge", rows: ratio(0.8, "EXPUNGE of %s", work), sample: expungeAll},

		&workload{key: "append", rows: ratio(1, "APPEND of 4 KB, 1 client, %d times", o.appends), sample: appends(1, o.appends)},
		&workload{key: "append-20", rows: ratio(0.5, "APPEND of 4 KB, 20 clients, %d times each", o.appends/4), sample: appends(20, o.appends/4)},
		&workload{key: "multiappend", rows: ratio(0.5, "MULTIAPPEND of %s", human(o.multiappend)), sample: multiappend},
	)
	for _, s := range []struct {
		key, what, program string
		target             float64
	}{
		{"search-flag", "flag, ", "UNSEEN NOT ANSWERED", 0.5},
		{"search-date", "date, ", "SINCE 1-Apr-2024 BEFORE 1-May-2024", 0.5},
		{"search-header", "header, ", "SUBJECT invoice", 0.5},
		{"search-size", "size, ", "LARGER 20000", 0.5},
		{"search-text", "no index, ", "1:" + fmt.Sprint(min(o.messages, 10_000)) + " TEXT " + rare, 0.7},
		{"search-body", "no index, ", "1:" + fmt.Sprint(min(o.messages, 10_000)) + " BODY " + rare, 0.7},
	} {
		command := "SEARCH " + s.program
		all = append(all, &workload{key: s.key, rows: ratio(s.target, "%s`%s` of %s", s.what, command, n), prepare: warmed("INBOX", command),
			sample: searched(command)})
	}
	for _, s := range []struct{ key, command string }{
		{"sort-date", "SORT (DATE) UTF-8 ALL"}, {"sort-subject", "SORT (SUBJECT) UTF-8 ALL"}, {"sort-from", "SORT (REVERSE FROM DATE) UTF-8 ALL"},
		{"thread", "THREAD REFERENCES UTF-8 ALL"},
	} {
		all = append(all, &workload{key: s.key, rows: ratio(0.5, "`%s` of %s", s.command, n), prepare: warmed("INBOX", s.command), sample: sorted(s.command)})
	}
	all = append(all,
		&workload{key: "qresync", rows: ratio(0.5, "SELECT with QRESYNC of %s, 10 changed", n), prepare: warmed("INBOX", "NOOP"), sample: reopened},
	)
	perSecond := row{fmt.Sprintf("login + SELECT + LOGOUT, %d clients", o.loginClients), rate, target{atLeast: 3}}
	return append(all,
		&workload{key: "idle", rows: []row{{"delivery into `new/` to IDLE client told", seconds, target{atMost: 0.5, limit: 0.020}}}, sample: deliveries},
		&workload{key: "logins", rows: []row{perSecond}, sample: logins},
		&workload{key: "mixed", rows: []row{
			{fmt.Sprintf("mixed load of %d clients for %v", o.mixedClients, o.mixed), rate, target{atLeast: 2}},
			{"the same, 99th percentile of latency", seconds, target{atMost: 0.5}},
		}, sample: mixed},
		&workload{key: "connections", rows: []row{{idleName(o, ""), octets, target{limit: 20 << 10}}}, sample: connections(false)},
		&workload{key: "connections-tls", rows: []row{{idleName(o, " over TLS"), octets, target{limit: 60 << 10}}}, sample: connections(true)},
		&workload{key: "memory", rows: []row{{fmt.Sprintf("memory of SELECT of %s, per message", n), octets, target{limit: 150}}}, sample: selectMemory},
	)
}

func idleName(o *options, how string) string {
	name := fmt.Sprintf("%s idle connections%s, memory of each", human(o.idle), how)
	if o.idleDovecot() < o.idle {
		name += fmt.Sprintf(" (Dovecot: %s)", human(o.idleDovecot()))
	}
	return name
}

// ratio is one row in seconds.
func ratio(atMost float64, format string, args ...any) []row {
	return []row{{fmt.Sprintf(format, args...), seconds, target{atMost: atMost}}}
}

// human is a count as people write it: 200, 10k, 1M.
func human(n int) string {
	switch {
	case n >= 1_000_000 && n%100_000 == 0:
		return fmt.Sprintf("%gM", float64(n)/1e6)
	case n >= 1_000 && n%100 == 0:
		return fmt.Sprintf("%gk", float64(n)/1e3)
	}
	return fmt.Sprint(n)
}

// restarted measures a command on new processes, in a mailbox that was selected before unless box is empty. With forget what the server knows of
// the mail is removed first, with forget true its UIDs too.
func restarted(command, box string, forget ...bool) func(*side, *meter) (outcome, error) {
	return func(s *side, m *meter) (outcome, error) {
		if err := s.restart(forget...); err != nil {
			return outcome{}, err
		}
		c, err := s.dial(mainUser, false)
		if err != nil {
			return outcome{}, err
		}
		defer c.close()
		if box != "" {
			if _, err := c.do("SELECT %s", box); err != nil {
				return outcome{}, err
			}
		}
		s.settle()
		return timed(c, m, command)
	}
}

// warmed does once what will be measured, so that caches hold it.
func warmed(box, command string) func(*side) error {
	return func(s *side) error {
		c, err := s.open(box, false)
		if err != nil {
			return err
		}
		defer c.close()
		_, err = c.do("%s", command)
		return err
	}
}

// again measures a command that was done before, in a new connection that has selected the mailbox.
func again(box, command string, secure bool) func(*side, *meter) (outcome, error) {
	return func(s *side, m *meter) (outcome, error) {
		c, err := s.open(box, secure)
		if err != nil {
			return outcome{}, err
		}
		defer c.close()
		s.settle()
		return timed(c, m, command)
	}
}

// timed runs a command as the timed part. Servers have to agree on the number of FETCH responses, and on the octets of whole messages; of SELECT
// only on EXISTS, as they may say more or less beside it.
func timed(c *client, m *meter, command string) (outcome, error) {
	var a answer
	err := m.time(func() (err error) {
		a, err = c.do("%s", command)
		return err
	})
	switch {
	case strings.HasPrefix(command, "SELECT"):
		line, _, _ := strings.Cut(a.text, " EXISTS")
		return outcome{same: line[strings.LastIndexByte(line, ' ')+1:]}, err
	case strings.Contains(command, "BODY.PEEK[]"):
		return outcome{same: fmt.Sprint(a.octets)}, err
	}
	return outcome{same: fmt.Sprint(a.untagged)}, err
}

// searched measures a SEARCH, of which servers have to find the same.
func searched(command string) func(*side, *meter) (outcome, error) {
	return func(s *side, m *meter) (outcome, error) {
		c, err := s.open("INBOX", false)
		if err != nil {
			return outcome{}, err
		}
		defer c.close()
		s.settle()
		var found string
		err = m.time(func() error {
			found, err = c.ask("%s", command)
			return err
		})
		line, _, _ := strings.Cut(found[strings.Index(found, "* SEARCH")+1:], "\r\n")
		return outcome{same: line}, err
	}
}
