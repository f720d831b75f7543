package maildir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// The subscriptions file in the root holds storage names. Version 1, which old Dovecots wrote: one name per line, with the layout's separator
// inside. Version 2: a first line "V\t2", an empty line, then one mailbox per line with its parts joined by TAB and escaped. A
// file keeps its version. Changes are made under subscriptions.lock, which becomes the new file.

const subscriptionsV2 = "V\t2\n\n"

// maxSubscriptions bounds the file, which clients can make grow.
const maxSubscriptions = 1 << 20

// subscriptions is a parsed file. Lines that make no sense are kept but not shown.
type subscriptions struct {
	v1    bool
	lines []string // without LF
}

func parseSubscriptions(b []byte) (subscriptions, error) {
	text := string(b)
	var subs subscriptions
	if rest, ok := strings.CutPrefix(text, subscriptionsV2); ok {
		text = rest
	} else if strings.HasPrefix(text, "V\t") {
		return subs, errors.New("unknown version of the subscriptions file")
	} else {
		subs.v1 = text != ""
	}
	for line := range strings.SplitSeq(text, "\n") {
		if line != "" {
			subs.lines = append(subs.lines, line)
		}
	}
	return subs, nil
}

func (s subscriptions) bytes() []byte {
	var b []byte
	if !s.v1 {
		b = append(b, subscriptionsV2...)
	}
	for _, line := range s.lines {
		b = append(append(b, line...), '\n')
	}
	return b
}

var (
	tabEscaper   = strings.NewReplacer("\x01", "\x011", "\x00", "\x010", "\t", "\x01t", "\r", "\x01r", "\n", "\x01n")
	tabUnescaper = strings.NewReplacer("\x011", "\x01", "\x010", "\x00", "\x01t", "\t", "\x01r", "\r", "\x01n", "\n")
)

// name is a line as clients see it; false when it is no mailbox name. A name of another namespace that Dovecot keeps here has
// that namespace's separators and is shown with them.
func (s subscriptions) name(n naming, line string) (string, bool) {
	var parts []string
	if s.v1 {
		parts = strings.Split(strings.TrimRight(line, n.diskSep()), n.diskSep())
	} else {
		parts = strings.Split(strings.TrimRight(line, "\t"), "\t")
		for i := range parts {
			parts[i] = tabUnescaper.Replace(parts[i])
		}
	}
	for i := range parts {
		if parts[i] == "" {
			return "", false
		}
		parts[i] = decodePart(parts[i])
	}
	if strings.EqualFold(parts[0], inbox) {
		parts[0] = inbox
	}
	name := strings.Join(parts, n.sep)
	return name, !strings.ContainsAny(name, "\x00\r\n\uFFFD")
}

// line is the line for a storage name.
func (s subscriptions) line(n naming, storage string) string {
	parts := n.parts(storage)
	if s.v1 {
		return strings.Join(parts, n.diskSep())
	}
	for i := range parts {
		parts[i] = tabEscaper.Replace(parts[i])
	}
	return strings.Join(parts, "\t")
}

// set adds or removes a name. false: nothing to do.
func (s *subscriptions) set(n naming, name, storage string, on bool) bool {
	found := false
	kept := s.lines[:0:0]
	want := norm.NFC.String(name)
	for _, line := range s.lines {
		if have, ok := s.name(n, line); ok && norm.NFC.String(have) == want {
			found = true
			if !on {
				continue
			}
		}
		kept = append(kept, line)
	}
	if found == on {
		return false
	}
	if on {
		kept = append(kept, s.line(n, storage))
	}
	s.lines = kept
	return true
}

func readSubscriptions(root *dir) (subscriptions, error) {
	b, _, err := root.readFile(subscriptionLock.guarded, 2*maxSubscriptions)
	if errors.Is(err, fs.ErrNotExist) {
		return subscriptions{}, nil
	} else if err != nil {
		return subscriptions{}, err
	}
	subs, err := parseSubscriptions(b)
	if err != nil {
		return subs, fmt.Errorf("%s/%s: %w", root.path(), subscriptionLock.guarded, err)
	}
	return subs, nil
}

// Subscribed lists subscribed names, existing or not, in the order of subscription.
func (s *Store) Subscribed() ([]string, error) {
	subs, err := readSubscriptions(s.root)
	if err != nil {
		return nil, err
	}
	var names []string
	seen := map[string]bool{}
	for _, line := range subs.lines {
		if name, ok := subs.name(s.names, line); ok && !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names, nil
}

// SetSubscribed changes the subscription list. The mailbox need not exist. ErrInvalidName, ErrLimit, ErrLocked.
func (s *Store) SetSubscribed(name string, on bool) error {
	canonical, storage, err := s.subscriptionName(name)
	if err != nil {
		return err
	}
	s.tree.Lock()
	defer s.tree.Unlock()
	// Mostly there is nothing to do, and no lock to take.
	if subs, err := readSubscriptions(s.root); err != nil || !subs.set(s.names, canonical, storage, on) {
		return err
	}
	lock, err := acquire(context.Background(), s.root, &subscriptionLock)
	if err != nil {
		return err
	}
	abandon := func(err error) error { return errors.Join(err, lock.unlock()) }
	subs, err := readSubscriptions(s.root)
	if err != nil || !subs.set(s.names, canonical, storage, on) {
		return abandon(err)
	}
	text := subs.bytes()
	if on && len(text) > maxSubscriptions {
		return abandon(fmt.Errorf("%w: too many subscriptions", ErrLimit))
	}
	if err := s.root.fault("write", subscriptionLock.name); err != nil {
		return abandon(err)
	}
	if _, err := lock.f.Write(text); err != nil {
		return abandon(fileError("write", lock.f.Name(), err))
	}
	if err := lock.commit(); err != nil {
		return err
	}
	s.treeChanged()
	return nil
}

// subscriptionName is the name that a subscription is compared by, and the storage name that is written: that of the
// directory where there is one.
func (s *Store) subscriptionName(name string) (canonical, storage string, err error) {
	storage, err = s.locate(strings.TrimSuffix(name, s.names.sep))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return "", "", err
	}
	canonical, _ = s.names.name(storage)
	return canonical, storage, nil
}
