package imap

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestListStatusUnselectable: where there is no STATUS because a mailbox cannot be opened, LIST says \Noselect (RFC 5819 §2).
func TestListStatusUnselectable(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, nil)
	if err := os.Mkdir(filepath.Join(ts.root, ".broken"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(ts.root, ".broken", "cur"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tc := ts.login()
	want := []string{`* LIST (\HasNoChildren) "/" INBOX`, "* STATUS INBOX (MESSAGES 0)", `* LIST (\Noselect \HasNoChildren) "/" broken`}
	if got := tc.ok(`LIST "" * RETURN (STATUS (MESSAGES))`); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
