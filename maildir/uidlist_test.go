package maildir

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const testGUID = "0123456789abcdef0123456789abcdef"

// collect gathers records as "uid extra|base".
func collect(into *[]string) func(uid uint32, base, extra []byte) error {
	return func(uid uint32, base, extra []byte) error {
		*into = append(*into, fmt.Sprintf("%d %s|%s", uid, extra, base))
		return nil
	}
}

func TestParseUIDList(t *testing.T) {
	for _, c := range []struct {
		name, text string
		hdr        uidlistHeader
		records    string
		consumed   int // -1: all
		damaged    bool
	}{
		{"plain", "3 V1275660208 N5 G" + testGUID + "\n1 :1.a\n3 W100 S98 :2.b with space\n4 Gabc :3.c:2,S\n",
			uidlistHeader{Validity: 1275660208, Next: 5, GUID: testGUID}, "1 |1.a;3 W100 S98|2.b with space;4 Gabc|3.c", -1, false},
		{"stale next UID", "3 V1 N1 G" + testGUID + "\n7 :a\n", uidlistHeader{Validity: 1, Next: 8, GUID: testGUID}, "7 |a", -1, false},
		{"unknown keys", "3 N2 P%v Xy G" + testGUID + " V9\n1 x3 Z9 :a\n",
			uidlistHeader{Validity: 9, Next: 2, GUID: testGUID, Extra: "P%v Xy"}, "1 Z9|a", -1, false},
		{"no GUID", "3 V1 N1\n", uidlistHeader{Validity: 1, Next: 1}, "", -1, false},
		{"version 1", "1 77 12\n1 1.a\n5 2.b:2,S\n", uidlistHeader{Validity: 77, Next: 12, V1: true}, "1 |1.a;5 |2.b", -1, false},
		{"append under way", "3 V1 N1 G" + testGUID + "\n1 :a\n2 :b", uidlistHeader{Validity: 1, Next: 2, GUID: testGUID}, "1 |a", 47, false},
		{"empty", "", uidlistHeader{Next: 1}, "", 0, true},
		{"no header", "x\n4 :a\n", uidlistHeader{Next: 5}, "4 |a", -1, true},
		{"zero V", "3 V0 N1\n", uidlistHeader{Next: 1}, "", -1, true},
		{"unsorted", "3 V1 N9 G" + testGUID + "\n5 :a\n4 :b\n6 :c\n5 :d\n", uidlistHeader{Validity: 1, Next: 9, GUID: testGUID}, "5 |a;6 |c", -1, true},
		{"slash", "3 V1 N1 G" + testGUID + "\n5 :a/b\n6 :c\n9 :../x\n", uidlistHeader{Validity: 1, Next: 10, GUID: testGUID}, "6 |c", -1, true},
		{"CRLF", "3 V1 N1 G" + testGUID + "\r\n5 :a\r\n6 :c:2,S\r\n7 :\r\n8 :a\rb\n", uidlistHeader{Validity: 1, Next: 9, GUID: testGUID}, "5 |a;6 |c", -1, true},
		{"no name", "3 V1 N1 G" + testGUID + "\n5\n6 \n7 :\n8 W1\n9 ::2,S\n", uidlistHeader{Validity: 1, Next: 10, GUID: testGUID}, "", -1, true},
		{"bad UIDs", "3 V1 N1 G" + testGUID + "\n0 :a\n4294967295 :b\n99999999999 :c\n-1 :d\nx :e\n2 :f\n4294967294 :g\n",
			uidlistHeader{Validity: 1, Next: 4294967295, GUID: testGUID}, "2 |f;4294967294 |g", -1, true},
		{"long line", "3 V1 N1 G" + testGUID + "\n1 W" + strings.Repeat("1", 1<<18) + " :a\n2 :b\n",
			uidlistHeader{Validity: 1, Next: 3, GUID: testGUID}, "2 |b", -1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			hdr, consumed, err := parseUIDList(strings.NewReader(c.text), collect(&got))
			if errors.Is(err, errDamaged) != c.damaged || err != nil && !c.damaged {
				t.Error(err)
			}
			if hdr != c.hdr {
				t.Errorf("header %+v", hdr)
			}
			if s := strings.Join(got, ";"); s != c.records {
				t.Errorf("records %q", s)
			}
			if c.consumed < 0 {
				c.consumed = len(c.text)
			}
			if consumed != int64(c.consumed) {
				t.Errorf("consumed %d of %d", consumed, len(c.text))
			}
		})
	}
}

// follow keeps reading a uidlist like a mailbox does.
type follow struct {
	t    *testing.T
	d    *dir
	pos  uidlistPos
	hdr  uidlistHeader
	recs []string
}

