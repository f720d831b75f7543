package maildir

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

var (
	flatNames = naming{MaildirPP, "/"}
	dotNames  = naming{MaildirPP, "."}
	treeNames = naming{FS, "/"}
)

func TestStorageNames(t *testing.T) {
	for _, c := range []struct{ name, flat, dot, tree string }{ // "": refused
		{"INBOX", "INBOX", "INBOX", "INBOX"},
		{"inbox", "INBOX", "INBOX", "INBOX"},
		{"Work", ".Work", ".Work", "Work"},
		{"A/B/C", ".A.B.C", "", "A/B/C"},
		{"A.B", "", ".A.B", "A.B"},
		{"Inbox/Sub", ".INBOX.Sub", "", "INBOX/Sub"},
		{"inboxes", ".inboxes", ".inboxes", "inboxes"},
		{"A/inbox", ".A.inbox", "", "A/inbox"},
		{"é/x&y", ".&AOk-.x&-y", "", "&AOk-/x&-y"},
		{"e\u0301", ".&AOk-", ".&AOk-", "&AOk-"}, // NFD is created as NFC
		{"日本語", ".&ZeVnLIqe-", ".&ZeVnLIqe-", "&ZeVnLIqe-"},
		{".hid", "", "", ".hid"},
		{"cur", ".cur", ".cur", ""},
		{"a/new", ".a.new", "", ""},
		{"x~", ".x~", ".x~", "x~"},
		{"", "", "", ""}, {"/", "", "", ""}, {"/a", "", "", ""}, {"a/", "", "", ""}, {"a//b", "", "", ""}, {"~a", "", "", ""},
		{".", "", "", ""}, {"..", "", "", ""}, {"a/../b", "", "", ""}, {"a/./b", "", "", ""}, {"../../etc", "", "", ""},
		{"a\x00b", "", "", ""}, {"a\nb", "", "", ""}, {"a\x7fb", "", "", ""}, {"a\u0085b", "", "", ""}, {"a\xffb", "", "", ""},
		{strings.Repeat("x", 254), "." + strings.Repeat("x", 254), "." + strings.Repeat("x", 254), strings.Repeat("x", 254)},
		{strings.Repeat("x", 256), "", "", ""},
		{strings.Repeat("é", 100), "", "", ""}, // 200 octets, but more as modified UTF-7
		{strings.Repeat("x", 1<<20), "", "", ""},
		{strings.Repeat("a/", 40) + "a", "." + strings.Repeat("a.", 40) + "a", "", ""},
	} {
		for _, n := range []struct {
			naming
			want string
		}{{flatNames, c.flat}, {dotNames, c.dot}, {treeNames, c.tree}} {
			got, err := n.storage(c.name)
			if got != n.want || (err == nil) != (n.want != "") || err != nil && !errors.Is(err, ErrInvalidName) {
				t.Errorf("%v %.40q: %.40q, %v; want %.40q", n.naming, c.name, got, err, n.want)
			}
		}
	}
}

func TestReservedNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"subscriptions": false, "a/dovecot-uidlist": false, "dovecot.index": false, "roost-keywords": false, "maildirfolder": false,
		"lists/dovecot": true, "dovecots": true, trashBox: false,
	} {
		storage, err := treeNames.storage(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := treeNames.creatable(storage); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
		if err := flatNames.creatable("." + name); err != nil {
			t.Errorf("Maildir++ %q: %v", name, err)
		}
	}
}

func TestNamesOfStorage(t *testing.T) {
	for _, c := range []struct {
		n             naming
		storage, name string
		usable        bool
	}{
		{flatNames, ".A.B", "A/B", true},
		{dotNames, ".A.B", "A.B", true},
		{treeNames, "A/B", "A/B", true},
		{flatNames, ".&AOk-", "é", true},
		{flatNames, ".&AGUDAQ-", "&AGUDAQ-", true}, // shifted ASCII is no valid spelling of anything
		{flatNames, ".e&AwE-", "e\u0301", true},
		{flatNames, ".a&b", "a&b", true}, // broken, but nothing else is called so
		{flatNames, ".été", "été", true}, // raw UTF-8
		{flatNames, ".\xe9lat", "\uFFFDlat", false},
		{flatNames, ".inbox.low", "INBOX/low", false},
		{flatNames, ".~x", "~x", false},
		{flatNames, ".a\nb", "", false},
		{treeNames, "a/cur", "a/cur", false},
		{naming{FS, "."}, "a.b", "", false},
	} {
		name, usable := c.n.name(c.storage)
		if name != c.name || usable != c.usable {
			t.Errorf("%q: %q %t", c.storage, name, usable)
		}
	}
	// The spelling of é must not be a second door to it.
	if list, _ := flatNames.candidates("&AOk-"); !slices.Equal(list, []string{".&-AOk-"}) {
		t.Error(list)
	}
}

func FuzzName(f *testing.F) {
	for _, s := range []string{"INBOX", "inbox/x", "A/B.C", "é/日本", "a&b", "..", "a/../b", "&AOk-", "e\u0301", "~", "\x00", strings.Repeat("é/", 90)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, n := range []naming{flatNames, dotNames, treeNames, {FS, "."}} {
			list, err := n.candidates(s)
			if created, err := n.storage(s); err == nil {
				list = append(list, created)
				if again, usable := n.name(created); !usable || again == "" {
					t.Fatalf("%v %q is created as %q, which is %q", n, s, created, again)
				} else if twice, err := n.storage(again); err != nil || twice != created {
					t.Fatalf("%v %q → %q → %q → %q, %v", n, s, created, again, twice, err)
				}
			}
			if err != nil && !errors.Is(err, ErrInvalidName) {
				t.Fatal(err)
			}
			for _, storage := range list {
				comps := []string{storage}
				if n.layout == FS {
					comps = strings.Split(storage, "/")
				} else if storage != inbox && (!wellFormed(storage) || storage[0] != '.') {
					t.Fatalf("%v %q → %q", n, s, storage)
				}
				for _, c := range comps {
					if err := component(c); err != nil || strings.ContainsAny(c, "/\x00\n") {
						t.Fatalf("%v %q → component %q", n, s, c)
					}
				}
			}
			n.name(s) // of anything on disk
			subscriptions{}.name(n, s)
		}
	})
}
