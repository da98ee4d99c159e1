package work

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/bench/internal/peers"
	"github.com/leatdev/leat/bench/internal/raw"
)

// manyRow is the 64 producers on many partitions, each of which is written for the
// first time in the part "first" and again and again in the part "then". Each
// producer has a partition more, for itself, to warm up with: its connection,
// metadata and producer id are not measured.
func manyRow(ctx context.Context, e *Env, r *peers.Running) ([]Result, error) {
	all := e.Partitions + syncProducers
	topic, err := e.newTopic(ctx, r, all, nil)
	if err != nil {
		return nil, err
	}
	m := many{e: e, r: r, topic: topic}
	results, err := m.run(ctx)
	if err == nil {
		err = verify(ctx, r, topic, all, m.acked.Load())
	}
	if err != nil {
		return nil, err
	}
	return results, e.dropTopic(ctx, r, topic)
}

type many struct {
	e       *Env
	r       *peers.Running
	topic   string
	clients []*kgo.Client
	acked   atomic.Int64
}

func (m *many) run(ctx context.Context) ([]Result, error) {
	for range syncProducers {
		cl, err := newFranz(m.r.Addr)
		if err != nil {
			return nil, err
		}
		defer cl.Close()
		m.clients = append(m.clients, cl)
	}
	warm := func(i, n int) (int32, bool) { return int32(m.e.Partitions + i), n < 10 }
	if _, err := m.part(ctx, warm); err != nil {
		return nil, fmt.Errorf("warm up: %w", err)
	}
	// producer i has the partitions i, i+64, i+128, ...
	first, err := m.part(ctx, func(i, n int) (int32, bool) {
		p := i + n*syncProducers
		return int32(p), p < m.e.Partitions
	})
	if err != nil {
		return nil, fmt.Errorf("first touch: %w", err)
	}
	end := time.Now().Add(m.e.Follow)
	then, err := m.part(ctx, func(i, n int) (int32, bool) {
		own := (m.e.Partitions - i + syncProducers - 1) / syncProducers // how many partitions producer i has
		return int32(i + n%max(own, 1)*syncProducers), own > 0 && time.Now().Before(end)
	})
	first.Row, then.Row = "first", "then"
	return []Result{first, then}, err
}

// part lets producer i send its n-th record to the partition that next tells, until
// next is false.
func (m *many) part(ctx context.Context, next func(i, n int) (int32, bool)) (Result, error) {
	value := raw.Value(syncValue)
	latencies := make([][]time.Duration, len(m.clients))
	errs := make([]error, len(m.clients))
	w, err := begin(m.r)
	if err != nil {
		return Result{}, err
	}
	var wg sync.WaitGroup
	for i, cl := range m.clients {
		wg.Go(func() {
			for n := 0; ; n++ {
				p, ok := next(i, n)
				if !ok {
					return
				}
				began := time.Now()
				if err := cl.ProduceSync(ctx, &kgo.Record{Topic: m.topic, Partition: p, Value: value}).FirstErr(); err != nil {
					errs[i] = fmt.Errorf("produce to partition %d: %w", p, err)
					return
				}
				latencies[i] = append(latencies[i], time.Since(began))
			}
		})
	}
	wg.Wait()
	res, err := w.end()
	if err != nil {
		return res, err
	}
	var all []time.Duration
	for i := range latencies {
		if errs[i] != nil {
			return res, errs[i]
		}
		all = append(all, latencies[i]...)
	}
	m.acked.Add(int64(len(all)))
	res.Client = franz
	res.rates(int64(len(all)), int64(len(all))*syncValue, int64(len(all)))
	res.latencies(all)
	return res, nil
}