// read returns "full", "more" or "same".
func (f *follow) read() string {
	f.t.Helper()
	how := "same"
	hdr, pos, err := readUIDList(f.d, f.pos, func(full bool) {
		how = "more"
		if full {
			how, f.recs = "full", nil
		}
	}, collect(&f.recs))
	if err != nil {
		f.t.Fatal(err)
	}
	if how == "full" {
		f.hdr = hdr
	}
	f.hdr.Next = max(f.hdr.Next, hdr.Next)
	f.pos = pos
	return how
}

func (f *follow) want(how, recs string) {
	f.t.Helper()
	if got := f.read(); got != how || strings.Join(f.recs, ";") != recs {
		f.t.Errorf("%s read: %q; want %s: %q", got, f.recs, how, recs)
	}
}

func TestUIDListReadAndWrite(t *testing.T) {
	d := testRoot(t)
	p, _ := d.perm()
	f := &follow{t: t, d: d}
	if _, _, err := readUIDList(d, f.pos, func(bool) {}, collect(&f.recs)); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	hdr := uidlistHeader{Validity: 5, Next: 3, GUID: testGUID, Extra: "P%v"}
	two := func(emit func(uid uint32, base, extra []byte)) {
		emit(1, []byte("a"), nil)
		emit(2, []byte("b"), []byte("W3 Gx"))
	}
	pos, err := writeUIDList(d, p, hdr, two)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := text(t, d, uidlistName), "3 V5 N3 G"+testGUID+" P%v\n1 :a\n2 W3 Gx :b\n"; got != want {
		t.Errorf("wrote %q", got)
	}
	f.want("full", "1 |a;2 W3 Gx|b")
	if f.pos != pos || f.hdr != hdr {
		t.Errorf("read %+v %+v, wrote %+v", f.pos, f.hdr, pos)
	}
	f.want("same", "1 |a;2 W3 Gx|b")

	pos, err = appendUIDList(d, p, pos, appendUIDLine(nil, 7, []byte("Gy"), []byte("c")), 7, true)
	if err != nil {
		t.Fatal(err)
	}
	f.want("more", "1 |a;2 W3 Gx|b;7 Gy|c")
	if f.pos != pos || f.hdr.Next != 8 {
		t.Errorf("read %+v next %d, wrote %+v", f.pos, f.hdr.Next, pos)
	}
	// Somebody else appends: a writer who did not notice is stopped.
	g, _ := d.openAppend(uidlistName)
	g.WriteString("8 :d\n")
	if _, err := appendUIDList(d, p, pos, []byte("8 :e\n"), 8, true); !errors.Is(err, errStale) {
		t.Error(err)
	}
	f.want("more", "1 |a;2 W3 Gx|b;7 Gy|c;8 |d")
	// He dies in the middle of a line: it is left alone, and does not become one with ours.
	g.WriteString("9 :tor")
	g.Close()
	f.want("more", "1 |a;2 W3 Gx|b;7 Gy|c;8 |d")
	if _, err = appendUIDList(d, p, f.pos, []byte("9 :e\n"), 9, true); err != nil {
		t.Fatal(err)
	}
	f.want("full", "1 |a;2 W3 Gx|b;7 Gy|c;8 |d;9 |e")
	// A rewrite with the same size and, as file systems do, perhaps the same inode.
	for range 3 {
		if _, err := writeUIDList(d, p, f.hdr, two); err != nil {
			t.Fatal(err)
		}
		f.want("full", "1 |a;2 W3 Gx|b")
	}
	if names := listDir(t, d); len(names) != 1 {
		t.Error(names)
	}
}

func TestUIDListInodeReuse(t *testing.T) {
	d := testRoot(t)
	put(t, d, uidlistName, "3 V1 N1 G"+testGUID+"\n1 :a\n2 :b\n")
	f := &follow{t: t, d: d}
	f.want("full", "1 |a;2 |b")
	// The same inode with another, longer content: what reuse of the inode number looks like.
	put(t, d, uidlistName, "3 V1 N1 G"+testGUID+"\n2 :b\n3 :c\n4 :d\n")
	f.want("full", "2 |b;3 |c;4 |d")
	put(t, d, uidlistName, "3 V1 N1 G"+testGUID+"\n3 :c\n")
	f.want("full", "3 |c")
}

