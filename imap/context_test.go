package imap

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"roost/imap/wire"
)

// follower is a client that keeps the results of searches by what it is told, as RFC 5267 §4.3 says.
type follower struct {
	t       *testing.T
	c       *testClient
	results map[string][]int // by tag
	sorted  map[string]bool
	exists  int
}

var (
	esearchLine = regexp.MustCompile(`^\* ESEARCH \(TAG "(\w+)"\)( UID)?(.*)$`)
	updateItem  = regexp.MustCompile(` (ADDTO|REMOVEFROM) \(([^)]*)\)`)
)

// hear takes untagged responses.
func (f *follower) hear(lines []string) {
	f.t.Helper()
	for _, line := range lines {
		var n int
		if k, _ := fmt.Sscanf(line, "* %d EXPUNGE", &n); k == 1 && strings.HasSuffix(line, "EXPUNGE") {
			f.exists--
			for tag, list := range f.results {
				if slices.Contains(list, n) && tag[0] == 'n' {
					f.t.Fatalf("%d is expunged and still in %s: %v", n, tag, list)
				}
				for i := range list {
					if tag[0] == 'n' && list[i] > n {
						list[i]--
					}
				}
			}
		} else if strings.HasSuffix(line, "EXISTS") {
			fmt.Sscanf(line, "* %d", &f.exists)
		}
		m := esearchLine.FindStringSubmatch(line)
		if m == nil || m[1][0] == 't' { // an answer
			continue
		}
		if _, ok := f.results[m[1]]; !ok || (m[2] != "") != (m[1][0] == 'u') {
			f.t.Fatalf("what is %q", line)
		}
		for _, item := range updateItem.FindAllStringSubmatch(m[3], -1) {
			words := strings.Fields(item[2])
			for i := 0; i < len(words); i += 2 {
				at, err := strconv.Atoi(words[i])
				if err != nil || (at == 0) == f.sorted[m[1]] {
					f.t.Fatalf("place %q in %q", words[i], line)
				}
				f.update(m[1], item[1] == "ADDTO", at, expandSet(f.t, words[i+1]), line)
			}
		}
	}
}

func (f *follower) update(tag string, add bool, at int, nums []int, line string) {
	f.t.Helper()
	list := f.results[tag]
	switch {
	case add && at > 0:
		list = slices.Insert(list, at-1, nums...)
	case add:
		list = append(list, nums...)
		slices.Sort(list)
	case at > 0:
		if !slices.Equal(list[at-1:at-1+len(nums)], nums) {
			f.t.Fatalf("%q of %v", line, list)
		}
		list = slices.Delete(list, at-1, at-1+len(nums))
	default:
		for _, n := range nums {
			i := slices.Index(list, n)
			if i < 0 {
				f.t.Fatalf("%q of %v", line, list)
			}
			list = slices.Delete(list, i, i+1)
		}
	}
	if tag[0] == 'n' && slices.ContainsFunc(list, func(n int) bool { return n > f.exists }) {
		f.t.Fatalf("%q when there are %d messages", line, f.exists)
	}
	f.results[tag] = list
}

// expandSet lists a sequence set.
func expandSet(t *testing.T, set string) (nums []int) {
	t.Helper()
	for part := range strings.SplitSeq(set, ",") {
		a, b, isRange := strings.Cut(part, ":")
		from, err := strconv.Atoi(a)
		to := from
		if isRange && err == nil {
			to, err = strconv.Atoi(b)
		}
		if err != nil || to < from {
			t.Fatalf("set %q", set)
		}
		for n := from; n <= to; n++ {
			nums = append(nums, n)
		}
	}
	return nums
}

// allResults takes the results of a command with RETURN (ALL).
func allResults(t *testing.T, lines []string) []int {
	t.Helper()
	for _, line := range lines {
		if m := esearchLine.FindStringSubmatch(line); m != nil {
			if _, set, ok := strings.Cut(m[3], " ALL "); ok {
				return expandSet(t, set)
			}
		}
	}
	return nil
}

