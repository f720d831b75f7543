package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// parseAll runs every parser that a session would, for panics.
func parseAll(r *Reader, f *Frame) {
	a := f.Args
	switch f.Name {
	case "LOGIN":
		ParseLogin(a)
	case "AUTHENTICATE":
		ParseAuthenticate(a)
	case "COMPRESS":
		ParseCompress(a)
	case "ENABLE":
		ParseEnable(a)
	case "SELECT", "EXAMINE":
		ParseSelect(a)
	case "CREATE":
		ParseCreate(a)
	case "DELETE", "SUBSCRIBE", "UNSUBSCRIBE", "GETQUOTAROOT":
		ParseMailbox(a)
	case "RENAME":
		ParseRename(a)
	case "LIST":
		ParseList(a)
	case "GETMETADATA":
		ParseGetMetadata(a)
	case "SETMETADATA":
		ParseSetMetadata(a)
	case "LANGUAGE":
		ParseLanguage(a)
	case "GETQUOTA":
		ParseGetQuota(a)
	case "SETQUOTA":
		ParseSetQuota(a)
	case "LSUB", "XLIST":
		ParseLsub(a)
	case "STATUS":
		ParseStatus(a)
	case "FETCH", "UID FETCH":
		ParseFetch(a)
	case "STORE", "UID STORE":
		ParseStore(a)
	case "COPY", "MOVE", "UID COPY", "UID MOVE":
		ParseCopy(a)
	case "UID EXPUNGE":
		ParseUIDSet(a)
	case "CANCELUPDATE":
		ParseCancelUpdate(a)
	case "UIDBATCHES":
		ParseUIDBatches(a)
	case "GENURLAUTH":
		ParseGenURLAuth(a)
	case "URLFETCH":
		ParseURLFetch(a)
	case "RESETKEY":
		ParseResetKey(a)
	case "ID":
		ParseID(a)
	case "SEARCH", "UID SEARCH":
		ParseSearch(a)
	case "SORT", "UID SORT":
		ParseSort(a)
	case "THREAD", "UID THREAD":
		ParseThread(a)
	case "APPEND", "REPLACE", "UID REPLACE":
		var err error
		if f.Name == "APPEND" {
			_, err = ParseAppendMailbox(a)
		} else {
			_, _, err = ParseReplace(a)
		}
		if err != nil {
			return
		}
		for {
			m, err := ParseAppendMessage(a)
			for err == nil && m.Catenate {
				p, partErr := ParseCatPart(a)
				if partErr == io.EOF {
					m, err = ParseAppendMessage(a)
				} else if partErr != nil {
					return
				} else if p.Literal != nil {
					io.CopyN(io.Discard, r.Literal(*p.Literal), 100)
					if r.ReadContinuation(f, nil) != nil {
						return
					}
				}
			}
			if err != nil {
				return
			}
			if n, _ := io.CopyN(io.Discard, r.Literal(m.Literal), 100); n%2 == 1 {
				return // leave the rest to ReadCommand
			}
			if r.ReadContinuation(f, nil) != nil {
				return
			}
		}
	default:
		ParseNone(a)
	}
}

