package auth

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Options configure a Service. The zero value of every field is usable.
type Options struct {
	Plaintext     Plaintext
	Mechanisms    []string      // offered ones, in order of preference; nil: AllMechanisms
	FailureDelay  time.Duration // before a failure is answered
	FailuresFree  int           // with so many failures an address has to wait before its next try; less than 1 is 1
	LongestWait   time.Duration // before a try of an address that keeps failing; 0: none waits
	Hashing       int           // passwords hashed at the same time, of which one takes up to 64 MiB as `roost user` hashes; 0: by processors
	DefaultScheme string        // of passwords in the passwd-file that name none; "": CRYPT
	// Key makes the SCRAM salts of users that do not exist. It should be secret and stay the same over restarts; nil: a random one.
	Key []byte
	Log *slog.Logger // nil: slog.Default()
}

// AllMechanisms are the SASL mechanisms known, in order of preference.
var AllMechanisms = []string{scramPlus, scramPlain, "PLAIN", "LOGIN"}

// Limits of one login.
const (
	maxPassword = 1024 // octets; some hashes take time by the square of it
	maxResponse = 8192 // octets of one SASL response
	cacheSize   = 10_000
	cacheTime   = 10 * time.Minute
)

// Service is the Authenticator. Safe for concurrent use.
type Service struct {
	opt     Options
	src     source
	cache   *cache
	backoff *backoff
	hashing chan struct{} // a token for each password that may be hashed at the same time
	empty   *secret       // what unknown users are verified against in a table without users
	pause   func(context.Context, time.Duration) error
}

// NewFile serves the users of a passwd-file; an error when that cannot be read. Later changes of the file are noticed within about a second.
func NewFile(path string, o Options) (*Service, error) {
	s := newService(o)
	f, err := openFile(path, s.opt.DefaultScheme, s.opt.Log)
	if err != nil {
		return nil, err
	}
	s.src = f
	return s, nil
}

// NewSingle serves one user whose password is given. The name and password must not be empty.
func NewSingle(user, password string, o Options) *Service {
	s := newService(o)
	e := &entry{name: user, fields: map[string]string{}}
	var err error
	if e.secret, err = parseSecret("{PLAIN}"+password, ""); err != nil {
		e.refused = err.Error()
	}
	t := &table{entries: map[string]*entry{user: e}}
	t.survey()
	s.src = fixed{t}
	return s
}

func newService(o Options) *Service {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Mechanisms == nil {
		o.Mechanisms = AllMechanisms
	}
	if o.DefaultScheme == "" {
		o.DefaultScheme = "CRYPT"
	}
	if o.Key == nil {
		o.Key = make([]byte, 32)
		rand.Read(o.Key)
	}
	// The memory of hashing is bounded with it: 8 × 64 MiB of argon2id at most.
	slots := min(max(2, runtime.NumCPU()), 8)
	if o.Hashing > 0 {
		slots = min(slots, o.Hashing)
	}
	return &Service{
		opt: o, cache: newCache(cacheSize, cacheTime), backoff: newBackoff(o.FailuresFree, o.LongestWait), hashing: make(chan struct{}, slots),
		empty: emptySecret(), pause: pause,
	}
}

// Reload looks at the passwd-file now and forgets remembered passwords (SIGHUP).
func (s *Service) Reload() {
	s.src.reload()
	s.cache.clear()
}

// Users are those that can log in at the moment, in no order.
func (s *Service) Users() []*User { return s.src.table().users() }

// Find returns the user of exactly this name that can log in at the moment, nil when there is none.
func (s *Service) Find(name string) *User {
	e := s.src.table().lookup(name)
	if e == nil || e.refused != "" {
		return nil
	}
	if u := e.user(); u.Name == name {
		return u
	}
	return nil
}

// Password implements Authenticator.
func (s *Service) Password(ctx context.Context, req Request, user, password string) (*User, error) {
	if !s.opt.Plaintext.Allows(req) {
		return nil, ErrPrivacyRequired
	}
	return s.attempt(ctx, req, func(a *address) (*entry, string, error) {
		t := s.src.table()
		e := t.lookup(user)
		ok, err := s.verify(ctx, a, t, e, password)
		if err != nil || !ok {
			return e, "wrong password", err
		}
		return e, "", nil
	}, user, "PLAIN")
}

