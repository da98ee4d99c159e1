package work

import (
	"context"
	"fmt"
	"time"

	"github.com/leatdev/leat/bench/internal/peers"
	"github.com/leatdev/leat/bench/internal/raw"
)

const (
	bigValue = 8 << 20
	bigConns = 4 // one record in flight on each
)

// InFlightMB is what the row of 8 MiB records has in flight at most, in MB.
const InFlightMB = float64(bigConns*bigValue) / 1e6

// bigRow is produce of 8 MiB records, and then their consumption by as many readers.
func bigRow(ctx context.Context, e *Env, r *peers.Running) ([]Result, error) {
	var consumed Result
	produced, err := withTopic(ctx, e, r, bigConns, map[string]string{"max.message.bytes": fmt.Sprint(16 << 20)}, func(topic string) (Result, int64, error) {
		batch := raw.Batch(1, bigValue)
		var workers []worker
		for i := range int32(bigConns) {
			c, err := raw.Dial(ctx, r.Addr)
			if err != nil {
				return Result{}, 0, err
			}
			defer c.Close()
			frame := raw.ProduceFrame(topic, []int32{i}, batch)
			workers = append(workers, func(t *tally) error {
				p := raw.Pipeline{Conn: c, Frames: [][]byte{frame}, Partitions: 1, Depth: 1,
					Acked: func(l time.Duration) { t.ack(l, 1, int64(len(batch))) }}
				return p.Run(t.more)
			})
		}
		m, err := begin(r)
		if err != nil {
			return Result{}, 0, err
		}
		before := m.broker.RSS
		res, acked, err := drive(ctx, e, r, e.Window, workers)
		if err != nil {
			return res, acked, err
		}
		res.Client = rawClient
		res.Values[PeakMB] = float64(res.PeakRSS-before) / 1e6
		f, err := filledBy(ctx, r, topic, bigConns, acked)
		if err != nil {
			return Result{}, 0, err
		}
		consumed, err = f.passes(ctx, r, bigConns, 0)
		consumed.Values[PeakMB] = float64(consumed.PeakRSS-before) / 1e6
		return res, acked, err
	})
	produced.Row, consumed.Row, consumed.Client = "produce", "consume", rawClient
	return []Result{produced, consumed}, err
}
