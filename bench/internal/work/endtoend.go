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
)

// endToEnd measures how long after it was due a record is in a consumer's hands, at
// 2,000 records per second and at half of what the slowest of the peers can take.
type endToEnd struct {
	mu     sync.Mutex
	maxima map[string]float64 // records per second, by peer
}

func newEndToEnd() *endToEnd { return &endToEnd{maxima: map[string]float64{}} }

// setup finds the most that producer, peer and consumer can do together.
func (t *endToEnd) setup(ctx context.Context, e *Env, r *peers.Running) error {
	res, err := t.at(ctx, e, r, 0, e.Window/2)
	if err != nil {
		return err
	}
	t.mu.Lock()
	t.maxima[r.Name] = res.Values[RecordsPerS]
	t.mu.Unlock()
	e.Log("end to end: %s takes at most %.0f records per second", r.Name, res.Values[RecordsPerS])
	return nil
}

// half is half of the least maximum: one rate for all, so that they compare.
func (t *endToEnd) half() (float64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	least := 0.
	for _, v := range t.maxima {
		if least == 0 || v < least {
			least = v
		}
	}
	if least == 0 {
		return 0, errors.New("no maximum was measured")
	}
	return least / 2, nil
}

func (t *endToEnd) measure(ctx context.Context, e *Env, r *peers.Running) ([]Result, error) {
	slow, err := t.at(ctx, e, r, slowRate, e.Window)
	if err != nil {
		return nil, err
	}
	slow.Row = "2000"
	rate, err := t.half()
	if err != nil {
		return nil, err
	}
	half, err := t.at(ctx, e, r, rate, e.Window)
	half.Row = "half"
	return []Result{slow, half}, err
}

// at sends at the rate for so long, to one partition.
func (t *endToEnd) at(ctx context.Context, e *Env, r *peers.Running, rate float64, window time.Duration) (Result, error) {
	return withTopic(ctx, e, r, 1, nil, func(topic string) (Result, int64, error) {
		consumer, err := newFranz(r.Addr, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		if err != nil {
			return Result{}, 0, err
		}
		defer consumer.Close()
		producer, err := newFranz(r.Addr, kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))
		if err != nil {
			return Result{}, 0, err
		}
		defer producer.Close()

		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		c := newLateness(consumer)
		done := make(chan struct{})
		go func() {
			defer close(done)
			if err := c.run(ctx); err != nil && ctx.Err() == nil {
				cancel(err)
			}
		}()
		warm := pacer{client: producer, topic: topic, rate: slowRate, size: syncValue}
		before, err := warm.run(ctx, max(e.Warm, 100*time.Millisecond))
		if err != nil {
			return Result{}, 0, errors.Join(err, context.Cause(ctx))
		}
		if err := c.wait(ctx, before); err != nil {
			return Result{}, 0, err
		}
		m, err := begin(r)
		if err != nil {
			return Result{}, 0, err
		}
		p := pacer{client: producer, topic: topic, rate: rate, size: syncValue}
		n, err := p.run(ctx, window)
		if err != nil {
			return Result{}, 0, errors.Join(err, context.Cause(ctx))
		}
		if err := c.wait(ctx, before+n); err != nil {
			return Result{}, 0, err
		}
		res, err := m.end()
		cancel(nil)
		<-done
		if err != nil {
			return Result{}, 0, err
		}
		if got := int64(len(c.late)); got != before+n {
			return Result{}, 0, fmt.Errorf("%d records were consumed: want %d", got, before+n)
		}
		res.Client = franz
		res.rates(n, n*syncValue, n)
		res.latencies(c.late[before:])
		return res, before + n, nil
	})
}

// lateness consumes and notes how late each record was.
type lateness struct {
	client *kgo.Client
	// confirm is called with what was consumed before its time is taken. Optional.
	confirm func(kgo.Fetches) error
	late    []time.Duration // read it only after run has ended
	mu      sync.Mutex
	n       int64
	grown   chan struct{} // closed when n grew, and made anew
}

func newLateness(cl *kgo.Client) *lateness {
	return &lateness{client: cl, grown: make(chan struct{})}
}

// run consumes until ctx ends.
func (l *lateness) run(ctx context.Context) error {
	for {
		fetches := l.client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("consume: %w", err)
		}
		if l.confirm != nil {
			if err := l.confirm(fetches); err != nil {
				return fmt.Errorf("confirm: %w", err)
			}
		}
		now := time.Now().UnixNano()
		for it := fetches.RecordIter(); !it.Done(); {
			l.late = append(l.late, time.Duration(now-int64(binary.BigEndian.Uint64(it.Next().Value))))
		}
		l.mu.Lock()
		l.n = int64(len(l.late))
		close(l.grown)
		l.grown = make(chan struct{})
		l.mu.Unlock()
	}
}

// wait waits until n records were consumed.
func (l *lateness) wait(ctx context.Context, n int64) error {
	for {
		l.mu.Lock()
		got, grown := l.n, l.grown
		l.mu.Unlock()
		if got >= n {
			return nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d records were consumed: %w", got, n, context.Cause(ctx))
		case <-time.After(30 * time.Second):
			return fmt.Errorf("%d of %d records were consumed, and no more for 30 s", got, n)
		}
	}
}
