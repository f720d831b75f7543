package imap

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"roost/index"
	"roost/internal/tlsconf"
	"roost/maildir"
)

// TestTranscripts plays testdata/transcripts/*.txt against a server over a socket, each with fresh Maildirs of "user" and "other" (password
// "secret"). A line of a transcript is one of:
//
//	# …              a comment; the first names the section of the RFC
//	C: text          the client sends text and CRLF
//	C! "text\r\n"    the client sends exactly the Go string
//	S: pattern       the next response is this
//	S| pattern       … and this is its next line, when it has literals
//	S~ pattern       one of a group of neighbouring lines that come in any order
//	S: ...           any number of responses, up to the one that the next S: line describes
//	S! pattern       … among which this must not be
//	S: <silence>     nothing comes for a moment
//	S: <eof>         the server closes the connection
//	@word arg…       an action, see actions
//	| text           a line of the message that the @deliver above delivers
//
// C1:, S1| and so on speak of other clients than the first. A client connects with its first line; unless that is an S line, the greeting is
// dropped. In a pattern <n> is a number, <w> a word, <*> anything, <date> an INTERNALDATE, and <$name> a word that is the same wherever the
// name appears, also in C lines. At the end all clients log out, nothing may be left to read, and the Maildirs must say the same without the
// state directory.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/transcripts/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p := &player{t: t, file: file, lines: strings.Split(string(text), "\n"), clients: map[string]*testClient{}, vars: map[string]string{}}
			p.play()
		})
	}
}

// player plays one transcript.
type player struct {
	t       *testing.T
	file    string
	lines   []string
	at      int // line being played, from 0
	srv     *testServer
	opts    []func(*Options)
	tls     *tls.Config // of clients
	clients map[string]*testClient
	vars    map[string]string
	mail    []string // files delivered, where they are now
	said    []string // the dialogue so far
}

var transcriptLine = regexp.MustCompile(`^([CS])(\d*)([:!|~])(?: (.*))?$`)

func (p *player) fail(format string, args ...any) {
	p.t.Helper()
	said := p.said[max(0, len(p.said)-30):]
	p.t.Fatalf("%s:%d: %s\n  the dialogue:\n    %s", p.file, p.at+1, fmt.Sprintf(format, args...), strings.Join(said, "\n    "))
}

func (p *player) play() {
	for p.at = 0; p.at < len(p.lines); p.at++ {
		line := p.lines[p.at]
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "@"):
			words := strings.Fields(line[1:])
			act := actions[words[0]]
			if act == nil {
				p.fail("no action %q", words[0])
			}
			act(p, words[1:])
		default:
			m := transcriptLine.FindStringSubmatch(line)
			if m == nil {
				p.fail("what is this: %q", line)
			}
			p.step(m[1], m[2], m[3], m[4])
		}
	}
	p.end()
}

// step plays a C or S line.
func (p *player) step(side, client, mark, text string) {
	tc := p.client(client, side == "C")
	if side == "C" {
		text = p.expand(text)
		if mark == "!" {
			raw, err := strconv.Unquote(text)
			if err != nil {
				p.fail("%v", err)
			}
			text = raw
		} else {
			text += "\r\n"
		}
		p.said = append(p.said, fmt.Sprintf("C%s: %q", client, text))
		tc.send(text)
		return
	}
	switch {
	case mark == "~":
		want := []string{text}
		for p.follows("S" + client + "~ ") {
			want = append(want, p.lines[p.at][len("S~ ")+len(client):])
		}
		p.unordered(client, tc, want)
	case text == "...":
		var not []string
		for p.follows("S" + client + "! ") {
			not = append(not, p.lines[p.at][len("S! ")+len(client):])
		}
		if !p.follows("S" + client + ": ") {
			p.fail("after ... comes what it leads to")
		}
		p.skip(client, tc, p.pattern(client, p.lines[p.at][len("S: ")+len(client):]), not)
	case text == "<silence>":
		tc.c.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
		if _, err := tc.r.Peek(1); err == nil {
			said, _ := tc.r.Peek(tc.r.Buffered())
			p.fail("not silent: %q", said)
		}
	case text == "<eof>":
		if got, err := tc.readLine(); err == nil {
			p.fail("the connection is still open and says %q", got)
		}
		delete(p.clients, client)
	default:
		want := p.pattern(client, text)
		if got := p.read(client, tc, want); !p.match(want, got) {
			p.fail("got  %q\n   want %q", got, want)
		}
	}
}

// follows goes to the next line if that begins with prefix.
func (p *player) follows(prefix string) bool {
	if p.at+1 < len(p.lines) && strings.HasPrefix(p.lines[p.at+1], prefix) {
		p.at++
		return true
	}
	return false
}

