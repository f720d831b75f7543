package maildir

import (
	"errors"
	"io/fs"
	"strings"
	"sync"
)

// dovecot-attributes in the root, where Dovecot's documentation has mail_attribute_dict put it, holds the annotations of all mailboxes: lines
// of a key and of its value in turn, escaped as in the subscriptions file. Keys are "priv/<mailbox GUID>/<entry>" and "shared/<mailbox
// GUID>/<entry>"; those of the server are INBOX's, below serverAttributes. We only read it.
const (
	attributesName    = "dovecot-attributes"
	maxAttributes     = 64 << 20
	privateAttributes = "vendor/vendor.dovecot/pvt/" // of Dovecot itself, which no client sees
	serverAttributes  = privateAttributes + "server/"
)

// attributes is the file as it was read last.
type attributes struct {
	mu     sync.Mutex // protects what follows; a leaf
	file   fileInfo
	values map[string]string // by key
}

// dovecotMetadata returns the annotations that Dovecot has for a mailbox or the server, never nil. What cannot be read is not there.
func (s *Store) dovecotMetadata(box *dir, server bool) map[string]string {
	found := map[string]string{}
	all := s.readAttributes()
	if len(all) == 0 {
		return found
	}
	guid := readUIDListHeader(box).GUID
	if guid == "" {
		return found
	}
	for key, value := range all {
		scope, rest, ok := strings.Cut(key, "/"+guid+"/")
		switch scope {
		case "priv":
			scope = "/private/"
		case "shared":
			scope = "/shared/"
		default:
			ok = false
		}
		if !ok {
			continue
		}
		if server {
			rest, ok = strings.CutPrefix(rest, serverAttributes)
		} else {
			ok = !strings.HasPrefix(rest, privateAttributes)
		}
		if ok {
			found[strings.ToLower(scope+rest)] = value
		}
	}
	return found
}

// readAttributes returns the file's content; nil when there is none. The map is shared and never changes.
func (s *Store) readAttributes() map[string]string {
	a := &s.attributes
	a.mu.Lock()
	defer a.mu.Unlock()
	fi, err := s.root.stat(attributesName)
	if errors.Is(err, fs.ErrNotExist) {
		a.file, a.values = fileInfo{}, nil
		return nil
	}
	if err == nil && fi == a.file {
		return a.values
	}
	var b []byte
	if err == nil {
		b, fi, err = s.root.readFile(attributesName, maxAttributes)
	}
	if err != nil {
		if fi != a.file || a.file == (fileInfo{}) { // once for each version
			s.log.Warn("annotations of Dovecot are left out", "file", s.root.path()+"/"+attributesName, "cause", err)
		}
		a.file, a.values = fi, nil
		return nil
	}
	a.file, a.values = fi, map[string]string{}
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		a.values[tabUnescaper.Replace(lines[i])] = tabUnescaper.Replace(lines[i+1])
	}
	return a.values
}
