package auth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	local  = Request{Remote: netip.MustParseAddr("127.0.0.1")}
	remote = Request{Remote: netip.MustParseAddr("192.0.2.7")}
)

// serve makes a Service over a passwd-file, and notes its pauses instead of making them.
func serve(t *testing.T, passwd string, o Options) (*Service, *pauses) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users")
	if err := os.WriteFile(path, []byte(passwd), 0o600); err != nil {
		t.Fatal(err)
	}
	o.Log = quiet
	s, err := NewFile(path, o)
	if err != nil {
		t.Fatal(err)
	}
	p := &pauses{}
	s.pause = p.pause
	return s, p
}

type pauses struct {
	mu  sync.Mutex
	all []time.Duration
}

func (p *pauses) pause(ctx context.Context, d time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d > 0 {
		p.all = append(p.all, d)
	}
	return ctx.Err()
}

func (p *pauses) take() []time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer func() { p.all = nil }()
	return p.all
}

func TestPassword(t *testing.T) {
	s, p := serve(t, sample, Options{FailureDelay: 2 * time.Second})
	ctx := t.Context()
	for _, user := range []string{"alice", "ALICE", "bob", "heidi", "ivan"} {
		if u, err := s.Password(ctx, local, user, "secret"); err != nil || u == nil {
			t.Errorf("%s: %v", user, err)
		}
	}
	if got := p.take(); len(got) != 0 {
		t.Errorf("successful logins were delayed: %v", got)
	}
	outside := Request{Remote: netip.MustParseAddr("192.0.2.1")}
	s.opt.Plaintext = PlaintextAlways
	if _, err := s.Password(ctx, outside, "alice", "secret"); err != ErrFailed {
		t.Errorf("alice from outside her networks: %v", err)
	}
	p.take()
	for _, c := range [][2]string{
		{"nobody", "secret"}, {"alice", "wrong"}, {"alice", ""}, {"alice", "second"}, {"", "secret"}, {"carol", "secret"}, {"dave", "secret"}, {"erin", "secret"},
		{"frank", "x"}, {"grace", ""}, {"../x", "secret"}, {"judy", "secret"}, {"alice", "secret\x00"}, {"alice", strings.Repeat("x", 2000)},
	} {
		s.backoff = newBackoff(4, 15*time.Second)
		if u, err := s.Password(ctx, local, c[0], c[1]); err != ErrFailed || u != nil {
			t.Errorf("%q with %q: %v, %v", c[0], c[1], u, err)
		}
		if got := p.take(); !slices.Equal(got, []time.Duration{2 * time.Second}) {
			t.Errorf("%q with %q: delays %v", c[0], c[1], got)
		}
	}
}

func TestPlaintextPolicy(t *testing.T) {
	for policy, want := range map[Plaintext][2]bool{PlaintextLoopback: {true, false}, PlaintextNever: {false, false}, PlaintextAlways: {true, true}} {
		s, _ := serve(t, sample, Options{Plaintext: policy})
		for i, req := range []Request{local, remote} {
			_, err := s.Password(t.Context(), req, "bob", "secret")
			if (err == nil) != want[i] || err != nil && err != ErrPrivacyRequired {
				t.Errorf("policy %d from %s: %v", policy, req.Remote, err)
			}
			_, err = s.Start(t.Context(), req, "PLAIN")
			if (err == nil) != want[i] || err != nil && err != ErrPrivacyRequired {
				t.Errorf("policy %d from %s: PLAIN: %v", policy, req.Remote, err)
			}
			if slices.Contains(s.Mechanisms(req), "PLAIN") != want[i] || slices.Contains(s.Mechanisms(req), "LOGIN") != want[i] {
				t.Errorf("policy %d from %s: %v", policy, req.Remote, s.Mechanisms(req))
			}
		}
	}
}

