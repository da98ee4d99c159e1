package main

import (
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

// limitMemory tells the runtime how much memory the control group allows (a
// container's limit), less a tenth for what the runtime does not count: near it the
// collector works harder, where else the system would kill the process. The broker's
// budgets follow it. GOMEMLIMIT, when it is set, is the user's own word.
func limitMemory(log *slog.Logger) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	if limit := cgroupMemory(os.DirFS("/")); limit > 0 {
		debug.SetMemoryLimit(limit - limit/10)
		log.Info("memory is limited by the control group", "limit_bytes", limit)
	}
}

// cgroupMemory returns the memory limit of the process's control group, the lowest
// of it and those above it; 0 when there is none. root is the file system: version 2
// (memory.max) or version 1 (memory.limit_in_bytes), as /proc/self/cgroup says.
func cgroupMemory(root fs.FS) int64 {
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0
	}
	lowest := int64(math.MaxInt64)
	for line := range strings.Lines(string(groups)) {
		// number:controllers:path; version 2 has no controllers.
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		base, file := "sys/fs/cgroup", "memory.max"
		switch {
		case parts[1] == "":
		case strings.Contains(","+parts[1]+",", ",memory,"):
			base, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		default:
			continue
		}
		for dir := path.Clean("/" + parts[2]); ; dir = path.Dir(dir) {
			if text, err := fs.ReadFile(root, path.Join(base, dir, file)); err == nil {
				if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && n > 0 {
					lowest = min(lowest, n)
				} // else it says "max"
			}
			if dir == "/" {
				break
			}
		}
	}
	const none = 1 << 60 // version 1 says so with a number near the largest
	if lowest >= none {
		return 0
	}
	return lowest
}
