package config

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"
)

// What goes wrong with what a key names is told with its place and what helps.
func TestWrong(t *testing.T) {
	c, err := Parse("roost.conf", []byte("[auth]\n\npasswd_file = \"/a/users\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	of := func(err error) error {
		return fmt.Errorf("trying: %w", &fs.PathError{Op: "open", Path: "/a/file", Err: err})
	}
	for _, tt := range []struct {
		key  string
		err  error
		want string
	}{
		{"auth.passwd_file", of(syscall.EACCES), "roost.conf:3: auth.passwd_file: trying: open /a/file: permission denied; give " + whoami() + " the right to read it"},
		{"auth.passwd_file", of(syscall.ENOENT), "roost.conf:3: auth.passwd_file: /a/file does not exist; add a user with `roost user add NAME`"},
		{"auth.passwd_file", of(syscall.EISDIR), "roost.conf:3: auth.passwd_file: trying: open /a/file: is a directory; name a passwd-file"},
		{"mail.state", of(syscall.EACCES), "roost.conf: mail.state: trying: open /a/file: permission denied; give " + whoami() +
			" the right to write there, or choose another directory with mail.state or --state"},
		{"mail.state", errors.New("full; delete something"), "roost.conf: mail.state: full; delete something"},
	} {
		if got := c.Wrong(tt.key, tt.err).Error(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
	c.TLS.Cert, c.TLS.Key = "/a/cert", "/a/file"
	if got := c.Wrong("tls.cert", of(syscall.EACCES)).Error(); !strings.HasPrefix(got, "roost.conf: tls.key: ") {
		t.Errorf("of the key: %s", got)
	}
	if got := Default().Wrong("mail.state", of(syscall.ENOTDIR)).Error(); got != "trying: open /a/file: not a directory; choose another directory with mail.state or --state" {
		t.Errorf("without a file: %s", got)
	}
	for key, help := range remedies {
		for _, text := range []string{help.missing, help.forbidden, help.other} {
			if text == "" || strings.Contains(text, "%") != (text == help.forbidden) {
				t.Errorf("%s: %q", key, text)
			}
		}
	}
}
