package work

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/bench/internal/peers"
	"github.com/leatdev/leat/bench/internal/raw"
)

// tickEvery is how often a paced producer hands over what is due, at most; at low rates
// each record goes when it is due.
const tickEvery = 500 * time.Microsecond

// longestTick is how long it waits at most before it looks whether it is to stop.
const longestTick = 100 * time.Millisecond

// pacer sends at a fixed rate, however slow the broker answers. The times it tells
// are those at which a record was due, so that a broker that falls behind cannot
// hide it (no coordinated omission). Rate 0 is as fast as the client takes them.
type pacer struct {
	client *kgo.Client
	topic  string
	rate   float64 // records per second
	size   int
	// acked is called by one goroutine at a time, with the time the record was due.
	acked func(due time.Time)

	pool    sync.Pool
	mu      sync.Mutex
	failure error
}

// run sends for so long, waits for all acks, and returns how many there were.
func (p *pacer) run(ctx context.Context, window time.Duration) (int64, error) {
	p.pool.New = func() any { return raw.Value(p.size) }
	clock, err := newAlarm()
	if err != nil {
		return 0, err
	}
	defer clock.close()
	began := time.Now()
	var sent int64
	due := func() time.Time { return began.Add(time.Duration(float64(sent) / p.rate * float64(time.Second))) }
	for ctx.Err() == nil {
		now := time.Now()
		if now.Sub(began) >= window {
			break
		}
		if p.rate == 0 {
			p.send(ctx, now)
			sent++
			continue
		}
		for at := due(); !at.After(now); at = due() {
			p.send(ctx, at)
			sent++
		}
		if err := clock.sleep(min(max(due().Sub(now), tickEvery)-time.Since(now), longestTick)); err != nil {
			return sent, err
		}
	}
	if ctx.Err() != nil {
		return sent, ctx.Err()
	}
	err = p.client.Flush(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	return sent, errors.Join(err, p.failure)
}

// send produces a record whose first bytes tell when it was due.
func (p *pacer) send(ctx context.Context, due time.Time) {
	value := p.pool.Get().([]byte)
	binary.BigEndian.PutUint64(value, uint64(due.UnixNano()))
	p.client.Produce(ctx, &kgo.Record{Topic: p.topic, Value: value}, func(rec *kgo.Record, err error) {
		if err != nil {
			p.mu.Lock()
			if p.failure == nil {
				p.failure = fmt.Errorf("produce: %w", err)
			}
			p.mu.Unlock()
		} else if p.acked != nil {
			p.acked(due)
		}
		p.pool.Put(rec.Value)
	})
}

const (
	fixedRate = 50_000
	slowRate  = 2_000
)

// fixedRow is 50,000 records of 100 B per second with a linger of 5 ms: how late
// after they were due are they acked?
func fixedRow(ctx context.Context, e *Env, r *peers.Running) ([]Result, error) {
	res, err := withTopic(ctx, e, r, batchPartitions, nil, func(topic string) (Result, int64, error) {
		cl, err := newFranz(r.Addr, kgo.ProducerLinger(5*time.Millisecond), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))
		if err != nil {
			return Result{}, 0, err
		}
		defer cl.Close()
		warm := pacer{client: cl, topic: topic, rate: fixedRate, size: 100}
		before, err := warm.run(ctx, e.Warm)
		if err != nil {
			return Result{}, 0, err
		}
		latencies := make([]time.Duration, 0, int(fixedRate*e.Window.Seconds())+1)
		m, err := begin(r)
		if err != nil {
			return Result{}, 0, err
		}
		p := pacer{client: cl, topic: topic, rate: fixedRate, size: 100, acked: func(due time.Time) { latencies = append(latencies, time.Since(due)) }}
		n, err := p.run(ctx, e.Window)
		if err != nil {
			return Result{}, 0, err
		}
		res, err := m.end()
		if err != nil {
			return Result{}, 0, err
		}
		res.Client = franz
		res.rates(n, n*100, n)
		res.latencies(latencies)
		return res, before + n, nil
	})
	return []Result{res}, err
}
