// Package extract gives the text of attachments: PDF, and documents of Office and OpenDocument (docx, xlsx, pptx, odt, ods, odp and their
// templates and macro-enabled kin).
//
// Every document is read in a process of its own, which is this program again ("roost extract", Main), because nothing less holds a hostile file.
// A library for PDF may loop for ever within one call, take memory without end, or nest its calls until Go ends the process, and none of that can
// be stopped or recovered from in the process it happens in. The child gets the document on its standard input and gives text on its standard
// output. Its memory and processor time are limited by the kernel, it can open nothing, and it has no environment.
// What it does ends in text, or in an Error whose Kind can be recorded.
//
// Files: extract.go what callers use, child.go the other process, office.go archives of XML, pdf.go PDF, text.go the text that comes out.
package extract

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"os"
	"os/exec"
	"path"
	"strings"
	"syscall"
	"time"
)

// Format is a family of documents that are read in the same way.
type Format string

const (
	None   Format = ""       // no text can be had
	PDF    Format = "pdf"    //
	Office Format = "office" // an archive of XML: Office Open XML, OpenDocument
)

// officeTypes begin the media types of documents that are archives of XML.
var officeTypes = []string{
	"application/vnd.openxmlformats-officedocument.", "application/vnd.oasis.opendocument.", "application/vnd.ms-word.document.macroenabled.",
	"application/vnd.ms-excel.sheet.macroenabled.", "application/vnd.ms-powerpoint.presentation.macroenabled.",
}

var extensions = map[string]Format{".pdf": PDF}

func init() {
	for _, ext := range strings.Fields("docx docm dotx dotm xlsx xlsm xltx xltm pptx pptm potx potm ppsx ppsm odt ott ods ots odp otp odg") {
		extensions["."+ext] = Office
	}
}

// FormatOf tells by media type, or where that says nothing by file name, how a document is read; None when it cannot be.
func FormatOf(mediaType, filename string) Format {
	if t, _, err := mime.ParseMediaType(mediaType); err == nil {
		mediaType = t
	}
	mediaType = strings.ToLower(mediaType)
	if mediaType == "application/pdf" || mediaType == "application/x-pdf" {
		return PDF
	}
	for _, prefix := range officeTypes {
		if strings.HasPrefix(mediaType, prefix) {
			return Office
		}
	}
	return extensions[strings.ToLower(path.Ext(filename))]
}

// Limits bound the reading of one document.
type Limits struct {
	Input   int64         // octets of the document
	Output  int64         // octets of its text
	Memory  int64         // octets of data of the child, of which some 100 MB are Go's own
	Time    time.Duration // of the clock; of the processor, in whole seconds
	Nesting int           // elements of XML, nodes of the tree of pages, forms in forms
}

// DefaultLimits are enough for what people send each other.
var DefaultLimits = Limits{Input: 64 << 20, Output: 8 << 20, Memory: 512 << 20, Time: 20 * time.Second, Nesting: 256}

// Kind says why a document has no text, or not all.
type Kind uint8

const (
	Damaged   Kind = 1 + iota // not such a document, or broken
	Encrypted                 // needs a password
	TooLarge                  // the document is longer than Limits.Input
	TooLong                   // the text is longer than Limits.Output; that much of it was written
	TooDeep                   // Limits.Nesting
	TooSlow                   // Limits.Time
	TooHungry                 // Limits.Memory
	Crashed                   // the child died of something else
)

var kindNames = [...]string{
	Damaged: "damaged", Encrypted: "encrypted", TooLarge: "too large", TooLong: "too much text", TooDeep: "nested too deeply",
	TooSlow: "takes too much time", TooHungry: "takes too much memory", Crashed: "cannot be read",
}

