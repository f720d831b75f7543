package message

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func parse(t testing.TB, data []byte, lim Limits) *Message {
	t.Helper()
	m, err := Parse(bytes.NewReader(data), int64(len(data)), lim)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// wireSize counts the slow way what a client gets.
func wireSize(b []byte) (n int64) {
	for i, c := range b {
		if n++; c == '\n' && (i == 0 || b[i-1] != '\r') {
			n++
		}
	}
	return n
}

// checkTree holds a tree against the bytes it describes: every part lies in its parent, behind its elder sister, and all figures are those of a
// naive count.
func checkTree(t testing.TB, data []byte, m *Message) {
	t.Helper()
	if m.Size != int64(len(data)) || m.Wire != wireSize(data) {
		t.Errorf("message of %d octets, %d on the wire: got %d, %d", len(data), wireSize(data), m.Size, m.Wire)
	}
	if m.Root.HeaderOff != 0 || m.Root.End != m.Size {
		t.Errorf("root is [%d,%d) of %d", m.Root.HeaderOff, m.Root.End, m.Size)
	}
	checkPart(t, data, m.Root)
}

func checkPart(t testing.TB, data []byte, p *Part) {
	t.Helper()
	if p.HeaderOff > p.BodyOff || p.BodyOff > p.End {
		t.Fatalf("part %d, %d, %d", p.HeaderOff, p.BodyOff, p.End)
	}
	header, body := data[p.HeaderOff:p.BodyOff], data[p.BodyOff:p.End]
	// Parts begin behind a LF, so no CR in front of them can belong to their first octet.
	if got, want := p.WireHeader, wireSize(header); got != want {
		t.Errorf("header at %d: %d on the wire, want %d", p.HeaderOff, got, want)
	}
	if got, want := p.WireBody, wireSize(body); got != want {
		t.Errorf("body at %d: %d on the wire, want %d", p.BodyOff, got, want)
	}
	if got, want := p.Lines, int64(bytes.Count(body, newline)); got != want {
		t.Errorf("body at %d: %d lines, want %d", p.BodyOff, got, want)
	}
	if got, want := p.HasNUL, bytes.IndexByte(body, 0) >= 0; got != want {
		t.Errorf("body at %d: NUL %v, want %v", p.BodyOff, got, want)
	}
	if p.Type == "" || p.Subtype == "" {
		t.Errorf("part at %d without type: %q/%q", p.HeaderOff, p.Type, p.Subtype)
	}
	if _, err := Decoded(bytes.NewReader(data), p); p.Encoding == "" && !errors.Is(err, ErrUnknownEncoding) {
		t.Errorf("part at %d without encoding: %v", p.HeaderOff, err)
	}
	at := p.BodyOff
	for _, child := range p.Children {
		if child.HeaderOff < at || child.End > p.End {
			t.Errorf("part [%d,%d) in [%d,%d)", child.HeaderOff, child.End, at, p.End)
		}
		checkPart(t, data, child)
		at = child.End
	}
	if p.Message != nil {
		if p.Message.HeaderOff != p.BodyOff || p.Message.End != p.End {
			t.Errorf("message [%d,%d) in [%d,%d)", p.Message.HeaderOff, p.Message.End, p.BodyOff, p.End)
		}
		checkPart(t, data, p.Message)
	}
	if isMessage(p) != (p.Message != nil) || len(p.Children) > 0 && !isMultipart(p) {
		t.Errorf("part at %d is %s/%s and has %d children, message %v", p.HeaderOff, p.Type, p.Subtype, len(p.Children), p.Message != nil)
	}
}

func TestParseCounts(t *testing.T) {
	for _, mail := range append(corpus(t), brokenMail()...) {
		t.Run(mail.name, func(t *testing.T) {
			m := parse(t, mail.data, DefaultLimits)
			checkTree(t, mail.data, m)
			// As stored with other line ends: the same on the wire.
			lf := bytes.ReplaceAll(mail.data, crlf, newline)
			cr := bytes.ReplaceAll(lf, newline, crlf)
			if bytes.Contains(mail.data, []byte("\r\r")) {
				return // not what its LF form is made of
			}
			if a, b := parse(t, lf, DefaultLimits), parse(t, cr, DefaultLimits); a.Wire != b.Wire || b.Wire != b.Size {
				t.Errorf("%d with LF, %d with CRLF, of %d", a.Wire, b.Wire, b.Size)
			}
			checkTree(t, lf, parse(t, lf, DefaultLimits))
			checkTree(t, cr, parse(t, cr, DefaultLimits))
			if a, b := mustMeta(t, lf), mustMeta(t, cr); string(a.BodyStructure) != string(b.BodyStructure) || string(a.Envelope) != string(b.Envelope) {
				t.Errorf("line ends make a difference:\n%s\n%s", a.BodyStructure, b.BodyStructure)
			}
		})
	}
}

// TestParseWindow moves the interesting places across the edges of the window.
func TestParseWindow(t *testing.T) {
	for _, end := range []string{"\n", "\r\n"} {
		tail := strings.ReplaceAll("\n--b\nContent-Type: text/html; a=b\n c\n\nhtml\n--b--\n", "\n", end)
		head := strings.ReplaceAll(mixed("b")+"--b\n\n", "\n", end)
		for n := bufSize - len(head) - len(tail) - 5; n < bufSize-len(head)+10; n++ {
			data := []byte(head + strings.Repeat("x", n) + tail)
			m := parse(t, data, DefaultLimits)
			if len(m.Root.Children) != 2 || m.Root.Children[0].End-m.Root.Children[0].BodyOff != int64(n) || m.Root.Children[1].Subtype != "html" {
				t.Fatalf("%d octets before the boundary: %+v", n, m.Root.Children)
			}
			checkTree(t, data, m)
		}
	}
}

func TestParseBodies(t *testing.T) {
	for _, c := range []struct {
		data   string
		bodies []string // depth first
	}{
		{mixed("b") + "--b\n\none\n--b\n\ntwo\n--b--\nepilogue", []string{"one", "two"}},
		{mixed("b") + "--b\r\n\r\none\r\n\r\n--b\r\nX: y\r\n\r\n--b--\r\n", []string{"one\r\n", ""}},
		{mixed("b") + "--b\nX: y\n--b\n\ntwo", []string{"", "two"}},
		{mixed("b") + "--b\n\none\r\r\n--b--", []string{"one\r"}},
		{mixed("o") + "--o\n" + mixed("i") + "--i\n\none\n--o\n\ntwo\n--i\nthree\n--o--", []string{"--i\n\none", "one", "two\n--i\nthree"}},
		{"Content-Type: message/rfc822\n\nSubject: x\n\nbody", []string{"body"}},
	} {
		m := parse(t, []byte(c.data), DefaultLimits)
		var bodies []string
		var walk func(p *Part)
		walk = func(p *Part) {
			if p != m.Root && p.Message == nil {
				bodies = append(bodies, c.data[p.BodyOff:p.End])
			}
			for _, child := range p.Children {
				walk(child)
			}
			if p.Message != nil {
				walk(p.Message)
			}
		}
		walk(m.Root)
		if !reflect.DeepEqual(bodies, c.bodies) {
			t.Errorf("%q\ngot  %q\nwant %q", c.data, bodies, c.bodies)
		}
	}
}

func TestFind(t *testing.T) {
	// The tree of RFC 9051 §6.4.5.1.
	rfc := mixed("a") + "--a\n\n1\n--a\nContent-Type: application/octet-stream\n\n2\n" +
		"--a\nContent-Type: message/rfc822\n\n" + mixed("b") + "--b\n\n3.1\n--b\nContent-Type: application/octet-stream\n\n3.2\n--b--\n" +
		"--a\n" + mixed("c") + "--c\nContent-Type: image/gif\n\n4.1\n--c\nContent-Type: message/rfc822\n\n" +
		mixed("d") + "--d\n\n4.2.1\n--d\nContent-Type: multipart/alternative; boundary=e\n\n--e\n\n4.2.2.1\n--e\nContent-Type: text/richtext\n\n4.2.2.2\n--e--\n--d--\n--c--\n--a--\n"
	m := parse(t, []byte(rfc), DefaultLimits)
	for _, path := range []string{"1", "2", "3.1", "3.2", "4.1", "4.2.1", "4.2.2.1", "4.2.2.2"} {
		if p := m.Find(numbers(path)); p == nil || rfc[p.BodyOff:p.End] != path {
			t.Errorf("%s: %+v", path, p)
		}
	}
	for path, want := range map[string]string{"3": "message/rfc822", "4": "multipart/mixed", "4.2": "message/rfc822", "4.2.2": "multipart/alternative"} {
		if p := m.Find(numbers(path)); p == nil || p.Type+"/"+p.Subtype != want {
			t.Errorf("%s: %+v", path, p)
		}
	}
	for _, path := range []string{"", "0", "5", "4294967295", "1.2", "3.3", "3.0", "4.1.2", "4.2.2.3"} {
		if p := m.Find(numbers(path)); p != nil {
			t.Errorf("%s: %+v", path, p)
		}
	}
	m = parse(t, []byte("Subject: x\n\nplain"), DefaultLimits)
	if m.Find([]uint32{1}) != m.Root || m.Find([]uint32{2}) != nil {
		t.Error("part 1 of a plain message is its body, and there is no other")
	}
	m = parse(t, []byte("Content-Type: message/rfc822\n\nSubject: x\n\nplain"), DefaultLimits)
	if m.Find([]uint32{1}) != m.Root || m.Find([]uint32{1, 1}) != m.Root.Message {
		t.Error("1.1 is the body of the message in part 1")
	}
}

func numbers(path string) (n []uint32) {
	for s := range strings.SplitSeq(path, ".") {
		var i uint32
		if _, err := fmt.Sscan(s, &i); err == nil {
			n = append(n, i)
		}
	}
	return n
}

func TestParseLimits(t *testing.T) {
	lim := DefaultLimits
	lim.Parts = 3
	data := []byte(mixed("b") + strings.Repeat("--b\n\nx\n", 10) + "--b--\n")
	m := parse(t, data, lim)
	checkTree(t, data, m)
	if len(m.Root.Children) != 2 {
		t.Errorf("%d children with a limit of 3 parts", len(m.Root.Children))
	}
	lim = DefaultLimits
	lim.Depth = 4
	var nested strings.Builder
	for i := range 10 {
		fmt.Fprintf(&nested, "%s--%d\n", mixed(fmt.Sprint(i)), i)
	}
	for _, data := range []string{nested.String(), strings.Repeat("Content-Type: message/rfc822\n\n", 10)} {
		m = parse(t, []byte(data), lim)
		checkTree(t, []byte(data), m)
		depth := 1
		for p := m.Root; ; depth++ {
			switch {
			case p.Message != nil:
				p = p.Message
				continue
			case len(p.Children) > 0:
				p = p.Children[0]
				continue
			case p.Type != "application":
				t.Errorf("the innermost part is %s/%s", p.Type, p.Subtype)
			}
			break
		}
		if depth != 4 {
			t.Errorf("depth %d with a limit of 4", depth)
		}
	}
	lim = DefaultLimits
	lim.Params = 5
	m = parse(t, []byte("Content-Type: text/plain"+strings.Repeat("; a=b", 10)+"\n\n"), lim)
	if len(m.Root.Params) != 5 {
		t.Errorf("%d parameters with a limit of 5", len(m.Root.Params))
	}
}

func TestParseReadError(t *testing.T) {
	broken := errors.New("disk on fire")
	r := iotest.ErrReader(broken)
	if _, err := Parse(readerAt{r}, 10, DefaultLimits); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if _, err := Parse(strings.NewReader("Subject: x"), 100, DefaultLimits); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a file shorter than announced: %v", err)
	}
}

