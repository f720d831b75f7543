package wire

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// decode returns a decoder of raw arguments.
func decode(args string) *Decoder { return NewDecoder([]byte(args), 50) }

// try runs one method on all of args and returns the value, or "!" and the error.
func try[T any](args string, method func(*Decoder, *T) bool) (T, string) {
	d := decode(args)
	var v T
	if method(d, &v) && d.ExpectEnd() {
		return v, ""
	}
	var zero T
	if d.Err() == nil {
		return zero, "failed without an error"
	}
	return zero, d.Err().Error()
}

func TestStrings(t *testing.T) {
	atom, astring, str := (*Decoder).ExpectAtom, (*Decoder).ExpectAString, (*Decoder).ExpectString
	flag, mailbox, pattern := (*Decoder).ExpectFlag, (*Decoder).ExpectMailbox, (*Decoder).ExpectListMailbox
	for _, tt := range []struct {
		what   string
		method func(*Decoder, *string) bool
		in     string
		want   string
		ok     bool
	}{
		{"atom", atom, "abc", "abc", true},
		{"atom", atom, "a[b", "a[b", true},
		{"atom", atom, "a]b", "", false},
		{"atom", atom, "", "", false},
		{"atom", atom, "\"a\"", "", false},
		{"atom", atom, "\xc3\xa9", "", false},
		{"astring", astring, "a]b", "a]b", true},
		{"astring", astring, "a*b", "", false},
		{"astring", astring, "é", "é", true},
		{"astring", astring, "\xe9", "", false},
		{"astring", astring, `""`, "", true},
		{"astring", astring, `"a \" \\ b"`, `a " \ b`, true},
		{"astring", astring, `"\a"`, "", false},
		{"astring", astring, `"\`, "", false},
		{"astring", astring, `"abc`, "", false},
		{"astring", astring, `"abc\"`, "", false},
		{"astring", astring, "\"a\tb\"", "a\tb", true},
		{"astring", astring, "\"a\r\nb\"", "", false},
		{"astring", astring, "\"a\x00b\"", "", false},
		{"astring", astring, "\"\xe9\"", "", false},
		{"astring", astring, `"日本"`, "日本", true},
		{"astring", astring, "{3}\r\na\"b", "a\"b", true},
		{"astring", astring, "{3+}\r\na\nb", "a\nb", true},
		{"astring", astring, "{1}\r\n\xe9", "\xe9", true},
		{"astring", astring, "{0}\r\n", "", true},
		{"astring", astring, "{1}\r\n\x00", "", false},
		{"astring", astring, "~{1}\r\na", "", false},
		{"astring", astring, "{4}\r\nabc", "", false},
		{"astring", astring, "{3}abc", "", false},
		{"astring", astring, "{3}", "", false},
		{"astring", astring, "{}", "", false},
		{"astring", astring, "{-1}", "", false},
		{"astring", astring, "{3", "", false},
		{"astring", astring, "{99999999999999999999}\r\n", "", false},
		{"astring", astring, "{3++}\r\nabc", "", false},
		{"astring", astring, "NIL", "NIL", true},
		{"string", str, "abc", "", false},
		{"string", str, `"abc"`, "abc", true},
		{"flag", flag, `\Seen`, `\Seen`, true},
		{"flag", flag, `$Forwarded`, `$Forwarded`, true},
		{"flag", flag, `\`, "", false},
		{"flag", flag, `\*`, "", false},
		{"flag", flag, `\\Seen`, "", false},
		{"flag", flag, `a]`, "", false},
		{"flag", flag, `"a"`, "", false},
		{"mailbox", mailbox, "inBox", "INBOX", true},
		{"mailbox", mailbox, `"Inbox"`, "INBOX", true},
		{"mailbox", mailbox, "{5+}\r\ninbox", "INBOX", true},
		{"mailbox", mailbox, "Inbox/a", "Inbox/a", true},
		{"mailbox", mailbox, "&AOk-", "é", true},
		{"mailbox", mailbox, `"a &- b"`, "a & b", true},
		{"mailbox", mailbox, "a&b", "", false},
		{"mailbox", mailbox, "&AOk-&AOk-", "", false},
		{"mailbox", mailbox, "{2}\r\né", "é", true},
		{"mailbox", mailbox, "é&AOk-", "é&AOk-", true},
		{"mailbox", mailbox, "{1}\r\n\xe9", "", false},
		{"mailbox", mailbox, "a%", "", false},
		{"pattern", pattern, "a%*]", "a%*]", true},
		{"pattern", pattern, `""`, "", true},
		{"pattern", pattern, "&AOk-/%", "é/%", true},
		{"pattern", pattern, "&AO*", "&AO*", true},
		{"pattern", pattern, "a(", "", false},
		{"pattern", pattern, "{1}\r\n\xe9", "", false},
	} {
		got, err := try(tt.in, tt.method)
		if got != tt.want || (err == "") != tt.ok {
			t.Errorf("%s %q: got %q, error %q", tt.what, tt.in, got, err)
		}
	}
}

// With UTF-8 enabled "&" is an ordinary character.
func TestMailboxUTF8(t *testing.T) {
	for _, name := range []string{"a&b", "&AOk-", "R&D", "é"} {
		d := decode(`"` + name + `"`)
		d.UTF8 = true
		var got string
		if !d.ExpectMailbox(&got) || got != name {
			t.Errorf("%q: got %q, %v", name, got, d.Err())
		}
	}
	d := decode("{1}\r\n\xff")
	d.UTF8 = true
	var got string
	if d.ExpectMailbox(&got) {
		t.Error("broken UTF-8 accepted")
	}
}

func TestNString(t *testing.T) {
	for _, tt := range []struct {
		in, want    string
		present, ok bool
	}{
		{"NIL", "", false, true}, {"nil", "", false, true}, {`"NIL"`, "NIL", true, true}, {`""`, "", true, true},
		{"{1}\r\na", "a", true, true}, {"NILS", "", false, false}, {"a", "", false, false},
	} {
		d := decode(tt.in)
		var s string
		var present bool
		if ok := d.ExpectNString(&s, &present) && d.ExpectEnd(); ok != tt.ok || ok && (s != tt.want || present != tt.present) {
			t.Errorf("%q: got %q, %v, %v", tt.in, s, present, d.Err())
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, tt := range []struct {
		in             string
		n, nz, n64, ms bool
	}{
		{"0", true, false, true, true},
		{"1", true, true, true, true},
		{"0007", true, true, true, true},
		{"4294967295", true, true, true, true},
		{"4294967296", false, false, true, true},
		{"9223372036854775807", false, false, true, true},
		{"9223372036854775808", false, false, false, false},
		{"99999999999999999999999", false, false, false, false},
		{"-1", false, false, false, false},
		{"", false, false, false, false},
		{"1a", false, false, false, false},
	} {
		if _, err := try(tt.in, (*Decoder).ExpectNumber); (err == "") != tt.n {
			t.Errorf("number %q: %q", tt.in, err)
		}
		if _, err := try(tt.in, (*Decoder).ExpectNzNumber); (err == "") != tt.nz {
			t.Errorf("nz-number %q: %q", tt.in, err)
		}
		if _, err := try(tt.in, (*Decoder).ExpectNumber64); (err == "") != tt.n64 {
			t.Errorf("number64 %q: %q", tt.in, err)
		}
		if _, err := try(tt.in, (*Decoder).ExpectModSeq); (err == "") != tt.ms {
			t.Errorf("mod-sequence %q: %q", tt.in, err)
		}
	}
	if n, err := try("9223372036854775807", (*Decoder).ExpectNumber64); n != 1<<63-1 {
		t.Errorf("got %d, %s", n, err)
	}
}

func TestSet(t *testing.T) {
	r := func(first, last uint32) Range { return Range{first, last} }
	for _, tt := range []struct {
		in   string
		want []Range
	}{
		{"1", []Range{r(1, 1)}},
		{"*", []Range{r(Star, Star)}},
		{"1:*", []Range{r(1, Star)}},
		{"*:5", []Range{r(Star, 5)}},
		{"*:*", []Range{r(Star, Star)}},
		{"5:2,4294967295", []Range{r(5, 2), r(4294967295, 4294967295)}},
		{"1,2:3,*", []Range{r(1, 1), r(2, 3), r(Star, Star)}},
		{"0", nil}, {"", nil}, {"1,", nil}, {",1", nil}, {"1:", nil}, {":1", nil}, {"1::2", nil}, {"1:2:3", nil},
		{"4294967296", nil}, {"1,$", nil}, {"$,1", nil}, {"a", nil}, {"-1", nil}, {"1 ,2", nil}, {"**", nil},
	} {
		got, err := try(tt.in, (*Decoder).ExpectSet)
		if (err == "") != (tt.want != nil) || !slices.Equal(got.Ranges, tt.want) {
			t.Errorf("%q: got %v, %q", tt.in, got, err)
		}
	}
	if got, err := try("$", (*Decoder).ExpectSet); !got.Saved || got.Ranges != nil {
		t.Errorf("$: got %v, %q", got, err)
	}
	got, err := try("1"+strings.Repeat(",7:9", 50000), (*Decoder).ExpectSet)
	if len(got.Ranges) != 50001 || cap(got.Ranges) != 50001 {
		t.Errorf("long set: %d ranges, %q", len(got.Ranges), err)
	}
}

func TestDates(t *testing.T) {
	day := func(in string) (time.Time, string) { return try(in, (*Decoder).ExpectDate) }
	for _, tt := range []struct{ in, want string }{
		{"1-Feb-2026", "2026-02-01"}, {"01-fEb-2026", "2026-02-01"}, {`"29-Feb-2024"`, "2024-02-29"}, {"31-Dec-1969", "1969-12-31"},
		{"30-Feb-2026", ""}, {"0-Feb-2026", ""}, {"32-Jan-2026", ""}, {"1-Foo-2026", ""}, {"1-anf-2026", ""}, {"1-Feb-26", ""},
		{"1-Feb-20266", ""}, {"1 Feb 2026", ""}, {"001-Feb-2026", ""}, {"1-Feb", ""}, {"1-Fe", ""}, {"", ""}, {`" 1-Feb-2026"`, ""},
	} {
		got, err := day(tt.in)
		if tt.want == "" {
			if err == "" {
				t.Errorf("%q accepted: %v", tt.in, got)
			}
		} else if err != "" || got.Format(time.DateOnly) != tt.want || got.Location() != time.UTC {
			t.Errorf("%q: got %v, %q", tt.in, got, err)
		}
	}
	for _, tt := range []struct{ in, want string }{
		{`" 1-Feb-2026 10:11:12 +0130"`, "2026-02-01T10:11:12+01:30"},
		{`"01-Feb-2026 10:11:12 -0800"`, "2026-02-01T10:11:12-08:00"},
		{`"1-feb-2026 00:00:60 +0000"`, "2026-02-01T00:01:00Z"},
		{`" 1-Feb-2026 24:11:12 +0130"`, ""}, {`" 1-Feb-2026 10:60:12 +0130"`, ""}, {`" 1-Feb-2026 10:11:61 +0130"`, ""},
		{`" 1-Feb-2026 10:11:12 +0160"`, ""}, {`" 1-Feb-2026 10:11:12 0130"`, ""}, {`" 1-Feb-2026 10:11:12"`, ""}, {`"31-Feb-2026 10:11:12 +0000"`, ""},
		{` 1-Feb-2026`, ""}, {`""`, ""}, {`" 1-Feb-2026 10:11:12 +0130 "`, ""}, {`" 1-Feb-2026 1:11:12 +0130"`, ""},
	} {
		got, err := try(tt.in, (*Decoder).ExpectDateTime)
		if tt.want == "" {
			if err == "" {
				t.Errorf("%q accepted: %v", tt.in, got)
			}
		} else if err != "" || got.Format(time.RFC3339) != tt.want {
			t.Errorf("%q: got %v, %q", tt.in, got, err)
		}
	}
}

func TestFlagList(t *testing.T) {
	for in, want := range map[string][]string{
		"()": {}, "( )": {}, `(\Seen)`: {`\Seen`}, `(\Seen a $b)`: {`\Seen`, "a", "$b"}, "( a  b )": {"a", "b"},
	} {
		if got, err := try(in, (*Decoder).ExpectFlagList); err != "" || got == nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %#v, %q", in, got, err)
		}
	}
	for _, in := range []string{"", "(", "(a", "(a%)", "a", `(a"b")`, "((a))"} {
		if got, err := try(in, (*Decoder).ExpectFlagList); err == "" {
			t.Errorf("%q accepted: %q", in, got)
		}
	}
}

func TestBase64(t *testing.T) {
	for in, want := range map[string]string{"YWJj": "abc", "YQ==": "a", "=": "", "AGEAYg==": "\x00a\x00b", "+/+/": "\xfb\xff\xbf"} {
		if got, err := try(in, (*Decoder).ExpectBase64); err != "" || got == nil || string(got) != want {
			t.Errorf("%q: got %q, %q", in, got, err)
		}
	}
	for _, in := range []string{"", "YQ", "Y", "YQ=", "==", "Y=Q=", "Y Q=", "-_-_"} {
		if got, err := try(in, (*Decoder).ExpectBase64); err == "" {
			t.Errorf("%q accepted: %q", in, got)
		}
	}
}

// After the first error every method fails and the first error stays.
func TestErrorsStick(t *testing.T) {
	d := decode("abc (def) 5")
	if d.Fail("first"); d.ExpectSP() {
		t.Error("ExpectSP after an error")
	}
	var s string
	var n uint32
	var set Set
	var ok bool
	if d.ExpectAtom(&s) || d.ExpectAString(&s) || d.ExpectNumber(&n) || d.ExpectSet(&set) || d.ExpectNString(&s, &ok) || d.SP() || d.End() ||
		d.Keyword("ABC") || d.Special('a') || d.ExpectList(func() bool { return true }) || d.ExpectEnd() {
		t.Error("a method succeeded after an error")
	}
	var syntax *SyntaxError
	if !errors.As(d.Err(), &syntax) || syntax.Text != "first" {
		t.Errorf("got %v", d.Err())
	}
}

func TestTries(t *testing.T) {
	d := decode("abc 5")
	if d.Keyword("AB") || d.Keyword("ABCD") || d.SP() || d.End() || d.Special('(') || d.Err() != nil {
		t.Error("a try succeeded or left an error")
	}
	if !d.Keyword("ABC") || !d.SP() || d.End() || d.Err() != nil {
		t.Error("a try failed")
	}
}

func TestListDepth(t *testing.T) {
	var nest func(d *Decoder) bool
	nest = func(d *Decoder) bool { return d.ExpectList(func() bool { return nest(d) }) }
	if d := NewDecoder([]byte(strings.Repeat("(", 10)+strings.Repeat(")", 10)), 10); !nest(d) {
		t.Error(d.Err())
	}
	if d := NewDecoder([]byte(strings.Repeat("(", 11)+strings.Repeat(")", 11)), 10); nest(d) {
		t.Error("depth 11 accepted with a limit of 10")
	}
}
