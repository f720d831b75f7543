package cli

import (
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	right "github.com/landlock-lsm/go-landlock/landlock/syscall"

	"roost/internal/tlsconf"
)

// house is a directory with a configuration, users and a certificate.
type house struct {
	t   *testing.T
	dir string
}

func (h house) path(elem ...string) string {
	return filepath.Join(append([]string{h.dir}, elem...)...)
}

// write makes a file; DIR in its text is the directory.
func (h house) write(name, text string) string {
	h.t.Helper()
	return h.put(name, strings.ReplaceAll(text, "DIR", h.dir))
}

// put makes a file with this text, which may be a key in whose base64 anything may happen to stand.
func (h house) put(name, text string) string {
	h.t.Helper()
	path := h.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return path
}

// link makes a symbolic link, or replaces it at once as ACME clients do.
func (h house) link(to, name string) {
	h.t.Helper()
	if err := os.MkdirAll(filepath.Dir(h.path(name)), 0o700); err != nil {
		h.t.Fatal(err)
	}
	if err := os.Symlink(to, h.path(name)+".new"); err != nil {
		h.t.Fatal(err)
	}
	if err := os.Rename(h.path(name)+".new", h.path(name)); err != nil {
		h.t.Fatal(err)
	}
}

// certificate makes the n-th certificate, as certbot keeps it, and the links to it.
func (h house) certificate(n int) {
	h.t.Helper()
	made := h.t.TempDir()
	if _, err := tlsconf.SelfSigned(made, fmt.Sprintf("number%d.example.org", n), slog.New(slog.NewTextHandler(io.Discard, nil))); err != nil {
		h.t.Fatal(err)
	}
	for from, name := range map[string]string{"roost-cert.pem": "fullchain", "roost-key.pem": "privkey"} {
		text, err := os.ReadFile(filepath.Join(made, from))
		if err != nil {
			h.t.Fatal(err)
		}
		h.put(fmt.Sprintf("acme/archive/%s%d.pem", name, n), string(text))
		h.link(fmt.Sprintf("../archive/%s%d.pem", name, n), "acme/live/"+name+".pem")
	}
}

// shownCertificate is the name in the certificate that a server shows.
func shownCertificate(t *testing.T, addr string) string {
	t.Helper()
	c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].Subject.CommonName
}

const sandboxConf = `
auth.passwd_file = "DIR/etc/users"
auth.failure_delay = "0s"
mail.home = "DIR/mail/{user}"
mail.state = "DIR/state"
mail.folder = [{ name = "Sent", special_use = "\\Sent", auto = "create" }]
listen.imap = "127.0.0.1:0"
listen.imaps = "127.0.0.1:0"
tls.cert = "DIR/acme/live/fullchain.pem"
tls.key = "DIR/acme/live/privkey.pem"
`

