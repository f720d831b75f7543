package serve

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestGarbagePercentOf(t *testing.T) {
	for _, tt := range []struct {
		inUse uint64
		want  int
	}{
		{0, 100}, {30 << 20, 100}, {48 << 20, 100}, {96 << 20, 50}, {192 << 20, 25}, {1 << 30, 20},
	} {
		if got := garbagePercentOf(tt.inUse); got != tt.want {
			t.Errorf("%d in use: %d, want %d", tt.inUse, got, tt.want)
		}
	}
}

// TestLimitGarbage has a large list in use and lets it go again, and looks what the collector is told.
func TestLimitGarbage(t *testing.T) {
	t.Setenv("GOGC", "")
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	limitGarbage()
	percent := func() int {
		p := debug.SetGCPercent(100)
		debug.SetGCPercent(p)
		return p
	}
	await := func(what string, ok func(int) bool) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); !ok(percent()); time.Sleep(time.Millisecond) {
			if runtime.GC(); time.Now().After(end) {
				t.Fatalf("%s: GOGC is %d", what, percent())
			}
		}
	}
	list := make([]byte, 256<<20)
	await("with a large list", func(p int) bool { return 20 <= p && p <= 25 })
	runtime.KeepAlive(list)
	list = nil
	await("without it", func(p int) bool { return p == 100 })
}
