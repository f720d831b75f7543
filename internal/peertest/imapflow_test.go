package peertest

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// imapflow returns how to run a script of testdata/imapflow, where "npm ci" has put ImapFlow.
func imapflow(t *testing.T) func(name string, args ...string) string {
	t.Helper()
	node := need(t, "node")
	if _, err := os.Stat(script(t, "imapflow/node_modules/imapflow")); err != nil {
		absent(t, "ImapFlow (npm ci in internal/peertest/testdata/imapflow)")
	}
	home := t.TempDir()
	return func(name string, args ...string) string {
		t.Helper()
		return program{home: home, args: append([]string{node, script(t, filepath.Join("imapflow", name))}, args...)}.run(t)
	}
}

// TestImapFlow runs the same broad session in the clear, after STARTTLS, and with TLS, always compressed.
func TestImapFlow(t *testing.T) {
	run := imapflow(t)
	r := startRoost(t, newBox(t).root)
	for _, security := range []string{"plain", "starttls", "tls"} {
		t.Run(security, func(t *testing.T) {
			port := r.port
			if security == "tls" {
				port = r.tlsPort
			}
			contains(t, "ImapFlow", run("session.mjs", "localhost", port, security, login, password), "all well")
		})
	}
}

// TestImapFlowAgrees keeps a copy of an account by QRESYNC, which tells of changes and nothing else, and compares message by message.
func TestImapFlowAgrees(t *testing.T) {
	run := imapflow(t)
	b, r, mailboxes := account(t)
	b.addCorpus("Real")
	file := filepath.Join(t.TempDir(), "copy.json")
	mirror := func() string { return run("mirror.mjs", "localhost", r.tlsPort, login, password, file) }
	hold := maps.Clone(maildirFlags)
	hold["a"], hold["b"] = "$Forwarded", "Work"
	compare := func() {
		t.Helper()
		text, err := os.ReadFile(file)
		must(t, err)
		var copied map[string]struct {
			Mail map[string]struct {
				Flags  []string
				Source []byte
			}
		}
		must(t, json.Unmarshal(text, &copied))
		if len(copied) != len(mailboxes) {
			t.Errorf("copies of %d mailboxes, want %q", len(copied), mailboxes)
		}
		for _, mailbox := range mailboxes {
			name := mailbox
			if name == "B&APw-ro" {
				name = "Büro"
			}
			var near []kept
			for _, m := range copied[name].Mail {
				flags := slices.DeleteFunc(m.Flags, func(flag string) bool { return flag == `\Recent` })
				near = append(near, kept{flags, string(m.Source)})
			}
			agree(t, mailbox, near, r.kept(mailbox, hold))
		}
	}
	mirror()
	compare()
	mailboxes = changeFar(t, b, r)
	// New messages are told of like changed ones; a renamed mailbox is not fetched again.
	contains(t, "second run", mirror(), "INBOX: 4 flags, 1 gone, 1 sources\n", "Lists.Go: 2 flags, 0 gone, 2 sources\n", "Office: 0 flags, 0 gone, 0 sources\n", " 3 gone, 0 sources\n")
	compare()
	if out := mirror(); regexp.MustCompile(`[1-9]`).MatchString(out) {
		t.Errorf("the third run had something to do:\n%s", out)
	}
	compare()
}
