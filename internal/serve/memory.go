package serve

import (
	"bufio"
	"bytes"
	"io/fs"
	"math"
	"os"
	"path"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"roost/internal/config"
	"roost/maildir"
)

// shares is how the memory ceiling is divided among what grows with clients and mail. What is left is for messages that are being sent, the
// program itself, and the garbage between two collections.
type shares struct {
	ceiling     int64 // octets
	commands    int64 // octets: commands that are received and run
	mailboxes   int64 // octets: mailboxes in memory
	warm        int64 // octets: those of them that nobody uses
	connections int   // at the same time
	hashing     int   // passwords at the same time
	working     int   // messages parsed, and read by SEARCH, at the same time
}

// What one of them takes, with room to spare.
const (
	connectionOctets = 64 << 10 // with TLS
	hashOctets       = 64 << 20 // ARGON2ID as `roost user` writes it
	workOctets       = 8 << 20  // the largest cache entry there can be
)

// share divides a ceiling. Many more work at the same time than there are processors, because some wait for a disk.
func share(ceiling int64) shares {
	return shares{
		ceiling:     ceiling,
		commands:    ceiling / 8,
		mailboxes:   ceiling / 2,
		warm:        ceiling / 8,
		connections: int(max(ceiling/4/connectionOctets, 64)),
		hashing:     int(max(ceiling/4/hashOctets, 1)),
		working:     int(min(max(ceiling/4/workOctets, 1), int64(16*runtime.GOMAXPROCS(0)))),
	}
}

// limitMemory finds out how much memory the server may take and tells Go's garbage collector. GOMEMLIMIT has done that already, if it is set;
// "off" is only about the collector.
func (p *Plan) limitMemory() {
	ceiling := debug.SetMemoryLimit(-1)
	told := os.Getenv("GOMEMLIMIT") != ""
	if !told || ceiling == math.MaxInt64 {
		ceiling = p.Config.Limits.Memory.Of(available(os.DirFS("/")))
	}
	if !told {
		debug.SetMemoryLimit(ceiling)
	}
	limitGarbage()
	p.Log.Info("memory", "ceiling", config.Size(ceiling>>20<<20))
	p.memory = share(ceiling)
	p.budget = maildir.NewBudget(p.memory.working, p.memory.mailboxes, p.memory.warm, warmBoxes(openFiles()))
	l := &p.Config.Limits
	if l.Connections > p.memory.connections {
		p.Log.Info("memory does not suffice for limits.connections", "memory", config.Size(ceiling>>20<<20), "connections", p.memory.connections)
		l.Connections = p.memory.connections
	}
}

// warmBoxes is how many mailboxes that nobody uses stay open: a quarter of the files the process may have is theirs.
func warmBoxes(files uint64) int {
	return int(min(files, 1<<20)) / 4 / maildir.MailboxFiles
}

// openFiles is how many files the process may have open. Go has raised it to what is allowed at most.
func openFiles() uint64 {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 1024 // what it was for decades
	}
	return limit.Cur
}

// unknownMemory is what a machine has that does not say.
const unknownMemory = 1 << 30

// available is how much memory the process can have: that of the machine, or of its control groups if that is less.
func available(root fs.FS) int64 {
	most := int64(unknownMemory)
	if text, err := fs.ReadFile(root, "proc/meminfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); len(f) >= 2 && f[0] == "MemTotal:" {
				if n, err := strconv.ParseInt(f[1], 10, 64); err == nil && n > 0 && n < math.MaxInt64>>10 {
					most = n << 10
				}
			}
		}
	}
	// cgroups(7): hierarchy-ID:controller-list:cgroup-path, the second empty in version 2.
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return most
	}
	lines := bufio.NewScanner(bytes.NewReader(groups))
	for lines.Scan() {
		f := strings.SplitN(lines.Text(), ":", 3)
		if len(f) != 3 {
			continue
		}
		mount, file := "sys/fs/cgroup", "memory.max"
		if f[1] == "memory" {
			mount, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		} else if f[1] != "" {
			continue
		}
		// Each group above has its limit, too.
		for at := path.Clean("/" + f[2]); ; at = path.Dir(at) {
			if text, err := fs.ReadFile(root, path.Join(mount, at, file)); err == nil {
				if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && n > 0 { // not "max"
					most = min(most, n)
				}
			}
			if at == "/" {
				break
			}
		}
	}
	return most
}
