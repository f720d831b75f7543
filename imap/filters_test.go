package imap

import "testing"

// TestKeptFilters: filters that another version or another configuration has kept are looked at again when they are used (RFC 5466 §3.1).
func TestKeptFilters(t *testing.T) {
	ts := newTestServer(t, func(o *Options) { o.Disable = []string{"WITHIN"} })
	change := map[string]*string{}
	for name, value := range map[string]string{
		"half": "OR SMALLER", "unknown": "NO SEARCH", "charset": "CHARSET nonsense SUBJECT a", "disabled": "YOUNGER 60", "empty": "", "good": "ALL",
	} {
		change["/private/filters/values/"+name] = &value
	}
	if err := ts.store.SetMetadata("", change, 0); err != nil {
		t.Fatal(err)
	}
	tc := ts.login()
	tc.ok("SELECT INBOX")
	tc.ok("SEARCH FILTER good")
	for _, name := range []string{"half", "unknown", "charset", "disabled", "empty"} {
		if _, tagged := tc.cmd("SEARCH NOT FILTER %s", name); tagged != "NO [UNDEFINED-FILTER "+name+"] The filter is no search that is understood here" {
			t.Errorf("%s: %s", name, tagged)
		}
	}
}
