package imap

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"roost/maildir/message"
)

// corpus returns the real mail beside the repository.
func corpus(t testing.TB) []string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", "..", "shared", "corpus"))
	if err != nil {
		t.Fatal(err)
	}
	var mail []string
	filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && d.Name() != "README.md" {
			if b, err := os.ReadFile(path); err == nil && len(b) > 0 {
				mail = append(mail, string(b))
			}
		}
		return nil
	})
	if len(mail) == 0 {
		t.Skip("no corpus at ", dir)
	}
	return mail
}

// TestBytesAreSacred: what FETCH returns of real mail is what was delivered, LF shown as CRLF, in every way to ask for it.
func TestBytesAreSacred(t *testing.T) {
	ts := newTestServer(t, nil)
	c := ts.login()
	rng := rand.New(rand.NewPCG(11, 12))
	mail := corpus(t)
	for _, raw := range mail {
		c.append("INBOX", raw)
	}
	c.ok("SELECT INBOX")
	for i, raw := range mail {
		want := wireForm(raw)
		a := c.do("UID FETCH %d (RFC822.SIZE BODY.PEEK[])", i+1).ok(t).one(t, "FETCH")
		if got := string(a.literal(t)); got != want {
			t.Fatalf("message %d: BODY[] differs, %d octets of %d", i, len(got), len(want))
		}
		if size := fmt.Sprintf("RFC822.SIZE %d ", len(want)); !strings.Contains(a.text, size) {
			t.Errorf("message %d: %q lacks %q", i, a.text, size)
		}
		a = c.do("UID FETCH %d (RFC822.HEADER RFC822.TEXT.PEEK BODY.PEEK[HEADER] BODY.PEEK[TEXT])", i+1).ok(t).one(t, "FETCH")
		if len(a.literals) != 4 || string(slices.Concat(a.literals[2:]...)) != want || string(slices.Concat(a.literals[:2]...)) != want {
			t.Errorf("message %d: HEADER and TEXT are not the message", i)
		}
		for range 5 {
			off, n := rng.IntN(len(want)+10), 1+rng.IntN(len(want)+10)
			lit := c.do("UID FETCH %d BODY.PEEK[]<%d.%d>", i+1, off, n).ok(t).one(t, fmt.Sprintf("BODY[]<%d>", off)).literal(t)
			if slice := want[min(off, len(want)):min(off+n, len(want))]; string(lit) != slice {
				t.Errorf("message %d: <%d.%d> is %d octets, want %d", i, off, n, len(lit), len(slice))
			}
		}
		checkParts(t, ts, c, uint32(i+1))
	}
}

