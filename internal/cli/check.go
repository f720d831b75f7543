package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"roost/internal/auth"
	"roost/internal/config"
	"roost/internal/serve"
	"roost/internal/tlsconf"
)

type checkCmd struct {
	Config string `help:"Configuration to check (default ${config})." placeholder:"FILE"`
}

// Help is shown by --help.
func (*checkCmd) Help() string {
	return `Everything that is wrong is reported at once, each with its place and how to mend it, and the exit status is 1. When nothing is,
what would be served is printed and the exit status is 0.

  roost check
  roost check --config ./roost.conf`
}

func (c *checkCmd) Run(std *streams) error {
	file := c.Config
	if file == "" {
		file = DefaultConfig
	}
	conf, err := config.Load(file)
	if err != nil {
		return err
	}
	problems := append(conf.Check(), conf.Doubts()...)
	users, more := surroundings(conf, file)
	if problems = append(problems, more...); len(problems) > 0 {
		problems.Sort()
		return problems
	}
	summary(std.out, conf, file, users)
	return nil
}

// surroundings looks at the files a configuration names.
func surroundings(c *config.Config, file string) (users []*auth.User, problems config.Problems) {
	problem := func(key, format string, args ...any) {
		if c.Unread(key) {
			return // told already
		}
		problems = append(problems, config.Problem{File: file, Line: c.Line(key), Key: key, Text: fmt.Sprintf(format, args...)})
	}
	if filepath.IsAbs(c.Auth.PasswdFile) && !c.Unread("auth.passwd_file") {
		var lines []auth.Problem
		var err error
		users, lines, err = auth.CheckFile(c.Auth.PasswdFile, c.Auth.DefaultScheme)
		switch {
		case err != nil:
			problem("auth.passwd_file", "%s", config.Mend("auth.passwd_file", err))
		case len(users) == 0 && len(lines) == 0:
			problem("auth.passwd_file", "%s has no users; add one with `roost user add NAME`", c.Auth.PasswdFile)
		}
		for _, l := range lines {
			problems = append(problems, config.Problem{File: c.Auth.PasswdFile, Line: l.Line, Text: l.Text})
		}
	}
	if !c.Unread("mail") {
		wrong := 0
		for _, u := range users {
			for _, err := range serve.CheckUser(c, u) {
				if wrong++; wrong <= mostUsers {
					problems = append(problems, config.Problem{File: c.Auth.PasswdFile, Line: u.Line, Text: fmt.Sprintf("user %q %v", u.Name, err)})
				}
			}
		}
		if wrong > mostUsers {
			problems = append(problems, config.Problem{File: c.Auth.PasswdFile, Text: fmt.Sprintf("%d more problems like these", wrong-mostUsers)})
		}
		if len(users) > 1 && c.Mail.Home != "" && !strings.Contains(c.Mail.Home+c.Mail.Maildir, "{") && sharesHome(users) {
			problem("mail.home", "is the same for all users, who would share one Maildir; put {user}, or {domain} and {name}, into it")
		}
	}
	for _, wrong := range serve.CheckKeys(c) {
		problem(wrong.Key, "%v", wrong.Err)
	}
	for _, dir := range c.Sandbox.Paths {
		if _, err := os.Stat(dir); filepath.IsAbs(dir) && errors.Is(err, fs.ErrNotExist) {
			problem("sandbox.paths", "%s does not exist, and would be made empty; make it, or correct its name", dir)
		}
	}
	if filepath.IsAbs(c.TLS.Cert) && filepath.IsAbs(c.TLS.Key) {
		warnings, err := tlsconf.Check(c.TLS.Cert, c.TLS.Key, c.Hostname)
		if err != nil {
			problem("tls.cert", "%s", config.Mend("tls.cert", err))
		}
		for _, w := range warnings {
			problem("tls.cert", "%s", w)
		}
	}
	if filepath.IsAbs(c.Mail.State) {
		if err := writable(c.Mail.ServerState()); err != nil {
			problem("mail.state", "%s", config.Mend("mail.state", err))
		}
	}
	if !c.Unread("mail") {
		if first, others, err := unwritable(c, users); err != nil && others > 0 {
			problem("mail.home", "mail of %s and %d other users could only be read: %v", first, others, err)
		} else if err != nil {
			problem("mail.home", "mail of %s could only be read: %v", first, err)
		}
	}
	return users, problems
}

// mostUsers is how many problems of users are told one by one.
const mostUsers = 20

// sharesHome tells whether more than one user has no home of his own.
func sharesHome(users []*auth.User) bool {
	n := 0
	for _, u := range users {
		if u.Home == "" && u.Mail == "" {
			n++
		}
	}
	return n > 1
}

// unwritable counts the users whose Maildir cannot be made or written to.
func unwritable(c *config.Config, users []*auth.User) (first string, others int, cause error) {
	for _, u := range users {
		dir, err := serve.Maildir(c, u)
		if err != nil {
			continue // told already
		}
		if err := writable(dir); err != nil && cause == nil {
			first, cause = u.Name, err
		} else if err != nil {
			others++
		}
	}
	return first, others, cause
}

// writable tells whether a directory can be made or written to, without doing so.
func writable(dir string) error {
	for at := dir; ; at = filepath.Dir(at) {
		fi, err := os.Stat(at)
		if (errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR)) && at != "/" {
			continue
		}
		switch {
		case err != nil:
			return err
		case !fi.IsDir():
			return fmt.Errorf("%s is not a directory; choose another", at)
		case unix.Access(at, unix.W_OK|unix.X_OK) != nil:
			return fmt.Errorf("no permission to write in %s; check as the user that serves, or give it the directory", at)
		}
		return nil
	}
}

// summary says what would be served.
func summary(w io.Writer, c *config.Config, file string, users []*auth.User) {
	listed := func(l config.Strings) string {
		if len(l) == 0 {
			return "none"
		}
		return strings.Join(l, ", ")
	}
	cert := "self-signed, kept in " + c.Mail.ServerState()
	if c.TLS.Cert != "" {
		cert = c.TLS.Cert
	}
	var folders []string
	for _, f := range c.Mail.Folders {
		folders = append(folders, strings.TrimSpace(fmt.Sprintf("%s %s", f.Name, f.SpecialUse)))
	}
	sandbox := "none"
	if c.Sandbox.Landlock {
		sandbox = "Landlock, where the kernel has it"
	}
	state, err := c.Mail.UserState("{user}")
	if err != nil {
		state = c.Mail.State
	}
	fmt.Fprintf(w, "%s is good. It would serve\n", file)
	for _, row := range [][2]string{
		{"users", fmt.Sprintf("%d of %s", len(users), c.Auth.PasswdFile)},
		{"mail", fmt.Sprintf("%s, %s, separator %q", filepath.Join(c.Mail.Home, c.Mail.Maildir), c.Mail.Layout, c.Mail.SeparatorByte())},
		{"folders", strings.Join(folders, ", ")},
		{"state", state},
		{"imap", listed(c.Listen.IMAP)},
		{"imaps", listed(c.Listen.IMAPS)},
		{"name", serve.Hostname(c.Hostname)},
		{"cert", cert},
		{"passwords", "without TLS: " + c.Auth.Plaintext},
		{"messages", "up to " + c.Limits.Append.String()},
		{"memory", c.Limits.Memory.String()},
		{"sandbox", sandbox},
	} {
		fmt.Fprintf(w, "  %-10s %s\n", row[0], row[1])
	}
}
