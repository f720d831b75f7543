package config

import (
	"fmt"
	"path/filepath"
	"strings"
)

// fields of templates: {user} is the whole login name, {name} what stands before its first "@", {domain} what follows it.
var fields = []string{"user", "name", "domain"}

// component tells whether a user's name can become one component of a path, and nothing else.
func component(s string) error {
	switch {
	case s == "":
		return fmt.Errorf("is empty")
	case s == "." || s == ".." || strings.ContainsAny(s, "/\x00"):
		return fmt.Errorf("%q cannot be part of a path", s)
	case len(s) > 255:
		return fmt.Errorf("is longer than a file name can be")
	}
	return nil
}

// Expand fills in a template. A value that is empty or could lead elsewhere is refused, never changed.
func Expand(template, user string) (string, error) {
	name, domain, _ := strings.Cut(user, "@")
	values := map[string]string{"user": user, "name": name, "domain": domain}
	var out strings.Builder
	for rest := template; ; {
		before, after, found := strings.Cut(rest, "{")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		field, tail, closed := strings.Cut(after, "}")
		v, known := values[field]
		if !closed || !known {
			return "", fmt.Errorf("{%s in %q is not one of {user}, {name}, {domain}", field, template)
		}
		if err := component(v); err != nil {
			return "", fmt.Errorf("{%s} of user %q %w", field, user, err)
		}
		out.WriteString(v)
		rest = tail
	}
}

// checkTemplate finds fields that do not exist.
func checkTemplate(template string) error {
	_, err := Expand(template, "user@domain")
	return err
}

// isTemplate tells whether different users get different paths.
func isTemplate(s string) bool {
	if strings.IndexByte(s, '{') < 0 {
		return false
	}
	for _, f := range fields {
		if strings.Contains(s, "{"+f+"}") {
			return true
		}
	}
	return false
}

// UserHome is the home directory of a user that has none in the passwd-file.
func (m *Mail) UserHome(user string) (string, error) { return Expand(m.Home, user) }

// UserMaildir is the Maildir of a user with this home.
func (m *Mail) UserMaildir(user, home string) (string, error) {
	dir, err := Expand(m.Maildir, user)
	if err != nil || filepath.IsAbs(dir) {
		return filepath.Clean(dir), err
	}
	return filepath.Join(home, dir), nil
}

// ServerState is the directory of what belongs to no user: the lock, the self-signed certificate, a key.
func (m *Mail) ServerState() string { return fixed(m.State) }

// Homes is the directory in which the mail of all users is whose entry in the passwd-file does not say otherwise.
func (m *Mail) Homes() string {
	if filepath.IsAbs(m.Maildir) {
		return fixed(m.Maildir)
	}
	return fixed(m.Home)
}

// fixed is the directory in which the paths of a template are for all users: the template itself when all have the same.
func fixed(template string) string {
	if !isTemplate(template) {
		return filepath.Clean(template)
	}
	dir := template[:strings.IndexByte(template, '{')]
	return filepath.Clean(dir[:strings.LastIndexByte(dir, '/')+1])
}

// UserState is the directory of what is kept for one user: state as a template, or else users/{user} in it.
func (m *Mail) UserState(user string) (string, error) {
	if isTemplate(m.State) {
		dir, err := Expand(m.State, user)
		return filepath.Clean(dir), err
	}
	if err := component(user); err != nil {
		return "", fmt.Errorf("user name %w", err)
	}
	return filepath.Join(m.State, "users", user), nil
}
