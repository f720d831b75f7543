package message

import (
	"bytes"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestMetaRoundTrip(t *testing.T) {
	for _, mail := range append(corpus(t), brokenMail()...) {
		m := parse(t, mail.data, DefaultLimits)
		meta := mustMeta(t, mail.data)
		b := meta.AppendBinary([]byte("prefix"))
		again, err := unmarshalMeta(b[len("prefix"):])
		if err != nil {
			t.Errorf("%q: %v", mail.name, err)
			continue
		}
		if !bytes.Equal(again.AppendBinary(nil), b[len("prefix"):]) {
			t.Errorf("%q: another form the second time", mail.name)
		}
		if got := again.Message(); !reflect.DeepEqual(got, m) {
			t.Errorf("%q:\ngot  %+v\nwant %+v", mail.name, got.Root, m.Root)
		}
		if got := meta.Message(); !reflect.DeepEqual(got, m) {
			t.Errorf("%q, not marshalled:\ngot  %+v\nwant %+v", mail.name, got.Root, m.Root)
		}
		for _, v := range [][]byte{meta.Envelope, meta.BodyStructure, meta.Body} {
			if rest, ok := checkValue(v); !ok || len(rest) > 0 {
				t.Errorf("%q: not a value: %q", mail.name, v)
			}
		}
	}
}

// TestMetaHeader compares the cached fields with those in the file.
func TestMetaHeader(t *testing.T) {
	for _, mail := range append(corpus(t), brokenMail()...) {
		meta := mustMeta(t, mail.data)
		root := meta.Message().Root
		var want []byte
		Fields(mail.data[root.HeaderOff:root.BodyOff], func(name, raw []byte) bool {
			field := lowerASCII(string(name))
			if _, ok := slices.BinarySearch(CachedFields, field); (ok || meta.HasAllHeader) && meta.Cached(field) {
				want = append(want, raw...)
			}
			return true
		})
		if !bytes.Equal(meta.Header, want) {
			t.Errorf("%q:\ngot  %q\nwant %q", mail.name, meta.Header, want)
		}
	}
}

func TestMetaHeaderLimit(t *testing.T) {
	small := mustMeta(t, []byte("X-Own: 1\nSubject: x\n\nbody"))
	if !small.HasAllHeader || !small.Cached("x-own") || !small.Cached("absent") || string(small.Header) != "X-Own: 1\nSubject: x\n" {
		t.Errorf("a small header is kept whole: %q", small.Header)
	}
	long := "X-Own: 1\nSubject: x\nReferences: " + strings.Repeat("<id@host>\n ", 1000) + "\nReferences: again\nTO: a@b\n"
	meta := mustMeta(t, []byte(long+"X-Large: "+strings.Repeat("y", 2000)+"\n\nbody"))
	if !meta.HasAllHeader && meta.Cached("x-own") {
		t.Error("x-own is not cached")
	}
	if !meta.Cached("References") || !meta.Cached("to") || !meta.Cached("cc") {
		t.Error("11 kB of references fit")
	}
	meta = mustMeta(t, []byte("Subject: x\nReferences: "+strings.Repeat("<id@host>\n ", 2000)+"\nTo: a@b\n\nbody"))
	if meta.Cached("references") || !meta.Cached("SUBJECT") || !meta.Cached("to") || string(meta.Header) != "Subject: x\nTo: a@b\n" {
		t.Errorf("what does not fit is not said to be there: %q", meta.Header)
	}
	again, err := unmarshalMeta(meta.AppendBinary(nil))
	if err != nil || again.Cached("references") || !again.Cached("to") {
		t.Errorf("the same after unmarshalling: %v", err)
	}
	if !slices.IsSorted(CachedFields) || len(CachedFields) > 64 {
		t.Error("CachedFields must be sorted and fit the bits of Meta.dropped")
	}
}

func unmarshalMeta(b []byte) (*Meta, error) {
	m := new(Meta)
	return m, m.UnmarshalBinary(b)
}

func TestMetaTorn(t *testing.T) {
	b := mustMeta(t, []byte(mixed("b")+"--b\nContent-Language: en, de\n\none\n--b\nContent-Type: message/rfc822\n\nTo: a@b\n\n--b--\n")).AppendBinary(nil)
	for n := range b {
		if _, err := unmarshalMeta(b[:n]); err == nil {
			t.Errorf("%d of %d octets taken for the whole", n, len(b))
		}
	}
	if _, err := unmarshalMeta(append(slices.Clone(b), 0)); err == nil {
		t.Error("one octet too many")
	}
	other := slices.Clone(b)
	other[0]++
	if _, err := unmarshalMeta(other); err == nil {
		t.Error("another version")
	}
	if m := new(Meta).Message(); m.Root == nil {
		t.Error("an empty Meta has no tree")
	}
}

func TestEnvelope(t *testing.T) {
	for _, c := range []struct{ header, want string }{
		{"", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"},
		{"SUBJECT : =?utf-8?q?x?=\n =?utf-8?q?y?= \n", `(NIL "=?utf-8?q?x?= =?utf-8?q?y?=" NIL NIL NIL NIL NIL NIL NIL NIL)`},
		{"Subject:\n", `(NIL "" NIL NIL NIL NIL NIL NIL NIL NIL)`},
		{"Subject: a\"b\\c\n", `(NIL "a\"b\\c" NIL NIL NIL NIL NIL NIL NIL NIL)`},
		{"Subject: \xc3\xa4\n", "(NIL {2}\r\n\xc3\xa4 NIL NIL NIL NIL NIL NIL NIL NIL)"},
		{"Subject: a\x00b\n", "(NIL {3}\r\na\x80b NIL NIL NIL NIL NIL NIL NIL NIL)"},
		{"From: A <a@b>\n", `(NIL NIL (("A" NIL "a" "b")) (("A" NIL "a" "b")) (("A" NIL "a" "b")) NIL NIL NIL NIL NIL)`},
		{"From: a@b\nSender: c@d\nReply-To: e@f\n",
			`(NIL NIL ((NIL NIL "a" "b")) ((NIL NIL "c" "d")) ((NIL NIL "e" "f")) NIL NIL NIL NIL NIL)`},
		{"To: undisclosed-recipients:;\nCc: Friends: a@b, C <c@d>;\n",
			`(NIL NIL NIL NIL NIL ((NIL NIL "undisclosed-recipients" NIL)(NIL NIL NIL NIL)) ((NIL NIL "Friends" NIL)(NIL NIL "a" "b")("C" NIL "c" "d")(NIL NIL NIL NIL)) NIL NIL NIL)`},
		{"Date: Mon, 1 Jan 2024 00:00:00 +0000\nIn-Reply-To: <a>\nMessage-Id: <b>\nBcc: a@b\n",
			`("Mon, 1 Jan 2024 00:00:00 +0000" NIL NIL NIL NIL NIL NIL ((NIL NIL "a" "b")) "<a>" "<b>")`},
	} {
		if got := string(mustMeta(t, []byte(c.header+"\nbody")).Envelope); got != c.want {
			t.Errorf("%q\ngot  %s\nwant %s", c.header, got, c.want)
		}
	}
}

func TestBodyStructure(t *testing.T) {
	for _, c := range []struct{ data, want, body string }{
		{"\nx\n", `("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 1 NIL NIL NIL NIL)`,
			`("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 1)`},
		{"Content-Type: Application/PDF; Name=x; b=c\nContent-Transfer-Encoding: BASE64\nContent-ID: <i>\nContent-Description: d\nContent-MD5: m\n" +
			"Content-Disposition: attachment; filename=\"x y\"; size=1\nContent-Language: en, de\nContent-Location: http://l/\n\nAA==\n",
			`("Application" "PDF" ("Name" "x" "b" "c") "<i>" "d" "base64" 6 "m" ("attachment" ("filename" "x y" "size" "1")) ("en" "de") "http://l/")`,
			`("Application" "PDF" ("Name" "x" "b" "c") "<i>" "d" "base64" 6)`},
		{"Content-Type: multipart/mixed; boundary=b; x=y\nContent-Disposition: inline\nContent-Language: en\nContent-Location: l\n\n--b\n\n1\n--b\n\n2\n--b--\n",
			`(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0 NIL NIL NIL NIL)("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0 NIL NIL NIL NIL)` +
				` "mixed" ("boundary" "b" "x" "y") ("inline" NIL) ("en") "l")`,
			`(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0)("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0) "mixed")`},
		{"Content-Type: message/rfc822\n\nSubject: x\n\nline\n",
			`("message" "rfc822" NIL NIL NIL "7bit" 20 (NIL "x" NIL NIL NIL NIL NIL NIL NIL NIL) ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 6 1 NIL NIL NIL NIL) 3 NIL NIL NIL NIL)`,
			`("message" "rfc822" NIL NIL NIL "7bit" 20 (NIL "x" NIL NIL NIL NIL NIL NIL NIL NIL) ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 6 1) 3)`},
	} {
		meta := mustMeta(t, []byte(c.data))
		if got := string(meta.BodyStructure); got != c.want {
			t.Errorf("%q\ngot  %s\nwant %s", c.data, got, c.want)
		}
		if got := string(meta.Body); got != c.body {
			t.Errorf("%q\ngot  %s\nwant %s", c.data, got, c.body)
		}
	}
}

func TestFields(t *testing.T) {
	type field struct{ name, raw string }
	for header, want := range map[string][]field{
		"":                          nil,
		"\nA: b\n":                  nil,
		"\r\nA: b\r\n":              nil,
		"A: b\nC : d\r\n\nE: f":     {{"A", "A: b\n"}, {"C", "C : d\r\n"}},
		"A: b\n c\r\n\td\nE:f":      {{"A", "A: b\n c\r\n\td\n"}, {"E", "E:f"}},
		" x\n y\nA: b\nno field\n:": {{"", " x\n y\n"}, {"A", "A: b\n"}, {"", "no field\n"}, {"", ":"}},
		"A: b\n \n c\nD: e\n":       {{"A", "A: b\n \n c\n"}, {"D", "D: e\n"}},
	} {
		var got []field
		Fields([]byte(header), func(name, raw []byte) bool {
			got = append(got, field{string(name), string(raw)})
			return true
		})
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q\ngot  %q\nwant %q", header, got, want)
		}
	}
	n := 0
	Fields([]byte("A: 1\nB: 2\n"), func(_, _ []byte) bool { n++; return false })
	if n != 1 {
		t.Errorf("%d fields after false", n)
	}
}

func TestParseDate(t *testing.T) {
	const day = 86400
	for _, c := range []struct {
		date         string
		day, seconds int64
	}{
		{"Thu, 01 Jan 1970 00:00:00 +0000", 0, 0},
		{"Fri, 2 Jan 1970 01:02:03 +0000", 1, day + 3723},
		{"2 Jan 1970 01:02 +0100", 1, day + 120},
		{"Fri, 2 Jan 1970 23:30:00 -0100", 1, 2*day + 1800},
		{"Fri, 2 Jan 70 01:02:03 GMT", 1, day + 3723},
		{"2 Jan 01 00:00 UT", 11324, 11324 * day},
		{"2 Jan 101 00:00 UT", 11324, 11324 * day},
		{"2 Jan 1970 00:00 EST", 1, day + 5*3600},
		{"2 Jan 1970 00:00 pdt", 1, day + 7*3600},
		{"2 Jan 1970 00:00 Z", 1, day},
		{"2 Jan 1970 00:00 K", 1, day},
		{"2 Jan 1970 00:00 GMT+0100", 1, day - 3600},
		{"2 Jan 1970 00:00 +01:00", 1, day - 3600},
		{"2 Jan 1970 00:00:60 +0100 (CET)", 1, day + 59 - 3600},
		{"(a) Fri (b), 2 (c (d)) jan (e) 1970 (f) 00:00 (g) +0000 (h)", 1, day},
		{"Fri,2 Jan 1970 00:00:00+0000", 1, day},
		{"Fri, 2 Jan 1970 09(comment):   55  :  06 -0600", 1, day + 15*3600 + 55*60 + 6}, // RFC 5322, appendix A.6.2
		{"2 Jan 1970 09 :55", 1, day + 9*3600 + 55*60},
		{"2 Jan 1970 09: -0600", 1, day},
		{"Fri: 2 Jan 1970 01:00", 1, day + 3600},
		{"Fri,2 Jan 1970 00:00:01+0100", 1, day + 1 - 3600},
		{"Friday, 2-January-1970 00:00:00 GMT", 1, day},
		{"Fri Jan  2 00:00:00 1970", 1, day},
		{"Fri Jan  2 00:00:00 PST 1970", 1, day + 8*3600},
		{"2 Jan 1970", 1, day},
		{"2 Jan 1970 25:00 +0000", 1, day},
		{"31 Dec 1969 23:59:59 +0000", -1, -1},
		{"29 Feb 2024 12:00:00 +0000", 19782, 19782*day + 43200},
		{"29 Feb 2023 12:00:00 +0000", math.MinInt64, math.MinInt64},
		{"32 Jan 1970 00:00 +0000", math.MinInt64, math.MinInt64},
		{"0 Jan 1970 00:00 +0000", math.MinInt64, math.MinInt64},
		{"2 Foo 1970", math.MinInt64, math.MinInt64},
		{"", math.MinInt64, math.MinInt64},
		{"<HR>", math.MinInt64, math.MinInt64},
		{"(2 Jan 1970", math.MinInt64, math.MinInt64},
		{"2 Jan 19700", math.MinInt64, math.MinInt64},
	} {
		if d, s := parseDate([]byte(c.date)); d != c.day || s != c.seconds {
			t.Errorf("%q: %d, %d, want %d, %d", c.date, d, s, c.day, c.seconds)
		}
	}
	meta := mustMeta(t, []byte("Date: Fri,\n 2 Jan 1970 23:00:00 -0200\n\n"))
	if meta.SentDay != 1 || meta.SentTime != 2*day+3600 {
		t.Errorf("%d, %d", meta.SentDay, meta.SentTime)
	}
}

func FuzzMeta(f *testing.F) {
	for _, mail := range brokenMail() {
		f.Add(mustMeta(f, mail.data).AppendBinary(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		meta, err := unmarshalMeta(b)
		if err != nil {
			return
		}
		m := meta.Message()
		m.Find([]uint32{1, 2, 1})
		again, err := unmarshalMeta(meta.AppendBinary(nil))
		if err != nil || !reflect.DeepEqual(again.Message(), m) {
			t.Fatalf("not the same again: %v", err)
		}
	})
}

func FuzzAddress(f *testing.F) {
	for _, c := range addressCases {
		f.Add([]byte(c.field))
	}
	f.Fuzz(func(t *testing.T, field []byte) {
		list := parseAddresses(nil, field, DefaultLimits.Addresses)
		if rest, ok := checkValue(appendAddresses(nil, list)); !ok || len(rest) > 0 {
			t.Fatalf("not a value: %q", appendAddresses(nil, list))
		}
		group := false
		for _, a := range list {
			switch {
			case a.host != nil && a.mailbox == nil, a.host == nil && (a.mailbox != nil) == group, a.host == nil && (a.name != nil || a.route != nil):
				t.Fatalf("not an address list: %q", appendAddresses(nil, list))
			case a.host == nil:
				group = !group
			}
		}
		if group {
			t.Fatalf("a group that does not end: %q", appendAddresses(nil, list))
		}
	})
}

func FuzzDate(f *testing.F) {
	for _, s := range []string{"Fri, 2 Jan 1970 01:02:03 +0000", "Fri Jan  2 00:00:00 PST 1970", "2-Jan-70 0:0 GMT+01:00", "(a) 2 Jan 99"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		day, seconds := parseDate(b)
		if (day == math.MinInt64) != (seconds == math.MinInt64) {
			t.Fatal("half a date")
		}
		if d := seconds - day*86400; day != math.MinInt64 && (d < -101*3600 || d > 127*3600) {
			t.Fatalf("%d seconds from the day", d)
		}
	})
}

func BenchmarkNewMeta(b *testing.B) {
	data := []byte("From: A <a@b>\r\nTo: c@d, E F <e@f>\r\nSubject: x\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\nMessage-ID: <x@y>\r\n" +
		"Received: from a by b\r\n" + mixed("b") + "--b\r\n\r\none\r\n--b\r\nContent-Type: text/html\r\n\r\ntwo\r\n--b--\r\n")
	m := parse(b, data, DefaultLimits)
	r := bytes.NewReader(data)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := NewMeta(m, r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMetaUnmarshal(b *testing.B) {
	data := mustMeta(b, []byte("From: A <a@b>\r\n"+mixed("b")+"--b\r\n\r\none\r\n--b\r\nContent-Type: text/html\r\n\r\ntwo\r\n--b--\r\n")).AppendBinary(nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := unmarshalMeta(data); err != nil {
			b.Fatal(err)
		}
	}
}

// TestPartStructure: the structure of a part is what it is inside the structure of the message.
func TestPartStructure(t *testing.T) {
	data := []byte("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html; charset=utf-8\n\n1\n--b\nContent-Type: message/rfc822\n\nSubject: x\nFrom: a@b\n" +
		"Content-Type: multipart/alternative; boundary=c\n\n--c\n\n2\n--c\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\nAA==\n--c--\n--b--\n")
	m, err := Parse(bytes.NewReader(data), int64(len(data)), DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	whole := mustMeta(t, data).BodyStructure
	if got, err := PartStructure(bytes.NewReader(data), m, m.Root); err != nil || !bytes.Equal(got, whole) {
		t.Errorf("%s, %v\nwant %s", got, err, whole)
	}
	for _, number := range [][]uint32{{1}, {2}, {2, 1}, {2, 2}} {
		got, err := PartStructure(bytes.NewReader(data), m, m.Find(number))
		if err != nil || bytes.Count(whole, got) != 1 {
			t.Errorf("%v: %s, %v\nnot in %s", number, got, err, whole)
		}
	}
}
