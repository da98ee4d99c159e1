// Package report turns measurements into a report: tables of medians with ranges,
// the goals as ratios within the run, and plots. It measures nothing, so that a
// report can be made again from raw.json.
package report

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/leatdev/leat/bench/internal/peers"
	"github.com/leatdev/leat/bench/internal/work"
)

// Run is everything of a run: raw.json.
type Run struct {
	Date    time.Time       `json:"date"`
	Command string          `json:"command"`
	Machine Machine         `json:"machine"`
	Rounds  int             `json:"rounds"`
	Sizes   work.Sizes      `json:"sizes"`
	Peers   []peers.Peer    `json:"peers"`
	Skipped []peers.Skipped `json:"skipped"`
	// Notes are what the run did otherwise than asked, such as a smaller log.
	Notes []string `json:"notes"`
	// Seconds is how long the run took up to the last result.
	Seconds float64       `json:"seconds"`
	Results []work.Result `json:"results"`
}

// Load reads raw.json.
func Load(path string) (Run, error) {
	var r Run
	b, err := os.ReadFile(path)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// folder is where plots and raw.json lie, beside REPORT.md.
const folder = "report"

// SaveRaw writes report/raw.json below dir, all of it or nothing.
func (r Run) SaveRaw(dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
		return err
	}
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	path := filepath.Join(dir, folder, "raw.json")
	if err := os.WriteFile(path+".tmp", append(b, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

// Save writes REPORT.md, the plots and raw.json below dir. Remarks is Markdown that
// somebody wrote about the numbers; may be empty.
func (r Run) Save(dir, remarks string) error {
	if err := r.SaveRaw(dir); err != nil {
		return err
	}
	var errs []error
	for name, svg := range r.plots() {
		errs = append(errs, os.WriteFile(filepath.Join(dir, folder, name+".svg"), []byte(svg), 0o644))
	}
	errs = append(errs, os.WriteFile(filepath.Join(dir, "REPORT.md"), []byte(r.Markdown(remarks)), 0o644))
	return errors.Join(errs...)
}

// Stat is the median and the range of some measurements.
type Stat struct {
	Median, Min, Max float64
	N                int
}

// newStat summarizes values; of an even number the median is the mean of the middle two.
func newStat(v []float64) Stat {
	if len(v) == 0 {
		return Stat{}
	}
	v = slices.Sorted(slices.Values(v))
	n := len(v)
	return Stat{Median: (v[(n-1)/2] + v[n/2]) / 2, Min: v[0], Max: v[n-1], N: n}
}

// values are a row's values for a peer, by round. Failed measurements have none.
func (r Run) values(row, peer, key string) map[int]float64 {
	all := map[int]float64{}
	for _, res := range r.Results {
		if v, ok := res.Values[key]; ok && res.Error == "" && res.Row == row && res.Peer == peer {
			all[res.Round] = v
		}
	}
	return all
}

// stat is the median and range of a row's values for a peer.
func (r Run) stat(row, peer, key string) Stat {
	var v []float64
	for _, x := range r.values(row, peer, key) {
		v = append(v, x)
	}
	return newStat(v)
}

// ratio is the median and range of the ratios of each round in which both were measured.
func ratio(num, den map[int]float64) Stat {
	var v []float64
	for round, n := range num {
		if d, ok := den[round]; ok && d != 0 {
			v = append(v, n/d)
		}
	}
	return newStat(v)
}

// of the peers with a result in the row, in the order of the report; bare last.
func (r Run) in(row string) []string {
	var names []string
	for _, res := range r.Results {
		if res.Row == row && !slices.Contains(names, res.Peer) {
			names = append(names, res.Peer)
		}
	}
	order := append(peers.Names(), work.Bare.Name)
	slices.SortStableFunc(names, func(a, b string) int {
		return cmp.Compare(slices.Index(order, a), slices.Index(order, b))
	})
	return names
}

// failures are the results that are errors.
func (r Run) failures() (all []work.Result) {
	for _, res := range r.Results {
		if res.Error != "" {
			all = append(all, res)
		}
	}
	return all
}
