package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// OffsetKind is how an Offset is meant.
type OffsetKind int

const (
	OffsetStart    OffsetKind = iota + 1 // the oldest record still there
	OffsetEnd                            // after the newest record
	OffsetExact                          // N
	OffsetFromEnd                        // -N: N records before the end
	OffsetRelative                       // +N: N records after the start
	OffsetTime                           // @time: the first record not older than it
)

// Offset is a place in a partition as people write it:
//
//	start | end | 47 | -3 (before the end) | +2 (after the start)
//	@2026-01-15 | @2026-01-15T10:00:00Z | @1768471200000 (ms) | @-1h (ago)
type Offset struct {
	Kind OffsetKind
	N    int64     // of OffsetExact, OffsetFromEnd and OffsetRelative; not negative
	Time time.Time // of OffsetTime
}

// OffsetForms is the help text for flags that take an Offset.
const OffsetForms = "start, end, N, -N (before the end), +N (after the start), @TIME (date, RFC 3339, Unix ms, or -1h for an hour ago)"

// ParseOffset reads an Offset; now is what times ago are counted from.
func ParseOffset(s string, now time.Time) (Offset, error) {
	switch {
	case s == "start":
		return Offset{Kind: OffsetStart}, nil
	case s == "end":
		return Offset{Kind: OffsetEnd}, nil
	case strings.HasPrefix(s, "@"):
		t, err := parseTime(s[1:], now)
		if err != nil {
			return Offset{}, Usagef("offset %q: %w", s, err)
		}
		return Offset{Kind: OffsetTime, Time: t}, nil
	}
	kind, digits := OffsetExact, s
	switch {
	case strings.HasPrefix(s, "-"):
		kind, digits = OffsetFromEnd, s[1:]
	case strings.HasPrefix(s, "+"):
		kind, digits = OffsetRelative, s[1:]
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil {
		return Offset{}, Usagef("offset %q: want %s", s, OffsetForms)
	}
	return Offset{Kind: kind, N: int64(n)}, nil
}

func parseTime(s string, now time.Time) (time.Time, error) {
	if s == "now" {
		return now, nil
	}
	if strings.HasPrefix(s, "-") {
		if d, err := time.ParseDuration(s); err == nil {
			return now.Add(d), nil
		}
	}
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil && ms >= 0 {
		return time.UnixMilli(ms), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly, "2006-01-02T15:04:05", "2006-01-02T15:04"} {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("time %q: want a date, a time as in RFC 3339, milliseconds since 1970, or -1h", s)
}

// ParseSince reads a time in the past: how long ago (2h), or any time that an
// Offset may hold. Empty is the zero time.
func ParseSince(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	t, err := parseTime(s, now)
	return t, Usage(err)
}

// Resolve turns o into an offset of a partition that begins at start and ends
// at end. byTime answers OffsetTime: the first offset not older than the time,
// or end. The result lies between start and end, except that OffsetExact is
// taken as it is.
func (o Offset) Resolve(start, end int64, byTime func(time.Time) int64) int64 {
	switch o.Kind {
	case OffsetEnd:
		return end
	case OffsetExact:
		return o.N
	case OffsetFromEnd:
		return max(start, end-o.N)
	case OffsetRelative:
		return min(end, start+o.N)
	case OffsetTime:
		return min(end, max(start, byTime(o.Time)))
	}
	return start
}
