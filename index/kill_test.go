package index

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"roost/index/segment"
	"roost/internal/extract"
	"roost/maildir"
)

var long = flag.Bool("long", false, "run the long form of the tests")

// TestMain is also the process that reads attachments, and the one that is killed: with ROOST_INDEX_TEST it fills the index of a Maildir in little pieces, for ever.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == extract.Command {
		os.Exit(extract.Main(os.Args[1:], os.Stdin, os.Stdout))
	}
	slog.SetDefault(quiet) // of the mailboxes
	dir := os.Getenv("ROOST_INDEX_TEST")
	if dir == "" {
		os.Exit(m.Run())
	}
	if limit, err := strconv.Atoi(os.Getenv("ROOST_INDEX_LIMIT")); err == nil {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: uint64(limit), Max: uint64(limit)}); err != nil {
			panic(err)
		}
	}
	store, err := maildir.OpenStore(mailIn(dir))
	if err != nil {
		panic(err)
	}
	x, err := Open(filepath.Join(dir, "search"), Options{}, quiet)
	if err != nil {
		panic(err)
	}
	if os.Getenv("ROOST_INDEX_READONLY") != "" {
		os.Exit(turnReadOnly(store, x, dir))
	}
	for range 1000 {
		err := x.Update(context.Background(), Follower{Store: store, Memory: 40 << 10})
		if err != nil {
			fmt.Println(err)
			os.Exit(3)
		}
		x.Clear()
	}
	os.Exit(4)
}

func mailIn(dir string) maildir.Options {
	return maildir.Options{Root: filepath.Join(dir, "mail"), State: filepath.Join(dir, "state"), Separator: '/', Create: true}
}

// words of message i: one of its own, one of every tenth message.
func wordsOf(i int) (own, shared string) {
	return fmt.Sprintf("own%dword", i), fmt.Sprintf("shared%d", i%10)
}

