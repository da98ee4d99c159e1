package report

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Machine is what the figures were made on.
type Machine struct {
	CPU        string  `json:"cpu"`
	Cores      int     `json:"cores"`
	MemoryGB   float64 `json:"memoryGb"`
	Kernel     string  `json:"kernel"`
	FileSystem string  `json:"fileSystem"`
	FreeGB     float64 `json:"freeGb"`
	Go         string  `json:"go"`
	// Load is the load average of the minute before the run: above 0.5 somebody else was working.
	Load string `json:"load"`
}

// ThisMachine describes the machine and the file system that dir is on.
func ThisMachine(dir string) Machine {
	m := Machine{CPU: runtime.GOARCH, Cores: runtime.NumCPU(), Go: runtime.Version()}
	for _, l := range lines("/proc/cpuinfo") {
		if name, value, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(name) == "model name" {
			m.CPU = strings.TrimSpace(value)
			break
		}
	}
	for _, l := range lines("/proc/meminfo") {
		var kib float64
		if n, _ := fmt.Sscanf(l, "MemTotal: %f kB", &kib); n == 1 {
			m.MemoryGB = kib * 1024 / 1e9
		}
	}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m.Kernel = unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
	}
	var fs unix.Statfs_t
	if unix.Statfs(dir, &fs) == nil {
		m.FileSystem = fileSystem(int64(fs.Type))
		m.FreeGB = float64(fs.Bavail) * float64(fs.Bsize) / 1e9
	}
	for _, l := range lines("/proc/loadavg") {
		m.Load, _, _ = strings.Cut(l, " ")
		break
	}
	return m
}

func lines(path string) []string {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil // then the report does not tell
	}
	return strings.Split(string(b), "\n")
}

// fileSystem names the usual magic numbers of statfs(2).
func fileSystem(magic int64) string {
	switch magic {
	case unix.EXT4_SUPER_MAGIC:
		return "ext4"
	case unix.XFS_SUPER_MAGIC:
		return "xfs"
	case unix.BTRFS_SUPER_MAGIC:
		return "btrfs"
	case unix.TMPFS_MAGIC:
		return "tmpfs (memory: a sync costs nothing here)"
	case unix.OVERLAYFS_SUPER_MAGIC:
		return "overlayfs"
	default:
		return fmt.Sprintf("file system %#x", magic)
	}
}

func (m Machine) String() string {
	return fmt.Sprintf("%d × %s, %.0f GB memory, %s, %s with %.0f GB free, %s, load %s before the run", m.Cores, m.CPU, m.MemoryGB, m.Kernel, m.FileSystem, m.FreeGB, m.Go, m.Load)
}
