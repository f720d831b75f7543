package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"
)

// cache remembers which passwords were right, so that a mail program that opens ten connections does not hash ten times. It holds MACs of
// user, stored secret and password under a key of this process: nothing in it can be turned back, a changed passwd-file entry cannot match,
// and no user can be taken for another. Wrong passwords are not remembered. Safe for concurrent use.
type cache struct {
	key  [32]byte
	keep time.Duration
	max  int
	now  func() time.Time

	mu    sync.Mutex // protects right
	right map[[32]byte]time.Time
}

func newCache(max int, keep time.Duration) *cache {
	c := &cache{keep: keep, max: max, now: time.Now, right: map[[32]byte]time.Time{}}
	rand.Read(c.key[:])
	return c
}

// id binds user, stored secret and password; lengths go before the texts, so that none can run into the next.
func (c *cache) id(user, stored, password string) (id [32]byte) {
	m := hmac.New(sha256.New, c.key[:])
	for _, s := range []string{user, stored, password} {
		m.Write(binary.BigEndian.AppendUint64(nil, uint64(len(s))))
		m.Write([]byte(s))
	}
	m.Sum(id[:0])
	return id
}

func (c *cache) has(id [32]byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	until, ok := c.right[id]
	return ok && c.now().Before(until)
}

func (c *cache) add(id [32]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if len(c.right) >= c.max {
		n := 0
		for old, until := range c.right { // in no order: of a few, the expired ones go, or else the first
			if n++; now.After(until) || n == 1 {
				delete(c.right, old)
			}
			if n == 16 {
				break
			}
		}
	}
	c.right[id] = now.Add(c.keep)
}

// clear forgets everything.
func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.right)
}