type readerAt struct{ io.Reader }

func (r readerAt) ReadAt(b []byte, _ int64) (int, error) { return r.Read(b) }

// hostileMail is what attackers write; each within two seconds.
func hostileMail() map[string]string {
	var prefixes, same strings.Builder
	for i := range 80 { // 80 open boundaries, each a prefix of the next
		b := strings.Repeat("a", i+1)
		prefixes.WriteString(mixed(b) + "--" + b + "\n")
	}
	for range 90 {
		same.WriteString(mixed("b") + "--b\n")
	}
	var pieces, holes strings.Builder
	for i := range 100000 {
		fmt.Fprintf(&pieces, "; a*%d*=%%41", 100000-i)
		fmt.Fprintf(&holes, ";\n b%d*%d=x", i, i)
	}
	return map[string]string{
		"RFC 2231 pieces":      "Content-Type: text/plain" + pieces.String() + "\n\nx",
		"RFC 2231 holes":       "Content-Disposition: attachment" + holes.String() + "\n\nx",
		"10 MB header line":    "Subject: " + strings.Repeat("x", 10<<20) + "\n\nx",
		"10 MB Content-Type":   "Content-Type: text/plain; a=\"" + strings.Repeat("x\\", 5<<20) + "\n\nx",
		"10 MB header":         strings.Repeat("X-Y: "+strings.Repeat("z", 70)+"\n", 140000) + "\nx",
		"folds":                "Subject: x" + strings.Repeat("\n ", 2<<20) + "\n\nx",
		"fields":               strings.Repeat("a:\n", 2<<20) + "\nx",
		"Subjects":             strings.Repeat("Subject: x\n", 500000) + "\nx",
		"To fields":            strings.Repeat("To: a@b\n", 500000) + "\nx",
		"addresses":            "To: " + strings.Repeat("a@b,", 500000) + "\n\nx",
		"commas":               "To: " + strings.Repeat(",", 1<<20) + "\n\nx",
		"words":                "To: " + strings.Repeat("a ", 500000) + "\n\nx",
		"groups":               "To: " + strings.Repeat("g:", 500000) + "\n\nx",
		"open quotes":          "To: " + strings.Repeat("\",", 500000) + "\n\nx",
		"comments":             "To: " + strings.Repeat("(", 1<<20) + "\n\nx",
		"closed comments":      "To: " + strings.Repeat("()", 500000) + "a@b\n\nx",
		"angles":               "To: " + strings.Repeat("<", 1<<20) + "\n\nx",
		"routes":               "To: <" + strings.Repeat("@a,", 500000) + ":a@b>\n\nx",
		"parameter comments":   "Content-Type: text/plain" + strings.Repeat(";(", 500000) + "\n\nx",
		"semicolons":           "Content-Type: text/plain" + strings.Repeat(";", 1<<20) + "\n\nx",
		"languages":            "Content-Language: " + strings.Repeat("en,", 500000) + "\n\nx",
		"date":                 "Date: " + strings.Repeat("1-", 500000) + "\n\nx",
		"parts":                mixed("b") + strings.Repeat("--b\n", 1<<20),
		"boundaries":           prefixes.String() + strings.Repeat("--"+strings.Repeat("a", 40)+"b\n", 50000),
		"near boundaries":      prefixes.String() + strings.Repeat("--b"+strings.Repeat("a", 79)+"\n", 50000),
		"nested same boundary": same.String() + strings.Repeat("--b--\n", 100) + strings.Repeat("--b\n", 1<<20),
		"dashes":               mixed("b") + strings.Repeat("--\n", 2<<20),
		"line feeds":           mixed("b") + strings.Repeat("\n", 8<<20),
		"NULs":                 mixed("b") + strings.Repeat("\x00", 8<<20),
		"messages":             strings.Repeat("Content-Type: message/rfc822\n\n", 100000),
		"digests":              "Content-Type: multipart/digest; boundary=b\n\n" + strings.Repeat("--b\n\nTo: a@b\nSubject: x\n\n", 100000),
		"large digests":        "Content-Type: multipart/digest; boundary=b\n\n" + strings.Repeat("--b\n\nSubject: "+strings.Repeat("x", 1<<20)+"\n\n", 16),
	}
}

