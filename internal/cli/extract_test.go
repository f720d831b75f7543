package cli

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestExtract: the binary is the child that an extract.Reader starts, and ends with its input.
func TestExtract(t *testing.T) {
	document, err := os.ReadFile("../extract/testdata/groff.pdf")
	if err != nil {
		t.Fatal(err)
	}
	frame := func(n int) string { return string([]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)}) }
	request := "\x01\x00\x00\x10\x00\x00\x00\x00\x00\x64\x00\x00\x00" + frame(len(document)) + string(document) + frame(0)
	cmd := exec.Command("roost", "extract", "4000000000", "60")
	cmd.Stdin = strings.NewReader(request + request)
	out, err := cmd.Output()
	if err != nil || strings.Count(string(out), "Quarterly report\r\n") != 2 || !strings.HasSuffix(string(out), frame(0)+"\x00\x00") {
		t.Errorf("%q, %v", out, err)
	}
}
