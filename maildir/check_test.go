package maildir

import (
	"fmt"
	"strings"
)

// checkMailbox compares memory, uidlist and directories of a mailbox that nobody else changes.
func checkMailbox(m *Mailbox) error {
	files := map[string]string{} // base → sub/name
	for _, sub := range []*dir{m.new, m.cur} {
		var dup string
		err := sub.readNames(func(name string, _ uint8) bool {
			base := parseFileName(name).base
			if files[base] != "" {
				dup = name
			}
			files[base] = name
			return true
		})
		if err != nil || dup != "" {
			return fmt.Errorf("reading %s: %v, duplicate %q", sub.path(), err, dup)
		}
	}
	lines := map[uint32]string{}
	hdr, _, err := readUIDList(m.box, uidlistPos{}, func(bool) {}, func(uid uint32, base, _ []byte) error {
		lines[uid] = string(base)
		return nil
	})
	if err != nil {
		return err
	}
	m.lockAll()
	defer m.mu.Unlock()
	m.recs.nameAll()
	var bad []string
	if hdr.Validity != m.hdr.Validity || hdr.GUID != m.hdr.GUID || hdr.Next > m.hdr.Next {
		bad = append(bad, fmt.Sprintf("header %+v, memory %+v", hdr, m.hdr))
	}
	if len(m.recs.list) != len(m.recs.uids) || len(files) != len(m.recs.list) {
		bad = append(bad, fmt.Sprintf("%d records, %d UIDs, %d files", len(m.recs.list), len(m.recs.uids), len(files)))
	}
	last := uint32(0)
	octets, unsized := int64(0), 0
	for i := range m.recs.list {
		r := &m.recs.list[i]
		if r.size < 0 {
			unsized++
		} else {
			octets += r.size
		}
		base := string(m.recs.baseOf(r))
		if r.uid <= last || m.recs.uids[i] != r.uid || r.uid >= m.hdr.Next {
			bad = append(bad, fmt.Sprintf("UID %d after %d, next %d", r.uid, last, m.hdr.Next))
		}
		last = r.uid
		if lines[r.uid] != base {
			bad = append(bad, fmt.Sprintf("UID %d: base %q, uidlist %q", r.uid, base, lines[r.uid]))
		}
		if files[base] != m.recs.name(r) {
			bad = append(bad, fmt.Sprintf("UID %d: name %q, on disk %q", r.uid, m.recs.name(r), files[base]))
		}
		if m.recs.byBase(base) != r {
			bad = append(bad, fmt.Sprintf("UID %d: not found by its base name", r.uid))
		}
		if r.modseq > m.now {
			bad = append(bad, fmt.Sprintf("UID %d: modseq %d after %d", r.uid, r.modseq, m.now))
		}
	}
	if m.recs.octets != octets || m.recs.unsized != unsized {
		bad = append(bad, fmt.Sprintf("sums of %d octets and %d without, in truth %d and %d", m.recs.octets, m.recs.unsized, octets, unsized))
	}
	q := &m.store.quota
	q.mu.Lock()
	var used amount
	for _, b := range q.boxes {
		used.add(b.amount)
	}
	if b := q.boxes[m.key]; b == nil || b.amount != (amount{octets, int64(len(m.recs.list))}) || used != q.used || q.held != (amount{}) {
		bad = append(bad, fmt.Sprintf("the quota has %+v for it, %+v for all, which is %+v, and holds %+v", b, q.used, used, q.held))
	}
	q.mu.Unlock()
	if len(bad) > 0 {
		return fmt.Errorf("%s: %s", m.box.path(), strings.Join(bad, "; "))
	}
	return nil
}
