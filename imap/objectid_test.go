package imap

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
)

// TestIdentityLater: who asks for identifiers after the other facts of messages are in the cache, which is without them, is told the right ones.
func TestIdentityLater(t *testing.T) {
	mail := []string{"Subject: a\nMessage-ID: <1@x>\n\nwords\n", "Subject: b\n\nwords\n"} // the second one is alone, its THREADID is its EMAILID
	id := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return hex.EncodeToString(sum[:16])
	}
	emails := []string{"M" + id(mail[0]), "M" + id(mail[1])}
	threads := []string{"T" + id("1@x"), "T" + id(mail[1])}
	for _, ask := range []string{"", "FETCH 1:* ENVELOPE", "FETCH 1:* (ENVELOPE EMAILID)", "FETCH 1 EMAILID"} {
		for i := range mail {
			ts := newTestServer(t, nil)
			for _, m := range mail {
				ts.deliver("", "cur", ":2,", m)
			}
			tc := ts.login()
			tc.ok("SELECT INBOX")
			if ask != "" {
				tc.ok("%s", ask)
			}
			search := "SEARCH OR EMAILID " + emails[i] + " THREADID " + threads[i]
			if i == 1 {
				search = "SEARCH THREADID " + threads[i]
			}
			if got, want := strings.TrimSpace(strings.Join(tc.ok("%s", search), "")), "* SEARCH "+string('1'+rune(i)); got != want {
				t.Errorf("behind %q: %s: %q", ask, search, got)
			}
			for range 2 {
				got := strings.Join(tc.ok("FETCH 1:* (THREADID EMAILID)"), "")
				for n := range mail {
					if want := "(THREADID (" + threads[n] + ") EMAILID (" + emails[n] + "))"; !strings.Contains(got, want) {
						t.Errorf("behind %q: %s, want %s", ask, got, want)
					}
				}
			}
		}
	}
}
