package imap

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The benchmarks talk to a server over a loopback socket. The mailbox is as large as -bench.messages says; the figures that are published
// are made with
//
//	go test ./imap -run '^$' -bench . -bench.messages 100000
var benchMessages = flag.Int("bench.messages", 1000, "messages in the mailbox of the benchmarks")

// fillMailbox puts messages of 4 KB into a mailbox directory, as an old server left them: no uidlist.
func fillMailbox(b *testing.B, dir string, n int) {
	text := strings.Repeat("This line of text stands for what people write to each other.\n", 30)
	fillWith(b, dir, n, func(i int) string {
		return fmt.Sprintf("Return-Path: <a@example.org>\nReceived: from mx by host; Mon, 1 Jan 2024 00:00:00 +0000\n"+
			"From: =?utf-8?q?J=C3=BCrgen?= <j%d@example.org>\nTo: someone@example.net\nCc: others <o@example.net>, more <m@example.net>\n"+
			"Subject: Message number %d\nDate: Mon, 1 Jan 2024 00:00:00 +0000\nMessage-ID: <%d@example.org>\n"+
			"MIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=xx\n\n"+
			"--xx\nContent-Type: text/plain; charset=utf-8\n\n%s\n--xx\nContent-Type: text/html; charset=utf-8\n\n<p>%s</p>\n--xx--\n", i, i, i, text, text)
	})
}

// conversation returns a short message of people who answer each other, some subjects being the same.
func conversation(rng *rand.Rand, i int) string {
	words := func(n int) string {
		text := make([]string, n)
		for j := range text {
			text[j] = fmt.Sprintf("%c%s", 'a'+rng.IntN(26), []string{"lpha", "eta", "amma", "elta", "psilon"}[rng.IntN(5)])
		}
		return strings.Join(text, " ")
	}
	subject := []string{"", "Re: "}[rng.IntN(2)] + words(2+rng.IntN(7))
	if rng.IntN(8) == 0 {
		subject = "=?utf-8?q?Gr=C3=BC=C3=9Fe_an_" + strings.ReplaceAll(words(2), " ", "_") + "?="
	}
	head := fmt.Sprintf("From: %s <%s@example.org>\nTo: x@example.net\nSubject: %s\nDate: %s\nMessage-ID: <%d.abcdef@example.org>\n", words(1), words(1), subject,
		time.Unix(1500000000+rng.Int64N(200_000_000), 0).UTC().Format(time.RFC1123Z), i)
	if i > 0 && rng.IntN(100) < 45 {
		parent := rng.IntN(i)
		head += fmt.Sprintf("References: <%d.abcdef@example.org>\n\t<%d.abcdef@example.org>\n", parent/2, parent)
	}
	return head + "\nText.\n"
}

// fillWith puts messages into a mailbox directory.
func fillWith(b *testing.B, dir string, n int, message func(i int) string) {
	b.Helper()
	for _, sub := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			b.Fatal(err)
		}
	}
	for i := range n {
		msg := message(i)
		flags := []string{"", "S", "S", "RS"}[i%4]
		name := fmt.Sprintf("%d.M%dP1.bench,S=%d,W=%d:2,%s", 1700000000+i, i, len(msg), len(msg)+strings.Count(msg, "\n"), flags)
		if err := os.WriteFile(filepath.Join(dir, "cur", name), []byte(msg), 0o600); err != nil {
			b.Fatal(err)
		}
	}
}

// benchClient sends commands and throws the answers away as fast as they come.
type benchClient struct {
	b    *testing.B
	conn net.Conn
	buf  []byte
	n    int
}

func newBenchClient(b *testing.B, ts *testServer) *benchClient {
	b.Helper()
	conn := ts.login().c
	conn.SetReadDeadline(time.Time{})
	return &benchClient{b: b, conn: conn, buf: make([]byte, 256<<10)}
}

