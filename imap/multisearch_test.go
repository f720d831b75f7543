package imap

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A mailbox that cannot be opened does not keep the others from being searched, and the client learns that it was left out.
func TestMultiSearchUnopened(t *testing.T) {
	ts := newTestServer(t, nil)
	tc := ts.login()
	for _, name := range []string{"a", "c"} {
		tc.ok("CREATE %s", name)
		ts.deliver(name, "cur", ":2,", "Subject: needle\n\nbody\n")
	}
	dir := filepath.Join(ts.root, ".b")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "cur"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	lines, tagged := tc.cmd("ESEARCH IN (personal) SUBJECT needle")
	found := func(name string) bool {
		return slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, "MAILBOX "+name+" ") })
	}
	if !found("a") || found("b") || !found("c") || !strings.HasPrefix(tagged, "NO [CANNOT] ") {
		t.Errorf("%q, %s", lines, tagged)
	}
	tc.ok("NOOP")
}
