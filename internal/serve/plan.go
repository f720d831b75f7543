package serve

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"roost/imap"
	"roost/index"
	"roost/internal/auth"
	"roost/internal/config"
	"roost/internal/tlsconf"
	"roost/maildir"
)

// Plan is everything a server needs to run. It holds the state directory's lock until Close.
type Plan struct {
	What     string // what is served, for people: a path
	Version  string // shown to clients in ID
	Hostname string
	Config   *config.Config
	State    *State
	Cert     *tlsconf.Source
	Auth     *auth.Service
	Policy   auth.Plaintext
	Stores   *Stores
	Log      *slog.Logger

	memory shares
	budget *maildir.Budget

	// Of a single Maildir only.
	Maildir        string
	User, Password string
	PasswordFile   string // where a generated password is kept, "" when it was given
	Created        bool   // the Maildir is new
}

// Close lets go of the state directory.
func (p *Plan) Close() error { return p.State.Close() }

// Hostname is the name to go by: the configured one or the machine's.
func Hostname(configured string) string {
	if configured != "" {
		return configured
	}
	if h, err := os.Hostname(); err == nil && h != "" {
		return h
	}
	return "localhost"
}

// open does what both kinds of plan begin with.
func open(c *config.Config, stateDir string, log *slog.Logger) (p *Plan, key []byte, err error) {
	p = &Plan{Config: c, Hostname: Hostname(c.Hostname), Log: log}
	p.limitMemory()
	if p.Policy, err = auth.ParsePlaintext(c.Auth.Plaintext); err != nil {
		return nil, nil, err
	}
	if p.State, err = OpenState(stateDir); err != nil {
		return nil, nil, c.Wrong("mail.state", err)
	}
	of := "mail.state"
	if c.TLS.Cert != "" {
		of = "tls.cert"
		p.Cert, err = tlsconf.Load(c.TLS.Cert, c.TLS.Key, log)
	} else {
		if p.Cert, err = tlsconf.SelfSigned(p.State.Dir, p.Hostname, log); err == nil {
			err = p.State.Remember(tlsconf.CertName, tlsconf.KeyName)
		}
	}
	if err == nil {
		of = "mail.state"
		key, err = p.State.Secret()
	}
	if err != nil {
		p.Close()
		return nil, nil, c.Wrong(of, err)
	}
	return p, key, nil
}

func authOptions(c *config.Config, p *Plan, key []byte) auth.Options {
	return auth.Options{
		Plaintext: p.Policy, Mechanisms: c.Auth.Mechanisms, FailureDelay: time.Duration(c.Auth.FailureDelay),
		FailuresFree: c.Auth.FailuresFree, LongestWait: time.Duration(c.Auth.LongestWait), Hashing: p.memory.hashing,
		DefaultScheme: c.Auth.DefaultScheme, Key: key, Log: p.Log,
	}
}

// KeyError is what is wrong with the value of a key that only the package it is for can judge.
type KeyError struct {
	Key string
	Err error
}

// CheckKeys judges the values that config does not know the meaning of.
func CheckKeys(c *config.Config) (wrong []KeyError) {
	if err := auth.CheckScheme(c.Auth.DefaultScheme); err != nil {
		wrong = append(wrong, KeyError{"auth.default_scheme", err})
	}
	if err := index.CheckLanguages(c.Search.Languages); err != nil {
		wrong = append(wrong, KeyError{"search.languages", err})
	}
	for _, name := range c.Capabilities.Disable {
		if err := imap.CheckDisable(name); err != nil {
			wrong = append(wrong, KeyError{"capabilities.disable", err})
		}
	}
	return wrong
}

// FromConfig plans to serve what a checked configuration says.
func FromConfig(c *config.Config, log *slog.Logger) (*Plan, error) {
	for _, wrong := range CheckKeys(c) {
		return nil, c.Wrong(wrong.Key, wrong.Err)
	}
	p, key, err := open(c, c.Mail.ServerState(), log)
	if err != nil {
		return nil, err
	}
	if p.Auth, err = auth.NewFile(c.Auth.PasswdFile, authOptions(c, p, key)); err != nil {
		p.Close()
		return nil, c.Wrong("auth.passwd_file", err)
	}
	p.What = "the users of " + c.Auth.PasswdFile
	p.Stores = NewStores(func(u *auth.User) (maildir.Options, error) {
		o, err := locate(&c.Mail, &c.Limits, u)
		o.Budget = p.budget
		limitQuota(&c.Quota, u, &o, log)
		return o, err
	}, SearchOf(&p.Config.Search), log)
	return p, nil
}

// Single is one Maildir to serve without a configuration.
type Single struct {
	Maildir  string
	Listen   config.Strings
	TLS      config.Strings
	User     string // "": the operating system's name of the user
	State    string // "": DefaultState
	Password string // "": a generated one
	Open     bool   // without a sandbox
}

