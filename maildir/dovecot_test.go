package maildir

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// dovecotIMAP are the places of Dovecot's imap process, which can be run alone on a pipe.
var dovecotIMAP = []string{"/usr/lib/dovecot/imap", "/usr/libexec/dovecot/imap", "/usr/local/libexec/dovecot/imap"}

// dovecotPeer runs IMAP commands on a mail root in a Dovecot process of its own.
type dovecotPeer struct {
	t          *testing.T
	imap, home string
	root       string
	uid        int
}

// newDovecot prepares a home with an empty mail root for a private Dovecot.
func newDovecot(t *testing.T, layout Layout) *dovecotPeer {
	t.Helper()
	p := &dovecotPeer{t: t, uid: os.Getuid()}
	for _, path := range dovecotIMAP {
		if _, err := os.Stat(path); err == nil {
			p.imap = path
		}
	}
	if p.imap == "" {
		if os.Getenv("ROOST_REQUIRE_PEERS") == "1" {
			t.Fatal("Dovecot's imap is not installed")
		}
		t.Skip("Dovecot's imap is not installed")
	}
	base := t.TempDir()
	if p.uid == 0 { // Dovecot refuses to serve root's mail
		p.uid = 65534
		for d := base; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
			must(t, os.Chmod(d, 0o755))
		}
	}
	p.home, p.root = base, filepath.Join(base, "Maildir")
	must(t, os.Mkdir(p.root, 0o700))
	location := "maildir:~/Maildir"
	if layout == FS {
		location += ":LAYOUT=fs"
	}
	conf := fmt.Sprintf("base_dir = %[1]s/run\nstate_dir = %[1]s/run\nlog_path = %[1]s/log\ninfo_log_path = /dev/null\nssl = no\nprotocols = imap\n"+
		"mail_uid = %[2]d\nmail_gid = %[2]d\nfirst_valid_uid = 1\nfirst_valid_gid = 1\nmail_location = %[3]s\n"+
		"namespace inbox {\n  inbox = yes\n  separator = /\n}\n", base, p.uid, location)
	must(t, os.WriteFile(filepath.Join(base, "dovecot.conf"), []byte(conf), 0o644))
	return p
}

// do runs commands and returns the untagged answers; each command must be answered with OK.
func (p *dovecotPeer) do(commands ...string) string {
	p.t.Helper()
	if os.Getuid() == 0 {
		must(p.t, filepath.Walk(p.home, func(path string, _ os.FileInfo, err error) error {
			if err != nil {
				return err
			}
			return os.Lchown(path, p.uid, p.uid)
		}))
	}
	var in strings.Builder
	for i, c := range append(commands, "LOGOUT") {
		fmt.Fprintf(&in, "a%d %s\r\n", i, c)
	}
	cmd := exec.Command(p.imap, "-c", filepath.Join(p.home, "dovecot.conf"))
	cmd.Env = []string{"USER=peer", "HOME=" + p.home, "PATH=" + os.Getenv("PATH")}
	cmd.Dir = p.home
	cmd.Stdin = strings.NewReader(in.String())
	cmd.WaitDelay = time.Second
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(p.uid), Gid: uint32(p.uid)}}
	}
	timer := time.AfterFunc(20*time.Second, func() { cmd.Process.Kill() })
	out, err := cmd.CombinedOutput()
	timer.Stop()
	text := string(out)
	for i, c := range commands {
		if !strings.Contains(text, fmt.Sprintf("\na%d OK", i)) {
			p.t.Fatalf("Dovecot: %s failed (%v):\n%s", c, err, text)
		}
	}
	if log, _ := os.ReadFile(filepath.Join(p.home, "log")); len(log) > 0 {
		p.t.Errorf("Dovecot logged: %s", log)
	}
	return text
}

var listLine = regexp.MustCompile(`(?m)^\* (LIST|LSUB) \(([^)]*)\) "/" (?:"([^"]*)"|(\S+))\r$`)

