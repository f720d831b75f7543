package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// checker collects what is wrong.
type checker struct {
	c        *Config
	problems Problems
}

func (k *checker) problem(key, format string, args ...any) {
	if k.c.Unread(key) {
		return // told already
	}
	k.problems = append(k.problems, Problem{k.c.file, lineOf(k.c.lines, key), key, fmt.Sprintf(format, args...)})
}

func (k *checker) oneOf(key, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		k.problem(key, "%q is not one of %q", value, allowed)
	}
}

func (k *checker) absolute(key, value string) {
	if !filepath.IsAbs(value) {
		k.problem(key, "%q must be an absolute path, beginning with /", value)
	}
}

func (k *checker) atLeast(key string, value, least int64, unit string) {
	if value < least {
		k.problem(key, "%d%s is too little; at least %d%s are needed", value, unit, least, unit)
	}
}

// Check tells everything that is wrong, at once; nil when there is nothing. It does not look at any file.
func (c *Config) Check() Problems {
	k := &checker{c: c, problems: slices.Clone(c.unread)}
	if strings.ContainsFunc(c.Hostname, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`/:@"\`, r) }) {
		k.problem("hostname", "%q is not a host name like mail.example.org", c.Hostname)
	}
	if u, err := url.Parse(c.Admin); c.Admin != "" && (err != nil || u.Scheme == "") {
		k.problem("admin", "%q is not a URI like mailto:postmaster@example.org", c.Admin)
	}
	k.listen()
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		k.problem("tls", "cert and key belong together; set both, or neither for a self-signed certificate")
	}
	for key, v := range map[string]string{"tls.cert": c.TLS.Cert, "tls.key": c.TLS.Key} {
		if v != "" {
			k.absolute(key, v)
		}
	}
	k.mail()
	k.auth()
	k.limits()
	if m := c.Search.Memory; m < 8<<20 || m > 1<<30 {
		k.problem("search.memory", "must be between 8 MiB and 1 GiB")
	}
	k.atLeast("quota.storage", int64(c.Quota.Storage), 0, " octets")
	k.atLeast("quota.messages", int64(c.Quota.Messages), 0, "")
	k.atLeast("quota.mailboxes", int64(c.Quota.Mailboxes), 0, "")
	for _, dir := range c.Sandbox.Paths {
		k.absolute("sandbox.paths", dir)
	}
	k.oneOf("search.attachments", c.Search.Attachments, "none", "fuzzy", "text")
	k.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	k.oneOf("log.format", c.Log.Format, "text", "json")
	k.problems.Sort()
	return k.problems
}

// Doubts tells what can be served, but is hardly meant. A key that the file does not set is not in doubt.
func (c *Config) Doubts() Problems {
	k := &checker{c: c}
	l := &c.Limits
	for key, n := range map[string]int{"limits.connections_before_login": l.ConnectionsLogin, "limits.connections_per_user": l.ConnectionsPerUser,
		"limits.connections_per_address": l.ConnectionsPerAddress} {
		if n > l.Connections && c.lines[key] > 0 {
			k.problem(key, "%d is more than limits.connections, %d, and never reached", n, l.Connections)
		}
	}
	folder := map[string]string{} // by special use
	for i, f := range c.Mail.Folders {
		if other, taken := folder[f.SpecialUse]; taken && f.SpecialUse != "" && f.Auto == "no" { // others are told by Check
			k.problem(fmt.Sprintf("mail.folder[%d].special_use", i), "is that of %q too; mail programs would pick one at random where both exist", other)
		}
		folder[f.SpecialUse] = f.Name
	}
	return k.problems
}

func (k *checker) listen() {
	c, seen := k.c, map[string]bool{}
	for key, list := range map[string]Strings{"listen.imap": c.Listen.IMAP, "listen.imaps": c.Listen.IMAPS} {
		for _, a := range list {
			if err := CheckAddress(a); err != nil {
				k.problem(key, "%v", err)
			} else if seen[a] && !strings.HasSuffix(a, ":0") { // port 0 is any free one
				k.problem(key, "%q is listed twice", a)
			}
			seen[a] = true
		}
	}
	if len(seen) == 0 {
		k.problem("listen", "no address to listen on; set imap or imaps")
	}
}

// CheckAddress tells what is wrong with an address to listen on.
func CheckAddress(a string) error {
	host, port, err := net.SplitHostPort(a)
	if _, herr := netip.ParseAddr(host); herr != nil && host != "" && strings.Trim(host, "0123456789.:") == "" {
		err = herr // numbers that are no address would be looked up as a name
	}
	if n, perr := strconv.ParseUint(port, 10, 16); err != nil || perr != nil && !isService(port) || perr == nil && n > 65535 {
		return fmt.Errorf("%q is not an address like \"127.0.0.1:143\", \"[::1]:143\" or \":143\"", a)
	}
	return nil
}

func isService(port string) bool { return port == "imap" || port == "imaps" }

func (k *checker) mail() {
	m := &k.c.Mail
	for key, v := range map[string]string{"mail.home": m.Home, "mail.maildir": m.Maildir, "mail.state": m.State} {
		if err := checkTemplate(v); err != nil {
			k.problem(key, "%v", err)
		}
	}
	k.absolute("mail.home", m.Home)
	k.absolute("mail.state", m.State)
	if m.Maildir == "" {
		k.problem("mail.maildir", "must not be empty; use \".\" for the home directory itself")
	} else if slices.Contains(strings.Split(m.Maildir, "/"), "..") {
		k.problem("mail.maildir", "%q must not lead out of the home directory", m.Maildir)
	}
	k.oneOf("mail.layout", m.Layout, "maildir++", "fs")
	k.oneOf("mail.separator", m.Separator, "", ".", "/")
	names, uses := map[string]bool{}, map[string]bool{}
	for i, f := range m.Folders {
		at := fmt.Sprintf("mail.folder[%d]", i)
		switch {
		case f.Name == "":
			k.problem(at+".name", "a folder needs a name")
		case strings.EqualFold(f.Name, "INBOX"):
			k.problem(at+".name", "INBOX always exists and has no special use")
		case names[f.Name]:
			k.problem(at+".name", "%q is listed twice", f.Name)
		}
		names[f.Name] = true
		k.oneOf(at+".auto", f.Auto, "no", "create", "subscribe")
		k.oneOf(at+".special_use", f.SpecialUse, "", `\All`, `\Archive`, `\Drafts`, `\Flagged`, `\Junk`, `\Sent`, `\Trash`, `\Important`,
			`\Memos`, `\Scheduled`, `\Snoozed`)
		if f.SpecialUse != "" && uses[f.SpecialUse] && f.Auto != "no" {
			k.problem(at+".special_use", "two folders are %s; mail programs would pick one at random", f.SpecialUse)
		}
		uses[f.SpecialUse] = true
	}
}

func (k *checker) auth() {
	a := &k.c.Auth
	k.absolute("auth.passwd_file", a.PasswdFile)
	k.oneOf("auth.plaintext", a.Plaintext, "loopback", "never", "always")
	if len(a.Mechanisms) == 0 {
		k.problem("auth.mechanisms", "without any nobody could log in")
	}
	for _, m := range a.Mechanisms {
		k.oneOf("auth.mechanisms", m, "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN")
	}
	if d := time.Duration(a.FailureDelay); d > time.Minute {
		k.problem("auth.failure_delay", "%v is longer than clients wait; 2s is usual", d)
	}
	k.atLeast("auth.failures_free", int64(a.FailuresFree), 1, "")
	if d := time.Duration(a.LongestWait); d > time.Minute {
		k.problem("auth.longest_wait", "%v is longer than clients wait; 15s is usual", d)
	}
}

func (k *checker) limits() {
	l := &k.c.Limits
	k.atLeast("limits.line", int64(l.Line), 8192, " octets")
	k.atLeast("limits.literal", int64(l.Literal), 4096, " octets")
	k.atLeast("limits.command", int64(l.Command), max(int64(l.Line), int64(l.Literal)), " octets")
	k.atLeast("limits.nesting", int64(l.Nesting), 10, "")
	k.atLeast("limits.append", int64(l.Append), 1<<20, " octets")
	k.atLeast("limits.keywords", int64(l.Keywords), 26, "")
	if l.Memory.Percent == 0 {
		k.atLeast("limits.memory", int64(l.Memory.Size), 32<<20, " octets")
	}
	k.atLeast("limits.connections", int64(l.Connections), 1, "")
	k.atLeast("limits.connections_before_login", int64(l.ConnectionsLogin), 1, "")
	k.atLeast("limits.connections_per_user", int64(l.ConnectionsPerUser), 1, "")
	k.atLeast("limits.connections_per_address", int64(l.ConnectionsPerAddress), 1, "")
	k.atLeast("limits.notify_mailboxes", int64(l.NotifyMailboxes), 1, "")
	k.atLeast("limits.metadata_value", int64(l.MetadataValue), 1024, " octets") // what RFC 5464 has in its example
	k.atLeast("limits.metadata_entries", int64(l.MetadataEntries), 1, "")
	k.atLeast("limits.message_limit", int64(l.MessageLimit), 0, "")
	k.atLeast("limits.save_limit", int64(l.SaveLimit), 0, "")
	if l.MessageLimit > 0 && l.SaveLimit > 0 {
		k.problem("limits.save_limit", "message_limit limits what is stored as well; set one of them")
	}
	k.atLeast("limits.login_time", int64(time.Duration(l.LoginTime)/time.Second), 5, " s")
	// RFC 9051 §5.4: at least 30 minutes.
	k.atLeast("limits.idle_time", int64(time.Duration(l.IdleTime)/time.Second), 30*60, " s")
	k.atLeast("limits.write_time", int64(time.Duration(l.WriteTime)/time.Second), 5, " s")
	for key, v := range map[string]Size{"limits.line": l.Line, "limits.literal": l.Literal, "limits.command": l.Command,
		"limits.metadata_value": l.MetadataValue} {
		if v > 64<<20 {
			k.problem(key, "%v is more than one connection may take of the memory; at most 64 MiB", v)
		}
	}
	if l.Nesting > 10_000 {
		k.problem("limits.nesting", "%d is more than any mail program needs; at most 10000", l.Nesting)
	}
}
