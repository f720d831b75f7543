package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// recheckEvery is how often at most the files are looked at.
const recheckEvery = time.Second

// Source is a certificate with its key in two files. When those change they are read again, at most once a second and only when somebody
// connects; when what is there then does not load, the certificate before stays. Safe for concurrent use.
type Source struct {
	certFile, keyFile string
	log               *slog.Logger
	now               func() time.Time
	cur               atomic.Pointer[tls.Certificate]

	mu      sync.Mutex // protects the rest
	checked time.Time
	seen    [2]stamp
	failure string // last logged
}

type stamp struct {
	size  int64
	mtime time.Time
}

// Load reads a certificate chain and its key, PEM.
func Load(certFile, keyFile string, log *slog.Logger) (*Source, error) {
	s := &Source{certFile: certFile, keyFile: keyFile, log: log, now: time.Now}
	s.checked = s.now()
	if err := s.read(); err != nil {
		return nil, err
	}
	return s, nil
}

// Certificate is the certificate of the moment.
func (s *Source) Certificate() *tls.Certificate {
	if s.mu.TryLock() { // otherwise somebody else is looking
		if now := s.now(); now.Sub(s.checked) >= recheckEvery || now.Before(s.checked) {
			s.checked = now
			s.check()
		}
		s.mu.Unlock()
	}
	return s.cur.Load()
}

// Reload looks at the files now (SIGHUP).
func (s *Source) Reload() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.check()
}

func (s *Source) check() {
	stamps, err := s.stat()
	if err == nil && stamps == s.seen {
		s.failure = ""
		return
	}
	if err == nil {
		err = s.read()
	}
	switch {
	case err == nil:
		s.failure = ""
		s.log.Info("certificate read again", "file", s.certFile, "expires", s.cur.Load().Leaf.NotAfter)
	case err.Error() != s.failure:
		s.failure = err.Error()
		s.log.Error("the new certificate does not load; the one before stays", "err", err)
	}
}

func (s *Source) stat() (stamps [2]stamp, err error) {
	for i, name := range []string{s.certFile, s.keyFile} {
		fi, err := os.Stat(name)
		if err != nil {
			return stamps, err
		}
		stamps[i] = stamp{fi.Size(), fi.ModTime()}
	}
	return stamps, nil
}

// read takes over the files. A pair of which one half is still the old one does not match and fails.
func (s *Source) read() error {
	stamps, err := s.stat()
	if err != nil {
		return err
	}
	cert, err := tls.LoadX509KeyPair(s.certFile, s.keyFile)
	if err != nil {
		return explain(s.certFile, s.keyFile, err)
	}
	s.seen = stamps
	s.cur.Store(&cert)
	return nil
}

func explain(certFile, keyFile string, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return err
	}
	return fmt.Errorf("%s with %s: %w; both have to be PEM, and the key that of the first certificate", certFile, keyFile, err)
}

// Check says what is wrong with a pair of files: an error when they cannot be used, warnings when clients will not like them.
func Check(certFile, keyFile, hostname string) (warnings []string, err error) {
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, explain(certFile, keyFile, err)
	}
	if now := time.Now(); now.After(cert.Leaf.NotAfter) {
		warnings = append(warnings, fmt.Sprintf("%s expired on %s; renew it", certFile, cert.Leaf.NotAfter.Format(time.DateOnly)))
	} else if now.Before(cert.Leaf.NotBefore) {
		warnings = append(warnings, fmt.Sprintf("%s is valid only from %s on; is the clock right?", certFile, cert.Leaf.NotBefore.Format(time.DateOnly)))
	}
	var mismatch x509.HostnameError
	if err := cert.Leaf.VerifyHostname(hostname); hostname != "" && errors.As(err, &mismatch) {
		warnings = append(warnings, fmt.Sprintf("%s is not for %s; set hostname, or get a certificate with that name", certFile, hostname))
	}
	return warnings, nil
}
