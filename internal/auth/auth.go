// Package auth verifies users: the passwd-file, password schemes and SASL mechanisms.
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
}

// ErrFailed is the one answer to an unknown user, a wrong password or a login that is not allowed.
var ErrFailed = errors.New("authentication failed")

// Request describes where a login comes from.
type Request struct {
	Remote netip.Addr
	TLS    *tls.ConnectionState // nil in plaintext
}

// Authenticator is what the IMAP server asks. Safe for concurrent use.
type Authenticator interface {
	// Password verifies user and password. Same time and same error for an unknown user and a wrong password.
	Password(ctx context.Context, req Request, user, password string) (*User, error)
	// Mechanisms lists SASL mechanisms usable on this connection in order of preference ("SCRAM-SHA-256-PLUS", "PLAIN", …).
	Mechanisms(req Request) []string
	// Start begins a SASL exchange; ErrFailed for an unknown mechanism.
	Start(ctx context.Context, req Request, mech string) (Exchange, error)
}

// Exchange is a running SASL exchange. Next takes the client's response (nil at the start when there was no initial response) and
// returns a challenge to send, or done. After done, User is set.
type Exchange interface {
	Next(response []byte) (challenge []byte, done bool, err error)
	User() *User
}
