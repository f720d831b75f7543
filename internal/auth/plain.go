package auth

import (
	"bytes"
	"context"
)

// login is what the mechanisms that carry a password have in common.
type login struct {
	s    *Service
	ctx  context.Context
	req  Request
	user *User
}

func (l *login) User() *User { return l.user }

func (l *login) finish(user, password string) ([]byte, bool, error) {
	u, err := l.s.Password(l.ctx, l.req, user, password)
	if err != nil {
		return nil, false, err
	}
	l.user = u
	return nil, true, nil
}

// malformed ends an exchange whose client does not keep to the mechanism, after the delay of a failed login.
func (l *login) malformed(mech string) ([]byte, bool, error) {
	_, err := l.s.attempt(l.ctx, l.req, func(*address) (*entry, string, error) { return &entry{}, "malformed response", nil }, "", mech)
	return nil, false, err
}

// plainExchange is PLAIN (RFC 4616): [authzid] NUL authcid NUL passwd.
type plainExchange struct{ login }

func (p *plainExchange) Next(response []byte) ([]byte, bool, error) {
	if response == nil {
		return []byte{}, false, nil
	}
	part := bytes.Split(response, []byte{0})
	if len(response) > maxResponse || len(part) != 3 || len(part[0]) > 0 && !bytes.Equal(part[0], part[1]) {
		return p.malformed("PLAIN")
	}
	return p.finish(string(part[1]), string(part[2]))
}

// loginExchange is LOGIN (draft-murchison-sasl-login): user and password, each asked for. The user may come as the initial response.
type loginExchange struct {
	login
	name  string
	named bool
}

func (l *loginExchange) Next(response []byte) ([]byte, bool, error) {
	switch {
	case len(response) > maxResponse:
		return l.malformed("LOGIN")
	case response == nil:
		return []byte("Username:"), false, nil
	case !l.named:
		l.name, l.named = string(response), true
		return []byte("Password:"), false, nil
	}
	return l.finish(l.name, string(response))
}
