package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"strings"

	"github.com/xdg-go/scram"
	"github.com/xdg-go/stringprep"
)

// Names of the mechanisms (RFC 7677). PLUS binds the login to the TLS connection (RFC 5802 §6).
const (
	scramPlain = "SCRAM-SHA-256"
	scramPlus  = "SCRAM-SHA-256-PLUS"
)

// bindings are the channel bindings this connection has, by type: tls-exporter (RFC 9266) and tls-server-end-point (RFC 5929).
// tls-unique is not among them: it does not exist in TLS 1.3 and is not safe before.
func bindings(req Request) map[string]scram.ChannelBinding {
	if req.TLS == nil {
		return nil
	}
	have := map[string]scram.ChannelBinding{}
	if cb, err := scram.NewTLSExporterBinding(req.TLS); err == nil {
		have[string(cb.Type)] = cb
	}
	if len(req.Endpoint) > 0 {
		cb := scram.ChannelBinding{Type: scram.ChannelBindingTLSServerEndpoint, Data: req.Endpoint}
		have[string(cb.Type)] = cb
	}
	return have
}

// scramExchange is SCRAM-SHA-256 with or without PLUS. The steps are: client-first, client-final, and an empty response to the server's
// proof. An unknown user, and one whose stored password does not allow SCRAM, gets a challenge like any other and fails at its proof.
type scramExchange struct {
	s    *Service
	ctx  context.Context
	req  Request
	mech string

	step  int
	conv  *scram.ServerConversation
	entry *entry
	name  string // as the client wrote it
	user  *User
}

func (x *scramExchange) User() *User { return x.user }

func (x *scramExchange) Next(response []byte) ([]byte, bool, error) {
	if response == nil && x.step == 0 {
		return []byte{}, false, nil
	}
	if len(response) > maxResponse {
		return x.fail("response too long")
	}
	x.step++
	switch x.step {
	case 1:
		return x.first(string(response))
	case 2:
		return x.final(string(response))
	case 3:
		if len(response) == 0 && x.user != nil {
			return nil, true, nil
		}
		x.user = nil
	}
	return x.fail("malformed response")
}

func (x *scramExchange) first(message string) ([]byte, bool, error) {
	server, err := scram.SHA256.NewServer(x.credentials)
	if err != nil {
		return nil, false, err
	}
	flag, _, _ := strings.Cut(message, ",")
	kind, binds := strings.CutPrefix(flag, "p=")
	if binds != (x.mech == scramPlus) { // RFC 5802 §6: "p" and PLUS belong together
		return x.fail("channel binding and mechanism do not match")
	}
	have := bindings(x.req)
	if binds {
		cb, ok := have[kind]
		if !ok {
			return x.fail("channel binding " + clip(kind) + " is not available")
		}
		x.conv = server.NewConversationWithChannelBindingRequired(cb)
	} else if x.s.offers(x.req, scramPlus) == nil {
		// "y" says that the client could bind but saw no PLUS. It was offered here: somebody took it away on its way.
		x.conv = server.NewConversationWithChannelBinding(anyOf(have))
	} else {
		x.conv = server.NewConversation()
	}
	challenge, err := x.conv.Step(message)
	switch {
	case err != nil && strings.HasPrefix(flag, "y"):
		return x.fail("downgrade: the client did not see SCRAM-SHA-256-PLUS")
	case err != nil:
		return x.fail("malformed response")
	case x.conv.AuthzID() != "" && x.conv.AuthzID() != x.name:
		return x.fail("authorization as another user")
	}
	return []byte(challenge), false, nil
}

func anyOf(have map[string]scram.ChannelBinding) (cb scram.ChannelBinding) {
	for _, cb = range have {
		break
	}
	return cb
}

// credentials finds what the user's proof is checked against. The same work is done for every user.
func (x *scramExchange) credentials(name string) (scram.StoredCredentials, error) {
	t := x.s.src.table()
	x.name, x.entry = name, t.lookup(name)
	owner, password := name, "\x00" // no client can send that one
	keys := (*scramKeys)(nil)
	if x.entry != nil {
		owner = x.entry.name
		if sec := x.entry.secret; sec != nil {
			keys = sec.scram
			if sec.scheme == "PLAIN" {
				password = prepare(sec.plain)
			}
		}
	}
	made := deriveSCRAM(sha256.New, password, x.s.salt(owner, t.scramAs.salt), t.scramAs.iterations)
	if password == "\x00" {
		made.storedKey = x.s.salt("key:"+owner, sha256.Size) // matches nothing
	}
	if keys == nil {
		keys = made
	}
	return scram.StoredCredentials{
		KeyFactors: scram.KeyFactors{Salt: string(keys.salt), Iters: keys.iterations},
		StoredKey:  keys.storedKey, ServerKey: keys.serverKey,
	}, nil
}

// prepare brings a stored plain password to the form a client computes with (RFC 5802 §2.2, SASLprep); one that has none stays as it is.
func prepare(password string) string {
	if p, err := stringprep.SASLprep.Prepare(password); err == nil {
		return p
	}
	return password
}

// salt derives n octets that are always the same for a name, and that nobody without the key can tell from random ones.
func (s *Service) salt(name string, n int) []byte {
	var out []byte
	for i := uint32(0); len(out) < n; i++ {
		m := hmac.New(sha256.New, s.opt.Key)
		m.Write(binary.BigEndian.AppendUint32([]byte("scram salt"), i))
		m.Write([]byte(strings.ToLower(name)))
		out = m.Sum(out)
	}
	return out[:n]
}

func (x *scramExchange) final(message string) ([]byte, bool, error) {
	var proof string
	u, err := x.s.attempt(x.ctx, x.req, func(*address) (*entry, string, error) {
		p, err := x.conv.Step(message)
		if err != nil || !x.conv.Valid() {
			return x.entry, "wrong password", nil
		}
		proof = p
		return x.entry, "", nil
	}, x.name, x.mech)
	if err != nil {
		x.step = 99
		return nil, false, err
	}
	x.user = u
	return []byte(proof), false, nil
}

// fail ends the exchange like a failed login.
func (x *scramExchange) fail(why string) ([]byte, bool, error) {
	x.step, x.user = 99, nil
	_, err := x.s.attempt(x.ctx, x.req, func(*address) (*entry, string, error) { return &entry{}, why, nil }, x.name, x.mech)
	return nil, false, err
}
