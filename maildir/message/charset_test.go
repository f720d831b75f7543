package message

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestCharsets(t *testing.T) {
	for _, tt := range []struct{ charset, in, want string }{
		{"", "K\xc3\xb6ln", "Köln"},
		{"us-ascii", "K\xf6ln", "Köln"},
		{"ANSI_X3.4-1968", "K\xf6ln", "Köln"},
		{"utf-8", "K\xf6ln K\xc3\xb6ln \xe2\x82", "Köln Köln â‚"},
		{"UTF8 ", "\xef\xbb\xbfx", "\ufeffx"},
		{"ISO-8859-1", "\x80 5", "€ 5"},
		{"latin1", "\x93x\x94", "“x”"},
		{"iso-8859-2", "\xb3\xf3d\xbc", "łódź"},
		{"iso-8859-9", "\xfe\x80", "ş€"},
		{"iso-8859-15", "\xa4", "€"},
		{"windows-1251", "\xcf\xf0\xe8\xe2\xe5\xf2", "Привет"},
		{"win-1251", "\xcf\xf0\xe8\xe2\xe5\xf2", "Привет"},
		{"koi8-r", "\xf0\xd2\xc9\xd7\xc5\xd4", "Привет"},
		{"cp932", "\x93\xfa\x96\x7b", "日本"},
		{"iso-2022-jp", "\x1b$BF|K\\\x1b(B!", "日本!"},
		{"cp50220", "\x1b$BF|K\\\x1b(B!", "日本!"},
		{"cp949", "\xc7\xd1\xb1\xb9", "한국"},
		{"iso-2022-kr", "\x1b$)C\x0eGQ19\x0f ok\r\n\x0eGQ\r\nGQ", "한국 ok\r\n한\r\nGQ"},
		{"iso-2022-kr", "\x1b$)", "\x1b$)"},
		{"gb2312", "\xd6\xd0\xb9\xfa", "中国"},
		{"hz-gb-2312", "~{VP9z~}!", "中国!"},
		{"big5", "\xa4\xa4\xb0\xea", "中國"},
		{"utf-16le", "d\x00\xe5\x00", "då"},
		{"utf-16", "\xff\xfed\x00", "d"},
		{"utf-7", "Hi Mom -+Jjo--!", "Hi Mom -☺-!"}, // RFC 2152
		{"UTF-7", "A+ImIDkQ.", "A≢Α."},
		{"utf-7", "+ZeVnLIqe-", "日本語"},
		{"utf-7", "1 +- 1, 1 + 1, 1+", "1 + 1, 1 + 1, 1+"},
		{"utf-7", "+2D3eAA-x", "😀x"},
		{"utf-7", "+2D0-x +3gA-x +2D0AQQ-x +2D0", "\ufffdx \ufffdx \ufffdAx \ufffd"},
		{"utf-7", "raw \xf6", "raw ö"},
		{"iso-2022-cn", "plain \xf6", "plain ö"},
		{"x-unheard-of", "plain \xc3\xb6\xf6", "plain öö"},
		{strings.Repeat("x", 1000), "plain", "plain"},
	} {
		if got := string(appendUTF8(nil, tt.charset, []byte(tt.in))); got != tt.want {
			t.Errorf("%.20s %q: %q, want %q", tt.charset, tt.in, got, tt.want)
		}
		if got, err := io.ReadAll(iotest.OneByteReader(utf8Reader(tt.charset, iotest.OneByteReader(strings.NewReader(tt.in))))); err != nil || string(got) != tt.want {
			t.Errorf("%.20s %q, octet by octet: %q, %v, want %q", tt.charset, tt.in, got, err, tt.want)
		}
	}
}

// TestOwnCharsets: each name leads to a decoder that lets ASCII pass, but for EBCDIC.
func TestOwnCharsets(t *testing.T) {
	const ascii = "Hello, World. [1=1]\r\n"
	other := map[string]bool{"ibm037": true, "ibm01140": true, "ibm1047": true}
	for name := range ownCharsets {
		if name != lowerASCII(name) {
			t.Errorf("%s would not be found", name)
		}
		if got := string(appendUTF8(nil, name, []byte(ascii))); got != ascii && !other[name] {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// FuzzCharset: no charset fails, gives anything but UTF-8 or depends on where reads end.
func FuzzCharset(f *testing.F) {
	f.Add("utf-7", []byte("+2D3eAA-+-+ +2D0"))
	f.Add("iso-2022-kr", []byte("\x1b$)C\x0eGQ19\x0f\x1b$\x0e\n"))
	for _, name := range []string{"iso-2022-jp", "hz-gb-2312", "gb18030", "big5", "utf-16", "cp850", "euc-jp", "shift_jis", "koi8-r"} {
		f.Add(name, []byte("\x1b$BF|~{VP\xff\xfe\x81\x30\x81"))
	}
	f.Fuzz(func(t *testing.T, name string, in []byte) {
		want := appendUTF8(nil, name, in)
		if !bytes.Equal(want, bytes.ToValidUTF8(want, nil)) {
			t.Errorf("%s %q: %q is not UTF-8", name, in, want)
		}
		if len(want) > 4*len(in)+4 {
			t.Errorf("%s: %d octets from %d", name, len(want), len(in))
		}
		got, err := io.ReadAll(utf8Reader(name, iotest.OneByteReader(bytes.NewReader(in))))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s %q: octet by octet %q, %v; at once %q", name, in, got, err, want)
		}
	})
}