func TestWriteUIDListRefuses(t *testing.T) {
	d := testRoot(t)
	p, _ := d.perm()
	good := uidlistHeader{Validity: 1, Next: 1, GUID: testGUID}
	for name, hdr := range map[string]uidlistHeader{
		"validity": {Next: 1, GUID: testGUID}, "next": {Validity: 1, GUID: testGUID}, "guid": {Validity: 1, Next: 1, GUID: "x"},
	} {
		if _, err := writeUIDList(d, p, hdr, func(func(uint32, []byte, []byte)) {}); !errors.Is(err, errOrder) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, base := range []string{"", "a/b", "a:2,", "a\nb", strings.Repeat("x", 256)} {
		if _, err := writeUIDList(d, p, good, func(emit func(uint32, []byte, []byte)) { emit(1, []byte(base), nil) }); !errors.Is(err, errOrder) {
			t.Errorf("%q: %v", base, err)
		}
	}
	if _, err := writeUIDList(d, p, good, func(emit func(uint32, []byte, []byte)) {
		emit(2, []byte("a"), nil)
		emit(2, []byte("b"), nil)
	}); !errors.Is(err, errOrder) {
		t.Error(err)
	}
	if names := listDir(t, d); len(names) != 0 {
		t.Errorf("left behind: %v", names)
	}
}

// TestUIDListFaults: whatever fails, the old list stays whole and nothing else is left behind.
func TestUIDListFaults(t *testing.T) {
	d := testRoot(t)
	p, _ := d.perm()
	pos, err := writeUIDList(d, p, uidlistHeader{Validity: 1, Next: 1, GUID: testGUID}, func(func(uint32, []byte, []byte)) {})
	if err != nil {
		t.Fatal(err)
	}
	before := text(t, d, uidlistName)
	for _, op := range []string{"open", "write", "fdatasync", "rename", "fsync"} {
		d.inject(func(o, path string) error {
			if o == op {
				return unix.ENOSPC
			}
			return nil
		})
		_, err := writeUIDList(d, p, uidlistHeader{Validity: 1, Next: 2, GUID: testGUID}, func(func(uint32, []byte, []byte)) {})
		if !errors.Is(err, ErrFull) {
			t.Errorf("%s: %v", op, err)
		}
		if op == "write" {
			if _, err := appendUIDList(d, p, pos, []byte("1 :a\n"), 1, true); !errors.Is(err, ErrFull) {
				t.Error(err)
			}
		}
		d.inject(nil)
		if got := text(t, d, uidlistName); got != before && op != "fsync" {
			t.Errorf("%s: %q", op, got)
		}
		if names := listDir(t, d); len(names) != 1 {
			t.Errorf("%s: %v", op, names)
		}
	}
}

func FuzzUIDList(f *testing.F) {
	for _, s := range []string{
		"3 V1 N5 G" + testGUID + " P%v\n1 :a\n3 W100 S98 :b c\n4 Gabc :3.c:2,S\n", "1 77 12\n1 1.a\n5 2.b:2,S\n",
		"3 V1 N9\n5 :a\n4 :b\n", "\x00\x00\n", "3 V1 N1 G" + testGUID + "\n1 x :a/b\n2  A :\xff\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var out []byte
		last := uint32(0)
		hdr, consumed, err := parseUIDList(bytes.NewReader(b), func(uid uint32, base, extra []byte) error {
			if uid <= last || len(base) == 0 || bytes.ContainsAny(base, "/:\n") || bytes.ContainsAny(extra, ":\n") && extra[0] == ':' {
				t.Fatalf("record %d %q %q after %d", uid, base, extra, last)
			}
			last = uid
			out = appendUIDLine(out, uid, extra, base)
			return nil
		})
		if err != nil && !errors.Is(err, errDamaged) {
			t.Fatal(err)
		}
		if consumed > int64(len(b)) || hdr.Next <= last {
			t.Fatalf("consumed %d of %d, next %d after %d", consumed, len(b), hdr.Next, last)
		}
		// What is written is read back the same and undamaged.
		hdr.Validity, hdr.V1 = max(hdr.Validity, 1), false
		if hdr.GUID == "" {
			hdr.GUID = testGUID
		}
		all := append(appendHeader(nil, hdr), out...)
		var again []byte
		hdr2, n, err := parseUIDList(bytes.NewReader(all), func(uid uint32, base, extra []byte) error {
			again = appendUIDLine(again, uid, extra, base)
			return nil
		})
		if err != nil || n != int64(len(all)) || hdr2 != hdr || !bytes.Equal(again, out) {
			t.Fatalf("%q\nwas written as %q\nand read as %+v %q, %v", b, all, hdr2, again, err)
		}
	})
}

func BenchmarkParseUIDList(b *testing.B) {
	text := appendHeader(nil, uidlistHeader{Validity: 1, Next: 1, GUID: testGUID})
	for i := range uint32(100_000) {
		text = appendUIDLine(text, i+1, nil, fmt.Appendf(nil, "17%08d.M%06dP1234.mail.example.org,S=1234,W=1260", i, i))
	}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		parseUIDList(bytes.NewReader(text), func(uint32, []byte, []byte) error { return nil })
	}
}
