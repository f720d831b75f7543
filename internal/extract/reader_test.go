package extract

import (
	"bytes"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestChildren: what is read or broken leaves the child, whatever else happens ends it, and none waits for ever.
func TestChildren(t *testing.T) {
	r := Reader{idleFor: time.Hour}
	defer r.Close()
	text := func(f Format, data []byte, l Limits) string {
		t.Helper()
		got, err := r.Text(t.Context(), f, from(bytes.NewReader(data)), l)
		if err != nil {
			return err.Error()
		}
		return string(got)
	}
	fine := archive(t, "content.xml", "<p>text</p>")
	deep := pdfFile("<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[2 0 R]>>")
	short := patient
	short.Output = 2
	less := patient
	less.Memory -= 1 << 20
	large := archive(t, "content.xml", "<p>text</p>", "other", strings.Repeat("x", 1))
	large = append(bytes.Repeat([]byte{0}, 40<<20), large...) // an archive may have anything before it
	before := (*child)(nil)
	for _, c := range []struct {
		name   string
		format Format
		data   []byte
		limits Limits
		want   string
		same   bool // the child is that of the one before
		lives  bool
	}{
		{"first", Office, fine, patient, "text", false, true},
		{"second", Office, fine, patient, "text", true, true},
		{"broken", Office, fine[:20], patient, "document: damaged", true, true},
		{"no format", "rtf", fine, patient, "document: damaged", true, true},
		{"after it", Office, fine, patient, "text", true, true},
		{"too deep", PDF, deep, patient, "document: nested too deeply", true, false},
		{"after it", Office, fine, patient, "text", false, true},
		{"too long", Office, fine, short, "document: too much text", true, false},
		{"after it", Office, fine, patient, "text", false, true},
		{"other memory", Office, fine, less, "text", false, true},
		{"large", Office, large, less, "text", true, false},
		{"after it", Office, fine, less, "text", false, true},
	} {
		got := text(c.format, c.data, c.limits)
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if c.lives != (r.child != nil) || c.lives && c.same != (r.child == before) {
			t.Errorf("%s: child %v, before it %v", c.name, r.child, before)
		}
		before = r.child
	}
	// One that dies of what was before.
	if err := before.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if got := text(Office, fine, less); got != "text" || r.child == before {
		t.Errorf("after a death: %q", got)
	}
	// The processor time is that of two documents.
	brief := patient
	brief.Time = time.Second
	slow := archive(t, "content.xml", "<p>"+strings.Repeat("<q>text</q>", 1<<20)+"</p>")
	brief.Output = 8 << 20
	_ = text(Office, slow, brief)
	if got := text(Office, fine, brief); got != "text" {
		t.Errorf("after a slow one: %q", got)
	}
	pid := r.child.cmd.Process.Pid
	r.idleFor = 50 * time.Millisecond
	if got := text(Office, fine, brief); got != "text" {
		t.Errorf("before it is idle: %q", got)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if p, err := os.FindProcess(pid); err != nil || p.Signal(syscall.Signal(0)) != nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatal("a child waits for ever")
		}
	}
	if got := text(Office, fine, brief); got != "text" {
		t.Errorf("after the idle one: %q", got)
	}
}
