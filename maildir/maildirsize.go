package maildir

import (
	"bufio"
	"errors"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// maildirsize of the root is what quota-aware delivery agents go by, and Dovecot with quota=maildir: a line of limits, "104857600S,1000C", then a
// line "<octets> <messages>" for each change, the first of them the sum so far. Whoever changes something appends a line, without a lock;
// whoever finds the file long or wrong writes it anew. It is never made here: its existence says that the others want it. Limits that the
// configuration does not give are taken from it, and its first line stays as it is, because two servers that do not agree on it would write it
// anew for ever.
const (
	sizesName = "maildirsize"
	sizesTemp = "maildirsize.tmp"

	sizesLong  = 5120             // octets from which on it is written anew
	sizesStale = 15 * time.Minute // how long a wrong sum may be that of somebody who is about to append
	sizesMost  = 1 << 20          // octets that are read
)

// maildirsize is that file.
type maildirsize struct {
	limits string // the first line
	limit  Quota
	sum    amount
	octets int64 // of the file
	mtime  int64
	broken bool
}

// parseSizes reads a maildirsize. What is not understood makes it broken.
func parseSizes(text string) *maildirsize {
	z := &maildirsize{octets: int64(len(text))}
	var rest string
	z.limits, rest, _ = strings.Cut(text, "\n")
	for word := range strings.SplitSeq(strings.TrimSpace(z.limits), ",") {
		n, err := strconv.ParseInt(word[:max(0, len(word)-1)], 10, 64)
		switch {
		case err != nil || n < 0:
		case strings.HasSuffix(word, "S"):
			z.limit.Storage = n
		case strings.HasSuffix(word, "C"):
			z.limit.Messages = n
		}
	}
	for line := range strings.Lines(rest) {
		octets, messages, _ := strings.Cut(strings.TrimSpace(line), " ")
		a, err1 := strconv.ParseInt(octets, 10, 64)
		b, err2 := strconv.ParseInt(strings.TrimSpace(messages), 10, 64)
		if err1 != nil || err2 != nil {
			z.broken = true
			continue
		}
		z.sum.add(amount{a, b})
	}
	z.broken = z.broken || z.sum.octets < 0 || z.sum.messages < 0
	return z
}

// readSizes reads the file; nil when there is none that can be read.
func (s *Store) readSizes() *maildirsize {
	b, fi, err := s.root.readFile(sizesName, sizesMost)
	if absent(err) || errors.Is(err, errNotRegular) {
		return nil
	} else if err != nil && !errors.Is(err, unix.EFBIG) {
		s.log.Warn("cannot read maildirsize", "cause", err)
		return nil
	}
	z := parseSizes(string(b))
	z.mtime = fi.mtime
	return z
}

// logSizes appends a change that this process made, if the file is there.
func (s *Store) logSizes(change amount) {
	if change == (amount{}) {
		return
	}
	f, err := s.root.openAppend(sizesName)
	if absent(err) || errors.Is(err, errNotRegular) {
		return
	}
	if err == nil {
		_, err = f.WriteString(strconv.FormatInt(change.octets, 10) + " " + strconv.FormatInt(change.messages, 10) + "\n")
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}
	if err != nil {
		s.log.Warn("cannot write a change into maildirsize", "cause", err)
	}
}

// logFreed is logSizes for messages that this process removed. When it is not known what they took, the file is written anew in time.
func (s *Store) logFreed(freed amount, known bool) {
	if known {
		s.logSizes(amount{}.minus(freed))
		return
	}
	s.quota.mu.Lock()
	defer s.quota.mu.Unlock()
	s.quota.uncount = true
}

// mendSizes writes the file anew where that is due. Called with looking held, when the sums are true.
func (s *Store) mendSizes(z *maildirsize) {
	if z == nil {
		return
	}
	q := &s.quota
	q.mu.Lock()
	used, uncounted := q.used, q.uncount
	q.uncount = false
	q.mu.Unlock()
	stale := z.sum != used && time.Since(time.Unix(0, z.mtime)) > sizesStale
	if !z.broken && z.octets < sizesLong && !stale && !uncounted {
		return
	}
	p, err := s.root.perm()
	if err == nil {
		_, err = replaceFile(s.root, p, sizesName, sizesTemp, time.Time{}, func(w *bufio.Writer) error {
			_, err := w.WriteString(z.limits + "\n" + strconv.FormatInt(used.octets, 10) + " " + strconv.FormatInt(used.messages, 10) + "\n")
			return err
		})
	}
	if err != nil {
		s.log.Warn("cannot write maildirsize anew", "cause", err)
	}
}

// Own limits, set by ChangeQuota, are in roost-quota of the root: lines "<resource> <limit>". They count only while the configuration allows that.
const (
	quotaName = "roost-quota"
	quotaTemp = "roost-quota.tmp"
)

// readLimits returns the limits in force, and maildirsize if there is one.
func (s *Store) readLimits() (Quota, *maildirsize, error) {
	s.quota.mu.Lock()
	limit, own := s.quota.given, s.quota.own
	s.quota.mu.Unlock()
	z := s.readSizes()
	if z != nil && limit.Storage == 0 {
		limit.Storage = z.limit.Storage
	}
	if z != nil && limit.Messages == 0 {
		limit.Messages = z.limit.Messages
	}
	if !own {
		return limit, z, nil
	}
	b, _, err := s.root.readFile(quotaName, sizesMost)
	if errors.Is(err, fs.ErrNotExist) {
		return limit, z, nil
	} else if err != nil {
		return limit, nil, err
	}
	limit = Quota{}
	for line := range strings.Lines(string(b)) {
		word, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 0 {
			continue
		}
		switch word {
		case "storage":
			limit.Storage = n
		case "messages":
			limit.Messages = n
		case "mailboxes":
			limit.Mailboxes = n
		}
	}
	return limit, z, nil
}

// ChangeQuota replaces the limits by others; 0 is none. ErrPermission unless LimitQuota allowed it.
func (s *Store) ChangeQuota(limit Quota) error {
	s.tree.Lock()
	defer s.tree.Unlock()
	if !s.OwnQuota() {
		return ErrPermission
	}
	p, err := s.root.perm()
	if err != nil {
		return err
	}
	_, err = replaceFile(s.root, p, quotaName, quotaTemp, time.Time{}, func(w *bufio.Writer) error {
		for _, r := range []struct {
			word string
			n    int64
		}{{"storage", limit.Storage}, {"messages", limit.Messages}, {"mailboxes", limit.Mailboxes}} {
			if r.n == 0 {
				continue
			}
			if _, err := w.WriteString(r.word + " " + strconv.FormatInt(r.n, 10) + "\n"); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}
