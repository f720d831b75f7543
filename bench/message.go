package main

import (
	"encoding/base64"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"
)

// rare is a word of one body in a hundred, for SEARCH to find.
const rare = "quixotry"

// newest is when the youngest generated message came.
var newest = time.Date(2024, 6, 1, 12, 0, 0, 0, time.UTC)

// vocabulary is what texts are made of, more often of its beginning than of its end.
var vocabulary = strings.Fields(`the of and to in a is that for it as was with be by on not he his but at are this have from or had an they
	which one you were all her she there would their we him been has when who will no more if out so up said what its about than into them can
	only other time new some could these two may first then do any like my now over such our man me even most made after also did many off
	before must well back through years where much your way down should because each just those people how too little state good very make
	world still see own work long here get both between life being under never day same another know while last might us great old year come
	since against go came right used take three meeting invoice project schedule attached regards please review update server release version
	account password shipping order confirm customer report budget quarter deadline contract travel flight hotel kernel patch merge branch
	compile review testing mailbox archive backup restore garden kitchen bicycle weather holiday birthday school teacher football concert`)

var people = strings.Fields("alice bob carol dave erin frank grace heidi ivan judy mallory niaj olivia peggy rupert sybil trent victor walter yves")

var domains = strings.Fields("example.org example.net example.com mail.example.org lists.example.net shop.example.com uni.example.edu")

// attachmentText is base64 of random octets in lines, of which every attachment is a piece: making new ones would only measure the generator.
var attachmentText = func() string {
	rng := rand.New(rand.NewPCG(1, 2))
	raw := make([]byte, 57)
	var b strings.Builder
	for b.Len() < 4<<20 {
		for i := range raw {
			raw[i] = byte(rng.Uint32())
		}
		b.WriteString(base64.StdEncoding.EncodeToString(raw) + "\n")
	}
	return b.String()
}()

// message is one generated message as it lies in a Maildir, with LF.
type message struct {
	text     []byte
	received time.Time
	flags    string // letters of the file name
}

// author writes messages. The same seed and number give the same message, in whatever order they are asked for.
type author struct {
	seed  uint64
	rng   *rand.Rand
	buf   []byte
	parts int
}

func (a *author) printf(format string, args ...any) { a.buf = fmt.Appendf(a.buf, format, args...) }

// write makes message i of total; the last one is the youngest.
func (a *author) write(i, total int) message {
	m := a.begin(i, total)
	a.header(i, m.received)
	a.shape()
	m.text = append([]byte(nil), a.buf...)
	return m
}

// begin makes message i of total without its text.
func (a *author) begin(i, total int) message {
	a.rng = rand.New(rand.NewPCG(a.seed, uint64(i)))
	a.buf = a.buf[:0]
	a.parts = 0
	age := time.Duration(total-1-i)*7*time.Minute + time.Duration(a.rng.IntN(400))*time.Second
	m := message{received: newest.Add(-age)}
	if a.chance(85) {
		m.flags = "S"
	}
	if a.chance(20) {
		m.flags = "R" + m.flags
	}
	if a.chance(3) {
		m.flags = "F" + m.flags
	}
	return m
}

// shape writes the Content-Type and the body: the mix of a mailbox that people, lists and shops write to.
func (a *author) shape() {
	switch k := a.rng.IntN(100); {
	case k < 35:
		a.alternative()
	case k < 60:
		a.text("plain")
	case k < 73:
		a.text("html")
	case k < 85:
		a.printf("List-Id: <dev.lists.example.net>\nList-Unsubscribe: <mailto:dev-leave@lists.example.net>\nPrecedence: list\n")
		a.text("plain")
	case k < 95:
		a.multipart("mixed", a.alternative, func() { a.attachment("application/pdf", "attachment", a.size(30<<10, 1.1, 1<<20)) })
	case k < 98:
		a.multipart("related", func() { a.text("html") }, func() { a.attachment("image/png", "inline", a.size(8<<10, 0.8, 128<<10)) })
	default:
		a.multipart("mixed", func() { a.text("plain") }, a.forwarded)
	}
}

// header writes everything above MIME's fields, about 2 KB as servers of today make it.
func (a *author) header(i int, at time.Time) {
	from, to := a.address(), a.address()
	date := at.Format(time.RFC1123Z)
	a.printf("Return-Path: <%s>\nDelivered-To: bench@example.org\n", from)
	for hop := range 2 + a.rng.IntN(4) {
		a.printf("Received: from mx%d.%s (mx%[1]d.%[2]s [192.0.2.%[3]d])\n\tby in.example.org (Postfix) with ESMTPS id 4%08X\n\tfor <%s>; %s\n",
			hop, a.pick(domains), a.rng.IntN(256), a.rng.Uint32(), to, date)
	}
	a.printf("Authentication-Results: in.example.org; dkim=pass header.d=example.org;\n\tspf=pass smtp.mailfrom=%s\n", from)
	if a.chance(70) {
		a.printf("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=mail;\n\th=from:to:subject:date:message-id;\n")
		a.printf("\tb=%s\n", strings.ReplaceAll(a.base64(300), "\n", "\n\t "))
	}
	a.printf("From: %s <%s>\nTo: %s <%s>\n", a.display(), from, a.display(), to)
	if a.chance(30) {
		a.printf("Cc: %s,\n\t%s <%s>\n", a.address(), a.display(), a.address())
	}
	a.printf("Subject: %s\nDate: %s\nMessage-ID: <%d.%x@example.org>\n", a.subject(), date, i, a.seed)
	if i > 0 && a.chance(45) {
		parent := a.rng.IntN(i)
		a.printf("In-Reply-To: <%d.%x@example.org>\nReferences: <%d.%x@example.org>\n\t<%[1]d.%[2]x@example.org>\n", parent, a.seed, parent/2, a.seed)
	}
	a.printf("X-Spam-Status: No, score=-%d.%d required=5.0 tests=DKIM_SIGNED,DKIM_VALID,\n\tSPF_PASS autolearn=ham\nMIME-Version: 1.0\n",
		a.rng.IntN(6), a.rng.IntN(10))
}

