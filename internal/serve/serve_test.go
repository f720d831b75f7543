package serve

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"roost/internal/auth"
	"roost/internal/config"
	"roost/maildir"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func TestLocate(t *testing.T) {
	mail := config.Default().Mail
	mail.Home, mail.State = "/vmail/{domain}/{name}", "/state"
	for _, c := range []struct {
		user       auth.User
		root       string
		layout     maildir.Layout
		sep        byte
		mistakenly string // part of the error
	}{
		{auth.User{Name: "a@b"}, "/vmail/b/a/Maildir", maildir.MaildirPP, '.', ""},
		{auth.User{Name: "a", Home: "/home/a"}, "/home/a/Maildir", maildir.MaildirPP, '.', ""},
		{auth.User{Name: "a", Home: "/home/%n"}, "/home/a/Maildir", maildir.MaildirPP, '.', ""},
		{auth.User{Name: "a@b", Mail: "maildir:~/mail"}, "/vmail/b/a/mail", maildir.MaildirPP, '.', ""},
		{auth.User{Name: "a@b", Mail: "maildir:~"}, "/vmail/b/a", maildir.MaildirPP, '.', ""},
		{auth.User{Name: "a@b", Mail: "maildir:mail/"}, "/vmail/b/a/mail", maildir.MaildirPP, '.', ""},
		{auth.User{Name: "a@b", Mail: "maildir:~/m:LAYOUT=fs:INDEX=/x"}, "/vmail/b/a/m", maildir.FS, '/', ""},
		{auth.User{Name: "a", Mail: "maildir:/m/%u"}, "/m/a", maildir.MaildirPP, '.', ""},
		{auth.User{Name: "a@b", Mail: "maildir:%h/x-%{user | domain}-%d-%n-%%"}, "/vmail/b/a/x-b-b-a-%", maildir.MaildirPP, '.', ""},
		{auth.User{Name: "a"}, "", 0, 0, "{domain}"},
		{auth.User{Name: "..", Home: "/h"}, "", 0, 0, "cannot be part of a path"},
		{auth.User{Name: "a/b", Home: "/h"}, "", 0, 0, "cannot be part of a path"},
		{auth.User{Name: "a@b", Home: "home"}, "", 0, 0, "not an absolute path"},
		{auth.User{Name: "a", Mail: "maildir:/m/%d"}, "", 0, 0, "{domain}"},
		{auth.User{Name: "a@b", Mail: "mbox:~/mail"}, "", 0, 0, "not a maildir:"},
		{auth.User{Name: "a@b", Mail: "maildir:~/m:CONTROL=/c"}, "", 0, 0, "CONTROL= is not supported"},
		{auth.User{Name: "a@b", Mail: "maildir:~/m:LAYOUT=index"}, "", 0, 0, "LAYOUT=index"},
		{auth.User{Name: "a@b", Mail: "maildir:~root/m"}, "", 0, 0, "another user"},
		{auth.User{Name: "a@b", Mail: "maildir:%{hostname}"}, "", 0, 0, "is not supported here"},
		{auth.User{Name: "a@b", Mail: "maildir:%{user"}, "", 0, 0, "without its }"},
		{auth.User{Name: "a@b", Mail: "maildir:/x%"}, "", 0, 0, "is not supported here"},
	} {
		o, err := locate(&mail, &config.Limits{}, &c.user)
		if c.mistakenly != "" {
			if err == nil || !strings.Contains(err.Error(), c.mistakenly) {
				t.Errorf("%+v: %+v, %v", c.user, o, err)
			}
			continue
		}
		if err != nil || o.Root != c.root || o.Layout != c.layout || o.Separator != c.sep || o.State != "/state/users/"+c.user.Name || !o.Create {
			t.Errorf("%+v: %+v, %v", c.user, o, err)
		}
	}
	if mail.Layout != "maildir++" {
		t.Error("one user's layout became everybody's")
	}
}

