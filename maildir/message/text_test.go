package message

import (
	"strings"
	"testing"
)

// TestLongHeader: headers are searched to their end, whatever their length, and memory does not grow with it.
func TestLongHeader(t *testing.T) {
	const field = "X-Long: =?utf-8?q?=C3=B6?=\n and more\n"
	count := 5 * headerPiece / 2 / len(field)
	texts := textOf(t, strings.Repeat(field, count)+"\nbody\n", Headers)
	if len(texts) != 3 {
		t.Errorf("%d texts", len(texts))
	}
	if got := strings.Join(texts, ""); got != strings.Repeat("X-Long: ö and more\r\n", count) {
		t.Errorf("%d octets, want %d times the field", len(got), count)
	}
	// Fields longer than a piece are cut, at a line end if there is one.
	for _, long := range []string{
		"X: " + strings.Repeat("text ", headerPiece/2) + "end\n",
		"X: start\n" + strings.Repeat(" and: more text\n", headerPiece/8) + " end\n",
	} {
		texts := textOf(t, long+"Subject: last\n\nbody\n", Headers)
		got := strings.NewReplacer("\r\n", "", " ", "").Replace(strings.Join(texts, ""))
		want := strings.NewReplacer("\n", "", " ", "").Replace(long + "Subject: last")
		if got != want {
			t.Errorf("%.20q: %d octets that end in %q, want %d", long, len(got), got[max(0, len(got)-40):], len(want))
		}
	}
}

func TestWholeFields(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"a: 1\nb: 2\nc", "a: 1\nb: 2\n"},
		{"a: 1\nb: 2\n", "a: 1\n"}, // b may go on
		{"a: 1\nb: 2\n 3\n\t4", "a: 1\n"},
		{"a: 1\n 2\n 3", "a: 1\n 2\n"},
		{"a: 1\n", "a: 1\n"},
		{"a: 1", "a: 1"},
		{"\n", "\n"},
		{"a: 1\r\nb", "a: 1\r\n"},
	} {
		if got := tt.in[:wholeFields([]byte(tt.in))]; got != tt.want {
			t.Errorf("%q: %q, want %q", tt.in, got, tt.want)
		}
	}
}

// TestEncodedMessage: a message/rfc822 that is encoded all the same is text.
func TestEncodedMessage(t *testing.T) {
	const inner = "U3ViamVjdDogaW5uZXIKCsO2Cg==" // Subject: inner, and ö
	got := textOf(t, "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n"+inner+"\n", Text)
	if last := got[len(got)-1]; last != "Subject: inner\n\nö\n" {
		t.Errorf("%q", got)
	}
	got = textOf(t, "Content-Type: message/rfc822\n\nSubject: inner\n\ntext\n", Text)
	if strings.Join(got, "|") != "Subject: inner\r\n|text\r\n" {
		t.Errorf("%q", got)
	}
}

// TestHeaderLinesThatAreNoFields are searched as they stand, colons and all.
func TestHeaderLinesThatAreNoFields(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{" first: line\nSubject: x\n\n", "first: line\r\nSubject: x\r\n"},
		{"Subject: x\n: no name\n\n", "Subject: x\r\n: no name\r\n"},
	} {
		if got := strings.Join(textOf(t, tt.in, Headers), "|"); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.in, got, tt.want)
		}
	}
}
