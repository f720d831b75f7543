// Package systemd speaks with the service manager: the sockets it passes (sd_listen_fds(3)) and what it wants to know (sd_notify(3)). Without
// one, in a terminal, everything here does nothing.
package systemd

import (
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
)

// Sockets returns the listening sockets that were passed, by the name that FileDescriptorName= gives them; nil when there are none. Only the
// first call finds them.
func Sockets() map[string][]net.Listener {
	sockets, _ := activation.ListenersWithNames() // no error is ever returned
	if len(sockets) == 0 {
		return nil
	}
	return sockets
}

// Notifier tells the service manager how things are. For one goroutine.
type Notifier struct {
	log    *slog.Logger
	failed bool
}

// NewNotifier returns a notifier. That the manager cannot be told is in the log once.
func NewNotifier(log *slog.Logger) *Notifier { return &Notifier{log: log} }

// Ready says that connections are accepted, again after Reloading.
func (n *Notifier) Ready(status string) { n.send(daemon.SdNotifyReady + "\nSTATUS=" + status) }

// Reloading says that files are read again; Ready must follow.
func (n *Notifier) Reloading() {
	n.send(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
}

// Stopping says that the end has begun.
func (n *Notifier) Stopping() { n.send(daemon.SdNotifyStopping) }

// Alive is for the watchdog.
func (n *Notifier) Alive(status string) { n.send(daemon.SdNotifyWatchdog + "\nSTATUS=" + status) }

func (n *Notifier) send(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil && !n.failed {
		n.failed = true
		n.log.Warn("the service manager cannot be told", "err", err)
	}
}

// Watchdog is how often Alive has to be called, which is half the time that the manager waits; 0 when it did not ask (WatchdogSec=).
func Watchdog() (time.Duration, error) {
	d, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return 0, fmt.Errorf("WATCHDOG_USEC, WATCHDOG_PID: %w", err)
	}
	return d / 2, nil
}
