package maildir

import "time"

// Stamp are the times of a mailbox's directories.
type Stamp struct{ new, cur int64 }

// Stamp tells, without opening the mailbox, whether anything was delivered, renamed or removed: two equal stamps mean no. settled is false as long as
// a change in the same tick of the file system's clock would leave no trace. Errors as of Open.
func (s *Store) Stamp(name string) (stamp Stamp, settled bool, err error) {
	_, box, err := s.openBox(name)
	if err != nil {
		return stamp, false, err
	}
	defer box.close()
	for _, t := range []struct {
		dir  string
		into *int64
	}{{"new", &stamp.new}, {"cur", &stamp.cur}} {
		fi, err := box.stat(t.dir)
		if err != nil {
			return stamp, false, err
		}
		*t.into = fi.mtime
	}
	age := time.Duration(time.Now().UnixNano() - max(stamp.new, stamp.cur))
	return stamp, age > tick || age < 0, nil
}
