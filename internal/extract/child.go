package extract

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Command is the first argument of a child. Whoever runs Text has to pass a command line that begins with it to Main.
const Command = "extract"

// Exit statuses of a child; Go itself ends with 2.
const (
	statusUsage  = 1
	statusUnable = 3  // the limits could not be set
	statusKind   = 16 // and the Kind
)

// childArgs is the command line that Main reads.
func childArgs(f Format, l Limits) []string {
	seconds := int64(math.Ceil(l.Time.Seconds()))
	return []string{Command, string(f), fmt.Sprint(l.Input), fmt.Sprint(l.Output), fmt.Sprint(l.Memory), fmt.Sprint(seconds), fmt.Sprint(l.Nesting)}
}

// Main is the child: it limits itself for good, reads a document from in, writes its text to out and returns the exit status.
func Main(args []string, in io.Reader, out io.Writer) int {
	if len(args) != 7 {
		return statusUsage
	}
	var n [5]int64
	for i := range n {
		var err error
		if n[i], err = strconv.ParseInt(args[i+2], 10, 64); err != nil || n[i] <= 0 {
			return statusUsage
		}
	}
	l := Limits{Input: n[0], Output: n[1], Memory: n[2], Time: time.Duration(n[3]) * time.Second, Nesting: int(n[4])}
	if err := confine(l); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return statusUnable
	}
	data, err := io.ReadAll(io.LimitReader(in, l.Input))
	if err != nil {
		return statusUsage
	}
	var failed *Error
	if errors.As(read(Format(args[1]), data, l, out), &failed) {
		return statusKind + int(failed.Kind)
	}
	return 0
}

// confine gives up what reading a document does not need, and lets other programs go first. RLIMIT_DATA, not RLIMIT_AS, because Go reserves addresses
// that it never uses. Without RLIMIT_NOFILE nothing can be opened any more, no file, socket or pipe; Landlock would be another way, but with cgo it
// cannot be asked for in a process whose parent gave up /proc.
func confine(l Limits) error {
	limits := [...]struct {
		resource int
		value    uint64
	}{
		{unix.RLIMIT_CPU, uint64(l.Time / time.Second)}, {unix.RLIMIT_DATA, uint64(l.Memory)}, {unix.RLIMIT_CORE, 0}, {unix.RLIMIT_FSIZE, 0},
		{unix.RLIMIT_NOFILE, 0},
	}
	time.Sleep(time.Nanosecond) // Go's runtime opens what its timers need (epoll, eventfd) at the first one, and ends the process if it cannot
	for _, limit := range limits {
		if err := unix.Setrlimit(limit.resource, &unix.Rlimit{Cur: limit.value, Max: limit.value}); err != nil {
			return fmt.Errorf("setrlimit %d: %w", limit.resource, err)
		}
	}
	debug.SetMemoryLimit(l.Memory / 2) // collect garbage before the kernel refuses
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, 10)
	return nil
}

// read writes the text of a document. Whatever the reader makes of the document, the result is nil or an *Error, but for the death of the process.
func read(f Format, data []byte, l Limits, w io.Writer) (err error) {
	out := newText(w, l.Output)
	defer func() {
		if p := recover(); p != nil {
			err = &Error{Damaged}
		}
		if flushed := out.flush(); err == nil {
			err = flushed
		}
		var failed *Error
		if err != nil && !errors.As(err, &failed) {
			err = &Error{Damaged}
		}
	}()
	switch f {
	case PDF:
		return readPDF(data, l, out)
	case Office:
		return readOffice(data, l, out)
	}
	return &Error{Damaged}
}
