package cli

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"roost": func() { os.Exit(Main()) }})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata"})
}

// process is a running roost.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	out    string // standard output until it served
	errs   output
	plain  string // addresses
	tls    string
	exited chan error
}

// output is written by one goroutine and read by another.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}
func (o *output) String() string { o.mu.Lock(); defer o.mu.Unlock(); return o.buf.String() }

// start runs the real binary until it says that it serves.
func start(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	roost, err := exec.LookPath("roost") // testscript.Main put it there
	if err != nil {
		t.Fatal(err)
	}
	p := newProcess(t, exec.Command(roost, args...))
	p.cmd.Env = append(os.Environ(), env...)
	p.serve()
	return p
}

func newProcess(t *testing.T, cmd *exec.Cmd) *process {
	return &process{t: t, cmd: cmd, exited: make(chan error, 1)}
}

// serve runs the command until it says that it serves.
func (p *process) serve() {
	t := p.t
	t.Helper()
	p.cmd.Stderr = &p.errs
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.cmd.Process.Kill() })
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		p.out += lines.Text() + "\n"
		if m := regexp.MustCompile(`^roost: serving .* on (\S+?)(?:, (\S+))?$`).FindStringSubmatch(lines.Text()); m != nil {
			p.plain, p.tls = m[1], m[2]
			go func() { p.exited <- p.cmd.Wait() }()
			return
		}
	}
	p.cmd.Wait()
	t.Fatalf("%v did not serve:\n%s%s", p.cmd.Args, p.out, p.errs.String())
}

// stop asks the server to end and tells how long it took.
func (p *process) stop() time.Duration {
	p.t.Helper()
	began := time.Now()
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-p.exited:
		if err != nil {
			p.t.Errorf("exit status: %v\n%s", err, p.errs.String())
		}
	case <-time.After(10 * time.Second):
		p.t.Errorf("still running 10 s after SIGTERM")
	}
	return time.Since(began)
}

// imapConn is a client that speaks in lines.
type imapConn struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
	n int
}

func dial(t *testing.T, addr string, secure bool) *imapConn {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if secure {
		c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	}
	c.SetDeadline(time.Now().Add(20 * time.Second))
	i := &imapConn{t: t, Conn: c, r: bufio.NewReader(c)}
	if g, err := i.r.ReadString('\n'); err != nil || !strings.HasPrefix(g, "* OK ") {
		t.Fatalf("greeting %q, %v", g, err)
	}
	return i
}

// do sends a command and returns everything up to the tagged response.
func (i *imapConn) do(command string) string {
	i.t.Helper()
	i.n++
	tag := fmt.Sprintf("a%d", i.n)
	fmt.Fprintf(i, "%s %s\r\n", tag, command)
	var all strings.Builder
	for {
		line, err := i.r.ReadString('\n')
		all.WriteString(line)
		if err != nil || strings.HasPrefix(line, tag+" ") {
			return strings.TrimSpace(strings.ReplaceAll(all.String(), tag+" ", ""))
		}
	}
}

func (i *imapConn) ok(command string) {
	i.t.Helper()
	if got := i.do(command); !strings.HasPrefix(got[strings.LastIndexByte(got, '\n')+1:], "OK") {
		i.t.Errorf("%s: %s", command, got)
	}
}

func TestServeMaildir(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	args := []string{"serve", filepath.Join(dir, "Maildir"), "--listen", "127.0.0.1:0", "--listen-tls", "127.0.0.1:0", "--user", "me", "--state", filepath.Join(dir, "state")}
	p := start(t, []string{"ROOST_PASSWORD="}, args...)
	for _, want := range []string{"IMAP server: 127.0.0.1", "Security:    SSL/TLS", "User name:   me", "is new and empty"} {
		if !strings.Contains(p.out, want) {
			t.Errorf("%q is not in\n%s", want, p.out)
		}
	}
	password := regexp.MustCompile(`Password: +(\S+)`).FindStringSubmatch(p.out)
	if password == nil || !regexp.MustCompile(`^([0-9a-hjkmnp-tv-z]{4}-){4}[0-9a-hjkmnp-tv-z]{4}$`).MatchString(password[1]) {
		t.Fatalf("password in\n%s", p.out)
	}
	for addr, secure := range map[string]bool{p.plain: false, p.tls: true} {
		i := dial(t, addr, secure)
		if got := i.do("LOGIN me wrong"); !strings.HasPrefix(got, "NO [AUTHENTICATIONFAILED]") {
			t.Error(got)
		}
		i.ok("LOGIN me " + password[1])
		i.ok("SELECT INBOX")
	}
	if fi, err := os.Stat(filepath.Join(dir, "state")); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("the state directory is not private: %v", err)
	}
	for _, sub := range []string{"cur", "new", "tmp", ".Sent"} {
		if _, err := os.Stat(filepath.Join(dir, "Maildir", sub)); err != nil {
			t.Error(err)
		}
	}

	if got := privileges(t, p.cmd.Process.Pid); landlocked() && got != "1" {
		t.Errorf("not in a sandbox: NoNewPrivs %s", got)
	}

	// Nobody else takes the same state.
	second := exec.Command(p.cmd.Path, args...)
	out, err := second.CombinedOutput()
	if err == nil || !strings.Contains(string(out), fmt.Sprintf("roost: another roost (pid %d) is already serving with the state directory", p.cmd.Process.Pid)) {
		t.Errorf("a second server: %v\n%s", err, out)
	}

	// An idle session hears BYE, and the server ends in time.
	i := dial(t, p.plain, false)
	i.ok("LOGIN me " + password[1])
	if took := p.stop(); took > 5*time.Second {
		t.Errorf("stopping took %v", took)
	}
	if line, _ := i.r.ReadString('\n'); !strings.HasPrefix(line, "* BYE") {
		t.Errorf("at the end: %q", line)
	}

	// The same password and certificate after a restart; ROOST_PASSWORD wins, and is not printed.
	again := start(t, nil, args...)
	if !strings.Contains(again.out, password[1]) || fingerprint(p.out) == "" || fingerprint(p.out) != fingerprint(again.out) {
		t.Errorf("password or certificate changed:\n%s", again.out)
	}
	again.stop()
	given := start(t, []string{"ROOST_PASSWORD=from the environment"}, append(args, "--no-sandbox")...)
	if got, ours := privileges(t, given.cmd.Process.Pid), privileges(t, os.Getpid()); got != ours {
		t.Errorf("in a sandbox with --no-sandbox: NoNewPrivs %s, ours %s", got, ours)
	}
	if strings.Contains(given.out, "from the environment") || strings.Contains(given.out, "new and empty") {
		t.Errorf("%s", given.out)
	}
	dial(t, given.plain, false).ok(`LOGIN me "from the environment"`)
	given.stop()
}

