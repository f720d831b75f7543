package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"

	"roost/internal/config"
	"roost/internal/serve"
	"roost/internal/tlsconf"
)

type serveCmd struct {
	Maildir   *string `arg:"" optional:"" help:"Maildir to serve without a configuration; it is made when it does not exist."`
	Config    string  `help:"Configuration to serve (default ${config})." placeholder:"FILE"`
	Listen    *string `help:"Address for plaintext and STARTTLS (default 127.0.0.1:1143); empty for none." placeholder:"ADDR"`
	ListenTLS *string `name:"listen-tls" help:"Address for TLS (default 127.0.0.1:1993); empty for none." placeholder:"ADDR"`
	User      string  `help:"Login name (default: yours on this machine)." placeholder:"NAME"`
	State     string  `help:"Directory for Roost's own files (default in ~/.local/state/roost)." placeholder:"DIR"`
	NoSandbox bool    `name:"no-sandbox" help:"Do not give up the rest of the file system (Landlock)."`
}

// Help is shown by --help.
func (*serveCmd) Help() string {
	return `With a Maildir no configuration is needed: it is served to you alone, on this machine only, and what to type into a mail program
is printed. The password is generated once; ROOST_PASSWORD in the environment sets another.

  roost serve ~/Maildir
  roost serve ~/Maildir --listen 127.0.0.1:2143 --listen-tls ""
  ROOST_PASSWORD=secret roost serve ./new-maildir --user me

Without a Maildir the configuration is served, all its users, usually by a system service:

  roost serve
  roost serve --config ./roost.conf

SIGTERM stops the server within 10 seconds, SIGHUP reads certificate and users again.`
}

func (c *serveCmd) Run(std *streams) error {
	plan, err := c.plan(std)
	if err != nil {
		return err
	}
	defer plan.Close()
	plan.Version = version()
	listeners, err := plan.Listen()
	if err != nil {
		return err
	}
	return plan.Run(context.Background(), listeners, func() {
		if plan.User != "" {
			introduce(std.out, plan, listeners)
		}
		var addrs []string
		for _, l := range listeners.All() {
			addrs = append(addrs, l.Addr().String())
		}
		fmt.Fprintf(std.out, "roost: serving %s on %s\n", plan.What, strings.Join(addrs, ", "))
	})
}

func (c *serveCmd) plan(std *streams) (*serve.Plan, error) {
	if c.Maildir == nil {
		if c.Listen != nil || c.ListenTLS != nil || c.User != "" || c.State != "" || c.NoSandbox {
			return nil, usageError("--listen, --listen-tls, --user, --state and --no-sandbox go with a Maildir; in a configuration they are keys of the file")
		}
		conf, err := load(c.Config)
		if err != nil {
			return nil, err
		}
		return serve.FromConfig(conf, newLog(std.err, conf.Log))
	}
	if c.Config != "" {
		return nil, usageError("name a Maildir or a configuration, not both")
	}
	if *c.Maildir == "" {
		return nil, usageError("the path of the Maildir is empty; is a variable of the shell not set?")
	}
	o := serve.Single{Maildir: *c.Maildir, User: c.User, State: c.State, Password: os.Getenv("ROOST_PASSWORD"), Open: c.NoSandbox}
	var err error
	if o.Listen, err = address("--listen", c.Listen, "127.0.0.1:1143"); err != nil {
		return nil, err
	}
	if o.TLS, err = address("--listen-tls", c.ListenTLS, "127.0.0.1:1993"); err != nil {
		return nil, err
	}
	if len(o.Listen)+len(o.TLS) == 0 {
		return nil, usageError("--listen and --listen-tls are both empty; nobody could connect")
	}
	return serve.FromMaildir(o, newLog(std.err, config.Log{Level: "warn", Format: "text"}))
}

func address(flag string, given *string, otherwise string) (config.Strings, error) {
	switch {
	case given == nil:
		return config.Strings{otherwise}, nil
	case *given == "":
		return nil, nil
	}
	if err := config.CheckAddress(*given); err != nil {
		return nil, usageError(flag + ": " + err.Error())
	}
	return config.Strings{*given}, nil
}

// load reads and checks a configuration; the error has all problems.
func load(file string) (*config.Config, error) {
	if file == "" {
		file = DefaultConfig
	}
	c, err := config.Load(file)
	if err != nil {
		return nil, err
	}
	if problems := c.Check(); len(problems) > 0 {
		return nil, problems
	}
	return c, nil
}

// newLog makes the log of a checked configuration.
func newLog(w io.Writer, c config.Log) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo
	}
	o := &slog.HandlerOptions{Level: level}
	var h slog.Handler = slog.NewTextHandler(w, o)
	if c.Format == "json" {
		h = slog.NewJSONHandler(w, o)
	}
	log := slog.New(h)
	slog.SetDefault(log)
	return log
}

// introduce prints what to type into a mail program.
func introduce(w io.Writer, p *serve.Plan, ls *serve.Listeners) {
	fmt.Fprintln(w, "Type this into your mail program:")
	fmt.Fprintln(w)
	for _, l := range ls.TLS {
		connection(w, l, "SSL/TLS")
	}
	for _, l := range ls.Plain {
		connection(w, l, "STARTTLS, or none on this machine")
	}
	fmt.Fprintf(w, "  User name:   %s\n  Password:    %s\n\n", p.User, shown(p))
	if p.PasswordFile != "" {
		fmt.Fprintf(w, "The password stays the same; it is kept in %s.\n", p.PasswordFile)
	}
	fmt.Fprintf(w, "The certificate is self-signed, so the mail program asks once. Its SHA-256 is\n  %s\n\n", tlsconf.Fingerprint(p.Cert.Certificate()))
	if p.Created {
		fmt.Fprintf(w, "The Maildir %s is new and empty.\n\n", p.What)
	}
}

// shown is the password as it is printed: one from the environment is known to whoever set it.
func shown(p *serve.Plan) string {
	if p.PasswordFile == "" {
		return "as set in ROOST_PASSWORD"
	}
	return p.Password
}

func connection(w io.Writer, l net.Listener, security string) {
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		host = l.Addr().String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = serve.Hostname("")
	}
	fmt.Fprintf(w, "  IMAP server: %s\n  Port:        %s\n  Security:    %s\n\n", host, port, security)
}
