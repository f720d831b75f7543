package maildir

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The child of TestKill changes mailboxes until it is killed and reports on standard output what it begins and what was acknowledged:
//
//	begin <worker> <op> <id>...      done <worker> <op> <id> <uid>... [<instead> <box>]
//
// Every message carries its id in its body.

const killEnv = "ROOST_TEST_KILL_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(killEnv); dir != "" {
		killChild(dir)
	}
	os.Exit(m.Run())
}

func messageID(m *Mailbox, uid uint32) (string, error) {
	f, err := m.OpenMessage(uid)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	if err != nil {
		return "", err
	}
	id, rest, ok := strings.Cut(string(b), "\n")
	if !ok || rest != strings.Repeat("x", 3000)+"\n" {
		return "", fmt.Errorf("UID %d is half there: %d octets", uid, len(b))
	}
	return id, nil
}

func killChild(dir string) {
	fail := func(err error) {
		if err != nil {
			fmt.Println("fail", err)
			os.Exit(1)
		}
	}
	s, err := OpenStore(Options{Root: dir + "/Maildir", State: dir + "/state", Separator: '/', Create: true})
	fail(err)
	s.Create("Arch")
	if _, err := s.locate("U"); err == nil {
		fail(s.Rename("U", "T"))
	} else if _, err := s.locate("T"); err != nil {
		for _, name := range tree {
			fail(s.Create("T" + name))
		}
	}
	in, err := s.Open("INBOX")
	fail(err)
	arch, err := s.Open("Arch")
	fail(err)
	var mu sync.Mutex // one line at a time
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(os.Stdout, format+"\n", args...)
	}
	// Each worker changes only its own messages, so that at most one change of a message is under way.
	const workers = 3
	for w := range workers {
		go func() {
			mine := func() (uid uint32, id string) {
				for range 20 {
					uids := in.UIDs()
					if len(uids) == 0 {
						return 0, ""
					}
					uid := uids[rand.IntN(len(uids))]
					if id, err := messageID(in, uid); err == nil && strings.HasPrefix(id, fmt.Sprintf("w%d-", w)) {
						return uid, id
					}
				}
				return 0, ""
			}
			for {
				switch op := rand.IntN(10); {
				case op < 4:
					var ids []string
					d, err := in.NewDelivery()
					fail(err)
					for range 1 + rand.IntN(3)/2*2 {
						id := fmt.Sprintf("w%d-%d-%d", w, time.Now().UnixNano(), rand.Int32())
						ids = append(ids, id)
					}
					say("begin %d append %s", w, strings.Join(ids, " "))
					for _, id := range ids {
						fail(d.Add(strings.NewReader(id+"\r\n"+strings.Repeat("x", 3000)+"\r\n"), Seen, nil, time.Time{}))
					}
					uids, err := d.Commit(bg)
					fail(err)
					for i, id := range ids {
						say("done %d append %s %d", w, id, uids[i])
					}
				case op < 6:
					if uid, id := mine(); uid != 0 {
						say("begin %d expunge %s", w, id)
						_, err := in.Expunge(bg, []uint32{uid})
						fail(err)
						say("done %d expunge %s %d", w, id, uid)
					}
				case op < 7:
					if uid, id := mine(); uid != 0 {
						instead := fmt.Sprintf("w%d-%d-%d", w, time.Now().UnixNano(), rand.Int32())
						to, name := in, "INBOX"
						if rand.IntN(2) == 0 {
							to, name = arch, "Arch"
						}
						say("begin %d replace %s %s", w, id, instead)
						d, err := to.NewDelivery()
						fail(err)
						fail(d.Add(strings.NewReader(instead+"\r\n"+strings.Repeat("x", 3000)+"\r\n"), Seen, nil, time.Time{}))
						newUID, err := d.Replace(bg, in, uid)
						fail(err)
						say("done %d replace %s %d %s %s", w, id, newUID, instead, name)
					}
				case op < 8:
					if uid, id := mine(); uid != 0 {
						say("begin %d move %s", w, id)
						pairs, err := in.MoveTo(bg, []uint32{uid}, arch)
						fail(err)
						if len(pairs) == 1 {
							say("done %d move %s %d", w, id, pairs[0].Dst)
						}
					}
				default:
					if uid, id := mine(); uid != 0 {
						flags := Flags(rand.IntN(32))
						say("begin %d flag %s", w, id)
						_, _, err := in.SetFlags(bg, []uint32{uid}, FlagChange{Op: Replace, Flags: flags})
						fail(err)
						say("done %d flag %s %d", w, id, flags)
					}
				}
			}
		}()
	}
	// One more renames a mailbox with others below it.
	for {
		fail(s.Rename("T", "U"))
		fail(s.Rename("U", "T"))
	}
}

// tree are the mailboxes that are T or U, whole.
var tree = []string{"", "/a", "/b", "/b/c"}

// fate is what is known of a message.
type fate struct {
	box   string // where it is as far as acknowledged: INBOX, Arch, "" for gone
	uid   uint32
	flags Flags
	doing string   // a change that was begun and not acknowledged
	batch []string // appended together with
}

