package peertest

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestDovecotQuota: both servers go by one maildirsize, which both keep up to date, and come to the same answers in turn and at the same time.
func TestDovecotQuota(t *testing.T) {
	d := newDovecot(t)
	if modules, _ := filepath.Glob(filepath.Join(filepath.Dir(d.imap), "modules", "*imap_quota*")); len(modules) == 0 {
		absent(t, "Dovecot's quota plugin")
	}
	conf, err := os.OpenFile(filepath.Join(d.home, "dovecot.conf"), os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = conf.WriteString(`mail_plugins = quota
protocol imap {
  mail_plugins = quota imap_quota
}
plugin {
  quota = maildir:User quota
  quota_rule = *:bytes=20480:messages=8
}
`)
	must(t, err)
	must(t, conf.Close())
	dc := d.client("Dovecot")
	dc.must(t, "CREATE Work")
	mail := func(octets int) string {
		return "Subject: x\r\n\r\n" + strings.Repeat("x", octets-len("Subject: x\n\n")) // as stored
	}
	must2 := func(_ []string, _ string, err error) {
		t.Helper()
		must(t, err)
	}
	must2(dc.do("APPEND INBOX", mail(2000)))
	must2(dc.do("APPEND Work", mail(1000)))
	rc := d.roost().client("roost")
	want := func(quota string) {
		t.Helper()
		for _, c := range []*client{dc, rc} {
			for late := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) { // until it has seen what the other one did
				got := slices.DeleteFunc(c.must(t, "GETQUOTAROOT INBOX"), func(l string) bool { return !strings.HasPrefix(l, "* QUOTA") })
				if w := []string{`* QUOTAROOT INBOX "User quota"`, `* QUOTA "User quota" ` + quota}; slices.Equal(got, w) {
					break
				} else if time.Now().After(late) {
					t.Fatalf("%s says %q, want %q", c.name, got, w)
				}
			}
		}
	}
	over := func(c *client, command string, literal ...string) {
		t.Helper()
		if _, tagged, err := c.do(command, literal...); !errors.Is(err, errRefused) || !strings.HasPrefix(tagged, "NO [OVERQUOTA]") {
			t.Errorf("%s: %s says %q, %v", command, c.name, tagged, err)
		}
	}
	want("(STORAGE 3 20 MESSAGE 2 8)")
	must2(rc.do("APPEND Work", mail(5000)))
	must2(rc.do("APPEND INBOX", mail(3000)))
	want("(STORAGE 11 20 MESSAGE 4 8)")
	over(dc, "APPEND INBOX", mail(10000))
	over(rc, "APPEND INBOX", mail(10000))
	rc.must(t, "SELECT Work")
	rc.must(t, "COPY 1 INBOX")
	rc.must(t, "MOVE 2 INBOX")
	rc.must(t, `STORE 1 +FLAGS.SILENT (\Deleted)`)
	rc.must(t, "EXPUNGE")
	want("(STORAGE 11 20 MESSAGE 4 8)")
	dc.must(t, "SELECT INBOX")
	dc.must(t, `STORE 1 +FLAGS.SILENT (\Deleted)`)
	dc.must(t, "EXPUNGE")
	want("(STORAGE 9 20 MESSAGE 3 8)")
	dc.must(t, "COPY 1 Work")
	want("(STORAGE 12 20 MESSAGE 4 8)")
	rc.must(t, "DELETE Work")
	want("(STORAGE 9 20 MESSAGE 3 8)")
	for range 5 {
		must2(rc.do("APPEND INBOX", mail(100)))
	}
	over(dc, "APPEND INBOX", mail(100))
	over(rc, "APPEND INBOX", mail(100))
	rc.logout(t)
	dc.logout(t)
}
