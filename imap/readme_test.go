package imap

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var writeReadme = flag.Bool("readme", false, "write the capability table into README.md")

// TestReadmeCapabilities holds README.md to the table of capabilities. Run with -readme after changing the table.
func TestReadmeCapabilities(t *testing.T) {
	const begin, end = "<!-- capabilities: begin -->\n", "<!-- capabilities: end -->\n"
	b, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok1 := strings.Cut(string(b), begin)
	got, tail, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatal("README.md has no capability table")
	}
	want := "| capability | defined in |\n|---|---|\n"
	for _, c := range capabilityTable {
		want += "| " + c.name + " | " + c.rfc + " |\n"
	}
	if got == want {
		return
	}
	if !*writeReadme {
		t.Fatal("README.md lists other capabilities than the server: run go test ./imap -run Readme -readme")
	}
	if err := os.WriteFile("../README.md", []byte(head+begin+want+end+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}
