package work

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/bench/internal/peers"
	"github.com/leatdev/leat/bench/internal/raw"
)

const (
	batchPartitions = 4
	batchBytes      = 64 << 10 // of one partition in one request
	batchConns      = 2
	batchDepth      = 5 // requests in flight on a connection, as Kafka's clients have at most
)

// recordsFor is how many records of size make a batch of batchBytes.
func recordsFor(size int) int { return max(batchBytes/(size+8), 1) }

// franzToo are the peers that batches are produced to with franz-go, too.
var franzToo = []string{"leat", "kafka"}

// batchRow is produce with full batches of records of size bytes.
func batchRow(size int) func(context.Context, *Env, *peers.Running) ([]Result, error) {
	return func(ctx context.Context, e *Env, r *peers.Running) ([]Result, error) {
		byRaw, err := withTopic(ctx, e, r, batchPartitions, nil, func(topic string) (Result, int64, error) {
			return batchRaw(ctx, e, r, topic, size)
		})
		if err != nil || !slices.Contains(franzToo, r.Name) {
			return []Result{byRaw}, err
		}
		if err := e.Settle(); err != nil {
			return nil, err
		}
		byFranz, err := withTopic(ctx, e, r, batchPartitions, nil, func(topic string) (Result, int64, error) {
			return batchFranz(ctx, e, r, topic, size)
		})
		byFranz.Row = franz
		return []Result{byRaw, byFranz}, err
	}
}

func batchRaw(ctx context.Context, e *Env, r *peers.Running, topic string, size int) (Result, int64, error) {
	n := recordsFor(size)
	batch := raw.Batch(n, size)
	var workers []worker
	for range batchConns {
		c, err := raw.Dial(ctx, r.Addr)
		if err != nil {
			return Result{}, 0, err
		}
		defer c.Close()
		frame := raw.ProduceFrame(topic, partitions(batchPartitions), batch)
		workers = append(workers, func(t *tally) error {
			p := raw.Pipeline{Conn: c, Frames: [][]byte{frame}, Partitions: batchPartitions, Depth: batchDepth,
				Acked: func(l time.Duration) { t.ack(l, int64(n*batchPartitions), int64(len(batch)*batchPartitions)) }}
			return p.Run(t.more)
		})
	}
	res, acked, err := drive(ctx, e, r, e.Window, workers)
	res.Client = rawClient
	return res, acked, err
}

// partitions are 0 to n-1.
func partitions(n int) []int32 {
	all := make([]int32, n)
	for i := range all {
		all[i] = int32(i)
	}
	return all
}

// batchFranz is one franz-go client that is given records as fast as it takes them.
func batchFranz(ctx context.Context, e *Env, r *peers.Running, topic string, size int) (Result, int64, error) {
	cl, err := newFranz(r.Addr, kgo.DefaultProduceTopic(topic), kgo.MaxBufferedRecords(100_000),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), kgo.ProducerLinger(5*time.Millisecond))
	if err != nil {
		return Result{}, 0, err
	}
	defer cl.Close()
	value := raw.Value(size)
	one := func(t *tally) error {
		var failure error // written and read by the promises, one after the other
		promise := func(began time.Time) func(*kgo.Record, error) {
			return func(_ *kgo.Record, err error) {
				if err != nil && failure == nil {
					failure = fmt.Errorf("produce: %w", err)
				}
				if err == nil {
					t.ack(time.Since(began), 1, int64(size))
				}
			}
		}
		for t.more() {
			began := time.Now()
			done := promise(began)
			for range 100 { // one clock for some records
				cl.Produce(ctx, &kgo.Record{Value: value}, done)
			}
		}
		if err := cl.Flush(ctx); err != nil {
			return err
		}
		return failure
	}
	res, acked, err := drive(ctx, e, r, e.Window, []worker{one})
	res.Client = franz
	return res, acked, err
}