func newStores(t *testing.T) *Stores {
	t.Helper()
	dir := t.TempDir()
	s := NewStores(func(u *auth.User) (maildir.Options, error) {
		if u.Name == "nobody" {
			return maildir.Options{}, errors.New("nowhere")
		}
		return maildir.Options{Root: filepath.Join(dir, u.Name), State: filepath.Join(dir, "state", u.Name), Separator: '.', Create: u.Name != "absent"}, nil
	}, Search{Enabled: true}, quiet)
	t.Cleanup(s.Close)
	return s
}

func TestStoresAreShared(t *testing.T) {
	s := newStores(t)
	alice, bob := &auth.User{Name: "alice"}, &auth.User{Name: "bob"}
	a, xa, releaseA, err := s.Open(alice)
	if err != nil {
		t.Fatal(err)
	}
	b, xb, releaseB, err := s.Open(alice)
	if err != nil || a != b || xa == nil || xa != xb {
		t.Errorf("one user has two mail roots: %v", err)
	}
	c, _, releaseC, err := s.Open(bob)
	if err != nil || c == a {
		t.Errorf("two users share a mail root: %v", err)
	}
	releaseA()
	releaseA() // once is enough
	if ok, err := b.Exists("INBOX"); err != nil || !ok {
		t.Errorf("closed while in use: %v", err)
	}
	releaseB()
	releaseC()
	d, _, release, err := s.Open(alice)
	if err != nil || d != a {
		t.Errorf("not kept warm: %v", err)
	}
	release()
	for _, name := range []string{"nobody", "absent"} {
		if _, _, _, err := s.Open(&auth.User{Name: name}); err == nil {
			t.Errorf("%s has mail", name)
		}
		if _, _, _, err := s.Open(&auth.User{Name: name}); err == nil {
			t.Errorf("%s has mail at the second try", name)
		}
	}
	s.Close()
	if _, _, _, err := s.Open(alice); err != errStopping {
		t.Errorf("after Close: %v", err)
	}
}

func TestStoresCloseWhenIdle(t *testing.T) {
	s := newStores(t)
	s.warm = time.Millisecond
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 30 {
				store, _, release, err := s.Open(&auth.User{Name: "alice"})
				if err != nil {
					t.Error(err)
					return
				}
				if ok, err := store.Exists("INBOX"); err != nil || !ok {
					t.Errorf("a store in use is closed: %v", err)
				}
				release()
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
	wg.Wait()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		n := len(s.open)
		s.mu.Unlock()
		if n == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d mail roots stay open", n)
		}
	}
}

