package maildir

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"math"
	"os"
)

// uidlistPos says how much of which file has been read. The zero value: nothing.
type uidlistPos struct {
	ino, dev uint64
	size     int64  // of all complete lines read
	ctime    int64  // when it was read
	head     uint64 // hash of the header line
	tail     uint64 // hash of the last octets before size
	last     uint32 // highest UID read
}

// tailLen is how much before the end of what was read is compared before more is read. Inodes are reused at once by common file
// systems, so that the same inode and a greater size may still be another file.
const tailLen = 512

// readUIDList reads what is new since pos. begin is called before the first record unless nothing changed: full means that the
// file was replaced and all its records follow, else only appended ones do. The header returned is that of a full read, or has only Next
// set to what the appended lines say. errDamaged as in parseUIDList; fs.ErrNotExist when there is no file. Needs no lock.
func readUIDList(d *dir, pos uidlistPos, begin func(full bool), fn func(uid uint32, base, extra []byte) error) (uidlistHeader, uidlistPos, error) {
	if pos.ino != 0 {
		if fi, err := d.stat(uidlistName); err != nil {
			return uidlistHeader{}, pos, err
		} else if fi.ino == pos.ino && fi.dev == pos.dev && fi.size == pos.size && fi.ctime == pos.ctime {
			return uidlistHeader{Next: pos.last + 1}, pos, nil
		}
	}
	f, err := d.open(uidlistName)
	if err != nil {
		return uidlistHeader{}, pos, err
	}
	defer f.Close()
	fi, err := statFile(f)
	if err != nil {
		return uidlistHeader{}, pos, err
	}
	same := pos.ino != 0 && fi.ino == pos.ino && fi.dev == pos.dev && fi.size > pos.size
	if same {
		head, tail, err := fingerprint(f, pos.size)
		if err != nil {
			return uidlistHeader{}, pos, err
		}
		same = head == pos.head && tail == pos.tail
	}
	next := uidlistPos{ino: fi.ino, dev: fi.dev, ctime: fi.ctime}
	var hdr uidlistHeader
	var damage error
	if same {
		begin(false)
		section := io.NewSectionReader(f, pos.size, math.MaxInt64-pos.size)
		var n int64
		next.last, n, damage = parseUIDLines(section, pos.last, fn)
		next.size = pos.size + n
		hdr.Next = next.last + 1
	} else {
		begin(true)
		counted := func(uid uint32, base, extra []byte) error {
			next.last = uid
			return fn(uid, base, extra)
		}
		hdr, next.size, damage = parseUIDList(f, counted)
	}
	if damage != nil && !errors.Is(damage, errDamaged) {
		return hdr, pos, fileError("read", f.Name(), damage)
	}
	if damage != nil {
		damage = fmt.Errorf("%s: %w", f.Name(), damage)
	}
	if next.head, next.tail, err = fingerprint(f, next.size); err != nil {
		return hdr, pos, err
	}
	return hdr, next, damage
}

// fingerprint hashes the first line and the last octets of the first size octets.
func fingerprint(f *os.File, size int64) (head, tail uint64, err error) {
	hash := func(b []byte) uint64 {
		h := fnv.New64a()
		h.Write(b)
		return h.Sum64()
	}
	buf := make([]byte, tailLen)
	n, err := f.ReadAt(buf[:min(tailLen, size)], 0)
	if err != nil && err != io.EOF {
		return 0, 0, fileError("read", f.Name(), err)
	}
	line := buf[:n]
	if i := bytes.IndexByte(line, '\n'); i >= 0 {
		line = line[:i]
	}
	head = hash(line)
	at := max(0, size-tailLen)
	n, err = f.ReadAt(buf[:size-at], at)
	if err != nil && err != io.EOF {
		return 0, 0, fileError("read", f.Name(), err)
	}
	return head, hash(buf[:n]), nil
}

// readUIDListHeader reads the header of a mailbox's uidlist alone; of none, or one in another format, it is zero.
func readUIDListHeader(box *dir) (hdr uidlistHeader) {
	f, err := box.open(uidlistName)
	if err != nil {
		return hdr
	}
	defer f.Close()
	line, err := bufio.NewReaderSize(f, maxUIDLine).ReadSlice('\n')
	if err != nil {
		return hdr
	}
	if fields := bytes.Fields(line); len(fields) > 0 && string(fields[0]) == "3" {
		hdr, _ = parseHeader3(fields[1:])
	}
	return hdr
}

// errOrder stops a list from being written that Dovecot would throw away.
var errOrder = errors.New("refusing to write a broken uidlist")

