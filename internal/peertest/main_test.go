// Package peertest runs other people's mail programs against the real roost binary: curl, mbsync, neomutt, offlineimap, InterIMAP,
// Python's imaplib, Perl's Mail::IMAPClient, ImapFlow, fetchmail, and Dovecot on the same Maildir at the same time.
//
// A program that is not installed skips its test; with ROOST_REQUIRE_PEERS=1 in the environment it fails instead, so that CI cannot pass by
// testing nothing. Every server is started as a person would start it, and has to end by SIGTERM with exit status 0 and a log without errors.
//
// Files: main_test.go building the binary, finding and running programs; server_test.go roost as a process; client_test.go a small IMAP client;
// mail_test.go messages and Maildirs; sync_test.go changes for programs that keep copies, and comparing these; pty_test.go terminals for
// programs that insist on one; dovecot_test.go Dovecot as a process; beside_test.go and takeover_test.go Dovecot and Roost on one Maildir; the
// others one program each, with their scripts in testdata.
package peertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// buildDir is where the binary goes; anybody may look into it, because roost also runs as an unprivileged user here.
var buildDir string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		defer func() { os.RemoveAll(buildDir) }()
		return m.Run()
	}())
}

// roostBinary builds the project's binary once, with the race detector when the tests have it.
var roostBinary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "roost-peertest-")
	if err != nil {
		return "", err
	}
	buildDir = dir
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "roost")
	args := []string{"build", "-o", bin}
	if raceDetector {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, ".")...)
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %v\n%s", err, out)
	}
	return bin, nil
})

// absent skips the test for want of something, or fails it when everything has to be there.
func absent(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("ROOST_REQUIRE_PEERS") == "1" {
		t.Fatalf("%s is not installed", what)
	}
	t.Skipf("%s is not installed", what)
}

// need finds a program.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		absent(t, program)
	}
	return path
}

// grace is how long one run of a program may take.
const grace = 60 * time.Second

// program is one run of a peer.
type program struct {
	args  []string
	home  string   // HOME and working directory
	env   []string // in addition
	stdin string
	tty   *screen // controlling terminal instead of pipes
}

// start starts p as a process group of its own, which ends with the test at the latest.
func (p program) start(t *testing.T, out io.Writer) (wait func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, p.args[0], p.args[1:]...)
	cmd.Dir = p.home
	cmd.Env = append([]string{"HOME=" + p.home, "PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "TERM=xterm", "TZ=UTC"}, p.env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(p.stdin), out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if p.tty != nil {
		cmd.Stdin, cmd.Stdout, cmd.Stderr = p.tty.slave, p.tty.slave, p.tty.slave
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	}
	cmd.WaitDelay = time.Second
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	return func() error {
		err := cmd.Wait()
		if p.tty != nil {
			p.tty.finish()
		}
		if ctx.Err() != nil {
			return fmt.Errorf("not done after %v", grace)
		}
		return err
	}
}

// try runs p and returns everything it printed, and its exit status.
func (p program) try(t *testing.T) (out string, status int) {
	t.Helper()
	var b bytes.Buffer
	err := p.start(t, &b)()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v\n%s", strings.Join(p.args, " "), err, b.String())
	}
	if exit != nil {
		status = exit.ExitCode()
	}
	return b.String(), status
}

// run is try for what has to succeed.
func (p program) run(t *testing.T) string {
	t.Helper()
	out, status := p.try(t)
	if status != 0 {
		t.Fatalf("%s: exit status %d\n%s", strings.Join(p.args, " "), status, out)
	}
	return out
}

// write writes a file, by default readable by its owner only, which fetchmail insists on.
func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// contains checks that all parts occur in a program's output.
func contains(t *testing.T, what, out string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(out, part) {
			t.Errorf("%s: no %q in\n%s", what, part, out)
		}
	}
}
