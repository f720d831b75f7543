package imap

import (
	"slices"
	"strings"
	"testing"
)

// Every capability can be turned off but these, and what parts says of it exists.
func TestParts(t *testing.T) {
	fixed := []string{"IMAP4rev1", "STARTTLS", "LOGINDISABLED"} // the base; listen.imap, tls and auth.plaintext are for these
	for _, c := range capabilityTable {
		_, ok := parts[strings.ToUpper(c.name)]
		if want := !slices.Contains(fixed, c.name); ok != want {
			t.Errorf("%s can be disabled: %v, want %v", c.name, ok, want)
		}
		if err := CheckDisable(strings.ToLower(c.name)); (err == nil) != ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	known := func(name string) bool {
		return slices.ContainsFunc(capabilityTable, func(c capability) bool { return strings.ToUpper(c.name) == name })
	}
	command := func(name string) bool { _, ok := commands[name]; return ok }
	for name, p := range parts {
		if !known(name) {
			t.Errorf("%s is no capability", name)
		}
		for _, other := range p.needs {
			if !known(other) {
				t.Errorf("%s needs %s, which is no capability", name, other)
			}
		}
		for _, c := range p.commands {
			if !command(c) {
				t.Errorf("%s has %s, which is no command", name, c)
			}
		}
		for _, w := range p.words {
			if c, word, ok := strings.Cut(w, " "); !ok || word != strings.ToUpper(word) || !command(c) && !command("UID "+c) {
				t.Errorf("%s has %q, which is no command and a word", name, w)
			}
		}
	}
	if err := CheckDisable("QRSYNC"); err == nil || !strings.Contains(err.Error(), "README") {
		t.Errorf("a slip of the pen: %v", err)
	}
}

// With everything turned off the rest is a server that a client of 1996 can use.
func TestDisableAll(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, func(o *Options) {
		for name := range parts {
			o.Disable = append(o.Disable, name)
		}
	})
	ts.deliver("", "cur", ":2,", "Subject: one\n\nbody\n")
	tc := ts.connect()
	if got := tc.line(); got != "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] mail.example.org Roost ready" {
		t.Errorf("greeting %q", got)
	}
	if _, got := tc.cmd("LOGIN user secret"); got != "OK [CAPABILITY IMAP4rev1] Logged in" {
		t.Errorf("login %q", got)
	}
	for name, p := range parts {
		for _, c := range p.commands {
			if _, got := tc.cmd("%s", c); !strings.HasPrefix(got, "BAD Unknown command") {
				t.Errorf("%s without %s: %s", c, name, got)
			}
		}
	}
	for _, l := range tc.ok("SELECT INBOX") {
		for _, word := range []string{"MODSEQ", "MAILBOXID"} {
			if strings.Contains(l, word) {
				t.Errorf("SELECT says %q", l)
			}
		}
	}
	for _, c := range []string{"FETCH 1 FULL", "STORE 1 +FLAGS (\\Seen)", "SEARCH SUBJECT one", "UID SEARCH UID 1", "COPY 1 INBOX", "LIST \"\" *", "LSUB \"\" *",
		"STATUS INBOX (MESSAGES UIDNEXT)", "CREATE box", "APPEND box {1+}\r\nx", "EXPUNGE", "CLOSE"} {
		tc.ok("%s", c)
	}
}
