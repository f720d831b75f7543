package cli

import (
	"bufio"
	"net"
	"strings"
	"testing"
	"time"
)

// The limits of connections and failed logins are those of the configuration.
func TestConnectionLimits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		conf string
		want string // what the last client is told
		last func(t *testing.T, addr string) string
	}{
		"connections":             {"connections = 2", "* BYE [UNAVAILABLE] Too many connections\r\n", refused},
		"connections_per_address": {"connections_per_address = 2", "* BYE [UNAVAILABLE] Too many connections from your address\r\n", refused},
		"connections_per_user": {"connections_per_user = 2", "NO [LIMIT] Too many connections of this user", func(t *testing.T, addr string) string {
			i := dial(t, addr, false)
			if got := i.do("LOGIN carol c"); !strings.HasPrefix(got, "OK") {
				t.Errorf("another user: %s", got)
			}
			return dial(t, addr, false).do("LOGIN alice a")
		}},
		"notify_mailboxes": {"notify_mailboxes = 1", "NO [NOTIFICATIONOVERFLOW] Too many mailboxes to tell about", func(t *testing.T, addr string) string {
			i := dial(t, addr, false)
			i.ok("LOGIN alice a")
			i.ok("CREATE more")
			return i.do("NOTIFY SET (personal (MessageNew MessageExpunge))")
		}},
		"metadata_value": {"metadata_value = 1024", "NO [METADATA MAXSIZE 1024] Value is too long", func(t *testing.T, addr string) string {
			i := dial(t, addr, false)
			i.ok("LOGIN alice a")
			i.ok(`SETMETADATA INBOX (/private/comment "` + strings.Repeat("x", 1024) + `")`)
			return i.do(`SETMETADATA INBOX (/private/comment "` + strings.Repeat("x", 1025) + `")`)
		}},
		"metadata_entries": {"metadata_entries = 1", "NO [METADATA TOOMANY] Too many annotations", func(t *testing.T, addr string) string {
			i := dial(t, addr, false)
			i.ok("LOGIN alice a")
			i.ok(`SETMETADATA INBOX (/private/comment "x")`)
			return i.do(`SETMETADATA INBOX (/shared/comment "x")`)
		}},
		"quota": {"nesting = 100\n[quota]\nmessages = 9", "NO [OVERQUOTA] Over quota", func(t *testing.T, addr string) string {
			i := dial(t, addr, false)
			i.ok("LOGIN carol c")
			return i.do("APPEND INBOX {2000+}\r\n" + strings.Repeat("x", 2000)) // her own limit is lower
		}},
		"connections_before_login": {"connections_before_login = 1", "* BYE [UNAVAILABLE] Too many connections that have not logged in\r\n", func(t *testing.T, addr string) string {
			first := dial(t, addr, false)
			dial(t, addr, false).ok("LOGIN carol c")
			line, _ := first.r.ReadString('\n')
			return line
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, sandboxConf+"[limits]\n"+c.conf+"\n")
			h.write("etc/users", "alice:{PLAIN}a\ncarol:{PLAIN}c::::::roost_quota_storage=1999\n")
			p := start(t, nil, "serve", "--config", h.path("roost.conf"))
			for range 2 {
				dial(t, p.plain, false).ok("LOGIN alice a")
			}
			if got := c.last(t, p.plain); got != c.want {
				t.Errorf("the last client is told %q, want %q", got, c.want)
			}
			p.stop()
		})
	}
}

// refused is what a client is told that the server does not take.
func refused(t *testing.T, addr string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	line, _ := bufio.NewReader(c).ReadString('\n')
	return line
}

// An address that fails waits before its next try, however right that is, and not at all when that is turned off.
func TestBackoffKeys(t *testing.T) {
	t.Parallel()
	for conf, waits := range map[string]bool{
		"auth.failures_free = 1\nauth.longest_wait = \"1m\"\n": true,
		"auth.failures_free = 1\nauth.longest_wait = \"0s\"\n": false,
		"auth.failures_free = 9\nauth.longest_wait = \"1m\"\n": false,
	} {
		t.Run(strings.Fields(conf)[2]+strings.Fields(conf)[5], func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, conf+sandboxConf)
			p := start(t, nil, "serve", "--config", h.path("roost.conf"))
			for range 2 {
				if got := dial(t, p.plain, false).do("LOGIN alice wrong"); !strings.HasPrefix(got, "NO [AUTHENTICATIONFAILED]") {
					t.Error(got)
				}
			}
			began := time.Now()
			dial(t, p.plain, false).ok("LOGIN alice a")
			// Half a second, doubled for each failure; that less than that goes by is what no busy machine can bring about.
			if took := time.Since(began); waits && took < time.Second/2 {
				t.Errorf("a failing address waited %v", took)
			} else if !waits {
				t.Logf("took %v", took)
			}
			p.stop()
		})
	}
}
