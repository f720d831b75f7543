// Package cli is the command line: it reads what a person types, and says what happened in words.
//
// Standard output carries what was asked for; errors are one line on standard error each, "roost: what, and how to mend it". Exit status 0 is
// success, 1 a failure, 2 a mistake in the command line.
//
// Files: cli.go commands and errors; serve.go, check.go, index.go, user.go and version.go one command each; prompt.go passwords.
package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"roost/internal/config"
	"roost/internal/extract"
)

// DefaultConfig is the configuration of a system service.
const DefaultConfig = "/etc/roost/roost.conf"

const description = `Roost serves Maildirs over IMAP.

  roost serve ~/Maildir              serve one Maildir on this machine, no configuration
  roost serve                        serve many users, by /etc/roost/roost.conf
  roost check                        look over the configuration
  roost user add alice@example.org   give somebody a password

Help on a command: roost serve --help`

// commands are what can be typed.
type commands struct {
	Serve   serveCmd   `cmd:"" help:"Serve one Maildir, or the users of a configuration."`
	Check   checkCmd   `cmd:"" help:"Say what is wrong with a configuration, or what it would serve."`
	Index   indexCmd   `cmd:"" help:"Look after search indexes."`
	User    userCmd    `cmd:"" help:"Add users to the passwd-file, change their passwords, list and remove them."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

// streams are the three standard ones.
type streams struct {
	in       *os.File
	out, err io.Writer
}

// exit is a wish to end the process, made by --help.
type exit int

// Main runs the command line of this process and returns its exit status.
func Main() int {
	if len(os.Args) > 1 && os.Args[1] == extract.Command { // not for people: the child of extract.Text
		return extract.Main(os.Args[1:], os.Stdin, os.Stdout)
	}
	return run(os.Args[1:], &streams{os.Stdin, os.Stdout, os.Stderr})
}

func run(args []string, std *streams) (status int) {
	defer func() {
		if r := recover(); r != nil {
			code, ok := r.(exit)
			if !ok {
				panic(r)
			}
			status = int(code)
		}
	}()
	parser := newParser(std)
	switch {
	case len(args) == 0:
		args = []string{"--help"}
	case len(args) == 1 && args[0] == "--version": // as people try
		args[0] = "version"
	}
	ctx, err := parser.Parse(args)
	if err != nil {
		command := ""
		var wrong *kong.ParseError
		if errors.As(err, &wrong) && wrong.Context.Command() != "" { // as far as it was understood: "user add <name>"
			command, _, _ = strings.Cut(" "+wrong.Context.Command(), " <")
		}
		fmt.Fprintf(std.err, "roost: %v; see roost%s --help\n", err, command)
		return 2
	}
	if err := ctx.Run(std); err != nil {
		report(std.err, err)
		var usage usageError
		if errors.As(err, &usage) {
			return 2
		}
		return 1
	}
	return 0
}

// newParser makes the parser of command lines. --help panics with exit.
func newParser(std *streams) *kong.Kong {
	parser, err := kong.New(&commands{}, kong.Name("roost"), kong.Description(description), kong.Writers(std.out, std.err),
		kong.Exit(func(code int) { panic(exit(code)) }), kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.Vars{"config": DefaultConfig})
	if err != nil {
		panic(err)
	}
	return parser
}

// usageError is a command line that makes no sense.
type usageError string

func (e usageError) Error() string { return string(e) }

// report writes an error: each problem of a configuration on its own line, anything else on one.
func report(w io.Writer, err error) {
	var problems config.Problems
	if errors.As(err, &problems) {
		for _, p := range problems {
			fmt.Fprintf(w, "roost: %s\n", oneLine(p.String()))
		}
		return
	}
	fmt.Fprintf(w, "roost: %s\n", oneLine(err.Error()))
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
