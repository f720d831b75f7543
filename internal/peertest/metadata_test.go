package peertest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDovecotMetadata: annotations that clients gave Dovecot are there, and both servers answer in the same words.
func TestDovecotMetadata(t *testing.T) {
	d := newDovecot(t)
	conf, err := os.OpenFile(filepath.Join(d.home, "dovecot.conf"), os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = conf.WriteString("mail_attribute_dict = file:%h/Maildir/dovecot-attributes\nprotocol imap {\n  imap_metadata = yes\n}\n")
	must(t, err)
	must(t, conf.Close())
	dc := d.client("Dovecot")
	dc.must(t, "CREATE Work")
	for _, c := range []string{
		`SETMETADATA INBOX (/private/comment "of INBOX" /shared/comment "for all")`,
		`SETMETADATA Work (/private/Comment "tab	and \"quotes\"" /private/vendor/example/a "1" /private/vendor/example/a/b "2")`,
		`SETMETADATA "" (/private/vendor/example/server "3" /shared/vendor/example/server "4")`,
	} {
		dc.must(t, c)
	}
	questions := []string{
		`GETMETADATA INBOX (/private/comment /shared/comment /private/vendor/example/a)`,
		`GETMETADATA Work (/private/comment)`,
		`GETMETADATA "" (/private/vendor/example/server /shared/vendor/example/server /private/comment)`,
		`GETMETADATA (DEPTH 1) Work (/private/vendor/example/a)`,
		`GETMETADATA (DEPTH infinity) Work (/private/vendor)`,
	}
	// flat makes responses comparable: Dovecot has atoms for names, literals for values, and a response for each entry below.
	literal := regexp.MustCompile(`\{\d+\}\r\n`)
	flat := func(lines []string) []string {
		var all []string
		for _, l := range lines {
			mailbox, values, ok := strings.Cut(strings.TrimPrefix(l, "* METADATA "), " ")
			if !ok {
				t.Fatalf("what is this: %q", l)
			}
			for v := range strings.SplitSeq(strings.Trim(values, "()"), " /") {
				all = append(all, strings.Trim(mailbox, `"`)+" "+strings.NewReplacer(`"`, "", `\`, "").Replace(literal.ReplaceAllString(strings.TrimPrefix(v, "/"), "")))
			}
		}
		slices.Sort(all)
		return all
	}
	want := map[string][]string{}
	for _, q := range questions {
		want[q] = flat(dc.must(t, q))
	}
	dc.logout(t)
	rc := d.roost().client("roost")
	for _, q := range questions {
		if got := flat(rc.must(t, q)); !slices.Equal(got, want[q]) {
			t.Errorf("%s:\n got %q\nwant %q", q, got, want[q])
		}
	}
	// What is changed here is changed here, and Dovecot still has its own.
	rc.must(t, `SETMETADATA Work (/private/comment NIL /private/vendor/example/a "5")`)
	got := flat(rc.must(t, `GETMETADATA Work (/private/comment /private/vendor/example/a /private/vendor/example/a/b)`))
	if want := []string{"Work private/comment NIL", "Work private/vendor/example/a 5", "Work private/vendor/example/a/b 2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	rc.logout(t)
	dc = d.client("Dovecot")
	if got := flat(dc.must(t, questions[1])); !slices.Equal(got, want[questions[1]]) {
		t.Errorf("Dovecot has %q", got)
	}
	dc.logout(t)
}
