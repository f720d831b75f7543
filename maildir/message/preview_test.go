package message

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPreview(t *testing.T) {
	long := strings.Repeat("wörd ", 100)
	for _, c := range []struct{ mail, want string }{
		{"Subject: x\n\nHello,\n\n  this is\tit.\n", "Hello, this is it."},
		{"\n> you said\n> this\nNo.\n-- \nMe, of the company\n", "No."},
		{"\n> only\n>quoted\n", "> only >quoted"},
		{"Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nGr=FC=DFe=\n!\n", "Grüße!"},
		{"Content-Type: text/html; charset=utf-8\n\n<html><head><title>no</title><style>p{}</style></head><body><p>Hi&nbsp;<b>there</b>,<br>how &amp; why<script>x()</script></p>",
			"Hi there, how & why"},
		{mixed("b") + "--b\nContent-Type: application/pdf\n\nAAAA\n--b\nContent-Type: text/html\n\n<p>html</p>\n--b\n\nplain\n--b--\n", "plain"},
		{mixed("b") + "--b\nContent-Disposition: attachment\n\nattached\n--b\nContent-Type: text/html\n\n<p>html</p>\n--b--\n", "html"},
		{"Content-Type: application/pkcs7-mime\n\nAAAA\n", ""},
		{"Content-Type: multipart/encrypted; boundary=b\n\n--b\n\nVersion: 1\n--b--\n", ""},
		{"Content-Type: image/png\n\nAAAA\n", ""},
		{"\n", ""},
		{"\n\u200b\u034f \u00ad\x01 a\xff\n", "aÿ"},
		{"Content-Type: text/plain; charset=utf-8\n\n" + long, strings.TrimSpace(long[:200/5*6])},
		{"\n" + strings.Repeat("x", 1000), strings.Repeat("x", 200)},
	} {
		got := Preview(bytes.NewReader([]byte(c.mail)), parse(t, []byte(c.mail), DefaultLimits))
		if got != c.want {
			t.Errorf("%.80q\ngot  %q\nwant %q", c.mail, got, c.want)
		}
	}
	for _, mail := range append(corpus(t), brokenMail()...) {
		got := Preview(bytes.NewReader(mail.data), parse(t, mail.data, DefaultLimits))
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > 200 || strings.ContainsAny(got, "\r\n\x00") {
			t.Errorf("%q: %q", mail.name, got)
		}
	}
}
