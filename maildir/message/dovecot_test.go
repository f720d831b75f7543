package message

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// knownDifferences says why we answer otherwise than Dovecot 2.3; by message.
var knownDifferences = map[string]string{
	"mikel-mail/error_emails/bad_date_header.eml":                           whiteSpace,
	"mikel-mail/error_emails/bad_subject.eml":                               whiteSpace,
	"mikel-mail/error_emails/content_transfer_encoding_with_semi_colon.eml": semicolon,
	"mikel-mail/error_emails/missing_content_disposition.eml":               emptyField,
	"mikel-mail/error_emails/multiple_invalid_content_dispositions.eml":     emptyField,
	"mikel-mail/rfc2822/example10.eml":                                      whiteSpace,
	"mimekit/mbox_content-length.mbox.txt":                                  brokenParam,
	"mimekit/mbox_content-length.mbox.txt#1":                                brokenParam,
	"mimekit/mbox_content-length.mbox.txt#2":                                whiteSpace,
	"mimekit/mbox_content-length.mbox.txt#3":                                whiteSpace,
	"mimekit/mbox_content-length.mbox.txt#5":                                ownSpace,
	"mimekit/messages_missing-subtype.txt":                                  brokenType,

	"Content-Type:":                                                brokenType,
	"Content-Type: text":                                           brokenType,
	"Content-Type: text/":                                          brokenType,
	"Content-Type: /plain":                                         brokenType,
	"Content-Type: text/plain charset=x":                           brokenType,
	"Content-Type: foo":                                            brokenType,
	"Content-Type: image/":                                         brokenType,
	"Content-Type: text/plain, text/html":                          brokenType,
	"Content-Type: \"text/plain\"":                                 brokenType,
	"Content-Type: text/html/x":                                    brokenType,
	"Content-Type: multipart/":                                     brokenType,
	"Content-Type: multipart; boundary=b" + bodyB:                  brokenType,
	"Content-Type: multipart/; boundary=b" + bodyB:                 brokenType,
	"Content-Type: multipart/mixed boundary=b" + bodyB:             brokenType,
	"Content-Type: multipart/mixed; x; boundary=b" + bodyB:         brokenParam,
	"Content-Type: text/plain;; a=b":                               brokenParam,
	"Content-Type: a/b; f*0=x; F*1=y":                              "names of parameters are the same in any case (RFC 2045 §5.1)",
	"Content-Type: a/b; f*99999999999=x":                           "Dovecot's number overflows",
	"Content-Type: message/global\n\nSubject: x\n\nb":              "RFC 9051 §7.5.2: message/global has an envelope and a body, as message/rfc822 has",
	"Content-Transfer-Encoding: base64;":                           semicolon,
	"Content-Disposition:":                                         emptyField,
	"Content-Disposition: ; filename=x":                            "a file name without a disposition makes an attachment (RFC 2183 §2.8)",
	"Content-Disposition: attachment\nContent-Disposition: inline": "the first field counts whether or not it has parameters",
	"Content-ID:":                                                  emptyField,
	"Content-ID:  <a@b> x ":                                        whiteSpace,
	"Content-ID:\n <a@b>":                                          whiteSpace,
	"Content-Description: a\n\t b  \n  c ":                         whiteSpace,
	"To: \"a\n\t b\" <c@d>,\n e@f\nDate: a\n\t b\nIn-Reply-To:\n <a>\n\t<b>\nMessage-ID:\n <x@y>": whiteSpace,
	"Subject: lone CR\rX: y\r\n\r\na\rb\r\r\nc":                                                   "a lone CR is the header's own octet and can be sent in a literal",

	mixed("o") + "--o\nContent-Type: message/rfc822\n\nSubject: cut\n--o\n\nx\n--o--\n":                                    lineEnd,
	mixed("o") + "--o\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogeA==\n--o--\n":       lineEnd,
	"Content-Type: multipart/digest; boundary=b\n\n--b\nContent-Type:\n\nSubject: one\n\nx\n--b\nContent-ID: x\n\n--b--\n": brokenType,
}

const (
	whiteSpace  = "a fold is one space, and there is none at the ends: Dovecot does so for some fields and some ways of asking"
	ownSpace    = "two spaces within a line are the header's own octets; Dovecot makes them one in Subject"
	semicolon   = "a semicolon behind an encoding makes it no less clear, and clients would show raw base64"
	emptyField  = "a field with nothing in it is absent"
	brokenType  = "of a broken Content-Type what can be read, or the default, is more use to clients than empty strings"
	brokenParam = "a broken parameter does not hide those behind it"
	lineEnd     = "the line end before a boundary belongs to the boundary (RFC 2046 §5.1.1), in an embedded header, too"
)

