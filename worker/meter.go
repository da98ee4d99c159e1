package worker

import (
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// meter counts what a worker does. Its mutex is taken with the worker's held, never
// the other way round.
type meter struct {
	group string
	mu    sync.Mutex
	// by topic
	in, out, filteredN, retriedN map[string]uint64
	// by class
	errors map[Class]uint64
	// by topic and class
	deadLetters map[topicClass]uint64
	commits     uint64
	lastErr     string
	lastErrAt   time.Time

	batchSizes prometheus.Histogram
	latency    prometheus.Histogram
}

type topicClass struct {
	topic string
	class Class
}

func newMeter(group string) *meter {
	labels := prometheus.Labels{"consumergroup": group}
	return &meter{
		group: group,
		in:    map[string]uint64{}, out: map[string]uint64{},
		filteredN: map[string]uint64{}, retriedN: map[string]uint64{},
		errors: map[Class]uint64{}, deadLetters: map[topicClass]uint64{},
		batchSizes: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "leat_worker_batch_records", Help: "Records per call of the handler.",
			ConstLabels: labels, Buckets: []float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024},
		}),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "leat_worker_call_duration_seconds", Help: "Duration of a call of the handler.",
			ConstLabels: labels,
			Buckets:     []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}),
	}
}

func count[K comparable](m *meter, of map[K]uint64, key K) {
	m.mu.Lock()
	defer m.mu.Unlock()
	of[key]++
}

func (m *meter) read(topic string)     { count(m, m.in, topic) }
func (m *meter) wrote(topic string)    { count(m, m.out, topic) }
func (m *meter) filtered(topic string) { count(m, m.filteredN, topic) }
func (m *meter) retried(topic string)  { count(m, m.retriedN, topic) }

func (m *meter) deadLetter(topic string, class Class) {
	count(m, m.deadLetters, topicClass{topic, class})
}

func (m *meter) committed() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.commits++
}

// call counts one call of the handler.
func (m *meter) call(records int, took time.Duration) {
	m.batchSizes.Observe(float64(records))
	m.latency.Observe(took.Seconds())
}

// failure counts a failure by its class and keeps it as the newest.
func (m *meter) failure(err error, now time.Time) {
	count(m, m.errors, ClassOf(err))
	m.note(err, now)
}

// note keeps a failure as the newest without counting it.
func (m *meter) note(err error, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lastErr, m.lastErrAt = err.Error(), now
}

// counts is a copy of the counters.
type counts struct {
	in, out, filtered, retried map[string]uint64
	errors                     map[Class]uint64
	deadLetters                map[topicClass]uint64
	commits                    uint64
	lastErr                    string
	lastErrAt                  time.Time
}

func (m *meter) counts() counts {
	m.mu.Lock()
	defer m.mu.Unlock()
	return counts{
		in: maps.Clone(m.in), out: maps.Clone(m.out), filtered: maps.Clone(m.filteredN), retried: maps.Clone(m.retriedN),
		errors: maps.Clone(m.errors), deadLetters: maps.Clone(m.deadLetters), commits: m.commits,
		lastErr: m.lastErr, lastErrAt: m.lastErrAt,
	}
}

func sum[K comparable](of map[K]uint64) (n uint64) {
	for _, v := range of {
		n += v
	}
	return n
}
