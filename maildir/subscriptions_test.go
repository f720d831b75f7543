package maildir

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/text/unicode/norm"
)

func testStore(t *testing.T, layout Layout) *Store {
	t.Helper()
	s, err := OpenStore(Options{Root: t.TempDir(), Layout: layout, Separator: '/', Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func wantSubscribed(t *testing.T, s *Store, want ...string) {
	t.Helper()
	got, err := s.Subscribed()
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("subscribed %q, want %q: %v", got, want, err)
	}
}

func TestSubscribe(t *testing.T) {
	for _, layout := range []Layout{MaildirPP, FS} {
		s := testStore(t, layout)
		wantSubscribed(t, s)
		for _, name := range []string{"inbox", "A/B", "é/x&y", "A/B", "Gone/", "e\u0301/x&y"} {
			if err := s.SetSubscribed(name, true); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := text(t, s.root, "subscriptions"), "V\t2\n\nINBOX\nA\tB\n&AOk-\tx&-y\nGone\n"; got != want {
			t.Errorf("%q", got)
		}
		wantSubscribed(t, s, "INBOX", "A/B", "é/x&y", "Gone")
		for _, name := range []string{"INBOX", "Other", "e\u0301/x&y"} {
			if err := s.SetSubscribed(name, false); err != nil {
				t.Fatal(err)
			}
		}
		wantSubscribed(t, s, "A/B", "Gone")
		if err := s.SetSubscribed("a//b", true); !errors.Is(err, ErrInvalidName) {
			t.Error(err)
		}
		if names := listDir(t, s.root); names["subscriptions.lock"] {
			t.Error("lock left behind")
		}
	}
}

func TestSubscriptionsOfOthers(t *testing.T) {
	s := testStore(t, MaildirPP)
	// Version 1 stays version 1; what makes no sense is kept.
	put(t, s.root, "subscriptions", "INBOX\nFoo.Bar\nTrail.\n..\n&bad\n")
	wantSubscribed(t, s, "INBOX", "Foo/Bar", "Trail", "&bad")
	s.SetSubscribed("New/One", true)
	s.SetSubscribed("Foo/Bar", false)
	if got, want := text(t, s.root, "subscriptions"), "INBOX\nTrail.\n..\n&bad\nNew.One\n"; got != want {
		t.Errorf("%q", got)
	}
	// Version 2 with a mailbox of another namespace, a trailing separator and escapes.
	put(t, s.root, "subscriptions", "V\t2\n\nshared/alice/Team\tSub\nA\tB\t\nx\x01ty\n\t\n")
	wantSubscribed(t, s, "shared/alice/Team/Sub", "A/B", "x\ty")
	s.SetSubscribed("A/B", false)
	if got, want := text(t, s.root, "subscriptions"), "V\t2\n\nshared/alice/Team\tSub\nx\x01ty\n\t\n"; got != want {
		t.Errorf("%q", got)
	}
	put(t, s.root, "subscriptions", "V\t3\n\nx\n")
	if _, err := s.Subscribed(); err == nil {
		t.Error("read an unknown version")
	}
	if err := s.SetSubscribed("x", true); err == nil {
		t.Error("wrote to an unknown version")
	}
	put(t, s.root, "subscriptions", subscriptionsV2+strings.Repeat(strings.Repeat("x", 200)+"\n", maxSubscriptions/200))
	if err := s.SetSubscribed("x", true); !errors.Is(err, ErrLimit) {
		t.Error(err)
	}
	if err := s.SetSubscribed(strings.Repeat("x", 200), false); err != nil {
		t.Error(err)
	}
	wantSubscribed(t, s)
}

func TestSubscribeConcurrently(t *testing.T) {
	one := testStore(t, MaildirPP)
	two, err := OpenStore(one.opt) // as another process would
	if err != nil {
		t.Fatal(err)
	}
	defer two.Close()
	var wg sync.WaitGroup
	for i, s := range []*Store{one, two} {
		wg.Go(func() {
			for j := range 20 {
				if err := s.SetSubscribed(string(rune('a'+i))+string(rune('a'+j)), true); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got, _ := one.Subscribed(); len(got) != 40 {
		t.Errorf("%d of 40", len(got))
	}
}

func FuzzSubscriptions(f *testing.F) {
	f.Add([]byte("V\t2\n\nINBOX\nA\tB\nx\x01ty\n"), "A/B")
	f.Add([]byte("INBOX\nFoo.Bar\n\n..\n"), "Foo/Bar")
	f.Add([]byte("V\t2\n\n\x01\t\t\n"), "é")
	f.Add([]byte("A\u0325"), "A\u0325") // the same name in another normal form
	f.Fuzz(func(t *testing.T, b []byte, name string) {
		storage, err := flatNames.storage(name)
		subs, perr := parseSubscriptions(b)
		if err != nil || perr != nil {
			return
		}
		name, _ = flatNames.name(storage)
		name = norm.NFC.String(name)
		others := func(s subscriptions) (list []string) {
			for _, line := range s.lines {
				if n, ok := s.name(flatNames, line); !ok || norm.NFC.String(n) != name {
					list = append(list, line)
				}
			}
			return list
		}
		before := others(subs)
		for _, on := range []bool{true, false, true} {
			subs.set(flatNames, name, storage, on)
			if subs.set(flatNames, name, storage, on) {
				t.Fatalf("%q: set twice to %t", name, on)
			}
			again, err := parseSubscriptions(subs.bytes())
			if err != nil || !slices.Equal(again.lines, subs.lines) {
				t.Fatalf("%q → %q: %v", subs.bytes(), again.lines, err)
			}
			if !slices.Equal(others(again), before) && !slices.Contains(before, "") {
				t.Fatalf("%q became %q", before, others(again))
			}
			subs = again
		}
	})
}
