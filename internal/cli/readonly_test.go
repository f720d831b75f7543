package cli

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A Maildir that can only be read is served like that, and everybody is told.
func TestServeReadOnly(t *testing.T) {
	t.Parallel()
	h := newHouse(t, sandboxConf)
	if err := os.Mkdir(h.path("mail/alice"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", h.path("mail/alice"), "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("needs a file system that can be made read-only: mounting a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(h.path("mail/alice"), unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	p := start(t, nil, "serve", "--config", h.path("roost.conf"))
	i := dial(t, p.plain, false)
	i.ok("LOGIN alice a")
	const message = "Subject: one\r\n\r\nbody\r\n"
	i.ok(fmt.Sprintf("APPEND INBOX (\\Flagged) {%d+}\r\n%s", len(message), message))
	i.ok("LOGOUT")
	p.stop()

	if err := unix.Mount("", h.path("mail/alice"), "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(p.cmd.Path, "check", "--config", h.path("roost.conf")).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "mail of alice could only be read") {
		t.Errorf("check: %v: %s", err, out)
	}
	p = start(t, nil, "serve", "--config", h.path("roost.conf"))
	i = dial(t, p.plain, false)
	i.ok("LOGIN alice a")
	for _, command := range []string{"EXAMINE", "SELECT"} {
		if got := i.do(command + " INBOX"); !strings.Contains(got, "* 1 EXISTS") || !strings.Contains(got, "OK [READ-ONLY]") {
			t.Errorf("%s: %s", command, got)
		}
	}
	if got := i.do("FETCH 1 (UID FLAGS BODY[TEXT])"); !strings.Contains(got, "UID 1 FLAGS (\\Flagged") || !strings.Contains(got, "body") {
		t.Errorf("FETCH: %s", got)
	}
	if got := i.do("STATUS INBOX (MESSAGES UIDNEXT)"); !strings.Contains(got, "MESSAGES 1 UIDNEXT 2") {
		t.Errorf("STATUS: %s", got)
	}
	if got := i.do(fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", len(message), message)); !strings.HasPrefix(got, "NO [NOPERM]") {
		t.Errorf("APPEND: %s", got)
	}
	p.stop()
	if log := p.errs.String(); !strings.Contains(log, "the Maildir cannot be written to") || !strings.Contains(log, "read-only file system") {
		t.Errorf("log:\n%s", log)
	}
}
