package extract

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Reader reads documents in a child process, which it starts when it has none. The zero value is ready. It may be used concurrently, but reads one
// document at a time. Close it.
type Reader struct {
	mu    sync.Mutex // protects what follows, while a document is read
	child *child
	idle  *time.Timer // ends the child

	idleFor time.Duration // how long a child waits for another document; 0 is defaultIdle
}

const defaultIdle = time.Second

// Text returns the text of a document, UTF-8 with lines that end in CRLF. With an *Error, it is what could be read; any other error is one
// of open, of what that gave, or of ctx, or of the machine, and says nothing of the document. It is opened twice if the first time does not tell what is wrong
// with it, and read to its end or to Limits.Input.
func (r *Reader) Text(ctx context.Context, f Format, open func() (io.Reader, error), l Limits) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	limited, cancel := context.WithTimeout(ctx, l.Time)
	defer cancel()
	for {
		document, err := open()
		if err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if r.child != nil && !r.child.fits(l) {
			r.end()
		}
		if r.child == nil {
			c, err := start(l)
			if err != nil {
				return nil, err
			}
			r.child = c
		}
		c, used := r.child, r.child.used
		text, err := r.read(limited, f, document, l)
		var failed *Error
		switch {
		case ctx.Err() != nil:
			return text, ctx.Err()
		case used && c.died && errors.As(err, &failed):
			continue // of what others left, perhaps
		}
		return text, err
	}
}

// Close ends the child.
func (r *Reader) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end()
}

func (r *Reader) end() {
	if r.child != nil {
		r.child.kill()
		_ = r.child.wait()
		r.child = nil
	}
}

// read has the child read a document, and lets go of a child that reads no more.
func (r *Reader) read(ctx context.Context, f Format, document io.Reader, l Limits) ([]byte, error) {
	c := r.child
	stop := context.AfterFunc(ctx, c.kill)
	in, out := &input{r: document, left: l.Input}, &output{left: l.Output}
	a, err := c.read(request{f, l.Output, l.Nesting}, in, out)
	stopped := stop()
	if err == nil && !a.last && stopped {
		c.used = true
		wait := cmp.Or(r.idleFor, defaultIdle)
		if r.idle == nil {
			r.idle = time.AfterFunc(wait, r.Close)
		} else {
			r.idle.Reset(wait)
		}
	} else {
		c.kill() // which does not change how one ended that is gone
		exit := c.wait()
		r.child = nil
		switch {
		case err == nil:
		case in.err != nil:
			return nil, in.err
		case in.left < 0:
			return nil, &Error{TooLarge}
		case out.left < 0:
			return out.text.Bytes(), &Error{TooLong}
		case !stopped:
			return out.text.Bytes(), &Error{TooSlow}
		default:
			c.died = true
			return out.text.Bytes(), childError(exit, string(c.complaint))
		}
	}
	if a.kind != 0 {
		return out.text.Bytes(), &Error{a.kind}
	}
	return out.text.Bytes(), nil
}

// child is the other process.
type child struct {
	cmd       *exec.Cmd
	in        io.WriteCloser
	w         *bufio.Writer // to in
	r         *bufio.Reader
	complaint firstBytes
	memory    int64
	seconds   int64
	used      bool // it has read a document
	died      bool // of itself
}

// childEnv is all that a child knows.
var childEnv = []string{"GOMAXPROCS=1", "GOTRACEBACK=none"}

func start(l Limits) (*child, error) {
	// Not by path, where an update may have put another program.
	c := &child{cmd: exec.Command("/proc/self/exe", childArgs(l)...), memory: l.Memory, seconds: cpuSeconds(l)}
	c.cmd.Args[0] = os.Args[0] // what it is called in lists of processes
	c.cmd.Stderr = &c.complaint
	c.cmd.Env = childEnv
	c.cmd.Dir = "/"
	c.cmd.WaitDelay = time.Second
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		c.in.Close()
		return nil, err
	}
	c.w, c.r = bufio.NewWriterSize(c.in, 32<<10), bufio.NewReaderSize(out, 32<<10)
	return c, c.cmd.Start()
}

// fits tells whether the kernel holds the child to these limits.
func (c *child) fits(l Limits) bool { return c.memory == l.Memory && c.seconds >= cpuSeconds(l) }

// kill ends it. wait returns how it ended, and must be called.
func (c *child) kill()       { _ = c.cmd.Process.Kill() }
func (c *child) wait() error { return c.cmd.Wait() }

// read sends a document and receives its text. After an error the child is of no use.
func (c *child) read(q request, in *input, out *output) (a answer, err error) {
	q.write(c.w)
	if _, err := io.Copy(frameWriter{c.w}, in); err != nil {
		return a, err
	}
	_, _ = c.w.Write(make([]byte, 4)) // the end
	if err := c.w.Flush(); err != nil {
		return a, err
	}
	if _, err := io.Copy(out, &frameReader{r: c.r}); err != nil {
		return a, err
	}
	return readAnswer(c.r)
}

// childError says what a child died of.
func childError(err error, complaint string) error {
	var exited *exec.ExitError
	if !errors.As(err, &exited) {
		return errors.Join(errors.New("extract: the child gave no answer"), err)
	}
	status, _ := exited.Sys().(syscall.WaitStatus)
	switch {
	case status.Signaled() && (status.Signal() == syscall.SIGKILL || status.Signal() == syscall.SIGXCPU):
		return &Error{TooSlow}
	case status.Exited() && status.ExitStatus() == statusUnable:
		return errors.New("extract: the child could not limit itself")
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

// output is the text that comes back. left below zero tells that it was too long, which the child should have seen to.
type output struct {
	text bytes.Buffer
	left int64
}

func (out *output) Write(p []byte) (int, error) {
	n, _ := out.text.Write(p[:min(int64(len(p)), max(0, out.left))])
	if out.left -= int64(len(p)); out.left < 0 {
		return n, io.ErrShortWrite
	}
	return n, nil
}

// firstBytes keeps the beginning of what is written.
type firstBytes []byte

func (b *firstBytes) Write(p []byte) (int, error) {
	*b = append(*b, p[:min(len(p), 4096-len(*b))]...)
	return len(p), nil
}
