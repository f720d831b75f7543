package maildir

import (
	"strconv"
	"time"
)

// When a message came into its mailbox (RFC 8514) must not change while it is there, whatever happens to its flags, and so it cannot be the ctime of the
// file, which Dovecot asks once and then remembers. The name of a file says when it was made. A copy that keeps the name of the original has
// a field of its own in dovecot-uidlist, which keeps unknown ones: D and the seconds since the epoch.

// oldestName is the time before which a number in front of a file name is none: 1990.
const oldestName = 631152000

// saveDateKey is the field of the uidlist.
func saveDateKey(t time.Time) string { return "D" + strconv.FormatInt(t.Unix(), 10) }

// SaveDate is when the message came into this mailbox, in seconds since the epoch. Where nothing says that, it is rec.Time, which the caller has
// filled. Any number of goroutines may call it.
func (m *Mailbox) SaveDate(rec *Record) int64 {
	m.lockAll()
	defer m.mu.Unlock()
	r := m.recs.find(rec.UID)
	if r == nil {
		return rec.Time
	}
	now := time.Now().Unix()
	if d, err := strconv.ParseInt(listKey(string(m.recs.extraOf(r)), 'D'), 10, 64); err == nil && oldestName <= d && d <= now {
		return d
	}
	if sec, rest := leadingNumber(string(m.recs.baseOf(r))); rest != "" && oldestName <= sec && sec <= now {
		return sec
	}
	return rec.Time
}
