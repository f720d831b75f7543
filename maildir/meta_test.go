package maildir

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
)

// TestMetaBatch finds out facts from several goroutines, and looks whether the cache gives the same, in a file that is read from front to back.
func TestMetaBatch(t *testing.T) {
	root, state := t.TempDir(), t.TempDir()
	b := reopen(t, root, state)
	const n = 60
	for i := range n {
		b.put("cur", fmt.Sprintf("%d.a.h:2,", 1000+i), fmt.Sprintf("Subject: %d\nX-Long: %s\n\nx\n", i, strings.Repeat("y", i*7)))
	}
	b.sync()
	uids := b.UIDs()
	recs := b.Records(uids, nil)
	batch := b.NewMetaBatch(false)
	var wg sync.WaitGroup
	metas := make([]any, n)
	for first := range 3 {
		wg.Go(func() {
			for i := first; i < n; i += 3 {
				meta, err := batch.Meta(&recs[n-1-i])
				if err != nil {
					t.Error(err)
				}
				metas[n-1-i] = meta
			}
		})
	}
	wg.Wait()
	if got := len(b.Uncached(recs)); got != n {
		t.Errorf("%d of %d are not cached before Close", got, n)
	}
	batch.Close()
	for range 2 {
		if got := b.Uncached(recs); len(got) > 0 {
			t.Errorf("not cached: %v", got)
		}
		var last uint32
		r := b.NewMetaReader()
		for i, uid := range uids {
			if meta := r.Cached(uid); !reflect.DeepEqual(meta, metas[i]) {
				t.Errorf("UID %d: %+v, want %+v", uid, meta, metas[i])
			}
			b.mu.Lock()
			at := b.recs.find(uid).meta
			b.mu.Unlock()
			if at <= last {
				t.Errorf("UID %d: entry at %d behind one at %d", uid, at, last)
			}
			last = at
			if rec := b.rec(uid); !reflect.DeepEqual(rec, recs[i]) {
				t.Errorf("record %+v, told %+v", rec, recs[i])
			}
		}
		r.Close()
		b.shut()
		b = reopen(t, root, state)
		recs = b.Records(uids, nil)
	}
}

// TestIdentified: identifiers are found out when they are asked for, kept, and those of the octets of the file.
func TestIdentified(t *testing.T) {
	root, state := t.TempDir(), t.TempDir()
	b := reopen(t, root, state)
	b.put("cur", "1.a.h:2,", "Message-ID: <a@b>\n\nx\n")
	b.put("cur", "2.b.h:2,", "Subject: alone\n\nx\n")
	b.sync()
	for uid, threaded := range map[uint32]bool{1: true, 2: false} {
		meta, err := b.Meta(uid)
		if err != nil || meta.HasEmailID || meta.HasThreadID != threaded {
			t.Errorf("UID %d: %+v, %v", uid, meta, err)
		}
		full, err := b.Identified(uid)
		if err != nil || !full.HasEmailID || !full.HasThreadID || (full.ThreadID == full.EmailID) == threaded || threaded && full.ThreadID != meta.ThreadID {
			t.Errorf("UID %d: %+v, %v", uid, full, err)
		}
		again, err := b.Meta(uid)
		if err != nil || !reflect.DeepEqual(again, full) {
			t.Errorf("UID %d: %+v, %v, was %+v", uid, again, err, full)
		}
		b.shut()
		b = reopen(t, root, state)
		if again, err = b.Identified(uid); err != nil || !reflect.DeepEqual(again, full) {
			t.Errorf("UID %d: %+v, %v, was %+v", uid, again, err, full)
		}
		r := b.NewMetaReader()
		if cached := r.Cached(uid); !reflect.DeepEqual(cached, full) {
			t.Errorf("UID %d is cached as %+v, want %+v", uid, cached, full)
		}
		r.Close()
	}
}
