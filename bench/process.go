package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU times in /proc, USER_HZ, which is 100 on every Linux Go runs on.
const tick = 10 * time.Millisecond

// stat reads the fields of /proc/PID/stat behind the command's name: the first is the state, field 3 of proc(5).
func stat(pid int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil // it has ended
	}
	return strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
}

// family is a process and all its descendants.
func family(root int) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return []int{root}
	}
	children := map[int][]int{}
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			if f := stat(pid); len(f) > 1 {
				parent, _ := strconv.Atoi(f[1])
				children[parent] = append(children[parent], pid)
			}
		}
	}
	all := []int{root}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

// cpuTime is what the processes have used, with those children of theirs that have ended.
func cpuTime(pids []int) time.Duration {
	var ticks int64
	for _, pid := range pids {
		if f := stat(pid); len(f) > 15 {
			ticks += total(f[11:15]) // utime, stime, cutime, cstime
		}
	}
	return time.Duration(ticks) * tick
}

// busyTime is what all processes of the machine have used since it started.
func busyTime() time.Duration {
	fields := strings.Fields(field("/proc/stat", "cpu", " "))
	if len(fields) < 7 {
		return 0
	}
	return time.Duration(total(fields[:3])+total(fields[5:7])) * tick // without idle, iowait
}

func total(fields []string) (sum int64) {
	for _, f := range fields {
		n, _ := strconv.ParseInt(f, 10, 64)
		sum += n
	}
	return sum
}

// status is a figure in octets from a process's status file, 0 if it has ended.
func status(pid int, key string) int64 {
	var kib int64
	fmt.Sscan(field(fmt.Sprintf("/proc/%d/status", pid), key, ":"), &kib)
	return kib << 10
}

// memory is the sum of the proportional set sizes in octets: pages that processes share count once.
func memory(pids []int) (int64, error) {
	var sum int64
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if os.IsPermission(err) {
			return 0, fmt.Errorf("%w: measuring memory of all processes needs root", err)
		}
		if err != nil {
			continue // it has ended
		}
		i := slices.Index(strings.Fields(string(text)), "Pss:")
		if i < 0 {
			continue // it is ending
		}
		kib, err := strconv.ParseInt(strings.Fields(string(text))[i+1], 10, 64)
		if err != nil {
			return 0, err
		}
		sum += kib << 10
	}
	return sum, nil
}
