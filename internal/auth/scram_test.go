package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/xdg-go/scram"
)

const scramUsers = `alice:{SCRAM-SHA-256}4096,xurwW7prpTbsBqFrUzifXQ==,T2byvFnqzhAy/cZ5dFVUsuNu0dRNOLcm/952ooHfTdY=,qIgxtbyJDIjQwi5XBW7Du1Zeh3h4uKIRU5N3rSCOfpA=
bob:{PLAIN}secret
carol:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=
`

// tlsPair makes a TLS connection and returns what both sides know of it.
func tlsPair(t *testing.T, version uint16) (server, client tls.ConnectionState, endpoint []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	a, b := net.Pipe()
	t.Cleanup(func() { a.Close(); b.Close() })
	sc := tls.Server(a, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MaxVersion: version, SessionTicketsDisabled: true})
	cc := tls.Client(b, &tls.Config{InsecureSkipVerify: true, MaxVersion: version})
	done := make(chan error, 1)
	go func() { done <- sc.Handshake() }()
	if err := cc.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(der)
	return sc.ConnectionState(), cc.ConnectionState(), sum[:]
}

// converse runs a client's conversation with the server.
func converse(t *testing.T, s *Service, req Request, mech string, client *scram.ClientConversation) (*User, error) {
	t.Helper()
	x, err := s.Start(t.Context(), req, mech)
	if err != nil {
		return nil, err
	}
	challenge, done, err := x.Next(nil)
	if err != nil || done || len(challenge) != 0 {
		t.Fatalf("start: %q, %v, %v", challenge, done, err)
	}
	message := ""
	for range 5 {
		if !client.Done() {
			if message, err = client.Step(string(challenge)); err != nil {
				t.Fatalf("the client refuses %q: %v", challenge, err)
			}
		}
		if challenge, done, err = x.Next([]byte(message)); err != nil {
			if x.User() != nil {
				t.Fatal("a user after an error")
			}
			return nil, err
		}
		if done {
			if !client.Valid() {
				t.Fatal("the client did not see the server's proof")
			}
			return x.User(), nil
		}
		if x.User() != nil && !strings.HasPrefix(string(challenge), "v=") {
			t.Fatalf("logged in by %q", challenge)
		}
	}
	t.Fatal("no end")
	return nil, nil
}

