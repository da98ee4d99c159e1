package flow

import (
	"github.com/leatdev/leat/internal/flow/join"
	"github.com/prometheus/client_golang/prometheus"
)

// JoinStatus is what a join has beside its worker's status.
type JoinStatus struct {
	// Open rows wait for parts; kept ones came out without some, or were withheld,
	// and can be amended.
	Open int `json:"open"`
	Kept int `json:"kept"`
	// Rows by kind (complete, partial, amended), Dropped parts by reason, and rows
	// Withheld for lack of a required branch, since the start.
	Rows     map[string]uint64 `json:"rows,omitempty"`
	Dropped  map[string]uint64 `json:"dropped,omitempty"`
	Withheld uint64            `json:"withheld"`
}

// joinMeter counts what a join does. Its counts are under the joiner's lock; the
// metrics are safe by themselves.
type joinMeter struct {
	rows, drops *prometheus.CounterVec
	withheld    countedCounter
	open, kept  *prometheus.Desc
	status      JoinStatus
}

type countedCounter struct {
	prometheus.Counter
	n uint64
}

func (c *countedCounter) Inc() { c.n++; c.Counter.Inc() }

func newJoinMeter(pipeline, step string) *joinMeter {
	labels := prometheus.Labels{"pipeline": pipeline, "step": step}
	return &joinMeter{
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "leat_join_rows_total",
			Help: "Rows that came out, by kind: complete, partial (something is missing), amended.", ConstLabels: labels}, []string{"kind"}),
		drops: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "leat_join_dropped_total",
			Help: "Parts that went into no row, by reason: repeat, late, unmatched, sent; and kept rows that were forgotten.", ConstLabels: labels}, []string{"reason"}),
		withheld: countedCounter{Counter: prometheus.NewCounter(prometheus.CounterOpts{Name: "leat_join_withheld_total",
			Help: "Rows that did not come out because a required branch is missing.", ConstLabels: labels})},
		open:   prometheus.NewDesc("leat_join_open_rows", "Rows that wait for parts.", nil, labels),
		kept:   prometheus.NewDesc("leat_join_kept_rows", "Rows that came out without some parts, or were withheld, and can be amended.", nil, labels),
		status: JoinStatus{Rows: map[string]uint64{}, Dropped: map[string]uint64{}},
	}
}

func (m *joinMeter) row(r *join.Row) {
	kind := "complete"
	switch {
	case r.Amended:
		kind = "amended"
	case len(r.Missing) > 0:
		kind = "partial"
	}
	m.rows.WithLabelValues(kind).Inc()
	m.status.Rows[kind]++
}

func (m *joinMeter) dropped(reason string) {
	if reason == "" {
		return // an outcome that was none of this join's business
	}
	m.drops.WithLabelValues(reason).Inc()
	m.status.Dropped[reason]++
}

// Describe implements prometheus.Collector.
func (j *joiner) Describe(ch chan<- *prometheus.Desc) {
	j.meter.rows.Describe(ch)
	j.meter.drops.Describe(ch)
	j.meter.withheld.Describe(ch)
	ch <- j.meter.open
	ch <- j.meter.kept
}

// Collect implements prometheus.Collector.
func (j *joiner) Collect(ch chan<- prometheus.Metric) {
	j.meter.rows.Collect(ch)
	j.meter.drops.Collect(ch)
	j.meter.withheld.Collect(ch)
	s := j.snapshot()
	ch <- prometheus.MustNewConstMetric(j.meter.open, prometheus.GaugeValue, float64(s.Open))
	ch <- prometheus.MustNewConstMetric(j.meter.kept, prometheus.GaugeValue, float64(s.Kept))
}

// snapshot is the join's status now.
func (j *joiner) snapshot() *JoinStatus {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.meter.status
	s.Rows, s.Dropped, s.Withheld = cloneCounts(s.Rows), cloneCounts(s.Dropped), j.meter.withheld.n
	for _, p := range j.parts {
		s.Open += p.machine.Open()
		s.Kept += p.machine.Kept()
	}
	return &s
}

func cloneCounts(m map[string]uint64) map[string]uint64 {
	out := make(map[string]uint64, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}
