// Package work is what is measured: each Row runs one workload on one running peer
// and returns what it found. A row that cannot vouch for its numbers (an error
// code, a record that is missing at the end) returns an error and no numbers.
package work

import (
	"cmp"
	"slices"
	"time"

	"github.com/leatdev/leat/bench/internal/peers"
	"github.com/leatdev/leat/bench/internal/proc"
)

// The values of a Result. Each is named for what it is and its unit.
const (
	AcksPerS      = "acks_per_s"
	AcksPerCPU    = "acks_per_broker_cpu_s"
	RecordsPerS   = "records_per_s"
	MBPerS        = "mb_per_s"
	MBPerCPU      = "mb_per_broker_cpu_s"
	P50           = "p50_ms"
	P99           = "p99_ms"
	Max           = "max_ms"
	PeakMB        = "peak_mb" // above what it held before, where a row says so
	RSSMB         = "rss_mb"
	ReadyMS       = "ready_ms"
	DiskReadShare = "disk_read_per_byte" // bytes read from disk by the broker per byte of log
)

// Result is one measurement: one row (or a part of it), one peer, one round.
type Result struct {
	// Row is the row's name, with /part where a row has several.
	Row        string `json:"row"`
	Peer       string `json:"peer"`
	Durability string `json:"durability"`
	// Client is what the load was made with.
	Client string             `json:"client"`
	Round  int                `json:"round"`
	Values map[string]float64 `json:"values,omitempty"`
	// Seconds is how long was measured, BrokerCPU and ClientCPU what the broker and
	// this process used meanwhile.
	Seconds   float64 `json:"seconds"`
	BrokerCPU float64 `json:"brokerCpuSeconds"`
	ClientCPU float64 `json:"clientCpuSeconds"`
	// RSS is the broker's memory at the end, PeakRSS the most since the measurement began, in bytes.
	RSS     int64 `json:"rssBytes"`
	PeakRSS int64 `json:"peakRssBytes"`
	// Error says why there are no values.
	Error string    `json:"error,omitempty"`
	At    time.Time `json:"at"`
}

// meter measures what a broker and this process use from begin to end.
type meter struct {
	pid    int
	began  time.Time
	broker proc.Usage
	client time.Duration
}

func begin(r *peers.Running) (meter, error) {
	m := meter{pid: r.Pid()}
	if err := proc.ResetPeak(m.pid); err != nil {
		return m, err
	}
	u, err := proc.Read(m.pid)
	m.broker, m.client, m.began = u, proc.Self(), time.Now()
	return m, err
}

func (m meter) end() (Result, error) {
	seconds := time.Since(m.began).Seconds()
	client := proc.Self() - m.client
	u, err := proc.Read(m.pid)
	r := Result{
		Values: map[string]float64{}, Seconds: seconds, ClientCPU: client.Seconds(),
		BrokerCPU: (u.CPU - m.broker.CPU).Seconds(), RSS: u.RSS, PeakRSS: u.Peak,
	}
	return r, err
}

// diskRead is how many bytes the broker made the kernel read from disk since begin.
func (m meter) diskRead() (int64, error) {
	u, err := proc.Read(m.pid)
	return u.DiskRead - m.broker.DiskRead, err
}

// latencies adds percentiles of the latencies, which it sorts.
func (r *Result) latencies(all []time.Duration) {
	if len(all) == 0 {
		return
	}
	slices.Sort(all)
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	r.Values[P50], r.Values[P99], r.Values[Max] = ms(quantile(all, .5)), ms(quantile(all, .99)), ms(all[len(all)-1])
}

// quantile is the smallest of the sorted values that at least the share q is not above.
func quantile[T cmp.Ordered](sorted []T, q float64) T {
	i := int(q*float64(len(sorted))+.999999) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}
