package cli

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// A Maildir is put back whole from a backup while the server runs, in its sandbox if there is one: who is connected is sent away, and who logs
// in next has the mail of the backup, with its UIDs.
func TestRestoreWhileServing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script string
		quick  bool // serve MAILDIR
	}{
		"moved":   {"cp -a Maildir backup; mv Maildir old; cp -a backup Maildir", false},
		"removed": {"cp -a Maildir backup; until rm -rf Maildir; do :; done; cp -a backup Maildir", false},
		"home":    {"cp -a ../alice ../backup; mv ../alice ../old; cp -a ../backup ../alice", false},
		"quick":   {"cp -a Maildir backup; mv Maildir old; cp -a backup Maildir", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, sandboxConf)
			args := []string{"serve", "--config", h.path("roost.conf")}
			if c.quick {
				args = []string{"serve", "--listen", "127.0.0.1:0", "--listen-tls", "127.0.0.1:0", "--state", h.path("quick/state"), "--user", "alice",
					h.path("mail/alice/Maildir")}
			}
			p := start(t, []string{"ROOST_PASSWORD=a"}, args...)
			const message = "Subject: one\r\n\r\nbody\r\n"
			login := func() *imapConn {
				i := dial(t, p.plain, false)
				i.ok("LOGIN alice a")
				return i
			}
			i := login()
			for range 3 {
				i.ok(fmt.Sprintf("APPEND INBOX (\\Flagged) {%d+}\r\n%s", len(message), message))
			}
			i.ok("SELECT INBOX")
			state := func() string { return i.do("STATUS INBOX (MESSAGES UIDNEXT UIDVALIDITY)") }
			before := state()
			idle := login()
			idle.ok("SELECT INBOX")
			fmt.Fprintf(idle, "x IDLE\r\n")

			sh := exec.Command("sh", "-ec", c.script)
			sh.Dir = h.path("mail/alice")
			if out, err := sh.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			i = login() // the next one at once
			if got := state(); got != before {
				t.Errorf("after the restore %q, before %q", got, before)
			}
			i.ok(fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", len(message), message))
			i.ok("SELECT INBOX")
			if got := i.do("UID FETCH 1:* FLAGS"); strings.Count(got, "\\Flagged") != 3 || !strings.Contains(got, "UID 4 ") {
				t.Errorf("FETCH: %s", got)
			}
			idle.SetReadDeadline(time.Now().Add(time.Minute))
			for line := ""; !strings.HasPrefix(line, "* BYE"); {
				var err error
				if line, err = idle.r.ReadString('\n'); err != nil {
					t.Fatalf("IDLE goes on: %v", err)
				}
			}
			for _, dir := range []string{h.path("mail/alice/old"), h.path("mail/old/Maildir")} {
				for _, sub := range []string{"/cur", "/new"} {
					if files, err := os.ReadDir(dir + sub); err == nil && len(files) != 0 && len(files) != 3 {
						t.Errorf("%d messages in %s", len(files), dir+sub)
					}
				}
			}
			p.stop()
			if log := p.errs.String(); strings.Count(log, "moved away or replaced") != 1 || strings.Contains(log, "level=ERROR") {
				t.Errorf("log:\n%s", log)
			}
		})
	}
}

// The state directory is emptied while the server runs: nobody else can take it, and what is made once stays the same.
func TestStateEmptied(t *testing.T) {
	t.Parallel()
	h := newHouse(t, strings.Replace(sandboxConf, "tls.", "# tls.", -1))
	args := []string{"serve", "--config", h.path("roost.conf")}
	p := start(t, nil, args...)
	cert, err := os.ReadFile(h.path("state/roost-cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	i := dial(t, p.plain, false)
	i.ok("LOGIN alice a")
	i.ok("SELECT INBOX")
	exec.Command("find", h.path("state"), "-mindepth", "1", "-delete").Run() // it may be filled again already
	for until := time.Now().Add(time.Minute); !strings.Contains(p.errs.String(), "the state directory was emptied"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("nobody noticed:\n%s", p.errs.String())
		}
	}
	if again, err := os.ReadFile(h.path("state/roost-cert.pem")); err != nil || string(again) != string(cert) {
		t.Errorf("the certificate is another one: %v", err)
	}
	second := exec.Command(p.cmd.Path, args...)
	if out, err := second.CombinedOutput(); err == nil || !strings.Contains(string(out), "another roost (pid ") {
		t.Errorf("a second server: %v: %s", err, out)
	}
	i.ok("NOOP")
	p.stop()
}
