package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// madeFile says in a directory that is kept how much decoded text its mail has, once all of it is there.
const madeFile = "octets"

// fill gives each side its mail: generated, or as another run left it.
func (b *searchBench) fill(work string, sides []*side) error {
	start, o := time.Now(), b.opt
	t := tree{seed: o.seed, owner: o.owner()}
	template := filepath.Join(work, "template")
	made := filepath.Join(work, madeFile)
	text, err := os.ReadFile(made)
	switch {
	case err == nil:
		octets, err := strconv.ParseInt(string(text), 10, 64)
		if err != nil {
			return fmt.Errorf("%s: %w", made, err)
		}
		b.mail.octets.Store(octets)
	case errors.Is(err, fs.ErrNotExist):
		if err := t.fill(filepath.Join(template, mainUser, "Maildir"), o.messages, b.mail.write); err != nil {
			return err
		}
		if err := t.own(template); err != nil {
			return err
		}
	default:
		return err
	}
	for _, s := range sides {
		s.all = []*side{s} // one after the other: each is alone
		if _, err := os.Stat(s.mail); err == nil {
			continue
		}
		if err := t.copyTo(template, s.mail); err != nil {
			return err
		}
	}
	if err := os.WriteFile(made, strconv.AppendInt(nil, b.mail.octets.Load(), 10), 0o644); err != nil {
		return err
	}
	if _, err := os.Stat(xapianPath); err == nil && b.peer != nil && o.xapian > 0 {
		b.few = &prose{words: b.mail.words}
		oldest := func(a *author, i, _ int) message { return b.few.write(a, i, o.messages) }
		if err := t.fill(filepath.Join(b.peer.mail, mainUser, "Maildir", "."+workBox), o.xapian, oldest); err != nil {
			return err
		}
		if err := t.own(b.peer.mail); err != nil {
			return err
		}
	}
	octets, err := t.warm(template)
	o.progress("%6.1f s  %d messages, %d MB, %d MB of decoded text\n", time.Since(start).Seconds(), o.messages, octets>>20, b.mail.octets.Load()>>20)
	return err
}

// indexProgress is what a server says of an index that it builds, in the file that `roost index status` reads.
type indexProgress struct{ Documents, Waiting int }

func (r *roost) indexFiles() string { return filepath.Join(r.state(), "users", mainUser, "search") }

func (r *roost) progressFile() string { return filepath.Join(r.indexFiles(), "progress") }

// progress reads it; nothing is known of an index that was not begun.
func (b *searchBench) progress() (now indexProgress, err error) {
	text, err := os.ReadFile(b.server.progressFile())
	if errors.Is(err, fs.ErrNotExist) {
		return now, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &now)
	}
	return now, err
}

// awaitIndex waits until all mail is in the index, and calls watch meanwhile.
func (b *searchBench) awaitIndex(ctx context.Context, messages int, watch func()) error {
	var last indexProgress
	for moved := time.Now(); time.Since(moved) < patience; {
		if watch != nil {
			watch()
		}
		now, err := b.progress()
		if err != nil {
			return err
		}
		if now.Waiting == 0 && now.Documents >= messages {
			return nil
		}
		if now != last {
			last, moved = now, time.Now()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(max(20*time.Millisecond, time.Duration(messages-now.Documents)*2*time.Microsecond)): // looking costs time, too
		}
	}
	return fmt.Errorf("%d messages were not indexed: nothing moved in %v", messages, patience)
}