// FromMaildir plans to serve one Maildir to one user. One that does not exist is made when the plan is run.
func FromMaildir(o Single, log *slog.Logger) (p *Plan, err error) {
	root, fresh, err := examine(o.Maildir)
	if err != nil {
		return nil, err
	}
	c := config.Default()
	c.Listen = config.Listen{IMAP: o.Listen, IMAPS: o.TLS}
	c.Mail.Folders = config.SpecialFolders("no")
	if fresh {
		c.Mail.Folders = config.SpecialFolders("subscribe") // in a new house the rooms are furnished
	}
	c.Mail.Layout = layoutOf(root)
	c.Sandbox.Landlock = !o.Open
	if o.User == "" {
		if o.User, err = loginName(); err != nil {
			return nil, err
		}
	}
	if err := auth.ValidName(o.User); err != nil {
		return nil, fmt.Errorf("%w; choose another name with --user", err)
	}
	if o.State == "" {
		if o.State, err = DefaultState(root); err != nil {
			return nil, err
		}
	}
	if o.State, err = filepath.Abs(o.State); err != nil {
		return nil, err
	}
	if rel, err := filepath.Rel(root, o.State); err == nil && rel != ".." && !strings.HasPrefix(rel, "../") {
		return nil, fmt.Errorf("the state directory %s is inside the Maildir, where other programs would take it for mail; choose another with --state", o.State)
	}
	p, key, err := open(c, o.State, log)
	if err != nil {
		return nil, err
	}
	p.What, p.Maildir, p.User, p.Password, p.Created = root, root, o.User, o.Password, fresh
	if p.Password == "" {
		p.PasswordFile = filepath.Join(o.State, passwordName)
		if p.Password, err = p.State.Password(); err != nil {
			p.Close()
			return nil, err
		}
	}
	p.Auth = auth.NewSingle(p.User, p.Password, authOptions(c, p, key))
	options := singleOptions(root, o.State)
	options.Budget = p.budget
	p.Stores = NewStores(func(*auth.User) (maildir.Options, error) { return options, nil }, SearchOf(&p.Config.Search), log)
	return p, nil
}

// openMaildir opens a single Maildir once, and makes it if need be: what is wrong with it is said here, not to the first mail program.
func (p *Plan) openMaildir() error {
	if p.Maildir == "" {
		return nil
	}
	_, _, release, err := p.Stores.Open(&auth.User{Name: p.User})
	if err == nil {
		release()
	}
	return err
}

// singleOptions are those of a Maildir that is served without a configuration.
func singleOptions(root, state string) maildir.Options {
	c := config.Default()
	c.Mail.Layout = layoutOf(root)
	o := maildir.Options{
		Root: root, Separator: c.Mail.SeparatorByte(), State: filepath.Join(state, "mail"), Create: true,
		MaxKeywords: c.Limits.Keywords, MaxMetadata: c.Limits.MetadataEntries,
	}
	if c.Mail.Layout == "fs" {
		o.Layout = maildir.FS
	}
	return o
}

// SearchOf is what a configuration says of indexes.
func SearchOf(c *config.Search) Search {
	return Search{Enabled: c.Enabled, Memory: int(c.Memory), Languages: c.Languages, Attachments: index.Attachments(c.Attachments)}
}

// users are all who have mail here.
func (p *Plan) users() []*auth.User {
	if p.Maildir != "" {
		return []*auth.User{{Name: p.User}}
	}
	return p.Auth.Users()
}

func loginName() (string, error) {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username, nil
	}
	if name := os.Getenv("USER"); name != "" {
		return name, nil
	}
	return "", errors.New("the operating system does not say who you are; name the login with --user")
}

// examine finds out whether path is a Maildir or can become one.
func examine(path string) (root string, fresh bool, err error) {
	if root, err = filepath.Abs(path); err != nil {
		return "", false, err
	}
	fi, err := os.Stat(root)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "", false, fmt.Errorf("%s cannot be reached: permission denied; run roost as the user whose mail it is", root)
	case errors.Is(err, fs.ErrNotExist):
		return root, true, nil
	case err != nil:
		return "", false, err
	case !fi.IsDir():
		return "", false, fmt.Errorf("%s is a file, not a Maildir; name a directory, or a path that does not exist to begin a new one", root)
	}
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrPermission) {
		return "", false, fmt.Errorf("%s cannot be read: permission denied; run roost as the user whose mail it is", root)
	} else if err != nil {
		return "", false, err
	}
	if len(entries) == 0 || isMaildir(root) {
		return root, len(entries) == 0, nil
	}
	for _, e := range entries {
		if sub := filepath.Join(root, e.Name()); e.Name()[0] != '.' && isMaildir(sub) {
			return "", false, fmt.Errorf("%s is not a Maildir, but %s is one; serve that", root, sub)
		}
	}
	return "", false, fmt.Errorf("%s is not a Maildir: it is not empty and has no cur and new; name the Maildir itself, often ~/Maildir, or a path that does not exist to begin a new one", root)
}

func isMaildir(dir string) bool { return isDir(dir, "cur") && isDir(dir, "new") }

func isDir(elem ...string) bool {
	fi, err := os.Stat(filepath.Join(elem...))
	return err == nil && fi.IsDir()
}

// layoutOf guesses the layout: folders like A/cur and none like .A/cur mean fs.
func layoutOf(root string) string {
	entries, _ := os.ReadDir(root)
	has := func(dotted bool) bool {
		return slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
			return (e.Name()[0] == '.') == dotted && isDir(root, e.Name(), "cur")
		})
	}
	if has(false) && !has(true) {
		return "fs"
	}
	return "maildir++"
}