// writeUIDList replaces the file: iterate calls emit with each record in ascending UID order. It is durable when this returns. The
// caller holds the lock, and must have raised hdr.Next to all he knows.
func writeUIDList(d *dir, p perm, hdr uidlistHeader, iterate func(emit func(uid uint32, base, extra []byte))) (uidlistPos, error) {
	if hdr.Validity == 0 || hdr.Next == 0 || !isGUID([]byte(hdr.GUID)) {
		return uidlistPos{}, fmt.Errorf("%w: header V%d N%d G%s", errOrder, hdr.Validity, hdr.Next, hdr.GUID)
	}
	last := uint32(0)
	return replaceUIDList(d, p, func(w *bufio.Writer) (uint32, error) {
		w.Write(appendHeader(nil, hdr))
		var bad error
		iterate(func(uid uint32, base, extra []byte) {
			if uid <= last || uid == math.MaxUint32 || len(base) == 0 || len(base) > maxName || bytes.ContainsAny(base, ":/\r\n\x00") {
				if bad == nil {
					bad = fmt.Errorf("%w: UID %d after %d, name %q", errOrder, uid, last, base)
				}
				return
			}
			last = uid
			w.Write(appendUIDLine(w.AvailableBuffer(), uid, extra, base))
		})
		return last, bad
	})
}

// replaceUIDList writes a new file by way of the temporary name that Dovecot uses as well, which the lock protects.
func replaceUIDList(d *dir, p perm, fill func(w *bufio.Writer) (last uint32, err error)) (pos uidlistPos, err error) {
	if err := d.unlink(uidlistTemp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return pos, err
	}
	f, err := d.createAs(uidlistTemp, p)
	if err != nil {
		return pos, err
	}
	defer f.Close()
	defer func() {
		if err != nil {
			d.unlink(uidlistTemp)
		}
	}()
	if err = d.fault("write", uidlistTemp); err != nil {
		return pos, err
	}
	w := bufio.NewWriterSize(f, 1<<16)
	last, err := fill(w)
	if err != nil {
		return pos, err
	}
	if err = w.Flush(); err != nil {
		return pos, fileError("write", f.Name(), err)
	}
	if err = d.syncData(f); err != nil {
		return pos, err
	}
	if err = d.rename(uidlistTemp, d, uidlistName); err != nil {
		return pos, err
	}
	if pos, err = posOf(f, last); err != nil {
		return pos, err
	}
	return pos, d.sync()
}

// posOf is the position after reading all of an open file.
func posOf(f *os.File, last uint32) (pos uidlistPos, err error) {
	fi, err := statFile(f)
	if err != nil {
		return pos, err
	}
	pos = uidlistPos{ino: fi.ino, dev: fi.dev, size: fi.size, ctime: fi.ctime, last: last}
	pos.head, pos.tail, err = fingerprint(f, fi.size)
	return pos, err
}

// errStale says that the file is not the one the caller has read to its end.
var errStale = errors.New("uidlist changed under its lock")

// appendUIDList appends complete lines whose highest UID is last and returns the position after them; sync makes them durable. The
// caller holds the lock and has read the file to its end under it: errStale if not. When only a part could be written (ErrFull),
// no partial line is left for the next writer to append to.
func appendUIDList(d *dir, p perm, pos uidlistPos, lines []byte, last uint32, sync bool) (uidlistPos, error) {
	if len(lines) == 0 {
		return pos, nil
	}
	f, err := d.openAppend(uidlistName)
	if err != nil {
		return pos, err
	}
	defer f.Close()
	fi, err := statFile(f)
	if err != nil {
		return pos, err
	}
	if fi.ino != pos.ino || fi.dev != pos.dev || fi.size < pos.size || last <= pos.last {
		return pos, errStale
	}
	if fi.size > pos.size {
		// Somebody died while he wrote his last line. Appending would make one line of two.
		whole, err := endsInLF(f, pos.size, fi.size)
		if err != nil {
			return pos, err
		} else if whole {
			return pos, errStale
		}
		return replaceUIDList(d, p, func(w *bufio.Writer) (uint32, error) {
			if _, err := io.Copy(w, io.NewSectionReader(f, 0, pos.size)); err != nil {
				return 0, fileError("read", f.Name(), err)
			}
			_, err := w.Write(lines)
			return last, err
		})
	}
	err = d.fault("write", uidlistName)
	n := 0
	if err == nil {
		n, err = f.Write(lines)
	}
	if err != nil {
		keep := bytes.LastIndexByte(lines[:n], '\n') + 1
		return pos, errors.Join(fileError("write", f.Name(), err), f.Truncate(pos.size+int64(keep)))
	}
	if sync {
		if err := d.syncData(f); err != nil {
			return pos, err
		}
	}
	return posOf(f, last)
}

// endsInLF tells whether there is a line end between two positions.
func endsInLF(f *os.File, from, to int64) (bool, error) {
	buf := make([]byte, 4096)
	for from < to {
		n, err := f.ReadAt(buf[:min(int64(len(buf)), to-from)], from)
		if bytes.IndexByte(buf[:n], '\n') >= 0 {
			return true, nil
		}
		if err != nil {
			return false, fileError("read", f.Name(), err)
		}
		from += int64(n)
	}
	return false, nil
}
