package peertest

import (
	"os/exec"
	"testing"
)

// TestMailIMAPClient runs the same broad session in the clear and with TLS.
func TestMailIMAPClient(t *testing.T) {
	perl := need(t, "perl")
	if exec.Command(perl, "-MMail::IMAPClient", "-MIO::Socket::SSL", "-e", "1").Run() != nil {
		absent(t, "Perl's Mail::IMAPClient")
	}
	r := startRoost(t, newBox(t).root)
	for security, port := range map[string]string{"plain": r.port, "tls": r.tlsPort} {
		t.Run(security, func(t *testing.T) {
			out := program{home: t.TempDir(), args: []string{perl, script(t, "session.pl"), r.host, port, security, login, password}}.run(t)
			contains(t, "Mail::IMAPClient", out, "all well")
		})
	}
}
