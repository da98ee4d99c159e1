package work

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/bench/internal/peers"
	"github.com/leatdev/leat/bench/internal/raw"
)

// Clients, as the report names them.
const (
	franz     = "franz-go"
	rawClient = "raw"
)

const (
	syncProducers = 64
	syncValue     = 1024
)

// rawToo are the peers that the 64 producers run on with the raw client, too.
var rawToo = []string{"leat", "leat-relaxed", "kfake", "kafka"}

// syncRow is 64 producers that wait for each ack before they send the next record.
func syncRow(partitions int) func(context.Context, *Env, *peers.Running) ([]Result, error) {
	return func(ctx context.Context, e *Env, r *peers.Running) ([]Result, error) {
		if r.Protocol != peers.Kafka {
			res, err := syncOther(ctx, e, r, partitions, syncProducers, e.Window)
			return []Result{res}, err
		}
		byFranz, err := withTopic(ctx, e, r, partitions, nil, func(topic string) (Result, int64, error) {
			return syncFranz(ctx, e, r, topic, partitions, syncProducers, e.Window)
		})
		if err != nil || !slices.Contains(rawToo, r.Name) {
			return []Result{byFranz}, err
		}
		byRaw, err := withTopic(ctx, e, r, partitions, nil, func(topic string) (Result, int64, error) {
			return syncRaw(ctx, e, r, topic, partitions, syncProducers, e.Window/2)
		})
		byRaw.Row = rawClient
		return []Result{byFranz, byRaw}, err
	}
}

// oneRow is one producer alone.
func oneRow(ctx context.Context, e *Env, r *peers.Running) ([]Result, error) {
	if r.Protocol != peers.Kafka {
		res, err := syncOther(ctx, e, r, 1, 1, e.Window/2)
		return []Result{res}, err
	}
	byRaw, err := withTopic(ctx, e, r, 1, nil, func(topic string) (Result, int64, error) {
		return syncRaw(ctx, e, r, topic, 1, 1, e.Window/2)
	})
	return []Result{byRaw}, err
}

// syncOther is the sync producers with the client of another protocol.
func syncOther(ctx context.Context, e *Env, r *peers.Running, partitions, producers int, window time.Duration) (Result, error) {
	if r.Protocol == peers.NATS {
		return syncNATS(ctx, e, r, partitions, producers, window)
	}
	return syncAMQP(ctx, e, r, partitions, producers, window)
}

// withTopic runs do on a new topic and compares the acks that it counted with the
// ends of the partitions.
func withTopic(ctx context.Context, e *Env, r *peers.Running, partitions int, configs map[string]string, do func(topic string) (Result, int64, error)) (Result, error) {
	topic, err := e.newTopic(ctx, r, partitions, configs)
	if err != nil {
		return Result{}, err
	}
	res, acked, err := do(topic)
	if err == nil {
		err = verify(ctx, r, topic, partitions, acked)
	}
	return res, errors.Join(err, e.dropTopic(ctx, r, topic))
}

// newFranz is a franz-go client that sends at once and does not compress; the rest
// is the library's default (acks=all, idempotent).
func newFranz(addr string, opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(addr), kgo.ProducerLinger(0), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RecordRetries(0), kgo.RecordDeliveryTimeout(30 * time.Second),
	}, opts...)...)
}

func syncFranz(ctx context.Context, e *Env, r *peers.Running, topic string, partitions, producers int, window time.Duration) (Result, int64, error) {
	var workers []worker
	for i := range producers {
		cl, err := newFranz(r.Addr)
		if err != nil {
			return Result{}, 0, err
		}
		defer cl.Close()
		rec := &kgo.Record{Topic: topic, Partition: int32(i % partitions), Value: raw.Value(syncValue)}
		workers = append(workers, func(t *tally) error {
			for t.more() {
				began := time.Now()
				if err := cl.ProduceSync(ctx, rec).FirstErr(); err != nil {
					return fmt.Errorf("produce: %w", err)
				}
				t.ack(time.Since(began), 1, syncValue)
			}
			return nil
		})
	}
	res, acked, err := drive(ctx, e, r, window, workers)
	res.Client = franz
	return res, acked, err
}

func syncRaw(ctx context.Context, e *Env, r *peers.Running, topic string, partitions, producers int, window time.Duration) (Result, int64, error) {
	batch := raw.Batch(1, syncValue)
	var workers []worker
	for i := range producers {
		c, err := raw.Dial(ctx, r.Addr)
		if err != nil {
			return Result{}, 0, err
		}
		defer c.Close()
		frame := raw.ProduceFrame(topic, []int32{int32(i % partitions)}, batch)
		workers = append(workers, func(t *tally) error {
			p := raw.Pipeline{Conn: c, Frames: [][]byte{frame}, Partitions: 1, Depth: 1,
				Acked: func(l time.Duration) { t.ack(l, 1, int64(len(batch))) }}
			return p.Run(t.more)
		})
	}
	res, acked, err := drive(ctx, e, r, window, workers)
	res.Client = rawClient
	return res, acked, err
}
