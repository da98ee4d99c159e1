package proc

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Usage is what a process has used so far.
type Usage struct {
	// CPU is user and kernel time of all threads, those that ended included.
	CPU time.Duration
	// RSS is the memory it holds, Peak the most it held since it started or since
	// ResetPeak; Anonymous is the part of RSS that is no file's. In bytes.
	RSS, Peak, Anonymous int64
	// DiskRead is what it made the kernel read from disk, in bytes.
	DiskRead int64
}

// CPU reads the process's CPU clock, which counts in nanoseconds; /proc/PID/stat
// counts in hundredths of a second, too coarse for a short measurement.
func CPU(pid int) (time.Duration, error) {
	const cpuClockSched = 2 // CPUCLOCK_SCHED of the kernel's posix-timers.h: what clock_getcpuclockid(3) returns
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|cpuClockSched), &ts); err != nil {
		return 0, fmt.Errorf("the CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// Read reads what the process uses.
func Read(pid int) (u Usage, err error) {
	if u.CPU, err = CPU(pid); err != nil {
		return u, err
	}
	status, err := fields(pid, "status")
	if err != nil {
		return u, err
	}
	io, err := fields(pid, "io")
	if err != nil {
		return u, err
	}
	u.RSS, u.Peak, u.Anonymous = status["VmRSS"]<<10, status["VmHWM"]<<10, status["RssAnon"]<<10
	u.DiskRead = io["read_bytes"]
	return u, nil
}

// ResetPeak makes Peak count from now on.
func ResetPeak(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}

// fields reads the numbers of a /proc file of lines "name: number [unit]".
func fields(pid int, file string) (map[string]int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		return nil, err
	}
	out := map[string]int64{}
	for _, l := range strings.Split(string(b), "\n") {
		name, rest, _ := strings.Cut(l, ":")
		first, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
		if n, err := strconv.ParseInt(first, 10, 64); err == nil {
			out[name] = n
		}
	}
	return out, nil
}

// Self is the CPU time that this process has used.
func Self() time.Duration {
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
		return 0 // it cannot fail with these arguments
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
