package imap

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// removedFile is a message that was removed and may be put back.
type removedFile struct{ path, body string }

// meddle does to the files what other programs do: without a lock, as delivery agents and mail programs, or with Dovecot's.
func (w *world) meddle(rnd *rand.Rand) {
	w.files.Lock()
	defer w.files.Unlock()
	w.edit(rnd)
}

// edit is meddle for the holder of files.
func (w *world) edit(rnd *rand.Rand) {
	w.edits.Add(1)
	defer w.edits.Add(1)
	box := pick(rnd, []string{"", "", "", ".A", ".A", ".B", ".C"})
	dir := filepath.Join(w.ts.root, box)
	entries, err := os.ReadDir(filepath.Join(dir, "cur"))
	if err != nil {
		return // no such mailbox
	}
	name := ""
	if len(entries) > 0 {
		name = pick(rnd, entries).Name()
	}
	base, info, _ := strings.Cut(name, ":2,")
	switch roll := rnd.IntN(20); {
	case roll < 4:
		w.deliver(box, "new", "")
	case roll < 5:
		w.deliver(box, "cur", ":2,"+pick(rnd, []string{"", "F", "S"}))
	case roll < 6:
		if n := len(w.removed); n > 0 {
			f := w.removed[rnd.IntN(n)]
			w.note("files: back %s", f.path)
			os.WriteFile(f.path, []byte(f.body), 0o600) // or its mailbox is gone
		}
	case roll < 8:
		fresh, _ := os.ReadDir(filepath.Join(dir, "new"))
		if len(fresh) > 0 {
			f := pick(rnd, fresh).Name()
			w.rename(filepath.Join(dir, "new", f), filepath.Join(dir, "cur", strings.TrimSuffix(f, ":2,")+":2,"+pick(rnd, []string{"", "S"})))
		}
	case roll < 9:
		w.locked(dir, func() { w.lockedChange(dir, rnd) })
	case name == "":
	case roll < 11:
		w.remove(filepath.Join(dir, "cur", name))
	default:
		w.rename(filepath.Join(dir, "cur", name), filepath.Join(dir, "cur", base+":2,"+otherFlags(rnd, info)))
	}
}

// otherFlags are system flags instead of those there are; letters of keywords stay, or one goes.
func otherFlags(rnd *rand.Rand, info string) string {
	flags := pick(rnd, []string{"", "F", "FS", "RS", "S", "DFRST", "T"})
	letters := strings.TrimLeft(info, "DFRSTP")
	if len(letters) > 0 && rnd.IntN(3) == 0 {
		letters = letters[1:]
	}
	return flags + letters
}

func (w *world) rename(from, to string) {
	w.note("files: rename %s %s", w.short(from), w.short(to))
	if err := os.Rename(from, to); err != nil {
		w.note("files: %v", err) // somebody was faster
	}
}

func (w *world) remove(path string) {
	body, err := os.ReadFile(path)
	if err != nil {
		return
	}
	w.note("files: remove %s", w.short(path))
	if os.Remove(path) == nil {
		w.removed = append(w.removed, removedFile{path, string(body)})
	}
}

func (w *world) short(path string) string { return strings.TrimPrefix(path, w.ts.root+"/") }

// deliver puts a new message into a directory.
func (w *world) deliver(box, sub, info string) string {
	name := fmt.Sprintf("%d.M%dP1.test", 1700000000+delivered.Add(1), delivered.Load())
	dir := filepath.Join(w.ts.root, box)
	tmp := filepath.Join(dir, "tmp", name)
	os.WriteFile(tmp, fmt.Appendf(nil, "Subject: m%d\n\nbody\n", w.serial.Add(1)), 0o600)
	w.rename(tmp, filepath.Join(dir, sub, name+info))
	return name
}

