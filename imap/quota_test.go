package imap

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"roost/maildir"
)

// Clients that add messages at the same time, in all the ways there are, get as many in as there is room for.
func TestQuotaTogether(t *testing.T) {
	t.Parallel()
	const limit = 40
	ts := newTestServer(t, nil)
	ts.store.LimitQuota(maildir.Quota{Messages: limit, Storage: limit * 100}, false)
	ts.deliver("", "cur", ":2,", strings.Repeat("x", 100))
	ts.login().ok("CREATE Other")
	literal := fmt.Sprintf("{100+}\r\n%s", strings.Repeat("x", 100))
	var wg sync.WaitGroup
	for i := range 6 {
		tc := ts.login()
		wg.Go(func() {
			tc.ok("SELECT INBOX")
			command := []string{"APPEND INBOX " + literal, "APPEND Other " + literal + " " + literal, "COPY 1 Other"}[i%3]
			for {
				if _, tagged := tc.cmd("%s", command); !strings.HasPrefix(tagged, "OK ") {
					if !strings.HasPrefix(tagged, "NO [OVERQUOTA] ") {
						t.Errorf("%q", tagged)
					}
					return
				}
			}
		})
	}
	wg.Wait()
	used, _, err := ts.store.Quota(t.Context())
	if err != nil || used.Messages > limit || used.Storage != used.Messages*100 {
		t.Errorf("%+v in use, %v", used, err)
	}
	// What was promised to those who were refused is free again.
	tc := ts.login()
	for range limit - used.Messages {
		tc.ok("APPEND INBOX %s", literal)
	}
	if _, tagged := tc.cmd("APPEND INBOX %s", literal); !strings.HasPrefix(tagged, "NO [OVERQUOTA] ") {
		t.Errorf("beyond the limit: %q", tagged)
	}
}
