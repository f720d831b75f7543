package peertest

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// takeoverBoxes are made by one server and found by the other.
var takeoverBoxes = []string{"INBOX", "Projects.2024", "B&APw-ro", "Empty"}

// furnish makes folders, subscriptions and mail with flags, keywords, gaps in the UIDs and a copy.
func furnish(t *testing.T, c *client) {
	t.Helper()
	for _, box := range takeoverBoxes[1:] {
		c.must(t, "CREATE "+box)
	}
	c.must(t, "SUBSCRIBE Projects.2024")
	c.must(t, "SUBSCRIBE B&APw-ro")
	c.must(t, "SUBSCRIBE Empty")
	c.must(t, "UNSUBSCRIBE Empty")
	for i, box := range takeoverBoxes[:3] {
		for n := range 6 {
			flags := []string{"", `(\Seen)`, `(\Flagged)`, `(\Answered First)`}[n%4]
			c.must(t, fmt.Sprintf(`APPEND %s %s "0%d-Feb-2024 03:04:05 +0000"`, box, flags, n+1), crlf(letter(fmt.Sprintf("%s %d", box, n), i*20+n)))
		}
		c.must(t, "SELECT "+box)
		c.must(t, `STORE 2,4 +FLAGS (First NonJunk \Draft $Forwarded)`)
		c.must(t, `STORE 3,6 +FLAGS (\Deleted)`)
		c.must(t, `EXPUNGE`)
		c.must(t, `STORE 1 +FLAGS (\Deleted)`)
	}
	c.must(t, "COPY 2 INBOX")
	c.must(t, "UNSELECT")
}

// ready are the folders that roost makes for a user who has none of them.
var ready = []string{"Drafts", "Sent", "Trash", "Junk", "Archive"}

// inventory is everything a client keeps about an account.
func inventory(t *testing.T, c *client) string {
	t.Helper()
	var b strings.Builder
	for _, command := range []string{`LIST "" *`, `LSUB "" *`} {
		var names []string
		for _, l := range c.must(t, command) {
			name := strings.Trim(l[strings.LastIndexByte(l, ' ')+1:], `"`)
			if !slices.Contains(ready, name) {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		fmt.Fprintln(&b, command, names)
	}
	for _, box := range takeoverBoxes {
		m, err := c.read(box)
		must(t, err)
		fmt.Fprintf(&b, "%s %s", box, m.text())
		for _, msg := range m.messages {
			fmt.Fprintf(&b, "%s body of UID %d %x\n", box, msg.uid, sha256.Sum256([]byte(msg.body)))
		}
	}
	c.logout(t)
	return b.String()
}

// differences shows the lines that are not in both texts.
func differences(want, got string) string {
	wants, gots := strings.Split(want, "\n"), strings.Split(got, "\n")
	var b strings.Builder
	for _, l := range wants {
		if !slices.Contains(gots, l) {
			fmt.Fprintln(&b, "-", l)
		}
	}
	for _, l := range gots {
		if !slices.Contains(wants, l) {
			fmt.Fprintln(&b, "+", l)
		}
	}
	return b.String()
}

// TestTakeover moves an account from Dovecot to roost, loses roost's state, and goes back to Dovecot; and the other way round.
func TestTakeover(t *testing.T) {
	for _, from := range []string{"dovecot", "roost"} {
		t.Run("from "+from, func(t *testing.T) {
			d := newDovecot(t)
			r := d.roost()
			sides := map[string]func(string) *client{"dovecot": d.client, "roost": r.client}
			old := sides[from]
			other := map[string]string{"dovecot": "roost", "roost": "dovecot"}[from]
			c := old(from)
			furnish(t, c)
			c.logout(t)
			want := inventory(t, old(from))
			contains(t, from, want, "LSUB \"\" * [B&APw-ro Projects.2024]\n", "UIDNEXT 8", "First", "NonJunk", `\Deleted`)
			if got := inventory(t, sides[other](other)); got != want {
				t.Errorf("%s took over from %s:\n%s", other, from, differences(want, got))
			}
			r.stop()
			must(t, os.RemoveAll(filepath.Join(r.state, "mail")))
			r.start()
			for _, side := range []string{"roost", "dovecot"} {
				if got := inventory(t, sides[side](side)); got != want {
					t.Errorf("%s after roost lost its state:\n%s", side, differences(want, got))
				}
			}
		})
	}
}
