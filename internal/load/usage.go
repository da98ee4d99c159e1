package load

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Usage is what a process has used.
type Usage struct {
	PID int `json:"pid"`
	// CPUSeconds are in user and kernel mode together, of all threads.
	CPUSeconds float64 `json:"cpuSeconds"`
	// RSSBytes is the memory it holds now, PeakRSSBytes the most it ever held.
	RSSBytes     int64 `json:"rssBytes"`
	PeakRSSBytes int64 `json:"peakRssBytes"`
}

// ticksPerSecond is USER_HZ, in which /proc counts CPU time: 100 on every
// platform that Go runs on.
const ticksPerSecond = 100

// ReadUsage reads from /proc what the process has used so far. It fails where
// there is no /proc, or no such process.
func ReadUsage(pid int) (Usage, error) {
	dir := "/proc/" + strconv.Itoa(pid)
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return Usage{}, fmt.Errorf("process %d: %w (its use of CPU and memory is read from /proc)", pid, err)
	}
	status, err := os.ReadFile(dir + "/status")
	if err != nil {
		return Usage{}, fmt.Errorf("process %d: %w", pid, err)
	}
	return parseUsage(pid, stat, status)
}

// parseUsage reads /proc/PID/stat and status (proc(5)).
func parseUsage(pid int, stat, status []byte) (Usage, error) {
	u := Usage{PID: pid}
	// The second field is the program's name in parentheses, and may hold anything.
	i := bytes.LastIndexByte(stat, ')')
	fields := strings.Fields(string(stat[i+1:]))
	if i < 0 || len(fields) < 13 {
		return u, fmt.Errorf("process %d: cannot read /proc/%d/stat", pid, pid)
	}
	for _, f := range fields[11:13] { // utime and stime, fields 14 and 15
		ticks, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return u, fmt.Errorf("process %d: /proc/%d/stat: %w", pid, pid, err)
		}
		u.CPUSeconds += float64(ticks) / ticksPerSecond
	}
	for _, l := range strings.Split(string(status), "\n") {
		name, rest, _ := strings.Cut(l, ":")
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		if err != nil {
			continue
		}
		switch name {
		case "VmRSS":
			u.RSSBytes = kib << 10
		case "VmHWM":
			u.PeakRSSBytes = kib << 10
		}
	}
	return u, nil
}

// meter reads the use of this process and of the server over a stretch of time.
type meter struct {
	pids   []int
	before []Usage
}

// startMeter begins; server is 0 if nobody named it. A machine without /proc
// cannot tell about the client, which is no failure, as nobody asked for it.
func startMeter(server int) (*meter, error) {
	m := &meter{}
	if u, err := ReadUsage(os.Getpid()); err == nil {
		m.pids, m.before = append(m.pids, u.PID), append(m.before, u)
	}
	if server == 0 {
		return m, nil
	}
	u, err := ReadUsage(server)
	if err != nil {
		return nil, err
	}
	m.pids, m.before = append(m.pids, server), append(m.before, u)
	return m, nil
}

// stop writes into r what was used since the start.
func (m *meter) stop(r *Result) error {
	for i, pid := range m.pids {
		u, err := ReadUsage(pid)
		if err != nil {
			return err
		}
		u.CPUSeconds -= m.before[i].CPUSeconds
		if pid == os.Getpid() {
			r.Client = &u
		} else {
			r.Server = &u
		}
	}
	return nil
}
