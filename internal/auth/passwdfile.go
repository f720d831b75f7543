package auth

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// entry is one user of a table. It never changes.
type entry struct {
	name    string
	line    int     // from 1
	secret  *secret // nil: nobody can log in with a password
	home    string
	fields  map[string]string // extra fields, "userdb_" kept
	allow   []netip.Prefix    // allow_nets; nil: everywhere
	refused string            // why this user cannot log in at all, for the log
	locked  bool              // and that is meant
}

// table is a passwd-file as it was at one moment. It never changes.
type table struct {
	entries map[string]*entry
	dummy   *secret // verified for users that do not exist: one of the most common kind; nil in an empty table
	scram   bool    // some user can use SCRAM
	scramAs scramShape
}

// scramShape is what the SCRAM challenge of a stored credential looks like; that of an invented one looks the same.
type scramShape struct{ salt, iterations int }

// Problem is something wrong with a line of the passwd-file.
type Problem struct {
	Line int // from 1
	Text string
}

// MaxName is the longest user name in octets.
const MaxName = 255

// ValidName tells whether name can be a user's: valid UTF-8, no control character, blank, colon or slash, not ".", "..", nor beginning with
// "#" or ".", so that it can be a line of the passwd-file and one component of a path. The error says which rule it breaks.
func ValidName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("the user name is empty")
	case len(name) > MaxName:
		return fmt.Errorf("the user name is longer than %d octets", MaxName)
	case !utf8.ValidString(name), strings.ContainsRune(name, utf8.RuneError): // what a library made of wrong octets before we saw them
		return fmt.Errorf("user name %q is not UTF-8", name)
	case name[0] == '#' || name[0] == '.':
		return fmt.Errorf("user name %q begins with %q", name, name[0])
	case strings.ContainsAny(name, ":/") || strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return fmt.Errorf("user name %q contains a blank, a control character, a colon or a slash", name)
	}
	return nil
}

// parseTable reads Dovecot's passwd-file format:
//
//	user:password:uid:gid:gecos:home:shell:extra fields
//
// uid, gid, gecos and shell mean nothing here, except that root is not served. def is the scheme of passwords that name none. Wrong lines are
// left out, or keep a user from logging in, and are reported.
func parseTable(data []byte, def string) (*table, []Problem) {
	t := &table{entries: map[string]*entry{}}
	var problems []Problem
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	n := 0
	for lines.Scan() {
		n++
		line := strings.TrimSuffix(lines.Text(), "\r")
		if line == "" || line[0] == '#' || line[0] == ':' {
			continue
		}
		e := parseEntry(line, def)
		e.line = n
		if err := ValidName(e.name); err != nil {
			problems = append(problems, Problem{n, err.Error()})
			continue
		}
		if t.entries[e.name] != nil {
			problems = append(problems, Problem{n, fmt.Sprintf("user %q is there twice, the first line counts", e.name)})
			continue
		}
		if e.refused != "" && !e.locked {
			problems = append(problems, Problem{n, fmt.Sprintf("user %q cannot log in: %s", e.name, e.refused)})
		}
		t.entries[e.name] = e
	}
	if err := lines.Err(); err != nil {
		problems = append(problems, Problem{n + 1, err.Error()})
	}
	t.survey()
	return t, problems
}

// parseEntry reads one line.
func parseEntry(line, def string) *entry {
	f := strings.SplitN(line, ":", 8)
	f = append(f, make([]string, 8-len(f))...)
	e := &entry{name: f[0], home: f[5], fields: map[string]string{}}
	for word := range strings.FieldsSeq(f[7]) {
		key, value, _ := strings.Cut(word, "=")
		e.fields[key] = value
	}
	var err error
	if e.secret, err = parseSecret(f[1], def); err != nil {
		e.refused = err.Error()
	}
	if f[2] == "0" || f[2] == "root" || f[3] == "0" {
		e.refused = "uid or gid 0 is never served"
	}
	e.locked = f[1] != "" && (f[1][0] == '!' || f[1][0] == '*') // as in /etc/shadow
	for _, key := range refusing {
		if _, ok := e.fields[key]; ok {
			e.refused = "extra field " + key
			e.locked = e.locked || slices.Contains(locking, key)
		}
	}
	for _, key := range []string{"allow_nets", "allow_real_nets"} {
		if list, ok := e.fields[key]; ok && e.allow == nil {
			if e.allow, err = parseNets(list); err != nil {
				e.refused = key + ": " + err.Error()
			}
		}
	}
	if other, ok := e.fields["user"]; ok && ValidName(other) != nil {
		e.refused = "extra field user=" + other
	}
	return e
}

// refusing are the extra fields of a passdb that mean "not here" or that only a proxy could honour.
var refusing = []string{"nologin", "proxy", "proxy_maybe", "nopassword", "noauthenticate", "user_disabled", "pass_expired", "delay_until", "master"}

// locking are those of them that say that somebody is locked out.
var locking = []string{"nologin", "user_disabled", "pass_expired"}

// parseNets reads allow_nets: addresses and networks separated by commas; "local" (connections without an address) matches none here.
func parseNets(list string) ([]netip.Prefix, error) {
	nets := []netip.Prefix{}
	for word := range strings.SplitSeq(list, ",") {
		if word == "" || word == "local" {
			continue
		}
		p, err := netip.ParsePrefix(word)
		if err != nil {
			a, aerr := netip.ParseAddr(strings.Trim(word, "[]"))
			if aerr != nil {
				return nil, fmt.Errorf("%q is neither an address nor a network", word)
			}
			p = netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen())
		}
		nets = append(nets, p.Masked())
	}
	return nets, nil
}

// admits tells whether the user may log in from there.
func (e *entry) admits(from netip.Addr) bool {
	return e.allow == nil || slices.ContainsFunc(e.allow, func(p netip.Prefix) bool { return p.Contains(from.Unmap().WithZone("")) })
}

// user is what the rest of the server learns of the entry.
func (e *entry) user() *User {
	u := &User{Name: e.name, Home: e.home, Mail: e.fields["userdb_mail"], Extra: e.fields, Line: e.line}
	if other := e.fields["user"]; other != "" {
		u.Name = other
	}
	if home := e.fields["userdb_home"]; home != "" {
		u.Home = home
	}
	if path := e.fields["userdb_mail_path"]; path != "" && u.Mail == "" { // Dovecot 2.4
		u.Mail = cmp.Or(e.fields["userdb_mail_driver"], "maildir") + ":" + path
	}
	return u
}

// survey finds the most common kind of secret, and what SCRAM challenges look like in this table. Of equals the first by name is taken, so
// that reading the same file again gives the same.
func (t *table) survey() {
	t.scramAs = scramShape{salt: 16, iterations: minIterations}
	count, shapes := map[string]int{}, map[scramShape]int{}
	names := make([]string, 0, len(t.entries))
	for name := range t.entries {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		s := t.entries[name].secret
		if s == nil {
			continue
		}
		t.scram = t.scram || s.scram != nil || s.scheme == "PLAIN"
		if count[s.kind]++; t.dummy == nil || count[s.kind] > count[t.dummy.kind] {
			t.dummy = s
		}
		if k := s.scram; k != nil {
			shape := scramShape{len(k.salt), k.iterations}
			if shapes[shape]++; shapes[shape] > shapes[t.scramAs] {
				t.scramAs = shape
			}
		}
	}
}

// lookup finds a user by exact name, or else by the name in lower case: phones like to begin with a capital letter.
func (t *table) lookup(name string) *entry {
	if e := t.entries[name]; e != nil {
		return e
	}
	return t.entries[strings.ToLower(name)]
}
