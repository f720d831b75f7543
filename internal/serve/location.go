package serve

import (
	"fmt"
	"path/filepath"
	"strings"

	"roost/internal/auth"
	"roost/internal/config"
	"roost/maildir"
)

// Maildir is where a user's mail is, by a configuration.
func Maildir(c *config.Config, u *auth.User) (string, error) {
	o, err := locate(&c.Mail, &c.Limits, u)
	return o.Root, err
}

// locate finds a user's mail: what the passwd-file says wins over the configuration.
func locate(m *config.Mail, l *config.Limits, u *auth.User) (maildir.Options, error) {
	o := maildir.Options{Create: true, MaxKeywords: l.Keywords, MaxMetadata: l.MetadataEntries}
	var err error
	if o.State, err = m.UserState(u.Name); err != nil {
		return o, err
	}
	own := *m
	if u.Mail == "" {
		var home string
		if home, err = homeOf(m, u); err == nil {
			o.Root, err = m.UserMaildir(u.Name, home)
		}
	} else {
		o.Root, err = userMail(&own, u, func() (string, error) { return homeOf(m, u) })
	}
	if err != nil {
		return o, err
	}
	if !filepath.IsAbs(o.Root) {
		return o, fmt.Errorf("mail of user %q: %q is not an absolute path", u.Name, o.Root)
	}
	if own.Layout == "fs" {
		o.Layout = maildir.FS
	}
	o.Separator = own.SeparatorByte()
	return o, nil
}

func homeOf(m *config.Mail, u *auth.User) (string, error) {
	if u.Home == "" {
		return m.UserHome(u.Name)
	}
	home, err := expandPercent(u.Home, u.Name, nil)
	if err == nil && !filepath.IsAbs(home) {
		err = fmt.Errorf("home of user %q: %q is not an absolute path", u.Name, home)
	}
	return home, err
}

// userMail reads Dovecot's mail location, maildir:PATH[:KEY=VALUE…], and sets the layout it names in m. Where indexes are is Dovecot's
// business; what would put mail or control files elsewhere is refused, because serving without it would do harm. home is asked only when the
// location needs it.
func userMail(m *config.Mail, u *auth.User, home func() (string, error)) (string, error) {
	wrong := func(format string, args ...any) (string, error) {
		return "", fmt.Errorf("userdb_mail of user %q: %s", u.Name, fmt.Sprintf(format, args...))
	}
	driver, rest, ok := strings.Cut(u.Mail, ":")
	if !ok || driver != "maildir" {
		return wrong("%q is not a maildir: location", u.Mail)
	}
	path, rest, _ := strings.Cut(rest, ":")
	for word := range strings.SplitSeq(rest, ":") {
		key, value, _ := strings.Cut(word, "=")
		switch strings.ToUpper(key) {
		case "", "INDEX", "INDEXCACHE", "VOLATILEDIR":
		case "LAYOUT":
			if value = strings.ToLower(value); value != "fs" && value != "maildir++" {
				return wrong("LAYOUT=%s is not supported, only maildir++ and fs", value)
			}
			m.Layout = value
		default:
			return wrong("%s= is not supported", key)
		}
	}
	path, err := expandPercent(path, u.Name, home)
	switch {
	case err != nil:
		return wrong("%v", err)
	case filepath.IsAbs(path):
		return filepath.Clean(path), nil
	case strings.HasPrefix(path, "~") && path != "~" && !strings.HasPrefix(path, "~/"):
		return wrong("the home directory of another user, %q", path)
	}
	base, err := home()
	if err != nil {
		return wrong("%v", err)
	}
	return filepath.Join(base, strings.TrimPrefix(path, "~")), nil
}

// percents are Dovecot's variables as fields of our templates; 2.3 has letters, 2.4 has names.
var percents = map[string]string{
	"u": "{user}", "n": "{name}", "d": "{domain}",
	"user": "{user}", "user|username": "{name}", "user|domain": "{domain}",
}

// expandPercent fills in Dovecot's variables: %u %n %d %h and %{user}, %{user|username}, %{user|domain}, %{home}.
func expandPercent(s, user string, home func() (string, error)) (string, error) {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(s, "%")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		name := after[:min(1, len(after))]
		s = after[len(name):]
		if name == "{" {
			var closed bool
			if name, s, closed = strings.Cut(s, "}"); !closed {
				return "", fmt.Errorf("%%{ without its }")
			}
			name = strings.ReplaceAll(name, " ", "")
		}
		switch field, known := percents[name]; {
		case known:
			value, err := config.Expand(field, user)
			if err != nil {
				return "", err
			}
			out.WriteString(value)
		case name == "%":
			out.WriteString("%")
		case (name == "h" || name == "home") && home != nil:
			dir, err := home()
			if err != nil {
				return "", err
			}
			out.WriteString(dir)
		default:
			return "", fmt.Errorf("variable %%%s is not supported here", name)
		}
	}
}