func client(t *testing.T, user, password, authzid string) *scram.Client {
	t.Helper()
	c, err := scram.SHA256.NewClient(user, password, authzid)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSCRAM(t *testing.T) {
	s, _ := serve(t, scramUsers, Options{})
	for _, user := range []string{"alice", "bob", "Bob"} {
		u, err := converse(t, s, remote, scramPlain, client(t, user, "secret", "").NewConversation())
		if err != nil || u.Name != strings.ToLower(user) {
			t.Errorf("%s: %v, %v", user, u, err)
		}
	}
	if _, err := converse(t, s, remote, scramPlain, client(t, "bob", "secret", "bob").NewConversation()); err != nil {
		t.Errorf("authorization as himself: %v", err)
	}
	for _, c := range [][3]string{{"alice", "wrong", ""}, {"bob", "wrong", ""}, {"carol", "secret", ""}, {"nobody", "secret", ""}, {"bob", "secret", "alice"}} {
		if u, err := converse(t, s, remote, scramPlain, client(t, c[0], c[1], c[2]).NewConversation()); err != ErrFailed || u != nil {
			t.Errorf("%v: %v, %v", c, u, err)
		}
	}
}

// challengeOf returns salt and iteration count a stranger sees.
func challengeOf(t *testing.T, s *Service, user string) (salt, count string) {
	t.Helper()
	x, err := s.Start(t.Context(), remote, scramPlain)
	if err != nil {
		t.Fatal(err)
	}
	c, done, err := x.Next([]byte("n,,n=" + user + ",r=abcdef"))
	f := strings.Split(string(c), ",")
	if err != nil || done || len(f) != 3 {
		t.Fatalf("%s: %q, %v, %v", user, c, done, err)
	}
	return f[1], f[2]
}

func TestSCRAMShowsNoUsers(t *testing.T) {
	key := []byte("0123456789abcdef")
	s, _ := serve(t, scramUsers, Options{Key: key})
	again, _ := serve(t, scramUsers, Options{Key: key})
	other, _ := serve(t, scramUsers, Options{Key: []byte("other")})
	seen := map[string]bool{}
	for _, user := range []string{"alice", "bob", "carol", "nobody", "nobody2"} {
		salt, count := challengeOf(t, s, user)
		if raw, err := base64.StdEncoding.DecodeString(salt[2:]); err != nil || len(raw) != 16 || count != "i=4096" {
			t.Errorf("%s: %s %s", user, salt, count)
		}
		if seen[salt] {
			t.Errorf("%s: the salt of somebody else", user)
		}
		seen[salt] = true
		if second, _ := challengeOf(t, s, user); second != salt {
			t.Errorf("%s: the salt changes", user)
		}
		if second, _ := challengeOf(t, again, user); second != salt {
			t.Errorf("%s: the salt changes with a restart", user)
		}
		if second, _ := challengeOf(t, other, user); second == salt && user != "alice" {
			t.Errorf("%s: the salt can be computed by anybody", user)
		}
	}
	a, _ := challengeOf(t, s, "bob")
	if b, _ := challengeOf(t, s, "BOB"); a != b {
		t.Error("the salt depends on the case of the name")
	}
}

func TestChannelBinding(t *testing.T) {
	s, _ := serve(t, scramUsers, Options{})
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		server, peer, endpoint := tlsPair(t, version)
		req := Request{Remote: remote.Remote, TLS: &server, Endpoint: endpoint}
		if got := s.Mechanisms(req); !slices.Equal(got, []string{scramPlus, scramPlain, "PLAIN", "LOGIN"}) {
			t.Fatalf("mechanisms %v", got)
		}
		exporter, err := scram.NewTLSExporterBinding(&peer)
		if err != nil {
			t.Fatal(err)
		}
		end, err := scram.NewTLSServerEndpointBinding(&peer)
		if err != nil {
			t.Fatal(err)
		}
		for _, cb := range []scram.ChannelBinding{exporter, end} {
			for _, user := range []string{"alice", "bob"} {
				if u, err := converse(t, s, req, scramPlus, client(t, user, "secret", "").NewConversationWithChannelBinding(cb)); err != nil || u.Name != user {
					t.Errorf("%s by %s: %v", user, cb.Type, err)
				}
			}
			// The same binding of another connection: somebody in between.
			elsewhere := cb
			elsewhere.Data = slices.Clone(cb.Data)
			elsewhere.Data[0] ^= 1
			if _, err := converse(t, s, req, scramPlus, client(t, "alice", "secret", "").NewConversationWithChannelBinding(elsewhere)); err != ErrFailed {
				t.Errorf("faked %s: %v", cb.Type, err)
			}
			// "p" belongs to PLUS only.
			if _, err := converse(t, s, req, scramPlain, client(t, "alice", "secret", "").NewConversationWithChannelBinding(cb)); err != ErrFailed {
				t.Errorf("binding without PLUS: %v", err)
			}
			// A type whose data would be those of another.
			confused := cb
			confused.Type = map[scram.ChannelBindingType]scram.ChannelBindingType{exporter.Type: end.Type, end.Type: exporter.Type}[cb.Type]
			if _, err := converse(t, s, req, scramPlus, client(t, "alice", "secret", "").NewConversationWithChannelBinding(confused)); err != ErrFailed {
				t.Errorf("confused types: %v", err)
			}
		}
		unique := scram.NewTLSUniqueBinding([]byte("x"))
		if _, err := converse(t, s, req, scramPlus, client(t, "alice", "secret", "").NewConversationWithChannelBinding(unique)); err != ErrFailed {
			t.Errorf("tls-unique: %v", err)
		}
		// The client could bind but was not shown PLUS.
		if _, err := converse(t, s, req, scramPlain, client(t, "alice", "secret", "").NewConversationAdvertisingChannelBinding()); err != ErrFailed {
			t.Errorf("downgrade: %v", err)
		}
		if _, err := converse(t, s, req, scramPlus, client(t, "alice", "secret", "").NewConversation()); err != ErrFailed {
			t.Errorf("PLUS without binding: %v", err)
		}
		if _, err := converse(t, s, req, scramPlain, client(t, "alice", "secret", "").NewConversation()); err != nil {
			t.Errorf("a client that cannot bind: %v", err)
		}
		// The server's own certificate is not known: only the exporter is there.
		req.Endpoint = nil
		if _, err := converse(t, s, req, scramPlus, client(t, "alice", "secret", "").NewConversationWithChannelBinding(end)); err != ErrFailed {
			t.Errorf("unknown end point: %v", err)
		}
	}
	// Without TLS there is nothing to bind to, and "y" is true.
	if slices.Contains(s.Mechanisms(local), scramPlus) {
		t.Error("PLUS without TLS")
	}
	if _, err := s.Start(t.Context(), local, scramPlus); err != ErrFailed {
		t.Errorf("PLUS without TLS: %v", err)
	}
	if _, err := converse(t, s, local, scramPlain, client(t, "alice", "secret", "").NewConversationAdvertisingChannelBinding()); err != nil {
		t.Errorf("y without PLUS: %v", err)
	}
	// PLUS switched off by configuration.
	server, _, endpoint := tlsPair(t, tls.VersionTLS13)
	s.opt.Mechanisms = []string{scramPlain}
	req := Request{Remote: remote.Remote, TLS: &server, Endpoint: endpoint}
	if _, err := converse(t, s, req, scramPlain, client(t, "alice", "secret", "").NewConversationAdvertisingChannelBinding()); err != nil {
		t.Errorf("y with PLUS switched off: %v", err)
	}
}

func TestSCRAMHiddenWithoutCredentials(t *testing.T) {
	s, _ := serve(t, "carol:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n", Options{})
	if got := s.Mechanisms(local); !slices.Equal(got, []string{"PLAIN", "LOGIN"}) {
		t.Errorf("mechanisms %v", got)
	}
}

func FuzzSCRAM(f *testing.F) {
	f.Add("n,,n=bob,r=abc", "c=biws,r=abc,p=AAAA")
	f.Add("p=tls-exporter,a=x,n=b=2Cob,r=abc", "")
	s := NewSingle("bob", "secret", Options{Log: quiet})
	s.pause = (&pauses{}).pause
	f.Fuzz(func(t *testing.T, first, final string) {
		x, err := s.Start(t.Context(), remote, scramPlain)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range []string{first, final, ""} {
			_, done, err := x.Next([]byte(m))
			if done || x.User() != nil {
				t.Fatal("logged in without a proof")
			}
			if err != nil {
				break
			}
		}
	})
}
