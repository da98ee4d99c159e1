package main

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/leatdev/leat/internal/broker"
	"github.com/leatdev/leat/internal/obs"
	"github.com/leatdev/leat/internal/server"
)

// shareMetrics tell of share groups what a client of the protocol is not told; their
// lag is among the lags of all groups.
type shareMetrics struct{ server *server.Server }

func shareDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(obs.Prefix+name, help, append([]string{"consumergroup", "topic", "partition"}, labels...), nil)
}

var (
	shareRecords   = shareDesc("share_records", "Records of a partition that a share group has out (state acquired), or that wait to be delivered again (waiting).", "state")
	shareDelivered = shareDesc("share_delivered_total", "Deliveries to a share group since the start.")
	shareDead      = shareDesc("share_dead_letters_total", "Dead letters of a share group since the start.")
	sharePaused    = shareDesc("share_paused", "1 while nothing is delivered: dead letters flood, or cannot be written. The log says why.")
)

// Describe implements prometheus.Collector.
func (shareMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{shareRecords, shareDelivered, shareDead, sharePaused} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (m shareMetrics) Collect(ch chan<- prometheus.Metric) {
	m.server.EachShare(func(group string, p broker.SharePlace) {
		tell := func(d *prometheus.Desc, kind prometheus.ValueType, v int64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(d, kind, float64(v), append([]string{group, p.Topic, strconv.Itoa(int(p.Partition))}, labels...)...)
		}
		tell(shareRecords, prometheus.GaugeValue, p.Acquired, "acquired")
		tell(shareRecords, prometheus.GaugeValue, p.Waiting, "waiting")
		tell(shareDelivered, prometheus.CounterValue, p.Delivered)
		tell(shareDead, prometheus.CounterValue, p.Buried)
		paused := int64(0)
		if !p.Until.IsZero() {
			paused = 1
		}
		tell(sharePaused, prometheus.GaugeValue, paused)
	})
}
