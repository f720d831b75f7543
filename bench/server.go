package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// server is one of the two programs, serving a tree of its own. It is not safe for concurrent use.
type server interface {
	name() string
	version() string
	// setting is its configuration as far as a reader of the figures should know it.
	setting() string
	// start returns once connections are accepted, stop once all processes are gone. A stopped server can be started again.
	start() error
	stop() error
	// addr is where it listens, on loopback.
	addr(tls bool) string
	// processes are the ids of all its processes, the first of which is the parent of the others.
	processes() []int
	// cpu is the CPU time of all processes there ever were, in steps of 10 ms.
	cpu() time.Duration
	// forget makes the stopped server know nothing of the mail but what the Maildir says, and with uids not even UIDs.
	forget(uids bool) error
	// complaints are the lines of the stopped server's log that are warnings or worse, without those of stopping.
	complaints() []string
}

// daemon is a process that serves, and all that it has in common with others.
type daemon struct {
	dir   string // for everything but mail
	mail  string // homes of the users
	ports [2]int // plaintext, TLS
	owner int    // user the mail belongs to, -1 for the caller

	cmd   *exec.Cmd
	ended chan struct{}
	used  time.Duration // CPU time of all processes before the last start
	log   bytes.Buffer  // what was logged between starting and stopping
}

func newDaemon(dir, mail string, owner int) (daemon, error) {
	d := daemon{dir: dir, mail: mail, owner: owner}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return d, err
	}
	for i := range d.ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return d, err
		}
		defer l.Close()
		d.ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return d, nil
}

func (d *daemon) addr(tls bool) string {
	port := d.ports[0]
	if tls {
		port = d.ports[1]
	}
	return fmt.Sprintf("127.0.0.1:%d", port)
}

func (d *daemon) logFile() string { return filepath.Join(d.dir, "log") }

// run starts a command in a process group of its own that ends with us, and waits for its greeting.
func (d *daemon) run(cmd *exec.Cmd) error {
	log, err := os.OpenFile(d.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	d.cmd, d.ended = cmd, ended
	go func() { cmd.Wait(); close(ended) }()
	for limit := time.Now().Add(30 * time.Second); time.Now().Before(limit); {
		if d.greets() {
			return nil
		}
		select {
		case <-ended:
			return fmt.Errorf("%s ended: %s", cmd.Path, lastLines(d.logFile()))
		case <-time.After(5 * time.Millisecond):
		}
	}
	return errors.Join(fmt.Errorf("%s does not answer: %s", cmd.Path, lastLines(d.logFile())), d.stop())
}

func (d *daemon) greets() bool {
	conn, err := net.Dial("tcp", d.addr(false))
	if err != nil {
		return false
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	line := make([]byte, 200)
	n, _ := conn.Read(line)
	return strings.HasPrefix(string(line[:n]), "* OK")
}

func (d *daemon) stop() error {
	if d.cmd == nil {
		return nil
	}
	d.used = d.cpu()
	group := -d.cmd.Process.Pid
	log, _ := os.ReadFile(d.logFile())
	d.log.Write(log)
	syscall.Kill(group, syscall.SIGTERM) // all at once: Dovecot's processes notice the end of their parent late
	var err error
	select {
	case <-d.ended:
	case <-time.After(20 * time.Second):
		err = fmt.Errorf("%s did not stop in 20 s", d.cmd.Path)
	}
	d.cmd = nil
	for range 100 {
		if syscall.Kill(group, 0) != nil {
			return errors.Join(err, os.Truncate(d.logFile(), 0))
		}
		time.Sleep(20 * time.Millisecond)
	}
	syscall.Kill(group, syscall.SIGKILL)
	return errors.Join(err, fmt.Errorf("processes of %s had to be killed", d.dir))
}

// cpu is the CPU time of all processes there ever were.
func (d *daemon) cpu() time.Duration { return d.used + cpuTime(d.processes()) }

func (d *daemon) processes() []int {
	if d.cmd == nil {
		return nil
	}
	return family(d.cmd.Process.Pid)
}

// forgetUIDs removes what gives UIDs to messages, in Dovecot's format, which both servers use.
func (d *daemon) forgetUIDs() error {
	return d.removeAll("dovecot-uidlist", "dovecot-uidvalidity*")
}

// removeAll removes files from all mailboxes of all users.
func (d *daemon) removeAll(names ...string) error {
	for _, name := range names {
		for _, box := range []string{".", ".*"} {
			found, err := filepath.Glob(filepath.Join(d.mail, "*", "Maildir", box, name))
			if err != nil {
				return err
			}
			for _, path := range found {
				if err := os.RemoveAll(path); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func lastLines(file string) string {
	text, _ := os.ReadFile(file)
	return string(text[max(0, len(text)-1000):])
}

// credential is the user a server runs as that has no users of its own.
func (d *daemon) credential() *syscall.SysProcAttr {
	if d.owner < 0 {
		return nil
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(d.owner), Gid: uint32(d.owner)}}
}

// writeShared writes what both servers read: the main user and as many others, in Dovecot's format, and a certificate.
func writeShared(dir string, others int) error {
	users := mainUser + ":{PLAIN}" + password + "\n"
	for i := range others {
		users += manyUser(i) + ":{PLAIN}" + password + "\n"
	}
	if err := os.WriteFile(filepath.Join(dir, "users"), []byte(users), 0o644); err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 0, 7),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: der}} {
		// Anybody may read this key: it is for a week, for this directory.
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o644); err != nil {
			return err
		}
	}
	return nil
}
