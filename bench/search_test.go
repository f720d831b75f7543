package main

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestSearch measures searches of little mail in all ways. All that claim so have to find the same; fts-xapian does as it can.
func TestSearch(t *testing.T) {
	if _, err := os.Stat(dovecotPath); err != nil {
		if os.Getenv("ROOST_REQUIRE_PEERS") != "" {
			t.Fatal(err)
		}
		t.Skipf("no Dovecot: %v", err)
	}
	o := small(t, "-search", "-messages", "300", "-needles", "2", "-compared", "2", "-xapian", "20", "-budget", "1m")
	r, err := compareSearch(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	page := r.markdown()
	for i, c := range classes() {
		row := r.rows[i]
		if row.key != c.key || !strings.Contains(page, "| "+c.name+" | ") {
			t.Fatalf("no row for %q", c.key)
		}
		for w, a := range row.by {
			if _, err := os.Stat(xapianPath); way(w) == xapians && err != nil {
				continue
			}
			// Dovecot looks into the tags of HTML as well, where links have words and random characters.
			asRead := way(w) != xapians && (way(w) != dovecots || slices.Contains(nowhereElse, c.key))
			if same, of := row.same(way(w)); of != 2 || same != of && asRead {
				t.Errorf("%s: %d of %d answers of way %d are right: %+v, not %+v; %q", c.key, same, of, w, a.found, row.by[scanned].found, row.commands)
			}
			for _, took := range a.took {
				if took <= 0 {
					t.Errorf("%s: an answer of way %d took %v", c.key, w, took)
				}
			}
		}
	}
	// What is picked from messages is in them.
	for _, r := range r.rows {
		switch r.key {
		case "name", "address", "id", "id-part", "url", "subject", "umlauts", "phrase", "cjk":
			for i, f := range r.by[scanned].found {
				if f.n == 0 {
					t.Errorf("%s: nothing found by %q", r.key, r.commands[i+1])
				}
			}
		case "absent":
			for i, f := range r.by[scanned].found {
				if f.n > 0 {
					t.Errorf("%s: %d found by %q", r.key, f.n, r.commands[i+1])
				}
			}
		}
	}
	for _, f := range r.facts {
		if f.value <= 0 || !strings.Contains(page, "| "+f.name+" | ") {
			t.Errorf("%s: %v", f.name, f.value)
		}
	}
	if left := family(os.Getpid()); len(left) > 1 {
		t.Errorf("processes %v are left", left[1:])
	}
	if left, err := os.ReadDir(o.work); err != nil || len(left) > 0 {
		t.Errorf("left in the directory: %v, %v", left, err)
	}
}

// nowhereElse are the classes whose needles are not in tags.
var nowhereElse = []string{"name", "address", "id", "id-part", "subject", "umlauts", "absent", "phrase", "cjk"}

// TestProse makes the same messages twice, in another order, and looks whether they have what they are said to have.
func TestProse(t *testing.T) {
	p := newProse()
	first := make([]string, 300)
	a, b := &author{seed: 7}, &author{seed: 7}
	for i := range first {
		first[i] = string(p.write(a, i, len(first)).text)
	}
	octets := p.octets.Load()
	if mean := octets / int64(len(first)); mean < 5500 || mean > 8500 {
		t.Errorf("%d octets of text a message", mean)
	}
	scripts := map[script]int{}
	for i := len(first) - 1; i >= 0; i-- {
		m, l := p.compose(b, i, len(first))
		if string(m.text) != first[i] {
			t.Fatalf("message %d is another one", i)
		}
		octets -= int64(l.octets)
		scripts[l.has.script]++
		if !strings.Contains(first[i], "<"+l.has.from+">") || !strings.Contains(first[i], "Message-ID: <"+l.has.id+">\n") {
			t.Errorf("message %d is not from %s, or not %s", i, l.has.from, l.has.id)
		}
		if !utf8.ValidString(l.has.text) || strings.Contains(l.has.text, "\r") {
			t.Errorf("the text of message %d: %q", i, l.has.text)
		}
	}
	if octets != 0 || len(scripts) != 4 {
		t.Errorf("%d octets too many, scripts %v", octets, scripts)
	}
}

// TestSearchCommand looks at needles: none may end the string it is in.
func TestSearchCommand(t *testing.T) {
	p := newProse()
	k := &picker{p, &author{seed: 1}, rand.New(rand.NewPCG(1, 1)), 1000}
	for _, c := range classes() {
		others := map[string]bool{}
		for range 50 {
			command := c.pick(k)
			others[command] = true
			if strings.Contains(command, "%") || strings.Contains(command, `\`) || strings.Contains(command, `""`) || strings.Contains(command, "{0+}") {
				t.Errorf("%s: %q", c.key, command)
			}
			if ascii := strings.IndexFunc(command, func(r rune) bool { return r >= utf8.RuneSelf }) < 0; ascii == strings.Contains(command, "CHARSET") {
				t.Errorf("%s: %q", c.key, command)
			}
		}
		if len(others) < 20 {
			t.Errorf("%s: only %d different ones of 50", c.key, len(others))
		}
	}
	for text, want := range map[string]found{
		"* SEARCH\r\nzQ1x OK\r\n":                                  {},
		"* SEARCH 1 2 30\r\nzQ1x OK\r\n":                           {n: 3},
		"* OK [INPROGRESS] wait\r\n* SEARCH 7\r\nzQ1x OK done\r\n": {n: 1},
	} {
		if got := look(text, 2); got.n != want.n {
			t.Errorf("%q: %d", text, got.n)
		}
	}
	if a, b := look("* SEARCH 1 2 30\r\n", 2), look("* SEARCH 1 2\r\n", 2); a.sum == b.sum || a.first != b.first {
		t.Errorf("%+v and %+v", a, b)
	}
}

// TestTree measures twice in one directory: the second time nothing is made, and the same is found.
func TestTree(t *testing.T) {
	o := small(t, "-search", "-messages", "100", "-needles", "2", "-compared", "2", "-no-dovecot", "-budget", "1m", "-run", "^(rare|phrase)$")
	o.tree = filepath.Join(o.work, "tree")
	var first []found
	var made []os.FileInfo
	for i := range 2 {
		r, err := compareSearch(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		var all []found
		for _, row := range r.rows {
			if same, of := row.same(indexed); same != 2 || of != 2 {
				t.Errorf("run %d, %s: %d of %d answers are right", i, row.key, same, of)
			}
			all = append(all, row.by[indexed].found...)
		}
		segments, err := filepath.Glob(filepath.Join(o.tree, "roost/state/users", mainUser, "search/*.seg"))
		if err != nil || len(segments) == 0 {
			t.Fatalf("no index: %v", err)
		}
		info, err := os.Stat(segments[0])
		if err != nil {
			t.Fatal(err)
		}
		if made = append(made, info); i == 0 {
			first = all
		} else if !slices.Equal(all, first) {
			t.Errorf("found are %+v, before %+v", all, first)
		}
		built := slices.ContainsFunc(r.facts, func(f fact) bool { return f.name == "full build" })
		if built != (i == 0) || r.octets == 0 {
			t.Errorf("run %d: built is %v, %d octets of text", i, built, r.octets)
		}
	}
	if !os.SameFile(made[0], made[1]) {
		t.Error("the index was built twice")
	}
}
