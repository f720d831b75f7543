package peertest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNeomutt works in an INBOX by key strokes: flags, saves into another folder, deletes, appends a copy; twice, because the second time
// headers come from its cache.
func TestNeomutt(t *testing.T) {
	neomutt := need(t, "neomutt")
	b := newBox(t)
	b.wellKnown()
	r := startRoost(t, b.root)
	home := t.TempDir()
	must(t, os.Mkdir(filepath.Join(home, "cache"), 0o700))
	rc := func(port, scheme string) string {
		return write(t, filepath.Join(home, "muttrc"), fmt.Sprintf(`
set folder="%[1]s://localhost:%[2]s/" spoolfile="%[1]s://localhost:%[2]s/INBOX"
set imap_user="%[3]s" imap_pass="%[4]s" certificate_file="%[5]s"
set ssl_starttls=no ssl_force_tls=no
set header_cache="%[6]s/cache" message_cachedir="%[6]s/cache"
set imap_idle imap_condstore imap_qresync imap_check_subscribed
set confirmcreate=no confirmappend=no delete=yes quit=yes move=no wait_key=no sort=mailbox-order resolve=no mark_old=no pager_stop
set imap_delim_chars="/."
set charset="utf-8" abort_key="\007"
`, scheme, port, login, password, r.certificate(), home))
	}
	keys := func(port, scheme, push string) string {
		t.Helper()
		var screen syncBuffer
		p := program{home: home, tty: terminal(t, &screen), args: []string{neomutt, "-n", "-F", rc(port, scheme), "-e", fmt.Sprintf("push %q", push)}}
		if err := p.start(t, nil)(); err != nil {
			t.Fatalf("neomutt: %v\n%s", err, screen.String())
		}
		return screen.String()
	}

	// The first message is marked, the second saved elsewhere, the third deleted, the fourth copied. Then the changes are written.
	screen := keys(r.port, "imap", "<first-entry><flag-message><next-entry>"+
		"<save-message>=Lists.Go<enter><first-entry><next-entry><next-entry><delete-message>"+
		"<last-entry><copy-message>=Copies<enter><sync-mailbox><quit>")
	subjects := func(folder string) string {
		var all []string
		for _, path := range b.files(folder) {
			text, err := os.ReadFile(path)
			must(t, err)
			_, rest, _ := strings.Cut(string(text), "\nSubject: ")
			subject, _, _ := strings.Cut(rest, "\n")
			all = append(all, subject)
		}
		return strings.Join(all, ", ")
	}
	if got, want := subjects(""), "first, fourth"; got != want {
		t.Fatalf("INBOX has %s, want %s\n%s", got, want, screen)
	}
	if got, want := flagsOf(b.file("", "first")), "F"; got != want {
		t.Errorf("the first message has flags %q, want %q", got, want)
	}
	b.file("Lists.Go", "second")
	if got, want := subjects("Copies"), "fourth"; got != want {
		t.Errorf("Copies has %s, want %s", got, want)
	}

	b.deliver("", "", letter("fifth", 1))
	screen = keys(r.tlsPort, "imaps", "<last-entry><display-message><exit><clear-flag>F<first-entry><clear-flag>!<change-folder>=Lists.Go<enter><last-entry><set-flag>r<quit>")
	contains(t, "screen", screen, "fifth")
	if got, want := flagsOf(b.file("", "first")), ""; got != want {
		t.Errorf("the first message has flags %q, want %q\n%s", got, want, screen)
	}
	if got, want := flagsOf(b.file("", "fifth")), "S"; got != want {
		t.Errorf("the read message has flags %q, want %q", got, want)
	}
	if got, want := flagsOf(b.file("Lists.Go", "second")), "RS"; got != want {
		t.Errorf("the saved message has flags %q, want %q", got, want)
	}
}
