package wire

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestURLAuthCommands(t *testing.T) {
	// RFC 4467 §7, RFC 5524 §4
	gen, err := ParseGenURLAuth(decode(` "imap://joe@example.com/INBOX/;uid=20/;section=1.2;urlauth=submit+fred" internal x Y`))
	if want := []GenURL{{"imap://joe@example.com/INBOX/;uid=20/;section=1.2;urlauth=submit+fred", "INTERNAL"}, {"x", "Y"}}; err != nil || !slices.Equal(gen, want) {
		t.Errorf("%v, %v", gen, err)
	}
	fetch, err := ParseURLFetch(decode(` "a b" (c BODYPARTSTRUCTURE binary) (d) (e body)`))
	want := []FetchURL{{URL: "a b"}, {URL: "c", Extended: true, Structure: true, Binary: true}, {URL: "d", Extended: true}, {URL: "e", Extended: true, Body: true}}
	if err != nil || !slices.Equal(fetch, want) {
		t.Errorf("%v, %v", fetch, err)
	}
	for args, want := range map[string]ResetKey{"": {}, " inbox": {Name: "INBOX"}, " x A b": {Name: "x", Mechanisms: []string{"A", "B"}}} {
		got, err := ParseResetKey(decode(args))
		if err != nil || !reflect.DeepEqual(*got, want) {
			t.Errorf("RESETKEY%s: %v, %v", args, got, err)
		}
	}
	for _, args := range []string{"", " ", " a", " a b c", " a (b)", strings.Repeat(" a b", maxURLs+1)} {
		if got, err := ParseGenURLAuth(decode(args)); err == nil {
			t.Errorf("GENURLAUTH%.50s: %v", args, got)
		}
	}
	for _, args := range []string{"", " ()", " (a", " (a BODY BODY)", " (a BODY BINARY)", " (a BINARY BODY)", " (a BODYPARTSTRUCTURE BODYPARTSTRUCTURE)", " (a ENVELOPE)", " ((a))",
		strings.Repeat(" a", maxURLs+1)} {
		if got, err := ParseURLFetch(decode(args)); err == nil {
			t.Errorf("URLFETCH%.50s: %v", args, got)
		}
	}
	for _, args := range []string{` ""`, " a (b)", " &"} {
		if got, err := ParseResetKey(decode(args)); err == nil {
			t.Errorf("RESETKEY%s: %v", args, got)
		}
	}
	off := decode(" (a BODY)")
	off.Without = map[string]bool{"(": true}
	if got, err := ParseURLFetch(off); err == nil {
		t.Errorf("without URLAUTH=BINARY: %v", got)
	}
}

func FuzzURLFetch(f *testing.F) {
	for _, s := range []string{` "a b" (c BODYPARTSTRUCTURE binary) (d)`, " (e body) f", " {1+}\r\nx"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, args string) {
		urls, err := ParseURLFetch(decode(args))
		if err != nil {
			return
		}
		printed := ""
		for _, u := range urls {
			text := printString(u.URL)
			for word, is := range map[string]bool{"BODYPARTSTRUCTURE": u.Structure, "BINARY": u.Binary, "BODY": u.Body} {
				if is {
					text += " " + word
				}
			}
			if u.Extended {
				text = "(" + text + ")"
			}
			printed += " " + text
		}
		again, err := ParseURLFetch(decode(printed))
		if err != nil || !slices.Equal(urls, again) {
			t.Fatalf("%q -> %q -> %v, %v", args, printed, again, err)
		}
	})
}
