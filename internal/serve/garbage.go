package serve

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// Mail lists and dictionaries have no pointers, so that collecting garbage takes little time however large they are. That is why the garbage between
// two collections need not grow with them: it may be as much as what is in use, Go's rule, until that is garbageMost, and no more beyond.
const (
	garbageMost    = 48 << 20 // octets
	garbagePercent = 100      // of what is in use, at most
	garbageLeast   = 20       // and at least
)

// garbagePercentOf is what GOGC is to be when so many octets are in use.
func garbagePercentOf(inUse uint64) int {
	return int(min(max(garbageMost*100/max(inUse, 1), garbageLeast), garbagePercent))
}

// limitGarbage keeps that rule from now on. GOGC in the environment wins.
func limitGarbage() {
	if os.Getenv("GOGC") == "" {
		(&collections{percent: garbagePercent}).next()
	}
}

// collections hears of the ends of collections, in the goroutine of finalizers.
type collections struct {
	percent int // as it is set
	live    [1]metrics.Sample
}

// next lets done be called after the next collection.
func (c *collections) next() {
	runtime.SetFinalizer(new(*collections), func(**collections) { c.done() })
}

func (c *collections) done() {
	c.live[0].Name = "/gc/heap/live:bytes"
	metrics.Read(c.live[:])
	p := garbagePercentOf(c.live[0].Value.Uint64())
	if p < c.percent*9/10 || p > c.percent*11/10 || p == garbagePercent && c.percent < p { // setting it stops everybody for a moment
		c.percent = p
		debug.SetGCPercent(p)
	}
	c.next()
}
