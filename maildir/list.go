package maildir

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// errRestored ends a Mailbox under which an older uidlist was put in place: the sessions are sent away, and what is opened next starts from the
// restored files (a whole Maildir restored while serving).
var errRestored = fmt.Errorf("an older dovecot-uidlist was restored: %w", ErrGone)

// readList takes over what others wrote into dovecot-uidlist. changed tells that the directories have to be scanned even
// if they did not change.
func (u *update) readList() (changed bool, err error) {
	m := u.m
	var mg *merger
	hdr, pos, err := readUIDList(m.box, m.list, func(full bool) {
		changed = true
		m.mu.Lock()
		m.hints.half = true
		m.mu.Unlock()
		if full {
			mg = &merger{m: m, next: m.hdr.Next, dead: map[string]uint32{}}
		}
	}, func(uid uint32, base, extra []byte) error {
		if mg != nil {
			mg.line(uid, string(base), string(extra))
		} else {
			u.newLine(uid, string(base), string(extra))
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		if _, _, err := m.statDirs(); err != nil {
			return false, err // the mailbox is gone, and not only its list
		}
		// There is none yet, or somebody removed it: all it said is in memory, so put it back rather than renumber.
		return true, u.rewriteList()
	}
	damaged := errors.Is(err, errDamaged)
	if damaged {
		m.log.Warn("repairing dovecot-uidlist", "mailbox", m.box.path(), "cause", err)
	} else if err != nil {
		return false, err
	}
	if mg == nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.hdr.Next = max(m.hdr.Next, hdr.Next)
		m.list = pos
		if damaged {
			m.list = uidlistPos{} // read the whole file next time and repair it then
		}
		return changed, nil
	}
	mg.damaged = damaged
	if err := mg.finish(hdr, pos); err != nil {
		return false, err
	}
	if damaged || hdr.V1 || hdr.GUID == "" || hdr.Validity == 0 || mg.next > hdr.Next {
		return true, u.rewriteList()
	}
	return true, nil
}

// newLine takes over an appended line.
func (u *update) newLine(uid uint32, base, extra string) {
	m := u.m
	m.mu.Lock()
	defer m.mu.Unlock()
	if r := m.recs.byBase(base); r != nil && r.uid != uid {
		// Somebody else took this file for gone and numbered it again.
		m.forget([]uint32{r.uid})
	}
	delete(m.dead, base)
	m.pending[base] = listed{uid, extra}
	m.hdr.Next = max(m.hdr.Next, uid+1)
}

// merger compares a whole uidlist with memory, both in UID order.
type merger struct {
	m        *Mailbox
	next     uint32 // a UID below it that memory does not have is of an expunged message
	i        int
	vanished []uint32 // in memory, but not in the file
	fresh    []freshLine
	dead     map[string]uint32
	damaged  bool // the file, and what it lacks is what memory has
}

type freshLine struct {
	base string
	listed
}

func (g *merger) line(uid uint32, base, extra string) {
	recs := g.m.recs
	for g.i < len(recs.list) && recs.list[g.i].uid < uid {
		g.vanished = append(g.vanished, recs.list[g.i].uid)
		g.i++
	}
	if g.i < len(recs.list) && recs.list[g.i].uid == uid {
		r := &recs.list[g.i]
		g.i++
		if string(recs.baseOf(r)) == base {
			if string(recs.extraOf(r)) != extra {
				g.m.mu.Lock()
				recs.setExtra(r, extra)
				g.m.mu.Unlock()
			}
			return
		}
		g.vanished = append(g.vanished, uid)
	}
	if l, ok := g.m.pending[base]; uid < g.next && (!ok || l.uid != uid) {
		g.dead[base] = uid
		return
	}
	g.fresh = append(g.fresh, freshLine{base, listed{uid, extra}})
}

// finish takes over the result.
func (g *merger) finish(hdr uidlistHeader, pos uidlistPos) error {
	m := g.m
	for ; g.i < len(m.recs.list); g.i++ {
		g.vanished = append(g.vanished, m.recs.list[g.i].uid)
	}
	// A header that cannot be read says nothing; a valid one with other numbers is another mailbox or another time.
	if m.hdr.Validity != 0 && hdr.Validity != 0 && (hdr.Validity != m.hdr.Validity || hdr.Next < m.hdr.Next) {
		if m.store.opt.State != "" && hdr.Validity == m.hdr.Validity {
			// Whoever opens the mailbox next must know which UIDs were given out.
			s, dir := m.takeSnapshot()
			m.writeSnapshot(dir, s)
		}
		m.gone(errRestored)
		return errRestored
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !g.damaged {
		m.forget(g.vanished)
	}
	m.dead = g.dead
	clear(m.pending)
	for _, l := range g.fresh {
		if r := m.recs.byBase(l.base); r != nil {
			m.forget([]uint32{r.uid})
		}
		m.pending[l.base] = l.listed
	}
	m.setHeader(hdr)
	m.list = pos
	return nil
}

// setHeader takes over a header but never lowers the next UID, nor loses what an unreadable header does not say. Called with mu
// held.
func (m *Mailbox) setHeader(hdr uidlistHeader) {
	hdr.Next = max(hdr.Next, m.hdr.Next, 1)
	if hdr.Validity == 0 {
		hdr.Validity = m.hdr.Validity
	}
	if hdr.GUID == "" {
		hdr.GUID = m.hdr.GUID
	}
	m.hdr = hdr
}

// appendList appends lines up to UID last and keeps track of the file.
func (u *update) appendList(lines []byte, last uint32) error {
	m := u.m
	if len(lines) == 0 {
		return nil
	}
	if u.denied != nil {
		return fmt.Errorf("there are messages without UID, and %s/%s cannot be written: %w", m.box.path(), uidlistName, u.denied)
	}
	p, err := m.box.perm()
	if err != nil {
		return err
	}
	pos, err := appendUIDList(m.box, p, m.list, lines, last, true)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.list = pos
	return nil
}

// rewriteList writes dovecot-uidlist anew from memory, without the lines of files that are gone. A mailbox that has no UIDVALIDITY or
// GUID yet gets one.
func (u *update) rewriteList() error {
	m := u.m
	if u.denied != nil {
		return fmt.Errorf("%s/%s is not complete, and cannot be written: %w", m.box.path(), uidlistName, u.denied)
	}
	p, err := m.box.perm()
	if err != nil {
		return err
	}
	hdr := m.hdr
	hdr.V1 = false
	hdr.Next = max(hdr.Next, 1)
	if hdr.Validity == 0 {
		if hdr.Validity, err = m.store.newUIDValidity(u.ctx); err != nil {
			return err
		}
	}
	if hdr.GUID == "" {
		hdr.GUID = newGUID()
	}
	pos, err := writeUIDList(m.box, p, hdr, func(emit func(uid uint32, base, extra []byte)) {
		for i := range m.recs.list {
			r := &m.recs.list[i]
			emit(r.uid, m.recs.baseOf(r), m.recs.extraOf(r))
		}
	})
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hdr, m.list = hdr, pos
	m.unsaved = true
	clear(m.dead)
	clear(m.pending) // not in the file any more; nobody was told of those UIDs
	return nil
}

// compactList drops dead lines once they are a quarter of the file, as Dovecot does.
func (u *update) compactList() error {
	if n := len(u.m.dead); n < 100 || n*4 < n+len(u.m.recs.list) || len(u.m.pending) > 0 {
		return nil
	}
	return u.rewriteList()
}

// newGUID returns a random 128-bit GUID as 32 hex digits.
func newGUID() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// listKey returns the value of a key in the extra fields of a uidlist record ("W123 Gabc"), "" when absent.
func listKey(extra string, key byte) string {
	for field := range strings.FieldsSeq(extra) {
		if field[0] == key {
			return field[1:]
		}
	}
	return ""
}
