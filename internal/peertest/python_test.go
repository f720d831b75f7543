package peertest

import (
	"path/filepath"
	"testing"
)

// script is the absolute path of a script in testdata.
func script(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", name))
	must(t, err)
	return path
}

// TestImaplib runs the same broad session in the clear, after STARTTLS, and with TLS.
func TestImaplib(t *testing.T) {
	python := need(t, "python3")
	r := startRoost(t, newBox(t).root)
	for _, security := range []string{"plain", "starttls", "tls"} {
		t.Run(security, func(t *testing.T) {
			port := r.port
			if security == "tls" {
				port = r.tlsPort
			}
			out := program{home: t.TempDir(), args: []string{python, script(t, "session.py"), r.host, port, security, login, password}}.run(t)
			contains(t, "imaplib", out, "all well")
		})
	}
}

// TestZlib compresses the connection with zlib itself, which clients flush in different ways: where a command ends there is nothing more to
// come behind a partial flush.
func TestZlib(t *testing.T) {
	python := need(t, "python3")
	r := startRoost(t, newBox(t).root)
	for _, c := range []struct{ security, flush string }{
		{"plain", "partial"}, {"plain", "sync"}, {"plain", "full"}, {"plain", "all"}, {"starttls", "partial"}, {"tls", "partial"},
	} {
		t.Run(c.security+"-"+c.flush, func(t *testing.T) {
			port := r.port
			if c.security == "tls" {
				port = r.tlsPort
			}
			out := program{home: t.TempDir(), args: []string{python, script(t, "compress.py"), r.host, port, c.security, c.flush, login, password}}.run(t)
			contains(t, "zlib", out, "all well")
		})
	}
}
