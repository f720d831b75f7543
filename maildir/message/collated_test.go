package message

import "testing"

// TestCollatedText: what can be decoded is as DecodeText has it, what cannot is octets.
func TestCollatedText(t *testing.T) {
	for _, c := range []struct {
		in, text string
		ok       bool
	}{
		{"", "", true},
		{"plain\r\n\ttext", "plain text", true},
		{"=?utf-8?q?=C3?= =?UTF-8?q?=A4?=", "ä", true},
		{"=?us-ascii?q?a?= =?koi8-r?b?4Q==?=", "aА", true},
		{"=?utf-8?q?=C3?= b", "\xc3 b", false},
		{"=?us-ascii?q?=E4?=", "\xe4", false},
		{"=?x-klingon?q?b?= =?koi8-r?b?4Q==?=", "b\xe1", false},
		{"=?gb2312?q?=FF=FF?=", "\xff\xff", false},
		{"=?iso-8859-1?q?=E4?=", "ä", true},
		{"raw \xe4", "raw ä", true}, // nothing is said of a charset, so ours is meant
	} {
		if text, ok := CollatedText([]byte(c.in)); text != c.text || ok != c.ok {
			t.Errorf("%q: %q %v, want %q %v", c.in, text, ok, c.text, c.ok)
		}
	}
}
