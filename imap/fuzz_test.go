package imap

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"roost/maildir"
)

// FuzzSession plays octets to a session in each state: it must neither panic nor hang. The clients' lines of the transcripts are the seeds.
// Sessions are concurrent, so what they cover differs from run to run: fuzz with -fuzzminimizetime 1x.
func FuzzSession(f *testing.F) {
	files, err := filepath.Glob("testdata/transcripts/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for state := range uint8(4) {
			f.Add(state, clientLines(string(text)))
		}
	}
	ts := newTestServer(f, func(o *Options) {
		o.Limits.Append = 1 << 20
		logTo(o)
	})
	ts.deliver("", "cur", ":2,", "Subject: one\n\nbody\n")
	f.Fuzz(func(t *testing.T, state uint8, text string) {
		before := []string{"", "l LOGIN user secret\r\n", "l LOGIN user secret\r\ns SELECT INBOX\r\n",
			"l LOGIN user secret\r\ne ENABLE IMAP4rev2 UTF8=ACCEPT\r\ns SELECT INBOX\r\n"}[state%4]
		s := newSession(ts.srv, &recording{text: strings.NewReader(before + text)})
		done := make(chan struct{})
		defer time.AfterFunc(20*time.Second, func() {
			select {
			case <-done:
			default:
				panic("the session hangs: " + strconv.Quote(text))
			}
		}).Stop()
		s.run(false)
		s.close()
		close(done)
		shrink(t, ts.store)
	})
}

// shrink empties INBOX when copies of copies have filled it.
func shrink(t *testing.T, store *maildir.Store) {
	box, err := store.Open(inbox)
	if err != nil {
		t.Fatal(err)
	}
	defer box.Release()
	if uids := box.UIDs(); len(uids) > 100 {
		if _, err := box.Expunge(context.Background(), uids[1:]); err != nil {
			t.Fatal(err)
		}
	}
}

// recording is a connection on which a client has sent all it will ever send.
type recording struct {
	net.Conn // nil: nothing else of it is used
	text     *strings.Reader
}

func (r *recording) Read(p []byte) (int, error)       { return r.text.Read(p) }
func (r *recording) Write(p []byte) (int, error)      { return len(p), nil }
func (r *recording) Close() error                     { return nil }
func (r *recording) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
func (r *recording) SetReadDeadline(time.Time) error  { return nil }
func (r *recording) SetWriteDeadline(time.Time) error { return nil }

// clientLines are the octets that all clients of a transcript send.
func clientLines(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		m := transcriptLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if m == nil || m[1] != "C" {
			continue
		}
		if raw, err := strconv.Unquote(m[4]); m[3] == "!" && err == nil {
			b.WriteString(raw)
		} else {
			b.WriteString(m[4] + "\r\n")
		}
	}
	return b.String()
}