func fingerprint(out string) string {
	return regexp.MustCompile(`(?:[0-9A-F]{2}:){31}[0-9A-F]{2}`).FindString(out)
}

func TestServeConfiguration(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "DIR", dir)), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	users := file("users", `alice@example.org:{PLAIN}one
bob:{PLAIN}two:::::: userdb_mail=maildir:DIR/elsewhere/%n:LAYOUT=fs
carol:{PLAIN}three::::DIR/carols home::
eve:{PLAIN}four::::::userdb_mail=mbox:~/mail
`)
	conf := file("roost.conf", `
auth.passwd_file = "DIR/users"
auth.failure_delay = "0s"
mail.home = "DIR/mail/{domain}/{name}"
mail.state = "DIR/state"
listen.imap = "127.0.0.1:0"
listen.imaps = "127.0.0.1:0"
`)
	p := start(t, nil, "serve", "--config", conf)
	if p.out != fmt.Sprintf("roost: serving the users of %s on %s, %s\n", users, p.plain, p.tls) {
		t.Errorf("standard output:\n%s", p.out)
	}
	for user, c := range map[string]struct{ password, where string }{
		"alice@example.org": {"one", "mail/example.org/alice/Maildir/cur"},
		"bob":               {"two", "elsewhere/bob/cur"},
		"carol":             {"three", "carols home/Maildir/cur"},
	} {
		i := dial(t, p.plain, false)
		i.ok(fmt.Sprintf("LOGIN %s %s", user, c.password))
		i.ok("SELECT INBOX")
		if _, err := os.Stat(filepath.Join(dir, c.where)); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(dir, "state", "users", user)); err != nil {
			t.Error(err)
		}
	}
	if t.Failed() {
		t.Log(p.errs.String())
	}
	if got := dial(t, p.plain, false).do("LOGIN eve four"); !strings.HasPrefix(got, "NO [UNAVAILABLE]") {
		t.Errorf("an unsupported mail location: %s", got)
	}

	early := dial(t, p.plain, false)
	early.ok("LOGIN alice@example.org one")

	// A changed password counts after SIGHUP at the latest; the old one no more.
	set := exec.Command(p.cmd.Path, "user", "passwd", "alice@example.org", "--config", conf)
	set.Stdin = strings.NewReader("new one\n")
	if out, err := set.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	p.cmd.Process.Signal(syscall.SIGHUP)
	deadline := time.Now().Add(5 * time.Second)
	for got := ""; !strings.HasPrefix(got, "OK"); {
		if got = dial(t, p.tls, true).do(`LOGIN alice@example.org "new one"`); time.Now().After(deadline) {
			t.Fatalf("the new password: %s", got)
		}
	}
	if got := dial(t, p.tls, true).do("LOGIN alice@example.org one"); !strings.HasPrefix(got, "NO [AUTHENTICATIONFAILED]") {
		t.Errorf("the old password: %s", got)
	}

	// Who is removed cannot log in any more; who is logged in stays, also with a password that was changed since.
	if out, err := exec.Command(p.cmd.Path, "user", "remove", "alice@example.org", "--config", conf).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	p.cmd.Process.Signal(syscall.SIGHUP)
	for got := ""; !strings.HasPrefix(got, "NO [AUTHENTICATIONFAILED]"); {
		if got = dial(t, p.tls, true).do(`LOGIN alice@example.org "new one"`); time.Now().After(deadline.Add(5 * time.Second)) {
			t.Fatalf("a user who was removed: %s", got)
		}
	}
	early.ok("SELECT INBOX")
	p.stop()
}
