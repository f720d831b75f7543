package peertest

import (
	"bufio"
	"bytes"
	"io"
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
)

const (
	login    = "peer"
	password = "s3cr3t pass"
)

// roost is a running server. Its Maildir and state directory outlive it, so that it can be started again.
type roost struct {
	t          *testing.T
	maildir    string
	state      string
	user       int // of the process, when the test runs as root; 0 is root
	addr, tls  string
	host       string
	port       string // of addr
	tlsPort    string
	cmd        *exec.Cmd
	log        syncBuffer
	introduced string // what was printed before
}

// startRoost serves a Maildir until the test ends.
func startRoost(t *testing.T, maildir string) *roost {
	t.Helper()
	r := &roost{t: t, maildir: maildir, state: filepath.Join(t.TempDir(), "state")}
	t.Cleanup(r.stop)
	r.start()
	return r
}

var servingLine = regexp.MustCompile(`^roost: serving (.+) on (\S+), (\S+)$`)

// start starts the server and waits until it says that it serves. The first time ports are free ones, later the same again, as a mail
// program that comes back expects.
func (r *roost) start() {
	t := r.t
	t.Helper()
	bin, err := roostBinary()
	must(t, err)
	if r.addr == "" {
		r.addr, r.tls = "127.0.0.1:0", "127.0.0.1:0"
	}
	r.cmd = exec.Command(bin, "serve", r.maildir, "--listen", r.addr, "--listen-tls", r.tls, "--user", login, "--state", r.state)
	r.cmd.Env = append(os.Environ(), "ROOST_PASSWORD="+password, "TZ=UTC")
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if r.user != 0 {
		r.cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(r.user), Gid: uint32(r.user)}
	}
	r.cmd.Stderr = &r.log
	out, err := r.cmd.StdoutPipe()
	must(t, err)
	must(t, r.cmd.Start())
	late := time.AfterFunc(20*time.Second, func() { r.cmd.Process.Kill() })
	defer late.Stop()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		m := servingLine.FindStringSubmatch(lines.Text())
		if m == nil {
			r.introduced += lines.Text() + "\n"
			continue
		}
		if m[1] != r.maildir {
			t.Errorf("serving %s, want %s", m[1], r.maildir)
		}
		r.addr, r.tls = m[2], m[3]
		r.host, r.port, err = net.SplitHostPort(r.addr)
		must(t, err)
		_, r.tlsPort, err = net.SplitHostPort(r.tls)
		must(t, err)
		go io.Copy(io.Discard, out)
		return
	}
	t.Fatalf("roost never served\n%s%s", r.introduced, r.log.String())
}

// stop ends the server as an operating system does, and looks at how it went.
func (r *roost) stop() {
	t := r.t
	t.Helper()
	if r.cmd == nil {
		return
	}
	must(t, r.cmd.Process.Signal(syscall.SIGTERM))
	begin := time.Now()
	late := time.AfterFunc(15*time.Second, func() { r.cmd.Process.Kill() })
	err := r.cmd.Wait()
	late.Stop()
	if took := time.Since(begin); err != nil || took > 10*time.Second {
		t.Errorf("roost after SIGTERM: %v after %v", err, took)
	}
	r.cmd = nil
	log := r.log.String()
	for _, bad := range []string{"level=ERROR", "panic", "DATA RACE"} {
		if strings.Contains(log, bad) {
			t.Errorf("%s in roost's log:\n%s", bad, log)
			return
		}
	}
	if t.Failed() && log != "" {
		t.Logf("roost's log:\n%s", log)
	}
}

// certificate is the file of the self-made certificate.
func (r *roost) certificate() string { return filepath.Join(r.state, "roost-cert.pem") }

// syncBuffer is a buffer for a process to write and a test to read.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
