package auth

import "fmt"

// Plaintext says on which connections passwords may cross in plaintext.
type Plaintext uint8

// Policies. TLS always suffices.
const (
	PlaintextLoopback Plaintext = iota // also without TLS when the client is on this machine
	PlaintextNever                     // only with TLS
	PlaintextAlways                    // always
)

// ParsePlaintext reads a policy: "loopback", "never" or "always".
func ParsePlaintext(s string) (Plaintext, error) {
	switch s {
	case "loopback":
		return PlaintextLoopback, nil
	case "never":
		return PlaintextNever, nil
	case "always":
		return PlaintextAlways, nil
	}
	return PlaintextNever, fmt.Errorf("%q is not one of loopback, never, always", s)
}

// Allows tells whether req's connection may carry a plaintext password.
func (p Plaintext) Allows(req Request) bool {
	return req.TLS != nil || p == PlaintextAlways || p == PlaintextLoopback && req.Remote.Unmap().IsLoopback()
}