func TestHostile(t *testing.T) {
	for name, data := range hostileMail() {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			meta := mustMeta(t, []byte(data))
			b := meta.AppendBinary(nil)
			if _, err := unmarshalMeta(b); err != nil {
				t.Error(err)
			}
			if took := time.Since(start); took > 20*time.Second { // what grows with the square of the size takes minutes
				t.Errorf("%v", took)
			}
			if len(b) > 64<<20 {
				t.Errorf("%d octets of cache", len(b))
			}
			t.Logf("%d octets in %v, cache %d", len(data), time.Since(start), len(b))
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, mail := range brokenMail() {
		f.Add(mail.data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m := parse(t, data, DefaultLimits)
		checkTree(t, data, m)
		meta := mustMeta(t, data)
		for _, b := range [][]byte{meta.Envelope, meta.BodyStructure, meta.Body} {
			if rest, ok := checkValue(b); !ok || len(rest) > 0 {
				t.Fatalf("not a value: %q", b)
			}
		}
		again, err := unmarshalMeta(meta.AppendBinary(nil))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(again.Message(), m) {
			t.Fatalf("%+v\n%+v", again.Message().Root, m.Root)
		}
		lim := Limits{Depth: 3, Parts: 4, HeaderBytes: 100, Params: 3, Addresses: 3}
		checkTree(t, data, parse(t, data, lim))
	})
}

// checkValue takes one IMAP value off b: a list, a string, NIL or a number.
func checkValue(b []byte) (rest []byte, ok bool) {
	depth := 0
	for len(b) > 0 {
		switch c := b[0]; {
		case c == '(':
			depth++
			b = b[1:]
		case c == ')':
			if depth--; depth < 0 {
				return b, false
			}
			b = b[1:]
		case c == ' ':
			b = b[1:]
		case c == '"':
			i := 1
			for ; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
				if i < len(b) && (b[i] >= 0x80 || b[i] == '\r' || b[i] == '\n' || b[i] == 0) {
					return b, false
				}
			}
			if i >= len(b) {
				return b, false
			}
			b = b[i+1:]
		case c == '{':
			var n int
			if _, err := fmt.Sscanf(string(b), "{%d}\r\n", &n); err != nil {
				return b, false
			}
			i := bytes.IndexByte(b, '\n') + 1
			if i+n > len(b) || bytes.IndexByte(b[i:i+n], 0) >= 0 {
				return b, false
			}
			b = b[i+n:]
		case bytes.HasPrefix(b, []byte("NIL")):
			b = b[3:]
		case isDigit(c):
			b = b[1:]
		default:
			return b, false
		}
		if depth == 0 {
			return b, true
		}
	}
	return b, false
}

func BenchmarkParse(b *testing.B) {
	line := strings.Repeat("x", 75) + "\r\n"
	for name, data := range map[string]string{
		"plain":      "Subject: x\r\n\r\n" + strings.Repeat(line, 200000),
		"plain-lf":   "Subject: x\n\n" + strings.Repeat(line[:75]+"\n", 200000),
		"multipart":  mixed("b") + "--b\r\n\r\n" + strings.Repeat(line, 200000) + "--b--\r\n",
		"many-parts": mixed("b") + strings.Repeat("--b\r\nContent-Type: text/plain\r\n\r\n"+line, 9000),
		"small":      "From: a@b\r\nTo: c@d\r\nSubject: x\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\nMessage-ID: <x@y>\r\n\r\n" + strings.Repeat(line, 20),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(strings.NewReader(data), int64(len(data)), DefaultLimits); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
