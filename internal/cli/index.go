package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"roost/index"
	"roost/internal/config"
	"roost/internal/serve"
)

type indexCmd struct {
	Status  indexStatusCmd  `cmd:"" help:"Say how far the search indexes are."`
	Rebuild indexRebuildCmd `cmd:"" help:"Build search indexes anew."`
}

// Help is shown by --help.
func (*indexCmd) Help() string {
	return `The search index makes SEARCH fast. It is made and kept by the server itself, in the state directory, from the mail alone: it can be deleted, and
whatever it does not know is searched without it. So there is rarely a reason to rebuild one.

  roost index status
  roost index status --maildir ~/Maildir
  roost index rebuild alice@example.org bob
  roost index rebuild --maildir ~/Maildir`
}

// indexPlaces are the flags that say which indexes are meant.
type indexPlaces struct {
	Users   []string `arg:"" optional:"" name:"user" help:"Whose index (default: everybody's)."`
	Config  string   `help:"Configuration that names the users (default ${config})." placeholder:"FILE"`
	Maildir string   `help:"The index of a Maildir that is served without a configuration." placeholder:"DIR"`
	State   string   `help:"With --maildir: the directory of Roost's own files." placeholder:"DIR"`
}

func (p *indexPlaces) find(std *streams) (places []serve.Place, c *config.Config, err error) {
	if p.Maildir != "" {
		if p.Config != "" || len(p.Users) > 0 {
			return nil, nil, usageError("name --maildir, or a configuration and users, not both")
		}
		place, err := serve.PlaceOf(p.Maildir, p.State)
		return []serve.Place{place}, config.Default(), err
	}
	if c, err = load(p.Config); err != nil {
		return nil, nil, err
	}
	places, err = serve.Places(c, newLog(std.err, config.Log{Level: "error", Format: "text"}))
	if err != nil {
		return nil, nil, err
	}
	for _, name := range p.Users {
		if !slices.ContainsFunc(places, func(p serve.Place) bool { return p.User == name }) {
			return nil, nil, fmt.Errorf("no user %q in %s; `roost user list` shows them", name, c.Auth.PasswdFile)
		}
	}
	if len(p.Users) > 0 {
		places = slices.DeleteFunc(places, func(place serve.Place) bool { return !slices.Contains(p.Users, place.User) })
	}
	return places, c, nil
}

type indexStatusCmd struct{ indexPlaces }

func (c *indexStatusCmd) Run(std *streams) error {
	places, _, err := c.find(std)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	var failed []error
	for _, p := range places {
		name := p.User
		if name == "" {
			name = c.Maildir
		}
		now, err := index.ReadProgress(p.Dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			fmt.Fprintf(w, "%s\tno index yet; the server makes it\n", name)
			continue
		case err != nil:
			failed = append(failed, fmt.Errorf("index of %s: %w", name, err))
			continue
		}
		state := "complete"
		if now.Waiting > 0 {
			state = fmt.Sprintf("working: %d of %d mailboxes left, of this one %d of %d messages done", now.Waiting, now.Mailboxes, now.Indexed, now.Messages)
		}
		if now.Unread > 0 {
			state += fmt.Sprintf(", %d attachments cannot be read (the log says why)", now.Unread)
		}
		fmt.Fprintf(w, "%s\t%d messages\t%d MB\t%s\tas of %s\n", name, now.Documents, (now.Octets+500_000)/1_000_000, state,
			now.Updated.Format(time.DateTime))
	}
	return errors.Join(append(failed, w.Flush())...)
}

type indexRebuildCmd struct{ indexPlaces }

func (c *indexRebuildCmd) Run(std *streams) error {
	places, conf, err := c.find(std)
	if err != nil {
		return err
	}
	if !conf.Search.Enabled {
		return conf.Wrong("search.enabled", errors.New("searches read the messages, and no index is made; set it to true, or leave the key out"))
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	log := newLog(std.err, config.Log{Level: "warn", Format: "text"})
	var failed []error
	for _, p := range places {
		name := p.User
		if name == "" {
			name = c.Maildir
		}
		var last index.Progress
		bar := newBar(std, name)
		err := p.Rebuild(ctx, serve.SearchOf(&conf.Search), log, func(now index.Progress) {
			last = now
			bar.show(now)
		})
		bar.end()
		switch {
		case err == nil:
			fmt.Fprintf(std.out, "%s: %d messages, %d MB\n", name, last.Documents, (last.Octets+500_000)/1_000_000)
		case errors.Is(err, serve.ErrNoMail):
			fmt.Fprintf(std.out, "%s: %v\n", name, err)
		case errors.Is(err, serve.ErrNotBegun):
			return err
		case errors.Is(err, context.Canceled):
			return errors.New("interrupted; the server builds what is missing")
		default: // the others can have theirs
			failed = append(failed, fmt.Errorf("index of %s: %w", name, err))
		}
	}
	return errors.Join(failed...)
}

// bar is a progress bar on a terminal, and nothing elsewhere: one for each mailbox, as how many messages are to come is known of that one only.
type bar struct {
	name    string
	on      *progressbar.ProgressBar
	waiting int
}

func newBar(std *streams, name string) *bar {
	if f, ok := std.err.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		return &bar{}
	}
	return &bar{name: name}
}

func (b *bar) show(now index.Progress) {
	if b.name == "" || now.Messages == 0 {
		return
	}
	if b.on == nil || b.waiting != now.Waiting {
		b.end()
		b.waiting = now.Waiting
		b.on = progressbar.NewOptions(now.Messages, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionShowCount(), progressbar.OptionShowIts(),
			progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(),
			progressbar.OptionSetDescription(fmt.Sprintf("%s, mailbox %d of %d", b.name, now.Mailboxes-now.Waiting+1, now.Mailboxes)))
	}
	_ = b.on.Set(now.Indexed)
}

func (b *bar) end() {
	if b.on != nil {
		_ = b.on.Finish()
		b.on = nil
	}
}
