package extract

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
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
	statusUnable = 3 // the limits could not be set
)

// childArgs is the command line that Main reads.
func childArgs(l Limits) []string {
	return []string{Command, fmt.Sprint(l.Memory), fmt.Sprint(cpuSeconds(l))}
}

// cpuSeconds is how long the processor may take for one document.
func cpuSeconds(l Limits) int64 { return int64(math.Ceil(l.Time.Seconds())) }

// Main is the child: it limits itself for good, reads documents from in, one after another, writes their texts to out (frames.go), and returns the exit
// status at the end of in, or when a document left it unlike a new one.
func Main(args []string, in io.Reader, out io.Writer) int {
	if len(args) != 3 {
		return statusUsage
	}
	memory, err := strconv.ParseInt(args[1], 10, 64)
	seconds, err2 := strconv.ParseInt(args[2], 10, 64)
	if err != nil || err2 != nil || memory <= 0 || seconds <= 0 {
		return statusUsage
	}
	if err := confine(memory, seconds); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return statusUnable
	}
	r, w := bufio.NewReader(in), bufio.NewWriter(out)
	for {
		q, err := readRequest(r)
		if err == io.EOF {
			return 0
		} else if err != nil {
			return statusUsage
		}
		data, err := io.ReadAll(&frameReader{r: r})
		if err != nil {
			return statusUsage
		}
		var failed *Error
		var a answer
		if errors.As(read(q.format, data, q.limits(), frameWriter{w}), &failed) {
			a.kind = failed.Kind
		}
		a.last = failed == panicked || a.kind != 0 && a.kind != Damaged && a.kind != Encrypted || worn(seconds)
		if err := a.write(w); err != nil {
			return statusUsage
		}
		if a.last {
			return 0
		}
	}
}

// wornHeap is how much memory a child may have taken and read another document all the same. It is less than what Go takes of the system at once,
// so that the next one finds as much as the first.
const wornHeap = 32 << 20

// worn tells whether a child has used up what another document may need, as each has seconds of the processor.
func worn(seconds int64) bool {
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		return true
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	return used.Utime.Sec+used.Stime.Sec >= seconds || mem.HeapSys > wornHeap
}

// confine gives up what reading a document does not need, and lets other programs go first. RLIMIT_DATA, not RLIMIT_AS, because Go reserves addresses
// that it never uses. Without RLIMIT_NOFILE nothing can be opened any more, no file, socket or pipe; Landlock would be another way, but with cgo it
// cannot be asked for in a process whose parent gave up /proc. The processor time is that of two documents: a child that has used half of it reads no more.
func confine(memory, seconds int64) error {
	limits := [...]struct {
		resource int
		value    uint64
	}{
		{unix.RLIMIT_CPU, 2 * uint64(seconds)}, {unix.RLIMIT_DATA, uint64(memory)}, {unix.RLIMIT_CORE, 0}, {unix.RLIMIT_FSIZE, 0},
		{unix.RLIMIT_NOFILE, 0},
	}
	time.Sleep(time.Nanosecond) // Go's runtime opens what its timers need (epoll, eventfd) at the first one, and ends the process if it cannot
	for _, limit := range limits {
		if err := unix.Setrlimit(limit.resource, &unix.Rlimit{Cur: limit.value, Max: limit.value}); err != nil {
			return fmt.Errorf("setrlimit %d: %w", limit.resource, err)
		}
	}
	debug.SetMemoryLimit(memory / 2) // collect garbage before the kernel refuses
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, 10)
	return nil
}

// panicked is the fault of a document at which its reader gave up in a way that was not foreseen.
var panicked = &Error{Damaged}

// read writes the text of a document. Whatever the reader makes of the document, the result is nil or an *Error, but for the death of the process.
func read(f Format, data []byte, l Limits, w io.Writer) (err error) {
	out := newText(w, l.Output)
	defer func() {
		if p := recover(); p != nil {
			err = panicked
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
