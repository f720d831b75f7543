package peertest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// neomutt is a program that works in an account by key strokes, with a header and a message cache. Its log tells what it sent and got.
func neomutt(t *testing.T, r *roost) (keys func(scheme, settings, push string) (screen, log string), home string) {
	t.Helper()
	path := need(t, "neomutt")
	home = t.TempDir()
	must(t, os.Mkdir(filepath.Join(home, "cache"), 0o700))
	log := filepath.Join(home, "log")
	return func(scheme, settings, push string) (string, string) {
		t.Helper()
		port := map[string]string{"imap": r.port, "imaps": r.tlsPort}[scheme]
		rc := write(t, filepath.Join(home, "muttrc"), fmt.Sprintf(`
set folder="%[1]s://localhost:%[2]s/" spoolfile="%[1]s://localhost:%[2]s/INBOX"
set imap_user="%[3]s" imap_pass="%[4]s" certificate_file="%[5]s"
set ssl_starttls=no ssl_force_tls=no
set header_cache="%[6]s/cache" message_cachedir="%[6]s/cache"
set imap_idle imap_check_subscribed %[7]s
set confirmcreate=no confirmappend=no delete=yes quit=yes move=no wait_key=no sleep_time=0 sort=mailbox-order resolve=no mark_old=no pager_stop
set imap_delim_chars="/." mbox_type=Maildir
set charset="utf-8" abort_key="\007"
`, scheme, port, login, password, r.certificate(), home, settings))
		var screen syncBuffer
		p := program{home: home, tty: terminal(t, &screen), args: []string{path, "-n", "-F", rc, "-d", "2", "-l", log, "-e", fmt.Sprintf("push %q", push)}}
		if err := p.start(t, nil)(); err != nil {
			t.Fatalf("neomutt: %v\n%s", err, screen.String())
		}
		text, err := os.ReadFile(log + "0")
		must(t, err)
		return screen.String(), string(text)
	}, home
}

// TestNeomutt works in an INBOX: flags, saves into another folder, deletes, appends a copy; twice, because the second time headers come from
// its cache.
func TestNeomutt(t *testing.T) {
	b := newBox(t)
	b.wellKnown()
	r := startRoost(t, b.root)
	keys, _ := neomutt(t, r)

	// The first message is marked, the second saved elsewhere, the third deleted, the fourth copied. Then the changes are written.
	screen, _ := keys("imap", "imap_condstore imap_qresync", "<first-entry><flag-message><next-entry>"+
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
	screen, _ = keys("imaps", "imap_condstore imap_qresync", "<last-entry><display-message><exit><clear-flag>F<first-entry><clear-flag>!<change-folder>=Lists.Go<enter><last-entry><set-flag>r<quit>")
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

// TestNeomuttAgrees looks at an account again after changes on both sides, with QRESYNC and with CONDSTORE alone, and compares message by message
// what it saves of it then. What it saves has other headers, so that subjects have to do for these.
func TestNeomuttAgrees(t *testing.T) {
	for _, c := range []struct {
		settings string
		update   *regexp.Regexp // how it asks for changes
		first    string         // how to find the message that got a keyword
	}{
		// After it was told of expunged messages this version takes the new sequence numbers for wrong and reads all flags again, with Dovecot as well.
		{"imap_condstore imap_qresync", regexp.MustCompile(`(?s)ENABLE QRESYNC.*UID FETCH 1:\d+ \(FLAGS\) \(CHANGEDSINCE \d+ VANISHED\).*Expunging message UID`), "~Y Work"},
		{"imap_condstore noimap_qresync", regexp.MustCompile(`FETCH 1:\d+ \(FLAGS\) \(CHANGEDSINCE \d+\)`), "~s first"}, // keywords are not taken from the cache
	} {
		t.Run(c.settings, func(t *testing.T) {
			b, r, mailboxes := account(t)
			keys, home := neomutt(t, r)
			look := func(round, first string) (log string) {
				t.Helper()
				saved := func(mailbox string) *box { return &box{t: t, root: filepath.Join(home, round+"-"+mailbox)} }
				push := first
				for _, mailbox := range mailboxes {
					push += "<change-folder>=" + strings.ReplaceAll(mailbox, "&APw-", "ü") + "<enter><tag-pattern>~A<enter>" +
						"<tag-prefix><copy-message>" + saved(mailbox).root + "<enter>"
				}
				screen, log := keys("imaps", c.settings, push+"<quit>")
				hold := map[string]string{"F": `\Flagged`, "R": `\Answered`, "S": `\Seen`} // what is saved of flags
				for _, mailbox := range mailboxes {
					agree(t, mailbox, withSubjects(saved(mailbox).kept("", hold)), withSubjects(r.kept(mailbox, hold)))
				}
				if t.Failed() {
					t.Fatalf("%s", screen)
				}
				return log
			}
			look("first", "")
			mailboxes = changeFar(t, b, r)
			if log := look("second", ""); !c.update.MatchString(log) {
				t.Errorf("no %s in\n%s", c.update, log)
			}
			look("third", "<change-folder>=INBOX<enter><search>"+c.first+"<enter><set-flag>!<modify-labels><kill-line>Work Later<enter>"+
				"<search>~s sixth<enter><save-message>=Lists.Go<enter><sync-mailbox>"+
				"<change-folder>=Real<enter><search>~s number.2<enter><delete-message><search>~s number.5<enter><set-flag>r"+
				"<search>~s number.8<enter><clear-flag>r<sync-mailbox>")
			b.file("Lists.Go", "sixth")
			contains(t, "INBOX", listing(r.kept("INBOX", map[string]string{"": "Later", "F": `\Flagged`})), `"first" ["Later" "\\Flagged"]`)
		})
	}
}

// withSubjects leaves of headers nothing but the subject.
func withSubjects(mail []kept) []kept {
	for i, m := range mail {
		_, body, _ := strings.Cut(m.body, "\r\n\r\n")
		mail[i].body = subjectField.FindString(m.body) + "\r\n\r\n" + body
	}
	return mail
}
