package wire

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// printURL prints a URL, with percent-encoding wherever it may be.
func printURL(u *URL) string {
	encode := func(s string) string {
		var b strings.Builder
		for i := range len(s) {
			fmt.Fprintf(&b, "%%%02X", s[i])
		}
		return b.String()
	}
	out := "/"
	switch {
	case u.Relative:
		out = ""
	case u.Network:
		if out = "//"; u.Absolute {
			out = "imap://"
		}
		if u.User != "" {
			out += encode(u.User) + "@"
		}
		out += u.Host + "/"
	}
	if u.Mailbox != "" {
		out += encode(u.Mailbox)
		if u.UIDValidity != 0 {
			out += fmt.Sprint(";UIDVALIDITY=", u.UIDValidity)
		}
		out += "/"
	}
	out += fmt.Sprint(";UID=", u.UID)
	if u.Section != nil {
		section := strings.TrimPrefix(printSection(u.Section), "BODY[")
		out += "/;SECTION=" + encode(strings.TrimSuffix(section, "]"))
	}
	if u.Partial != nil {
		out += fmt.Sprint("/;PARTIAL=", u.Partial.Offset)
		if u.Partial.Count != WholePartial {
			out += fmt.Sprint(".", u.Partial.Count)
		}
	}
	if u.Access == "" {
		return out
	}
	if !u.Expire.IsZero() {
		out += ";EXPIRE=" + u.Expire.Format(time.RFC3339Nano)
	}
	out += ";URLAUTH=" + u.Access + encode(u.AccessFor)
	if u.Mechanism != "" {
		out += ":" + u.Mechanism + ":" + u.Token
	}
	return out
}

const token = "91354a473744909de610943775f92038"

func TestParseURL(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want URL
	}{
		// RFC 4469 §4
		{"/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER", URL{Mailbox: "Drafts", UIDValidity: 385759045, UID: 20, Section: &FetchSection{Spec: SpecHeader}}},
		{"/Drafts;UIDVALIDITY=385759045/;UID=30", URL{Mailbox: "Drafts", UIDValidity: 385759045, UID: 30}},
		{";UID=20/;section=1.MIME", URL{Relative: true, UID: 20, Section: &FetchSection{Part: []uint32{1}, Spec: SpecMIME}}},
		// RFC 5092 §10
		{"imap://minbari.example.org/gray-council;UIDVALIDITY=385759045/;UID=20/;PARTIAL=0.1024",
			URL{Absolute: true, Network: true, Host: "minbari.example.org", Mailbox: "gray-council", UIDValidity: 385759045, UID: 20, Partial: &Partial{0, 1024}}},
		{"imap://;AUTH=GSSAPI@minbari.example.org/gray-council/;uid=20/;section=1.2",
			URL{Absolute: true, Network: true, Host: "minbari.example.org", Mailbox: "gray-council", UID: 20, Section: &FetchSection{Part: []uint32{1, 2}}}},
		// RFC 4467 §7, §8
		{"imap://joe@example.com/INBOX/;uid=20/;section=1.2;urlauth=submit+fred:internal:" + token,
			URL{Absolute: true, Network: true, User: "joe", Host: "example.com", Mailbox: "INBOX", UID: 20, Section: &FetchSection{Part: []uint32{1, 2}}, Access: "submit+", AccessFor: "fred",
				Mechanism: "INTERNAL", Token: token, Rump: "imap://joe@example.com/INBOX/;uid=20/;section=1.2;urlauth=submit+fred"}},
		{"imap://joe@example.com/INBOX/;uid=20;EXPIRE=2006-04-01T00:00:00-08:00;URLAUTH=anonymous",
			URL{Absolute: true, Network: true, User: "joe", Host: "example.com", Mailbox: "INBOX", UID: 20, Access: "anonymous",
				Expire: time.Date(2006, 4, 1, 0, 0, 0, 0, time.FixedZone("", -8*3600)), Rump: "imap://joe@example.com/INBOX/;uid=20;EXPIRE=2006-04-01T00:00:00-08:00;URLAUTH=anonymous"}},
		{"/%E5%8F%B0%E5%8C%97/a/b%3B/;UID=1/;PARTIAL=7", URL{Mailbox: "台北/a/b;", UID: 1, Partial: &Partial{7, WholePartial}}},
		{"imap://a%40b;AUTH=*@[::1]:1143/x/;uid=4294967295/;section=HEADER.FIELDS%20(A%20B)/;partial=1.2",
			URL{Absolute: true, Network: true, User: "a@b", Host: "[::1]:1143", Mailbox: "x", UID: 4294967295, Section: &FetchSection{Spec: SpecHeaderFields, Fields: []string{"A", "B"}}, Partial: &Partial{1, 2}}},
		{"//u@h/x/;UID=1", URL{Network: true, User: "u", Host: "h", Mailbox: "x", UID: 1}},
		{"x/y;UIDVALIDITY=2/;UID=1", URL{Relative: true, Mailbox: "x/y", UIDValidity: 2, UID: 1}},
	} {
		got, err := ParseURL(tt.in)
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		if !got.Expire.Equal(tt.want.Expire) {
			t.Errorf("%s: expires %v", tt.in, got.Expire)
		}
		got.Expire = tt.want.Expire
		if !reflect.DeepEqual(*got, tt.want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", tt.in, *got, tt.want)
		}
	}
}