// locked runs fn with Dovecot's lock, as a process that lives.
func (w *world) locked(dir string, fn func()) {
	lock := filepath.Join(dir, "dovecot-uidlist.lock")
	host, _ := os.Hostname()
	for range 500 {
		f, err := os.OpenFile(lock, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err == nil {
			fmt.Fprintf(f, "%d:%s", os.Getppid(), host)
			f.Close()
			fn()
			os.Remove(lock)
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
	w.note("files: %s stays locked", w.short(lock))
}

// lockedChange does what Dovecot does.
func (w *world) lockedChange(dir string, rnd *rand.Rand) {
	list := filepath.Join(dir, "dovecot-uidlist")
	content, err := os.ReadFile(list)
	if err != nil || len(content) == 0 {
		return
	}
	lines := strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
	next := uint32(1)
	header := strings.Fields(lines[0])
	fmt.Sscanf(header[2], "N%d", &next)
	for _, l := range lines[1:] {
		var uid uint32
		fmt.Sscanf(l, "%d", &uid)
		next = max(next, uid+1)
	}
	entries, _ := os.ReadDir(filepath.Join(dir, "cur"))
	switch rnd.IntN(4) {
	case 0: // a message is saved and numbered
		base := w.deliver(strings.TrimPrefix(dir, w.ts.root), "cur", ":2,S")
		w.note("files: Dovecot numbers %s %d", base, next)
		f, err := os.OpenFile(list, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return
		}
		fmt.Fprintf(f, "%d :%s\n", next, base)
		f.Close()
	case 1: // the list is written anew, without lines that have no file
		header[2] = fmt.Sprintf("N%d", next)
		kept := []string{strings.Join(header, " ")}
		fresh, _ := os.ReadDir(filepath.Join(dir, "new"))
		there := map[string]bool{}
		for _, e := range append(entries, fresh...) {
			base, _, _ := strings.Cut(e.Name(), ":2,")
			there[base] = true
		}
		for _, l := range lines[1:] {
			if _, base, _ := strings.Cut(l, ":"); there[base] {
				kept = append(kept, l)
			}
		}
		w.note("files: Dovecot writes %s anew, %d lines of %d", w.short(list), len(kept), len(lines))
		tmp := filepath.Join(dir, "dovecot-uidlist.tmp")
		os.WriteFile(tmp, []byte(strings.Join(kept, "\n")+"\n"), 0o600)
		os.Rename(tmp, list)
	case 2: // a keyword
		if len(entries) == 0 {
			return
		}
		file := filepath.Join(dir, "dovecot-keywords")
		old, _ := os.ReadFile(file)
		words := strings.Fields(string(old))
		slot, word := len(words)/2, fmt.Sprintf("d%02d", rnd.IntN(5))
		for i := 1; i < len(words); i += 2 {
			if words[i] == word {
				slot = i / 2
			}
		}
		if slot > 25 {
			return
		}
		if slot == len(words)/2 {
			at := time.Now()
			if st, err := os.Stat(file); err == nil && !at.After(st.ModTime().Add(time.Second)) {
				at = st.ModTime().Add(time.Second)
			}
			tmp := filepath.Join(dir, "dovecot-keywords.lock")
			os.WriteFile(tmp, fmt.Appendf(old, "%d %s\n", slot, word), 0o600)
			os.Chtimes(tmp, at, at)
			os.Rename(tmp, file)
		}
		name := pick(rnd, entries).Name()
		if letter := string(rune('a' + slot)); !strings.Contains(name[strings.LastIndexByte(name, ':'):], letter) {
			base, info, _ := strings.Cut(name, ":2,")
			letters := []byte(info + letter)
			for i := len(letters) - 1; i > 0 && letters[i] < letters[i-1]; i-- {
				letters[i], letters[i-1] = letters[i-1], letters[i]
			}
			w.rename(filepath.Join(dir, "cur", name), filepath.Join(dir, "cur", base+":2,"+string(letters)))
		}
	default:
		if len(entries) > 0 {
			w.remove(filepath.Join(dir, "cur", pick(rnd, entries).Name()))
		}
	}
}
