package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/leatdev/leat/internal/obs"
	"github.com/leatdev/leat/internal/server"
)

// quotaMetrics tell of clients that went beyond their quotas.
type quotaMetrics struct{ server *server.Server }

var (
	quotaWaits    = prometheus.NewDesc(obs.Prefix+"quota_throttles_total", "Waits that clients were told for going beyond a quota, since the start.", []string{"quota"}, nil)
	quotaSeconds  = prometheus.NewDesc(obs.Prefix+"quota_throttle_seconds_total", "How long these waits were altogether.", []string{"quota"}, nil)
	quotaRejected = prometheus.NewDesc(obs.Prefix+"quota_rejected_connections_total", "Connections that were closed because their address had made more than its quota, since the start.", nil, nil)
)

// Describe implements prometheus.Collector.
func (quotaMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{quotaWaits, quotaSeconds, quotaRejected} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (m quotaMetrics) Collect(ch chan<- prometheus.Metric) {
	waits, times := m.server.Throttled()
	for quota, n := range waits {
		ch <- prometheus.MustNewConstMetric(quotaWaits, prometheus.CounterValue, float64(n), quota)
		ch <- prometheus.MustNewConstMetric(quotaSeconds, prometheus.CounterValue, times[quota].Seconds(), quota)
	}
	ch <- prometheus.MustNewConstMetric(quotaRejected, prometheus.CounterValue, float64(m.server.RejectedConnections()))
}
