package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Users and mailboxes of the generated tree.
const (
	mainUser   = "bench"
	manyUsers  = 20      // u0, u1 … of the workloads with many clients
	workBox    = "Work"  // messages to STORE, COPY, MOVE and EXPUNGE
	largeBox   = "Large" // one message with a 25 MB attachment
	inboundBox = "Inbound"
	password   = "correct horse"
	attachment = 25 << 20 // octets before base64
)

// tree says how large everything is.
type tree struct {
	seed   uint64
	inbox  int    // messages of mainUser's INBOX
	work   int    // of its Work
	many   int    // of each other user's INBOX
	corpus string // directory of real messages to repeat instead of generated ones; "" for none
	owner  int    // user and group of all files, -1 for the caller's
}

func newTree(o *options) tree {
	return tree{seed: o.seed, inbox: o.messages, work: min(o.messages, 10_000), many: min(o.messages, 1_000), corpus: o.corpus, owner: o.owner()}
}

func manyUser(i int) string { return fmt.Sprintf("u%d", i%manyUsers) }

// generate writes the tree below root, a home for each user, as if an MTA had delivered it and nobody had ever indexed it.
func (t tree) generate(root string) error {
	source, err := t.source()
	if err != nil {
		return err
	}
	inbox := filepath.Join(root, mainUser, "Maildir")
	if err := t.fill(inbox, t.inbox, source); err != nil {
		return err
	}
	if err := t.fill(filepath.Join(inbox, "."+workBox), t.work, source); err != nil {
		return err
	}
	if err := t.fill(filepath.Join(inbox, "."+largeBox), 1, t.large); err != nil {
		return err
	}
	for i := range manyUsers {
		if err := t.fill(filepath.Join(root, manyUser(i), "Maildir"), t.many, source); err != nil {
			return err
		}
	}
	return t.own(root)
}

// source is the function that makes message i of total, called by several goroutines with an author of their own.
func (t tree) source() (func(a *author, i, total int) message, error) {
	if t.corpus == "" {
		return (*author).write, nil
	}
	var texts [][]byte
	err := filepath.WalkDir(t.corpus, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || d.Name() == "README.md" || strings.Contains(d.Name(), ".mbox") {
			return err
		}
		text, err := os.ReadFile(path)
		texts = append(texts, bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")))
		return err
	})
	if err == nil && len(texts) == 0 {
		err = fmt.Errorf("no messages in %s", t.corpus)
	}
	return func(a *author, i, total int) message {
		m := a.write(i, total)
		m.text = texts[i%len(texts)]
		return m
	}, err
}

// large is the message of the mailbox Large.
func (t tree) large(a *author, i, total int) message {
	m := a.write(i, total)
	a.buf = a.buf[:0]
	a.header(i, m.received)
	a.multipart("mixed", func() { a.text("plain") }, func() { a.attachment("application/zip", "attachment", attachment/57*77) })
	m.text = append([]byte(nil), a.buf...)
	return m
}

// fill makes a Maildir with n messages in cur.
func (t tree) fill(dir string, n int, source func(a *author, i, total int) message) error {
	for _, sub := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return err
		}
	}
	if strings.HasPrefix(filepath.Base(dir), ".") {
		if err := os.WriteFile(filepath.Join(dir, "maildirfolder"), nil, 0o600); err != nil {
			return err
		}
	}
	var next atomic.Int64
	errs := make(chan error, runtime.NumCPU())
	for range runtime.NumCPU() {
		go func() {
			a := &author{seed: t.seed}
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					errs <- nil
					return
				}
				m := source(a, i, n)
				path := filepath.Join(dir, "cur", fileName(i, m)+":2,"+m.flags)
				if err := writeMessage(path, m); err != nil {
					errs <- err
					return
				}
			}
		}()
	}
	var err error
	for range runtime.NumCPU() {
		if e := <-errs; e != nil {
			err = e
		}
	}
	return err
}

// fileName is as delivery agents make it: four in five with both sizes (Dovecot's LDA), one without (Postfix).
func fileName(i int, m message) string {
	name := fmt.Sprintf("%d.M%dP%d.bench", m.received.Unix(), i%1_000_000, 1000+i/1_000_000)
	if i%5 == 0 {
		return name
	}
	return fmt.Sprintf("%s,S=%d,W=%d", name, len(m.text), len(m.text)+bytes.Count(m.text, []byte("\n")))
}

func writeMessage(path string, m message) error {
	if err := os.WriteFile(path, m.text, 0o600); err != nil {
		return err
	}
	return os.Chtimes(path, time.Time{}, m.received)
}

// copyTo makes an identical tree at to. Directories are new and files are hard links: no server ever writes into a message file, and both
// servers find the same pages in the page cache.
func (t tree) copyTo(from, to string) error {
	var wg sync.WaitGroup
	dirs := make(chan string)
	errs := make(chan error, 1)
	fail := func(err error) {
		select {
		case errs <- err:
		default:
		}
	}
	for range runtime.NumCPU() {
		wg.Go(func() {
			for dir := range dirs {
				if err := linkFiles(filepath.Join(from, dir), filepath.Join(to, dir)); err != nil {
					fail(err)
				}
			}
		})
	}
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Join(to, rel), 0o700); err != nil {
			return err
		}
		dirs <- rel
		return nil
	})
	close(dirs)
	wg.Wait()
	if err != nil {
		fail(err)
	}
	select {
	case err := <-errs:
		return err
	default:
		return t.own(to)
	}
}

func linkFiles(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		if err := os.Link(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// own gives everything below root to the owner of the mail.
func (t tree) own(root string) error {
	if t.owner < 0 {
		return nil
	}
	return filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, t.owner, t.owner)
	})
}

// warm reads every message once, so that what follows does not measure the disk.
func (t tree) warm(root string) (octets int64, err error) {
	buf := make([]byte, 1<<20)
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		for {
			n, err := f.Read(buf)
			octets += int64(n)
			if err != nil {
				return nil
			}
		}
	})
	return octets, err
}