// bodyB is the body of a multipart with the boundary b.
const bodyB = "\n\n--b\n\nx\n--b--\n"

// TestBesideDovecot compares our answers with Dovecot's, on the corpus and on the hand-made messages of brokenMail.
func TestBesideDovecot(t *testing.T) {
	mails := append(corpus(t), brokenMail()...)
	theirs := askDovecot(t, mails)
	used := make(map[string]bool)
	for i, mail := range mails {
		meta := mustMeta(t, mail.data)
		ours := map[string]string{
			"RFC822.SIZE":   strconv.FormatInt(meta.Wire, 10),
			"ENVELOPE":      string(meta.Envelope),
			"BODYSTRUCTURE": string(meta.BodyStructure),
			"BODY":          string(meta.Body),
		}
		for _, item := range []string{"RFC822.SIZE", "ENVELOPE", "BODYSTRUCTURE", "BODY"} {
			if got, want := ours[item], theirs[i][item]; got != lowerEncodings(item, want) {
				reason := knownDifferences[mail.name]
				used[mail.name] = true
				if reason == "" {
					t.Errorf("%q: %s: no reason known\nours    %q\nDovecot %q", mail.name, item, got, want)
				} else {
					t.Logf("%q: %s: %s\nours    %q\nDovecot %q", mail.name, item, reason, got, want)
				}
			}
		}
	}
	for key := range knownDifferences {
		if !used[key] {
			t.Errorf("%q: no difference any more", key)
		}
	}
}

var encoding = regexp.MustCompile(`"[^" ]*" \d+[ )]`)

// lowerEncodings does to Dovecot's answer what we do deliberately: encodings in lower case, for Outlook's sake. An encoding is the only string
// that a number follows.
func lowerEncodings(item, s string) string {
	if !strings.HasPrefix(item, "BODY") {
		return s
	}
	return encoding.ReplaceAllStringFunc(s, strings.ToLower)
}

// mail is a message with a name for error messages.
type mail struct {
	name string
	data []byte
}

