package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// The aims for leat serve on an empty directory.
const (
	aimReadyMS  = 50
	aimRSSBytes = 40e6
)

// report is what is written.
type report struct {
	Date    string     `json:"date"`
	Machine string     `json:"machine"`
	Rounds  int        `json:"rounds"`
	Settle  string     `json:"settle"`
	Peers   []peerLine `json:"peers"`
	Skipped []string   `json:"skipped"`
}

// peerLine is one broker: medians, and every round.
type peerLine struct {
	Name    string        `json:"name"`
	Version string        `json:"version"`
	Median  measurement   `json:"median"`
	Rounds  []measurement `json:"rounds"`
}

func newReport(o options, peers []peer, skipped []string, runs map[string][]measurement) report {
	r := report{Date: time.Now().Format(time.DateOnly), Machine: machine(), Rounds: o.rounds, Settle: o.settle.String(), Skipped: skipped}
	for _, p := range peers {
		r.Peers = append(r.Peers, peerLine{p.name, p.version, medians(runs[p.name]), runs[p.name]})
	}
	return r
}

func medians(ms []measurement) measurement {
	return measurement{
		ReadyMS:        median(ms, func(m measurement) float64 { return m.ReadyMS }),
		RSSBytes:       int64(median(ms, func(m measurement) float64 { return float64(m.RSSBytes) })),
		IdleCPUSeconds: median(ms, func(m measurement) float64 { return m.IdleCPUSeconds }),
	}
}

// median of an even number of values is the mean of the middle two; 0 of none.
func median[T any](all []T, of func(T) float64) float64 {
	if len(all) == 0 {
		return 0
	}
	v := make([]float64, len(all))
	for i, x := range all {
		v[i] = of(x)
	}
	slices.SortFunc(v, cmp.Compare[float64])
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}

// markdown writes the report for people.
func (r report) markdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Ready time and idle memory\n\n%s, %s. Medians of %d starts each, in turn, on an empty directory; idle for %s.\n\n", r.Date, r.Machine, r.Rounds, r.Settle)
	fmt.Fprintf(&b, "| broker | ready after (ms) | fastest to slowest | idle memory (MB) | CPU while idle (s) | version |\n|---|---|---|---|---|---|\n")
	for _, p := range r.Peers {
		byReady := func(x, y measurement) int { return cmp.Compare(x.ReadyMS, y.ReadyMS) }
		fmt.Fprintf(&b, "| %s | %.1f | %.1f to %.1f | %.1f | %.2f | %s |\n", p.Name, p.Median.ReadyMS,
			slices.MinFunc(p.Rounds, byReady).ReadyMS, slices.MaxFunc(p.Rounds, byReady).ReadyMS,
			float64(p.Median.RSSBytes)/1e6, p.Median.IdleCPUSeconds, p.Version)
	}
	if i := slices.IndexFunc(r.Peers, func(p peerLine) bool { return p.Name == "leat" }); i >= 0 {
		m := r.Peers[i].Median
		fmt.Fprintf(&b, "\nLeat's aims: ready in under %d ms: %s; idle under %.0f MB: %s.\n", aimReadyMS, reached(m.ReadyMS < aimReadyMS),
			float64(aimRSSBytes)/1e6, reached(float64(m.RSSBytes) < aimRSSBytes))
	}
	for _, s := range r.Skipped {
		fmt.Fprintf(&b, "\nSkipped: %s.\n", s)
	}
	b.WriteString("\nReady: a new connection has its first answer to Metadata, counted from the start of the process. Made by `go run .` in bench/.\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func reached(ok bool) string {
	if ok {
		return "reached"
	}
	return "not reached"
}

// write makes report.md and report.json in a directory.
func (r report) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	j, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "report.json"), append(j, '\n'), 0o644); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, "report.md"))
	if err != nil {
		return err
	}
	return errors.Join(r.markdown(f), f.Close())
}

// machine is what the figures were made on.
func machine() string {
	model := runtime.GOARCH
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for _, l := range strings.Split(string(b), "\n") {
			if name, value, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%d x %s, %s, %s", runtime.NumCPU(), model, runtime.GOOS, runtime.Version())
}
