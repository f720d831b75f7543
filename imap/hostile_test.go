package imap

import (
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// bombs are messages that cost their readers far more than their writers, if the readers let them.
func bombs() map[string]string {
	nest := func(n int) string {
		var b strings.Builder
		b.WriteString("Subject: deep\nMIME-Version: 1.0\n")
		for i := range n {
			fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
		}
		return b.String() + "\nneedle\n"
	}
	many := func(n int, head, each string) string {
		var b strings.Builder
		b.WriteString(head)
		for i := range n {
			fmt.Fprintf(&b, each, i)
		}
		return b.String()
	}
	mime := func(kind, body string) string {
		return "Subject: x\nMIME-Version: 1.0\nContent-Type: " + kind + "\n\n" + body + "\nneedle\n"
	}
	return map[string]string{
		"10,000 parts deep":       nest(10_000),
		"5,000 messages deep":     strings.Repeat("Subject: x\nContent-Type: message/rfc822\n\n", 5_000) + "\nneedle\n",
		"100,000 parts":           mime("multipart/mixed; boundary=b", strings.Repeat("--b\n\nx\n", 100_000)),
		"one boundary for all":    strings.Repeat("Content-Type: multipart/mixed; boundary=b\n\n--b\n", 5_000) + "\nneedle\n",
		"boundaries that begin":   mime("multipart/mixed; boundary=b", strings.Repeat("--bb\n", 500_000)),
		"a header of 10 MB":       "Subject: " + strings.Repeat("x", 10<<20) + "\n\nneedle\n",
		"10 MB of folding":        "Subject: x\n" + strings.Repeat(" \n\t", 3<<20) + "y\n\nneedle\n",
		"300,000 fields":          many(300_000, "Subject: x\n", "X-%d: y\n") + "\nneedle\n",
		"100,000 addresses":       many(100_000, "Subject: x\nTo: x@example.org", ",\n u%d@example.org") + "\n\nneedle\n",
		"100,000 comments":        "Subject: x\nFrom: " + strings.Repeat("(", 100_000) + " a@example.org\n\nneedle\n",
		"100,000 groups":          "Subject: x\nTo: " + strings.Repeat("g:", 100_000) + ";\n\nneedle\n",
		"100,000 parameters":      many(100_000, "Subject: x\nContent-Type: text/plain", ";\n x%d=y") + "\n\nneedle\n",
		"100,000 continuations":   many(100_000, "Subject: x\nContent-Type: text/plain", ";\n x*%d*=%%41") + "\n\nneedle\n",
		"100,000 encoded words":   "Subject: x " + strings.Repeat("=?utf-8?b?w6Q=?=\n ", 100_000) + "\n\nneedle\n",
		"100,000 references":      many(100_000, "Subject: x\nMessage-Id: <a@x>\nReferences:", " <%d@x>\n") + "\n\nneedle\n",
		"100,000 times Re":        "Subject: " + strings.Repeat("Re: [x] (fwd) ", 100_000) + "\n\nneedle\n",
		"8 MB of base64 as text":  mime("text/plain; charset=iso-2022-jp\nContent-Transfer-Encoding: base64", base64.StdEncoding.EncodeToString(make([]byte, 6<<20))),
		"8 MB of soft line ends":  mime("text/plain; charset=utf-7\nContent-Transfer-Encoding: quoted-printable", strings.Repeat("=\n", 4<<20)),
		"100,000 tags":            mime("text/html", strings.Repeat("<div><table>", 100_000)),
		"no end of an HTML tag":   mime("text/html", "<a href='"+strings.Repeat("&lt;", 1<<20)),
		"a line of 8 MB":          mime("text/plain", strings.Repeat("x", 8<<20)),
		"a charset nobody has":    mime("text/plain; charset="+strings.Repeat("x", 100_000), "y"),
		"an ID without any end":   "Message-Id: <" + strings.Repeat("x@", 1<<20) + "\nIn-Reply-To: " + strings.Repeat("<", 1<<20) + "\n\nneedle\n",
		"a date of 1 MB":          "Subject: x\nDate: " + strings.Repeat("1 Jan 2000 ", 100_000) + "\n\nneedle\n",
		"half a message, no body": "Subject: x\nContent-Type: multipart/mixed; boundary=\"" + strings.Repeat("b", 1<<20),
	}
}

// TestBombs reads each bomb in all ways a client can ask for: it is answered, and in little memory. The client's end is part of what is measured.
func TestBombs(t *testing.T) {
	const most = 200 << 20
	for name, bomb := range bombs() {
		t.Run(name, func(t *testing.T) {
			ts := newTestServer(t, nil)
			ts.deliver("", "cur", ":2,", bomb)
			tc := ts.login()
			tc.ok("SELECT INBOX")
			peak := watchMemory()
			for _, command := range []string{
				"FETCH 1 (ENVELOPE BODYSTRUCTURE RFC822.SIZE PREVIEW THREADID EMAILID)",
				"FETCH 1 (ENVELOPE BODYSTRUCTURE)", // from the cache
				"FETCH 1 BODY.PEEK[]",
				"FETCH 1 (BODY.PEEK[HEADER.FIELDS (Subject To)] BODY.PEEK[1.1.1.1.1.1.1.1] BODY.PEEK[1.MIME] BODY.PEEK[TEXT]<100.10>)",
				"FETCH 1 BODY.PEEK[1" + strings.Repeat(".1", 20_000) + "]",
				"SEARCH SUBJECT needle",
				"SEARCH HEADER To needle",
				"SEARCH TEXT nowhere",
				"SEARCH OR BODY needle BODY nowhere",
				"SEARCH FROM needle SENTSINCE 1-Jan-2000",
				"SORT (SUBJECT FROM DATE) UTF-8 ALL",
				"THREAD REFERENCES UTF-8 ALL",
			} {
				if _, tagged := tc.cmd("%s", command); !strings.HasPrefix(tagged, "OK ") && !strings.HasPrefix(tagged, "NO [") {
					t.Errorf("%.80s: %s", command, tagged)
				}
			}
			took := peak()
			t.Logf("%d MiB for a message of %d KiB", took>>20, len(bomb)>>10)
			if took > most {
				t.Errorf("more than %d MiB", most>>20)
			}
			tc.ok("NOOP")
		})
	}
}

// watchMemory watches what is allocated until the result is called, which tells by how much it grew at most.
func watchMemory() (grown func() int) {
	before := memory()
	quit, done := make(chan struct{}), make(chan int)
	go func() {
		most := 0
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, int(m.HeapAlloc+m.StackInuse)-before)
			select {
			case <-quit:
				done <- most
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return func() int {
		close(quit)
		return <-done
	}
}

// A client that asks for much and reads nothing takes the memory of some buffers, however many of its kind there are.
func TestNeverReading(t *testing.T) {
	const clients, most = 20, 64 << 20
	ts := newTestServer(t, func(o *Options) {
		o.Limits.PerUser, o.Limits.PerAddress = 2*clients, 2*clients
		logTo(o)
	})
	for range 20 {
		ts.deliver("", "cur", ":2,", "Subject: large\n\n"+strings.Repeat(strings.Repeat("x", 70)+"\n", 1<<14))
	}
	first := ts.login()
	first.ok("SELECT INBOX")
	first.ok("FETCH 1:* (ENVELOPE RFC822.SIZE)")
	peak := watchMemory()
	for range clients {
		tc := ts.login()
		tc.c.(*net.TCPConn).SetReadBuffer(4096)
		tc.ok("SELECT INBOX")
		go io.WriteString(tc.c, strings.Repeat("x FETCH 1:* BODY.PEEK[]\r\ny FETCH 1:* (BODYSTRUCTURE)\r\n", 1000))
	}
	for range 20 {
		first.ok("NOOP") // the others are served meanwhile
		first.ok("UID SEARCH TEXT nowhere")
	}
	if took := peak(); took > most {
		t.Errorf("%d MiB for %d clients", took>>20, clients)
	}
}

// Many commands in one packet are answered in their order, whatever they are, and those behind IDLE and APPEND too.
func TestPipeline(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, nil)
	ts.deliver("", "cur", ":2,", "Subject: one\n\nbody\n")
	tc := ts.login()
	var text strings.Builder
	commands := []string{
		"SELECT INBOX", "NOOP", "FETCH 1:* (FLAGS ENVELOPE)", "STORE 1 +FLAGS (\\Flagged)", "SEARCH TEXT body", "STATUS INBOX (MESSAGES)",
		"LIST \"\" *", "APPEND INBOX (\\Seen) {12+}\r\nSubject: x\r\n", "UID FETCH 1:* BODY.PEEK[]", "COPY 1 INBOX", "CAPABILITY",
		"UID STORE * +FLAGS.SILENT (\\Deleted)", "EXPUNGE", "IDLE\r\nDONE", "NAMESPACE", "ID NIL", "EXAMINE INBOX", "CLOSE",
	}
	const n = 1000
	for i := range n {
		fmt.Fprintf(&text, "p%d %s\r\n", i, commands[i%len(commands)])
	}
	go io.WriteString(tc.c, text.String())
	for i := 0; i < n; {
		switch l := tc.line(); {
		case strings.HasPrefix(l, "* "), strings.HasPrefix(l, "+ "):
		case strings.HasPrefix(l, fmt.Sprintf("p%d OK ", i)):
			i++
		default:
			t.Fatalf("instead of the answer to %s: %s", commands[i%len(commands)], l)
		}
	}
}

// A client on a bad line is understood octet by octet; one that never comes to an end holds up nobody and goes when its time is over.
func TestSlowDrip(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, func(o *Options) {
		o.Limits.Login, o.Limits.PerAddress = time.Second, 100
		logTo(o)
	})
	ts.deliver("", "cur", ":2,", "Subject: one\n\nbody\n")
	slow := ts.login()
	for _, c := range []byte("d SELECT {5}\r\n") {
		slow.send(string(c))
		time.Sleep(time.Millisecond)
	}
	if l := slow.line(); !strings.HasPrefix(l, "+ ") {
		t.Fatal(l)
	}
	for _, c := range []byte("INBOX\r\ne APPEND INBOX {12+}\r\nSubject: x\r\n\r\nf FETCH 1:* (UID)\r\n") {
		slow.send(string(c))
		time.Sleep(time.Millisecond)
	}
	for l := ""; !strings.HasPrefix(l, "f "); {
		if l = slow.line(); strings.Contains(l, "BAD") || strings.Contains(l, "NO ") {
			t.Fatal(l)
		}
	}
	for range 30 {
		tc := ts.dial()
		go func() {
			for {
				if _, err := io.WriteString(tc.c, "a"); err != nil {
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
		}()
	}
	ts.login().ok("SELECT INBOX")
	for until := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		ts.srv.mu.Lock()
		n := len(ts.srv.conns)
		ts.srv.mu.Unlock()
		if n <= 2 {
			return
		} else if time.Now().After(until) {
			t.Fatalf("%d connections are left", n)
		}
	}
}

// TestNoise sends commands with something wrong in them and octets without any sense, over real connections at the same time. Each of these ends,
// no session panics, and the mail of others is as it was.
func TestNoise(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/transcripts/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	var lines []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.SplitAfter(clientLines(string(text)), "\r\n")...)
	}
	var log *lockedBuffer
	ts := newTestServer(t, func(o *Options) {
		o.Limits.PerUser, o.Limits.PerAddress, o.Limits.Append = 100, 100, 1<<20
		log = logTo(o)
	})
	ts.deliver("", "cur", ":2,", "Subject: mine\n\nbody\n")
	witness := ts.login()
	witness.ok("SELECT INBOX")
	look := func() string { return strings.Join(witness.ok("FETCH 1:* (UID FLAGS BODY.PEEK[])"), "\n") }
	before := look()
	rounds := 150
	if *long {
		rounds = 5000
	}
	rnd := rand.New(rand.NewPCG(5, 0))
	for i := range rounds {
		var b strings.Builder
		if i%4 > 0 {
			b.WriteString("l LOGIN other secret\r\ns SELECT INBOX\r\nc APPEND INBOX {12+}\r\nSubject: x\r\n\r\n")
		}
		for range 1 + rnd.IntN(20) {
			if rnd.IntN(5) == 0 {
				for range rnd.IntN(200) {
					b.WriteByte(byte(rnd.Uint32()))
				}
				continue
			}
			line := lines[rnd.IntN(len(lines))]
			for range rnd.IntN(4) {
				at := rnd.IntN(len(line) + 1)
				const odds = "(){}[]<>%*\"\\+:,$~\x00\x7f\xc3\r\n 0a"
				i := rnd.IntN(len(odds))
				switch odd := odds[i : i+1]; rnd.IntN(3) {
				case 0:
					line = line[:at] + odd + line[at:]
				case 1:
					line = line[:at] + odd + line[min(at+1, len(line)):]
				default:
					line = line[:at] + line[min(at+1+rnd.IntN(4), len(line)):]
				}
			}
			b.WriteString(line)
		}
		tc := ts.dial()
		go func() {
			io.WriteString(tc.c, b.String()) // the server may hang up in the middle
			tc.c.(*net.TCPConn).CloseWrite()
		}()
		tc.c.SetReadDeadline(time.Now().Add(30 * time.Second))
		if _, err := io.Copy(io.Discard, tc.r); err != nil && os.IsTimeout(err) {
			t.Fatalf("the server does not come to an end with %q", b.String())
		}
		tc.c.Close()
	}
	if after := look(); after != before {
		t.Errorf("the mail of another user was\n%s\nand is\n%s", before, after)
	}
	if s := log.String(); strings.Contains(s, "panic") {
		t.Errorf("a session panicked: %s", s[strings.Index(s, "panic"):])
	}
}