// TestContextReplay changes a mailbox at random and has a client follow searches: what it keeps must be what a new search says, after everything.
func TestContextReplay(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	ts := newTestServer(t, nil)
	message := func() string {
		return fmt.Sprintf("Subject: %s%c\n\n%s\n", []string{"", "Re: "}[rng.IntN(2)], 'a'+rng.IntN(8), []string{"needle", "hay"}[rng.IntN(2)])
	}
	for range 12 {
		ts.deliver("", "cur", ":2,"+[]string{"", "F"}[rng.IntN(2)], message())
	}
	f := &follower{t: t, c: ts.login(), results: map[string][]int{}, sorted: map[string]bool{}}
	other := ts.login()
	f.hear(f.c.ok("SELECT INBOX"))
	other.ok("SELECT INBOX")
	commands := []string{
		"SEARCH RETURN (%s) FLAGGED", "SEARCH RETURN (%s) OR KEYWORD later BODY needle", "SEARCH RETURN (%s) UNFLAGGED NOT KEYWORD later",
		"SEARCH RETURN (%s) TEXT needle UID 5:*",
		"SORT RETURN (%s) (SUBJECT) UTF-8 FLAGGED", "SORT RETURN (%s) (REVERSE SUBJECT SIZE) UTF-8 ALL", "SORT RETURN (%s) (REVERSE DATE SUBJECT) UTF-8 NOT KEYWORD later",
	}
	again := map[string]string{}
	for i, command := range commands {
		for _, form := range []string{"n%d", "u%d"} {
			tag, uid := fmt.Sprintf(form, i), ""
			if form[0] == 'u' {
				uid = "UID "
			}
			f.c.send(tag + " " + uid + fmt.Sprintf(command, "UPDATE ALL") + "\r\n")
			var lines []string
			for {
				line := f.c.line()
				if strings.HasPrefix(line, tag+" OK") {
					break
				}
				lines = append(lines, line)
			}
			f.results[tag], f.sorted[tag] = allResults(t, lines), strings.HasPrefix(command, "SORT")
			again[tag] = uid + fmt.Sprintf(command, "ALL")
		}
	}
	for step := range 120 {
		who := []*testClient{f.c, other}[rng.IntN(2)]
		var lines []string
		for range 1 + rng.IntN(3) {
			switch rng.IntN(6) {
			case 0:
				ts.deliver("", []string{"new", "cur"}[rng.IntN(2)], "", message())
			case 1:
				news, _ := who.cmd("UID STORE %d +FLAGS (\\Deleted)", 1+rng.IntN(40))
				lines = append(lines, news...)
				lines = append(lines, who.ok("EXPUNGE")...)
			case 2:
				text := message()
				lines = append(lines, who.ok("APPEND INBOX (\\Flagged) {%d+}\r\n%s", len(text), text)...)
			default:
				news, _ := who.cmd("UID STORE %d:%d %cFLAGS%s (%s)", 1+rng.IntN(40), 1+rng.IntN(40), "+-"[rng.IntN(2)],
					[]string{"", ".SILENT"}[rng.IntN(2)], []string{`\Flagged`, "later", `\Seen`}[rng.IntN(3)]) // NO when some are gone
				lines = append(lines, news...)
			}
		}
		if who == f.c {
			f.hear(lines)
		}
		f.hear(f.c.ok("NOOP"))
		for tag, command := range again {
			lines := f.c.ok("%s", command)
			want := allResults(t, lines)
			if !slices.Equal(f.results[tag], want) {
				t.Fatalf("step %d: %s %s:\nthe client has %v\nnow it is       %v", step, tag, command, f.results[tag], want)
			}
		}
	}
}

// TestContextMemory: what is held of results has an end, but one search is followed whatever it finds (RFC 5267 §4.3.1).
func TestContextMemory(t *testing.T) {
	var out strings.Builder
	s := &session{enc: wire.NewEncoder(&out), view: &view{}}
	follow := func(tag string, results int) string {
		out.Reset()
		s.follow(&command{tag: tag, name: "UID SEARCH"}, nil, &wire.KeyAnd{}, nil, sorted{uids: make([]uint32, results)})
		if err := s.enc.Flush(); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	for _, c := range []struct {
		tag     string
		results int
		refused bool
	}{{"a", 2 * maxResults, false}, {"b", 1, true}, {"c", 0, true}} {
		if got := follow(c.tag, c.results); (got != "") != c.refused {
			t.Errorf("%s: %q", c.tag, got)
		}
	}
	s.view.contexts = nil
	for i := range 4 {
		follow(strconv.Itoa(i), maxResults/3)
	}
	if n := len(s.view.contexts); n != 3 {
		t.Errorf("%d searches are followed", n)
	}
}