// pattern adds the S| lines that follow.
func (p *player) pattern(client, text string) string {
	for p.follows("S" + client + "|") {
		text += "\r\n" + strings.TrimPrefix(p.lines[p.at][len("S|")+len(client):], " ")
	}
	return text
}

func (p *player) read(client string, tc *testClient, want string) string {
	got, err := tc.readLine()
	if err != nil {
		p.fail("%v after %q, want %q", err, got, want)
	}
	p.said = append(p.said, fmt.Sprintf("S%s: %q", client, got))
	return got
}

func (p *player) unordered(client string, tc *testClient, want []string) {
	for len(want) > 0 {
		got := p.read(client, tc, want[0])
		i := slices.IndexFunc(want, func(w string) bool { return p.match(w, got) })
		if i < 0 {
			p.fail("got  %q\n   want one of %q", got, want)
		}
		want = slices.Delete(want, i, i+1)
	}
}

func (p *player) skip(client string, tc *testClient, want string, not []string) {
	for {
		got := p.read(client, tc, want)
		if i := slices.IndexFunc(not, func(w string) bool { return p.match(w, got) }); i >= 0 {
			p.fail("got %q, which must not be (%q)", got, not[i])
		}
		if p.match(want, got) {
			return
		}
	}
}

var (
	placeholder = regexp.MustCompile(`<(n|w|\*|date|\$\w+)>`)
	classes     = map[string]string{"n": `\d+`, "w": `[^ ()\r\n]+`, "*": `(?s:.*)`, "date": `"[ \d]\d-\w{3}-\d{4} \d\d:\d\d:\d\d [-+]\d{4}"`}
)

// match compares a response with a pattern; a new <$name> gets its value.
func (p *player) match(pattern, got string) bool {
	var re strings.Builder
	var names []string
	rest := pattern
	for {
		m := placeholder.FindStringSubmatchIndex(rest)
		if m == nil {
			break
		}
		re.WriteString(regexp.QuoteMeta(rest[:m[0]]))
		what := rest[m[2]:m[3]]
		rest = rest[m[1]:]
		if value, ok := p.vars[what]; ok {
			re.WriteString(regexp.QuoteMeta(value))
		} else if what[0] == '$' {
			names = append(names, what)
			re.WriteString(`([^ ()\[\]\r\n]+)`)
		} else {
			re.WriteString(classes[what])
		}
	}
	re.WriteString(regexp.QuoteMeta(rest))
	m := regexp.MustCompile(`^` + re.String() + `$`).FindStringSubmatch(got)
	for i, name := range names {
		if m != nil {
			p.vars[name] = m[i+1]
		}
	}
	return m != nil
}

// expand puts the values of <$name> into a C line.
func (p *player) expand(text string) string {
	for name, value := range p.vars {
		text = strings.ReplaceAll(text, "<"+name+">", value)
	}
	return text
}

func (p *player) server() *testServer {
	if p.srv == nil {
		p.srv = newTestServer(p.t, func(o *Options) {
			for _, change := range p.opts {
				change(o)
			}
		})
	}
	return p.srv
}

func (p *player) client(name string, greeted bool) *testClient {
	tc := p.clients[name]
	if tc == nil {
		tc = p.server().connect()
		p.clients[name] = tc
		if greeted {
			tc.line()
		}
	}
	return tc
}

// end logs all clients out and looks at what the transcript has left.
func (p *player) end() {
	for name, tc := range p.clients {
		tc.send("bye LOGOUT\r\n")
		for _, want := range []string{"* BYE <*>", "bye OK <*>"} {
			if got := p.read(name, tc, want); !p.match(want, got) {
				p.fail("left over for client %q: %q", name, got)
			}
		}
	}
	p.server().stop()
	with := p.server().contents("")
	if without := p.server().contents(p.t.TempDir()); with != without {
		p.fail("the mail says something else without the state directory:\n%s\nwith it:\n%s", without, with)
	}
}

// contents describes all mailboxes with a state directory, "" is the server's own.
func (ts *testServer) contents(state string) string {
	ts.t.Helper()
	if state == "" {
		state = ts.state
	}
	var b strings.Builder
	for _, user := range []string{"user", "other"} {
		s, err := maildir.OpenStore(ts.options(user, state))
		if err != nil {
			ts.t.Fatal(err)
		}
		list, err := s.List()
		if err != nil {
			ts.t.Fatal(err)
		}
		for _, info := range list {
			fmt.Fprintf(&b, "%s %s %v\n", user, info.Name, info.NoSelect)
			if !info.NoSelect {
				ts.describe(&b, s, info.Name)
			}
		}
		if err := s.Close(); err != nil {
			ts.t.Error(err)
		}
	}
	return b.String()
}

