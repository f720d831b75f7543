package tlsconf

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func TestSelfSigned(t *testing.T) {
	dir := t.TempDir()
	s, err := SelfSigned(dir, "mail.example.org", quiet)
	if err != nil {
		t.Fatal(err)
	}
	leaf := s.Certificate().Leaf
	for _, name := range []string{"localhost", "mail.example.org", "127.0.0.1", "::1"} {
		if err := leaf.VerifyHostname(name); err != nil {
			t.Error(err)
		}
	}
	if time.Until(leaf.NotAfter) < 9*365*24*time.Hour {
		t.Errorf("valid until %v", leaf.NotAfter)
	}
	if fi, err := os.Stat(filepath.Join(dir, KeyName)); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("the key is not private: %v, %v", fi, err)
	}
	again, err := SelfSigned(dir, "mail.example.org", quiet)
	if err != nil || Fingerprint(again.Certificate()) != Fingerprint(s.Certificate()) {
		t.Errorf("not kept: %v", err)
	}
	other, err := SelfSigned(dir, "192.0.2.1", quiet)
	if err != nil || other.Certificate().Leaf.VerifyHostname("192.0.2.1") != nil {
		t.Errorf("not made anew for another name: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, CertName), []byte("broken"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := SelfSigned(dir, "192.0.2.1", quiet); err != nil {
		t.Errorf("a broken file is not replaced: %v", err)
	}
	if fp := Fingerprint(s.Certificate()); len(fp) != 32*3-1 || strings.Count(fp, ":") != 31 {
		t.Errorf("fingerprint %q", fp)
	}
	left, _ := filepath.Glob(filepath.Join(dir, ".roost-*"))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestReload(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "c"), filepath.Join(dir, "k")
	if _, err := Load(certFile, keyFile, quiet); err == nil {
		t.Fatal("absent files load")
	}
	pair := func(name string) {
		t.Helper()
		if err := makePair(certFile, keyFile, name); err != nil {
			t.Fatal(err)
		}
	}
	pair("one")
	var log bytes.Buffer
	s, err := Load(certFile, keyFile, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	s.now = func() time.Time { return now }
	s.checked = now
	name := func() string { return s.Certificate().Leaf.Subject.CommonName }
	pair("second")
	if got := name(); got != "one" {
		t.Errorf("looked again within a second: %s", got)
	}
	now = now.Add(time.Second)
	if got := name(); got != "second" {
		t.Errorf("change not noticed: %s", got)
	}
	if err := os.WriteFile(certFile, []byte("torn"), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		now = now.Add(time.Second)
		if got := name(); got != "second" {
			t.Errorf("lost: %s", got)
		}
	}
	if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
		t.Errorf("%d lines for one broken file:\n%s", n, log.String())
	}
	pair("the third")
	s.Reload()
	if got := name(); got != "the third" {
		t.Errorf("Reload did nothing: %s", got)
	}
	if w, err := Check(certFile, keyFile, "elsewhere.example.org"); err != nil || len(w) != 1 {
		t.Errorf("wrong name: %v, %v", w, err)
	}
	if w, err := Check(certFile, keyFile, "localhost"); err != nil || len(w) != 0 {
		t.Errorf("good pair: %v, %v", w, err)
	}
	if _, err := Check(keyFile, certFile, ""); err == nil {
		t.Error("swapped files pass")
	}
}

// handshake connects with a client configuration and returns both ends' errors.
func handshake(t *testing.T, s *Source, client *tls.Config) (server *Conn, peer *tls.Conn, serverErr, clientErr error) {
	t.Helper()
	a, b := net.Pipe()
	t.Cleanup(func() { a.Close(); b.Close() })
	server, peer = Server(a, Config(s)), tls.Client(b, client)
	done := make(chan error, 1)
	go func() {
		err := server.Handshake()
		if err != nil {
			a.Close()
		}
		done <- err
	}()
	clientErr = peer.Handshake()
	return server, peer, <-done, clientErr
}

func TestHandshake(t *testing.T) {
	s, err := SelfSigned(t.TempDir(), "", quiet)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate().Leaf)
	for _, c := range []struct {
		name string
		cfg  *tls.Config
		ok   bool
	}{
		{"plain client", &tls.Config{}, true},
		{"TLS 1.2", &tls.Config{MaxVersion: tls.VersionTLS12}, true},
		{"ALPN imap", &tls.Config{NextProtos: []string{"h2", "imap"}}, true},
		{"ALPN of a browser", &tls.Config{NextProtos: []string{"h2", "http/1.1"}}, false},
		{"TLS 1.1", &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, false},
	} {
		c.cfg.RootCAs, c.cfg.ServerName = roots, "localhost"
		server, peer, serverErr, clientErr := handshake(t, s, c.cfg)
		if (serverErr == nil) != c.ok || (clientErr == nil) != c.ok {
			t.Errorf("%s: %v, %v", c.name, serverErr, clientErr)
			continue
		}
		if !c.ok {
			continue
		}
		want := sha256.Sum256(peer.ConnectionState().PeerCertificates[0].Raw)
		if !bytes.Equal(server.Endpoint(), want[:]) {
			t.Errorf("%s: the end point is not the certificate's hash", c.name)
		}
	}
	if Server(nil, &tls.Config{}).Endpoint() != nil {
		t.Error("an end point before the handshake")
	}
}
