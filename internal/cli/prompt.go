package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/term"

	"roost/internal/auth"
)

// newPassword asks for a password and hashes it: twice without echo at a terminal, otherwise the first line of standard input.
func newPassword(std *streams, user, scheme string) (hash string, err error) {
	if scheme == "" {
		scheme = auth.DefaultScheme
	}
	if _, err := auth.Hash(scheme, "x"); err != nil {
		return "", err // before asking
	}
	password, err := readPassword(std, user)
	if err != nil {
		return "", err
	}
	return auth.Hash(scheme, password)
}

func readPassword(std *streams, user string) (string, error) {
	fd := int(std.in.Fd())
	if !term.IsTerminal(fd) {
		line, err := bufio.NewReader(io.LimitReader(std.in, 64<<10)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		if line = strings.TrimRight(line, "\r\n"); line == "" {
			return "", errors.New("no password on standard input; write it on the first line")
		}
		return line, nil
	}
	var typed [2]string
	for i, prompt := range []string{"Password for " + user + ": ", "Once more: "} {
		fmt.Fprint(std.err, prompt)
		b, err := term.ReadPassword(fd)
		fmt.Fprintln(std.err)
		if err != nil {
			return "", err
		}
		typed[i] = string(b)
	}
	switch {
	case typed[0] == "":
		return "", errors.New("the password is empty")
	case typed[0] != typed[1]:
		return "", errors.New("the passwords differ; nothing was changed")
	}
	return typed[0], nil
}
