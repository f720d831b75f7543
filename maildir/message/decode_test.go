package message

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"math/rand/v2"
	"mime/quotedprintable"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/text/transform"
)

func TestDecoded(t *testing.T) {
	long := strings.Repeat(" ", 2*maxPadding)
	for _, tt := range []struct{ encoding, body, want string }{
		{"7bit", "a\nb\r\nc\r\r\n\n\r", "a\r\nb\r\nc\r\r\n\r\n\r"},
		{"8bit", "\xe4\n\x00", "\xe4\r\n\x00"},
		{"binary", "\n", "\r\n"},
		{"base64", "aGVsbG8=", "hello"},
		{"base64", "aGVs\r\nbG8=\r\n", "hello"},
		{"base64", "a G*V-s\nb_G8", "hello"}, // strays, no padding
		{"base64", "aA==aQ==", "hi"},         // pasted together
		{"base64", "aGk=\n====", "hi"},
		{"base64", "a", ""},
		{"base64", "aGVsbG8h\na", "hello!"},
		{"base64", "", ""},
		{"quoted-printable", "K=C3=b6ln", "Köln"},
		{"quoted-printable", "soft=\r\n break=\n s=  \n!", "soft break s!"},
		{"quoted-printable", "pad \t\r\nx  \ny ", "pad\r\nx\r\ny"},
		{"quoted-printable", "a=3Db =3d =zz =4", "a=b = =zz =4"},
		{"quoted-printable", "=", ""},
		{"quoted-printable", "x=\r", "x=\r"},
		{"quoted-printable", "lone\rCR\r\rLF\r\r\n", "lone\rCR\r\rLF\r\r\n"},
		{"quoted-printable", "a" + long + "b", "a" + long + "b"},
		{"quoted-printable", "a=20\n=09=\n.", "a \r\n\t."},
		{"quoted-printable", "\xe4\x00", "\xe4\x00"},
	} {
		p := &Part{Encoding: tt.encoding, BodyOff: 2, End: 2 + int64(len(tt.body))}
		file := strings.NewReader("h\n" + tt.body + "next")
		for name, wrap := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r }, "by one": iotest.OneByteReader,
		} {
			r, err := Decoded(file, p)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(wrap(r)); err != nil || string(got) != tt.want {
				t.Errorf("%s %.60q read %s: %.60q, %v, want %.60q", tt.encoding, tt.body, name, got, err, tt.want)
			}
			in := transform.NewReader(wrap(strings.NewReader(tt.body)), decoder(tt.encoding))
			if got, err := io.ReadAll(in); err != nil || string(got) != tt.want {
				t.Errorf("%s %.60q given %s: %.60q, %v, want %.60q", tt.encoding, tt.body, name, got, err, tt.want)
			}
		}
	}
	for _, unknown := range []string{"x-uuencode", "8bits", ""} {
		if _, err := Decoded(strings.NewReader(""), &Part{Encoding: unknown}); !errors.Is(err, ErrUnknownEncoding) {
			t.Errorf("%q: %v", unknown, err)
		}
	}
	r, err := Decoded(readerAt{iotest.ErrReader(errDisk)}, &Part{Encoding: "7bit", End: 10})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r); !errors.Is(err, errDisk) {
		t.Errorf("a read error came as %v", err)
	}
}

var errDisk = errors.New("disk")

// TestDecodersInverse decodes what the standard library encoded.
func TestDecodersInverse(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for size := range 300 {
		data := make([]byte, size*size)
		for i := range data {
			if data[i] = byte(rnd.Uint32()); size%2 == 0 {
				data[i] = "ab= \t.\xc3"[data[i]%7]
			}
		}
		encoded := base64.StdEncoding.EncodeToString(data)
		r := transform.NewReader(strings.NewReader(encoded), decoder("base64"))
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("base64 of %d octets: %v", len(data), err)
		}
		var qp bytes.Buffer
		w := quotedprintable.NewWriter(&qp)
		w.Binary = true
		_, _ = w.Write(data)
		_ = w.Close()
		r = transform.NewReader(&qp, decoder("quoted-printable"))
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("quoted-printable of %d octets: %v", len(data), err)
		}
	}
}

