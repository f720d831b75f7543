package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Strings is a list; in the file one string may stand for a list of one. An empty string is an empty list.
type Strings []string

// Size is a number of octets: an integer, or a string with a unit ("64 KiB", "100 MiB", "1 GB").
type Size int64

// Duration is written "30m", "60s", "1h30m".
type Duration time.Duration

// units of sizes in lower case.
var units = map[string]int64{
	"": 1, "b": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "kb": 1e3, "mb": 1e6, "gb": 1e9, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30,
}

// ParseSize reads a size.
func ParseSize(s string) (Size, error) {
	text := strings.TrimSpace(s)
	end := strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(text)
	}
	n, err := strconv.ParseInt(text[:end], 10, 64)
	unit, ok := units[strings.ToLower(strings.TrimSpace(text[end:]))]
	if err != nil || !ok {
		return 0, fmt.Errorf("%q is not a size; write it like \"64 KiB\" or \"100 MiB\"", s)
	}
	if n > math.MaxInt64/unit {
		return 0, fmt.Errorf("%q is too large", s)
	}
	return Size(n * unit), nil
}

// String writes the size as a person would.
func (s Size) String() string {
	for _, u := range []struct {
		n    Size
		name string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if s >= u.n && s%u.n == 0 {
			return fmt.Sprintf("%d %s", s/u.n, u.name)
		}
	}
	return fmt.Sprintf("%d B", int64(s))
}

// Memory is an amount of memory: a size, or a share of what the machine or the control group has.
type Memory struct {
	Size    Size
	Percent int // counts when Size is 0
}

// ParseMemory reads "512 MiB" or "50%".
func ParseMemory(s string) (Memory, error) {
	digits, share := strings.CutSuffix(strings.TrimSpace(s), "%")
	if !share {
		size, err := ParseSize(s)
		if err != nil {
			return Memory{}, fmt.Errorf("%q is neither a size like \"512 MiB\" nor a share like \"50%%\"", s)
		}
		return Memory{Size: size}, nil
	}
	n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 16)
	if err != nil || n < 1 || n > 100 {
		return Memory{}, fmt.Errorf("%q is not a share of the memory, \"1%%\" to \"100%%\"", s)
	}
	return Memory{Percent: int(n)}, nil
}

// String writes the amount as the file has it.
func (m Memory) String() string {
	if m.Size > 0 {
		return m.Size.String()
	}
	return fmt.Sprintf("%d%%", m.Percent)
}

// Of is the amount in octets, when there are total octets.
func (m Memory) Of(total int64) int64 {
	if m.Size > 0 {
		return int64(m.Size)
	}
	return total / 100 * int64(m.Percent)
}

// ParseDuration reads a duration.
func ParseDuration(s string) (Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a duration; write it like \"60s\", \"30m\" or \"1h30m\"", s)
	}
	return Duration(d), nil
}

func (d Duration) String() string { return time.Duration(d).String() }
