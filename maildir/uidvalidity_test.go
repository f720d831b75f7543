package maildir

import (
	"strings"
	"sync"
	"testing"
	"time"
)

func markers(t *testing.T, d *dir) (list []string) {
	t.Helper()
	for name := range listDir(t, d) {
		if strings.HasPrefix(name, uidvalidityMarker) {
			list = append(list, name)
		}
	}
	return list
}

func TestUIDValidity(t *testing.T) {
	d := testRoot(t)
	take := func(want uint32) {
		t.Helper()
		got, err := newUIDValidity(d)
		if err != nil || want != 0 && got != want {
			t.Fatalf("%08x, want %08x: %v", got, want, err)
		}
		if m := markers(t, d); len(m) != 1 || m[0] != marker(got) {
			t.Errorf("markers %q after %08x", m, got)
		}
		if s := text(t, d, uidvalidityName); s != m8(got) {
			t.Errorf("file says %q", s)
		}
	}
	take(0)
	first, _ := readUIDValidity(d)
	if now := uint32(time.Now().Unix()); first > now || first < now-60 {
		t.Errorf("starts at %d", first)
	}
	if fi, _ := d.stat(marker(first)); fi.mode&0o777 != 0o444 || fi.size != 0 {
		t.Errorf("marker: %+v", fi)
	}
	take(first + 1)
	put(t, d, uidvalidityName, m8(first-3)) // behind, within reach
	take(first + 2)
	put(t, d, uidvalidityName, m8(first-300)) // out of reach
	take(first + 3)
	put(t, d, uidvalidityName, "") // torn
	take(first + 4)
	put(t, d, marker(first-9), "") // a second marker, from a backup
	put(t, d, uidvalidityName, "rubbish!")
	take(first + 5)
	d.unlink(marker(first + 5))
	put(t, d, marker(0xffffffff), "")
	d.unlink(uidvalidityName)
	take(1) // 0 is no UIDVALIDITY
}

func m8(v uint32) string { return strings.TrimPrefix(marker(v), uidvalidityMarker) }

func TestUIDValidityConcurrent(t *testing.T) {
	d := testRoot(t)
	if _, err := newUIDValidity(d); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	seen := map[uint32]bool{}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				v, err := newUIDValidity(d)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if seen[v] {
					t.Errorf("%d given out twice", v)
				}
				seen[v] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}
