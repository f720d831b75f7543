package imap

import (
	"encoding/base64"
	"errors"

	goimap "github.com/emersion/go-imap/v2"

	"roost/imap/wire"
	"roost/internal/auth"
)

// maxSASL bounds one response of a SASL exchange, base64.
const maxSASL = 12 << 10

var (
	errShutdown   = &wire.FatalError{Text: "Server is shutting down"}
	errUserLimit  = no(goimap.ResponseCodeLimit, "Too many connections of this user")
	errTurnedAway = no(goimap.ResponseCodeUnavailable, "Too many connections, try again later")
	errCancelled  = bad("Authentication cancelled")
	errPlaintext  = no("PRIVACYREQUIRED", "Passwords are only accepted over TLS: use port 993 or STARTTLS")
	errAuthFailed = no(goimap.ResponseCodeAuthenticationFailed, "Wrong user name or password")
)

// cmdStartTLS is STARTTLS (RFC 9051 §6.2.1).
func (s *session) cmdStartTLS(c *command) error {
	if err := wire.ParseNone(c.args); err != nil {
		return err
	}
	if s.srv.opt.TLS == nil || s.tls != nil {
		return bad("TLS is not available or already on")
	}
	if s.rd.Buffered() > 0 {
		s.log.Warn("dropping what was sent in plaintext behind STARTTLS")
	}
	s.enc.Raw(c.tag).Raw(" OK Begin TLS negotiation now").CRLF()
	if err := s.enc.Flush(); err != nil {
		return err
	}
	if err := s.startTLS(); err != nil {
		s.log.Info("TLS handshake failed", "cause", err)
		return errHandshake
	}
	return errAnswered
}

var (
	// errAnswered: the handler has sent the tagged response itself.
	errAnswered  = errors.New("answered")
	errHandshake = &wire.FatalError{Text: "TLS handshake failed"}
)

// cmdLogin is LOGIN (RFC 9051 §6.2.3).
func (s *session) cmdLogin(c *command) error {
	if !s.passwordsAllowed() {
		return errPlaintext // before looking at the password
	}
	req, err := wire.ParseLogin(c.args)
	if err != nil {
		return err
	}
	u, err := s.srv.opt.Auth.Password(s.srv.ctx, s.request(), req.User, req.Password)
	return s.loggedIn(c, u, err)
}

// loggedIn ends LOGIN and AUTHENTICATE.
func (s *session) loggedIn(c *command, u *auth.User, err error) error {
	switch {
	case errors.Is(err, auth.ErrFailed):
		return errAuthFailed
	case errors.Is(err, auth.ErrPrivacyRequired):
		return errPlaintext
	case err != nil && s.srv.ctx.Err() != nil:
		return errShutdown
	case err != nil:
		s.log.Error("authentication is not possible", "cause", err)
		return no(goimap.ResponseCodeUnavailable, "Authentication is not possible now, ask the administrator to look at the log")
	}
	if err := s.login(u); err != nil {
		return err
	}
	c.okCode, c.okText = "CAPABILITY "+s.capabilities(), "Logged in"
	return nil
}

// cmdAuthenticate is AUTHENTICATE (RFC 9051 §6.2.2).
func (s *session) cmdAuthenticate(c *command) error {
	req, err := wire.ParseAuthenticate(c.args)
	if err != nil {
		return err
	}
	if req.Initial != nil && !s.has("SASL-IR") {
		return bad("Initial responses are not taken")
	}
	x, err := s.srv.opt.Auth.Start(s.srv.ctx, s.request(), req.Mechanism)
	if errors.Is(err, auth.ErrFailed) {
		return no(goimap.ResponseCodeCannot, "Mechanism is not supported")
	} else if err != nil {
		return s.loggedIn(c, nil, err)
	}
	response := req.Initial
	for {
		challenge, done, err := x.Next(response)
		if err != nil {
			return s.loggedIn(c, nil, err)
		}
		if done {
			return s.loggedIn(c, x.User(), nil)
		}
		s.enc.Raw("+ ").Raw(base64.StdEncoding.EncodeToString(challenge)).CRLF()
		if err := s.enc.Flush(); err != nil {
			return err
		}
		line, err := s.rd.ReadLine(maxSASL)
		if err != nil {
			return err
		}
		if string(line) == "*" {
			return errCancelled
		}
		// Not nil when empty: an empty response is not the absence of one.
		response = make([]byte, base64.StdEncoding.DecodedLen(len(line)))
		n, err := base64.StdEncoding.Decode(response, line)
		if err != nil {
			return bad("Invalid base64")
		}
		response = response[:n]
	}
}

// cmdUnauthenticate is UNAUTHENTICATE (RFC 8437). Of the connection TLS stays, nothing else.
func (s *session) cmdUnauthenticate(c *command) error {
	if err := wire.ParseNone(c.args); err != nil {
		return err
	}
	if s.layer.active() && s.rd.Buffered() > 0 {
		return errBehindEnd
	}
	s.logout()
	s.rd.SetLimits(s.srv.opt.Limits.beforeLogin())
	s.limitLogin()
	if !s.layer.active() {
		return nil
	}
	s.enc.Raw(c.tag).Raw(" OK Logged out, compression ends here").CRLF()
	if err := s.endCompression(); err != nil {
		return err
	}
	return errAnswered
}

// cmdLogout is LOGOUT (RFC 9051 §6.1.3).
func (s *session) cmdLogout(c *command) error {
	if err := wire.ParseNone(c.args); err != nil {
		return err
	}
	s.enc.Raw("* BYE Logging out").CRLF()
	s.ending = true
	return nil
}