// TestKill kills a process in the middle of changes, again and again: everything acknowledged is there exactly once, under its UID and with its
// flags, nothing is half there, and no UID is ever given to two messages.
func TestKill(t *testing.T) {
	rounds := 12
	if *long {
		rounds = 500
	}
	dir := fastDir(t)
	fates := map[string]*fate{}
	owner := map[string]string{} // "box uid" → id
	for round := range rounds {
		out := runAndKill(t, dir, time.Duration(20+rand.IntN(120))*time.Millisecond)
		for line := range strings.Lines(out) {
			if !strings.HasSuffix(line, "\n") {
				continue
			}
			f := strings.Fields(line)
			switch f[0] {
			case "fail":
				t.Fatalf("round %d: %s", round, line)
			case "begin":
				for _, id := range f[3:] {
					if f[2] == "append" {
						fates[id] = &fate{flags: Seen, batch: f[3:]}
					}
					if f[2] == "replace" {
						if fates[id] == nil {
							fates[id] = &fate{flags: Seen}
						}
						fates[id].batch = f[3:]
					}
					fates[id].doing = f[2]
				}
			case "done":
				ft := fates[f[3]]
				var n uint32
				fmt.Sscan(f[4], &n)
				ft.doing = ""
				switch f[2] {
				case "append":
					ft.box, ft.uid = "INBOX", n
				case "expunge":
					ft.box = ""
				case "replace":
					ft.box = ""
					instead := fates[f[5]]
					instead.box, instead.uid, instead.doing = f[6], n, ""
				case "move":
					ft.box, ft.uid = "Arch", n
				case "flag":
					ft.flags = Flags(n)
				}
			}
		}
		checkFates(t, round, dir, fates, owner)
		if t.Failed() {
			return
		}
	}
}

func runAndKill(t *testing.T, dir string, after time.Duration) string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killEnv+"="+dir)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(stdout)
	first, _ := r.ReadString('\n') // it is at work
	time.AfterFunc(after, func() { cmd.Process.Kill() })
	rest, err := io.ReadAll(r)
	cmd.Wait()
	if err != nil {
		t.Fatal(err)
	}
	return first + string(rest)
}

// checkFates compares the mailboxes with what is known, and takes over how changes ended that nobody had acknowledged.
func checkFates(t *testing.T, round int, dir string, fates map[string]*fate, owner map[string]string) {
	t.Helper()
	s, err := OpenStore(Options{Root: dir + "/Maildir", State: dir + "/state", Separator: '/'})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	list, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	var names, want []string
	for _, info := range list[2:] { // after INBOX and Arch
		names = append(names, info.Name)
	}
	for _, rest := range tree {
		want = append(want, list[len(list)-1].Name[:1]+rest)
	}
	if !slices.Equal(names, want) {
		t.Errorf("round %d: a rename was cut off: %q", round, names)
	}
	found := map[string]map[string]Record{} // id → box → record
	for _, name := range []string{"INBOX", "Arch"} {
		m, err := s.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Release()
		if err := checkMailbox(m); err != nil {
			t.Errorf("round %d: %v", round, err)
		}
		for _, r := range m.Records(m.UIDs(), nil) {
			id, err := messageID(m, r.UID)
			if err != nil {
				t.Errorf("round %d: %s: %v", round, name, err)
				continue
			}
			key := fmt.Sprint(name, " ", r.UID)
			if owner[key] != "" && owner[key] != id {
				t.Errorf("round %d: %s was %s and is %s", round, key, owner[key], id)
			}
			owner[key] = id
			if found[id] == nil {
				found[id] = map[string]Record{}
			}
			if _, twice := found[id][name]; twice {
				t.Errorf("round %d: %s twice in %s", round, id, name)
			}
			found[id][name] = r
		}
	}
	for id, ft := range fates {
		in, inInbox := found[id]["INBOX"]
		ar, inArch := found[id]["Arch"]
		bad := ""
		switch {
		case ft.doing == "append":
			for _, other := range ft.batch {
				if _, there := found[other]["INBOX"]; there != inInbox {
					bad = "appended alone"
				}
			}
		case ft.doing == "replace":
			if there := len(found[ft.batch[0]]) + len(found[ft.batch[1]]); there != 1 {
				bad = fmt.Sprintf("replaced, and %d of both are there", there)
			}
		case ft.doing == "expunge":
			if inArch {
				bad = "in Arch"
			}
		case ft.doing == "move":
			if inInbox == inArch {
				bad = "not in one mailbox"
			}
		case ft.box == "" && (inInbox || inArch):
			bad = "not gone"
		case ft.box == "INBOX" && (!inInbox || inArch || in.UID != ft.uid || ft.doing == "" && in.Flags != ft.flags):
			bad = "not as it was"
		case ft.box == "Arch" && (!inArch || inInbox || ar.UID != ft.uid || ar.Flags != ft.flags):
			bad = "not as it was"
		}
		if bad != "" {
			t.Errorf("round %d: %s is %s: known %+v, INBOX %v %+v, Arch %v %+v", round, id, bad, *ft, inInbox, in, inArch, ar)
		}
		if ft.doing == "" {
			continue
		}
		// From now on it is what it turned out to be.
		ft.doing, ft.batch = "", nil
		switch {
		case inInbox:
			ft.box, ft.uid, ft.flags = "INBOX", in.UID, in.Flags
		case inArch:
			ft.box, ft.uid, ft.flags = "Arch", ar.UID, ar.Flags
		default:
			ft.box = ""
		}
	}
	for id := range found {
		if fates[id] == nil {
			t.Errorf("round %d: nobody knows %s", round, id)
		}
	}
}
