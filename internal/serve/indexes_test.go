package serve

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"roost/index"
	"roost/maildir"
)

// newPlace is the index of a Maildir with one message.
func newPlace(t *testing.T) *Place {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, "mail", d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "mail/cur/1.M1P1.host:2,"), []byte("Subject: x\r\n\r\ntext\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := PlaceOf(filepath.Join(dir, "mail"), filepath.Join(dir, "state"))
	if err != nil {
		t.Fatal(err)
	}
	return &p
}

// rebuild starts Rebuild; the channel has its end.
func rebuild(ctx context.Context, p *Place) chan error {
	done := make(chan error, 1)
	go func() { done <- p.Rebuild(ctx, Search{}, quiet, func(index.Progress) {}) }()
	return done
}

// asked waits until another process is asked to build the index.
func asked(t *testing.T, p *Place) {
	t.Helper()
	for range 500 {
		if index.RebuildAsked(p.Dir) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("nobody is asked")
}

// expectRebuilt waits for the end of Rebuild.
func expectRebuilt(t *testing.T, p *Place, done chan error) {
	t.Helper()
	select {
	case err := <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it does not end")
	}
	if now, err := index.ReadProgress(p.Dir); err != nil || now.Documents != 1 || now.Waiting != 0 {
		t.Errorf("%+v, %v", now, err)
	}
	if index.RebuildAsked(p.Dir) {
		t.Error("the request is still there")
	}
}

// hold opens the index as another process would.
func hold(t *testing.T, p *Place) *index.Index {
	t.Helper()
	x, err := index.Open(p.Dir, index.Options{}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// TestRebuildByServer: the process that serves the mail builds the index anew.
func TestRebuildByServer(t *testing.T) {
	p := newPlace(t)
	x := hold(t, p)
	defer x.Close()
	store, err := maildir.OpenStore(p.mail)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if err := x.Update(t.Context(), index.Follower{Store: store}); err != nil { // what Rebuild must not take for its own
		t.Fatal(err)
	}
	done := rebuild(t.Context(), p)
	asked(t, p)
	ctx, stop := context.WithCancel(t.Context())
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		x.Follow(ctx, index.Follower{Store: store, Pause: 10 * time.Millisecond})
	}()
	expectRebuilt(t, p, done)
	stop()
	<-followed
}

// TestRebuildAfterAnother: a process that has the index and takes no requests, as another rebuild does, is waited for.
func TestRebuildAfterAnother(t *testing.T) {
	p := newPlace(t)
	x := hold(t, p)
	done := rebuild(t.Context(), p)
	asked(t, p)
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	expectRebuilt(t, p, done)
}

// TestRebuildInterrupted: who is interrupted while waiting takes the request back, and nothing is built later.
func TestRebuildInterrupted(t *testing.T) {
	p := newPlace(t)
	x := hold(t, p)
	defer x.Close()
	ctx, interrupt := context.WithCancel(t.Context())
	done := rebuild(ctx, p)
	asked(t, p)
	interrupt()
	if err := <-done; !errors.Is(err, ErrNotBegun) {
		t.Errorf("%v", err)
	}
	if index.RebuildAsked(p.Dir) {
		t.Error("the request is still there")
	}
}
