package utf7

import (
	"testing"
	"unicode/utf8"
)

func TestRoundTrip(t *testing.T) {
	for _, tt := range []struct{ text, coded string }{
		{"", ""},
		{"INBOX", "INBOX"},
		{"a/b c~\\\"", "a/b c~\\\""},
		{"&", "&-"},
		{"Q&A", "Q&-A"},
		{"&&", "&-&-"},
		{"é", "&AOk-"},
		{"été", "&AOk-t&AOk-"},
		{"éé", "&AOkA6Q-"},
		{"é&é", "&AOk-&-&AOk-"},
		{"~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"}, // RFC 3501 §5.1.3
		{"😀", "&2D3eAA-"},
		{"a😀b", "a&2D3eAA-b"},
		{"\t", "&AAk-"},
		{"\x7f", "&AH8-"},
		{"\ufffd", "&,,0-"},
	} {
		if got := Encode(tt.text); got != tt.coded {
			t.Errorf("Encode(%q) = %q, want %q", tt.text, got, tt.coded)
		}
		if got, err := Decode(tt.coded); err != nil || got != tt.text {
			t.Errorf("Decode(%q) = %q, %v, want %q", tt.coded, got, err, tt.text)
		}
	}
}

func TestEncodeBrokenUTF8(t *testing.T) {
	if got := Encode("\xe9lat"); got != "&,,0-lat" {
		t.Errorf("got %q", got)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, s := range []string{
		"a&b",           // shift without end
		"&",             // likewise
		"&AOk",          // likewise
		"é",             // raw 8-bit
		"a\x00",         // raw control
		"&AGE-",         // shifted "a"
		"&ACY-",         // shifted "&"
		"&AOk-&AOk-",    // adjoining shifts
		"&AOl-",         // stray bits
		"&AO-",          // half a unit
		"&A-",           // no octet at all
		"&2D0-",         // lone high surrogate
		"&3gA-",         // lone low surrogate
		"&2D0A6Q-",      // high surrogate, then é
		"&U/BTFw-",      // "/" is not in the alphabet
		"&AOk=-",        // padding
		"&AO\nk-",       // line break inside base64
		"&AOkAYQ-",      // é and a shifted "a"
		"&AOk-\u00e9",   // mixed forms
		"&AAAAAAAAAA\r", // no end
	} {
		if got, err := Decode(s); err == nil {
			t.Errorf("Decode(%q) = %q, want an error", s, got)
		}
	}
}

func FuzzUTF7(f *testing.F) {
	for _, s := range []string{"INBOX", "&AOk-", "a&b", "é", "&-", "&2D3eAA-", "\xff", "&AOk-&AOk-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if text, err := Decode(s); err == nil {
			if !utf8.ValidString(text) {
				t.Fatalf("Decode(%q) = %q is not UTF-8", s, text)
			}
			if again := Encode(text); again != s {
				t.Fatalf("%q -> %q -> %q", s, text, again)
			}
		}
		if utf8.ValidString(s) {
			coded := Encode(s)
			if text, err := Decode(coded); err != nil || text != s {
				t.Fatalf("%q -> %q -> %q, %v", s, coded, text, err)
			}
		}
	})
}
