package load

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// latencyReader reads back what Latency writes.
type latencyReader struct {
	cl     *kgo.Client
	cancel context.CancelFunc
	over   chan struct{}

	mu    sync.Mutex
	run   *latencyRun
	from  time.Time // records due before it are warm-up; zero: all of them
	read  int64     // measured ones
	hist  Histogram
	wants int64         // finish waits for so many; -1 until it says
	done  chan struct{} // closed when read reaches wants
}

// startReader begins to read at the end of every partition as it is now. It
// returns when those ends are known, so that nothing written later is missed.
func (c Config) startReader(ctx context.Context, cl *kgo.Client) (*latencyReader, error) {
	ends, err := kadm.NewClient(cl).ListEndOffsets(ctx, c.Topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, err
	}
	consumer, err := c.Dial(ctx, kgo.ConsumePartitions(ends.KOffsets()), kgo.FetchMaxWait(500*time.Millisecond), kgo.FetchMinBytes(1))
	if err != nil {
		return nil, err
	}
	rctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r := &latencyReader{cl: consumer, cancel: cancel, over: make(chan struct{}), wants: -1, done: make(chan struct{})}
	go func() {
		defer close(r.over)
		for rctx.Err() == nil {
			fetches := consumer.PollFetches(rctx)
			now := time.Now()
			fetches.EachRecord(func(rec *kgo.Record) { r.add(rec.Value, now) })
		}
	}()
	return r, nil
}

// begin tells which run's records are meant.
func (r *latencyReader) begin(run *latencyRun) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.run = run
}

// measure ends the warm-up: records due from here on count, as in the tally.
func (r *latencyReader) measure(from time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.from = from
}

func (r *latencyReader) add(value []byte, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.run == nil || r.from.IsZero() {
		return
	}
	due, ok := r.run.due(value)
	if !ok || due.Before(r.from) {
		return
	}
	r.hist.Record(now.Sub(due))
	r.read++
	r.check()
}

// check closes done once everything wanted is read; the caller holds mu.
func (r *latencyReader) check() {
	if r.wants >= 0 && r.read >= r.wants {
		select {
		case <-r.done:
		default:
			close(r.done)
		}
	}
}

// finish waits until wants records are read, and returns their latency and how
// many are missing.
func (r *latencyReader) finish(wants int64) (Quantiles, int64) {
	r.mu.Lock()
	r.wants = wants
	r.check()
	r.mu.Unlock()
	t := time.NewTimer(drainTimeout)
	defer t.Stop()
	select {
	case <-r.done:
	case <-t.C:
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.hist.Quantiles(), max(0, wants-r.read)
}

func (r *latencyReader) stop() {
	r.cancel()
	<-r.over
	r.cl.Close()
}
