package maildir

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

// dovecot-keywords maps the letters a–z of this mailbox to names: lines "<index> <name>". Its readers notice a change only by mtime in
// whole seconds and never read a slot twice, so slots are only ever appended, without holes, and every version is at least a
// second younger than the one before, if need be in the future.
//
// roost-keywords holds what the 26 letters cannot: lines "<base> <keyword>...", one per message, replaced whole. Both are written
// only with the uidlist lock held.

const (
	keywordsName = "dovecot-keywords"
	// Not dovecot-keywords.lock: Dovecot deletes that whenever it writes.
	keywordsTemp = "dovecot-keywords.roost"

	moreKeywordsName = "roost-keywords"
	moreKeywordsTemp = "roost-keywords.tmp"
)

// maxLetters is how many keywords have a letter.
const maxLetters = 26

// maxKeywordsFile bounds dovecot-keywords: 26 names of any sensible length fit many times.
const maxKeywordsFile = 1 << 20

// readKeywords returns the names of the letters, "" for a slot without one, and which version of the file said so. No file: no
// names and a zero fileInfo.
func readKeywords(d *dir) ([]string, fileInfo, error) {
	b, fi, err := d.readFile(keywordsName, maxKeywordsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fileInfo{}, nil
	} else if err != nil {
		return nil, fileInfo{}, err
	}
	return parseKeywords(b), fi, nil
}

// parseKeywords ignores the lines that Dovecot ignores: without a space, with a bad index, or with a name seen before in any case. Like for
// Dovecot the last line of an index wins.
func parseKeywords(b []byte) []string {
	var names []string
	seen := map[string]bool{}
	for line := range bytes.Lines(b) {
		num, name, ok := strings.Cut(strings.TrimSuffix(string(line), "\n"), " ")
		slot, err := strconv.ParseUint(num, 10, 8)
		lower := asciiLower(name)
		if !ok || err != nil || slot >= maxLetters || name == "" || seen[lower] {
			continue
		}
		seen[lower] = true
		for len(names) <= int(slot) {
			names = append(names, "")
		}
		names[slot] = name
	}
	return names
}

// errSlots refuses a change to the meaning of a letter.
var errSlots = errors.New("keyword letters may only be appended")

// writeKeywords replaces the file with more names, durably. The names it has on disk must stay where they are: errSlots otherwise. The
// caller holds the uidlist lock.
func writeKeywords(d *dir, p perm, names []string) (fileInfo, error) {
	old, before, err := readKeywords(d)
	if err != nil {
		return fileInfo{}, err
	}
	if len(names) > maxLetters || len(names) < len(old) {
		return fileInfo{}, fmt.Errorf("%s: %w", d.path(), errSlots)
	}
	var text []byte
	for i, name := range names {
		if i < len(old) && old[i] != "" && old[i] != name || strings.ContainsAny(name, "\n\x00") {
			return fileInfo{}, fmt.Errorf("%s: slot %d %q: %w", d.path(), i, name, errSlots)
		}
		if name != "" {
			text = fmt.Appendf(text, "%d %s\n", i, name)
		}
	}
	var mtime time.Time
	if next := time.Unix(before.mtime/1e9+1, 0); before.ino != 0 && next.After(time.Now()) {
		mtime = next
	}
	return replaceFile(d, p, keywordsName, keywordsTemp, mtime, func(w *bufio.Writer) error {
		_, err := w.Write(text)
		return err
	})
}

// replaceFile writes a new version of a file and renames it over the old one, durably. The caller holds a lock that
// makes temp his. A zero mtime leaves the time as it is.
func replaceFile(d *dir, p perm, name, temp string, mtime time.Time, fill func(w *bufio.Writer) error) (fi fileInfo, err error) {
	if err := d.unlink(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fi, err
	}
	f, err := d.createAs(temp, p)
	if err != nil {
		return fi, err
	}
	defer f.Close()
	defer func() {
		if err != nil {
			d.unlink(temp)
		}
	}()
	if err = d.fault("write", temp); err != nil {
		return fi, err
	}
	w := bufio.NewWriterSize(f, 1<<16)
	if err = fill(w); err == nil {
		err = w.Flush()
	}
	if err != nil {
		return fi, fileError("write", f.Name(), err)
	}
	if !mtime.IsZero() {
		if err = d.setTimes(temp, mtime); err != nil {
			return fi, err
		}
	}
	if err = d.syncFile(f); err != nil {
		return fi, err
	}
	if err = d.rename(temp, d, name); err != nil {
		return fi, err
	}
	if fi, err = statFile(f); err != nil {
		return fi, err
	}
	return fi, d.sync()
}

// asciiLower folds only A–Z, as IMAP compares keywords.
func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// readMoreKeywords calls fn with each message's keywords of roost-keywords. No file is no error; a line that makes no sense is left out. The
// version is returned as by readKeywords.
func readMoreKeywords(d *dir, fn func(base string, names []string)) (fileInfo, error) {
	f, err := d.open(moreKeywordsName)
	if errors.Is(err, fs.ErrNotExist) {
		return fileInfo{}, nil
	} else if err != nil {
		return fileInfo{}, err
	}
	defer f.Close()
	fi, err := statFile(f)
	if err != nil {
		return fi, err
	}
	return fi, fileError("read", f.Name(), parseMoreKeywords(f, fn))
}

// parseMoreKeywords ignores an unterminated last line, which only a copy made at a bad moment can have.
func parseMoreKeywords(r io.Reader, fn func(base string, names []string)) error {
	lines := lineReader{r: bufio.NewReaderSize(r, 1<<16)}
	for {
		line, err := lines.next()
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		var words []string
		for word := range strings.SplitSeq(string(line), " ") {
			if word != "" {
				words = append(words, unescapeWord(word))
			}
		}
		if len(words) > 1 && len(words[0]) <= maxName {
			fn(words[0], words[1:])
		}
	}
}

// writeMoreKeywords replaces roost-keywords, or removes it when there is nothing to say; durably. The caller holds the uidlist lock.
func writeMoreKeywords(d *dir, p perm, iterate func(emit func(base string, names []string))) (fileInfo, error) {
	lines := 0
	fi, err := replaceFile(d, p, moreKeywordsName, moreKeywordsTemp, time.Time{}, func(w *bufio.Writer) error {
		iterate(func(base string, names []string) {
			if len(names) == 0 {
				return
			}
			lines++
			w.WriteString(escapeWord(base))
			for _, name := range names {
				w.WriteByte(' ')
				w.WriteString(escapeWord(name))
			}
			w.WriteByte('\n')
		})
		return nil
	})
	if err == nil && lines == 0 {
		return fileInfo{}, d.unlink(moreKeywordsName)
	}
	return fi, err
}

// escapeWord makes a word of any string: spaces, control characters and backslashes become \ooo (octal).
func escapeWord(s string) string {
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == '\\' || c == 0x7f {
			b = fmt.Appendf(b, `\%03o`, c)
		} else {
			b = append(b, c)
		}
	}
	return string(b)
}

func unescapeWord(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b []byte
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b = append(b, byte(n))
				i += 3
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}
