package obs

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Names. One prefix, leat_, for what is ours; snake case, base units
// (_seconds, _bytes), _total on counters. Labels are spelt as kafka_exporter
// spells them. Never a label by key, offset, conversation id or record id: a
// label's values stay few.
const (
	// Prefix begins every metric name of ours.
	Prefix = "leat_"

	LabelTopic         = "topic"
	LabelPartition     = "partition"
	LabelConsumerGroup = "consumergroup"
)

// NewRegistry returns a registry that already tells about the Go runtime, the
// process and the build (leat_build_info{version}). Each server or runner has
// one of its own: nothing of ours uses Prometheus' global registry, so two
// servers in one test do not collide.
func NewRegistry(version string) *prometheus.Registry {
	r := prometheus.NewRegistry()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        Prefix + "build_info",
		Help:        "1; the version of the program is the label.",
		ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		build,
	)
	return r
}
