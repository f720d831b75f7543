package serve

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"roost/internal/systemd"
)

// graceful is how long a stopping server waits for its sessions.
const graceful = 8 * time.Second

// renewEvery is how often the state directory is looked at.
const renewEvery = 5 * time.Second

// server is what serves a listener; *imap.Server.
type server interface {
	Serve(l net.Listener, implicitTLS bool) error
	Connections() int
	Shutdown(ctx context.Context) error
}

// Listeners are open sockets.
type Listeners struct {
	Plain, TLS []net.Listener
}

// Listen opens every address of the plan, or takes the sockets that the service manager has opened instead.
func (p *Plan) Listen() (*Listeners, error) {
	if passed := systemd.Sockets(); passed != nil {
		return take(passed)
	}
	ls := &Listeners{}
	for _, group := range []struct {
		addrs []string
		into  *[]net.Listener
		key   string
	}{{p.Config.Listen.IMAP, &ls.Plain, "imap"}, {p.Config.Listen.IMAPS, &ls.TLS, "imaps"}} {
		for _, a := range group.addrs {
			l, err := net.Listen("tcp", a)
			if err != nil {
				ls.Close()
				return nil, p.Config.Wrong("listen."+group.key, explainListen(a, err))
			}
			*group.into = append(*group.into, l)
		}
	}
	return ls, nil
}

// take sorts passed sockets by their names.
func take(passed map[string][]net.Listener) (*Listeners, error) {
	ls := &Listeners{Plain: passed["imap"], TLS: passed["imaps"]}
	delete(passed, "imap")
	delete(passed, "imaps")
	for name := range passed {
		ls.Close()
		return nil, fmt.Errorf("the service manager passed a socket named %q; name it imap or imaps with FileDescriptorName= in the socket unit", name)
	}
	return ls, nil
}

func explainListen(a string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s is in use by another program; stop that or listen elsewhere", a)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("no permission to listen on %s; start as root or with CAP_NET_BIND_SERVICE, or choose a port above 1023", a)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s is not an address of this machine; listen on one that is", a)
	}
	return fmt.Errorf("listening on %s: %w; name an address of this machine and a port", a, err)
}

// All are all listeners.
func (ls *Listeners) All() []net.Listener {
	return append(ls.Plain[:len(ls.Plain):len(ls.Plain)], ls.TLS...)
}

// Close closes all listeners.
func (ls *Listeners) Close() {
	for _, l := range ls.All() {
		l.Close()
	}
}

// Run serves until SIGTERM or SIGINT, or ctx ends; SIGHUP reads certificate and users again. ready is called once connections are accepted.
// A clean stop returns nil.
func (p *Plan) Run(ctx context.Context, ls *Listeners, ready func()) error {
	defer ls.Close()
	if err := p.openMaildir(); err != nil { // not before the sockets are there: a start that fails leaves no Maildir behind
		return err
	}
	if err := p.confine(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)

	manager := systemd.NewNotifier(p.Log)
	var alive <-chan time.Time // never, unless the service manager watches
	every, err := systemd.Watchdog()
	if err != nil {
		return err
	} else if every > 0 {
		t := time.NewTicker(every)
		defer t.Stop()
		alive = t.C
	}

	look := time.NewTicker(renewEvery)
	defer look.Stop()

	srv := p.newServer()
	status := func() string { return fmt.Sprintf("Serving %s, %d connections", p.What, srv.Connections()) }
	failed := make(chan error, len(ls.All()))
	for _, l := range ls.Plain {
		go func() { failed <- srv.Serve(l, false) }()
	}
	for _, l := range ls.TLS {
		go func() { failed <- srv.Serve(l, true) }()
	}
	ready()
	manager.Ready(status())
	indexing := make(chan struct{})
	go func() {
		defer close(indexing)
		p.Stores.IndexAll(ctx, p.users())
	}()
	for running := true; running; {
		select {
		case <-hup:
			p.Log.Info("SIGHUP: reading certificate and users again")
			manager.Reloading()
			p.Cert.Reload()
			p.Auth.Reload()
			manager.Ready(status())
		case <-look.C:
			if renewed, err := p.State.Renew(); err != nil {
				p.Log.Error("the state directory was removed or replaced while serving", "dir", p.State.Dir, "err", err)
			} else if renewed {
				p.Log.Warn("the state directory was emptied or replaced while serving; it is locked again, and filled as mail is used", "dir", p.State.Dir)
			}
		case <-alive:
			manager.Alive(status()) // the lock of the connections is free
		case <-ctx.Done():
			running = false
		case err = <-failed:
			if err == nil {
				err = errors.New("a listener closed by itself")
			}
			running = false
		}
	}
	stop() // a second signal ends the process at once
	p.Log.Info("stopping")
	manager.Stopping()
	last, cancel := context.WithTimeout(context.Background(), graceful)
	defer cancel()
	if serr := srv.Shutdown(last); serr != nil {
		p.Log.Warn("some sessions did not end in time", "err", serr)
	}
	closed := make(chan struct{})
	go func() { <-indexing; p.Stores.Close(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(time.Second):
		p.Log.Warn("mail roots did not close in time; what was acknowledged is on disk")
	}
	return err
}