// checkParts compares every part that there is with the octets that the part tree says it has.
func checkParts(t *testing.T, ts *testServer, c *testClient, uid uint32) {
	t.Helper()
	raw := storedMessage(t, ts, uid)
	msg, err := message.Parse(bytes.NewReader(raw), int64(len(raw)), message.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	var walk func(path []uint32)
	walk = func(path []uint32) {
		p := msg.Find(path)
		if asked++; p == nil || asked > 60 {
			return
		}
		name := strings.Trim(strings.ReplaceAll(fmt.Sprint(path), " ", "."), "[]")
		a := c.do("UID FETCH %d (BODY.PEEK[%s] BODY.PEEK[%s.MIME])", uid, name, name).ok(t).one(t, "FETCH")
		if len(a.literals) != 2 {
			t.Errorf("part %s: %s", name, a.text)
			return
		}
		body, header := wireForm(string(raw[p.BodyOff:p.End])), wireForm(string(raw[p.HeaderOff:p.BodyOff]))
		if string(a.literals[0]) != body || string(a.literals[1]) != header {
			t.Errorf("part %s is %d octets, want %d, its header %d, want %d", name, len(a.literals[0]), len(body), len(a.literals[1]), len(header))
		}
		if p.Message != nil {
			a := c.do("UID FETCH %d (BODY.PEEK[%s.HEADER] BODY.PEEK[%s.TEXT])", uid, name, name).ok(t).one(t, "FETCH")
			if got := string(bytes.Join(a.literals, nil)); got != body {
				t.Errorf("part %s: embedded HEADER and TEXT are not the message", name)
			}
		}
		if len(p.Children) > 0 || p.Message != nil {
			for n := uint32(1); msg.Find(append(slices.Clone(path), n)) != nil && len(path) < 6; n++ {
				walk(append(slices.Clone(path), n))
			}
		}
	}
	for n := uint32(1); msg.Find([]uint32{n}) != nil; n++ {
		walk([]uint32{n})
	}
}

// storedMessage reads the file of a message in INBOX.
func storedMessage(t *testing.T, ts *testServer, uid uint32) []byte {
	t.Helper()
	box, err := ts.store.Open("INBOX")
	if err != nil {
		t.Fatal(err)
	}
	defer box.Release()
	f, err := box.OpenMessage(uid)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestLargeMessage fetches a message larger than all buffers: at once, in chunks as Thunderbird does, and at random.
func TestLargeMessage(t *testing.T) {
	ts := newTestServer(t, nil)
	c := ts.login()
	rng := rand.New(rand.NewPCG(13, 14))
	for uid, kind := range []string{1: "LF", 2: "CRLF kept", 3: "mixed"} {
		if kind == "" {
			continue
		}
		var b strings.Builder
		b.WriteString("Subject: large\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\n")
		for b.Len() < 800<<10 {
			b.WriteString(strings.Repeat("x", rng.IntN(90)))
			if kind == "mixed" && rng.IntN(2) == 0 {
				b.WriteString("\r")
			}
			b.WriteString("\n")
		}
		b.WriteString("--b--\n")
		stored := b.String()
		want := wireForm(stored)
		if kind == "CRLF kept" {
			stored = want
		}
		if kind == "LF" {
			c.append("INBOX", stored)
		} else {
			ts.deliver("", "cur", ":2,", stored)
		}
		c.ok("SELECT INBOX")
		if got := string(c.do("UID FETCH %d RFC822.PEEK", uid).ok(t).one(t, "RFC822 ").literal(t)); got != want {
			t.Fatalf("%s: whole message differs", kind)
		}
		var got strings.Builder
		for got.Len() < len(want) {
			got.Write(c.do("UID FETCH %d BODY.PEEK[]<%d.65536>", uid, got.Len()).ok(t).one(t, "FETCH").literal(t))
		}
		if got.String() != want {
			t.Fatalf("%s: chunks differ", kind)
		}
		part := want[strings.Index(want, "--b\r\n")+len("--b\r\n\r\n") : strings.LastIndex(want, "\r\n--b--")]
		for range 15 {
			off, n := rng.IntN(len(part)), 1+rng.IntN(500000)
			lit := c.do("UID FETCH %d BODY.PEEK[1]<%d.%d>", uid, off, n).ok(t).one(t, "FETCH").literal(t)
			if string(lit) != part[off:min(off+n, len(part))] {
				t.Fatalf("%s: BODY[1]<%d.%d> differs", kind, off, n)
			}
		}
	}
}

// TestBinary: parts with their encoding removed, small and large, whole and in chunks (RFC 3516).
func TestBinary(t *testing.T) {
	ts := newTestServer(t, nil)
	c := ts.login()
	rng := rand.New(rand.NewPCG(15, 16))
	for i, size := range []int{0, 1, 1000, 1 << 20} {
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(rng.Uint32())
		}
		var b strings.Builder
		b.WriteString("MIME-Version: 1.0\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n")
		for enc := base64.StdEncoding.EncodeToString(data); len(enc) > 0; enc = enc[min(76, len(enc)):] {
			b.WriteString(enc[:min(76, len(enc))] + "\n")
		}
		uid := c.append("INBOX", b.String())
		c.ok("SELECT INBOX")
		a := c.do("UID FETCH %d (BINARY.SIZE[1] BINARY.PEEK[1])", uid).ok(t).one(t, "FETCH")
		if !bytes.Equal(a.literal(t), data) {
			t.Errorf("size %d: BINARY[1] differs", size)
		}
		literal8 := "" // RFC 3516 §4.3: only where there is NUL
		if bytes.IndexByte(data, 0) >= 0 {
			literal8 = "~"
		}
		if want := fmt.Sprintf("BINARY.SIZE[1] %d BINARY[1] %s{%d}", size, literal8, size); !strings.Contains(a.text, want) {
			t.Errorf("%q lacks %q", a.text, want)
		}
		var chunks []byte
		for off := 0; off <= size; off += 64 << 10 {
			chunks = append(chunks, c.do("UID FETCH %d BINARY.PEEK[1]<%d.65536>", uid, off).ok(t).one(t, "FETCH").literal(t)...)
		}
		if !bytes.Equal(chunks, data) {
			t.Errorf("size %d: chunks differ", size)
		}
		for range 10 {
			off, n := rng.IntN(size+5), 1+rng.IntN(size+5)
			lit := c.do("UID FETCH %d BINARY.PEEK[1]<%d.%d>", i+1, off, n).ok(t).one(t, "FETCH").literal(t)
			if !bytes.Equal(lit, data[min(off, size):min(off+n, size)]) {
				t.Errorf("size %d: <%d.%d> differs", size, off, n)
			}
		}
	}
}

// TestSeenInBatches: hundreds of bodies set \Seen, say so, and the client is not told again.
func TestSeenInBatches(t *testing.T) {
	ts := newTestServer(t, nil)
	const n = 3*fetchBatchSeen + 5
	for range n {
		ts.deliver("", "cur", ":2,", "Subject: x\n\nbody\n")
	}
	c := ts.login()
	c.ok("SELECT INBOX")
	a := c.do("FETCH 1:* BODY[TEXT]").ok(t)
	fetches := 0
	for _, u := range a.untagged {
		if strings.Contains(u.text, " FETCH ") {
			fetches++
			if !strings.Contains(u.text, `(FLAGS (\Seen`) || !strings.Contains(u.text, "BODY[TEXT] {") {
				t.Fatalf("response %q", u.text)
			}
		}
	}
	if fetches != n {
		t.Errorf("%d FETCH responses, want %d", fetches, n)
	}
	if a := c.do("NOOP").ok(t); len(a.untagged) != 0 {
		t.Errorf("the client is told again: %q", a.texts())
	}
	if a := c.do("SEARCH UNSEEN").ok(t).one(t, "SEARCH"); a.text != "* SEARCH" {
		t.Errorf("still unseen: %s", a.text)
	}
	if a := c.do("FETCH 1 BODY[TEXT]").ok(t).one(t, "FETCH"); strings.Contains(a.text, "FLAGS") {
		t.Errorf("FLAGS without a change: %s", a.text)
	}
}

// TestFetchGone: messages that others removed are left out, the rest is answered, and the tagged response says so (RFC 2180 §4.1.2).
func TestFetchGone(t *testing.T) {
	ts := newTestServer(t, nil)
	c := ts.login()
	c.fill(3)
	c.ok("SELECT INBOX")
	box, err := ts.store.Open("INBOX")
	if err != nil {
		t.Fatal(err)
	}
	defer box.Release()
	if _, err := box.Expunge(context.Background(), []uint32{2}); err != nil {
		t.Fatal(err)
	}
	for _, item := range []string{"FLAGS", "ENVELOPE", "BODY.PEEK[]", "BODY.PEEK[1]", "BODY.PEEK[HEADER.FIELDS (SUBJECT)]", "SAVEDATE", "BINARY.PEEK[1]"} {
		a := c.do("FETCH 1:3 %s", item)
		if !strings.HasPrefix(a.status, "NO [EXPUNGEISSUED]") {
			t.Errorf("%s: %s", item, a.status)
		}
		if len(a.untagged) != 2 || !strings.HasPrefix(a.untagged[0].text, "* 1 FETCH") || !strings.HasPrefix(a.untagged[1].text, "* 3 FETCH") {
			t.Errorf("%s: %q", item, a.texts())
		}
	}
	c.do("NOOP").ok(t).one(t, "* 2 EXPUNGE")
	c.do("FETCH 1:2 FLAGS").ok(t)
}

// TestFileCutShort: of a message file that another program cut the client gets what is left, never other octets for it.
func TestFileCutShort(t *testing.T) {
	ts := newTestServer(t, nil)
	c := ts.login()
	for _, lines := range []int{60, 60000} {
		msg := "Subject: x\n\n" + strings.Repeat("a line of text\n", lines)
		uid := c.append("INBOX", msg)
		c.ok("SELECT INBOX")
		c.ok("UID FETCH %d (ENVELOPE BODYSTRUCTURE)", uid)
		files, err := filepath.Glob(filepath.Join(ts.root, "*", "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if st, err := os.Stat(name); err == nil && st.Size() == int64(len(msg)) {
				if err := os.Truncate(name, st.Size()/2); err != nil {
					t.Fatal(err)
				}
			}
		}
		want := wireForm(msg[:len(msg)/2])
		if got := string(c.do("UID FETCH %d BODY.PEEK[]", uid).one(t, "FETCH").literal(t)); got != want {
			t.Errorf("%d octets, want the %d that are left", len(got), len(want))
		}
		if got := c.do("UID SEARCH BODY \"line of\" UID %d", uid).ok(t).one(t, "SEARCH").text; got != fmt.Sprint("* SEARCH ", uid) {
			t.Error(got)
		}
	}
}

// TestFetchStopsWithClient: a client that hangs up in the middle of a large answer frees the server, which the harness waits for.
func TestFetchStopsWithClient(t *testing.T) {
	ts := newTestServer(t, nil)
	c := ts.login()
	c.append("INBOX", "Subject: x\n\n"+strings.Repeat("a line of text\n", 100000))
	for range 3 {
		d := ts.login()
		d.ok("EXAMINE INBOX")
		d.send("x FETCH 1 (BODY.PEEK[] BODY.PEEK[TEXT] BODY.PEEK[1])\r\n")
		time.Sleep(10 * time.Millisecond)
		d.c.Close()
	}
	c.ok("NOOP")
}