// The work done for unknown users is counted, not timed.
func TestUnknownUserCostsTheSame(t *testing.T) {
	s, _ := serve(t, sample, Options{})
	var work []string
	spy := func(kind string) *secret {
		return &secret{kind: kind, stored: kind, heavy: true, verify: func(_, p string) bool { work = append(work, kind); return p == "secret" }}
	}
	table := &table{entries: map[string]*entry{}}
	for name, kind := range map[string]string{"a": "rare", "b": "common", "c": "common", "d": "common"} {
		table.entries[name] = &entry{name: name, secret: spy(kind)}
	}
	table.entries["none"] = &entry{name: "none", refused: "no password"}
	table.survey()
	s.src = fixed{table}
	for _, c := range []struct{ user, password string }{{"b", "wrong"}, {"nobody", "wrong"}, {"nobody", "secret"}, {"none", "secret"}, {"c", ""}, {"nobody", ""}} {
		work = nil
		if _, err := s.Password(t.Context(), local, c.user, c.password); err != ErrFailed {
			t.Errorf("%v: %v", c, err)
		}
		if !slices.Equal(work, []string{"common"}) {
			t.Errorf("%v: work %v", c, work)
		}
	}
	if len(s.cache.right) != 0 {
		t.Error("a failed login is remembered")
	}
	s.src = fixed{newTable()}
	if _, err := s.Password(t.Context(), local, "nobody", "x"); err != ErrFailed {
		t.Errorf("empty table: %v", err)
	}
}

func newTable() *table { t, _ := parseTable(nil, "CRYPT"); return t }

func TestCache(t *testing.T) {
	s, _ := serve(t, "x:{PLAIN}x\n", Options{})
	var hashed atomic.Int32
	table := &table{entries: map[string]*entry{}}
	for _, name := range []string{"alice", "bob"} {
		table.entries[name] = &entry{name: name, secret: &secret{stored: "same", kind: "k", heavy: true, verify: func(user, p string) bool {
			hashed.Add(1)
			return p == "secret of "+user
		}}}
	}
	table.survey()
	s.src = fixed{table}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := s.Password(context.Background(), local, "alice", "secret of alice"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := hashed.Load(); n != 1 {
		t.Errorf("20 connections hashed %d times", n)
	}
	// The same stored secret and password of another user do not match.
	if _, err := s.Password(t.Context(), local, "bob", "secret of alice"); err != ErrFailed {
		t.Errorf("bob with alice's password: %v", err)
	}
	now := &clock{t: time.Now()}
	s.cache.now = now.now
	now.forward(cacheTime + time.Second)
	before := hashed.Load()
	s.Password(t.Context(), local, "alice", "secret of alice")
	if hashed.Load() != before+1 {
		t.Error("a remembered password never expires")
	}
	// A changed entry.
	table.entries["alice"].secret = &secret{stored: "new", kind: "k", heavy: true, verify: func(_, _ string) bool { return false }}
	if _, err := s.Password(t.Context(), local, "alice", "secret of alice"); err != ErrFailed {
		t.Errorf("the old password of a changed entry: %v", err)
	}
	c := newCache(100, time.Hour)
	for i := range 1000 {
		c.add(c.id(fmt.Sprint(i), "", ""))
	}
	if len(c.right) > 100 {
		t.Errorf("%d remembered passwords", len(c.right))
	}
	if c.id("a", "b", "c") == c.id("ab", "", "c") || c.id("a", "b", "c") == c.id("a", "bc", "") {
		t.Error("texts run into each other")
	}
}

func TestHashingIsBounded(t *testing.T) {
	s, _ := serve(t, "x:{PLAIN}x\n", Options{Plaintext: PlaintextAlways})
	s.hashing = make(chan struct{}, 3)
	var at, most atomic.Int32
	table := &table{entries: map[string]*entry{"a": {name: "a", secret: &secret{heavy: true, verify: func(_, _ string) bool {
		if n := at.Add(1); n > most.Load() {
			most.Store(n)
		}
		time.Sleep(time.Millisecond)
		at.Add(-1)
		return false
	}}}}}
	table.survey()
	s.src = fixed{table}
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			s.Password(context.Background(), Request{Remote: netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})}, "a", "x")
		})
	}
	wg.Wait()
	if most.Load() > 3 {
		t.Errorf("%d passwords hashed at once", most.Load())
	}
	at.Store(0)
	most.Store(0)
	for range 20 {
		wg.Go(func() { s.Password(context.Background(), remote, "a", "x") })
	}
	wg.Wait()
	if most.Load() != 1 {
		t.Errorf("one address hashed %d passwords at once", most.Load())
	}
	// Who waits goes when his connection does.
	s.hashing <- struct{}{}
	s.hashing <- struct{}{}
	s.hashing <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Password(ctx, local, "a", "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for its turn: %v", err)
	}
}