func TestFieldValue(t *testing.T) {
	for _, tt := range []struct{ raw, want string }{
		{"Subject: plain\r\n", "plain"},
		{"Subject:\r\n", ""},
		{"Subject:   spaces  \t\n", "spaces"},
		{"Subject: folded\r\n  twice\r\n\tonce\n", "folded twice once"},
		{"Subject:\r\n folded at once\r\n", "folded at once"},
		{"Subject: =?utf-8?Q?K=C3=B6ln_am_Rhein?=\r\n", "Köln am Rhein"},
		{"Subject: =?UTF-8?b?S8O2bG4=?=\r\n", "Köln"},
		{"Subject: =?iso-8859-1*de?q?K=F6ln?=\r\n", "Köln"},
		{"Subject: =?iso-8859-1?q?=93quoted=94?=\r\n", "“quoted”"},
		{"Subject: a =?utf-8?q?b?= c\r\n", "a b c"},
		{"Subject: =?utf-8?q?a?= =?utf-8?q?b?=\r\n", "ab"},
		{"Subject: =?utf-8?q?a?=\r\n =?iso-8859-1?q?=E4?=\r\n", "aä"},
		{"Subject: =?utf-8?q?a?=b=?utf-8?q?c?=\r\n", "abc"},
		{"Subject: =?utf-8?B?w7Y=?==?utf-8?B?w7Y=?=\r\n", "öö"},
		{"Subject: =?utf-8?q?=C3?= =?UTF-8?q?=B6?=\r\n", "ö"}, // cut in the middle
		{"Subject: =?iso-2022-jp?B?GyRCRnxLXBsoQg==?=\r\n", "日本"},
		{"Subject: =?ks_c_5601-1987?B?x9GxuQ==?=\r\n", "한국"},
		{"Subject: =?gb2312?B?1tC5+g==?=\r\n", "中国"},
		{"Subject: =?utf-8?q?what?_this?=\r\n", "what? this"}, // not encoded as it should
		{"Subject: =?utf-8?q?has space?=\r\n", "has space"},
		{"Subject: =?utf-8?q?broken=zz=?=\r\n", "broken=zz="},
		{"Subject: =?x-unheard-of?q?a=E4?=\r\n", "aä"},
		{"Subject: =?utf-8?q?open\r\n", "=?utf-8?q?open"},
		{"Subject: =?utf-8?x?text?=\r\n", "=?utf-8?x?text?="},
		{"Subject: =?utf-8?q?one =?utf-8?q?two?=\r\n", "=?utf-8?q?one two"},
		{"Subject: =??q?x?= =?=?= =?\r\n", "=??q?x?= =?=?= =?"},
		{"Subject: =?" + strings.Repeat("x", 200) + "?q?y?=\r\n", "=?" + strings.Repeat("x", 200) + "?q?y?="},
		{"Subject: K\xc3\xb6ln\r\n", "Köln"},
		{"Subject: K\xf6ln \x93\r\n", "Köln “"},
		{"From: \"=?utf-8?q?J=C3=B6rg?=\" <j@x>\r\n", "\"Jörg\" <j@x>"},
		{"no field\r\n", "no field"},
		{"", ""},
	} {
		if got := FieldValue([]byte(tt.raw)); got != tt.want {
			t.Errorf("%.80q: %q, want %q", tt.raw, got, tt.want)
		}
	}
}

func TestHostileFields(t *testing.T) {
	for name, unit := range map[string]string{
		"starts":   "=?utf-8?q?",
		"openings": "=?",
		"marks":    "?",
		"words":    "=?utf-8?q?a?= ",
		"charsets": "=?iso-8859-2?q?a?= =?iso-8859-5?q?b?= ",
		"nearly":   "=?utf-8?q?a=?utf-8?b?",
		"invalid":  "\xff",
		"folds":    "\r\n\t",
	} {
		raw := []byte("X: " + strings.Repeat(unit, (1<<20)/len(unit)))
		if n := len(FieldValue(raw)); n > 4*len(raw) {
			t.Errorf("%s: %d octets out of %d", name, n, len(raw))
		}
	}
}

