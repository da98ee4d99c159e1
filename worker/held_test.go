package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kgo"
)

// holder answers Held to everything and keeps the messages.
type holder struct {
	mu sync.Mutex
	ms []*Message
}

func (h *holder) Handle(_ context.Context, ms []*Message) ([]Outcome, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ms = append(h.ms, ms...)
	out := make([]Outcome, len(ms))
	for i := range out {
		out[i] = Held()
	}
	return out, nil
}

func (h *holder) held() []*Message {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.ms)
}

// Held messages stay uncommitted until they are settled, together, from elsewhere;
// their key is free meanwhile. Settling twice, or after the worker has gone, does
// nothing.
func TestHeldMessagesAreSettledLater(t *testing.T) {
	inBubble(t, 1, []string{"in", "out", "dlq"}, func(t *testing.T, b *bench) {
		h := &holder{}
		r := b.start(Config{Handler: h, DeadLetter: DeadLetter{Topic: "dlq"}})
		b.put(numbered("in", 10, 1, 1)...) // one key: it must not wait for itself
		b.until("all are held", func() bool { return len(h.held()) == 10 })
		b.cluster.Pass(time.Minute)
		if n := b.committed("g"); n != 0 {
			t.Errorf("%d of the held are committed", n)
		}
		if p := r.Status().Partitions[0]; p.Held != 10 || p.InFlight != 10 {
			t.Errorf("status %+v", p)
		}
		ms := h.held()
		SettleAll(ms[:4], Done(&kgo.Record{Topic: "out", Value: []byte("row")}))
		SettleAll(ms[:4], Done(&kgo.Record{Topic: "out", Value: []byte("row again")}))
		b.until("the row's parts are committed", func() bool { return b.committed("g") == 4 })
		ms[5].Settle(Filtered())
		ms[6].Settle(Failed(NewError(Poison, errors.New("bad"))))
		ms[4].Settle(Done())
		b.until("up to the first held", func() bool { return b.committed("g") == 7 })
		if err := r.stopped(); err != nil {
			t.Fatal(err)
		}
		ms[7].Settle(Done(&kgo.Record{Topic: "out", Value: []byte("too late")}))
		if out := b.all("out"); len(out) != 1 || string(out[0].Value) != "row" {
			t.Errorf("%d came out", len(out))
		}
		if n := b.count("dlq"); n != 1 {
			t.Errorf("%d dead letters", n)
		}
		again := &holder{}
		r = b.start(Config{Handler: again})
		b.until("the held are read again", func() bool { return len(again.held()) == 3 })
		r.stopped()
	})
}

// A message may be settled before the handler has returned, and rows of one key are
// written in the order in which they were settled.
func TestSettleFromWithinTheCallKeepsOrder(t *testing.T) {
	inBubble(t, 1, []string{"in", "out"}, func(t *testing.T, b *bench) {
		const n = 200
		b.put(numbered("in", n, 1, 1)...)
		r := b.start(Config{Batch: Batch{Max: 7}, Handler: HandlerFunc(func(_ context.Context, ms []*Message) ([]Outcome, error) {
			out := make([]Outcome, len(ms))
			for i, m := range ms {
				m.Settle(Done(&kgo.Record{Topic: "out", Key: m.Key, Value: m.Value}))
				out[i] = Held()
			}
			return out, nil
		})})
		b.until("everything is committed", func() bool { return b.committed("g") == n })
		if err := r.stopped(); err != nil {
			t.Fatal(err)
		}
		out := b.all("out")
		if len(out) != n {
			t.Fatalf("%d came out", len(out))
		}
		for i, rec := range out {
			if string(rec.Value) != fmt.Sprint(i) {
				t.Fatalf("%s came out as number %d", rec.Value, i)
			}
		}
	})
}

// On a revocation the handler may settle what it holds, and that is committed.
func TestHeldMaySettleDuringRevocation(t *testing.T) {
	inBubble(t, 1, []string{"in", "out"}, func(t *testing.T, b *bench) {
		h := &holder{}
		b.put(numbered("in", 5, 5, 1)...)
		r := b.start(Config{Handler: h, OnRevoked: func(parts map[string][]int32, lost bool) {
			if lost || len(parts["in"]) != 1 {
				t.Errorf("revoked %v, lost %v", parts, lost)
			}
			for _, m := range h.held() {
				m.Settle(Done(&kgo.Record{Topic: "out", Value: m.Value}))
			}
		}})
		b.until("all are held", func() bool { return len(h.held()) == 5 })
		if err := r.stopped(); err != nil {
			t.Fatal(err)
		}
		if out, done := b.count("out"), b.committed("g"); out != 5 || done != 5 {
			t.Errorf("%d out, %d committed", out, done)
		}
	})
}

