package work

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/bench/internal/peers"
	"github.com/leatdev/leat/bench/internal/raw"
)

const txnProducers = 16

// txnRow is 16 transactional producers, each on a partition of its own: every
// record of 1 KiB is begun, sent and committed before the next.
func txnRow(ctx context.Context, e *Env, r *peers.Running) ([]Result, error) {
	res, err := withTopic(ctx, e, r, txnProducers, nil, func(topic string) (Result, int64, error) {
		var workers []worker
		for i := range txnProducers {
			cl, err := newFranz(r.Addr, kgo.TransactionalID(fmt.Sprintf("%s-%d", topic, i)), kgo.TransactionTimeout(30*time.Second),
				kgo.RecordRetries(math.MaxInt)) // Kafka's answer while the last transaction's markers are under way
			if err != nil {
				return Result{}, 0, err
			}
			defer cl.Close()
			rec := &kgo.Record{Topic: topic, Partition: int32(i), Value: raw.Value(syncValue)}
			workers = append(workers, func(t *tally) error {
				for t.more() {
					began := time.Now()
					if err := commitOne(ctx, cl, rec); err != nil {
						return err
					}
					t.ack(time.Since(began), 1, syncValue)
				}
				return nil
			})
		}
		res, acked, err := drive(ctx, e, r, e.Window, workers)
		res.Client = franz
		acked *= 2      // behind each record stands its marker
		if err == nil { // Kafka answers before they are written
			err = until(ctx, createPatience, func() error { return verify(ctx, r, topic, txnProducers, acked) })
		}
		return res, acked, err
	})
	return []Result{res}, err
}

// commitOne is a transaction of one record.
func commitOne(ctx context.Context, cl *kgo.Client, rec *kgo.Record) error {
	if err := cl.BeginTransaction(); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := cl.ProduceSync(ctx, rec).FirstErr(); err != nil {
		return fmt.Errorf("produce: %w", err)
	}
	if err := cl.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}