// textOf collects what Text or Headers gives, one string for each call.
func textOf(t testing.TB, data string, walk func(io.ReaderAt, *Message, func(*Part, io.Reader) error) error) (texts []string) {
	t.Helper()
	m := parse(t, []byte(data), DefaultLimits)
	err := walk(strings.NewReader(data), m, func(_ *Part, r io.Reader) error {
		b, err := io.ReadAll(r)
		texts = append(texts, string(b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

const manyTexts = `Subject: =?utf-8?q?=C3=B6uter?=
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

preamble
--b

no header
--b
Content-Type: text/plain; charset="ISO-8859-1"
Content-Transfer-Encoding: quoted-printable

K=F6ln
--b
Content-Type: text/html; charset=x-unheard-of
Content-Transfer-Encoding: x-unheard-of

<b>` + "\xf6\xc3\xb6" + `</b>
--b
Content-Type: image/png

binary
--b
Content-Type: message/delivery-status

Action: failed
--b
Content-Type: message/rfc822

Subject: =?utf-8?q?=C3=AFnner?=
Content-Type: text/plain; charset=utf-16le
Content-Transfer-Encoding: base64

ZADlAA==
--b--
`

func TestText(t *testing.T) {
	want := []string{"no header", "Köln", "öö", "Action: failed",
		"Subject: ïnner\r\nContent-Type: text/plain; charset=utf-16le\r\nContent-Transfer-Encoding: base64\r\n", "då"}
	if got := textOf(t, manyTexts, Text); strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("Text:\n%q, want\n%q", got, want)
	}
	want = []string{"Subject: öuter\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"}
	got := textOf(t, manyTexts, Headers)
	if len(got) != 7 || got[0] != want[0] {
		t.Errorf("Headers:\n%q", got)
	}
	for _, in := range []string{"ISO-8859-1", "x-unheard-of", "image/png", "delivery-status", "rfc822"} {
		if !strings.Contains(strings.Join(got[1:], ""), in) {
			t.Errorf("%q is in no header of a part", in)
		}
	}
	if got := textOf(t, "Content-Type: multipart/mixed\n\nno parts\n", Text); len(got) != 1 || got[0] != "no parts\r\n" {
		t.Errorf("a multipart without parts: %q", got)
	}
}

func TestTextEnds(t *testing.T) {
	m := parse(t, []byte(manyTexts), DefaultLimits)
	for _, want := range []error{nil, errDisk} {
		calls := 0
		err := Text(strings.NewReader(manyTexts), m, func(*Part, io.Reader) error {
			if calls++; calls < 2 {
				return nil
			} else if want == nil {
				return io.EOF
			}
			return want
		})
		if calls != 2 || !errors.Is(err, want) {
			t.Errorf("ended after %d calls with %v", calls, err)
		}
	}
	broken := readerAt{iotest.ErrReader(errDisk)}
	if err := Headers(broken, m, func(*Part, io.Reader) error { return nil }); !errors.Is(err, errDisk) {
		t.Errorf("a read error came as %v", err)
	}
}

// TestTextCorpus: whatever real mail holds, its text is UTF-8.
func TestTextCorpus(t *testing.T) {
	for _, mail := range corpus(t) {
		for _, walk := range []func(io.ReaderAt, *Message, func(*Part, io.Reader) error) error{Text, Headers} {
			for _, s := range textOf(t, string(mail.data), walk) {
				if s != strings.ToValidUTF8(s, "") {
					t.Errorf("%s: text that is not UTF-8: %.100q", mail.name, s)
				}
			}
		}
	}
}

func FuzzFieldValue(f *testing.F) {
	f.Add([]byte("Subject: =?utf-8?q?a=C3?= =?utf-8?b?tg==?=\r\n\tx"))
	f.Add([]byte("=?iso-2022-jp?b?GyRC?= =?utf-16?q?=D8?="))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s := FieldValue(raw)
		if s != strings.ToValidUTF8(s, "") {
			t.Errorf("%q: %q is not UTF-8", raw, s)
		}
		if got := AppendFieldValue([]byte("before"), raw); string(got) != "before"+s {
			t.Errorf("%q: appended %q", raw, got)
		}
	})
}

// FuzzDecode: decoding does not depend on how the data comes in pieces, and never fails.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{"a=\r\n =3D= \n\r", "aGVs=bG8\n", "K\xc3\xb6\xf6\r\n"} {
		for kind := range uint8(4) {
			f.Add([]byte(s), kind)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, kind uint8) {
		fresh := func() transform.Transformer {
			if kind %= 4; kind == 3 {
				return lenientUTF8{}
			}
			return decoder([]string{"7bit", "base64", "quoted-printable"}[kind])
		}
		want, err := io.ReadAll(transform.NewReader(bytes.NewReader(data), fresh()))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(transform.NewReader(iotest.OneByteReader(bytes.NewReader(data)), fresh()))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("octet by octet %q, %v; at once %q", got, err, want)
		}
		if kind == 3 && !bytes.Equal(appendLenient(nil, data), want) {
			t.Errorf("appendLenient gives %q, the reader %q", appendLenient(nil, data), want)
		}
	})
}

func BenchmarkDecoded(b *testing.B) {
	line := strings.Repeat("The quick brown fox jumps over the lazy dog ", 2)[:76]
	for encoding, line := range map[string]string{
		"7bit":             line + "\n",
		"base64":           base64.StdEncoding.EncodeToString([]byte(line))[:76] + "\n",
		"quoted-printable": line[:60] + "=C3=A4=\n",
	} {
		b.Run(encoding, func(b *testing.B) {
			data := strings.Repeat(line, 1<<20/len(line))
			p := &Part{Encoding: encoding, End: int64(len(data))}
			b.SetBytes(p.End)
			b.ReportAllocs()
			for b.Loop() {
				r, err := Decoded(strings.NewReader(data), p)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
