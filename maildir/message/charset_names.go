package message

import (
	enc "golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/transform"
)

// ownCharsets are looked up here first, by name in lower case: what IANA's and the Web's tables do not have, or have in a way that loses text
// that mail programs show (names of Microsoft's code pages, supersets in the place of what is announced, and the two 7-bit charsets x/text
// has no decoder for: to the Web, ISO-2022-KR is one replacement character as a whole), and the usual names of all the others, because a
// decoder costs an encoded word much less than go-message's reader does. Rarer names are left to go-message.
var ownCharsets = func() map[string]func() transform.Transformer {
	t := make(map[string]func() transform.Transformer)
	for _, all := range [][]enc.Encoding{charmap.All, japanese.All, korean.All, simplifiedchinese.All, traditionalchinese.All} {
		for _, e := range all {
			if name, err := ianaindex.MIME.Name(e); err == nil {
				t[lowerASCII(name)] = func() transform.Transformer { return e.NewDecoder() }
			}
		}
	}
	add := func(decoder func() transform.Transformer, names ...string) {
		for _, name := range names {
			t[name] = decoder
		}
	}
	table := func(e enc.Encoding, names ...string) {
		add(func() transform.Transformer { return e.NewDecoder() }, names...)
	}
	add(func() transform.Transformer { return lenientUTF8{} },
		"csutf8", "unicode-1-1-utf-8", "x-utf_8j",
		"ansi_x3.4-1968", "ansi_x3.4-1986", "iso-ir-6", "iso_646.irv:1991", "iso646-us", "us", "ibm367", "cp367", "csascii",
		"iso-2022-cn", "iso-2022-cn-ext", "replacement")
	add(func() transform.Transformer { return &utf7Decoder{} },
		"utf-7", "utf7", "csutf7", "unicode-1-1-utf-7", "csunicode11utf7", "x-unicode-2-0-utf-7")
	add(func() transform.Transformer { return transform.Chain(&iso2022krDecoder{}, korean.EUCKR.NewDecoder()) },
		"iso-2022-kr", "csiso2022kr")
	table(charmap.Windows1252,
		"iso-8859-1", "iso_8859-1", "iso_8859-1:1987", "iso-ir-100", "latin1", "l1", "ibm819", "cp819", "csisolatin1")
	table(charmap.Windows1254, "iso-8859-9", "iso_8859-9", "iso_8859-9:1989", "iso-ir-148", "latin5", "l5", "csisolatin5")
	table(charmap.Windows1250, "win-1250")
	table(charmap.Windows1251, "win-1251", "cp-1251")
	table(japanese.ShiftJIS, "cp932", "ms932", "windows-932", "x-ms-cp932", "shift-jis", "sjis")
	table(japanese.EUCJP, "cp51932", "eucjp", "eucjp-ms", "eucjp-win")
	table(japanese.ISO2022JP, "cp50220", "cp50221", "cp50222", "iso-2022-jp-1", "iso-2022-jp-2", "csiso2022jp2", "iso-2022-jp-3", "iso-2022-jp-ms")
	table(korean.EUCKR, "cp949", "ms949", "uhc", "windows-949", "x-windows-949", "euckr", "x-euc-kr", "ksc5601", "5601")
	table(simplifiedchinese.GB18030, "gb2312", "gb_2312", "gb_2312-80", "gb2312-80", "x-gb2312", "gbk", "x-gbk", "cp936", "ms936", "windows-936")
	table(traditionalchinese.Big5, "cp950", "ms950", "windows-950", "x-big5")
	return t
}()
