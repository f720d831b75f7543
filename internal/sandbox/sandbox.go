// Package sandbox gives up what the process does not need of the file system, for good, with Landlock (landlock(7), Linux 5.19 or newer), so that
// a mistake in Roost cannot be used to read or write anything else. What is open already stays open; new connections, inotify, looking at
// attributes and sending signals are not restricted.
package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/landlock-lsm/go-landlock/landlock"
	right "github.com/landlock-lsm/go-landlock/landlock/syscall"
)

// needed is the first version of Landlock that is of use: before it nothing could be moved from one directory to another, and mail is delivered
// by moving it from tmp/.
const needed = 2

// What may be done below the directories that are written to: no program is run from there, and no device, socket or link is made.
const (
	readOnly  = right.AccessFSReadFile | right.AccessFSReadDir
	readWrite = readOnly | right.AccessFSWriteFile | right.AccessFSTruncate | right.AccessFSMakeReg | right.AccessFSMakeDir |
		right.AccessFSRemoveFile | right.AccessFSRemoveDir | right.AccessFSRefer
)

// runtimeFiles are what Go's library reads when it is needed for the first time: names of hosts and time zones.
var runtimeFiles = []string{
	"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/services", "/etc/localtime",
	"/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/usr/lib/locale/TZ", "/etc/zoneinfo",
}

// Paths are what is left of the file system, absolute paths. A rule holds on to the directory it was made for: one that is replaced by another
// of the same name is no longer part of it, a file in it may be replaced.
type Paths struct {
	Write []string // directories that are read and written with all that is in them; they must exist
	Read  []string // files, and directories with all that is in them; what does not exist is left out
	Self  bool     // this program may be run again: as it is now, whatever replaces it
}

// ErrUnsupported says that this kernel has no Landlock, or one that is too old.
var ErrUnsupported = errors.New("this kernel has no Landlock, or it is turned off")

// Confine restricts the process, all of its threads, to paths and returns the version of Landlock that is in force. It cannot be undone. With an
// error nothing is restricted.
func Confine(p Paths) (version int, err error) {
	if version, err = right.LandlockGetABIVersion(); err != nil || version < needed {
		return 0, ErrUnsupported
	}
	rules := []landlock.Rule{landlock.PathAccess(readWrite, p.Write...)}
	for _, path := range append(slices.Concat(p.Read, runtimeFiles), os.Getenv("ZONEINFO")) {
		fi, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		case err != nil:
			return 0, err
		case fi.IsDir():
			rules = append(rules, landlock.PathAccess(readOnly, path).IgnoreIfMissing())
		default:
			rules = append(rules, landlock.PathAccess(right.AccessFSReadFile, path).IgnoreIfMissing())
		}
	}
	if p.Self {
		program, err := program()
		if err != nil {
			return 0, err
		}
		rules = append(rules, program...)
	}
	// Rights of later versions are left alone, so that a new kernel takes nothing away that was not tried.
	if err := landlock.V7.BestEffort().RestrictPaths(rules...); err != nil {
		return 0, fmt.Errorf("landlock: %w", err)
	}
	return version, nil
}

// program is what running this program takes: itself, and when it is linked dynamically, what it was linked with, all of which it has mapped.
func program() ([]landlock.Rule, error) {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return nil, err
	}
	const run = right.AccessFSReadFile | right.AccessFSExecute
	rules := []landlock.Rule{landlock.PathAccess(run, "/proc/self/exe")} // under any name, also when it was replaced
	var paths []string
	for line := range strings.Lines(string(maps)) {
		if fields := strings.Fields(line); len(fields) == 6 && strings.HasPrefix(fields[5], "/") {
			paths = Add(paths, fields[5])
		}
	}
	return append(rules,
		landlock.PathAccess(run, paths...).IgnoreIfMissing(),
		landlock.PathAccess(right.AccessFSReadFile, "/etc/ld.so.cache").IgnoreIfMissing()), nil
}

// Covers tells whether a path is below the directories that are written to, as far as names say: symbolic links are not looked at.
func (p *Paths) Covers(path string) bool {
	return slices.ContainsFunc(p.Write, func(dir string) bool { return Below(dir, path) })
}

// Below tells whether path is dir or in it, by their names.
func Below(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

// Add adds what is not there already.
func Add(list []string, paths ...string) []string {
	for _, path := range paths {
		if !slices.Contains(list, path) {
			list = append(list, path)
		}
	}
	return list
}
