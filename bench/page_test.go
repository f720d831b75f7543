package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestPublish replaces a section of the page and leaves the others.
func TestPublish(t *testing.T) {
	out := t.TempDir()
	small, large := &options{out: out, messages: 10_000}, &options{out: out, messages: 1_000_000}
	real, searches := &options{out: out, messages: 10_000, corpus: "x"}, &options{out: out, messages: 100_000, search: true}
	for _, step := range []struct {
		o    *options
		text string
		want string
	}{
		{small, "a\n", "\n## 10k messages\n\na\n"},
		{searches, "\nb\n\n", "\n## 10k messages\n\na\n\n## Searches of 100k messages\n\nb\n"},
		{small, "c", "\n## 10k messages\n\nc\n\n## Searches of 100k messages\n\nb\n"},
		{large, "d\n", "\n## 10k messages\n\nc\n\n## Searches of 100k messages\n\nb\n\n## 1M messages\n\nd\n"},
		{real, "e\n", "\n## 10k messages\n\nc\n\n## Searches of 100k messages\n\nb\n\n## 1M messages\n\nd\n\n## 10k messages, copies of real mail\n\ne\n"},
	} {
		if err := publish(step.o, step.text); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(out, "RESULTS.md")); err != nil || string(got) != pageTitle+step.want {
			t.Errorf("%q, %v; want %q", got, err, step.want)
		}
	}
}
