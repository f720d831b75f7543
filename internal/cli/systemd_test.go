package cli

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// manager is the end of sd_notify(3) where systemd is.
type manager struct {
	t    *testing.T
	conn *net.UnixConn
	path string
	seen string
}

func newManager(t *testing.T) *manager {
	t.Helper()
	// Not in t.TempDir: the path of a socket is short.
	dir, err := os.MkdirTemp("", "roost")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	m := &manager{t: t, path: filepath.Join(dir, "notify")}
	if m.conn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path, Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.conn.Close() })
	return m
}

// expect reads messages until one has this line, and returns that one.
func (m *manager) expect(line string) string {
	m.t.Helper()
	m.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	b := make([]byte, 4096)
	for {
		n, err := m.conn.Read(b)
		if err != nil {
			m.t.Fatalf("no %s: %v; there were\n%s", line, err, m.seen)
		}
		text := string(b[:n])
		m.seen += text + "\n"
		if strings.Contains("\n"+text+"\n", "\n"+line+"\n") {
			return text
		}
	}
}

// systemd is told of every step of the server's life, and that it is alive.
func TestNotify(t *testing.T) {
	t.Parallel()
	h := newHouse(t, sandboxConf)
	m := newManager(t)
	p := start(t, []string{"NOTIFY_SOCKET=" + m.path, "WATCHDOG_USEC=100000"}, "serve", "--config", h.path("roost.conf"))
	if got := m.expect("READY=1"); !strings.Contains(got, "STATUS=Serving the users of ") {
		t.Errorf("READY with %q", got)
	}
	m.expect("WATCHDOG=1")
	i := dial(t, p.plain, false)
	for until := time.Now().Add(10 * time.Second); !strings.Contains(m.expect("WATCHDOG=1"), ", 1 connections"); {
		if time.Now().After(until) {
			t.Fatalf("the status does not count connections:\n%s", m.seen)
		}
	}
	i.ok("LOGIN alice a")
	p.cmd.Process.Signal(syscall.SIGHUP)
	if got := m.expect("RELOADING=1"); !regexp.MustCompile(`MONOTONIC_USEC=\d+\n`).MatchString(got) {
		t.Errorf("RELOADING with %q", got)
	}
	m.expect("READY=1")
	p.stop()
	m.expect("STOPPING=1")
}

// passed starts the server with listening sockets, as systemd passes them: from descriptor 3 on, with names. Addresses of the
// configuration are not listened on.
func passed(t *testing.T, h house, names ...string) *process {
	t.Helper()
	roost, err := exec.LookPath("roost")
	if err != nil {
		t.Fatal(err)
	}
	p := newProcess(t, exec.Command("sh", "-c", `export LISTEN_PID=$$; exec "$0" serve --config "$1"`, roost, h.path("roost.conf")))
	p.cmd.Env = append(os.Environ(), "LISTEN_FDS="+strconv.Itoa(len(names)), "LISTEN_FDNAMES="+strings.Join(names, ":"))
	for range names {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		f, err := l.(*net.TCPListener).File()
		l.Close()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		p.cmd.ExtraFiles = append(p.cmd.ExtraFiles, f)
	}
	return p
}

func TestSocketActivation(t *testing.T) {
	t.Parallel()
	h := newHouse(t, strings.NewReplacer(`imap = "127.0.0.1:0"`, `imap = "192.0.2.1:1"`, `imaps = "127.0.0.1:0"`, `imaps = "192.0.2.1:2"`).Replace(sandboxConf))
	p := passed(t, h, "imaps", "imap")
	p.serve()
	for addr, secure := range map[string]bool{p.plain: false, p.tls: true} {
		i := dial(t, addr, secure)
		i.ok("LOGIN alice a")
		i.ok("SELECT INBOX")
	}
	p.stop()

	p = passed(t, h, "imaps", "pop3")
	out, err := p.cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), `a socket named "pop3"; name it imap or imaps with FileDescriptorName=`) {
		t.Errorf("a socket of another name: %v\n%s", err, out)
	}
}

// The unit files are what systemd takes them for.
func TestUnits(t *testing.T) {
	t.Parallel()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not here")
	}
	dir := t.TempDir()
	units, err := filepath.Glob("../../packaging/*.s*")
	if err != nil || len(units) < 3 {
		t.Fatalf("units %v, %v", units, err)
	}
	args := []string{"verify", "--man=no"}
	for _, unit := range units {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, filepath.Base(unit))
		// The program has to exist.
		if err := os.WriteFile(name, []byte(strings.ReplaceAll(string(text), "/usr/local/bin/roost", "/bin/true")), 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, name)
	}
	if out, err := exec.Command(analyze, args...).CombinedOutput(); err != nil || strings.Contains(string(out), dir) {
		t.Errorf("%v\n%s", err, out)
	}
}
