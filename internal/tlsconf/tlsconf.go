// Package tlsconf gives the server its TLS: certificates that are read again when their files change, a self-signed one for those who have
// none, and what a login can bind itself to.
//
// TLS 1.2 is the least. Go's server side knows no renegotiation. Session tickets are off: connections of mail programs live long, and a
// resumed session would show no certificate to bind to. ALPN: a client that offers protocols must offer "imap" among them, so that nobody's
// HTTPS request ends here (ALPACA); a client that offers none is served.
//
// Files: tlsconf.go the configuration and connections; source.go certificates from files; selfsigned.go one's own.
package tlsconf

import (
	"crypto"
	_ "crypto/sha512" // for Hash.New
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"sync/atomic"
)

// Config makes the server's TLS configuration around a source of certificates.
func Config(s *Source) *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS12,
		NextProtos:             []string{"imap"},
		SessionTicketsDisabled: true,
		GetCertificate:         func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.Certificate(), nil },
	}
}

// Conn is the server side of a TLS connection that remembers which certificate it showed.
type Conn struct {
	*tls.Conn
	leaf atomic.Pointer[x509.Certificate]
}

// Server is tls.Server for a configuration with GetCertificate.
func Server(conn net.Conn, base *tls.Config) *Conn {
	c := &Conn{}
	own := base.Clone()
	own.GetCertificate = func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		cert, err := pick(base, h)
		if err == nil {
			c.leaf.Store(cert.Leaf)
		}
		return cert, err
	}
	c.Conn = tls.Server(conn, own)
	return c
}

func pick(base *tls.Config, h *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if base.GetCertificate != nil {
		return base.GetCertificate(h)
	}
	if len(base.Certificates) == 0 {
		return nil, errors.New("tls: no certificate")
	}
	return &base.Certificates[0], nil
}

// Endpoint is the tls-server-end-point channel binding (RFC 5929 §4.1): the hash of the certificate that the handshake showed, nil before the
// handshake and for certificates whose signature has no hash of its own (Ed25519).
func (c *Conn) Endpoint() []byte {
	leaf := c.leaf.Load()
	if leaf == nil {
		return nil
	}
	var h crypto.Hash
	switch leaf.SignatureAlgorithm {
	case x509.MD5WithRSA, x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.SHA256WithRSA, x509.SHA256WithRSAPSS, x509.ECDSAWithSHA256:
		h = crypto.SHA256 // also in place of the weak ones
	case x509.SHA384WithRSA, x509.SHA384WithRSAPSS, x509.ECDSAWithSHA384:
		h = crypto.SHA384
	case x509.SHA512WithRSA, x509.SHA512WithRSAPSS, x509.ECDSAWithSHA512:
		h = crypto.SHA512
	default:
		return nil
	}
	d := h.New()
	d.Write(leaf.Raw)
	return d.Sum(nil)
}
