package serve

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"roost/index"
	"roost/internal/auth"
	"roost/maildir"
)

var long = flag.Bool("long", false, "run the long form of the tests")

// TestManyUsers opens the mail of many users at once, 500 in the long form, each with an index: they fit in one process, each finds its own mail, and all
// is given back some time after the last session.
func TestManyUsers(t *testing.T) {
	const messages = 10
	users := 50
	if *long {
		users = 500
	}
	dir := t.TempDir()
	s := NewStores(func(u *auth.User) (maildir.Options, error) {
		return maildir.Options{Root: filepath.Join(dir, u.Name), State: filepath.Join(dir, "state", u.Name), Separator: '.'}, nil
	}, Search{Enabled: true, Languages: []string{"en"}}, quiet)
	s.warm = time.Second
	defer s.Close()
	names := make([]string, users)
	for i := range names {
		names[i] = fmt.Sprintf("user%d", i)
		for _, d := range []string{"cur", "new", "tmp"} {
			if err := os.MkdirAll(filepath.Join(dir, names[i], d), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		for n := range messages {
			text := fmt.Sprintf("Subject: letter %d\r\n\r\nThis is for %sx.\r\n", n, names[i])
			if err := os.WriteFile(filepath.Join(dir, names[i], "new", fmt.Sprintf("%d.M1P1.host", 1700000000+n)), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	before := holds(t)
	var releases []func()
	var stores []*maildir.Store
	var indexes []*index.Index
	for _, name := range names {
		store, x, release, err := s.Open(&auth.User{Name: name})
		if err != nil || x == nil {
			t.Fatalf("%s: index %v, %v", name, x != nil, err)
		}
		stores, indexes, releases = append(stores, store), append(indexes, x), append(releases, release)
	}
	for i, x := range indexes {
		x.Wait(t.Context())
		box, err := stores[i].Open("INBOX")
		if err != nil {
			t.Fatal(err)
		}
		r := x.Reader(box)
		hits, err := r.Find(t.Context(), index.InBody, index.NewNeedle(names[i]+"x"))
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		r.Docs(box.UIDs(), func(_, doc uint32, ok bool) {
			if ok && hits.Of(doc) == index.Yes {
				found++
			}
		})
		r.Close()
		box.Release()
		if found != messages {
			t.Fatalf("%s: %d of %d messages are found", names[i], found, messages)
		}
	}
	all := holds(t)
	memory, files := (all.memory-before.memory)/users, (all.files-before.files)/users
	t.Logf("each of %d users: %d KiB, %d open files", users, memory>>10, files)
	if memory > 256<<10 || files > 10 {
		t.Errorf("a user takes %d octets and %d open files", memory, files)
	}
	for _, release := range releases {
		release()
	}
	left := holds(t)
	for end := time.Now().Add(time.Minute); left.files > before.files+20 && time.Now().Before(end); left = holds(t) {
		time.Sleep(100 * time.Millisecond)
	}
	if left.files > before.files+20 || left.memory > before.memory+(all.memory-before.memory)/2 {
		t.Errorf("before %+v, with all users %+v, without %+v", before, all, left)
	}
}

// held is what this process holds.
type held struct{ memory, files int }

// holds measures it, with garbage collected.
func holds(t *testing.T) held {
	t.Helper()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return held{int(m.HeapAlloc + m.StackInuse), len(files)}
}