// do runs a command and returns how many octets came back.
func (c *benchClient) do(format string, args ...any) int64 {
	c.n++
	tag := fmt.Sprintf("zQ%dx", c.n)
	if _, err := fmt.Fprintf(c.conn, tag+" "+format+"\r\n", args...); err != nil {
		c.b.Error(err)
		return 0
	}
	var total int64
	var tail []byte
	for {
		n, err := c.conn.Read(c.buf)
		if err != nil {
			c.b.Error(err)
			return total
		}
		total += int64(n)
		tail = append(tail, c.buf[max(0, n-1024):n]...)
		tail = tail[max(0, len(tail)-1024):]
		if !bytes.HasSuffix(tail, []byte("\r\n")) {
			continue
		}
		if i := bytes.LastIndex(tail, []byte(tag+" ")); i >= 0 {
			if !bytes.HasPrefix(tail[i+len(tag):], []byte(" OK")) {
				c.b.Errorf("%.60s: %s", fmt.Sprintf(format, args...), tail[i:])
			}
			return total
		}
	}
}

// benchMailbox is a server with a full mailbox "big" and a client that has it selected.
func benchMailbox(b *testing.B) (*testServer, *benchClient) {
	b.Helper()
	ts := newTestServer(b, nil)
	fillMailbox(b, filepath.Join(ts.root, ".big"), *benchMessages)
	c := newBenchClient(b, ts)
	c.do("SELECT big")
	return ts, c
}

// perMessage reports what one message of the mailbox cost.
func perMessage(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(*benchMessages), "ns/message")
}

func BenchmarkSelect(b *testing.B) {
	b.Run("warm", func(b *testing.B) {
		_, c := benchMailbox(b)
		for b.Loop() {
			c.do("SELECT big")
		}
	})
	b.Run("cold", func(b *testing.B) { // uidlist and cache on disk, nothing in memory
		ts, c := benchMailbox(b)
		for b.Loop() {
			b.StopTimer()
			c.conn.Close()
			ts.stop()
			ts.open(nil)
			c = newBenchClient(b, ts)
			b.StartTimer()
			c.do("SELECT big")
		}
	})
	b.Run("first", func(b *testing.B) { // an old server's mailbox: UIDs are given, the uidlist is written
		for b.Loop() {
			b.StopTimer()
			ts := newTestServer(b, nil)
			fillMailbox(b, filepath.Join(ts.root, ".big"), *benchMessages)
			c := newBenchClient(b, ts)
			b.StartTimer()
			c.do("SELECT big")
		}
	})
}

// BenchmarkResync is a client that comes back after ten changes (RFC 7162).
func BenchmarkResync(b *testing.B) {
	ts, _ := benchMailbox(b)
	tc := ts.login()
	tc.ok("ENABLE QRESYNC")
	var validity, highest string
	for _, l := range tc.ok("SELECT big") {
		if m := noted.FindStringSubmatch(l); m != nil && m[1] == "UIDVALIDITY" {
			validity = m[2]
		} else if m != nil {
			highest = m[2]
		}
	}
	tc.ok("STORE 1:8 +FLAGS.SILENT (\\Flagged)")
	tc.ok("STORE 9:10 +FLAGS.SILENT (\\Deleted)")
	tc.ok("EXPUNGE")
	c := newBenchClient(b, ts)
	c.do("ENABLE QRESYNC")
	for b.Loop() {
		if n := c.do("SELECT big (QRESYNC (%s %s))", validity, highest); n < 500 || n > 2000 {
			b.Fatalf("an answer of %d octets", n)
		}
	}
}

