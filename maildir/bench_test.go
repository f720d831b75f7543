package maildir

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var benchMessages = flag.Int("bench.messages", 10000, "messages in the mailbox of the benchmarks")

// fillBox makes a mailbox of many small messages.
func fillBox(b *testing.B, root string) {
	for _, d := range []string{"cur", "new", "tmp"} {
		os.MkdirAll(filepath.Join(root, d), 0o700)
	}
	body := []byte("From: a@example.org\nSubject: x\n\ntext\n")
	for i := range *benchMessages {
		name := fmt.Sprintf("%d.M%dP1.host,S=%d,W=%d:2,S", 1500000000+i, i, len(body), len(body)+4)
		if err := os.WriteFile(filepath.Join(root, "cur", name), body, 0o600); err != nil {
			b.Fatal(err)
		}
	}
}

func benchOpen(b *testing.B, root, state string) (*Store, *Mailbox) {
	s, err := OpenStore(Options{Root: root, State: state, Separator: '/', Create: true})
	if err != nil {
		b.Fatal(err)
	}
	m, err := s.Open("INBOX")
	if err != nil {
		b.Fatal(err)
	}
	if n := len(m.UIDs()); n != *benchMessages {
		b.Fatalf("%d messages", n)
	}
	return s, m
}

// BenchmarkOpen: first has neither uidlist nor state, list has the uidlist, warm has the snapshot.
func BenchmarkOpen(b *testing.B) {
	root := b.TempDir()
	fillBox(b, root)
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			os.Remove(filepath.Join(root, uidlistName))
			b.StartTimer()
			s, m := benchOpen(b, root, "")
			b.StopTimer()
			m.Release()
			s.Close()
			b.StartTimer()
		}
	})
	b.Run("list", func(b *testing.B) {
		for b.Loop() {
			s, m := benchOpen(b, root, "")
			b.StopTimer()
			m.Release()
			s.Close()
			b.StartTimer()
		}
	})
	state := b.TempDir()
	b.Run("warm", func(b *testing.B) {
		s, m := benchOpen(b, root, state)
		m.Release()
		s.Close()
		for b.Loop() {
			s, m := benchOpen(b, root, state)
			b.StopTimer()
			m.Release()
			s.Close()
			b.StartTimer()
		}
	})
}

func BenchmarkChange(b *testing.B) {
	root := b.TempDir()
	fillBox(b, root)
	s, m := benchOpen(b, root, b.TempDir())
	defer s.Close()
	defer m.Release()
	op := Add
	b.Run("flags", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := m.SetFlags(bg, m.UIDs(), FlagChange{Op: op, Flags: Flagged}); err != nil {
				b.Fatal(err)
			}
			op = Add + Remove - op
		}
	})
	b.Run("copy", func(b *testing.B) {
		for b.Loop() {
			pairs, err := m.CopyTo(bg, m.UIDs()[:1000], m)
			if err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			var uids []uint32
			for _, p := range pairs {
				uids = append(uids, p.Dst)
			}
			m.Expunge(bg, uids)
			b.StartTimer()
		}
	})
	b.Run("expunge", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			pairs, err := m.CopyTo(bg, m.UIDs(), m)
			if err != nil {
				b.Fatal(err)
			}
			var uids []uint32
			for _, p := range pairs {
				uids = append(uids, p.Dst)
			}
			b.StartTimer()
			if _, err := m.Expunge(bg, uids); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkFloor renames the files of a mailbox with nothing but system calls, by one and by two goroutines: what flags of BenchmarkChange cannot go below.
func BenchmarkFloor(b *testing.B) {
	root := b.TempDir()
	fillBox(b, root)
	cur, err := os.Open(filepath.Join(root, "cur"))
	if err != nil {
		b.Fatal(err)
	}
	defer cur.Close()
	names, err := cur.Readdirnames(-1)
	if err != nil {
		b.Fatal(err)
	}
	slices.Sort(names)
	at := int(cur.Fd())
	for _, n := range []int{1, hands} {
		b.Run(fmt.Sprintf("rename-%d", n), func(b *testing.B) {
			for b.Loop() {
				var next atomic.Int64
				if err := together(n, func() error {
					for {
						i := int(next.Add(1)) - 1
						if i >= len(names) {
							return nil
						}
						old := names[i]
						if strings.HasSuffix(old, ":2,S") {
							names[i] = strings.TrimSuffix(old, "S") + "FS"
						} else {
							names[i] = strings.TrimSuffix(old, "FS") + "S"
						}
						if err := unix.Renameat(at, old, at, names[i]); err != nil {
							return err
						}
					}
				}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	root := b.TempDir()
	s, err := OpenStore(Options{Root: root, State: b.TempDir(), Separator: '/', Create: true})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	m, err := s.Open("INBOX")
	if err != nil {
		b.Fatal(err)
	}
	defer m.Release()
	body := strings.Repeat("Each line of this message is as long as the others are.\n", 70)
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				d, err := m.NewDelivery()
				if err != nil {
					b.Fatal(err)
				}
				for range n {
					if err := d.Add(strings.NewReader(body), 0, nil, time.Time{}); err != nil {
						b.Fatal(err)
					}
				}
				if _, err := d.Commit(bg); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