func TestParseURLRefused(t *testing.T) {
	for _, in := range []string{
		"", "/", "x", "/x", "/x/", "imap://", "imap://h", "imap://h/", "imap:///x/;UID=1", "http://h/x/;UID=1", "imap://u@h;x/x/;UID=1", "imap://u;X=1@h/x/;UID=1",
		"/;UID=1", "//h/;UID=1", "/x;UID=1", "/x/;UID=", "/x/;UID=0", "/x/;UID=4294967296", "/x/;UID=1x", "/x/;UID=1:2", "/x/;UID=1/", "/x/;UID=1;SECTION=1",
		"/x;UIDVALIDITY=0/;UID=1", "/x;UIDVALIDITY=1;UID=1", "/x?SUBJECT", "/x?y/;UID=1", "/x/;UID=1?y",
		"/x/;UID=1/;SECTION=", "/x/;UID=1/;SECTION=1.", "/x/;UID=1/;SECTION=0", "/x/;UID=1/;SECTION=MIME", "/x/;UID=1/;SECTION=TEXT]x", "/x/;UID=1/;SECTION=HEADER.FIELDS%20()",
		"/x/;UID=1/;PARTIAL=", "/x/;UID=1/;PARTIAL=1.", "/x/;UID=1/;PARTIAL=1.0", "/x/;UID=1/;PARTIAL=-1", "/x/;UID=1/;PARTIAL=9999999999999999999", "/x/;UID=1/;PARTIAL=1/;SECTION=1",
		"/%/;UID=1", "/%4/;UID=1", "/%zz/;UID=1", "/%00/;UID=1", "/%ff/;UID=1", "/x y/;UID=1", "/é/;UID=1", "/x\r\n/;UID=1", `/x"/;UID=1`,
		"/x/;UID=1;EXPIRE=2006-04-01T00:00:00Z", "/x/;UID=1;EXPIRE=2006;URLAUTH=anonymous", "/x/;UID=1;URLAUTH=", "/x/;UID=1;URLAUTH=submit+", "/x/;UID=1;URLAUTH=anonymous+x",
		"/x/;UID=1;URLAUTH=authuserx", "/x/;UID=1;URLAUTH=anonymous:", "/x/;UID=1;URLAUTH=anonymous:INTERNAL", "/x/;UID=1;URLAUTH=anonymous:INTERNAL:12",
		"/x/;UID=1;URLAUTH=anonymous::" + token, "/x/;UID=1;URLAUTH=anonymous:INTERNAL:" + token + ":x", "/x/;UID=1;URLAUTH=user+%00:INTERNAL:" + token,
		"/" + strings.Repeat("x", MaxURL) + "/;UID=1",
	} {
		if u, err := ParseURL(in); err == nil {
			t.Errorf("%q: %+v", in, u)
		}
	}
}

func FuzzURL(f *testing.F) {
	for _, s := range []string{
		"/Drafts;UIDVALIDITY=385759045/;UID=20/;section=1.5.9/;partial=3.4", ";UID=20", "imap://joe;AUTH=*@example.com:143/INBOX/;uid=20/;section=HEADER.FIELDS.NOT%20(a%20%22b%22)",
		"imap://joe@example.com/INBOX/;uid=20;expire=2006-04-01T00:00:00Z;urlauth=submit+fred:internal:" + token, "//h/%41/;UID=1;URLAUTH=authuser", "a/b/;uid=1",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		u, err := ParseURL(in)
		if err != nil {
			return
		}
		printed := printURL(u)
		if len(printed) > MaxURL {
			return
		}
		again, err := ParseURL(printed)
		if err != nil {
			t.Fatalf("%q -> %q: %v", in, printed, err)
		}
		if !u.Expire.Equal(again.Expire) {
			t.Fatalf("%q -> %q: expires %v, %v", in, printed, u.Expire, again.Expire)
		}
		again.Expire, again.Rump = u.Expire, u.Rump // the same moment, said in another way
		if !reflect.DeepEqual(u, again) {
			t.Fatalf("%q -> %q -> %+v, not %+v", in, printed, again, u)
		}
	})
}