func deliverWords(t *testing.T, dir string, n int) {
	t.Helper()
	for _, sub := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, "mail", sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		own, shared := wordsOf(i)
		text := fmt.Sprintf("Subject: %s\n\n%s and %s\n%s\n", own, own, shared, strings.Repeat("filling ", i%50))
		if err := os.WriteFile(filepath.Join(dir, "mail", "cur", fmt.Sprintf("%d.M%dP1.host:2,", 1_600_000_000+i, i)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// examine opens what is left of an index: all it says of documents is true. It returns how many messages are indexed.
func examine(t *testing.T, dir string) int {
	t.Helper()
	store, err := maildir.OpenStore(mailIn(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	box, err := store.Open("INBOX")
	if err != nil {
		t.Fatal(err)
	}
	defer box.Release()
	x, err := Open(filepath.Join(dir, "search"), Options{}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	r := x.Reader(box)
	if r == nil {
		return 0
	}
	defer r.Close()
	indexed := 0
	uids := box.UIDs()
	r.Docs(uids, func(_, _ uint32, ok bool) {
		if ok {
			indexed++
		}
	})
	for range 20 {
		i := rand.IntN(len(uids))
		own, shared := wordsOf(i)
		for _, needle := range []string{own, shared, own + " and " + shared} {
			hits, err := r.Find(t.Context(), InBody, NewNeedle(needle))
			if err != nil {
				t.Fatal(err)
			}
			r.Docs(uids, func(uid, doc uint32, ok bool) {
				if !ok {
					return
				}
				answer := hits.Of(doc)
				if answer == Maybe {
					answer = r.Texts().Contains(doc, hits, NewNeedle(needle))
				}
				o, s := wordsOf(int(uid) - 1)
				if want := strings.Contains(o+" and "+s+"\r\n", needle); want != (answer == Yes) {
					t.Fatalf("UID %d is document %d: %q %v, want %v", uid, doc, needle, answer, want)
				}
			})
		}
	}
	return indexed
}

// TestKilled kills who fills the index at any moment: what is left tells no lie, and is gone on with.
func TestKilled(t *testing.T) {
	rounds := 8
	if *long {
		rounds = 300
	}
	dir := t.TempDir()
	deliverWords(t, dir, 400)
	partly := 0
	for range rounds {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "ROOST_INDEX_TEST="+dir)
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(20+rand.IntN(150)) * time.Millisecond)
		cmd.Process.Kill()
		cmd.Wait()
		if n := examine(t, dir); n > 0 && n < 400 {
			partly++
		}
	}
	t.Logf("partly built %d times of %d", partly, rounds)
	store, err := maildir.OpenStore(mailIn(dir))
	if err != nil {
		t.Fatal(err)
	}
	x, err := Open(filepath.Join(dir, "search"), Options{}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Update(t.Context(), Follower{Store: store}); err != nil {
		t.Fatal(err)
	}
	x.Close()
	store.Close()
	if n := examine(t, dir); n != 400 {
		t.Errorf("%d of 400 messages are indexed", n)
	}
	left, _ := filepath.Glob(filepath.Join(dir, "search", "*.tmp"))
	if len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// TestFull: files that cannot grow end the work with an error, and leave an index that tells no lie.
func TestFull(t *testing.T) {
	dir := t.TempDir()
	deliverWords(t, dir, 200)
	examine(t, dir) // UIDs are given
	for _, limit := range []int{100, 3000} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "ROOST_INDEX_TEST="+dir, fmt.Sprint("ROOST_INDEX_LIMIT=", limit))
		late := time.AfterFunc(20*time.Second, func() { cmd.Process.Kill() })
		out, err := cmd.CombinedOutput()
		late.Stop()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 3 {
			t.Errorf("limit %d: %v\n%s", limit, err, out)
		}
		examine(t, dir)
	}
}

// turnReadOnly is a process whose index cannot be written any more from some moment on.
func turnReadOnly(store *maildir.Store, x *Index, dir string) int {
	fail := func(text string, err error) int {
		fmt.Println(text, err)
		return 1
	}
	f := Follower{Store: store}
	if err := x.Update(context.Background(), f); err != nil {
		return fail("filling it:", err)
	}
	search := filepath.Join(dir, "search")
	for _, m := range []struct {
		source, target string
		flags          uintptr
	}{{"", "/", unix.MS_REC | unix.MS_PRIVATE}, {search, search, unix.MS_BIND}, {"", search, unix.MS_REMOUNT | unix.MS_BIND | unix.MS_RDONLY}} {
		if err := unix.Mount(m.source, m.target, "", m.flags, ""); err != nil {
			fmt.Println("mounting:", err)
			return 5
		}
	}
	text := "Subject: late\n\nlate words\n"
	if err := os.WriteFile(filepath.Join(dir, "mail", "new", "1700000000.M1P1.late"), []byte(text), 0o600); err != nil {
		return fail("delivering:", err)
	}
	box, err := store.Open("INBOX")
	if err != nil {
		return fail("opening the mailbox:", err)
	}
	defer box.Release()
	if err := box.Sync(context.Background()); err != nil {
		return fail("looking for the message:", err)
	}
	if err := x.Update(context.Background(), f); !errors.Is(err, unix.EROFS) {
		return fail("filling it where nothing can be written:", err)
	}
	// What it had is found, and of what it does not have nothing is said.
	r := x.Reader(box)
	defer r.Close()
	hits, err := r.Find(context.Background(), InBody, NewNeedle("own7word"))
	if err != nil {
		return fail("searching:", err)
	}
	found, unknown := 0, 0
	r.Docs(box.UIDs(), func(_, doc uint32, ok bool) {
		switch {
		case !ok:
			unknown++
		case hits.Of(doc) == Yes:
			found++
		}
	})
	if found != 1 || unknown != 1 {
		return fail(fmt.Sprintf("%d found, %d unknown", found, unknown), nil)
	}
	x.Close()
	if x, err := Open(search, Options{}, quiet); !errors.Is(err, unix.EROFS) {
		return fail(fmt.Sprintf("opening it: %v", x), err)
	}
	return 0
}

// TestReadOnly: what cannot be written any more is still read, and what cannot be opened is an error: searches read messages then.
func TestReadOnly(t *testing.T) {
	dir := t.TempDir()
	deliverWords(t, dir, 50)
	examine(t, dir) // UIDs are given
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "ROOST_INDEX_TEST="+dir, "ROOST_INDEX_READONLY=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case errors.Is(err, unix.EPERM), errors.As(err, &exit) && exit.ExitCode() == 5:
		t.Skipf("cannot mount: %v\n%s", err, out)
	case err != nil:
		t.Errorf("%v\n%s", err, out)
	}
	if n := examine(t, dir); n != 50 {
		t.Errorf("%d of 50 messages are indexed", n)
	}
}

// TestDamaged flips octets of every file of an index: it is opened all the same, and tells no lie.
func TestDamaged(t *testing.T) {
	dir := t.TempDir()
	deliverWords(t, dir, 300)
	store, err := maildir.OpenStore(mailIn(dir))
	if err != nil {
		t.Fatal(err)
	}
	search := filepath.Join(dir, "search")
	rebuild := func() {
		x, err := Open(search, Options{}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		if err := x.Update(t.Context(), Follower{Store: store, Memory: 40 << 10}); err != nil {
			t.Fatal(err)
		}
		x.Close()
	}
	rebuild()
	var files []string
	filepath.WalkDir(search, func(path string, d fs.DirEntry, _ error) error {
		if !d.IsDir() {
			files = append(files, filepath.Base(path))
		}
		return nil
	})
	for range 60 {
		name := files[rand.IntN(len(files))]
		path := filepath.Join(search, name)
		data, err := os.ReadFile(path)
		if err != nil || len(data) == 0 {
			continue
		}
		bad := slices.Clone(data)
		switch at := rand.IntN(len(bad)); rand.IntN(3) {
		case 0:
			bad = bad[:at]
		case 1:
			bad[at] ^= 1 << rand.IntN(8)
		default:
			bad = append(bad, bad[at:]...)
		}
		os.Remove(path)
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		store.Close()
		examine(t, dir)
		if store, err = maildir.OpenStore(mailIn(dir)); err != nil {
			t.Fatal(err)
		}
		if rand.IntN(4) == 0 {
			rebuild()
		}
	}
	rebuild()
	store.Close()
	if n := examine(t, dir); n != 300 {
		t.Errorf("%d of 300 messages are indexed", n)
	}
}

// TestDirDeleted: an index whose directory is deleted is made again there, also with those above it, and one that somebody else made there
// meanwhile is his.
func TestDirDeleted(t *testing.T) {
	store, box := testMail(t)
	deliver(t, box, "Subject: one\r\n\r\n")
	dir := filepath.Join(t.TempDir(), "mail", "search")
	x := openRanked(t, dir)
	f := Follower{Store: store}
	update := func() {
		t.Helper()
		if err := x.Update(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		if got := ranks(t, x, box, InSubject, "one"); len(got) != 1 {
			t.Errorf("found are %v", got)
		}
	}
	update()
	if err := os.RemoveAll(filepath.Dir(dir)); err != nil {
		t.Fatal(err)
	}
	update()
	if files, err := filepath.Glob(filepath.Join(dir, "*"+segment.Suffix)); err != nil || len(files) != 1 {
		t.Fatalf("%v %v", files, err)
	}
	if err := os.Rename(dir, dir+"-away"); err != nil {
		t.Fatal(err)
	}
	other := openRanked(t, dir)
	if err := other.Update(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	if err := x.Update(t.Context(), f); !errors.Is(err, ErrInUse) {
		t.Errorf("%v", err)
	}
	if got := ranks(t, other, box, InSubject, "one"); len(got) != 1 {
		t.Errorf("found are %v", got)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if files, err := filepath.Glob(filepath.Join(dir, "*"+segment.Suffix)); err != nil || len(files) != 1 {
		t.Fatalf("%v %v", files, err)
	}
	update()
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
}
