package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"math/rand/v2"
	"mime"
	"mime/quotedprintable"
	"strings"
	"sync/atomic"
	"time"
)

// prose writes the mail that is searched: about 7 KB of decoded text a message, whose words are as unevenly distributed as in real mail. Few are in
// most messages, most are in one, and headers, addresses and links are full of what is in no other. Safe for concurrent use.
type prose struct {
	words  []string     // the frequent ones first
	octets atomic.Int64 // of decoded text that were written: header fields of messages and parts, text parts, of HTML what is seen
}

// lexiconSize is how many words there are. With what is random the dictionary of an index becomes many times larger.
const lexiconSize = 400_000

// letters are those of words, the frequent ones first.
const letters = "etaoinshrdlcumwfgypbvkjxqz"

const (
	hexDigits  = "0123456789abcdef"
	idLetters  = "abcdefghijklmnopqrstuvwxyz0123456789"
	keyLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
)

// cyrillic stands for letters, one by one.
var cyrillic = []rune("етаоинсхрдлкумвфгыпбьжйщцз")

func newProse() *prose {
	p := &prose{words: make([]string, 0, lexiconSize)}
	p.words = append(p.words, vocabulary...)
	rng := rand.New(rand.NewPCG(3, 4))
	for i := len(p.words); i < lexiconSize; i++ {
		w := make([]byte, 2+int(math.Log2(float64(i+2)))/3+rng.IntN(5))
		for j := range w {
			w[j] = letters[int(float64(len(letters))*rng.Float64()*rng.Float64())]
		}
		p.words = append(p.words, string(w))
	}
	return p
}

// script is what a message is written in.
type script int

const (
	english script = iota
	german         // with umlauts
	russian
	japanese // ideographs and kana, without spaces
)

// sample is what can be looked for to find a message, among others.
type sample struct {
	script  script
	from    string // address
	id      string // without the angle brackets
	subject string
	text    string // decoded, with LF
	url     string // "" when there is none in it
}

// letterOf is a message that is being written.
type letterOf struct {
	*author
	p      *prose
	zipf   *rand.Zipf
	has    sample
	octets int // of decoded text, without the few fields that multipart and attachments have
}

// write makes message i of total.
func (p *prose) write(a *author, i, total int) message {
	m, l := p.compose(a, i, total)
	p.octets.Add(int64(l.octets))
	return m
}

func (p *prose) compose(a *author, i, total int) (message, *letterOf) {
	m := a.begin(i, total)
	if a.chance(2) {
		m.flags += "T"
	}
	l := &letterOf{author: a, p: p, zipf: rand.NewZipf(a.rng, 1.07, 4, uint64(len(p.words)-1))}
	switch k := a.rng.IntN(100); {
	case k < 4:
		l.has.script = japanese
	case k < 8:
		l.has.script = russian
	case k < 20:
		l.has.script = german
	}
	l.header(m.received)
	l.octets += len(a.buf)
	plain := func() { l.part("plain") }
	html := func() { l.part("html") }
	switch k := a.rng.IntN(100); {
	case k < 42:
		l.multipart("alternative", plain, html)
	case k < 80:
		plain()
	case k < 93:
		html()
	default:
		l.multipart("mixed", plain, func() { l.attachment("application/pdf", "attachment", a.size(15<<10, 1, 256<<10)) })
	}
	m.text = append([]byte(nil), a.buf...)
	return m, l
}

func (l *letterOf) random(n int, alphabet string) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[l.rng.IntN(len(alphabet))]
	}
	return string(b)
}

// word is a word of the lexicon, in the script of the message.
func (l *letterOf) word() string {
	w := l.p.words[l.zipf.Uint64()]
	switch l.has.script {
	case german:
		if l.chance(15) {
			w = strings.NewReplacer("a", "ä", "o", "ö", "u", "ü", "ss", "ß").Replace(w)
		}
	case russian:
		w = strings.Map(func(r rune) rune {
			if i := strings.IndexRune(letters, r); i >= 0 {
				return cyrillic[i]
			}
			return r
		}, w)
	case japanese:
		b := make([]rune, 2+l.rng.IntN(10))
		for i := range b {
			if f := l.rng.Float64(); l.chance(40) {
				b[i] = rune(0x3042 + l.rng.IntN(80)) // hiragana
			} else {
				b[i] = rune(0x4e00 + int(6000*f*f))
			}
		}
		w = string(b)
	}
	return w
}

// address is of one of many people, some of whom write often.
func (l *letterOf) address() string {
	f := l.rng.Float64()
	domain := len(vocabulary) + int(3000*f*f*f)
	return fmt.Sprintf("%s.%s@%s.example", l.pick(people), l.p.words[len(vocabulary)+int(20_000*l.rng.Float64()*f)], l.p.words[domain])
}

func (l *letterOf) link() string {
	return fmt.Sprintf("https://www.%s.example/%s?id=%s", l.p.words[len(vocabulary)+l.rng.IntN(2000)], l.random(12, idLetters), l.random(20, idLetters))
}

