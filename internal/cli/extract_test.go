package cli

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestExtract: the binary is the child that extract.Text starts.
func TestExtract(t *testing.T) {
	document, err := os.Open("../extract/testdata/groff.pdf")
	if err != nil {
		t.Fatal(err)
	}
	defer document.Close()
	cmd := exec.Command("roost", "extract", "pdf", "1000000", "1000000", "4000000000", "60", "100")
	cmd.Stdin = document
	out, err := cmd.Output()
	if err != nil || !strings.HasPrefix(string(out), "Quarterly report\r\n") {
		t.Errorf("%q, %v", out, err)
	}
}