// names collects the names of LIST or LSUB answers, "-" marks \Noselect, sorted.
func (p *dovecotPeer) names(out string) string {
	var names []string
	for _, m := range listLine.FindAllStringSubmatch(out, -1) {
		name := m[3] + m[4]
		if strings.Contains(m[2], `\Noselect`) {
			name += "-"
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// TestDovecotTree: each side lists and opens what the other one made, with the same UIDVALIDITY, and deletes and renames it.
func TestDovecotTree(t *testing.T) {
	for layout, name := range map[Layout]string{MaildirPP: "Maildir++", FS: "fs"} {
		t.Run(name, func(t *testing.T) {
			peer := newDovecot(t, layout)
			peer.do(`CREATE Theirs/Deep`, `CREATE "B&APw-ro"`, `SUBSCRIBE Theirs/Deep`, `SUBSCRIBE "B&APw-ro"`, `CREATE Gone`, `CREATE Old`, `CREATE Old/Sub`)
			s, err := OpenStore(Options{Root: peer.root, Layout: layout, Separator: '/', Create: true})
			must(t, err)
			defer s.Close()
			wantList(t, s, "INBOX Büro Gone Old+ Old/Sub Theirs-+ Theirs/Deep")
			wantSubscribed(t, s, "Theirs/Deep", "Büro")
			theirs := header(t, s, "Theirs/Deep")

			must(t, s.Create("Ours/é/x&y"))
			must(t, s.Create("Plain"))
			must(t, s.SetSubscribed("Ours/é/x&y", true))
			must(t, s.SetSubscribed("Büro", false))
			must(t, s.Delete("Gone"))
			must(t, s.Rename("Old", "Renamed"))
			ours := header(t, s, "Ours/é/x&y")
			if ours.Validity <= theirs.Validity {
				t.Errorf("UIDVALIDITY %d of ours is not after theirs, %d", ours.Validity, theirs.Validity)
			}

			out := peer.do(`LIST "" *`)
			want := "B&APw-ro INBOX Ours- Ours/&AOk-- Ours/&AOk-/x&-y Plain Renamed Renamed/Sub Theirs- Theirs/Deep"
			if got := peer.names(out); got != want {
				t.Errorf("Dovecot lists %q\n           want %q", got, want)
			}
			if got, want := peer.names(peer.do(`LSUB "" *`)), "Ours/&AOk-/x&-y Theirs/Deep"; got != want {
				t.Errorf("Dovecot's LSUB %q, want %q", got, want)
			}
			for name, validity := range map[string]uint32{`"Ours/&AOk-/x&-y"`: ours.Validity, "Theirs/Deep": theirs.Validity} {
				out := peer.do("SELECT " + name)
				if !strings.Contains(out, fmt.Sprintf("[UIDVALIDITY %d]", validity)) || !strings.Contains(out, "[UIDNEXT 1]") {
					t.Errorf("Dovecot's SELECT %s, want UIDVALIDITY %d:\n%s", name, validity, out)
				}
			}
			if now := header(t, s, "Ours/é/x&y"); now != ours {
				t.Errorf("Dovecot changed %+v to %+v", ours, now)
			}

			peer.do(`DELETE Plain`, `RENAME "Ours/&AOk-/x&-y" Back`, `CREATE After`, `UNSUBSCRIBE "Ours/&AOk-/x&-y"`, `SUBSCRIBE Back`)
			if after := header(t, s, "After"); after.Validity <= ours.Validity {
				t.Errorf("Dovecot's next UIDVALIDITY %d is not after %d", after.Validity, ours.Validity)
			}
			if back := header(t, s, "Back"); back != ours {
				t.Errorf("%+v after Dovecot's RENAME, was %+v", back, ours)
			}
			wantSubscribed(t, s, "Theirs/Deep", "Back")
			if ok, err := s.Exists("Plain"); ok || err != nil {
				t.Error("Dovecot's DELETE is not seen", err)
			}
		})
	}
}

// TestDovecotUIDs: numbers and keywords that one side gives are those of the other.
func TestDovecotUIDs(t *testing.T) {
	peer := newDovecot(t, MaildirPP)
	for _, d := range []string{"cur", "new", "tmp"} {
		must(t, os.Mkdir(filepath.Join(peer.root, d), 0o700))
	}
	// The order in which new files are numbered.
	names := []string{"9.M5P1.h", "10.M1P9.h", "10.M5P1.h", "10.M5P2.h", "10.V1I2M7.h", "10.M100P1.h", "11.a", "11.b", "msg.x"}
	for _, name := range names {
		must(t, os.WriteFile(filepath.Join(peer.root, "new", name), []byte("Subject: x\n\nx\n"), 0o600))
	}
	peer.do("SELECT INBOX", `STORE 1:2 +FLAGS (\Flagged Key-1)`, `STORE 2 +FLAGS (second)`)
	root, err := openRoot(peer.root)
	must(t, err)
	defer root.close()
	f, err := root.open(uidlistName)
	must(t, err)
	defer f.Close()
	var bases []string
	hdr, _, err := parseUIDList(f, func(uid uint32, base, extra []byte) error {
		if uid != uint32(len(bases)+1) {
			t.Errorf("UID %d of %s", uid, base)
		}
		bases = append(bases, string(base))
		return nil
	})
	must(t, err)
	want := slices.Clone(names)
	slices.SortFunc(want, compareNew)
	if !slices.Equal(bases, want) {
		t.Errorf("Dovecot numbers %q\n         we number %q", bases, want)
	}
	keywords, _, err := readKeywords(root)
	if err != nil || !slices.Equal(keywords, []string{"Key-1", "second"}) {
		t.Errorf("%q, %v", keywords, err)
	}
	// Ours: a rewritten list with one more message that has a keyword of a third letter.
	p, err := root.perm()
	must(t, err)
	must(t, os.WriteFile(filepath.Join(peer.root, "cur", "20.new:2,Sc"), []byte("Subject: y\n\ny\n"), 0o600))
	_, err = writeKeywords(root, p, append(keywords, "third"))
	must(t, err)
	hdr.Next = 41
	_, err = writeUIDList(root, p, hdr, func(emit func(uid uint32, base, extra []byte)) {
		for i, base := range bases {
			emit(uint32(i+1), []byte(base), nil)
		}
		emit(40, []byte("20.new"), nil)
	})
	must(t, err)
	out := peer.do("SELECT INBOX", "UID FETCH 40 FLAGS", "UID FETCH 1:2 FLAGS")
	for _, want := range []string{
		fmt.Sprintf("[UIDVALIDITY %d]", hdr.Validity), "[UIDNEXT 41]", `* 10 FETCH (UID 40 FLAGS (\Seen third))`,
		`* 1 FETCH (UID 1 FLAGS (\Flagged Key-1))`, `* 2 FETCH (UID 2 FLAGS (\Flagged Key-1 second))`,
	} {
		if !strings.Contains(strings.ReplaceAll(out, ` \Recent`, ""), want) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
}
