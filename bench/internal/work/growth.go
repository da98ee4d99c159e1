package work

import (
	"context"
	"errors"
	"fmt"

	"github.com/leatdev/leat/bench/internal/peers"
	"github.com/leatdev/leat/bench/internal/raw"
)

const (
	growthSamples = 3 // windows at each size
	connSamples   = 5 // windows with few and with many connections, in turn
	fewIdle       = 1 // idle connections
	manyIdle      = 1000
)

// growthRow measures the 64 producers while the log grows from nothing to its full
// size, and then with few and with many idle connections beside.
type growthRow struct{ big *bigLogs }

func (g growthRow) alone(ctx context.Context, e *Env, p peers.Peer) (all []Result, err error) {
	l, err := g.big.of(ctx, e, p, 0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.Stop()) }() // it is not to work beside the others
	size := int64(0)
	for want := int64(1 << 20); ; want = min(want*10, e.BigLog) {
		if err := l.grow(ctx, max(want-size, 0)); err != nil {
			return all, err
		}
		size = want
		if err := e.Settle(); err != nil {
			return all, err
		}
		for i := range growthSamples {
			res, err := g.sample(ctx, e, l)
			if err != nil {
				return all, err
			}
			res.Row, res.Round = fmt.Sprintf("log-%dMB", want>>20), i+1
			all = append(all, res)
		}
		if want == e.BigLog {
			break
		}
	}
	for i := range connSamples {
		for _, n := range []int{fewIdle, manyIdle} {
			res, err := g.beside(ctx, e, l, n)
			if err != nil {
				return all, err
			}
			res.Row, res.Round = fmt.Sprintf("conns-%d", n), i+1
			all = append(all, res)
		}
	}
	return all, l.check(ctx)
}

// beside is a sample with n connections that asked once and then are silent.
func (g growthRow) beside(ctx context.Context, e *Env, l *bigLog, n int) (Result, error) {
	for range n {
		c, err := raw.Dial(ctx, l.Addr)
		if err != nil {
			return Result{}, err
		}
		defer c.Close()
		if err := c.Leaders("", 0); err != nil {
			return Result{}, err
		}
	}
	return g.sample(ctx, e, l)
}

// sample is the 64 producers on a topic of their own beside the large one.
func (g growthRow) sample(ctx context.Context, e *Env, l *bigLog) (Result, error) {
	return withTopic(ctx, e, l.Running, batchPartitions, nil, func(topic string) (Result, int64, error) {
		return syncRaw(ctx, e, l.Running, topic, batchPartitions, syncProducers, e.Window/4)
	})
}