func FuzzReader(f *testing.F) {
	for _, s := range []string{
		"a NOOP", "a LOGIN {3}\r\njoe x", "a LOGIN {3+}\r\njoe {1+}\r\nx", "a APPEND x (\\Seen) {3+}\r\nabc {2+}\r\nde", "a APPEND {1+}\r\nx UTF8 (~{3+}\r\nabc)",
		"a X {5000+}\r\n", "a X {2147483648999}", "a X {99999999999999999999+}", "{-1}", "a X {}", "\x00", "\r\r\n", "((((", "\x16\x03\x01", "a uid fetch 1:* (UID)",
		"a SEARCH OR (NOT SEEN) CHARSET", "a SEARCH RETURN (RELEVANCY) NOT FUZZY (TEXT x SEEN)", "a LIST (SUBSCRIBED) \"\" (a b) RETURN (STATUS (X))", "GET / HTTP/1.1\r\n\r\n", "a STORE 1 +FLAGS (a)", "a ID (\"a\" NIL)", "a COMPRESS DEFLATE", `a LIST "" * RETURN (METADATA (/shared/comment))`,
		"a APPEND x CATENATE (URL \"/y/;UID=1\" TEXT {3+}\r\nabc URL {1+}\r\nu UTF8 (~{1+}\r\na)) {1+}\r\nb",
		`a GENURLAUTH "imap://u@h/x/;UID=1;URLAUTH=authuser" INTERNAL`, `a URLFETCH ("x" BODYPARTSTRUCTURE BINARY) y`, "a RESETKEY x INTERNAL",
		`a ESEARCH IN (mailboxes "x" subtree (y z) subtree-one "" selected) RETURN (MIN PARTIAL 1:2) NOT SEEN`, "a ESEARCH CHARSET UTF-8 UID 1", "a SEARCH NOT FILTER x",
		`a GETQUOTA "User quota"`, `a SETQUOTA "" (STORAGE 510 MESSAGE 9223372036854775807)`, "a SETQUOTA {3+}\r\nabc ()",
		"a LANGUAGE", `a LANGUAGE * "de-IT" {2+}` + "\r\nen",
		"a REPLACE 1 x (\\Seen) {3+}\r\nabc", "a UID REPLACE * {1+}\r\nx {3+}\r\nabc",
		"a LOGIN {3+}\r\njoe \"" + strings.Repeat("x", 300),
	} {
		f.Add([]byte(s))
	}
	lim := Limits{Line: 256, Literal: 128, Command: 512, Depth: 10, Discard: 1 << 16}
	f.Fuzz(func(t *testing.T, in []byte) {
		r := NewReader(io.MultiReader(bytes.NewReader(in), strings.NewReader("\r\nz NOOP\r\n")), lim)
		var last *Frame
		for range len(in) + 10 {
			frame, err := r.ReadCommand(func() error { return nil })
			if limit := 4*(lim.Command+lim.Line) + literalStep; cap(r.buf) > limit {
				t.Fatalf("%d octets held", cap(r.buf))
			}
			var syntax *SyntaxError
			if errors.As(err, &syntax) {
				continue
			}
			if err != nil {
				var fatal *FatalError
				if errors.As(err, &fatal) {
					return
				}
				// Without literals nothing may swallow the last line.
				if !bytes.ContainsRune(in, '{') && (err != io.EOF || last == nil || last.Tag != "z" || last.Name != "NOOP") {
					t.Fatalf("ended with %v and %+v, not with the last command", err, last)
				}
				return
			}
			last = &Frame{Tag: frame.Tag, Name: frame.Name}
			parseAll(r, frame)
		}
		t.Fatal("more commands than octets")
	})
}

func FuzzSearch(f *testing.F) {
	for _, s := range []string{
		" ALL", " OR FROM x (NOT SEEN 1:*) ", " RETURN (MIN COUNT) UID $ KEYWORD a", " CHARSET ISO-8859-1 TEXT \"\xe9\"", " SENTON 1-Feb-2026 NEW OLD LARGER 5 YOUNGER 9",
		" SAVEDSINCE \"01-Jan-0000\" HEADER {2}\r\nab {3}\r\na\nb", " RETURN () NOT NOT (SEEN)", " CHARSET UTF-16LE BODY \"ab\"", " SAVEDATESUPPORTED *", " MODSEQ \"x\" PRIV 7", " RETURN (PARTIAL -1:-100 COUNT) ALL", " RETURN (SAVE PARTIAL 5:4) ALL", " RETURN (UPDATE CONTEXT) ALL", " UIDAFTER 7 NOT UIDBEFORE 4294967295", " OR UIDBEFORE 1 UIDAFTER 4294967295", " BODY \"\\\"\"",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, args string) {
		c, err := ParseSearch(decode(args))
		if err != nil {
			return
		}
		printed := printSearch(c)
		again, err := ParseSearch(NewDecoder([]byte(printed), 200)) // conjunctions at the top gain parentheses
		if err != nil {
			t.Fatalf("%q -> %q: %v", args, printed, err)
		}
		c.Charset = "" // strings are UTF-8 by now
		if !reflect.DeepEqual(c, again) {
			t.Fatalf("%q -> %q -> %q", args, printed, printSearch(again))
		}
	})
}

func FuzzFetch(f *testing.F) {
	for _, s := range []string{
		" 1 ALL", " 1:*,5 (UID FLAGS BODY.PEEK[1.2.HEADER.FIELDS (From \"a b\")]<0.100>)", " $ BODY[]", " 1 BINARY.SIZE[1]", " 1 (RFC822.PEEK RFC822.HEADER.PEEK)",
		" 2 BODY[1.MIME]", " 1 (BINARY[]<1.2> body[header.fields.not ({1+}\r\nx)])", " 1 BODY[TEXT]<4611686018427387904.1>", " 1:* FLAGS (PARTIAL -1:-3 CHANGEDSINCE 5)",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, args string) {
		c, err := ParseFetch(decode(args))
		if err != nil {
			return
		}
		printed := printFetch(c)
		again, err := ParseFetch(decode(printed))
		if err != nil {
			t.Fatalf("%q -> %q: %v", args, printed, err)
		}
		if !reflect.DeepEqual(c, again) {
			t.Fatalf("%q -> %q -> %q", args, printed, printFetch(again))
		}
	})
}

