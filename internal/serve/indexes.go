package serve

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"roost/index"
	"roost/internal/auth"
	"roost/internal/config"
	"roost/maildir"
)

// Place is where the search index of a mail root is.
type Place struct {
	User string // who logs in; "" when that does not matter
	Dir  string
	mail maildir.Options
}

// ErrNoMail says that there is no Maildir yet.
var ErrNoMail = errors.New("no mail yet")

// ErrNotBegun says that an index was not built anew, and will not be.
var ErrNotBegun = errors.New("interrupted; the index is the one that was there")

// Places are the indexes of a configuration's users, by name, without those whose mail cannot be found.
func Places(c *config.Config, log *slog.Logger) ([]Place, error) {
	service, err := auth.NewFile(c.Auth.PasswdFile, auth.Options{DefaultScheme: c.Auth.DefaultScheme, Log: log})
	if err != nil {
		return nil, c.Wrong("auth.passwd_file", err)
	}
	var places []Place
	users := service.Users()
	slices.SortFunc(users, func(a, b *auth.User) int { return strings.Compare(a.Name, b.Name) })
	for _, u := range users {
		o, err := locate(&c.Mail, &c.Limits, u)
		if err != nil {
			log.Error("the mail of a user cannot be found", "user", u.Name, "err", err)
			continue
		}
		places = append(places, Place{u.Name, filepath.Join(o.State, indexDir), o})
	}
	return places, nil
}

// PlaceOf is the index of a single Maildir; state is "" for its usual place.
func PlaceOf(root, state string) (Place, error) {
	root, fresh, err := examine(root)
	if err != nil {
		return Place{}, err
	} else if fresh {
		return Place{}, fmt.Errorf("%s has no mail", root)
	}
	if state == "" {
		if state, err = DefaultState(root); err != nil {
			return Place{}, err
		}
	}
	o := singleOptions(root, state)
	return Place{"", filepath.Join(o.State, indexDir), o}, nil
}

// Rebuild builds the index anew, as configured, and tells its progress: in the process that serves the mail, or in this one when there is none, if
// need be after another one like it. ErrNoMail. When ctx ends, what has not begun is not done.
func (p *Place) Rebuild(ctx context.Context, search Search, log *slog.Logger, told func(index.Progress)) error {
	if _, err := os.Stat(p.mail.Root); errors.Is(err, fs.ErrNotExist) {
		return ErrNoMail
	}
	if err := os.MkdirAll(p.Dir, 0o700); err != nil {
		return err
	}
	for asked := false; ; {
		x, err := index.Open(p.Dir, search.options(), log)
		if err == nil {
			return p.build(ctx, x, search, told)
		} else if !errors.Is(err, index.ErrInUse) {
			return err
		}
		if !asked {
			asked = true
			if err := index.AskRebuild(p.Dir); err != nil {
				return err
			}
		}
		if done, err := p.watch(ctx, told); done || err != nil {
			return err
		}
	}
}

// build builds the index in this process, and closes it.
func (p *Place) build(ctx context.Context, x *index.Index, search Search, told func(index.Progress)) error {
	defer x.Close()
	x.Clear()
	o := p.mail
	o.Create = false
	store, err := maildir.OpenStore(o)
	if err != nil {
		return err
	}
	defer store.Close()
	return x.Update(ctx, index.Follower{Store: store, Memory: search.Memory, Told: told})
}

// watch looks for a second at what another process does that was asked to build the index.
func (p *Place) watch(ctx context.Context, told func(index.Progress)) (done bool, err error) {
	for range 5 {
		select {
		case <-ctx.Done():
			if index.UnaskRebuild(p.Dir) == nil {
				return false, ErrNotBegun
			}
			return false, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
		begun := !index.RebuildAsked(p.Dir) // otherwise the progress is that of what it does before
		now, err := index.ReadProgress(p.Dir)
		if err != nil || !begun && now.Waiting == 0 {
			continue
		}
		told(now)
		if begun && now.Waiting == 0 {
			return true, nil
		}
	}
	return false, nil
}
