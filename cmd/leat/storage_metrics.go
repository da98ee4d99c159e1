package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/leatdev/leat/internal/obs"
	"github.com/leatdev/leat/internal/server"
)

// storageMetrics tell of the health of a broker's data.
func storageMetrics(s *server.Server) []prometheus.Collector {
	gauge := func(name, help string, value func() int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: obs.Prefix + name, Help: help}, func() float64 { return float64(value()) })
	}
	return []prometheus.Collector{
		gauge("fenced_partitions", "Partitions that are neither read nor written because they are damaged; see leat doctor.", s.FencedPartitions),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: obs.Prefix + "scrubbed_bytes_total", Help: "Bytes of segments that were read back to find damage."},
			func() float64 { return float64(s.ScrubbedBytes()) }),
		gauge("damaged_ranges", "Ranges of segments that were found damaged since the start: their offsets are refused, all others are served.", s.DamagedRanges),
	}
}