func FuzzSet(f *testing.F) {
	for _, s := range []string{"1", "*", "$", "1:*,5,7:9", "*:*", "4294967295", "4294967296", "5:2", "1,,2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		set, err := try(text, (*Decoder).ExpectSet)
		if err != "" {
			return
		}
		printed := printSet(set)
		again, err := try(printed, (*Decoder).ExpectSet)
		if err != "" || !reflect.DeepEqual(set, again) {
			t.Fatalf("%q -> %q -> %v, %s", text, printed, again, err)
		}
		// What the encoder makes of the numbers names the same numbers.
		var nums []uint32
		for _, r := range set.Ranges {
			nums = append(nums, r.First, r.Last)
		}
		nums = slices.DeleteFunc(nums, func(n uint32) bool { return n == Star })
		slices.Sort(nums)
		nums = slices.Compact(nums)
		if len(nums) == 0 {
			return
		}
		compact, err := try(string(AppendSet(nil, nums)), (*Decoder).ExpectSet)
		if err != "" {
			t.Fatal(err)
		}
		var back []uint32
		for _, r := range compact.Ranges {
			for n := uint64(r.First); n <= uint64(r.Last); n++ {
				back = append(back, uint32(n))
			}
		}
		if !slices.Equal(nums, back) {
			t.Fatalf("%v -> %v", nums, back)
		}
	})
}

// FuzzStrings: whatever the encoder writes the decoder reads back.
func FuzzStrings(f *testing.F) {
	for _, s := range []string{"", "abc", "a b", `"\`, "é", "\xe9", "a\r\nb", "NIL", "inbox", "&", "&AOk-", "{3}", "\x7f\t", strings.Repeat("x", 1001)} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, s string, mode bool) {
		if strings.IndexByte(s, 0) >= 0 {
			return // no string can hold NUL
		}
		for _, out := range [][]byte{AppendString(nil, s, mode), AppendAString(nil, s, mode)} {
			if got, err := try(string(out), (*Decoder).ExpectAString); err != "" || got != s {
				t.Fatalf("%q -> %q -> %q, %s", s, out, got, err)
			}
		}
		if !utf8.ValidString(s) {
			return
		}
		d := decode(string(AppendMailbox(nil, s, mode)))
		d.UTF8 = mode
		var name string
		want := s
		if strings.EqualFold(s, inbox) {
			want = inbox
		}
		if !d.ExpectMailbox(&name) || !d.ExpectEnd() || name != want {
			t.Fatalf("mailbox %q -> %q, %v", s, name, d.Err())
		}
	})
}

func FuzzUIDBatches(f *testing.F) {
	for _, s := range []string{" 2000", " 500 1:4", " 2000 4:1", " 1 1:1 ", " 4294967295 4294967295:4294967295"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, args string) {
		c, err := ParseUIDBatches(decode(args))
		if err != nil {
			return
		}
		printed := fmt.Sprintf(" %d", c.Size)
		if c.First > 0 {
			printed += fmt.Sprintf(" %d:%d", c.First, c.Last)
		}
		again, err := ParseUIDBatches(decode(printed))
		if err != nil || *again != *c {
			t.Fatalf("%q -> %q -> %v, %v", args, printed, again, err)
		}
	})
}

func FuzzCancelUpdate(f *testing.F) {
	for _, s := range []string{` "B01"`, ` "a" "b\\\"" ""`, " {3}\r\nabc"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, args string) {
		tags, err := ParseCancelUpdate(decode(args))
		if err != nil {
			return
		}
		printed := ""
		for _, tag := range tags {
			printed += " " + printString(tag)
		}
		again, err := ParseCancelUpdate(decode(printed))
		if err != nil || !slices.Equal(tags, again) {
			t.Fatalf("%q -> %q -> %q, %v", args, printed, again, err)
		}
	})
}

func FuzzSetQuota(f *testing.F) {
	for _, s := range []string{` "User quota" (STORAGE 510)`, ` "" ()`, " x (MESSAGE 1 MAILBOX 9223372036854775807)", " x (a 1 A 2)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, args string) {
		c, err := ParseSetQuota(decode(args))
		if err != nil {
			return
		}
		printed := " " + printString(c.Root) + " ("
		for i, l := range c.Limits {
			if i > 0 {
				printed += " "
			}
			printed += fmt.Sprintf("%s %d", l.Resource, l.Limit)
		}
		again, err := ParseSetQuota(decode(printed + ")"))
		if err != nil || !reflect.DeepEqual(c, again) {
			t.Fatalf("%q -> %q -> %v, %v", args, printed, again, err)
		}
	})
}

func FuzzLanguage(f *testing.F) {
	for _, s := range []string{"", " EN-CA", ` "*" default`, " {2}\r\nen i-default"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, args string) {
		ranges, err := ParseLanguage(decode(args))
		if err != nil {
			return
		}
		printed := ""
		for _, r := range ranges {
			printed += " " + printString(r)
		}
		again, err := ParseLanguage(decode(printed))
		if err != nil || !slices.Equal(ranges, again) {
			t.Fatalf("%q -> %q -> %q, %v", args, printed, again, err)
		}
	})
}
