package serve

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"roost/index"
	"roost/internal/auth"
	"roost/internal/sandbox"
	"roost/maildir"
)

// errOutside is wrapped in what says that mail is where the sandbox does not let the server go.
var errOutside = errors.New("outside of what the sandbox leaves; restart the server, or list the directory in sandbox.paths")

// sandboxed are the paths that the server needs once it listens. Directories that do not exist yet are made, since a rule cannot be made for
// what is not there.
func (p *Plan) sandboxed() (sandbox.Paths, error) {
	paths := sandbox.Paths{Write: []string{p.State.Dir}, Self: p.Config.Search.Attachments != string(index.AttachmentsNone)}
	add := func(dir string) error {
		if paths.Covers(dir) {
			return nil
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("the sandbox needs a directory: %w", err)
		}
		paths.Write = append(paths.Write, dir)
		return nil
	}
	for _, dir := range p.Config.Sandbox.Paths {
		if err := add(filepath.Clean(dir)); err != nil {
			return paths, p.Config.Wrong("sandbox.paths", err)
		}
	}
	if p.Maildir != "" {
		if err := add(p.Maildir); err != nil { // made, if it is not there
			return paths, err
		}
		dir, err := filepath.EvalSymlinks(p.Maildir)
		if err != nil {
			return paths, err
		}
		if dir = filepath.Dir(dir); dir != "/" {
			paths.Write = sandbox.Add(paths.Write, dir) // so that it can be replaced by one from a backup
		}
		return paths, nil
	}
	homes, users := p.Config.Mail.Homes(), p.Auth.Users()
	if _, err := os.Stat(homes); err == nil || len(users) == 0 { // not made when all users have homes of their own
		if err := add(homes); err != nil {
			return paths, p.Config.Wrong("mail.home", err)
		}
	}
	for _, u := range users {
		o, err := p.Stores.locate(u)
		if err != nil {
			continue // the log says so when the user logs in
		}
		// The directory that the Maildir is in, so that it can be made, and be replaced by one from a backup.
		dir := filepath.Dir(o.Root)
		if sandbox.Below(homes, o.Root) {
			dir = homes
		}
		if err := add(dir); err != nil {
			p.Log.Error("the mail of a user cannot be reached", "user", u.Name, "err", err)
		}
	}
	for _, file := range []string{p.Config.TLS.Cert, p.Config.TLS.Key, p.Config.Auth.PasswdFile} {
		if file == "" {
			continue
		}
		// Files are replaced by others of their name, so what counts is their directory, and that of what they are links to:
		// ACME clients keep links to the certificate of the day.
		paths.Read = sandbox.Add(paths.Read, filepath.Dir(file))
		if real, err := filepath.EvalSymlinks(file); err == nil {
			paths.Read = sandbox.Add(paths.Read, filepath.Dir(real))
		}
	}
	return paths, nil
}

// confine gives up the rest of the file system, and logs what is in force.
func (p *Plan) confine() error {
	if !p.Config.Sandbox.Landlock {
		p.Log.Info("no sandbox: turned off by the configuration")
		return nil
	}
	paths, err := p.sandboxed()
	if err != nil {
		return err
	}
	version, err := sandbox.Confine(paths)
	if errors.Is(err, sandbox.ErrUnsupported) {
		p.Log.Warn("no sandbox", "cause", err)
		return nil
	} else if err != nil {
		return fmt.Errorf("%w; turn it off with sandbox.landlock = false, or --no-sandbox", err)
	}
	p.Log.Info("sandbox in force", "landlock", version, "write", paths.Write, "read", paths.Read)
	p.Stores.confine(paths)
	return nil
}

// confine makes it a clear error that mail is where it cannot be reached any more.
func (s *Stores) confine(paths sandbox.Paths) {
	s.confined = true
	locate := s.locate
	s.locate = func(u *auth.User) (maildir.Options, error) {
		o, err := locate(u)
		if err == nil && !paths.Covers(o.Root) {
			err = fmt.Errorf("%s: %w", o.Root, errOutside)
		}
		return o, err
	}
}
