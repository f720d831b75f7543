package maildir

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

// replace has a message take the place of another.
func (b *box) replace(src *Mailbox, old uint32, body string) (uint32, error) {
	b.t.Helper()
	d, err := b.NewDelivery()
	if err != nil {
		b.t.Fatal(err)
	}
	defer d.Abort()
	if err := d.Add(strings.NewReader(body), Draft, nil, time.Time{}); err != nil {
		b.t.Fatal(err)
	}
	return d.Replace(bg, src, old)
}

// Who waits for news is called once, and asks for all that has changed.
func TestReplaceIsOneChange(t *testing.T) {
	b := reopen(t, t.TempDir(), t.TempDir())
	old := b.append("old\n", Seen)
	since := b.Now()
	wake, stop := b.Wait()
	defer stop()
	uid, err := b.replace(b.Mailbox, old, "new\n")
	if err != nil || b.body(uid) != "new\n" {
		t.Fatalf("%d, %v", uid, err)
	}
	<-wake
	select {
	case <-wake:
		t.Error("two calls")
	default:
	}
	ch := b.Changes(since)
	if len(ch.Changed) != 1 || ch.Changed[0].UID != uid || ch.Changed[0].Flags != Draft || len(ch.Expunged) != 1 || ch.Expunged[0] != old {
		t.Errorf("changes are %+v", ch)
	}
	if _, err := b.replace(b.Mailbox, old, "newer\n"); !errors.Is(err, ErrGone) {
		t.Errorf("a message that is gone was replaced: %v", err)
	}
	if all := contents(t, b.Mailbox); len(all) != 1 || all["new\n"] != 1 {
		t.Errorf("there is %v", all)
	}
}

// Of several who replace the same message, one does.
func TestReplaceAtOnce(t *testing.T) {
	b := reopen(t, fastDir(t), fastDir(t))
	if err := b.store.Create("Dst"); err != nil {
		t.Fatal(err)
	}
	dst, err := b.store.Open("Dst")
	if err != nil {
		t.Fatal(err)
	}
	defer dst.Release()
	targets := []*box{b, {Mailbox: dst, t: t}}
	for range 20 {
		old := b.append("old\n", 0)
		var wg sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for i := range 4 {
			wg.Go(func() {
				_, err := targets[i%2].replace(b.Mailbox, old, "new\n")
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won++
				} else if !errors.Is(err, ErrGone) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		all := contents(t, b.Mailbox, dst)
		if won != 1 || all["new\n"] != 1 || all["old\n"] != 0 {
			t.Fatalf("%d have replaced it; there is %v", won, all)
		}
		for _, box := range targets {
			if _, err := box.Expunge(bg, box.UIDs()); err != nil {
				t.Fatal(err)
			}
		}
	}
}
