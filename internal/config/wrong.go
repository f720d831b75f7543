package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
)

// remedies say what helps against errors of the file system, by the key, or flag, whose file or directory it is. %s is who the program runs as.
var remedies = map[string]struct{ missing, forbidden, other string }{
	"auth.passwd_file": {"add a user with `roost user add NAME`", "give %s the right to read it", "name a passwd-file"},
	"--passwd-file": {"add a user with `roost user add NAME`, or name another file with --config or --passwd-file",
		"give %s the right to read and replace it", "name a passwd-file with --config or --passwd-file"},
	"tls.cert": {"correct tls.cert and tls.key, or leave both empty for a self-signed certificate", "give %s the right to read it",
		"name PEM files in tls.cert and tls.key"},
	"tls.key": {"correct tls.cert and tls.key, or leave both empty for a self-signed certificate", "give %s the right to read it",
		"name PEM files in tls.cert and tls.key"},
	"mail.state": {"make it, or choose another directory with mail.state or --state", "give %s the right to write there, or choose another directory with mail.state or --state",
		"choose another directory with mail.state or --state"},
	"mail.home":     {"make it, or correct mail.home", "make it for %s, or correct mail.home", "correct mail.home"},
	"sandbox.paths": {"make it, or correct its name", "make it for %s, or take it out of sandbox.paths", "correct its name"},
}

// Mend is the text of an error that the use of a key's value gave. What came of the file system gets what helps.
func Mend(key string, err error) string {
	var of *fs.PathError
	if !errors.As(err, &of) {
		return err.Error()
	}
	text, help := err.Error(), remedies[key]
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return of.Path + " does not exist; " + help.missing
	case errors.Is(err, fs.ErrPermission):
		return text + "; " + fmt.Sprintf(help.forbidden, whoami())
	}
	return text + "; " + help.other
}

// Wrong is Mend as an error that names the key and where it stands, if c was read from a file.
func (c *Config) Wrong(key string, err error) error {
	if err == nil {
		return nil
	}
	if of := (*fs.PathError)(nil); key == "tls.cert" && errors.As(err, &of) && of.Path == c.TLS.Key { // they are read together
		key = "tls.key"
	}
	text := Mend(key, err)
	if c.file == "" {
		return errors.New(text)
	}
	return Problems{{File: c.file, Line: c.Line(key), Key: key, Text: text}}
}

// whoami is the user this process runs as, in a sentence.
func whoami() string {
	if u, err := user.Current(); err == nil {
		return "user " + u.Username
	}
	return fmt.Sprintf("the user with number %d", os.Geteuid())
}