// BenchmarkNotify is a flag changed by one client until the last of 1,000 others has heard of it, each of whom asked for news of that mailbox
// (RFC 5465).
func BenchmarkNotify(b *testing.B) {
	const listeners = 1000
	ts := newTestServer(b, func(o *Options) { o.Limits.PerUser, o.Limits.PerAddress = listeners+1, listeners+1 })
	ts.deliver("", "cur", ":2,", "Subject: x\n\n")
	actor := ts.login()
	actor.ok("SELECT INBOX")
	var heard sync.WaitGroup
	for range listeners {
		tc := ts.login()
		tc.ok("SELECT INBOX")
		tc.ok("NOTIFY SET (selected (MessageNew MessageExpunge FlagChange))")
		tc.c.SetReadDeadline(time.Time{})
		go func() {
			buf := make([]byte, 1024)
			for {
				n, err := tc.c.Read(buf)
				if err != nil {
					return
				}
				for range bytes.Count(buf[:n], []byte(" FETCH ")) {
					heard.Done()
				}
			}
		}()
	}
	on := true
	for b.Loop() {
		heard.Add(listeners)
		if on {
			actor.ok(`STORE 1 +FLAGS.SILENT (\Flagged)`)
		} else {
			actor.ok(`STORE 1 -FLAGS.SILENT (\Flagged)`)
		}
		on = !on
		heard.Wait()
	}
}

func BenchmarkFetch(b *testing.B) {
	_, c := benchMailbox(b)
	for _, items := range []string{
		"(UID FLAGS)", "(ENVELOPE)", "(BODYSTRUCTURE)", "(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)",
		"BODY.PEEK[]", "BODY.PEEK[1]", "BODY.PEEK[HEADER.FIELDS (FROM SUBJECT)]",
	} {
		b.Run(items, func(b *testing.B) {
			n := c.do("FETCH 1:* %s", items) // parsed and cached
			b.SetBytes(n)
			for b.Loop() {
				c.do("FETCH 1:* %s", items)
			}
			perMessage(b)
		})
	}
}

// BenchmarkFetchFirst is the first ENVELOPE of a mailbox that no client has looked at: every file is parsed.
func BenchmarkFetchFirst(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		_, c := benchMailbox(b)
		b.StartTimer()
		c.do("FETCH 1:* (ENVELOPE)")
	}
	perMessage(b)
}

// BenchmarkChunks fetches a message of 30 MB as Thunderbird does.
func BenchmarkChunks(b *testing.B) {
	ts := newTestServer(b, nil)
	text := "Subject: large\n\n" + strings.Repeat(strings.Repeat("x", 76)+"\n", 30<<20/77)
	ts.deliver("", "cur", ":2,S", text)
	c := newBenchClient(b, ts)
	c.do("SELECT INBOX")
	size := len(wireForm(text))
	b.SetBytes(int64(size))
	for b.Loop() {
		for off := 0; off < size; off += 64 << 10 {
			c.do("UID FETCH 1 BODY.PEEK[]<%d.65536>", off)
		}
	}
}

func BenchmarkSearch(b *testing.B) {
	_, c := benchMailbox(b)
	c.do("FETCH 1:* (ENVELOPE)")
	for _, keys := range []string{"UNSEEN", `UNDELETED SUBJECT "number 77"`, `BODY "not in any message"`, "OR FROM j12@ BODY nowhere"} {
		b.Run(keys, func(b *testing.B) {
			for b.Loop() {
				c.do("UID SEARCH %s", keys)
			}
			perMessage(b)
		})
	}
}

// benchOrder measures commands that put a mailbox in order: when nothing is known of their keys, when all is, and when a message came since.
func benchOrder(b *testing.B, commands ...string) {
	ts := newTestServer(b, nil)
	rng := rand.New(rand.NewPCG(1, 2))
	fillWith(b, filepath.Join(ts.root, ".big"), *benchMessages, func(i int) string { return conversation(rng, i) })
	c := newBenchClient(b, ts)
	c.do("SELECT big")
	c.do("FETCH 1:* (ENVELOPE)")
	box, err := ts.store.Open("big")
	if err != nil {
		b.Fatal(err)
	}
	defer box.Release()
	n := *benchMessages
	for _, command := range commands {
		for _, state := range []string{"first", "again", "one more"} {
			b.Run(command+"/"+state, func(b *testing.B) {
				c.do("%s", command)
				var cpu time.Duration
				for b.Loop() {
					b.StopTimer()
					switch state {
					case "first":
						for key := range sortKeys {
							box.Keep(columnKey(key), nil, 0)
						}
						box.Keep(threadKey{}, nil, 0)
						runtime.GC()
					case "one more":
						msg := strings.ReplaceAll(conversation(rng, n), "\n", "\r\n")
						c.do("APPEND big {%d+}\r\n%s", len(msg), msg)
						c.do("FETCH * (ENVELOPE)")
						n++
					}
					before := processorTime(b)
					b.StartTimer()
					c.do("%s", command)
					cpu += processorTime(b) - before
				}
				perMessage(b)
				b.ReportMetric(float64(cpu.Microseconds())/1000/float64(b.N), "cpu-ms/op")
			})
		}
	}
}

