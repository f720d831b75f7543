package wire

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func str(s string) *string { return &s }

func TestParseGetMetadata(t *testing.T) {
	size := int64(1024)
	accepts(t, ParseGetMetadata, map[string]*GetMetadata{
		` "" /shared/comment`:                                        {Entries: []string{"/shared/comment"}},
		` "INBOX" (/shared/comment /private/comment)`:                {Name: "INBOX", Entries: []string{"/shared/comment", "/private/comment"}},
		` (MAXSIZE 1024) inbox (/shared/comment)`:                    {Name: "INBOX", MaxSize: &size, Entries: []string{"/shared/comment"}},
		` "INBOX" (MAXSIZE 1024) (/shared/comment)`:                  {Name: "INBOX", MaxSize: &size, Entries: []string{"/shared/comment"}},
		` (depth INFINITY maxsize 1024) a /private`:                  {Name: "a", MaxSize: &size, Depth: DepthAll, Entries: []string{"/private"}},
		` a (DEPTH 1) "/private/a b"`:                                {Name: "a", Depth: 1, Entries: []string{"/private/a b"}},
		` a ("/shared/x" {9+}` + "\r\n/shared/y)":                    {Name: "a", Entries: []string{"/shared/x", "/shared/y"}},
		" {1}\r\na (/" + strings.Repeat("x", maxEntryLength-1) + ")": {Name: "a", Entries: []string{"/" + strings.Repeat("x", maxEntryLength-1)}},
		` a (` + strings.Repeat("/a ", maxEntries) + ")":             {Name: "a", Entries: strings.Fields(strings.Repeat("/a ", maxEntries))},
		` a /shared/comment /private/comment`:                        {Name: "a", Entries: []string{"/shared/comment", "/private/comment"}},
		` (DEPTH 0) a ( /shared/comment )`:                           {Name: "a", Entries: []string{"/shared/comment"}},
	})
	refuses(t, ParseGetMetadata, "", " a", " a ", " a ()", " a shared", " a /", " a /a/", " a //a", " a /a//b", ` a "/a*"`, " a /a%", ` a "/é"`, " a (/a", " a /a (/b)", " a /a b",
		" () a /a", " (MAXSIZE) a /a", " (MAXSIZE -1) a /a", " (MAXSIZE 1 MAXSIZE 2) a /a", " (DEPTH 1 DEPTH 0) a /a", " (DEPTH 2) a /a", " (WIDTH 1) a /a", " (DEPTH 1)", " a (DEPTH 1)",
		" a (DEPTH 1) (DEPTH 1) /a", " a /"+strings.Repeat("x", maxEntryLength), " a ("+strings.Repeat("/a ", maxEntries+1)+")", " a"+strings.Repeat(" /a", maxEntries+1), ` a "/a`+"\t"+`b"`)
}

func TestParseSetMetadata(t *testing.T) {
	accepts(t, ParseSetMetadata, map[string]*SetMetadata{
		` INBOX (/private/comment "My new comment")`: {"INBOX", []EntryValue{{"/private/comment", str("My new comment")}}},
		` "" (/Private/Comment NIL /shared/x "")`:    {"", []EntryValue{{"/Private/Comment", nil}, {"/shared/x", str("")}}},
		" a (/a {3}\r\na\nb /b ~{3+}\r\n\x00\r\n)":   {"a", []EntryValue{{"/a", str("a\nb")}, {"/b", str("\x00\r\n")}}},
		` a (/a "NIL")`: {"a", []EntryValue{{"/a", str("NIL")}}},
	})
	refuses(t, ParseSetMetadata, "", " a", " a ()", " a (/a)", " a (/a b)", " a /a b", ` a (a "b")`, ` a (/a "b"`, ` a (/a "b" /c)`, ` a (/a/ "b")`, " a (/a {1}\r\n\x00)",
		` a (/a* "b")`, ` a (`+strings.Repeat(`/a "" `, maxEntries+1)+")")
}

// FuzzMetadata: what is printed parses to the same value.
func FuzzMetadata(f *testing.F) {
	for _, s := range []string{` (MAXSIZE 10 DEPTH infinity) "INBOX" (/shared/comment "/private/a b")`, ` "" (DEPTH 1) /private`, ` a (/a NIL /b "x" /c ~{2}` + "\r\n\x00y)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, args string) {
		if c, err := ParseGetMetadata(decode(args)); err == nil {
			printed := fmt.Sprintf(" (DEPTH %s", map[int]string{0: "0", 1: "1", DepthAll: "infinity"}[c.Depth])
			if c.MaxSize != nil {
				printed += fmt.Sprint(" MAXSIZE ", *c.MaxSize)
			}
			printed += ") " + string(AppendMailbox(nil, c.Name, false)) + " ("
			for i, e := range c.Entries {
				printed += strings.Repeat(" ", min(i, 1)) + string(AppendAString(nil, e, false))
			}
			again, err := ParseGetMetadata(decode(printed + ")"))
			if err != nil || !reflect.DeepEqual(c, again) {
				t.Fatalf("%q -> %q -> %+v, %v", args, printed, again, err)
			}
		}
		if c, err := ParseSetMetadata(decode(args)); err == nil {
			printed := " " + string(AppendMailbox(nil, c.Name, false)) + " ("
			for i, e := range c.Entries {
				printed += strings.Repeat(" ", min(i, 1)) + string(AppendAString(nil, e.Entry, false)) + " "
				if e.Value == nil {
					printed += "NIL"
				} else {
					printed += fmt.Sprintf("~{%d}\r\n%s", len(*e.Value), *e.Value)
				}
			}
			again, err := ParseSetMetadata(decode(printed + ")"))
			if err != nil || !reflect.DeepEqual(c, again) {
				t.Fatalf("%q -> %q -> %+v, %v", args, printed, again, err)
			}
		}
	})
}
