package message

import (
	"bytes"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"golang.org/x/net/html"
)

func htmlText(t testing.TB, page string) string {
	t.Helper()
	got, err := io.ReadAll(newHTMLReader(strings.NewReader(page), true))
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

func TestHTMLText(t *testing.T) {
	for _, c := range []struct{ page, want string }{
		{"", ""},
		{"plain\r\n text ", "plain text"},
		{"Hel<b>lo</b> <i>wor</i>ld", "Hello world"},
		{"<p>one</p><p>two<br>three<BR/>four", "one\r\ntwo\r\nthree\r\nfour"},
		{"a<p></p>\n<div><div>b", "a\r\nb"},
		{"<table><tr><td>Sum</td><td>5</td></tr><tr><td>x", "Sum 5\r\nx"},
		{"<html><head><title>The &amp; Title</title><style>p > b {}</style><meta name=x></head><body>B", "The & Title\r\nB"},
		{"a<script>if (a</b) '<p>'</script>b<SCRIPT>x</sCRIPT >c", "abc"},
		{"a<style>x", "a"},
		{"a</style>b</script>c", "abc"},
		{"<head>said in the head", "said in the head"},
		{"a<!-- b > -- c -->d<!-->e<!--->f<!--x--!>g<!---->h", "adefgh"},
		{"a<!doctype html>b<?xml x?>c<![if !mso]>d<![endif]>e</>f</3 x>g", "abcdefg"},
		{"a<template>b<p>c<template>d</template>e</template>f", "a\r\nf"},
		{"<o:p>a</o:p>b<averyverylongnameofatag x>c</averyverylongnameofatag>d", "abcd"},
		// Entities.
		{"&lt;b&gt; &amp;amp; &eacute;&#233;&#xE9;&#1087;&#x1F600;&#128512;", "<b> &amp; éééп😀😀"},
		{"&euro;&#128;&#8364;&copy &copyx &NotEqualTilde; &nosuch; & &; &# &#; &#x; &1; AT&T", "€€€© ©x ≂̸ &nosuch; & &; &# &#; &#x; &1; AT&T"},
		{"&#0;&#xD800;&#x110000;&#99999999999;", "����"},
		{"&#x" + strings.Repeat("0", 100) + "41;", "&#x" + strings.Repeat("0", 100) + "41;"},
		{"a&nbsp;&nbsp;b\u00a0c &#160; d&#32;&#10;e&shy;f\u00adg\u200bh&#8203;i", "a b c d efghi"},
		{"Â«Ã»©®⟨“”", "Â«Ã»©®⟨“”"},
		{"<pre>a\n b\r\n\r\nc</pre>d\ne", "a\r\nb\r\nc\r\nd e"},
		{"<textarea>a <b>b</b> &lt;</textarea>c", "a <b>b</b> <\r\nc"},
		// Attributes.
		{`see <a href="x" title="A &lt;Title&gt; <b>">he<b>re</b></a> now<br>then`, "see here now\r\nA <Title> <b>\r\nthen"},
		{`a<img alt=one>b<img src='>' alt='two  words'><IMG ALT="">c`, "a b c\r\none\r\ntwo words"},
		{`<a altx=no xalt=no data-title=no title=yes/>a</a title=no>`, "a\r\nyes/"},
		{`<a alt = "one" title
			= two alt>c`, "c\r\none\r\ntwo"},
		{`<a =b c"d e='f>g' h=i"j>k`, "k"},
		// What is not HTML.
		{"1 < 2 <3 << <<b>>", "1 < 2 <3 << <>"},
		{"a <b then nothing", "a <b then nothing"},
		{"a <a href='x title=\"y\">b</a>", "a <a href='x title=\"y\">b</a>"},
		{"a <!-- and no end", "a <!-- and no end"},
		{"a <", "a <"},
		{"a </", "a </"},
		{"a </b", "a </b"},
		{"a <!", "a <!"},
		{"\x00a\xff<b>\xe2\x80</b>\xc2", "\x00a\xff\xe2\x80\xc2"},
	} {
		if got := htmlText(t, c.page); got != c.want {
			t.Errorf("%q\ngot  %q\nwant %q", c.page, got, c.want)
		}
		checkPieces(t, c.page)
	}
}

// checkPieces reads a page in pieces of other lengths.
func checkPieces(t *testing.T, page string) {
	t.Helper()
	want := htmlText(t, page)
	for _, r := range []io.Reader{
		iotest.OneByteReader(strings.NewReader(page)),
		iotest.DataErrReader(strings.NewReader(page)),
		io.MultiReader(strings.NewReader(page[:len(page)/2]), strings.NewReader(page[len(page)/2:])),
	} {
		got, err := io.ReadAll(newHTMLReader(r, true))
		if err != nil || string(got) != want {
			t.Fatalf("%q\nin pieces %q (%v)\nwhole     %q", page, got, err, want)
		}
	}
}

// TestHTMLHostile: whatever the page, memory stays what it is and what follows the nonsense is found.
func TestHTMLHostile(t *testing.T) {
	const size = 4 << 20
	for _, c := range []struct{ head, body, tail, want string }{
		{"a<img src='", "x", "'>b", "a b"},
		{"a<", "x", ">b", "ab"},
		{"a<x ", "y ", ">b", "ab"},
		{"a<x ", "y=z ", ">b", "ab"},
		{"a<!--", "-x>", "-->b", "ab"},
		{"a<!", "-", ">b", "ab"},
		{"a", "<div>", "b", "a\r\nb"},
		{"a", "<b>", "b", "ab"},
		{"a", "<template>", strings.Repeat("</template>", size/len("<template>")+1) + "b", "a\r\nb"},
		{"a", " \n&nbsp;\u00ad", "b", "a b"},
		{"a<style>", "</styl", "</style>b", "ab"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		page := io.MultiReader(strings.NewReader(c.head), &repeated{c.body, size / len(c.body) * len(c.body)}, strings.NewReader(c.tail))
		got, err := io.ReadAll(newHTMLReader(page, true))
		runtime.ReadMemStats(&after)
		if err != nil || string(got) != c.want {
			t.Errorf("%s%s…: %.100q %v, want %q", c.head, c.body, got, err, c.want)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
			t.Errorf("%s%s…: %d octets allocated", c.head, c.body, used)
		}
	}
	for _, c := range []struct{ head, body, tail string }{
		{"<a title='", "word ", "last"}, {"<!--", "word ", "last"}, {"<a ", "title=word ", ">last"}, {"", "&amp", "last"}, {"<title>", "<", "last"},
	} {
		page := io.MultiReader(strings.NewReader(c.head), &repeated{c.body, size / len(c.body) * len(c.body)}, strings.NewReader(c.tail))
		x := newHTMLReader(page, true)
		if _, err := io.Copy(io.Discard, struct{ io.Reader }{x}); err != nil {
			t.Error(err)
		}
		if kept := cap(x.text.out) + cap(x.aside.out) + cap(x.held); kept > 4*(heldTag+maxAside+htmlPiece) {
			t.Errorf("%s%s…: %d octets kept", c.head, c.body, kept)
		}
	}
}

// repeated is text n octets long.
type repeated struct {
	text string
	left int
}

func (r *repeated) Read(p []byte) (n int, err error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	for n < len(p) && r.left > 0 {
		from := (len(r.text) - r.left%len(r.text)) % len(r.text)
		m := copy(p[n:min(len(p), n+r.left)], r.text[from:])
		n, r.left = n+m, r.left-m
	}
	return n, nil
}

// tokenized is the text of a page by golang.org/x/net/html, line by line, in the order of the page.
func tokenized(page string) string {
	z := html.NewTokenizer(strings.NewReader(page))
	var b strings.Builder
	var aside []string
	line := func() {
		b.WriteString("\n")
		b.WriteString(strings.Join(aside, "\n") + "\n")
		aside = nil
	}
	skip := ""
	for {
		switch typ := z.Next(); typ {
		case html.ErrorToken:
			line()
			return squeezed(b.String())
		case html.TextToken:
			if skip == "" {
				b.WriteString(strings.Map(func(r rune) rune {
					switch r {
					case '\u00ad', '\u200b':
						return -1
					case '\n', '\r':
						return ' '
					}
					return r
				}, string(z.Text())))
			}
			skip = ""
		case html.StartTagToken, html.SelfClosingTagToken, html.EndTagToken:
			name, more := z.TagName()
			action := htmlActions[string(name)]
			for more && typ != html.EndTagToken {
				var key, value []byte
				key, value, more = z.TagAttr()
				if string(key) == "alt" || string(key) == "title" {
					aside = append(aside, strings.Join(strings.Fields(string(value)), " "))
				}
			}
			switch action {
			case actSpace:
				b.WriteString(" ")
			case actDrop:
				if typ != html.EndTagToken {
					skip = string(name)
				}
			case actNone:
			default:
				line()
			}
		}
	}
}

func squeezed(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\r\n")
}

// TestHTMLLikeTokenizer compares with golang.org/x/net/html where both ought to agree.
func TestHTMLLikeTokenizer(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	pieces := []string{
		"word ", "Ünï", " ", "\r\n", "&amp;", "&nbsp;", "&lt;p&gt;", "&#8211;", "&hellip;", "\u00a0", "日本", "\u200b", "“x”", " < ", "5<6",
		"<b>", "</b>", "<p>", "</p>", "<br/>", "<div class='a b' id=x>", "</div>", "<td>", "<tr\n>", "<!-- x <p> -->", "<!---->",
		"<style>p > a { x: '<b>' }</style>", "<script>a < b; '</p>'</script>", "<title>Ti &amp; <b>tle</title>", "<textarea>\tx <p></textarea>",
		`<a href="http://x/?a=b&amp;c=d>" title="on &quot;x&quot;">`, "</a>", "<img alt='a  b' src=x.png>", "<img src=x alt=y>", "<a title>", "<o:p></o:p>",
	}
	for range 3000 {
		var b strings.Builder
		for range rng.IntN(40) {
			b.WriteString(pieces[rng.IntN(len(pieces))])
		}
		page := b.String()
		if got, want := htmlText(t, page), tokenized(page); got != want {
			t.Fatalf("%q\ngot  %q\nwant %q", page, got, want)
		}
		checkPieces(t, page)
	}
}

func FuzzHTMLText(f *testing.F) {
	f.Add("<p title='a&amp;b'>Hel<b>lo</b><!-- x --><style>y</style>&shy;")
	f.Add("<template><title></title></template><pre>\n</pre><img alt=x")
	f.Fuzz(func(t *testing.T, page string) {
		text := htmlText(t, page)
		if utf8.ValidString(page) && !utf8.ValidString(text) {
			t.Errorf("%q: %q", page, text)
		}
		if len(text) > 2*len(page) || strings.HasPrefix(text, " ") || strings.HasSuffix(text, " ") || strings.HasSuffix(text, "\r\n") {
			t.Errorf("%q: %q", page, text)
		}
		if !strings.ContainsAny(page, "<&") && strings.IndexFunc(page, func(r rune) bool { return r >= 0x80 }) < 0 && text != strings.Join(strings.FieldsFunc(page, func(r rune) bool { return isHTMLSpace(byte(r)) }), " ") {
			t.Errorf("%q: %q", page, text)
		}
		checkPieces(t, page)
	})
}

// BenchmarkHTMLText reads a newsletter: tables, styles and links, little text.
func BenchmarkHTMLText(b *testing.B) {
	const row = `<tr><td align="left" style="padding:0;Margin:0;padding-bottom:20px;font-family:arial,'helvetica neue',helvetica,sans-serif">` +
		"\r\n    <p style=\"Margin:0;line-height:21px;color:#333333;font-size:14px\">Dear customer, thank you for your <strong>order</strong> of Tuesday.&nbsp;" +
		"It&rsquo;s on its way to you &amp; will arrive soon.</p>\r\n  <a href=\"https://example.org/click?id=0123456789abcdef0123456789abcdef&amp;u=42\">" +
		"<img src=\"https://example.org/logo.png\" alt=\"Logo\" width=\"600\"></a></td></tr>\r\n"
	prose := "<p>" + strings.Repeat("The quick brown fox jumps over the lazy dog, and nobody knows why it does.\r\n", 8) + "</p>\r\n"
	for name, text := range map[string]string{"newsletter": row, "prose": prose} {
		page := []byte("<html><body><table>" + strings.Repeat(text, 256<<10/len(text)))
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(page)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := io.Copy(io.Discard, struct{ io.Reader }{newHTMLReader(bytes.NewReader(page), true)}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/tokenizer", func(b *testing.B) {
			b.SetBytes(int64(len(page)))
			b.ReportAllocs()
			for b.Loop() {
				for z := html.NewTokenizer(bytes.NewReader(page)); z.Next() != html.ErrorToken; {
					_ = z.Raw()
				}
			}
		})
	}
}