// attempt runs one login: the wait that earlier failures of the address earned, the check, the rules of the entry, and the answer. check
// returns why it failed, "" when it succeeded; an entry of nil is an unknown user.
func (s *Service) attempt(ctx context.Context, req Request, check func(*address) (*entry, string, error), user, mech string) (u *User, err error) {
	a := s.backoff.enter(req.Remote)
	failed := false
	defer func() { s.backoff.leave(req.Remote, a, failed, u != nil) }()
	if err := s.pause(ctx, s.backoff.wait(a)); err != nil {
		return nil, err
	}
	failed = true // also when the client goes away meanwhile
	e, why, err := check(a)
	switch {
	case err != nil:
		return nil, err
	case e == nil:
		why = "unknown user"
	case why != "":
	case e.refused != "":
		why = e.refused
	case !e.admits(req.Remote):
		why = "not allowed from this address (allow_nets)"
	}
	if why == "" {
		failed = false
		u := e.user()
		s.opt.Log.Info("login", "user", u.Name, "remote", addr(req.Remote), "mechanism", mech, "tls", req.TLS != nil)
		return u, nil
	}
	s.opt.Log.Warn("login failed", "user", clip(user), "remote", addr(req.Remote), "mechanism", mech, "reason", why)
	if err := s.pause(ctx, s.opt.FailureDelay); err != nil {
		return nil, err
	}
	return nil, ErrFailed
}

// verify tells whether e has this password. For an unknown user, and for one without a password, the work is done on another secret.
func (s *Service) verify(ctx context.Context, a *address, t *table, e *entry, password string) (bool, error) {
	sec, real, name := s.empty, false, ""
	if t.dummy != nil {
		sec = t.dummy
	}
	if e != nil && e.secret != nil {
		sec, real, name = e.secret, true, e.name
	}
	// Never right, whatever the scheme says: crypt(3) would end at the NUL.
	if password == "" || len(password) > maxPassword || strings.IndexByte(password, 0) >= 0 {
		password, real = "x", false
	}
	if !sec.heavy {
		return sec.verify(name, password) && real, nil
	}
	// The address waits for its turn first, so that one address never holds more than one of the process's tokens; what it tried
	// meanwhile may be remembered by then.
	for _, token := range []chan struct{}{a.turn, s.hashing} {
		select {
		case token <- struct{}{}:
			defer func() { <-token }()
		case <-ctx.Done():
			return false, ctx.Err()
		}
		if id := s.cache.id(name, sec.stored, password); real && s.cache.has(id) {
			return true, nil
		}
	}
	if !sec.verify(name, password) || !real {
		return false, nil
	}
	s.cache.add(s.cache.id(name, sec.stored, password))
	return true, nil
}

// Mechanisms implements Authenticator.
func (s *Service) Mechanisms(req Request) []string {
	usable := make([]string, 0, len(s.opt.Mechanisms))
	for _, m := range s.opt.Mechanisms {
		if s.offers(req, m) == nil {
			usable = append(usable, m)
		}
	}
	return usable
}

// offers tells whether a mechanism may be used on this connection.
func (s *Service) offers(req Request, mech string) error {
	if !slices.Contains(s.opt.Mechanisms, mech) {
		return ErrFailed
	}
	switch mech {
	case "PLAIN", "LOGIN":
		if !s.opt.Plaintext.Allows(req) {
			return ErrPrivacyRequired
		}
		return nil
	case scramPlus:
		if s.src.table().scram && len(bindings(req)) > 0 {
			return nil
		}
	case scramPlain:
		if s.src.table().scram {
			return nil
		}
	}
	return ErrFailed
}

// Start implements Authenticator.
func (s *Service) Start(ctx context.Context, req Request, mech string) (Exchange, error) {
	mech = strings.ToUpper(mech)
	if err := s.offers(req, mech); err != nil {
		return nil, err
	}
	switch mech {
	case "PLAIN":
		return &plainExchange{login: login{s: s, ctx: ctx, req: req}}, nil
	case "LOGIN":
		return &loginExchange{login: login{s: s, ctx: ctx, req: req}}, nil
	}
	return &scramExchange{s: s, ctx: ctx, req: req, mech: mech}, nil
}

func addr(a netip.Addr) string { return a.Unmap().String() }

// clip keeps what a stranger calls himself short in the log; people type passwords there, too.
func clip(user string) string {
	if len(user) > 100 {
		return strings.ToValidUTF8(user[:100], "") + "…"
	}
	return user
}