// processorTime is what the process has used, of all processors.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkSort(b *testing.B) {
	benchOrder(b, "SORT (DATE) UTF-8 ALL", "SORT (SUBJECT) UTF-8 ALL", "SORT (REVERSE FROM DATE) UTF-8 ALL", "UID SORT (ARRIVAL) UTF-8 UNDELETED",
		"UID SORT (DISPLAYFROM SIZE) UTF-8 UNDELETED", "UID SORT RETURN (PARTIAL 1:50) (REVERSE DATE) UTF-8 UNDELETED")
}

// BenchmarkThread is of short threads; TestThreadLarge has deep ones.
func BenchmarkThread(b *testing.B) {
	benchOrder(b, "THREAD REFERENCES UTF-8 ALL", "UID THREAD REFS UTF-8 UNDELETED", "UID THREAD ORDEREDSUBJECT UTF-8 UNDELETED")
}

func BenchmarkStore(b *testing.B) {
	_, c := benchMailbox(b)
	for i := 0; b.Loop(); i++ {
		c.do(`STORE 1:* %cFLAGS (\Flagged)`, "+-"[i%2])
	}
	perMessage(b)
}

func BenchmarkCopy1000(b *testing.B) {
	_, c := benchMailbox(b)
	c.do("CREATE target")
	for b.Loop() {
		c.do("COPY 1:%d target", min(1000, *benchMessages))
	}
}

func BenchmarkAppend1000(b *testing.B) {
	msg := "Subject: x\r\nFrom: a@example.org\r\n\r\n" + strings.Repeat("A line of text.\r\n", 200)
	for _, clients := range []int{1, 20} {
		b.Run(fmt.Sprint("clients=", clients), func(b *testing.B) {
			ts := newTestServer(b, nil)
			var conns []*benchClient
			for range clients {
				conns = append(conns, newBenchClient(b, ts))
			}
			for b.Loop() {
				var wg sync.WaitGroup
				for _, c := range conns {
					wg.Go(func() {
						for range 1000 / clients {
							c.do("APPEND INBOX {%d+}\r\n%s", len(msg), msg)
						}
					})
				}
				wg.Wait()
			}
		})
	}
}

// BenchmarkIdleConnection reports what one more client in IDLE costs, its own end of the socket in this process included.
func BenchmarkIdleConnection(b *testing.B) {
	const clients = 300
	ts := newTestServer(b, func(o *Options) { o.Limits.PerUser, o.Limits.PerAddress = 2*clients, 2*clients })
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var conns []net.Conn
	buf := make([]byte, 4096)
	for range clients {
		conn, err := net.Dial("tcp", ts.addr)
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close()
		conns = append(conns, conn)
		fmt.Fprintf(conn, "a LOGIN user secret\r\nb SELECT INBOX\r\nc IDLE\r\n")
		conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		for got := ""; !strings.Contains(got, "\r\n+ "); {
			n, err := conn.Read(buf)
			if err != nil {
				b.Fatalf("%v after %q", err, got)
			}
			got += string(buf[:n])
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	for b.Loop() {
	}
	used := int64(after.HeapAlloc+after.StackInuse) - int64(before.HeapAlloc+before.StackInuse)
	b.ReportMetric(float64(used)/clients, "B/connection")
	runtime.KeepAlive(conns)
}
