package wire

import "sync/atomic"

// Budget bounds the octets that the commands of all connections take while they are received and run, beyond the few that every connection may
// always have. Nil bounds nothing. Safe for concurrent use.
type Budget struct{ left atomic.Int64 }

// NewBudget returns a budget of so many octets.
func NewBudget(octets int64) *Budget {
	b := &Budget{}
	b.left.Store(octets)
	return b
}

// Left is how many octets are left.
func (b *Budget) Left() int64 { return b.left.Load() }

// take tells whether there are n octets left, and takes them.
func (b *Budget) take(n int) bool {
	if b == nil || n <= 0 {
		return true
	}
	if b.left.Add(-int64(n)) >= 0 {
		return true
	}
	b.left.Add(int64(n))
	return false
}

// give gives octets back.
func (b *Budget) give(n int) {
	if b != nil {
		b.left.Add(int64(n))
	}
}
