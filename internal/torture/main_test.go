// Package torture treats the real roost binary badly: it is killed in the middle of its work again and again, and it is loaded for a long time.
// Clients work over sockets, each on messages of its own, so that it is known for every message what has to be there (client_test.go, worker_test.go).
//
// The short forms run with all the tests. "make torture" runs the long ones: these, and those of what can only be done from inside, in maildir (faults,
// loss of power, kills in the middle of a change) and imap (damaged state, the model, noise).
package torture

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
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

var (
	long   = flag.Bool("long", false, "run the long form of the tests")
	rounds = flag.Int("rounds", 500, "how often the long form kills the server")
	soak   = flag.Duration("soak", 30*time.Minute, "how long the long form loads the server")
)

const (
	user     = "torture"
	password = "s3cret"
)

var built string // where the binaries are

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(func() int {
		var err error
		if built, err = os.MkdirTemp("", "roost-torture-"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(built)
		return m.Run()
	}())
}

// build makes the binary.
func build(t *testing.T, args ...string) string {
	t.Helper()
	bin := filepath.Join(built, "roost"+strings.Join(args, ""))
	cmd := exec.Command("go", append(append([]string{"build", "-o", bin}, args...), ".")...)
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}

// server is the binary at work on a Maildir.
type server struct {
	t    *testing.T
	dir  string
	addr string
	cmd  *exec.Cmd
	log  syncBuffer
}

var servingLine = regexp.MustCompile(`^roost: serving .+ on (127\.0\.0\.1:\d+)`)

// serve starts it and waits until it listens. It is killed at the end of the test at the latest.
func serve(t *testing.T, bin, dir string) *server {
	t.Helper()
	s := &server{t: t, dir: dir}
	s.cmd = exec.Command(bin, "serve", filepath.Join(dir, "Maildir"), "--listen", "127.0.0.1:0", "--listen-tls", "", "--user", user,
		"--state", filepath.Join(dir, "state"))
	s.cmd.Env = append(os.Environ(), "ROOST_PASSWORD="+password)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	s.cmd.Stderr = &s.log
	out, err := s.cmd.StdoutPipe()
	check(t, err)
	check(t, s.cmd.Start())
	t.Cleanup(s.kill)
	late := time.AfterFunc(60*time.Second, func() { s.cmd.Process.Kill() })
	defer late.Stop()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if m := servingLine.FindStringSubmatch(lines.Text()); m != nil {
			s.addr = m[1]
			go io.Copy(io.Discard, out)
			return s
		}
	}
	t.Fatalf("roost never served\n%s", s.log.String())
	return nil
}

// kill ends it as the worst moment does.
func (s *server) kill() {
	if s.cmd != nil {
		s.cmd.Process.Kill()
		s.cmd.Wait()
		s.cmd = nil
	}
}

// stop ends it in good order.
func (s *server) stop() {
	s.t.Helper()
	check(s.t, s.cmd.Process.Signal(syscall.SIGTERM))
	late := time.AfterFunc(60*time.Second, func() { s.cmd.Process.Kill() })
	defer late.Stop()
	if err := s.cmd.Wait(); err != nil {
		s.t.Errorf("roost after SIGTERM: %v", err)
	}
	s.cmd = nil
}

// blame looks for what must not be in the log.
func (s *server) blame() {
	s.t.Helper()
	log := s.log.String()
	for _, bad := range []string{"level=ERROR", "panic", "DATA RACE"} {
		if at := strings.Index(log, bad); at >= 0 {
			s.t.Errorf("roost's log: %.2000s", log[max(0, at-200):])
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// workDir is a directory for a Maildir: in memory where that is possible, because fsync costs nothing there and more happens between two kills.
func workDir(t *testing.T) string {
	t.Helper()
	if dir, err := os.MkdirTemp("/dev/shm", "roost-torture"); err == nil {
		t.Cleanup(func() { os.RemoveAll(dir) })
		return dir
	}
	return t.TempDir()
}

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
