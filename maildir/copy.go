package maildir

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// CopyTo copies messages with flags, keywords and INTERNALDATE, by hard link where the file system allows. UIDs that do not exist
// are left out; of the others all or none.
func (m *Mailbox) CopyTo(ctx context.Context, uids []uint32, dst *Mailbox) ([]Pair, error) {
	pairs, _, err := m.copyTo(ctx, uids, dst, false)
	return pairs, err
}

// copyTo is CopyTo, or the first half of MoveTo. Then the Delivery's intent is to be ended when the sources are gone.
func (m *Mailbox) copyTo(ctx context.Context, uids []uint32, dst *Mailbox, move bool) ([]Pair, *Delivery, error) {
	byLink := true
	for range findTries {
		items, src := m.copyItems(uids, dst.store == m.store)
		if len(items) == 0 {
			return nil, nil, m.failed()
		}
		d := &Delivery{m: dst, items: items, move: move}
		if err := m.reserveCopy(ctx, d, src); err != nil {
			return nil, nil, err
		}
		if !byLink {
			if err := d.stage(); errors.Is(err, fs.ErrNotExist) {
				d.Abort()
				if err := m.rescan(ctx); err != nil {
					return nil, nil, err
				}
				continue
			} else if err != nil {
				d.Abort()
				return nil, nil, err
			}
		}
		to, err := d.Commit(ctx)
		switch {
		case err == nil:
			pairs := make([]Pair, len(src))
			for i := range src {
				pairs[i] = Pair{src[i], to[i]}
			}
			return pairs, d, nil
		case byLink && (errors.Is(err, unix.EXDEV) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EMLINK) || errors.Is(err, unix.EOPNOTSUPP)):
			byLink = false
		case errors.Is(err, fs.ErrNotExist):
			// A source was renamed or expunged by somebody else.
			if err := m.rescan(ctx); err != nil {
				return nil, nil, err
			}
		default:
			return nil, nil, err
		}
	}
	return nil, nil, ErrGone
}

// copyItems describes the messages to copy, with the UIDs they have here.
func (m *Mailbox) copyItems(uids []uint32, within bool) (items []*item, src []uint32) {
	m.lockAll()
	defer m.mu.Unlock()
	for _, uid := range uids {
		r := m.recs.find(uid)
		if r == nil {
			continue
		}
		base := string(m.recs.baseOf(r))
		it := &item{
			from: m.dirOf(r), name: m.recs.name(r), base: base, guid: base,
			flags: r.flags, keywords: m.keywords.namesOf(m.keywordsOf(r)), size: r.size, wire: r.wire, time: r.time,
		}
		if g := listKey(string(m.recs.extraOf(r)), 'G'); g != "" {
			it.guid = g
		}
		if within {
			it.path = m.pathOfRecord(r)
		}
		items = append(items, it)
		src = append(src, uid)
	}
	return items, src
}

// stage copies the bytes of linked items into tmp/ for a target on another file system.
func (d *Delivery) stage() error {
	for _, it := range d.items {
		if err := d.stageOne(it); err != nil {
			return err
		}
	}
	return nil
}

func (d *Delivery) stageOne(it *item) error {
	src, err := it.from.open(it.name)
	if err != nil {
		return err
	}
	defer src.Close()
	st, err := statFile(src)
	if err != nil {
		return err
	}
	tmp := d.m.store.newBase()
	f, err := d.m.createTmp(tmp)
	if err != nil {
		return err
	}
	it.tmp, it.time = tmp, floorSeconds(st.mtime)
	_, err = io.Copy(f, src)
	if err == nil {
		err = d.m.tmp.setTimes(tmp, time.Unix(0, st.mtime))
	}
	if err != nil {
		f.Close()
		return fileError("write", d.m.tmp.path()+"/"+tmp, err)
	}
	d.flushes.flush(d.m.tmp, f)
	return nil
}

// MoveTo is CopyTo followed by removing the sources that were copied: a message is never in neither place, after a crash in one only, and once
// this returns also after a loss of power. Of those who move a message away at the same time one succeeds; to the others it is gone.
func (m *Mailbox) MoveTo(ctx context.Context, uids []uint32, dst *Mailbox) ([]Pair, error) {
	select {
	case m.moving <- struct{}{}:
		defer func() { <-m.moving }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	most := m.lend(uids)
	pairs, d, err := m.copyTo(ctx, uids, dst, true)
	if err != nil || d == nil {
		m.settle(uids, most, amount{})
		return nil, err
	}
	defer d.intent.end()
	defer m.settle(uids, most, d.lent)
	gone := make([]uint32, len(pairs))
	for i, p := range pairs {
		gone[i] = p.Src
	}
	ctx = context.WithoutCancel(ctx)
	moved, err := m.expunge(ctx, gone, true)
	if err != nil || len(moved) == len(pairs) {
		return pairs, err
	}
	// Another program moved or removed some of them meanwhile: the copies would be one too many.
	slices.Sort(moved)
	var extra []uint32
	pairs = slices.DeleteFunc(pairs, func(p Pair) bool {
		if _, ok := slices.BinarySearch(moved, p.Src); ok {
			return false
		}
		extra = append(extra, p.Dst)
		return true
	})
	_, err = dst.Expunge(ctx, extra)
	return pairs, err
}

// reserveCopy keeps room in the quota of the target. Within one mail root a move needs none, see lend.
func (m *Mailbox) reserveCopy(ctx context.Context, d *Delivery, uids []uint32) error {
	sum, known := m.sizesOf(uids)
	if !known {
		if err := m.measure(ctx); err != nil {
			return err
		}
		sum, _ = m.sizesOf(uids)
	}
	if !d.move || d.m.store != m.store {
		return d.reserve(ctx, sum)
	}
	d.lent = sum
	return nil
}
