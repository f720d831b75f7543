package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// roost is the server of this repository.
type roost struct {
	daemon
	binary string
	source string // directory of the module
	index  bool   // searches have a full-text index; takes effect at the next start
}

// buildRoost compiles the module at source.
func buildRoost(source, binary string) error {
	cmd := exec.Command("go", "build", "-o", binary, ".")
	cmd.Dir = source
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building Roost: %w\n%s", err, out)
	}
	return nil
}

func newRoost(work, binary, source string, owner int) (*roost, error) {
	d, err := newDaemon(filepath.Join(work, "roost"), filepath.Join(work, "mail-roost"), owner)
	if err != nil {
		return nil, err
	}
	r := &roost{daemon: d, binary: binary, source: source}
	return r, r.makeState()
}

func (r *roost) configure() error {
	return os.WriteFile(r.config(), fmt.Appendf(nil, `hostname = "localhost"
[listen]
imap = %[1]q
imaps = %[2]q
[tls]
cert = "%[3]s/cert.pem"
key = "%[3]s/key.pem"
[mail]
home = "%[4]s/{user}"
state = %[5]q
[auth]
passwd_file = "%[3]s/users"
plaintext = "always"
[limits]
connections = 20000
connections_per_user = 20000
connections_per_address = 20000
[search]
enabled = %[6]v
[log]
level = "warn"
`, r.addr(false), r.addr(true), filepath.Dir(r.dir), r.mail, r.state(), r.index), 0o644)
}

func (r *roost) name() string   { return "Roost" }
func (r *roost) config() string { return filepath.Join(r.dir, "roost.conf") }
func (r *roost) state() string  { return filepath.Join(r.dir, "state") }

func (r *roost) version() string {
	out, err := exec.Command(r.binary, "version").Output()
	if err != nil {
		return err.Error()
	}
	line, _, _ := strings.Cut(string(out), "\n")
	// The last change of the server; what changed the bench since then made it no different.
	if commit, err := exec.Command("git", "-C", r.source, "log", "-1", "--format=%h", "--", "*.go", "go.mod", ":!bench").Output(); err == nil {
		line += ", commit " + strings.TrimSpace(string(commit))
	}
	return line
}

func (r *roost) setting() string {
	index := "no full-text index"
	if r.index {
		index = "full-text index"
	}
	return "defaults, " + index + ", connection limits raised; APPEND, COPY and MOVE are on disk (files, directories, uidlist) before they are answered"
}

func (r *roost) start() error {
	if err := r.configure(); err != nil {
		return err
	}
	cmd := exec.Command(r.binary, "serve", "--config", r.config())
	cmd.SysProcAttr = r.credential()
	return r.run(cmd)
}

func (r *roost) forget(uids bool) error {
	if err := os.RemoveAll(r.state()); err != nil {
		return err
	}
	if err := r.makeState(); err != nil || !uids {
		return err
	}
	return r.forgetUIDs()
}

func (r *roost) makeState() error {
	if err := os.MkdirAll(r.state(), 0o700); err != nil || r.owner < 0 {
		return err
	}
	return os.Chown(r.state(), r.owner, r.owner)
}

func (r *roost) complaints() []string {
	var found []string
	for line := range strings.Lines(r.log.String()) {
		if strings.Contains(line, "level=WARN") || strings.Contains(line, "level=ERROR") || strings.Contains(line, "panic") {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}