func newHouse(t *testing.T, conf string) house {
	h := house{t, t.TempDir()}
	h.certificate(1)
	h.write("etc/users", "alice:{PLAIN}a\nbob:{PLAIN}b::::DIR/homes/bob::\nmallory:{PLAIN}m\n")
	h.write("roost.conf", conf)
	// What mallory's Maildir is a link to, where the rights of the file system would not keep the server out.
	for _, sub := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(h.path("elsewhere", sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	h.write("elsewhere/new/1.secret", "Subject: secret\n\n")
	h.link("../../elsewhere", "mail/mallory/Maildir")
	return h
}

// landlocked tells whether this kernel can confine anybody.
func landlocked() bool {
	version, err := right.LandlockGetABIVersion()
	return err == nil && version >= 2
}

// privileges is "1" when a process has given up ever getting more, which Landlock asks for first.
func privileges(t *testing.T, pid int) string {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "NoNewPrivs:")
	return strings.Fields(rest)[0]
}

// Everything works with all of the file system gone that is not needed, and what is not needed cannot be reached.
func TestSandbox(t *testing.T) {
	t.Parallel()
	if !landlocked() {
		t.Skip("this kernel has no Landlock, or version 1")
	}
	h := newHouse(t, sandboxConf)
	p := start(t, nil, "serve", "--config", h.path("roost.conf"))
	const message = "Subject: one\r\n\r\nbody\r\n"
	for _, user := range []string{"alice", "bob"} {
		i := dial(t, p.plain, false)
		i.ok(fmt.Sprintf("LOGIN %s %c", user, user[0]))
		i.ok(fmt.Sprintf("APPEND INBOX (\\Seen) {%d+}\r\n%s", len(message), message))
		i.ok(fmt.Sprintf("APPEND INBOX {%d+}\r\n%s {%d+}\r\n%s", len(message), message, len(message), message))
		i.ok("CREATE Work.Deep")
		i.ok("SUBSCRIBE Work.Deep")
		i.ok("SELECT INBOX")
		i.ok("STORE 1:* +FLAGS (\\Flagged mine)")
		i.ok("COPY 1:3 Work.Deep")
		i.ok("MOVE 1 Work.Deep")
		i.ok("STORE 1 +FLAGS (\\Deleted)")
		i.ok("EXPUNGE")
		i.ok("RENAME Work Play")
		i.ok("SELECT Play.Deep")
		if got := i.do("SEARCH TEXT body"); !strings.HasPrefix(got, "* SEARCH 1 2 3 4") {
			t.Errorf("SEARCH: %s", got)
		}
		if got := i.do("FETCH 1:* (UID FLAGS ENVELOPE BODY.PEEK[])"); strings.Count(got, "\r\nbody\r\n") != 4 {
			t.Errorf("FETCH: %s", got)
		}
		i.ok("DELETE Play.Deep")
		i.ok("LOGOUT")
	}

	// Where the link leads the server does not go, although it is root's and has all rights of the file system.
	if got := dial(t, p.plain, false).do("LOGIN mallory m"); !strings.HasPrefix(got, "NO [UNAVAILABLE]") {
		t.Errorf("a Maildir that is a link out of the sandbox: %s", got)
	}

	// A new certificate, by links to other files, and a new user, by a file that replaces the old one.
	if got := shownCertificate(t, p.tls); got != "number1.example.org" {
		t.Errorf("certificate %s", got)
	}
	h.certificate(2)
	h.write("etc/users.new", "alice:{PLAIN}a\ncarol:{PLAIN}c\ndave:{PLAIN}d::::DIR/far/away::\n")
	if err := os.Rename(h.path("etc/users.new"), h.path("etc/users")); err != nil {
		t.Fatal(err)
	}
	p.cmd.Process.Signal(syscall.SIGHUP)
	for until := time.Now().Add(10 * time.Second); shownCertificate(t, p.tls) != "number2.example.org"; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("the certificate is not read again:\n%s", p.errs.String())
		}
	}
	i := dial(t, p.plain, false)
	i.ok("LOGIN carol c")
	i.ok("SELECT INBOX")
	if got := dial(t, p.plain, false).do("LOGIN dave d"); !strings.HasPrefix(got, "NO [UNAVAILABLE]") {
		t.Errorf("a user whose mail is elsewhere: %s", got)
	}
	p.stop() // now the log is complete
	log := p.errs.String()
	if strings.Count(log, "sandbox in force") != 1 || !strings.Contains(log, h.path("mail")) {
		t.Errorf("the log does not say what is in force:\n%s", log)
	}
	if strings.Count(log, "level=ERROR") != 2 || !strings.Contains(log, "list the directory in sandbox.paths") { // mallory, dave
		t.Errorf("the log does not say what could not be reached:\n%s", log)
	}
}

// Without the sandbox, or with the directory listed, the link is followed.
func TestSandboxOpened(t *testing.T) {
	t.Parallel()
	for name, conf := range map[string]string{
		"off":   "[sandbox]\nlandlock = false\n",
		"paths": "[sandbox]\npaths = \"DIR/elsewhere\"\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, sandboxConf+conf)
			p := start(t, nil, "serve", "--config", h.path("roost.conf"))
			i := dial(t, p.plain, false)
			i.ok("LOGIN mallory m")
			if got := i.do("STATUS INBOX (MESSAGES)"); !strings.Contains(got, "(MESSAGES 1)") {
				t.Errorf("STATUS: %s", got)
			}
			p.stop()
		})
	}
}