// The metrics have the names, labels and values that dashboards rely on.
func TestMetrics(t *testing.T) {
	inBubble(t, 1, []string{"in", "out", "dlq"}, func(t *testing.T, b *bench) {
		b.put(numbered("in", 8, 8, 1)...)
		r := b.start(Config{Batch: Batch{Max: 8}, Retry: quick, DeadLetter: DeadLetter{Topic: "dlq"}, Handler: HandlerFunc(func(_ context.Context, ms []*Message) ([]Outcome, error) {
			out := echo(ms)
			for i, m := range ms {
				switch string(m.Value) {
				case "1":
					out[i] = Failed(NewError(Poison, errors.New("bad")))
				case "2":
					out[i] = Failed(NewError(Retriable, errors.New("status 500")))
				case "3":
					out[i] = Filtered()
				}
			}
			return out, nil
		})})
		b.until("everything is committed", func() bool { return b.committed("g") == 8 })
		b.until("the worker knows", func() bool { return r.Status().Partitions[0].InFlight == 0 })
		reg := prometheus.NewRegistry()
		reg.MustRegister(r.Collector())
		want := `
# HELP leat_dlq_records_total Records dead-lettered, by source topic and class.
# TYPE leat_dlq_records_total counter
leat_dlq_records_total{class="poison",consumergroup="g",topic="in"} 1
leat_dlq_records_total{class="retriable",consumergroup="g",topic="in"} 1
# HELP leat_worker_errors_total Failures by class.
# TYPE leat_worker_errors_total counter
leat_worker_errors_total{class="fatal",consumergroup="g"} 0
leat_worker_errors_total{class="outage",consumergroup="g"} 0
leat_worker_errors_total{class="poison",consumergroup="g"} 1
leat_worker_errors_total{class="retriable",consumergroup="g"} 3
# HELP leat_worker_filtered_total Records that the handler passed over.
# TYPE leat_worker_filtered_total counter
leat_worker_filtered_total{consumergroup="g",topic="in"} 1
# HELP leat_worker_in_flight_records Records read and not yet committed.
# TYPE leat_worker_in_flight_records gauge
leat_worker_in_flight_records{consumergroup="g",topic="in"} 0
# HELP leat_worker_in_total Records read.
# TYPE leat_worker_in_total counter
leat_worker_in_total{consumergroup="g",topic="in"} 8
# HELP leat_worker_out_total Records written as results and acknowledged.
# TYPE leat_worker_out_total counter
leat_worker_out_total{consumergroup="g",topic="out"} 5
# HELP leat_worker_paused 1 while the worker stands still for this reason.
# TYPE leat_worker_paused gauge
leat_worker_paused{consumergroup="g",reason="blocked"} 0
leat_worker_paused{consumergroup="g",reason="failing"} 0
leat_worker_paused{consumergroup="g",reason="outage"} 0
leat_worker_paused{consumergroup="g",reason="produce"} 0
leat_worker_paused{consumergroup="g",reason="retry_after"} 0
# HELP leat_worker_retried_total Records put back to be tried again after a failure of their own.
# TYPE leat_worker_retried_total counter
leat_worker_retried_total{consumergroup="g",topic="in"} 2
`
		names := []string{"leat_dlq_records_total", "leat_worker_errors_total", "leat_worker_filtered_total", "leat_worker_in_flight_records",
			"leat_worker_in_total", "leat_worker_out_total", "leat_worker_paused", "leat_worker_retried_total"}
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want), names...); err != nil {
			t.Error(err)
		}
		ms, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		calls := uint64(0)
		for _, m := range ms {
			if m.GetName() == "leat_worker_batch_records" {
				calls = m.Metric[0].Histogram.GetSampleCount()
			}
		}
		if calls != 3 { // one for all, two more for the record that fails
			t.Errorf("%d calls in the histogram", calls)
		}
		if err := r.stopped(); err != nil {
			t.Fatal(err)
		}
	})
}
