package pipeline

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Forever is a retention without end.
const Forever time.Duration = -1

// parseDuration reads Go's durations (1h30m, 20ms) and whole days (7d).
func parseDuration(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 31)
		if err != nil || n > math.MaxInt64/uint64(24*time.Hour) {
			return 0, fmt.Errorf("%q is not a duration; write it like 500ms, 30s, 2h or 7d", s)
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a duration; write it like 500ms, 30s, 2h or 7d", s)
	}
	return d, nil
}

// parseRange reads two durations, min..max.
func parseRange(s string) (lo, hi time.Duration, err error) {
	a, b, ok := strings.Cut(s, "..")
	if !ok {
		return 0, 0, fmt.Errorf("%q is not a range of durations; write it like 100ms..10s", s)
	}
	if lo, err = parseDuration(strings.TrimSpace(a)); err != nil {
		return 0, 0, err
	}
	if hi, err = parseDuration(strings.TrimSpace(b)); err != nil {
		return 0, 0, err
	}
	if lo <= 0 || hi < lo {
		return 0, 0, fmt.Errorf("%q is not a range of durations: it must rise from more than zero", s)
	}
	return lo, hi, nil
}

var units = []struct {
	name  string
	bytes int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}, {"", 1}}

// parseSize reads a number of bytes, with or without a unit.
func parseSize(s string) (int64, error) {
	for _, u := range units {
		digits, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n <= 0 || n > math.MaxInt64/u.bytes {
			break
		}
		return n * u.bytes, nil
	}
	return 0, fmt.Errorf("%q is not a size; write it like 65536, 512KiB or 4MiB", s)
}
