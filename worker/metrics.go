package worker

import "github.com/prometheus/client_golang/prometheus"

// Collector returns the worker's metrics (leat_worker_* and
// leat_dlq_records_total) for a Prometheus registry; every worker of a process may
// be registered in the same one. Labels are spelt as kafka_exporter spells them.
func (w *Worker) Collector() prometheus.Collector {
	d := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, prometheus.Labels{"consumergroup": w.cfg.Group})
	}
	return &collector{
		w:           w,
		in:          d("leat_worker_in_total", "Records read.", "topic"),
		out:         d("leat_worker_out_total", "Records written as results and acknowledged.", "topic"),
		filtered:    d("leat_worker_filtered_total", "Records that the handler passed over.", "topic"),
		retried:     d("leat_worker_retried_total", "Records put back to be tried again after a failure of their own.", "topic"),
		errors:      d("leat_worker_errors_total", "Failures by class.", "class"),
		commits:     d("leat_worker_commits_total", "Offset commits that were answered."),
		inFlight:    d("leat_worker_in_flight_records", "Records read and not yet committed.", "topic"),
		held:        d("leat_worker_held_records", "Records whose outcome the handler owes.", "topic"),
		calls:       d("leat_worker_calls", "Calls of the handler that are running."),
		paused:      d("leat_worker_paused", "1 while the worker stands still for this reason.", "reason"),
		deadLetters: d("leat_dlq_records_total", "Records dead-lettered, by source topic and class.", "topic", "class"),
	}
}

type collector struct {
	w *Worker

	in, out, filtered, retried, errors, commits *prometheus.Desc
	inFlight, held, calls, paused, deadLetters  *prometheus.Desc
}

var pauseReasons = []PauseReason{PauseOutage, PauseFailing, PauseRetryAfter, PauseProduce, PauseBlocked}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.in, c.out, c.filtered, c.retried, c.errors, c.commits,
		c.inFlight, c.held, c.calls, c.paused, c.deadLetters} {
		ch <- d
	}
	c.w.meter.batchSizes.Describe(ch)
	c.w.meter.latency.Describe(ch)
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	n := c.w.meter.counts()
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge := func(d *prometheus.Desc, v int, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v), labels...)
	}
	for _, t := range c.w.cfg.Topics {
		counter(c.in, n.in[t], t)
		counter(c.filtered, n.filtered[t], t)
		counter(c.retried, n.retried[t], t)
		for _, class := range []Class{Retriable, Poison} {
			counter(c.deadLetters, n.deadLetters[topicClass{t, class}], t, class.String())
		}
	}
	for t, v := range n.out {
		counter(c.out, v, t)
	}
	for _, class := range []Class{Retriable, Outage, Poison, Fatal} {
		counter(c.errors, n.errors[class], class.String())
	}
	counter(c.commits, n.commits)

	s := c.w.Status()
	inFlight, held := map[string]int{}, map[string]int{}
	for _, p := range s.Partitions {
		inFlight[p.Topic] += p.InFlight
		held[p.Topic] += p.Held
	}
	for _, t := range c.w.cfg.Topics {
		gauge(c.inFlight, inFlight[t], t)
		gauge(c.held, held[t], t)
	}
	gauge(c.calls, s.Calls)
	for _, reason := range pauseReasons {
		v := 0
		if s.Pause != nil && s.Pause.Reason == reason {
			v = 1
		}
		gauge(c.paused, v, string(reason))
	}
	c.w.meter.batchSizes.Collect(ch)
	c.w.meter.latency.Collect(ch)
}
