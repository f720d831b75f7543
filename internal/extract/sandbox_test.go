package extract

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"roost/internal/sandbox"
)

const sandboxed = "ROOST_TEST_SANDBOXED"

// TestInSandbox: a server that gave up the file system can still read documents, and run nothing else.
func TestInSandbox(t *testing.T) {
	if os.Getenv(sandboxed) == "" {
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestInSandbox$", "-test.v")
		cmd.Env = append(os.Environ(), sandboxed+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if bytes.Contains(out, []byte("--- SKIP")) {
			t.Skip("no Landlock here")
		}
		return
	}
	program, err := exec.LookPath("true")
	if err != nil {
		t.Fatal(err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	other := &exec.Cmd{Path: program, Args: []string{"true"}, Stdin: null, Stdout: null, Stderr: null}
	if _, err := sandbox.Confine(sandbox.Paths{Self: true}); errors.Is(err, sandbox.ErrUnsupported) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	if got, kind := extracted(t, Office, archive(t, "content.xml", "<p>text</p>"), patient); got != "text" || kind != 0 {
		t.Errorf("%q, %v", got, kind)
	}
	if err := other.Run(); !errors.Is(err, os.ErrPermission) {
		t.Error(fmt.Errorf("another program: %w", err))
	}
}
