package work

import (
	"context"
	"fmt"

	"github.com/leatdev/leat/bench/internal/peers"
	"github.com/leatdev/leat/bench/internal/raw"
)

// WarmUp gives a peer that compiles while it runs its share of everything before it
// is measured: a virtual machine needs about a million records. Nothing is counted.
func WarmUp(ctx context.Context, e *Env, r *peers.Running) error {
	if !r.Compiles {
		return nil
	}
	_, err := withTopic(ctx, e, r, batchPartitions, nil, func(topic string) (Result, int64, error) {
		acked, err := fill(ctx, r.Addr, topic, batchPartitions, 100, e.WarmBytes)
		if err != nil {
			return Result{}, 0, err
		}
		_, more, err := syncFranz(ctx, e, r, topic, batchPartitions, syncProducers, e.Window)
		if err != nil {
			return Result{}, 0, err
		}
		f, err := filledBy(ctx, r, topic, batchPartitions, acked+more)
		if err != nil {
			return Result{}, 0, err
		}
		conn, err := raw.Dial(ctx, r.Addr)
		if err != nil {
			return Result{}, 0, err
		}
		defer conn.Close()
		if _, _, _, err := f.pass(ctx, conn, ""); err != nil {
			return Result{}, 0, fmt.Errorf("read back: %w", err)
		}
		return Result{}, acked + more, nil
	})
	return err
}