func TestHashingOption(t *testing.T) {
	if s := newService(Options{Hashing: 1}); cap(s.hashing) != 1 {
		t.Errorf("%d passwords are hashed at the same time", cap(s.hashing))
	}
	if s := newService(Options{Hashing: 1000}); cap(s.hashing) < 2 || cap(s.hashing) > 8 {
		t.Errorf("%d passwords are hashed at the same time", cap(s.hashing))
	}
}

func TestBackoff(t *testing.T) {
	const freeFailures, longestWait = 3, 7 * time.Second
	s, p := serve(t, sample, Options{Plaintext: PlaintextAlways, FailuresFree: freeFailures, LongestWait: longestWait})
	now := &clock{t: time.Now()}
	s.backoff.now = now.now
	for range 100 {
		s.Password(t.Context(), remote, "bob", "wrong")
	}
	waits := p.take()
	if len(waits) != 100-freeFailures || waits[0] != firstWait || waits[len(waits)-1] != longestWait {
		t.Errorf("waits: %v", waits)
	}
	if _, err := s.Password(t.Context(), local, "bob", "secret"); err != nil {
		t.Errorf("another address: %v", err)
	}
	if got := p.take(); len(got) != 0 {
		t.Errorf("another address waits %v", got)
	}
	if _, err := s.Password(t.Context(), remote, "bob", "secret"); err != nil {
		t.Errorf("the right password after many wrong ones: %v", err)
	}
	if got := p.take(); len(got) != 1 {
		t.Errorf("a right password does not wait: %v", got)
	}
	now.forward((keptFailures + freeFailures) * forgetAfter)
	s.Password(t.Context(), remote, "bob", "secret")
	if got := p.take(); len(got) != 0 {
		t.Errorf("failures are never forgotten: %v", got)
	}
	s.backoff = newBackoff(1, longestWait)
	fresh := Request{Remote: netip.MustParseAddr("192.0.2.99")}
	if _, err := s.Password(t.Context(), fresh, "bob", "secret"); err != nil || len(p.take()) != 0 {
		t.Errorf("an address that never failed waits: %v", err)
	}
	// Many connections do not make an address that fails much faster.
	b := newBackoff(1, longestWait)
	many := make([]*address, 10*together)
	for i := range many {
		many[i] = b.enter(remote.Remote)
		if w := b.wait(many[i]); w != 0 {
			t.Fatalf("waits %v without a failure", w)
		}
	}
	for range 20 {
		b.leave(remote.Remote, b.enter(remote.Remote), true, false)
	}
	if w := b.wait(many[0]); w != 10*longestWait {
		t.Errorf("%d tries at the same time wait %v each", len(many), w)
	}
	s.backoff = newBackoff(freeFailures, 0)
	for range 10 {
		s.Password(t.Context(), remote, "bob", "wrong")
	}
	if got := p.take(); len(got) != 0 {
		t.Errorf("waits that are turned off: %v", got)
	}
	b = newBackoff(4, 15*time.Second)
	for i := range 3 * maxAddresses {
		from := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		b.leave(from, b.enter(from), true, false)
	}
	if len(b.addrs) > maxAddresses {
		t.Errorf("%d addresses remembered", len(b.addrs))
	}
	if keyOf(netip.MustParseAddr("2001:db8::1%eth0")) != keyOf(netip.MustParseAddr("2001:db8::ffff")) || keyOf(netip.MustParseAddr("::ffff:1.2.3.4")) != keyOf(netip.MustParseAddr("1.2.3.4")) {
		t.Error("addresses of one customer are not the same")
	}
	if !keyOf(netip.Addr{}).IsValid() {
		f := b.enter(netip.Addr{}) // a connection without an address
		b.leave(netip.Addr{}, f, true, false)
	}
}

