package auth

import (
	"context"
	"math"
	"net/netip"
	"sync"
	"time"
)

// How a failing address is slowed down.
const (
	firstWait    = 500 * time.Millisecond // doubled for each further failure
	forgetAfter  = 30 * time.Second       // one failure is forgotten each
	keptFailures = 20                     // more are not counted, beside those that are free
	together     = 8                      // tries of a failing address at the same time; more wait as long as if they came one after another
	maxAddresses = 10_000
)

// backoff remembers which remote addresses fail to log in. Each waits for its own failures only. Safe for concurrent use.
type backoff struct {
	now     func() time.Time
	free    int           // with so many failures, at least 1, an address has to wait before its next try
	longest time.Duration // wait

	mu    sync.Mutex // protects addrs and the counters in it; never held while waiting
	addrs map[netip.Prefix]*address
}

type address struct {
	failures float64 // as of last
	last     time.Time
	users    int           // requests that hold on to this record
	turn     chan struct{} // capacity 1: one hashed password at a time
}

func newBackoff(free int, longest time.Duration) *backoff {
	return &backoff{now: time.Now, free: max(free, 1), longest: longest, addrs: map[netip.Prefix]*address{}}
}

// keyOf takes an IPv6 customer's whole /64 for one address.
func keyOf(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits)
	return p
}

// failed counts decayed failures.
func (a *address) score(now time.Time) float64 {
	return max(0, a.failures-now.Sub(a.last).Seconds()/forgetAfter.Seconds())
}

// enter finds the record of an address; leave must follow.
func (b *backoff) enter(from netip.Addr) *address {
	key := keyOf(from)
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.addrs[key]
	if a == nil {
		if len(b.addrs) >= maxAddresses {
			b.evict()
		}
		a = &address{turn: make(chan struct{}, 1), last: b.now()}
		b.addrs[key] = a
	}
	a.users++
	return a
}

// evict makes room: of a few records in no order the least failing one goes. Records in use stay; there are no more of those than connections.
func (b *backoff) evict() {
	now, n := b.now(), 0
	var least netip.Prefix
	for key, a := range b.addrs {
		if a.users > 0 {
			continue
		}
		if old, ok := b.addrs[least]; !ok || a.score(now) < old.score(now) {
			least = key
		}
		if n++; n == 16 {
			break
		}
	}
	delete(b.addrs, least)
}

// leave lets go of a record and counts the outcome: +1 for a failure; a success takes half of the failures away.
func (b *backoff) leave(from netip.Addr, a *address, failed, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	a.failures, a.last = a.score(now), now
	switch {
	case failed:
		a.failures = min(a.failures+1, float64(b.free+keptFailures))
	case ok:
		a.failures /= 2
	}
	if a.users--; a.users == 0 && a.failures < 0.5 {
		delete(b.addrs, keyOf(from))
	}
}

// wait is how long the address has to wait before its next try.
func (b *backoff) wait(a *address) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	over := int(math.Ceil(a.score(b.now()))) - b.free
	if over < 0 {
		return 0
	}
	return min(b.longest, firstWait<<min(over, 10)) * time.Duration(1+(a.users-1)/together)
}

// pause waits, or returns ctx's error when that ends first.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