func (ts *testServer) describe(b *strings.Builder, s *maildir.Store, name string) {
	ts.t.Helper()
	m, err := s.Open(name)
	if err != nil {
		ts.t.Fatal(err)
	}
	defer m.Release()
	st := m.Status()
	fmt.Fprintf(b, "  validity %d next %d guid %s\n", st.UIDValidity, st.UIDNext, st.GUID)
	if values, err := s.Metadata(name); err != nil || len(values) > 0 {
		fmt.Fprintf(b, "  %q, %v\n", values, err)
	}
	names := m.KeywordNames()
	for _, rec := range m.Records(m.UIDs(), nil) {
		if err := m.Fill(&rec); err != nil {
			ts.t.Fatal(err)
		}
		fmt.Fprintf(b, "  %d %05b size %d %d time %d saved %d", rec.UID, rec.Flags, rec.Size, rec.Wire, rec.Time, m.SaveDate(&rec))
		for slot, name := range names {
			if name != "" && rec.Keywords.Has(slot) {
				fmt.Fprintf(b, " %s", name)
			}
		}
		b.WriteString("\n")
	}
}

// actions are the @ lines. Those that configure the server come before the first client.
var actions = map[string]func(p *player, args []string){
	// @tls: STARTTLS is offered.
	"tls": func(p *player, _ []string) {
		src, err := tlsconf.SelfSigned(p.t.TempDir(), "mail.example.org", slog.Default())
		if err != nil {
			p.t.Fatal(err)
		}
		p.tls = &tls.Config{InsecureSkipVerify: true}
		p.opts = append(p.opts, func(o *Options) { o.TLS = tlsconf.Config(src) })
	},
	// @plaintext never: no passwords without TLS.
	"plaintext": func(p *player, _ []string) {
		p.opts = append(p.opts, func(o *Options) {
			o.AllowPlaintext = func(netip.Addr) bool { return false }
			o.Auth = testAuth{tlsOnly: true}
		})
	},
	// @folder Sent \Sent subscribe: a configured folder; the last word is no, create or subscribe.
	"folder": func(p *player, args []string) {
		auto := map[string]Auto{"no": AutoNo, "create": AutoCreate, "subscribe": AutoSubscribe}[args[2]]
		p.opts = append(p.opts, func(o *Options) { o.Folders = append(o.Folders, Folder{args[0], args[1], auto}) })
	},
	// @admin URI: whom users may ask.
	"admin": func(p *player, args []string) {
		p.opts = append(p.opts, func(o *Options) { o.Admin = args[0] })
	},
	// @uidonly: UIDONLY is offered.
	"uidonly": func(p *player, _ []string) {
		p.opts = append(p.opts, func(o *Options) { o.UIDOnly = true })
	},
	// @disable NAME…: capabilities are turned off, for all.
	"disable": func(p *player, args []string) {
		p.opts = append(p.opts, func(o *Options) { o.Disable = append(o.Disable, args...) })
	},
	// @disable-for user NAME,NAME: likewise, for one user.
	"disable-for": func(p *player, args []string) {
		p.opts = append(p.opts, func(o *Options) {
			o.Auth = testAuth{extra: map[string]map[string]string{args[0]: {disableField: args[1]}}}
		})
	},
	// @submission user: that is the user of a submission server.
	"submission": func(p *player, args []string) {
		p.opts = append(p.opts, func(o *Options) {
			o.Auth = testAuth{extra: map[string]map[string]string{args[0]: {submissionField: "yes"}}}
		})
	},
	// @index: "user" has a full-text index of what was delivered, with a ranked one; said again, it learns what came meanwhile.
	"index": func(p *player, _ []string) {
		ts := p.server()
		if ts.fullText == nil {
			x, err := index.Open(p.t.TempDir(), index.Options{Languages: []string{"en", "de"}}, slog.New(slog.DiscardHandler))
			if err != nil {
				p.t.Fatal(err)
			}
			p.t.Cleanup(func() { x.Close() })
			ts.fullText = x
		}
		if err := ts.fullText.Update(p.t.Context(), index.Follower{Store: ts.store}); err != nil {
			p.t.Fatal(err)
		}
	},
	// @limit append 100: a limit other than the default.
	"limit": func(p *player, args []string) {
		n, err := strconv.Atoi(args[1])
		if err != nil {
			p.fail("%v", err)
		}
		p.opts = append(p.opts, func(o *Options) {
			switch args[0] {
			case "append":
				o.Limits.Append = int64(n)
			case "literal":
				o.Limits.Literal = n
			case "line":
				o.Limits.Line = n
			case "metadata":
				o.Limits.Metadata = n
			case "messages":
				o.Limits.Messages = n
			case "saved":
				o.Limits.Saved = n
			case "peruser":
				o.Limits.PerUser = n
			}
		})
	},
	// @quota storage=N messages=N mailboxes=N own: limits of the user; own: which SETQUOTA may change.
	"quota": func(p *player, args []string) {
		var q maildir.Quota
		own := false
		for _, arg := range args {
			word, value, _ := strings.Cut(arg, "=")
			n, _ := strconv.ParseInt(value, 10, 64)
			switch word {
			case "storage":
				q.Storage = n
			case "messages":
				q.Messages = n
			case "mailboxes":
				q.Mailboxes = n
			case "own":
				own = true
			}
		}
		p.server().store.LimitQuota(q, own)
	},
	// @login [client…]: these log in.
	"login": func(p *player, args []string) {
		if len(args) == 0 {
			args = []string{""}
		}
		for _, name := range args {
			p.client(name, true).ok("LOGIN user secret")
		}
	},
	// @select mailbox [client…]: these select it.
	"select": func(p *player, args []string) {
		if len(args) == 1 {
			args = append(args, "")
		}
		for _, name := range args[1:] {
			p.client(name, true).ok("SELECT %s", args[0])
		}
	},
	// @handshake [client]: the client begins TLS.
	"handshake": func(p *player, args []string) {
		tc := p.client(strings.Join(args, ""), true)
		conn := tls.Client(tc.c, p.tls)
		if err := conn.Handshake(); err != nil {
			p.fail("%v", err)
		}
		tc.upgrade(conn)
	},
	// @deflate [client]: the client compresses from here on.
	"deflate": func(p *player, args []string) {
		tc := p.client(strings.Join(args, ""), true)
		tc.upgrade(newDeflateConn(tc.c))
	},
	// @plain [client]: the client compresses no more.
	"plain": func(p *player, args []string) {
		tc := p.client(strings.Join(args, ""), true)
		tc.upgrade(tc.c.(*deflateConn).Conn)
	},
	// @mailbox name: a mailbox is made.
	"mailbox": func(p *player, args []string) {
		if err := p.server().store.Create(args[0]); err != nil {
			p.fail("%v", err)
		}
	},
	// @deliver mailbox new|cur [:2,flags]: a message comes in; its text is in the | lines below. Messages are numbered from 1.
	"deliver": func(p *player, args []string) {
		var text strings.Builder
		for p.follows("|") {
			text.WriteString(strings.TrimPrefix(p.lines[p.at][1:], " ") + "\n")
		}
		if text.Len() == 0 {
			fmt.Fprintf(&text, "From: someone@example.org\nSubject: message %d\n\nbody\n", len(p.mail)+1)
		}
		info := ""
		if len(args) > 2 {
			info = args[2]
		}
		p.mail = append(p.mail, p.server().deliver(strings.TrimPrefix(args[0], inbox), args[1], info, text.String()))
	},
	// @flags 2 :2,S: another program renames the second message, into cur/.
	"flags": func(p *player, args []string) {
		file := p.message(args[0])
		base, _, _ := strings.Cut(filepath.Base(*file), ":")
		to := filepath.Join(filepath.Dir(filepath.Dir(*file)), "cur", base+args[1])
		if err := os.Rename(*file, to); err != nil {
			p.fail("%v", err)
		}
		*file = to
	},
	// @unlink 2: another program removes the second message.
	"unlink": func(p *player, args []string) {
		if err := os.Remove(*p.message(args[0])); err != nil {
			p.fail("%v", err)
		}
	},
	// @restore save; later @restore: dovecot-uidlist of INBOX is kept; the kept one is put back, as from a backup.
	"restore": func(p *player, args []string) {
		list := filepath.Join(p.server().root, "dovecot-uidlist")
		from, to := list+".kept", list
		if len(args) > 0 {
			from, to = to, from
		}
		text, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(to+".new", text, 0o600)
		}
		if err == nil {
			err = os.Rename(to+".new", to)
		}
		if err != nil {
			p.fail("%v", err)
		}
	},
	// @copydir from to: another program copies a mailbox.
	"copydir": func(p *player, args []string) {
		root := p.server().root
		if err := os.CopyFS(filepath.Join(root, "."+args[1]), os.DirFS(filepath.Join(root, "."+args[0]))); err != nil {
			p.fail("%v", err)
		}
	},
	// @rmdir name: another program removes a mailbox.
	"rmdir": func(p *player, args []string) {
		if err := os.RemoveAll(filepath.Join(p.server().root, "."+args[0])); err != nil {
			p.fail("%v", err)
		}
	},
}

// message finds the file of a delivered message, wherever it has been renamed to.
func (p *player) message(number string) *string {
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > len(p.mail) {
		p.fail("no message %s", number)
	}
	file := &p.mail[n-1]
	base, _, _ := strings.Cut(filepath.Base(*file), ":")
	found, err := filepath.Glob(filepath.Join(filepath.Dir(filepath.Dir(*file)), "*", base+"*"))
	if err != nil || len(found) != 1 {
		p.fail("message %s is %q, %v", number, found, err)
	}
	*file = found[0]
	return file
}
