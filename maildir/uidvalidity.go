package maildir

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strconv"
	"strings"
	"time"
)

// UIDVALIDITY numbers come from a counter in the root that Dovecot uses as well, so that a name that is deleted and created again never has the
// same number twice. The counter is an empty file whose name ends in the number, dovecot-uidvalidity.<8 hex digits>, and whoever renames it to
// the next number owns that number. The file dovecot-uidvalidity says where to look for it and may lag behind.

const (
	uidvalidityName   = "dovecot-uidvalidity"
	uidvalidityMarker = uidvalidityName + "."
)

// uidvalidityTries is how far the counter may be ahead of what its file says before it is searched for.
const uidvalidityTries = 10

// newUIDValidity takes the next number of the counter in root. Safe against everybody who does the same.
func newUIDValidity(root *dir) (uint32, error) {
	value, err := readUIDValidity(root)
	if err != nil {
		return 0, err
	}
	if value != 0 {
		if value, err = claimUIDValidity(root, value); err != nil {
			return 0, err
		}
	}
	for try := 0; value == 0; try++ {
		if try == uidvalidityTries {
			return 0, fmt.Errorf("%s/%s: %w", root.path(), uidvalidityName, ErrLocked)
		}
		if value, err = searchUIDValidity(root); err != nil {
			return 0, err
		}
	}
	return value, writeUIDValidity(root, value)
}

// readUIDValidity returns what the file says, 0 when it is missing or makes no sense.
func readUIDValidity(root *dir) (uint32, error) {
	b, _, err := root.readFile(uidvalidityName, 1024)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return 0, nil
		}
		return 0, err
	}
	v, _ := parseHex32(strings.TrimSpace(string(b)))
	return v, nil
}

func parseHex32(s string) (uint32, bool) {
	v, err := strconv.ParseUint(s, 16, 32)
	return uint32(v), err == nil && len(s) == 8 && v != 0
}

func marker(v uint32) string { return fmt.Sprintf("%s%08x", uidvalidityMarker, v) }

// claimUIDValidity moves the marker on from value, or from one of the numbers after it. 0: it is not there.
func claimUIDValidity(root *dir, value uint32) (uint32, error) {
	for range uidvalidityTries {
		next := value + 1
		if next == 0 {
			next = 1
		}
		err := root.rename(marker(value), root, marker(next))
		if err == nil {
			return next, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return 0, err
		}
		value = next
	}
	return 0, nil
}

// searchUIDValidity looks for the marker and moves it on, or starts the counter at the current time. 0: somebody else moved it
// meanwhile.
func searchUIDValidity(root *dir) (uint32, error) {
	lowest, highest := uint32(math.MaxUint32), uint32(0)
	err := root.readNames(func(name string, _ uint8) bool {
		if hex, ok := strings.CutPrefix(name, uidvalidityMarker); ok {
			if v, ok := parseHex32(hex); ok {
				lowest, highest = min(lowest, v), max(highest, v)
			}
		}
		return true
	})
	if err != nil {
		return 0, err
	}
	if highest != 0 {
		if lowest != highest { // a crash or a restored backup left one behind
			root.unlink(marker(lowest))
		}
		return claimUIDValidity(root, highest)
	}
	now := uint32(time.Now().Unix())
	p, err := root.perm()
	if err != nil {
		return 0, err
	}
	p.file = 0o444
	f, err := root.createAs(marker(now), p)
	if errors.Is(err, fs.ErrExist) {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	return now, f.Close()
}

// writeUIDValidity says where the marker is. Written in place like Dovecot does: a torn value only costs a search.
func writeUIDValidity(root *dir, value uint32) error {
	f, err := root.openWrite(uidvalidityName)
	if errors.Is(err, fs.ErrNotExist) {
		var p perm
		if p, err = root.perm(); err != nil {
			return err
		}
		if f, err = root.createAs(uidvalidityName, p); errors.Is(err, fs.ErrExist) {
			f, err = root.openWrite(uidvalidityName)
		}
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if err := root.fault("write", uidvalidityName); err != nil {
		return err
	}
	_, err = f.WriteAt(fmt.Appendf(nil, "%08x", value), 0)
	return fileError("write", f.Name(), err)
}
