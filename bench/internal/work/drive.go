package work

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leatdev/leat/bench/internal/peers"
)

// The phases of a drive: only what is acked while measuring counts.
const (
	warming = iota
	measuring
	ending
)

// tally is one worker's count. Only the worker writes it.
type tally struct {
	phase     *atomic.Int32
	counted   chan<- struct{} // holds one when anything was counted
	all       int64           // records acked, in any phase
	n, bytes  int64           // records and bytes acked while measuring
	requests  int64
	latencies []time.Duration
}

// ack counts records that were acked together.
func (t *tally) ack(latency time.Duration, records, bytes int64) {
	t.all += records
	if t.phase.Load() != measuring {
		return
	}
	if t.n == 0 {
		select {
		case t.counted <- struct{}{}:
		default:
		}
	}
	t.n, t.bytes, t.requests = t.n+records, t.bytes+bytes, t.requests+1
	t.latencies = append(t.latencies, latency)
}

// more is true until the measurement is over.
func (t *tally) more() bool { return t.phase.Load() != ending }

// firstAck is how long a measurement waits at most for anything to be acked.
const firstAck = 15 * time.Second

// worker makes load until more is false, waits for what is in flight, and counts
// with ack. It is one goroutine of a drive.
type worker func(t *tally) error

// drive lets the workers warm up, measures for the window, and lets them end. It
// returns the measurement and how many records were acked in all.
func drive(ctx context.Context, e *Env, r *peers.Running, window time.Duration, workers []worker) (Result, int64, error) {
	var phase atomic.Int32
	counted := make(chan struct{}, 1)
	tallies := make([]tally, len(workers))
	failed := make(chan error, len(workers))
	var wg sync.WaitGroup
	for i, w := range workers {
		tallies[i] = tally{phase: &phase, counted: counted, latencies: make([]time.Duration, 0, 1<<14)}
		wg.Go(func() {
			if err := w(&tallies[i]); err != nil {
				failed <- err
			}
		})
	}
	measured, err := watch(ctx, e, r, window, &phase, counted, failed)
	phase.Store(ending)
	wg.Wait()
	close(failed)
	for more := range failed {
		if err == nil { // the others fail for the same reason, most often
			err = more
		}
	}
	if err != nil {
		return Result{}, 0, err
	}
	var all, n, bytes, requests int64
	var latencies []time.Duration
	for i := range tallies {
		t := &tallies[i]
		all, n, bytes, requests = all+t.all, n+t.n, bytes+t.bytes, requests+t.requests
		latencies = append(latencies, t.latencies...)
	}
	if n == 0 {
		return Result{}, 0, errors.New("nothing was acked while measuring")
	}
	measured.rates(n, bytes, requests)
	measured.latencies(latencies)
	return measured, all, nil
}

// rates adds what n records of bytes in so many requests come to.
func (r *Result) rates(n, bytes, requests int64) {
	r.Values[RecordsPerS] = float64(n) / r.Seconds
	r.Values[AcksPerS] = float64(requests) / r.Seconds
	r.Values[MBPerS] = float64(bytes) / 1e6 / r.Seconds
	if r.BrokerCPU > 0 {
		r.Values[MBPerCPU] = float64(bytes) / 1e6 / r.BrokerCPU
		r.Values[AcksPerCPU] = float64(requests) / r.BrokerCPU
	}
}

// watch leads the phases up to the end of the measurement, or to the first failure.
func watch(ctx context.Context, e *Env, r *peers.Running, window time.Duration, phase *atomic.Int32, counted <-chan struct{}, failed <-chan error) (Result, error) {
	wait := func(over <-chan time.Time) error {
		select {
		case <-over:
			return nil
		case err := <-failed:
			return errors.Join(err, r.Alive())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := wait(time.After(e.Warm)); err != nil {
		return Result{}, err
	}
	m, err := begin(r)
	if err != nil {
		return Result{}, err
	}
	phase.Store(measuring)
	if err := wait(time.After(window)); err != nil {
		return Result{}, err
	}
	select { // a broker slower than a short window gets the time for one ack
	case <-counted:
	case <-time.After(firstAck):
	case err := <-failed:
		return Result{}, errors.Join(err, r.Alive())
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
	phase.Store(ending)
	return m.end()
}