// header writes everything above MIME's fields, about 2 KB.
func (l *letterOf) header(at time.Time) {
	date := at.Format(time.RFC1123Z)
	to := l.address()
	l.has.from, l.has.id = l.address(), l.random(24, idLetters)+"@mail."+l.p.words[len(vocabulary)+l.rng.IntN(3000)]+".example"
	l.printf("Return-Path: <%s>\nDelivered-To: bench@example.org\n", l.has.from)
	for range 2 + l.rng.IntN(4) {
		host := l.p.words[len(vocabulary)+l.rng.IntN(3000)]
		l.printf("Received: from mx%d.%s.example (mx%[1]d.%[2]s.example [192.0.%[3]d.%[4]d])\n\tby in%[5]d.example.org (Postfix) with ESMTPS id %[6]s\n\tfor <%[7]s>; %[8]s\n",
			l.rng.IntN(20), host, l.rng.IntN(256), l.rng.IntN(256), l.rng.IntN(4), l.random(11, hexDigits), to, date)
	}
	l.printf("Authentication-Results: in.example.org; dkim=pass header.d=example.org;\n\tspf=pass smtp.mailfrom=%s\n", l.has.from)
	if l.chance(75) {
		l.printf("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=mail;\n\th=from:to:subject:date:message-id; bh=%s=;\n\tb=", l.random(43, keyLetters))
		for range 5 {
			l.printf("%s\n\t ", l.random(68, keyLetters))
		}
		l.printf("%s==\n", l.random(2, keyLetters))
	}
	l.printf("From: %s <%s>\nTo: %s <%s>\n", l.display(), l.has.from, l.display(), to)
	if l.chance(30) {
		l.printf("Cc: %s,\n\t%s <%s>\n", l.address(), l.display(), l.address())
	}
	var words []string
	for range 3 + l.rng.IntN(6) {
		words = append(words, l.word())
	}
	l.has.subject = strings.Join(words, " ")
	encoded := strings.ReplaceAll(mime.QEncoding.Encode("utf-8", l.has.subject), "?= =?", "?=\n =?")
	l.octets += len(l.has.subject) - len(encoded)
	l.printf("Subject: %s\nDate: %s\nMessage-ID: <%s>\n", encoded, date, l.has.id)
	if l.chance(45) {
		parent := l.random(24, idLetters)
		l.printf("In-Reply-To: <%s@mail.example.org>\nReferences: <%s@mail.example.org>\n\t<%[1]s@mail.example.org>\n", parent, l.random(24, idLetters))
	}
	l.printf("X-Spam-Status: No, score=-%d.%d required=5.0 tests=DKIM_SIGNED,DKIM_VALID,\n\tSPF_PASS autolearn=ham\nMIME-Version: 1.0\n",
		l.rng.IntN(6), l.rng.IntN(10))
}

// part writes the fields and the text of a part; the text of alternatives is the same.
func (l *letterOf) part(subtype string) {
	if l.has.text == "" {
		l.has.text = l.paragraphs(l.size(2500, 0.9, 60<<10))
	}
	text := l.has.text
	l.octets += len(text)
	if subtype == "html" {
		text = l.markup(text)
	}
	fields := fmt.Sprintf("Content-Type: text/%s; charset=utf-8\nContent-Transfer-Encoding: ", subtype)
	l.printf("%s", fields)
	switch k := l.rng.IntN(100); {
	case k < 50:
		l.printf("8bit\n\n%s", text)
	case k < 90:
		var b bytes.Buffer
		w := quotedprintable.NewWriter(&b)
		w.Write([]byte(text)) // into memory
		w.Close()
		l.printf("quoted-printable\n\n%s", bytes.ReplaceAll(b.Bytes(), []byte("\r\n"), []byte("\n")))
	default:
		l.printf("base64\n\n")
		for encoded := base64.StdEncoding.EncodeToString([]byte(text)); encoded != ""; {
			n := min(76, len(encoded))
			l.printf("%s\n", encoded[:n])
			encoded = encoded[n:]
		}
	}
	l.octets += len(fields)
}

// paragraphs are lines of words with one space between them, numbers, links and addresses, about size octets.
func (l *letterOf) paragraphs(size int) string {
	var b strings.Builder
	for column := 0; b.Len() < size; {
		var w string
		switch k := l.rng.IntN(240); {
		case k < 3:
			w = l.link()
			l.has.url = w
		case k < 7:
			w = fmt.Sprintf("%d.%02d", l.rng.IntN(10_000), l.rng.IntN(100))
		case k < 8:
			w = l.address()
		case k < 9:
			w = "#" + l.random(10, hexDigits)
		default:
			w = l.word()
		}
		if k := l.rng.IntN(14); k < 2 {
			w += ",."[k : k+1]
		}
		b.WriteString(w)
		if column += len(w) + 1; column > 66 {
			b.WriteByte('\n')
			column = 0
		} else {
			b.WriteByte(' ')
		}
	}
	return strings.TrimSpace(b.String()) + "\n"
}

// markup is the text as programs that write HTML send it. What it adds for a reader to see is as good as nothing.
func (l *letterOf) markup(text string) string {
	var b strings.Builder
	b.WriteString("<html><head><meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\"></head><body>\n")
	for line := range strings.Lines(text) {
		fmt.Fprintf(&b, "<p style=\"margin:0\">%s</p>\n", strings.TrimSuffix(line, "\n"))
		if l.chance(3) {
			fmt.Fprintf(&b, "<a href=\"%s\">%s</a><br>\n", l.link(), l.word())
		}
	}
	b.WriteString("</body></html>\n")
	return b.String()
}