func (k Kind) String() string {
	if int(k) < len(kindNames) && k > 0 {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Error is the fault of the document: trying again gives the same. It says nothing of what is in it.
type Error struct{ Kind Kind }

func (e *Error) Error() string { return "document: " + e.Kind.String() }

// childEnv is all that a child knows.
var childEnv = []string{"GOMAXPROCS=1", "GOTRACEBACK=none"}

// Text writes the text of the document in r, UTF-8 with lines that end in CRLF. With an *Error, what could be read was written; any other error is one
// of r, w or ctx, or of the machine, and says nothing of the document. r is read to its end or to Limits.Input. It may be called concurrently; each
// call is a process.
func Text(ctx context.Context, f Format, r io.Reader, l Limits, w io.Writer) error {
	limited, cancel := context.WithTimeout(ctx, l.Time)
	defer cancel()
	in, out := &input{r: r, left: l.Input}, &output{w: w, left: l.Output}
	var complaint firstBytes
	// Not by path, where an update may have put another program.
	cmd := exec.CommandContext(limited, "/proc/self/exe", childArgs(f, l)...)
	cmd.Args[0] = os.Args[0] // what it is called in lists of processes
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, &complaint
	cmd.Env = childEnv
	cmd.Dir = "/"
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	switch {
	case in.err != nil:
		return in.err
	case out.err != nil:
		return out.err
	case ctx.Err() != nil:
		return ctx.Err()
	case in.left < 0:
		return &Error{TooLarge}
	case out.left < 0:
		return &Error{TooLong}
	case limited.Err() != nil:
		return &Error{TooSlow}
	}
	var exited *exec.ExitError
	if !errors.As(err, &exited) {
		return err // nil, or the child could not be started
	}
	return childError(exited, string(complaint))
}

// childError says what a child died of.
func childError(exited *exec.ExitError, complaint string) error {
	status, _ := exited.Sys().(syscall.WaitStatus)
	switch {
	case status.Signaled() && (status.Signal() == syscall.SIGKILL || status.Signal() == syscall.SIGXCPU):
		return &Error{TooSlow}
	case status.Exited() && status.ExitStatus() == statusUnable:
		return errors.New("extract: the child could not limit itself")
	case status.Exited() && status.ExitStatus() > statusKind && status.ExitStatus() <= statusKind+int(Crashed):
		return &Error{Kind(status.ExitStatus() - statusKind)}
	case strings.Contains(complaint, "out of memory"), strings.Contains(complaint, "cannot allocate"),
		strings.Contains(complaint, "SIGSEGV") && strings.Contains(complaint, "\ngoroutine 0 "): // Go's collector got no memory, and goes on (1.26)
		return &Error{TooHungry}
	case strings.Contains(complaint, "stack exceeds"), strings.Contains(complaint, "stack overflow"):
		return &Error{TooDeep}
	}
	return &Error{Crashed}
}

// input is the document on its way to the child. left below zero tells that it was too large.
type input struct {
	r    io.Reader
	left int64
	err  error // of r
}

func (in *input) Read(p []byte) (int, error) {
	if in.left < 0 {
		return 0, io.ErrShortBuffer
	}
	n, err := in.r.Read(p[:min(int64(len(p)), in.left+1)])
	if in.left -= int64(n); in.left < 0 {
		return 0, io.ErrShortBuffer
	}
	if err != nil && err != io.EOF {
		in.err = err
	}
	return n, err
}

// output is the text on its way to the caller. left below zero tells that it was too long.
type output struct {
	w    io.Writer
	left int64
	err  error // of w
}

func (out *output) Write(p []byte) (int, error) {
	n, err := out.w.Write(p[:min(int64(len(p)), max(0, out.left))])
	out.left -= int64(len(p))
	switch {
	case err != nil:
		out.err = err
	case out.left < 0:
		err = io.ErrShortWrite
	}
	return n, err
}

// firstBytes keeps the beginning of what is written.
type firstBytes []byte

func (b *firstBytes) Write(p []byte) (int, error) {
	*b = append(*b, p[:min(len(p), 4096-len(*b))]...)
	return len(p), nil
}
