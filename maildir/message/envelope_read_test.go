package message

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

// readBack renders the ENVELOPE of a header and reads it.
func readBack(t *testing.T, header string) (Envelope, *Meta) {
	t.Helper()
	raw := header + "\n\nbody\n"
	m, err := Parse(strings.NewReader(raw), int64(len(raw)), DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	meta, err := NewMeta(m, strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	e, ok := ReadEnvelope(meta.Envelope)
	if !ok {
		t.Fatalf("%q: cannot read %q", header, meta.Envelope)
	}
	return e, meta
}

func TestReadEnvelope(t *testing.T) {
	b := func(s string) []byte { return []byte(s) }
	for header, want := range map[string]Envelope{
		"X: y": {},
		"Subject: \"a\" \\ b\nMessage-ID: <1@x>\nIn-Reply-To: <2@x>\n <3@x>": {
			Subject: b(`"a" \ b`), MessageID: b("<1@x>"), InReplyTo: b("<2@x> <3@x>")},
		"Subject:": {Subject: b("")},
		"Subject: caf\xc3\xa9 (\r) x\nTo: J\xc3\xbcrgen <j@x>, \"O'Neil, \\\"Pat\\\"\" <p@y>\nCc: c@z\nFrom: a@b (A), d@e\nFrom: later@x": {
			Subject: b("caf\xc3\xa9 (\r) x"),
			From:    Address{Name: b("A"), Mailbox: b("a"), Host: b("b")},
			To:      Address{Name: b("J\xc3\xbcrgen"), Mailbox: b("j"), Host: b("x")},
			Cc:      Address{Mailbox: b("c"), Host: b("z")}},
		"To: \"Pat \\\"P\\\" O'Neil\" <p@y>": {To: Address{Name: b(`Pat "P" O'Neil`), Mailbox: b("p"), Host: b("y")}},
		"From: Team: a@b, c@d;":              {From: Address{Mailbox: b("Team")}},
		"Cc: undisclosed-recipients:;":       {Cc: Address{Mailbox: b("undisclosed-recipients")}},
	} {
		if got, _ := readBack(t, header); !reflect.DeepEqual(got, want) {
			t.Errorf("%q:\n got %q\nwant %q", header, got, want)
		}
	}
	for _, broken := range []string{
		"", "(", "()", "NIL", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) ", "(NIL \"a",
		"(NIL {5}\r\nabc", "(NIL {}\r\n", "(NIL {999999999999}\r\nx", "(NIL \"\\", "(NIL \"a\\\"", "(NIL NIL ((NIL NIL NIL))", "(NIL x NIL)",
	} {
		if e, ok := ReadEnvelope([]byte(broken)); ok {
			t.Errorf("%q was read as %q", broken, e)
		}
	}
}

// FuzzReadEnvelope: whatever a header holds, ENVELOPE can be read back, and what is no ENVELOPE does no harm.
func FuzzReadEnvelope(f *testing.F) {
	for _, s := range []string{"Subject: a\\\"\nFrom: a <b@c>", "To: \"x\\", "Subject: \xff\x00\r", "Cc: g: a, \"b\" <@r,@s:c@d>;", "In-Reply-To: \n\t<x>\n", "(NIL {3}\r\nabc NIL"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		ReadEnvelope([]byte(header))
		e, meta := readBack(t, header)
		for _, v := range [][]byte{e.Subject, e.MessageID, e.From.Name, e.To.Mailbox, e.Cc.Host} {
			if len(v) > 0 && !bytes.Contains(bytes.ReplaceAll(meta.Envelope, []byte(`\`), nil), bytes.ReplaceAll(v, []byte(`\`), nil)) {
				t.Fatalf("%q is not in %q", v, meta.Envelope)
			}
		}
	})
}
