// Package auth verifies users: the passwd-file, password schemes and SASL mechanisms.
//
// Terms. An entry is one user of the passwd-file. A secret is its stored password, taken apart once when the file is read. A table is the
// whole file as it was at one moment and never changes; a Service always works on one table.
//
// Invariants
//   - An unknown user, a wrong password and a login that is not allowed give the same answer after the same work: the password of an
//     unknown user is verified against a real secret of the table's most common kind and the result is thrown away; its SCRAM salt
//     is derived from a key that stays the same over restarts.
//   - No lock is held while a password is hashed or a delay is waited for.
//   - Hashing is bounded: a few at a time in the process, one at a time for one remote address.
//   - A remembered password (cache.go) is bound to user, stored secret and password together.
//
// Files: service.go the Authenticator; policy.go where plaintext is allowed; passwdfile.go the format, source.go reading it again, edit.go
// changing it; scheme.go the table of password schemes with digest.go, crypt.go and des.go; hash.go new hashes; cache.go remembered
// passwords; backoff.go failing addresses; plain.go and scram.go the mechanisms.
package auth

import (
	"context"
	"crypto/tls"
	"errors"
	"net/netip"
)

// User is an authenticated user with what the passwd-file says of him; empty fields fall back to the configuration.
type User struct {
	Name  string // login name after normalisation
	Home  string
	Mail  string // maildir location override (userdb_mail), empty when absent
	Extra map[string]string
	Line  int // of the passwd-file, from 1; 0 when there is none
}

// ErrFailed is the one answer to an unknown user, a wrong password or a login that is not allowed.
var ErrFailed = errors.New("authentication failed")

// ErrPrivacyRequired says that a password in plaintext is not accepted on this connection (RFC 5530 PRIVACYREQUIRED).
var ErrPrivacyRequired = errors.New("plaintext authentication needs TLS")

// Request describes where a login comes from.
type Request struct {
	Remote netip.Addr
	TLS    *tls.ConnectionState // nil in plaintext
	// Endpoint is the RFC 5929 tls-server-end-point hash of the certificate that this connection's handshake presented
	// (tlsconf.Conn.Endpoint); nil: that channel binding is refused.
	Endpoint []byte
}

// Authenticator is what the IMAP server asks. Safe for concurrent use.
type Authenticator interface {
	// Password verifies user and password. Same time and same error for an unknown user and a wrong password. ErrPrivacyRequired when
	// the connection may not carry plaintext passwords; ctx's error when it ended first.
	Password(ctx context.Context, req Request, user, password string) (*User, error)
	// Mechanisms lists SASL mechanisms usable on this connection in order of preference ("SCRAM-SHA-256-PLUS", "PLAIN", …). Without
	// PLAIN in it, LOGIN is not usable either.
	Mechanisms(req Request) []string
	// Start begins a SASL exchange; ErrFailed for an unknown mechanism, ErrPrivacyRequired for one that needs TLS here.
	Start(ctx context.Context, req Request, mech string) (Exchange, error)
}

// Exchange is a running SASL exchange. Next takes the client's response (nil at the start when there was no initial response) and
// returns a challenge to send, or done. After done, User is set. An error ends the exchange. Not safe for concurrent use.
type Exchange interface {
	Next(response []byte) (challenge []byte, done bool, err error)
	User() *User
}
