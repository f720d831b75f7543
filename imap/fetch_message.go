package imap

import (
	"io"
	"net"
	"sync"

	"roost/maildir"
	"roost/maildir/message"
)

// What a FETCH holds of one message while it answers for it, and of buffers and results from one message or command to the next.

// open opens the message file once.
func (f *fetcher) open(m *fetchMessage) error {
	if m.file != nil {
		return nil
	}
	file, err := f.box.OpenMessage(m.rec.UID)
	if err != nil {
		return err
	}
	m.file, m.size = file, file.Size()
	return nil
}

// facts makes m.meta known, until the next message.
func (f *fetcher) facts(m *fetchMessage) (err error) {
	if f.metas == nil {
		f.metas = f.box.NewMetaReader()
	}
	if m.meta = f.metas.Cached(m.rec.UID); m.meta == nil {
		m.meta, err = f.box.Meta(m.rec.UID)
	}
	return err
}

// parts makes the part tree known, and the file open: its offsets are only true of a file of the size they were computed from, so a file
// that another program rewrote is parsed again here.
func (f *fetcher) parts(m *fetchMessage) error {
	if m.tree != nil {
		return nil
	}
	if err := f.open(m); err != nil {
		return err
	}
	if m.tree = f.s.fetched.tree(f.box, m); m.tree != nil {
		return nil
	}
	if m.meta == nil {
		f.facts(m) // on failure the open file can still be parsed
	}
	if m.meta != nil && m.meta.Size == m.size {
		m.tree = m.meta.Message()
		return nil
	}
	var err error
	m.tree, err = message.Parse(m.file, m.size, message.DefaultLimits)
	return err
}

// alive returns an error when there is nobody to answer: the client is gone, or has taken nothing for so long that a write was given up.
func (f *fetcher) alive() error {
	if f.s.conn.broken.Load() {
		return net.ErrClosed
	}
	return f.s.keepalive()
}

// lost ends the connection in the middle of a literal: any other octet would be taken for part of the message.
func (f *fetcher) lost(m *fetchMessage, err error) error {
	if err == io.EOF {
		err = errShort
	}
	f.logFile(m, err)
	f.enc.Flush()
	f.s.cancel()
	f.s.conn.Close()
	return net.ErrClosed
}

func (f *fetcher) logFile(m *fetchMessage, err error) {
	f.s.log.Error("cannot read message", "mailbox", f.box.Name(), "uid", m.rec.UID, "cause", err)
}

// fetchBuffers are shared by commands, not by messages: most commands fetch one.
type fetchBuffers struct{ in, out []byte }

var fetchPool = sync.Pool{New: func() any {
	return &fetchBuffers{in: make([]byte, streamBlock), out: make([]byte, 0, streamBlock+streamBlock/16)}
}}

// grow gets the buffers for file contents; a FETCH that reads no file never has them.
func (f *fetcher) grow() {
	if f.buffers == nil {
		f.buffers = fetchPool.Get().(*fetchBuffers)
		f.in, f.out = f.buffers.in, f.buffers.out
	}
}

// close gives the buffers back.
func (f *fetcher) close() {
	if f.metas != nil {
		f.metas.Close()
		f.metas = nil
	}
	if f.buffers == nil {
		return
	}
	if cap(f.out) <= 4*streamBlock {
		f.buffers.out = f.out[:0]
	}
	fetchPool.Put(f.buffers)
	f.buffers = nil
}

// fetchMemo is what a session remembers from one FETCH for the next, of clients that fetch a large part in chunks.
type fetchMemo struct {
	marks   lineMarks
	size    sizeMemo
	decoder decodeMemo
	kept    struct { // the message of the last chunk
		box  *maildir.Mailbox
		uid  uint32
		tree *message.Message
	}
}

// keep remembers the part tree of a message.
func (memo *fetchMemo) keep(box *maildir.Mailbox, m *fetchMessage) {
	memo.kept.box, memo.kept.uid, memo.kept.tree = box, m.rec.UID, m.tree
}

// tree returns the part tree of a message whose file is open, nil when it is not the one that was kept.
func (memo *fetchMemo) tree(box *maildir.Mailbox, m *fetchMessage) *message.Message {
	if k := &memo.kept; k.tree != nil && k.box == box && k.uid == m.rec.UID && k.tree.Size == m.size {
		return k.tree
	}
	return nil
}
