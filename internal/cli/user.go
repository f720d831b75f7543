package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"roost/internal/auth"
	"roost/internal/config"
)

// passwdFile are the flags that say which file is meant.
type passwdFile struct {
	Config     string `help:"Configuration that names the passwd-file (default ${config})." placeholder:"FILE"`
	PasswdFile string `name:"passwd-file" help:"The passwd-file itself." placeholder:"FILE"`
}

func (p *passwdFile) find() (path, defaultScheme string, err error) {
	if p.PasswdFile != "" {
		if p.Config != "" {
			return "", "", usageError("name --config or --passwd-file, not both")
		}
		return p.PasswdFile, config.Default().Auth.DefaultScheme, nil
	}
	c, err := load(p.Config)
	if err != nil {
		return "", "", err
	}
	return c.Auth.PasswdFile, c.Auth.DefaultScheme, nil
}

type userCmd struct {
	Add    userAddCmd    `cmd:"" help:"Add a user."`
	Passwd userPasswdCmd `cmd:"" help:"Change a user's password."`
	List   userListCmd   `cmd:"" help:"List the users."`
	Remove userRemoveCmd `cmd:"" help:"Remove a user; mail stays where it is."`
}

// Help is shown by --help.
func (*userCmd) Help() string {
	return `The passwd-file has Dovecot's format. It is replaced at once, other lines and comments stay as they are, and a running server notices. The
password is asked for, or read from standard input:

  roost user add alice@example.org
  roost user passwd alice@example.org < password-file
  roost user add bob --scheme SCRAM-SHA-256 --config ./roost.conf
  roost user list --passwd-file ./users`
}

type userAddCmd struct {
	Name   string `arg:"" help:"Login name."`
	Scheme string `help:"How the password is stored (default ARGON2ID)." placeholder:"SCHEME"`
	passwdFile
}

// Help is shown by --help.
func (*userAddCmd) Help() string { return schemesHelp + "\n\n  roost user add alice@example.org" }

type userPasswdCmd struct {
	Name   string `arg:"" help:"Login name."`
	Scheme string `help:"How the password is stored (default: as before; ARGON2ID if that is no longer written)." placeholder:"SCHEME"`
	passwdFile
}

// Help is shown by --help.
func (*userPasswdCmd) Help() string {
	return schemesHelp + "\n\n  roost user passwd alice@example.org\n  roost user passwd alice@example.org < password-file"
}

const schemesHelp = `Schemes: ARGON2ID, BLF-CRYPT, SHA512-CRYPT, SHA256-CRYPT, SCRAM-SHA-256, SSHA512, PLAIN. SCRAM-SHA-256 lets mail programs log in without
sending the password.`

type userListCmd struct{ passwdFile }

// Help is shown by --help.
func (*userListCmd) Help() string {
	return "Each line has the name and the scheme of the password.\n\n  roost user list --config ./roost.conf"
}

type userRemoveCmd struct {
	Name string `arg:"" help:"Login name."`
	passwdFile
}

// Help is shown by --help.
func (*userRemoveCmd) Help() string { return "  roost user remove alice@example.org" }

func (c *userAddCmd) Run(std *streams) error {
	path, def, err := c.find()
	if err != nil {
		return err
	}
	if err := auth.ValidName(c.Name); err != nil {
		return err
	}
	// Before asking for a password in vain.
	users, err := auth.ListUsers(path, def)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(filepath.Dir(path)); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s does not exist; make it, or name another passwd-file with --config or --passwd-file", filepath.Dir(path))
		}
	} else if err != nil {
		return wrong(c.Name, path, err)
	}
	if slices.ContainsFunc(users, func(u auth.Listed) bool { return u.Name == c.Name }) {
		return wrong(c.Name, path, auth.ErrUserExists)
	}
	hash, err := newPassword(std, c.Name, c.Scheme)
	if err != nil {
		return err
	}
	if err := auth.AddUser(path, c.Name, hash); err != nil {
		return wrong(c.Name, path, err)
	}
	fmt.Fprintf(std.out, "added %s to %s\n", c.Name, path)
	return nil
}

// wrong is an error of using the passwd-file with what helps.
func wrong(name, path string, err error) error {
	switch {
	case errors.Is(err, auth.ErrUserExists):
		return fmt.Errorf("user %s is already in %s; change the password with `roost user passwd %s`", name, path, name)
	case errors.Is(err, auth.ErrNoUser):
		return fmt.Errorf("user %s is not in %s; see `roost user list`", name, path)
	}
	return errors.New(config.Mend("--passwd-file", err))
}

func (c *userPasswdCmd) Run(std *streams) error {
	path, def, err := c.find()
	if err != nil {
		return err
	}
	users, err := auth.ListUsers(path, def)
	if err != nil {
		return wrong(c.Name, path, err)
	}
	at := slices.IndexFunc(users, func(u auth.Listed) bool { return u.Name == c.Name })
	if at < 0 {
		return wrong(c.Name, path, auth.ErrNoUser)
	}
	scheme, old := strings.ToUpper(c.Scheme), users[at].Scheme
	if scheme == "" {
		scheme = auth.DefaultScheme
		if slices.Contains(auth.Schemes(), old) {
			scheme = old
		}
	}
	hash, err := newPassword(std, c.Name, scheme)
	if err != nil {
		return err
	}
	if err := auth.SetPassword(path, c.Name, hash); err != nil {
		return wrong(c.Name, path, err)
	}
	instead := ""
	if old != "" && old != scheme {
		instead = " instead of " + old
	}
	fmt.Fprintf(std.out, "changed the password of %s in %s, stored as %s%s\n", c.Name, path, scheme, instead)
	return nil
}

func (c *userListCmd) Run(std *streams) error {
	path, def, err := c.find()
	if err != nil {
		return err
	}
	users, err := auth.ListUsers(path, def)
	if err != nil {
		return wrong("", path, err)
	}
	for _, u := range users {
		fmt.Fprintf(std.out, "%s\t%s", u.Name, u.Scheme)
		if u.Refused != "" {
			fmt.Fprintf(std.out, "\tcannot log in: %s", u.Refused)
		}
		fmt.Fprintln(std.out)
	}
	return nil
}

func (c *userRemoveCmd) Run(std *streams) error {
	path, _, err := c.find()
	if err != nil {
		return err
	}
	if err := auth.RemoveUser(path, c.Name); err != nil {
		return wrong(c.Name, path, err)
	}
	fmt.Fprintf(std.out, "removed %s from %s\n", c.Name, path)
	return nil
}
