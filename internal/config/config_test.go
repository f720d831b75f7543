package config

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

func TestExample(t *testing.T) {
	file := filepath.Join("..", "..", "example.conf")
	c, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if p := c.Check(); len(p) > 0 {
		t.Errorf("example.conf: %v", p)
	}
	for _, key := range Keys() {
		if c.lines[key] == 0 && c.lines[strings.Replace(key, "mail.folder.", "mail.folder[0].", 1)] == 0 {
			t.Errorf("example.conf does not set %s", key)
		}
	}
	want := Default()
	want.file, want.lines = c.file, c.lines
	if !reflect.DeepEqual(c, want) {
		t.Errorf("example.conf is not the default:\n%+v\n%+v", c, want)
	}
	data, _ := os.ReadFile(file)
	for _, line := range strings.Split(string(data), "\n") {
		if len([]rune(line)) > 150 {
			t.Errorf("a long line: %s", line)
		}
	}
}

// The table in README.md names every key, under its section.
func TestReadmeNamesKeys(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 {
			continue
		}
		table := ""
		for _, m := range regexp.MustCompile("`([a-z_.\\[\\]]+)`").FindAllStringSubmatch(cells[1], -1) {
			key := strings.NewReplacer("[[", "", "]]", "").Replace(m[1])
			if at, _, ok := cut(key); ok && key != "mail.folder" {
				table = at
			} else if key == "mail.folder" {
				table = key
			} else {
				key = join(table, key)
			}
			named[key] = true
		}
	}
	for _, key := range Keys() {
		if !named[key] {
			t.Errorf("README.md does not name %s", key)
		}
	}
}

