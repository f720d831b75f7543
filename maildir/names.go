package maildir

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"roost/internal/utf7"
)

// Mailbox names have two forms. Clients use UTF-8 with the configured separator, "Work/Büro". The storage name is the path below
// the root: ".Work.B&APw-ro" in Maildir++, "Work/B&APw-ro" in the fs layout, each part in modified UTF-7; "INBOX" is the root
// itself. Storage names identify mailboxes in this package.
//
// Identity. New mailboxes get names in NFC (RFC 9051 §5.1, and Dovecot 2.4.4 does so). What is on disk keeps its octets: a name
// is looked up as it was given, then in NFC, then as raw octets, so that directories that other programs named in NFD, in plain
// UTF-8 or in broken modified UTF-7 can be listed and opened. Nothing on disk is ever renamed without being asked.

const (
	inbox    = "INBOX"
	trashBox = "..DOVECOT-TRASHED" // mailboxes that are being deleted
)

// maxStorage bounds a storage name in the fs layout, where 255 octets are only the limit of a part. It leaves room in PATH_MAX.
const maxStorage = 1024

// naming converts names.
type naming struct {
	layout Layout
	sep    string
}

func invalid(name, why string) error { return fmt.Errorf("%w %q: %s", ErrInvalidName, name, why) }

// split checks a client's name and cuts it into its parts; an INBOX in any case in front becomes INBOX.
func (n naming) split(name string) ([]string, error) {
	switch {
	case name == "":
		return nil, invalid(name, "empty")
	case len(name) > 4*maxStorage:
		return nil, invalid(name[:64]+"…", "too long")
	case !utf8.ValidString(name):
		return nil, invalid(name, "not UTF-8")
	case name[0] == '~' || name[0] == '/':
		return nil, invalid(name, "begins with "+name[:1])
	case strings.ContainsFunc(name, unicode.IsControl):
		return nil, invalid(name, "control character")
	}
	parts := strings.Split(name, n.sep)
	if len(parts) > maxDepth && n.layout == FS {
		return nil, invalid(name, "too many levels")
	}
	for _, part := range parts {
		switch {
		case part == "":
			return nil, invalid(name, "empty part between separators")
		case part == "." || part == "..":
			return nil, invalid(name, `"`+part+`" as a part`)
		case strings.Contains(part, "/"):
			return nil, invalid(name, "/ cannot be used in names")
		case n.layout == MaildirPP && strings.Contains(part, "."):
			return nil, invalid(name, ". cannot be used in names")
		case n.layout == FS && (part == "cur" || part == "new" || part == "tmp"):
			return nil, invalid(name, `"`+part+`" is a reserved name`)
		}
	}
	if strings.EqualFold(parts[0], inbox) {
		parts[0] = inbox
	}
	return parts, nil
}

// join makes a storage name of encoded parts and checks that it fits on disk.
func (n naming) join(name string, parts []string) (string, error) {
	if len(parts) == 1 && parts[0] == inbox {
		return inbox, nil
	}
	if n.layout == MaildirPP {
		storage := "." + strings.Join(parts, ".")
		if len(storage) > maxName {
			return "", invalid(name, "too long")
		}
		return storage, nil
	}
	storage := strings.Join(parts, "/")
	if len(storage) > maxStorage || slices.ContainsFunc(parts, func(p string) bool { return len(p) > maxName }) {
		return "", invalid(name, "too long")
	}
	return storage, nil
}

// Composed is a name, or a pattern of names, in the form that new mailboxes get.
func Composed(name string) string { return norm.NFC.String(name) }

// storage is the storage name under which a mailbox with this name is created: in NFC.
func (n naming) storage(name string) (string, error) {
	return n.encode(Composed(name), utf7.Encode)
}

func (n naming) encode(name string, enc func(string) string) (string, error) {
	parts, err := n.split(name)
	if err != nil {
		return "", err
	}
	for i := range parts {
		parts[i] = enc(parts[i])
	}
	return n.join(name, parts)
}

// candidates are the storage names that name may have on disk, the most likely first.
func (n naming) candidates(name string) ([]string, error) {
	exact, err := n.encode(name, utf7.Encode)
	var list []string
	if err == nil {
		list = append(list, exact)
	}
	// The other forms may be shorter, so they are tried even if the first one is too long.
	if nfc, err := n.storage(name); err == nil && !slices.Contains(list, nfc) {
		list = append(list, nfc)
	}
	// Raw octets only where they are what is shown: "&AOk-" on disk is é, and must not answer to its spelling as well.
	if raw, err := n.encode(name, func(s string) string { return s }); err == nil && !slices.Contains(list, raw) &&
		!slices.ContainsFunc(n.parts(raw), func(p string) bool { return decodePart(p) != p }) {
		list = append(list, raw)
	}
	if len(list) == 0 {
		return nil, err
	}
	return list, nil
}

// creatable refuses names that could be used but should not come into being: with line or paragraph separators (RFC 9051 §5.1), or those that would
// collide with files of ours or Dovecot's, beside which mailboxes lie in the fs layout.
func (n naming) creatable(storage string) error {
	for _, part := range n.parts(storage) {
		if shown := decodePart(part); strings.ContainsAny(shown, "\u2028\u2029") {
			return invalid(shown, "line or paragraph separator")
		}
	}
	if n.layout != FS {
		return nil
	}
	for part := range strings.SplitSeq(storage, "/") {
		if reserved(part) {
			return invalid(storage, `"`+part+`" is a reserved name`)
		}
	}
	return nil
}

// reserved tells whether a name in a mailbox's directory belongs to a control file.
func reserved(part string) bool {
	switch part {
	case "subscriptions", "maildirfolder", "maildirsize":
		return true
	}
	for _, prefix := range []string{"dovecot-", "dovecot.", "roost-", "subscriptions.", "courierimap", trashBox} {
		if strings.HasPrefix(part, prefix) {
			return true
		}
	}
	return false
}

// diskSep is the separator in storage names.
func (n naming) diskSep() string {
	if n.layout == MaildirPP {
		return "."
	}
	return "/"
}

// parts cuts a storage name into its parts as they are on disk.
func (n naming) parts(storage string) []string {
	if n.layout == MaildirPP && storage != inbox {
		return strings.Split(strings.TrimPrefix(storage, "."), ".")
	}
	return strings.Split(storage, "/")
}

// name is a storage name as clients see it. usable: the name leads back to a mailbox with this storage name (unless another one
// takes precedence); what is not usable can only be shown, and an empty name not even that.
func (n naming) name(storage string) (name string, usable bool) {
	parts := n.parts(storage)
	for i, part := range parts {
		parts[i] = decodePart(part)
		if strings.Contains(parts[i], n.sep) {
			return "", false
		}
	}
	if strings.EqualFold(parts[0], inbox) {
		parts[0] = inbox // clients cannot tell them apart
	}
	name = strings.Join(parts, n.sep)
	if strings.ContainsFunc(name, unicode.IsControl) {
		return "", false
	}
	list, err := n.candidates(name)
	return name, err == nil && slices.Contains(list, storage)
}

// decodePart shows what is no modified UTF-7 as it is.
func decodePart(part string) string {
	if s, err := utf7.Decode(part); err == nil {
		return s
	}
	return strings.ToValidUTF8(part, "\uFFFD")
}

// wellFormed tells whether a directory name in a Maildir++ root has a name that could be shown at all: ".a..b" would have empty
// parts.
func wellFormed(storage string) bool {
	return len(storage) > 1 && storage[0] == '.' && !strings.Contains(storage, "..") && storage[len(storage)-1] != '.'
}
