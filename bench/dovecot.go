package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// dovecotPath is where Debian puts it.
const dovecotPath = "/usr/sbin/dovecot"

// dovecot is Debian's Dovecot 2.3 as a daemon with a private configuration and run directory.
type dovecot struct {
	daemon
	connections int  // at most
	index       bool // with fts-xapian; takes effect at the next start
}

func newDovecot(work string, owner, connections int) (*dovecot, error) {
	d, err := newDaemon(filepath.Join(work, "dovecot"), filepath.Join(work, "mail-dovecot"), owner)
	return &dovecot{daemon: d, connections: connections}, err
}

func (s *dovecot) configure() error {
	uid, own := s.owner, ""
	if s.index {
		own = xapianConfig
	}
	if s.owner < 0 { // not root: all processes are the caller's, and none can be confined
		me, err := user.Current()
		if err != nil {
			return err
		}
		uid = os.Getuid()
		own += fmt.Sprintf("default_internal_user = %[1]s\ndefault_login_user = %[1]s\ndefault_internal_group = %[2]d\n", me.Username, os.Getgid())
		own += "service anvil {\n  chroot =\n}\nservice imap-login {\n  chroot =\n}\n"
	}
	return os.WriteFile(s.config(), fmt.Appendf(nil, `base_dir = %[1]s/run
state_dir = %[1]s/run
log_path = %[2]s
info_log_path = /dev/null
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <%[3]s/cert.pem
ssl_key = <%[3]s/key.pem
disable_plaintext_auth = no
auth_mechanisms = plain login

# The same users for both servers; the password is compared as it is.
passdb {
  driver = passwd-file
  args = %[3]s/users
}
userdb {
  driver = static
  args = uid=%[4]d gid=%[4]d home=%[5]s/%%u
}
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:~/Maildir
namespace inbox {
  inbox = yes
  separator = .
}

# The default, said because it matters: what APPEND and COPY write is on disk before it is acknowledged.
mail_fsync = optimized

# As many connections as the bench makes; login processes as the manual recommends for busy servers, imap processes used again.
mail_max_userip_connections = 20000
default_vsz_limit = 0
service imap-login {
  service_count = 0
  process_min_avail = 2
  process_limit = 2
  client_limit = %[9]d
  inet_listener imap {
    port = %[6]d
  }
  inet_listener imaps {
    port = %[7]d
  }
}
service imap {
  service_count = 1000
  process_limit = %[9]d
}
service auth {
  client_limit = %[10]d
}
service anvil {
  client_limit = %[10]d
}
service stats {
  client_limit = %[10]d
}
%[8]s`, s.dir, s.logFile(), filepath.Dir(s.dir), uid, s.mail, s.ports[0], s.ports[1], own, s.connections, 3*s.connections), 0o644)
}

func (s *dovecot) name() string   { return "Dovecot" }
func (s *dovecot) config() string { return filepath.Join(s.dir, "dovecot.conf") }

func (s *dovecot) version() string {
	out, err := exec.Command(dovecotPath, "--version").Output()
	if err != nil {
		return err.Error()
	}
	return "Dovecot " + strings.TrimSpace(string(out))
}

func (s *dovecot) setting() string {
	return "`mail_fsync = optimized` (default), `mail_location = maildir:~/Maildir`, login processes in high-performance mode (`service_count = 0`), " +
		"imap processes used again (`service_count = 1000`), process, client and per-user limits raised"
}

func (s *dovecot) start() error {
	if err := s.configure(); err != nil {
		return err
	}
	return s.run(exec.Command(dovecotPath, "-F", "-c", s.config()))
}

// xapianPath is where Debian's dovecot-fts-xapian is.
const xapianPath = "/usr/lib/dovecot/modules/lib21_fts_xapian_plugin.so"

// xapianConfig is that of its manual; doveadm fills the index.
const xapianConfig = `mail_plugins = fts fts_xapian
plugin {
  fts = xapian
  fts_xapian = partial=3 full=20
  fts_autoindex = no
  fts_enforced = yes
}
service indexer-worker {
  vsz_limit = 0
}
`

// fillIndex fills the index of one of the main user's mailboxes, and returns the most memory that took. The server is running.
func (s *dovecot) fillIndex(ctx context.Context, box string) (peak int64, err error) {
	cmd := exec.CommandContext(ctx, "doveadm", "-c", s.config(), "index", "-u", mainUser, box)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("doveadm index: %w\n%s", err, out)
	}
	return cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10, nil
}

// indexFiles is the directory of the index.
func (s *dovecot) indexFiles() string {
	return filepath.Join(s.mail, mainUser, "Maildir", "xapian-indexes")
}

func (s *dovecot) forget(uids bool) error {
	if err := s.removeAll("dovecot.*index*", "dovecot.mailbox.log*"); err != nil || !uids {
		return err
	}
	return s.forgetUIDs()
}

func (s *dovecot) complaints() []string {
	var found []string
	for line := range strings.Lines(s.log.String()) {
		// That there is no inotify for a thousand idling processes is said in README.md.
		if strings.Contains(line, "Inotify instance limit") {
			continue
		}
		for _, level := range []string{"Warning: ", "Error: ", "Fatal: ", "Panic: "} {
			if strings.Contains(line, level) {
				found = append(found, strings.TrimSpace(line))
				break
			}
		}
	}
	return found
}
