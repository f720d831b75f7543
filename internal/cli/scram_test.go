package cli

import (
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/xdg-go/scram"
)

// authenticate runs a SCRAM conversation over a connection and returns the tagged response.
func (i *imapConn) authenticate(mech string, client *scram.ClientConversation) string {
	i.t.Helper()
	fmt.Fprintf(i, "s AUTHENTICATE %s\r\n", mech)
	for {
		line, err := i.r.ReadString('\n')
		if err != nil {
			i.t.Fatal(err)
		}
		challenge, more := strings.CutPrefix(strings.TrimRight(line, "\r\n"), "+ ")
		if !more {
			return strings.TrimSpace(strings.TrimPrefix(line, "s "))
		}
		raw, err := base64.StdEncoding.DecodeString(challenge)
		if err != nil {
			i.t.Fatal(err)
		}
		response := ""
		if !client.Done() {
			if response, err = client.Step(string(raw)); err != nil {
				i.t.Fatal(err)
			}
		}
		fmt.Fprintf(i, "%s\r\n", base64.StdEncoding.EncodeToString([]byte(response)))
	}
}

// A login is bound to the TLS connection it is made on, with a real handshake on both ways to TLS.
func TestChannelBindingOverSockets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, []string{"ROOST_PASSWORD=secret"}, "serve", dir+"/Maildir", "--listen", "127.0.0.1:0", "--listen-tls", "127.0.0.1:0", "--user", "me", "--state", dir+"/state")
	defer p.stop()
	client, err := scram.SHA256.NewClient("me", "secret", "")
	if err != nil {
		t.Fatal(err)
	}
	connect := map[string]func() *imapConn{
		"imaps": func() *imapConn { return dial(t, p.tls, true) },
		"STARTTLS": func() *imapConn {
			i := dial(t, p.plain, false)
			i.ok("STARTTLS")
			i.Conn = tls.Client(i.Conn, &tls.Config{InsecureSkipVerify: true})
			i.r.Reset(i.Conn)
			return i
		},
	}
	bindings := map[string]func(*tls.ConnectionState) (scram.ChannelBinding, error){
		"tls-exporter": scram.NewTLSExporterBinding, "tls-server-end-point": scram.NewTLSServerEndpointBinding,
	}
	for way, connect := range connect {
		for kind, bind := range bindings {
			i := connect()
			if got := i.do("CAPABILITY"); !strings.Contains(got, "AUTH=SCRAM-SHA-256-PLUS") {
				t.Errorf("%s: %s", way, got)
			}
			state := i.Conn.(*tls.Conn).ConnectionState()
			cb, err := bind(&state)
			if err != nil {
				t.Fatal(err)
			}
			conversation := client.NewConversationWithChannelBinding(cb)
			if got := i.authenticate("SCRAM-SHA-256-PLUS", conversation); !strings.HasPrefix(got, "OK ") || !conversation.Valid() {
				t.Errorf("%s, %s: %s", way, kind, got)
			}
			i.ok("SELECT INBOX")
		}
	}
	if got := connect["imaps"]().authenticate("SCRAM-SHA-256", client.NewConversationAdvertisingChannelBinding()); !strings.HasPrefix(got, "NO [AUTHENTICATIONFAILED]") {
		t.Errorf("downgrade: %s", got)
	}
	if got := dial(t, p.plain, false).authenticate("SCRAM-SHA-256", client.NewConversation()); !strings.HasPrefix(got, "OK ") {
		t.Errorf("without TLS: %s", got)
	}
}
