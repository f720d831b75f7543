package auth

import (
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

const sample = `# users of this house
:ignored
alice:{PLAIN}secret:1000:1000:Alice A:/home/alice:/bin/false:userdb_mail=maildir:~/Maildir:LAYOUT=fs allow_nets=127.0.0.0/8,2001:db8::/32

bob:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=
carol:{PLAIN}secret::::::nologin reason=moved
dave:{PLAIN}secret:0:0::/root::
erin:{PLAIN}secret::::::proxy host=192.0.2.1
alice:{PLAIN}second
../x:{PLAIN}secret
frank:{ROT13}x
grace:
heidi:{PLAIN}secret::::::userdb_home=/srv/heidi userdb_mail_path=~/mail
ivan:{PLAIN}secret::::::user=ivan@example.org
judy:{PLAIN}secret::::::allow_nets=nonsense
ken:!{PLAIN}secret
lena:*
`

func TestParseTable(t *testing.T) {
	table, problems := parseTable([]byte(sample), "CRYPT")
	var lines []int
	for _, p := range problems {
		lines = append(lines, p.Line)
	}
	want := []int{7, 8, 9, 10, 11, 12, 15} // not those who are locked out on purpose
	if len(lines) != len(want) {
		t.Fatalf("problems: %+v", problems)
	}
	for i := range want {
		if lines[i] != want[i] {
			t.Fatalf("problems in lines %v, want %v: %+v", lines, want, problems)
		}
	}
	alice := table.lookup("Alice")
	if alice == nil || alice.secret.plain != "secret" {
		t.Fatal("Alice is not found in lower case, or the second line won")
	}
	if u := alice.user(); u.Home != "/home/alice" || u.Mail != "maildir:~/Maildir:LAYOUT=fs" {
		t.Errorf("alice is %+v", u)
	}
	for from, ok := range map[string]bool{"127.0.0.9": true, "::ffff:127.0.0.1": true, "2001:db8:1::5": true, "192.0.2.1": false, "::1": false} {
		if alice.admits(netip.MustParseAddr(from)) != ok {
			t.Errorf("alice from %s: want %v", from, ok)
		}
	}
	if u := table.lookup("heidi").user(); u.Home != "/srv/heidi" || u.Mail != "maildir:~/mail" {
		t.Errorf("heidi is %+v", u)
	}
	if u := table.lookup("ivan").user(); u.Name != "ivan@example.org" {
		t.Errorf("ivan is %+v", u)
	}
	if table.dummy.kind != "PLAIN" || !table.scram {
		t.Errorf("most common kind %q, scram %v", table.dummy.kind, table.scram)
	}
}

func TestValidName(t *testing.T) {
	for _, name := range []string{"alice", "alice@example.org", "a.b+c", "jürgen", "a b"[:1]} {
		if err := ValidName(name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"", ".", "..", "../x", "a/b", "a:b", "a b", "a\x00", "#a", "\xff", strings.Repeat("x", 256), ".hidden", "a\u0085"} {
		if ValidName(name) == nil {
			t.Errorf("%q is accepted", name)
		}
	}
}

// clock is time in the hands of a test.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.t }
func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func TestFileReload(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users")
	write := func(s string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := openFile(path, "CRYPT", quiet); err == nil {
		t.Fatal("an absent file is accepted at the start")
	}
	write("alice:{PLAIN}one\n")
	f, err := openFile(path, "CRYPT", quiet)
	if err != nil {
		t.Fatal(err)
	}
	c := &clock{t: time.Now()}
	f.now, f.checked = c.now, c.t
	password := func() string {
		if e := f.table().lookup("alice"); e != nil {
			return e.secret.plain
		}
		return ""
	}
	write("alice:{PLAIN}three\n")
	if got := password(); got != "one" {
		t.Errorf("looked at the file within a second: %q", got)
	}
	c.forward(time.Second)
	if got := password(); got != "three" {
		t.Errorf("change not noticed: %q", got)
	}
	write("alice:{PLAIN}fo")
	c.forward(time.Second)
	if got := password(); got != "three" {
		t.Errorf("a torn line is believed at once: %q", got)
	}
	c.forward(time.Second)
	if got := password(); got != "fo" {
		t.Errorf("a file without its last line end is never believed: %q", got)
	}
	os.Remove(path)
	c.forward(time.Second)
	if got := password(); got != "fo" {
		t.Errorf("users are lost with the file: %q", got)
	}
	write("")
	c.forward(time.Second)
	if got := password(); got != "fo" {
		t.Errorf("an empty file is believed at once: %q", got)
	}
	c.forward(time.Second)
	if got := password(); got != "" {
		t.Errorf("an empty file is never believed: %q", got)
	}
	write("alice:{PLAIN}new\n")
	f.reload()
	if got := password(); got != "new" {
		t.Errorf("reload did nothing: %q", got)
	}
}

func TestEdit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users")
	const before = "# top\r\nalice:old:1:2:g:/h:/s:userdb_mail=maildir:~/m\n\n#alice:x\nbob\ncarol:c"
	if err := os.WriteFile(path, []byte(before), 0o640); err != nil {
		t.Fatal(err)
	}
	step := func(err error, want string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		got, _ := os.ReadFile(path)
		if string(got) != want {
			t.Fatalf("the file is\n%q, want\n%q", got, want)
		}
		if fi, _ := os.Stat(path); fi.Mode().Perm() != 0o640 {
			t.Fatalf("mode %v", fi.Mode())
		}
	}
	want := strings.Replace(before, "alice:old:", "alice:new:", 1)
	step(SetPassword(path, "alice", "new"), want)
	want = strings.Replace(want, "\nbob\n", "\nbob:b\n", 1)
	step(SetPassword(path, "bob", "b"), want)
	want = strings.Replace(want, "carol:c", "carol:d", 1)
	step(SetPassword(path, "carol", "d"), want)
	want += "\ndave:{PLAIN}x::::::\n"
	step(AddUser(path, "dave", "{PLAIN}x"), want)
	want = strings.Replace(want, "bob:b\n", "", 1)
	step(RemoveUser(path, "bob"), want)
	for _, err := range []error{SetPassword(path, "nobody", "x"), RemoveUser(path, "nobody"), RemoveUser(path, "")} {
		if !errors.Is(err, ErrNoUser) {
			t.Errorf("unknown user: %v", err)
		}
	}
	if err := AddUser(path, "alice", "x"); !errors.Is(err, ErrUserExists) {
		t.Errorf("adding twice: %v", err)
	}
	if err := AddUser(path, "a:b", "x"); err == nil {
		t.Error("a colon in a name is accepted")
	}
	step(nil, want)
	names, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*"))
	if err != nil || len(names) != 0 {
		t.Errorf("temporary files left: %v", names)
	}
}

func TestEditTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users")
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if err := AddUser(path, "user"+string(rune('a'+i)), "{PLAIN}x"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	users, err := ListUsers(path, "CRYPT")
	if err != nil || len(users) != 20 {
		t.Errorf("%d of 20 users, %v", len(users), err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("a new file is not private: %v", fi.Mode())
	}
}

func FuzzTable(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte("a:b\r\nc"))
	f.Fuzz(func(t *testing.T, data []byte) {
		table, _ := parseTable(data, "CRYPT")
		for name, e := range table.entries {
			if ValidName(name) != nil || e.name != name || e.secret == nil && e.refused == "" {
				t.Fatalf("entry %q: %+v", name, e)
			}
			u := e.user()
			if ValidName(u.Name) != nil && e.refused == "" {
				t.Fatalf("user name %q", u.Name)
			}
		}
	})
}
