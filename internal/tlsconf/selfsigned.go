package tlsconf

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The self-signed certificate's files in the state directory.
const (
	CertName = "roost-cert.pem"
	KeyName  = "roost-key.pem"
)

// How long it lives. People accept it once in their mail program and then want peace.
const (
	lifetime = 10 * 365 * 24 * time.Hour
	renewAt  = 30 * 24 * time.Hour
)

// SelfSigned loads the self-signed certificate kept in dir; it is made when it is absent, broken, nearly expired or not for hostname.
func SelfSigned(dir, hostname string, log *slog.Logger) (*Source, error) {
	certFile, keyFile := filepath.Join(dir, CertName), filepath.Join(dir, KeyName)
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil || time.Until(pair.Leaf.NotAfter) < renewAt || hostname != "" && pair.Leaf.VerifyHostname(hostname) != nil {
		if err := makePair(certFile, keyFile, hostname); err != nil {
			return nil, fmt.Errorf("making a self-signed certificate: %w", err)
		}
		log.Info("made a self-signed certificate", "file", certFile)
	}
	return Load(certFile, keyFile, log)
}

// Fingerprint is the SHA-256 of a certificate as mail programs show it.
func Fingerprint(cert *tls.Certificate) string {
	sum := sha256.Sum256(cert.Certificate[0])
	hex := make([]string, len(sum))
	for i, b := range sum {
		hex[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(hex, ":")
}

func makePair(certFile, keyFile, hostname string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return err
	}
	names, addresses := []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	if ip := net.ParseIP(hostname); ip != nil {
		addresses = append(addresses, ip)
	} else if hostname != "" && hostname != "localhost" {
		names = append(names, hostname)
	}
	now := time.Now()
	t := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: names[len(names)-1], Organization: []string{"Roost self-signed"}},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(lifetime),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, DNSNames: names, IPAddresses: addresses,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	// The key first: a certificate is only there when its key is.
	if err := write(keyFile, 0o600, "PRIVATE KEY", keyDER); err != nil {
		return err
	}
	return write(certFile, 0o644, "CERTIFICATE", der)
}

// write puts a PEM file in place at once.
func write(name string, mode os.FileMode, kind string, der []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".roost-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone when it was renamed
	err = pem.Encode(f, &pem.Block{Type: kind, Bytes: der})
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
