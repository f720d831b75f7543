package maildir

import (
	"context"
	"errors"
	"path"
	"slices"
)

// Replace is Commit of one message that takes the place of another one, which is removed from src: both happen or neither, also when the
// process is killed. Within one mailbox nobody sees the state in between. It returns the UID of the new message; ErrGone if the old one is
// not there any more.
func (d *Delivery) Replace(ctx context.Context, src *Mailbox, old uint32) (uint32, error) {
	if d.done || len(d.items) != 1 {
		return 0, nil
	}
	defer d.Abort()
	if err := d.flushes.wait(); err != nil {
		return 0, err
	}
	c := &commit{items: d.items, held: &d.held, done: make(chan struct{})}
	if src == d.m {
		c.old = old
	} else {
		instead, err := src.pathOf(old)
		if err != nil {
			return 0, err
		}
		if c.move = true; src.store == d.m.store {
			c.items[0].instead = instead
		}
	}
	uids, err := d.m.commit(ctx, c)
	if err != nil {
		return 0, err
	}
	d.done = true
	if src != d.m {
		if err := src.goes(ctx, old); err != nil {
			c.intent.end()
			_, undo := d.m.Expunge(context.WithoutCancel(ctx), uids)
			return 0, errors.Join(err, undo)
		}
		c.intent.end()
	}
	return uids[0], nil
}

// goes removes the message that was replaced.
func (m *Mailbox) goes(ctx context.Context, uid uint32) error {
	gone, err := m.expunge(context.WithoutCancel(ctx), []uint32{uid}, true)
	switch {
	case slices.Contains(gone, uid):
		if err != nil { // that concerns the lists, which the next change writes again
			m.log.Warn("a message was replaced", "mailbox", m.box.path(), "cause", err)
		}
		return nil
	case err != nil:
		return err
	}
	return ErrGone
}

// removeOld removes what the item of c replaces, which is in place and numbered. If that fails the item goes instead.
func (u *update) removeOld(c *commit) {
	gone := c.old
	from, err := u.unlink(c.old)
	if err == nil && from == nil {
		err = ErrGone
	}
	if err != nil {
		gone, c.err = c.uids[0], err
		u.undo(c)
	}
	m := u.m
	freed, known := m.sizesOf([]uint32{gone})
	if err == nil {
		if err := from.sync(); err != nil {
			m.log.Warn("a message was replaced, but after a loss of power it may be there again", "mailbox", m.box.path(), "cause", err)
		}
	}
	m.mu.Lock()
	m.forget([]uint32{gone})
	m.mu.Unlock()
	m.store.logFreed(freed, known)
	if err := errors.Join(u.flushMore(), u.compactList()); err != nil {
		m.log.Warn("a message was replaced", "mailbox", m.box.path(), "cause", err)
	}
}

// pathOf is where a message's file is, below the root; ErrGone if there is none of that UID.
func (m *Mailbox) pathOf(uid uint32) (string, error) {
	m.lockAll()
	defer m.mu.Unlock()
	r := m.recs.find(uid)
	if r == nil {
		return "", ErrGone
	}
	return m.pathOfRecord(r), nil
}

// pathOfRecord is called with mu held.
func (m *Mailbox) pathOfRecord(r *record) string {
	return path.Join(storagePath(m.storage), m.dirOf(r).base(), m.recs.name(r))
}