func TestPlainAndLogin(t *testing.T) {
	s, _ := serve(t, sample, Options{})
	for _, c := range []struct {
		mech  string
		steps []string // response; "<nil>" for none
		want  []string // challenges before the end
		ok    bool
	}{
		{"PLAIN", []string{"\x00bob\x00secret"}, nil, true},
		{"plain", []string{"bob\x00bob\x00secret"}, nil, true},
		{"PLAIN", []string{"<nil>", "\x00bob\x00secret"}, []string{""}, true},
		{"PLAIN", []string{"alice\x00bob\x00secret"}, nil, false},
		{"PLAIN", []string{"\x00bob\x00wrong"}, nil, false},
		{"PLAIN", []string{"bob\x00secret"}, nil, false},
		{"PLAIN", []string{""}, nil, false},
		{"PLAIN", []string{"\x00bob\x00secret\x00"}, nil, false},
		{"PLAIN", []string{"\x00bob\x00" + strings.Repeat("x", 10000)}, nil, false},
		{"LOGIN", []string{"<nil>", "bob", "secret"}, []string{"Username:", "Password:"}, true},
		{"LOGIN", []string{"bob", "secret"}, []string{"Password:"}, true},
		{"LOGIN", []string{"bob", "wrong"}, []string{"Password:"}, false},
		{"LOGIN", []string{"bob", ""}, []string{"Password:"}, false},
	} {
		s.backoff = newBackoff(4, 15*time.Second)
		x, err := s.Start(t.Context(), local, c.mech)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		done := false
		for _, r := range c.steps {
			var response, challenge []byte
			if r != "<nil>" {
				response = []byte(r)
			}
			if challenge, done, err = x.Next(response); done || err != nil {
				break
			}
			got = append(got, string(challenge))
		}
		if done != c.ok || (err == nil) != c.ok || !slices.Equal(got, c.want) || (x.User() != nil) != c.ok {
			t.Errorf("%s %q: challenges %q, done %v, %v", c.mech, c.steps, got, done, err)
		}
	}
	if _, err := s.Start(t.Context(), local, "GSSAPI"); err != ErrFailed {
		t.Errorf("unknown mechanism: %v", err)
	}
}

func TestSingle(t *testing.T) {
	s := NewSingle("me", "pass word", Options{Log: quiet})
	if u, err := s.Password(t.Context(), local, "me", "pass word"); err != nil || u.Name != "me" {
		t.Errorf("%+v, %v", u, err)
	}
	if _, err := s.Password(t.Context(), local, "me", "password"); err != ErrFailed {
		t.Error(err)
	}
	s.Reload()
}

func TestFind(t *testing.T) {
	s, _ := serve(t, "alice:{PLAIN}x::::/home/alice::roost_submission=yes\nlogin:{PLAIN}x::::::user=bob\nbroken:{NOSUCH}x\n", Options{})
	if u := s.Find("alice"); u == nil || u.Home != "/home/alice" || u.Extra["roost_submission"] != "yes" {
		t.Errorf("%+v", u)
	}
	for _, name := range []string{"Alice", "login", "broken", "nobody", ""} {
		if u := s.Find(name); u != nil {
			t.Errorf("%s is %+v", name, u)
		}
	}
}
