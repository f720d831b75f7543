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

// Rebuild builds the index anew, as configured, and tells its progress: in this process, or in the one that serves the mail.
// ErrNoMail.
func (p *Place) Rebuild(ctx context.Context, search Search, log *slog.Logger, told func(index.Progress)) error {
	if _, err := os.Stat(p.mail.Root); errors.Is(err, fs.ErrNotExist) {
		return ErrNoMail
	}
	if err := os.MkdirAll(p.Dir, 0o700); err != nil {
		return err
	}
	began := time.Now()
	x, err := index.Open(p.Dir, search.options(), log)
	if errors.Is(err, index.ErrInUse) {
		if err := index.AskRebuild(p.Dir); err != nil {
			return err
		}
		return p.watch(ctx, began, told)
	} else if err != nil {
		return err
	}
	defer x.Close()
	x.Clear()
	p.mail.Create = false
	store, err := maildir.OpenStore(p.mail)
	if err != nil {
		return err
	}
	defer store.Close()
	return x.Update(ctx, index.Follower{Store: store, Memory: search.Memory, Told: told})
}

// watch follows what another process does.
func (p *Place) watch(ctx context.Context, began time.Time, told func(index.Progress)) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
		if index.RebuildAsked(p.Dir) {
			continue
		}
		now, err := index.ReadProgress(p.Dir)
		if err != nil || now.Updated.Before(began) {
			continue
		}
		told(now)
		if now.Waiting == 0 {
			return nil
		}
	}
}