func (a *author) subject() string {
	if a.chance(12) {
		return "=?utf-8?q?Gr=C3=BC=C3=9Fe_an_?= =?utf-8?b?" + base64.StdEncoding.EncodeToString([]byte(a.words(3))) + "?="
	}
	prefix := ""
	if a.chance(40) {
		prefix = "Re: "
	}
	return prefix + a.words(2+a.rng.IntN(7))
}

func (a *author) display() string {
	if a.chance(10) {
		return "=?utf-8?q?J=C3=BCrgen_" + a.pick(people) + "?="
	}
	return strings.ToUpper(a.pick(people)[:1]) + ". " + a.pick(people)
}

func (a *author) address() string {
	return a.pick(people) + "." + a.pick(people) + "@" + a.pick(domains)
}

func (a *author) alternative() {
	a.multipart("alternative", func() { a.text("plain") }, func() { a.text("html") })
}

func (a *author) multipart(subtype string, parts ...func()) {
	a.parts++
	boundary := fmt.Sprintf("=_%d_%08x", a.parts, a.rng.Uint32())
	a.printf("Content-Type: multipart/%s;\n\tboundary=\"%s\"\n\n", subtype, boundary)
	if a.chance(30) {
		a.printf("This is a multi-part message in MIME format.\n\n")
	}
	for _, part := range parts {
		a.printf("--%s\n", boundary)
		part()
	}
	a.printf("--%s--\n", boundary)
}

func (a *author) text(subtype string) {
	a.printf("Content-Type: text/%s; charset=utf-8\n", subtype)
	size := a.size(1500, 1.0, 60<<10)
	if subtype == "html" {
		size *= 3
	}
	quoted := a.chance(50)
	if quoted {
		a.printf("Content-Transfer-Encoding: quoted-printable\n\n")
	} else {
		a.printf("Content-Transfer-Encoding: 8bit\n\n")
	}
	if a.chance(1) {
		a.printf("It was a piece of %s.\n", rare)
	}
	for end := len(a.buf) + size; len(a.buf) < end; {
		switch {
		case subtype == "html" && quoted:
			a.printf("<p style=3D\"margin:0\">%s gr=C3=BCn =E2=82=AC %d</p>=\n\n", a.words(8), a.rng.IntN(1000))
		case subtype == "html":
			a.printf("<tr><td class=\"c%d\" style=\"padding:4px\">%s</td></tr>\n", a.rng.IntN(9), a.words(8))
		case quoted:
			a.printf("%s =C3=A4rger =\n%s\n", a.words(7), a.words(6))
		case a.chance(25):
			a.printf("> > %s\n", a.words(10))
		default:
			a.printf("%s grün\n", a.words(11))
		}
	}
}

func (a *author) attachment(kind, disposition string, size int) {
	name := a.pick(vocabulary)
	a.printf("Content-Type: %s; name=\"%s.bin\"\nContent-Transfer-Encoding: base64\n", kind, name)
	a.printf("Content-Disposition: %s; filename=\"%s.bin\"\nContent-ID: <%x@example.org>\n\n%s\n", disposition, name, a.rng.Uint64(), a.base64(size))
}

func (a *author) forwarded() {
	a.printf("Content-Type: message/rfc822\nContent-Disposition: inline\n\n")
	a.printf("From: %s\nTo: %s\nSubject: %s\nDate: %s\nMIME-Version: 1.0\n", a.address(), a.address(), a.subject(), newest.Format(time.RFC1123Z))
	a.alternative()
}

// base64 is some lines of base64, size octets or a few more.
func (a *author) base64(size int) string {
	const line = 77
	lines := (size + line - 1) / line
	var b strings.Builder
	for lines > 0 {
		first := a.rng.IntN(len(attachmentText)/line - 1)
		n := min(lines, len(attachmentText)/line-first)
		b.WriteString(attachmentText[first*line : (first+n)*line])
		lines -= n
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// size is log-normal around a median of octets, as sizes of mail are, and at most limit.
func (a *author) size(median, sigma float64, limit int) int {
	return min(int(median*math.Exp(sigma*a.rng.NormFloat64()))+50, limit)
}

// words are n words of the vocabulary.
func (a *author) words(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(' ')
		}
		f := a.rng.Float64()
		b.WriteString(vocabulary[int(f*f*float64(len(vocabulary)))])
	}
	return b.String()
}

func (a *author) pick(from []string) string { return from[a.rng.IntN(len(from))] }

// chance is true in percent of all cases.
func (a *author) chance(percent int) bool { return a.rng.IntN(100) < percent }