func TestState(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	s, err := OpenState(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenState(dir); err == nil || !strings.Contains(err.Error(), "another roost (pid ") {
		t.Errorf("locked twice: %v", err)
	}
	key, err := s.Secret()
	if err != nil || len(key) != 32 {
		t.Fatal(err)
	}
	password, err := s.Password()
	if err != nil || len(password) != 24 {
		t.Fatalf("%q, %v", password, err)
	}
	// Emptied, or replaced by another directory, it is locked again with what was in it; a server that was faster keeps it.
	for range 2 {
		if renewed, err := s.Renew(); renewed || err != nil {
			t.Errorf("nothing happened: %v, %v", renewed, err)
		}
		if err := os.Rename(dir, filepath.Join(t.TempDir(), "old")); err != nil {
			t.Fatal(err)
		}
		if renewed, err := s.Renew(); !renewed || err != nil {
			t.Errorf("moved away: %v, %v", renewed, err)
		}
		if _, err := OpenState(dir); err == nil {
			t.Error("a second server may start")
		}
	}
	if err := os.Remove(filepath.Join(dir, lockName)); err != nil {
		t.Fatal(err)
	}
	other, err := OpenState(dir)
	if err != nil {
		t.Fatal(err)
	}
	if renewed, err := s.Renew(); renewed || err == nil || !strings.Contains(err.Error(), "another roost (pid ") {
		t.Errorf("another server: %v, %v", renewed, err)
	}
	if renewed, err := s.Renew(); renewed || err != nil {
		t.Errorf("told again: %v, %v", renewed, err)
	}
	other.Close()
	if renewed, err := s.Renew(); !renewed || err != nil {
		t.Errorf("the other server is gone: %v, %v", renewed, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err = OpenState(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if again, err := s.Secret(); err != nil || string(again) != string(key) {
		t.Errorf("the secret changed: %v", err)
	}
	if again, err := s.Password(); err != nil || again != password {
		t.Errorf("the password changed: %v", err)
	}
	for _, name := range []string{secretName, passwordName, lockName} {
		if fi, err := os.Stat(filepath.Join(dir, name)); err != nil || fi.Mode().Perm() != 0o600 {
			t.Errorf("%s is not private: %v", name, err)
		}
	}
	if one, other := NewPassword(), NewPassword(); one == other {
		t.Error("passwords repeat")
	}
}

func TestDefaultState(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", "/xdg")
	a, err := DefaultState("/home/a/Maildir")
	b, _ := DefaultState("/home/b/Maildir")
	if err != nil || a == b || !strings.HasPrefix(a, "/xdg/roost/Maildir-") {
		t.Errorf("%q, %q, %v", a, b, err)
	}
	t.Setenv("XDG_STATE_HOME", "relative")
	t.Setenv("HOME", "/home/me")
	if a, _ := DefaultState("/home/a/.Maildir"); !strings.HasPrefix(a, "/home/me/.local/state/roost/Maildir-") {
		t.Error(a)
	}
}

func TestExamine(t *testing.T) {
	dir := t.TempDir()
	for _, sub := range []string{"empty", "m/cur", "m/new", "fs/cur", "fs/new", "fs/A/cur", "both/cur", "both/new", "both/A/cur", "both/.B/cur", "docs/x"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		ok, fresh bool
		layout    string
	}{
		"absent": {true, true, "maildir++"}, "empty": {true, true, "maildir++"}, "m": {true, false, "maildir++"},
		"fs": {true, false, "fs"}, "both": {true, false, "maildir++"}, "docs": {false, false, "maildir++"}, ".": {false, false, "maildir++"},
	} {
		root, fresh, err := examine(filepath.Join(dir, name))
		if (err == nil) != c.ok || fresh != c.fresh {
			t.Errorf("%s: fresh %v, %v", name, fresh, err)
		}
		if err == nil && layoutOf(root) != c.layout {
			t.Errorf("%s: layout %s", name, layoutOf(root))
		}
	}
}

func TestAvailableMemory(t *testing.T) {
	const meminfo = "MemTotal:       16000000 kB\nMemFree:         1000000 kB\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"nothing said":    {nil, unknownMemory},
		"machine":         {map[string]string{"proc/meminfo": meminfo}, 16000000 << 10},
		"no limit":        {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "max\n"}, 16000000 << 10},
		"version 2":       {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "1000000\n"}, 1000000},
		"a group above":   {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/memory.max": "5\n"}, 5},
		"a container":     {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "7\n"}, 7},
		"version 1":       {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "5:cpu:/x\n4:memory:/a\n", "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "9\n"}, 9},
		"1 without limit": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "4:memory:/a\n", "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "9223372036854771712\n"}, 16000000 << 10},
		"nonsense":        {map[string]string{"proc/meminfo": "MemTotal: x kB\n", "proc/self/cgroup": "0:/\n::\n\n4:memory:../../x\n", "sys/fs/cgroup/memory.max": "-1"}, unknownMemory},
	} {
		root := fstest.MapFS{}
		for file, text := range c.files {
			root[file] = &fstest.MapFile{Data: []byte(text)}
		}
		if got := available(root); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// Whatever the ceiling, nothing is zero, and what is held for long stays below it.
func TestShares(t *testing.T) {
	for _, ceiling := range []int64{32 << 20, 64 << 20, 512 << 20, 16 << 30, 1 << 40} {
		s := share(ceiling)
		if s.connections < 64 || s.hashing < 1 || s.working < 1 || s.warm < 1<<20 || s.warm >= s.mailboxes || s.commands < 4<<20 {
			t.Errorf("%d: too little for somebody: %+v", ceiling, s)
		}
		if held := s.commands + s.mailboxes + int64(s.connections)*connectionOctets; held > ceiling {
			t.Errorf("%d: %d may be held: %+v", ceiling, held, s)
		}
	}
}

func TestSandboxPaths(t *testing.T) {
	for name, c := range map[string]struct {
		users       string
		write, read []string // below the test's directory
	}{
		"templates":     {"alice:{PLAIN}a\n", []string{"state", "mail"}, []string{"etc"}},
		"homes":         {"bob:{PLAIN}b::::DIR/homes/bob::\n", []string{"state", "homes/bob"}, []string{"etc"}},
		"both":          {"alice:{PLAIN}a\nbob:{PLAIN}b::::DIR/homes/bob::\n", []string{"state", "mail", "homes/bob"}, []string{"etc"}},
		"below":         {"bob:{PLAIN}b::::DIR/mail/x/y/bob::\n", []string{"state", "mail"}, []string{"etc"}},
		"not served":    {"alice:{PLAIN}a\neve:{PLAIN}b::::::userdb_mail=mbox:/x\n", []string{"state", "mail"}, []string{"etc"}},
		"nobody at all": {"# none\n", []string{"state", "mail"}, []string{"etc"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			in := func(elem ...string) string { return filepath.Join(append([]string{dir}, elem...)...) }
			if err := os.Mkdir(in("etc"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(in("etc", "users"), []byte(strings.ReplaceAll(c.users, "DIR", dir)), 0o600); err != nil {
				t.Fatal(err)
			}
			conf := config.Default()
			conf.Auth.PasswdFile, conf.Mail.Home, conf.Mail.State = in("etc", "users"), in("mail", "{user}"), in("state")
			p, err := FromConfig(conf, quiet)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			got, err := p.sandboxed()
			if err != nil {
				t.Fatal(err)
			}
			for _, list := range [][2][]string{{got.Write, c.write}, {got.Read, c.read}} {
				var want []string
				for _, path := range list[1] {
					want = append(want, in(path))
				}
				slices.Sort(list[0])
				slices.Sort(want)
				if !slices.Equal(list[0], want) {
					t.Errorf("paths %v, want %v", list[0], want)
				}
			}
			// A rule needs a directory; what nobody needs is not made.
			if _, err := os.Stat(in("mail")); (err == nil) != slices.Contains(c.write, "mail") {
				t.Errorf("mail: %v", err)
			}
		})
	}
}

// A Maildir that is replaced is opened anew by the next login, with its index, while sessions of the old one still end; one that was moved
// away is not made again.
func TestStoresMoved(t *testing.T) {
	s := newStores(t)
	alice := &auth.User{Name: "alice"}
	o, _ := s.locate(alice)
	old, _, releaseOld, err := s.Open(alice)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(o.Root, o.Root+".old"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, _, _, err := s.Open(alice); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("moved away: %v", err)
		}
	}
	if err := os.MkdirAll(filepath.Join(o.Root, "cur"), 0o700); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			store, x, release, err := s.Open(alice)
			if err != nil || store == old || x == nil {
				t.Errorf("the one that is there now: %v, index %v", err, x != nil)
				return
			}
			defer release()
			if err := store.Create(fmt.Sprintf("Work%d", i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	releaseOld()
	if _, err := os.Stat(o.Root + ".old/.Work0"); err == nil {
		t.Error("the old one was written to")
	}
}
