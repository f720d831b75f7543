package peertest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFetchmail fetches an INBOX for a delivery agent, first leaving it as it is, then emptying it.
func TestFetchmail(t *testing.T) {
	fetchmail := need(t, "fetchmail")
	b := newBox(t)
	b.wellKnown()
	r := startRoost(t, b.root)
	home := t.TempDir()
	got := filepath.Join(home, "got")
	// Headers are folded and added by fetchmail itself; bodies have to come through.
	mda := write(t, filepath.Join(home, "mda"), "#!/bin/sh\n{ echo '-- mail'; cat; } >> "+got+"\n")
	must(t, os.Chmod(mda, 0o700))
	fetch := func(port, options string) (out string, mails, status int) {
		t.Helper()
		os.Remove(got)
		rc := write(t, filepath.Join(home, "fetchmailrc"), fmt.Sprintf(`poll localhost protocol imap port %s user "%s" password "%s" mda "%s" %s`,
			port, login, password, mda, options))
		out, status = program{home: home, env: []string{"FETCHMAILHOME=" + home}, args: []string{fetchmail, "-f", rc, "--nosyslog", "--nodetach", "-v"}}.try(t)
		mail, _ := os.ReadFile(got)
		if mails = strings.Count(string(mail), "-- mail\n"); mails > 0 {
			contains(t, "fetched", string(mail), "Grüße aus dem Körper")
		}
		return out, mails, status
	}
	flags := []string{flagsOf(b.file("", "second")), flagsOf(b.file("", "third"))}

	if out, n, status := fetch(r.port, `fetchall keep sslproto ""`); n != 4 || status != 0 {
		t.Fatalf("fetching all: %d messages, status %d\n%s", n, status, out)
	}
	if now := []string{flagsOf(b.file("", "second")), flagsOf(b.file("", "third"))}; fmt.Sprint(now) != fmt.Sprint(flags) || len(b.files("")) != 4 {
		t.Errorf("flags were %q, are %q", flags, now)
	}
	if out, n, status := fetch(r.port, `keep sslproto ""`); n != 0 || status != 1 {
		t.Errorf("nothing new: %d messages, status %d, want none and 1\n%s", n, status, out)
	}
	b.deliver("", "", letter("news", 2))
	if out, n, status := fetch(r.tlsPort, `ssl sslcertfile `+r.certificate()+` folder INBOX nokeep`); n != 1 || status != 0 {
		t.Errorf("news by TLS: %d messages, status %d\n%s", n, status, out)
	}
	if n := len(b.files("")); n != 4 {
		t.Errorf("%d messages are left, want 4", n)
	}
	if out, n, status := fetch(r.port, `fetchall flush expunge 2 sslproto ""`); len(b.files("")) != 0 {
		t.Errorf("emptying: %d fetched, status %d, left %q\n%s", n, status, b.files(""), out)
	}
}
