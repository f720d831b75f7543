package maildir

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
)

// firstMore is the first slot that has no letter.
const firstMore = maxLetters

// defaultMaxKeywords bounds the keywords of one mailbox: all of them are announced to every client that selects it.
const defaultMaxKeywords = 1000

// maxKeywordLen bounds the name of one keyword, octets.
const maxKeywordLen = 255

// keywordTable knows the keywords of one mailbox: names of slots, and which messages have keywords beyond the letters.
// It is protected like Mailbox.keywords.
type keywordTable struct {
	names    []string            // slot → name; replaced, never written in place, because callers hold it
	slots    map[string]uint16   // lower-case name → slot
	stored   map[string][]uint16 // base → slots ≥ firstMore, as roost-keywords had it when it was read
	file     fileInfo            // version of dovecot-keywords
	moreFile fileInfo            // version of roost-keywords
	unsaved  bool                // roost-keywords is behind
}

func (t *keywordTable) all() []string { return t.names }

// set replaces the letters' names and keeps the others.
func (t *keywordTable) set(letters []string) {
	names := slices.Clone(letters)
	if len(t.names) > firstMore {
		names = append(names, make([]string, firstMore-len(names))...)
		names = append(names, t.names[firstMore:]...)
	}
	t.names = names
	t.index()
}

func (t *keywordTable) index() {
	t.slots = make(map[string]uint16, len(t.names))
	for i := len(t.names) - 1; i >= 0; i-- {
		if t.names[i] != "" {
			t.slots[asciiLower(t.names[i])] = uint16(i)
		}
	}
}

// addMore returns the slot of a keyword that gets no letter.
func (t *keywordTable) addMore(name string) uint16 {
	if slot, ok := t.slots[asciiLower(name)]; ok {
		return slot
	}
	names := slices.Clone(t.names)
	for len(names) < firstMore {
		names = append(names, "")
	}
	t.names = append(names, name)
	slot := uint16(len(t.names) - 1)
	t.slots[asciiLower(name)] = slot
	return slot
}

// restore gives a new record the keywords that roost-keywords has for its base name.
func (t *keywordTable) restore(rs *records, r *record) {
	if len(t.stored) == 0 {
		return
	}
	if slots := t.stored[string(rs.baseOf(r))]; len(slots) > 0 {
		rs.more[r.uid] = slots
		r.state |= hasMore
	}
}

// namesOf lists the names of a set. Letters without a name, which another program left, are not among them.
func (t *keywordTable) namesOf(k Keywords) (names []string) {
	for slot := range k.slots() {
		if int(slot) < len(t.names) && t.names[slot] != "" {
			names = append(names, t.names[slot])
		}
	}
	return names
}

// readKeywords reads the keyword files if they changed.
func (u *update) readKeywords() error {
	m := u.m
	same, err := m.sameFile(keywordsName, m.keywords.file)
	if err != nil {
		return err
	}
	if !same {
		letters, fi, err := readKeywords(m.box)
		if err != nil {
			return err
		}
		m.mu.Lock()
		m.keywords.set(letters)
		m.keywords.file = fi
		m.mu.Unlock()
	}
	same, err = m.sameFile(moreKeywordsName, m.keywords.moreFile)
	if err != nil || same {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	stored := map[string][]uint16{}
	fi, err := readMoreKeywords(m.box, func(base string, names []string) {
		var slots []uint16
		for _, name := range names {
			if len(m.keywords.names) < m.maxKeywords() {
				if slot := m.keywords.addMore(name); slot >= firstMore {
					slots = append(slots, slot)
				}
			}
		}
		slices.Sort(slots)
		stored[base] = slices.Compact(slots)
	})
	if err != nil {
		return err
	}
	m.keywords.stored, m.keywords.moreFile = stored, fi
	for i := range m.recs.list {
		r := &m.recs.list[i]
		if slots := stored[string(m.recs.baseOf(r))]; !slices.Equal(slots, m.recs.more[r.uid]) {
			m.recs.setMore(r, slots)
			m.touch(r)
		}
	}
	return nil
}

// sameFile tells whether a file is still the version that was read.
func (m *Mailbox) sameFile(name string, read fileInfo) (bool, error) {
	fi, err := m.box.stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return read == fileInfo{}, nil
	}
	return err == nil && fi.ino == read.ino && fi.size == read.size && fi.mtime == read.mtime, err
}

func (m *Mailbox) maxKeywords() int {
	if n := m.store.opt.MaxKeywords; n > 0 {
		return n
	}
	return defaultMaxKeywords
}