// corpus reads the real mail of ../shared/corpus, seen from the project's root.
func corpus(t testing.TB) (mails []mail) {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = up
	}
	dir = filepath.Join(dir, "..", "shared", "corpus")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no corpus of real mail here: ", err)
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || d.Name() == "README.md" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		name = filepath.ToSlash(name)
		mails = append(mails, mail{name, data})
		if strings.Contains(name, "mbox") { // the messages in it, too
			for i, m := range splitMbox(data) {
				mails = append(mails, mail{fmt.Sprintf("%s#%d", name, i+1), m})
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return mails
}

// splitMbox cuts an mbox at its From_ lines, as a delivery would have.
func splitMbox(b []byte) (messages [][]byte) {
	for found := true; found; {
		var m []byte
		m, b, found = bytes.Cut(b, []byte("\nFrom "))
		if _, m, ok := bytes.Cut(m, newline); ok { // behind the From_ line
			messages = append(messages, m)
		}
	}
	return messages
}

func mustMeta(t testing.TB, data []byte) *Meta {
	t.Helper()
	r := bytes.NewReader(data)
	m, err := Parse(r, int64(len(data)), DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	meta, err := NewMeta(m, r)
	if err != nil {
		t.Fatal(err)
	}
	return meta
}

// dovecotIMAP are the places of Dovecot's imap process, which can be run alone on a pipe.
var dovecotIMAP = []string{"/usr/lib/dovecot/imap", "/usr/libexec/dovecot/imap", "/usr/local/libexec/dovecot/imap"}

// askDovecot delivers the messages to a private Dovecot and returns its FETCH answers by item.
func askDovecot(t *testing.T, mails []mail) []map[string]string {
	t.Helper()
	imap := ""
	for _, path := range dovecotIMAP {
		if _, err := os.Stat(path); err == nil {
			imap = path
		}
	}
	if imap == "" {
		if os.Getenv("ROOST_REQUIRE_PEERS") == "1" {
			t.Fatal("Dovecot's imap is not installed")
		}
		t.Skip("Dovecot's imap is not installed")
	}
	home, uid := t.TempDir(), os.Getuid()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(imap, "-c", filepath.Join(home, "dovecot.conf"))
	if uid == 0 { // Dovecot refuses to serve root's mail
		uid = 65534
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
		for d := home; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
			must(os.Chmod(d, 0o755))
		}
	}
	must(os.WriteFile(filepath.Join(home, "dovecot.conf"), fmt.Appendf(nil, "base_dir = %[1]s/run\nstate_dir = %[1]s/run\n"+
		"log_path = %[1]s/log\ninfo_log_path = /dev/null\nssl = no\nprotocols = imap\nmail_uid = %[2]d\nmail_gid = %[2]d\n"+
		"first_valid_uid = 1\nfirst_valid_gid = 1\nmail_location = maildir:~/Maildir\n", home, uid), 0o644))
	for _, d := range []string{"cur", "new", "tmp"} {
		must(os.MkdirAll(filepath.Join(home, "Maildir", d), 0o755))
	}
	for i, mail := range mails {
		must(os.WriteFile(filepath.Join(home, "Maildir/cur", fmt.Sprintf("%d.M0P1.host:2,S", 1_600_000_000+i)), mail.data, 0o644))
	}
	if os.Getuid() == 0 {
		must(filepath.Walk(home, func(path string, _ os.FileInfo, err error) error {
			if err != nil {
				return err
			}
			return os.Lchown(path, uid, uid)
		}))
	}
	cmd.Env = []string{"USER=peer", "HOME=" + home, "PATH=" + os.Getenv("PATH")}
	cmd.Dir = home
	in, err := cmd.StdinPipe() // left open: Dovecot drops what it has yet to send when its input ends
	must(err)
	_, err = io.WriteString(in, "a SELECT INBOX\r\nb FETCH 1:* (RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY)\r\nc LOGOUT\r\n")
	must(err)
	cmd.WaitDelay = time.Second
	timer := time.AfterFunc(30*time.Second, func() { cmd.Process.Kill() })
	out, err := cmd.CombinedOutput()
	timer.Stop()
	if !bytes.Contains(out, []byte("\nb OK")) {
		log, _ := os.ReadFile(filepath.Join(home, "log"))
		t.Fatalf("Dovecot failed (%v):\n%s\n… %s", err, log, out[max(0, len(out)-1000):])
	}
	return fetchItems(t, out, len(mails))
}

// fetchItems takes FETCH responses apart into their items' values, with literals of 7-bit text turned to quoted strings.
func fetchItems(t *testing.T, out []byte, count int) []map[string]string {
	t.Helper()
	answers := make([]map[string]string, count)
	for n := range answers {
		prefix := fmt.Appendf(nil, "* %d FETCH ", n+1)
		at := bytes.Index(out, append([]byte("\n"), prefix...))
		if at < 0 {
			t.Fatalf("no answer for message %d", n+1)
		}
		out = out[at+1+len(prefix):]
		values, rest := listItems(t, out)
		out = rest
		answers[n] = make(map[string]string)
		for i := 0; i+1 < len(values); i += 2 {
			answers[n][values[i]] = values[i+1]
		}
	}
	return answers
}

// listItems splits a parenthesised list into its top-level values.
func listItems(t *testing.T, b []byte) (values []string, rest []byte) {
	t.Helper()
	depth := 0
	var cur []byte
	for i := 0; i < len(b); i++ {
		switch c := b[i]; c {
		case '(':
			if depth++; depth > 1 {
				cur = append(cur, c)
			}
		case ')', ' ':
			if c == ')' {
				depth--
			}
			if depth > 1 || c == ')' && depth == 1 {
				cur = append(cur, c)
				continue
			}
			values = append(values, string(cur))
			cur = nil
			if depth == 0 {
				return values, b[i+1:]
			}
		case '"':
			end := i + 1
			for b[end] != '"' {
				if b[end] == '\\' {
					end++
				}
				end++
			}
			cur = append(cur, b[i:end+1]...)
			i = end
		case '{':
			end := i + bytes.IndexByte(b[i:], '\n')
			n, err := strconv.Atoi(string(bytes.TrimRight(b[i+1:end], "}\r")))
			if err != nil {
				t.Fatalf("literal: %v", err)
			}
			cur = appendString(cur, b[end+1:end+1+n])
			i = end + n
		default:
			cur = append(cur, c)
		}
	}
	t.Fatal("answer ends in the middle")
	return nil, nil
}
