package peertest

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestCurl reads, searches, appends and changes mail by curl, in the clear, with STARTTLS and with TLS.
func TestCurl(t *testing.T) {
	curl := need(t, "curl")
	b := newBox(t)
	b.wellKnown()
	texts := b.addCorpus("Lists.Go")
	r := startRoost(t, b.root)
	home := t.TempDir()
	do := func(url string, args ...string) string {
		t.Helper()
		return program{home: home, args: append([]string{curl, "--silent", "--show-error", "--max-time", "20", "--user", login + ":" + password, url}, args...)}.run(t)
	}
	plain, secure := "imap://"+r.addr, "imaps://"+r.tls

	contains(t, "LIST", do(plain), `INBOX`, `Lists.Go`, `B&APw-ro`)
	if got := do(plain + "/INBOX;UID=2"); got != crlf(letter("second", 2000)) {
		t.Errorf("message 2 has %d octets, want %d: %.300q", len(got), len(crlf(letter("second", 2000))), got)
	}
	if got, want := do(secure+"/INBOX;UID=2;PARTIAL=100.50", "--insecure"), crlf(letter("second", 2000))[100:150]; got != want {
		t.Errorf("part of message 2 is %q, want %q", got, want)
	}
	if got, want := do(plain+"/INBOX;UID=3;SECTION=TEXT", "--ssl-reqd", "--insecure"), crlf(strings.Repeat("Grüße aus dem Körper, line by line.\n", 3)); got != want {
		t.Errorf("text of message 3 by STARTTLS is %q, want %q", got, want)
	}
	if got := do(secure+"/INBOX;MAILINDEX=1", "--cacert", r.certificate()); got != crlf(letter("first", 1)) {
		t.Errorf("message 1 with a verified certificate: %q", got)
	}
	for i, want := range texts { // real mail comes back octet for octet; UID 1 was there before
		if i%10 != 0 {
			continue
		}
		url := plain + "/Lists.Go;UID=" + strconv.Itoa(i+2)
		if got := do(url); got != crlf(want) {
			t.Errorf("%s: %d octets, want %d", url, len(got), len(crlf(want)))
		}
	}

	contains(t, "SEARCH", do(plain+"/INBOX?SUBJECT%20third"), "* SEARCH 3")
	contains(t, "SEARCH", do(secure+"/INBOX", "--insecure", "-X", "UID SEARCH CHARSET UTF-8 OR FLAGGED KEYWORD work"), "* SEARCH 3 4")
	contains(t, "STORE", do(plain+"/INBOX", "-X", `UID STORE 1 +FLAGS (\Flagged Neu)`), `\Flagged`, "Neu", "UID 1")
	contains(t, "STATUS", do(plain, "-X", "STATUS B&APw-ro (MESSAGES UNSEEN UIDNEXT)"), "MESSAGES 1", "UNSEEN 1", "UIDNEXT 2")
	contains(t, "EXAMINE", do(plain, "-X", "EXAMINE INBOX"), "* 4 EXISTS")
	contains(t, "CREATE", do(plain, "-X", "CREATE Made.Here")+do(plain), "Made.Here")

	file := write(t, filepath.Join(home, "mail"), crlf(letter("appended", 500)))
	do(plain+"/Made.Here", "-T", file)
	do(secure+"/Made.Here", "-T", file, "--insecure")
	if n := len(b.files("Made.Here")); n != 2 {
		t.Errorf("%d messages after two appends", n)
	}
	if got := do(plain + "/Made.Here;UID=2"); got != crlf(letter("appended", 500)) {
		t.Errorf("the appended message: %.300q", got)
	}

	out, status := program{home: home, args: []string{curl, "--silent", "--show-error", "--user", login + ":wrong", plain}}.try(t)
	if status != 67 {
		t.Errorf("a wrong password: status %d, want 67 (login denied): %s", status, out)
	}
}