// keywordSet turns names into slots. With create, names that have none get one: the next letter, or a slot of roost-keywords when the
// letters are used up. The mapping is on disk before any file name uses it. Without create unknown names are left out. ErrLimit when there are
// too many.
func (u *update) keywordSet(names []string, create bool) (set Keywords, err error) {
	m := u.m
	letters := m.keywords.names
	letters = slices.Clone(letters[:min(len(letters), firstMore)])
	for len(letters) > 0 && letters[len(letters)-1] == "" {
		letters = letters[:len(letters)-1] // room that only slots beyond the letters made
	}
	var unknown []string
	seen := map[string]bool{}
	for _, name := range names {
		lower := asciiLower(name)
		if _, known := m.keywords.slots[lower]; known || !create || seen[lower] {
			continue
		}
		unknown, seen[lower] = append(unknown, name), true
		if len(m.keywords.slots)+len(unknown) > m.maxKeywords() || len(name) > maxKeywordLen {
			return Keywords{}, ErrLimit // before any of them is known
		}
	}
	before, used := len(letters), uint32(0)
	if len(unknown) > 0 {
		used = m.lettersInUse()
	}
	for _, name := range unknown {
		for len(letters) < firstMore && used&(1<<len(letters)) != 0 {
			letters = append(letters, m.keywords.unknownName(len(letters))) // or messages would get a keyword that nobody set
		}
		if len(letters) < firstMore {
			letters = append(letters, name)
			m.mu.Lock()
			m.keywords.slots[asciiLower(name)] = uint16(len(letters) - 1)
			m.mu.Unlock()
		} else {
			m.mu.Lock()
			m.keywords.addMore(name)
			m.mu.Unlock()
		}
	}
	if len(letters) > before {
		err := u.writeLetters(letters)
		m.mu.Lock()
		if err == nil {
			m.keywords.set(letters)
			m.touchLetters(used &^ (1<<before - 1)) // those that have a name now
		} else {
			m.keywords.index()
		}
		m.mu.Unlock()
		if err != nil {
			return Keywords{}, err
		}
	}
	var slots []uint16
	for _, name := range names {
		if slot, ok := m.keywords.slots[asciiLower(name)]; ok {
			slots = append(slots, slot)
		}
	}
	return keywordsOf(slots), nil
}

// lettersInUse are those that file names have. Some may have no name: of a message from a backup, or because dovecot-keywords was lost.
func (m *Mailbox) lettersInUse() (used uint32) {
	for i := range m.recs.list {
		used |= m.recs.list[i].letters
	}
	return used
}

// unknownName is a name for a letter that nobody knows the name of, as Dovecot makes it.
func (t *keywordTable) unknownName(letter int) string {
	name := fmt.Sprint("unknown-", letter)
	for {
		if _, taken := t.slots[name]; !taken {
			return name
		}
		name += "?"
	}
}

// touchLetters counts messages that have one of the letters as changed. Called with mu held.
func (m *Mailbox) touchLetters(letters uint32) {
	for i := range m.recs.list {
		if r := &m.recs.list[i]; r.letters&letters != 0 {
			m.touch(r)
		}
	}
}

func (u *update) writeLetters(letters []string) error {
	m := u.m
	p, err := m.box.perm()
	if err != nil {
		return err
	}
	fi, err := writeKeywords(m.box, p, letters)
	if err == nil {
		m.mu.Lock()
		m.keywords.file = fi
		m.mu.Unlock()
	}
	return err
}

// setMore changes the keywords of a record beyond the letters. Called with mu held; flushMore writes them.
func (m *Mailbox) setMore(r *record, slots []uint16) {
	if !slices.Equal(slots, m.recs.more[r.uid]) {
		m.recs.setMore(r, slots)
		m.keywords.unsaved = true
	}
}

func (rs *records) setMore(r *record, slots []uint16) {
	if len(slots) == 0 {
		delete(rs.more, r.uid)
		r.state &^= hasMore
	} else {
		rs.more[r.uid] = slots
		r.state |= hasMore
	}
}

// flushMore writes roost-keywords if it is behind.
func (u *update) flushMore() error {
	if !u.m.keywords.unsaved {
		return nil
	}
	return u.writeMore(nil)
}

// writeMore writes roost-keywords from memory and for messages that are about to be committed, if there is anything to write.
func (u *update) writeMore(placed []*commit) error {
	m := u.m
	stored := make(map[string][]uint16, len(m.recs.more))
	for uid, slots := range m.recs.more {
		stored[string(m.recs.baseOf(m.recs.find(uid)))] = slots
	}
	need := m.keywords.unsaved
	for _, c := range placed {
		for _, it := range c.items {
			if len(it.kw.More) > 0 {
				stored[it.fn.base] = it.kw.More
				need = true
			}
		}
	}
	if !need {
		return nil
	}
	p, err := m.box.perm()
	if err != nil {
		return err
	}
	fi, err := writeMoreKeywords(m.box, p, func(emit func(base string, names []string)) {
		for _, base := range slices.Sorted(maps.Keys(stored)) {
			emit(base, m.keywords.namesOf(Keywords{More: stored[base]}))
		}
	})
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keywords.stored, m.keywords.moreFile, m.keywords.unsaved = stored, fi, false
	return nil
}
