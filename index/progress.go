package index

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Progress is what an index says of itself, for people. It lies in a file beside the index.
type Progress struct {
	Updated   time.Time `json:"updated"`
	Documents int       `json:"documents"` // different messages
	Octets    int64     `json:"octets"`    // on disk
	Mailboxes int       `json:"mailboxes"`
	Waiting   int       `json:"waiting"`  // mailboxes that have to be looked at
	Messages  int       `json:"messages"` // of the mailbox that is being looked at
	Indexed   int       `json:"indexed"`  // of them
	Unread    int       `json:"unread"`   // attachments that could not be read, since the index was begun
}

const (
	progressFile = "progress"
	// rebuildFile asks the process that has the index to build it anew.
	rebuildFile = "rebuild"
	// tellEvery is how often progress is written.
	tellEvery = time.Second
)

// ReadProgress returns what the index in dir says of itself; fs.ErrNotExist when there is none.
func ReadProgress(dir string) (p Progress, err error) {
	path := filepath.Join(dir, progressFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return p, err
	}
	if err = json.Unmarshal(text, &p); err != nil {
		err = fmt.Errorf("%s is damaged (%w); the server writes it anew when mail comes, or when it starts", path, err)
	}
	return p, err
}

// AskRebuild asks the process that has the index in dir open to build it anew.
func AskRebuild(dir string) error { return os.WriteFile(filepath.Join(dir, rebuildFile), nil, 0o600) }

// UnaskRebuild takes back what AskRebuild asked for, if it has not begun.
func UnaskRebuild(dir string) error { return os.Remove(filepath.Join(dir, rebuildFile)) }

// RebuildAsked tells whether what AskRebuild asked for has not begun.
func RebuildAsked(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, rebuildFile))
	return err == nil
}

// tell writes progress, if it is time or at the end of a pass. Nobody depends on it.
func (f *Follower) tell(end bool) {
	now := time.Now()
	if !end && now.Sub(f.told) < tellEvery {
		return
	}
	f.told, f.state.Updated = now, now
	f.state.Documents, f.state.Octets = 0, 0
	for _, s := range f.x.segments() {
		f.state.Documents += s.Docs()
		f.state.Octets += s.Size()
		s.Release()
	}
	if end || f.x.knowsAll() { // what was expunged is in its segment until that is written anew
		f.state.Documents = f.x.documents()
	}
	if f.a.b != nil {
		f.state.Documents += f.a.b.Docs()
	}
	if f.Told != nil {
		f.Told(f.state)
	}
	text, err := json.Marshal(f.state)
	path := filepath.Join(f.x.dir, progressFile)
	if err == nil {
		err = os.WriteFile(path+".tmp", text, 0o600)
	}
	if err == nil {
		err = os.Rename(path+".tmp", path)
	}
	if err != nil {
		f.x.log.Debug("cannot write the progress of a search index", "file", path, "cause", err)
	}
}

// knowsAll tells whether all mailboxes have been looked at.
func (x *Index) knowsAll() bool {
	select {
	case <-x.ready:
		return true
	default:
		return false
	}
}

// documents counts those that are a message of a mailbox.
func (x *Index) documents() (n int) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var seen []uint64 // bit i of word j: document 64j+i
	for _, b := range x.boxes {
		for _, e := range b.entries {
			word, bit := int(e.doc/64), uint64(1)<<(e.doc%64)
			if word >= len(seen) {
				seen = append(seen, make([]uint64, word+1-len(seen))...)
			}
			if seen[word]&bit == 0 {
				seen[word] |= bit
				n++
			}
		}
	}
	return n
}