func TestEmptyFileIsDefault(t *testing.T) {
	c, err := Parse("x", nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.file, want.lines = c.file, c.lines
	if !reflect.DeepEqual(c, want) || len(c.Check()) > 0 {
		t.Errorf("%+v: %v", c, c.Check())
	}
}

func TestValues(t *testing.T) {
	c, err := Parse("x", []byte(`
hostname = "mail.example.org"
listen.imap = ["127.0.0.1:1143", "[::1]:1143"]
listen.imaps = ""
mail.folder = [{ name = "Gesendet", special_use = "\\Sent", auto = "subscribe" }, { name = "Kram" }]
[auth]
failure_delay = "0s"
[limits]
append = 5000000
line = "8 kib"
idle_time = "1h30m"
`))
	if err != nil {
		t.Fatal(err)
	}
	if p := c.Check(); len(p) > 0 {
		t.Error(p)
	}
	if len(c.Listen.IMAP) != 2 || len(c.Listen.IMAPS) != 0 || c.Limits.Append != 5_000_000 || c.Limits.Line != 8192 || c.Limits.IdleTime.String() != "1h30m0s" {
		t.Errorf("%+v", c)
	}
	if want := []Folder{{"Gesendet", `\Sent`, "subscribe"}, {"Kram", "", "no"}}; !reflect.DeepEqual(c.Mail.Folders, want) {
		t.Errorf("folders %+v", c.Mail.Folders)
	}
	for s, want := range map[string]Size{"1": 1, "64KiB": 65536, " 100 MiB ": 100 << 20, "1 GB": 1e9, "2g": 2 << 30} {
		if got, err := ParseSize(s); err != nil || got != want {
			t.Errorf("%q: %d, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "x", "-1", "1.5 MiB", "1 XB", "9223372036854775807 KiB", "99999999999999999999"} {
		if got, err := ParseSize(s); err == nil {
			t.Errorf("%q: %d", s, got)
		}
	}
	for s, want := range map[string]int64{"50%": 500, "100 %": 1000, "512MB": 512e6, "1 GiB": 1 << 30} {
		if got, err := ParseMemory(s); err != nil || got.Of(1000) != want {
			t.Errorf("%q: %+v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "0%", "101%", "-1%", "%", "x%", "1.5%", "lots"} {
		if got, err := ParseMemory(s); err == nil {
			t.Errorf("%q: %+v", s, got)
		}
	}
	for s, want := range map[Size]string{100 << 20: "100 MiB", 8192: "8 KiB", 1000: "1000 B", 0: "0 B"} {
		if s.String() != want {
			t.Errorf("%d: %v", int64(s), s)
		}
	}
}

// Each mistake is reported at its place, all together.
func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		file string
		want []string // regular expressions, one for each problem
	}{
		{"hostnam = 'x'\n[listen]\nimap = 5\n\n[limits]\nline = 'much'\nnestin = 3\nidle_time = 30\nconnections = '5'\n", []string{
			`^f:1: hostnam: unknown key; did you mean "hostname"\?$`,
			`^f:3: listen.imap: must be a string or a list of strings, not an integer$`,
			`^f:6: limits.line: "much" is not a size; write it like "64 KiB" or "100 MiB"$`,
			`^f:7: limits.nestin: unknown key; did you mean "nesting"\?$`,
			`^f:8: limits.idle_time: must be a duration in quotes like "30m", not an integer$`,
			`^f:9: limits.connections: must be an integer without quotes, not a string$`,
		}},
		{"passwd_file = '/x'\nwhatever = 1\n", []string{`^f:1: passwd_file: unknown key; did you mean it in \[auth\]\?$`, `^f:2: whatever: unknown key; the keys here are admin, auth, capabilities, hostname, `}},
		{"\n\nx = [\n", []string{`^f:\d: .*`}},
		{"hostname = 'a'\n\nhostname = 'b'\n", []string{`^f:3: .*hostname`}},
		{"[tls]\ncert = ''\n[log]\n[tls]\n", []string{`^f:4: .*tls`}},
		{"tls = 'x'\n", []string{`^f:1: tls: must be a table, \[tls\], not a string$`}},
		{"[mail]\n[[mail.folder]]\nname = 'a'\n[[mail.folder]]\nname = 'b'\nuse = 1\n", []string{`^f:6: mail.folder\[1\].use: unknown key`}},
		{"[mail]\nfolder = 'x'\n", []string{`^f:2: mail.folder: must be written as \[\[mail.folder\]\]`}},
		{"[mail]\nfolder = ['x']\n", []string{`^f:2: mail.folder\[0\]: must be a table, not a string`}},
		{"[sandbox]\nlandlock = 'no'\n[limits]\nmemory = 'half'\n", []string{
			`^f:2: sandbox.landlock: must be true or false without quotes, not a string$`,
			`^f:4: limits.memory: "half" is neither a size like "512 MiB" nor a share like "50%"$`,
		}},
		// What types cannot say, in the same go; but nothing of keys of which something was said already.
		{"hostnam = 'x'\nadmin = 'nobody'\n[listen]\nimap = 5\nimaps = []\n[mail]\nlayout = 'mbox'\nseparator = 1\n[limits]\nline = 'much'\nnesting = 1\n", []string{
			`^f:1: hostnam: unknown key`, `^f:2: admin: "nobody" is not a URI`, `^f:4: listen.imap: must be a string`, `^f:7: mail.layout: "mbox" is not one of`,
			`^f:8: mail.separator: must be a string`, `^f:10: limits.line: "much" is not a size`, `^f:11: limits.nesting: 1 is too little`,
		}},
		{"hostname = 1979-05-27\n", []string{`^f:1: hostname: must be a string in quotes, not a date$`}},
	} {
		conf, err := Parse("f", []byte(c.file))
		if err == nil {
			err = conf.Check()
		}
		compare(t, c.file, err, c.want)
	}
}

func compare(t *testing.T, file string, err error, want []string) {
	t.Helper()
	p, ok := err.(Problems)
	if !ok || len(p) != len(want) {
		t.Errorf("%q: %d problems, want %d:\n%v", file, len(p), len(want), err)
		return
	}
	for i := range want {
		if !regexp.MustCompile(want[i]).MatchString(p[i].String()) {
			t.Errorf("%q: %s\nwant %s", file, p[i], want[i])
		}
	}
}

func TestCheck(t *testing.T) {
	c, err := Parse("f", []byte(`hostname = "a b"
[listen]
imap = ["143", ":993"]
imaps = ":993"
[tls]
cert = "cert.pem"
[mail]
home = "home/{usr}"
maildir = "../x"
layout = "mbox"
separator = "-"
state = "/s/{"
[[mail.folder]]
name = "inbox"
[[mail.folder]]
name = "A"
special_use = "Sent"
auto = "yes"
[auth]
passwd_file = "users"
plaintext = "sometimes"
mechanisms = ["CRAM-MD5"]
failure_delay = "2h"
[limits]
line = 10
idle_time = "1m"
connections = 0
nesting = 100000
[log]
level = "loud"
format = "xml"
`))
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "check", c.Check(), []string{
		`^f:1: hostname: `, `^f:3: listen.imap: "143" is not an address`, `^f:(3|4): listen.imaps?: ":993" is listed twice`, `^f:5: tls: cert and key belong together`, `^f:6: tls.cert: .* absolute`,
		`^f:8: mail.home: (.*absolute|\{usr in)`, `^f:8: mail.home: (.*absolute|\{usr in)`, `^f:9: mail.maildir: `, `^f:10: mail.layout: "mbox" is not one of \["maildir\+\+" "fs"\]`,
		`^f:11: mail.separator: `, `^f:12: mail.state: `, `^f:14: mail.folder\[0\].name: INBOX`, `^f:17: mail.folder\[1\].special_use: `, `^f:18: mail.folder\[1\].auto: `,
		`^f:20: auth.passwd_file: `, `^f:21: auth.plaintext: `, `^f:22: auth.mechanisms: `, `^f:23: auth.failure_delay: `,
		`^f:25: limits.line: 10 octets is too little`, `^f:26: limits.idle_time: `, `^f:27: limits.connections: `, `^f:28: limits.nesting: `,
		`^f:30: log.level: `, `^f:31: log.format: `,
	})
	c, err = Parse("f", []byte(`[auth]
failures_free = 0
longest_wait = "2h"
[limits]
memory = "1 MiB"
connections_before_login = 0
save_limit = 5
message_limit = 5
[quota]
messages = -1
[sandbox]
paths = ["/a", "b"]
`))
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "check", c.Check(), []string{
		`^f:2: auth.failures_free: `, `^f:3: auth.longest_wait: `, `^f:5: limits.memory: 1048576 octets is too little`, `^f:6: limits.connections_before_login: `,
		`^f:7: limits.save_limit: `, `^f:10: quota.messages: -1 is too little`, `^f:12: sandbox.paths: "b" must be an absolute path`,
	})
	c = Default()
	c.Listen = Listen{}
	if p := c.Check(); len(p) != 1 || !strings.Contains(p.Error(), "no address") {
		t.Errorf("nothing to listen on: %v", p)
	}
}

func TestTemplates(t *testing.T) {
	for _, c := range [][3]string{
		{"/var/vmail/{domain}/{name}", "alice@example.org", "/var/vmail/example.org/alice"},
		{"/home/{user}", "alice", "/home/alice"},
		{"/h/{name}-{user}", "a@b@c", "/h/a-a@b@c"},
		{"/h/{name}", "{user}", "/h/{user}"},
	} {
		if got, err := Expand(c[0], c[1]); err != nil || got != c[2] {
			t.Errorf("%s for %q: %q, %v", c[0], c[1], got, err)
		}
	}
	for _, c := range [][2]string{
		{"/h/{user}", ""}, {"/h/{user}", ".."}, {"/h/{user}", "."}, {"/h/{user}", "a/../b"}, {"/h/{user}", "a\x00"}, {"/h/{domain}", "alice"}, {"/h/{name}", "@example.org"},
		{"/h/{domain}", "alice@.."}, {"/h/{usr}", "a"}, {"/h/{user", "a"}, {"/h/{user}", strings.Repeat("x", 256)},
	} {
		if got, err := Expand(c[0], c[1]); err == nil {
			t.Errorf("%s for %q: %q", c[0], c[1], got)
		}
	}
	for _, c := range []struct{ state, server, user string }{
		{"/var/lib/roost", "/var/lib/roost", "/var/lib/roost/users/a@b"},
		{"/s/{domain}/{name}", "/s", "/s/b/a"},
		{"/s/x-{user}/y", "/s", "/s/x-a@b/y"},
		{"/{user}", "/", "/a@b"},
	} {
		m := &Mail{State: c.state}
		if got, err := m.UserState("a@b"); err != nil || got != c.user || m.ServerState() != c.server {
			t.Errorf("%s: %q and %q, %v", c.state, m.ServerState(), got, err)
		}
	}
	m := &Mail{State: "/s"}
	if got, err := m.UserState("../x"); err == nil {
		t.Errorf("a user's state is in %q", got)
	}
	if got, _ := (&Mail{Maildir: "Maildir"}).UserMaildir("a", "/home/a"); got != "/home/a/Maildir" {
		t.Error(got)
	}
	if got, _ := (&Mail{Maildir: "/mail/{user}"}).UserMaildir("a", "/home/a"); got != "/mail/a" {
		t.Error(got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("hostname = 'a'\n[[mail.folder]]\nname = 'x'\n"))
	f.Add([]byte("[a.b]\nc.d = [{e=1}]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("f", data)
		if err == nil {
			_ = c.Check().Error()
		}
	})
}
