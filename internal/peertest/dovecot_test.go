package peertest

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// dovecotPlaces are where distributions put Dovecot's imap process, which serves a logged-in user on a pipe.
var dovecotPlaces = []string{"/usr/lib/dovecot/imap", "/usr/libexec/dovecot/imap", "/usr/local/libexec/dovecot/imap"}

// dovecot is a private Dovecot on a Maildir in a home of its own, which roost may serve too.
type dovecot struct {
	t    *testing.T
	imap string
	home string
	root string // the Maildir
	uid  int    // of the processes, because Dovecot refuses to serve root's mail; 0 is the tester's own
}

func newDovecot(t *testing.T) *dovecot {
	t.Helper()
	d := &dovecot{t: t}
	for _, path := range dovecotPlaces {
		if _, err := os.Stat(path); err == nil {
			d.imap = path
			break
		}
	}
	if d.imap == "" {
		absent(t, "Dovecot's imap")
	}
	d.home = t.TempDir()
	d.root = filepath.Join(d.home, "Maildir")
	must(t, os.Mkdir(d.root, 0o700))
	owner := os.Getuid()
	if owner == 0 {
		d.uid, owner = 65534, 65534
		for dir := d.home; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
			must(t, os.Chmod(dir, 0o755))
		}
	}
	must(t, os.WriteFile(filepath.Join(d.home, "dovecot.conf"), fmt.Appendf(nil, `base_dir = %[1]s/run
state_dir = %[1]s/run
log_path = %[1]s/log
info_log_path = /dev/null
ssl = no
protocols = imap
mail_uid = %[2]d
mail_gid = %[2]d
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:~/Maildir
namespace inbox {
  inbox = yes
  separator = .
}
`, d.home, owner), 0o644))
	d.own()
	t.Cleanup(d.checkLog)
	return d
}

// own gives everything in the home to the user the servers run as.
func (d *dovecot) own() {
	if d.uid == 0 {
		return
	}
	must(d.t, filepath.Walk(d.home, func(path string, _ os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, d.uid, d.uid)
	}))
}

// client starts a Dovecot session.
func (d *dovecot) client(name string) *client {
	d.t.Helper()
	cmd := exec.Command(d.imap, "-c", filepath.Join(d.home, "dovecot.conf"))
	cmd.Dir = d.home
	cmd.Env = []string{"USER=" + login, "HOME=" + d.home, "PATH=" + os.Getenv("PATH"), "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if d.uid != 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(d.uid), Gid: uint32(d.uid)}
	}
	in, err := cmd.StdinPipe()
	must(d.t, err)
	out, pipe := io.Pipe()
	cmd.Stdout, cmd.Stderr = pipe, pipe
	must(d.t, cmd.Start())
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		pipe.Close()
		close(ended)
	}()
	d.t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		out.Close()
		<-ended
	})
	return newClient(name, out, in)
}

// roost serves the same Maildir as the same user.
func (d *dovecot) roost() *roost {
	d.t.Helper()
	r := &roost{t: d.t, maildir: d.root, state: filepath.Join(d.home, "state"), user: d.uid}
	d.t.Cleanup(r.stop)
	r.start()
	return r
}

// checkLog fails the test for everything that Dovecot found worth a line: info lines go elsewhere.
func (d *dovecot) checkLog() {
	if log, _ := os.ReadFile(filepath.Join(d.home, "log")); len(log) > 0 {
		d.t.Errorf("Dovecot logged:\n%s", log)
	}
}

// files shows the uidlist and the file names of a mailbox, for the reader of a failure.
func (d *dovecot) files(box string) string {
	dir := d.root
	if box != "INBOX" {
		dir = filepath.Join(d.root, "."+box)
	}
	list, err := os.ReadFile(filepath.Join(dir, "dovecot-uidlist"))
	text := fmt.Sprintf("%s, uidlist: %v\n%s", box, err, list)
	for _, sub := range []string{"new", "cur"} {
		entries, err := os.ReadDir(filepath.Join(dir, sub))
		text += fmt.Sprintf("%s: %v\n", sub, err)
		for _, e := range entries {
			text += e.Name() + "\n"
		}
	}
	return text
}
