package broker

import (
	"errors"
	"fmt"

	"github.com/leatdev/leat/internal/coord/txn"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/plog"
)

// TransactionFates reads what the log of transactions says, for a repair of other logs
// in a store that nobody else uses: what it returns tells the fates in one partition.
// Nobody knows them while a part of that log cannot be read; the error says which.
func TransactionFates(store *plog.Store) (func(topic string, partition int32) plog.Fate, error) {
	var machines []*txn.Coordinator
	for _, l := range store.Logs() {
		if l.Topic() != TransactionsTopic {
			continue
		}
		cfg := txn.DefaultConfig()
		cfg.NewProducerID = func() (int64, error) { return 0, errors.New("a repair gives out none") }
		m := txn.New(cfg)
		var n txn.Replayed
		err := l.Fenced()
		if err == nil {
			err = l.ReadAll(func(b kafka.Batch) error { return replayTxns(m, b, &n, func(int64, error) {}) })
		}
		if err == nil && n.Skipped > 0 {
			err = fmt.Errorf("%d records are not understood", n.Skipped)
		}
		if err != nil {
			return nil, fmt.Errorf("%s-%d: %w", TransactionsTopic, l.ID().Partition, err)
		}
		machines = append(machines, m)
	}
	return func(topic string, partition int32) plog.Fate {
		at := txn.Partition{Topic: topic, Partition: partition}
		return func(producerID int64, epoch int16) plog.Ending {
			for _, m := range machines {
				switch m.Fate(producerID, epoch, at) {
				case txn.Open:
					return plog.StillOpen
				case txn.Committed:
					return plog.WasCommitted
				}
			}
			return plog.WasAborted
		}
	}, nil
}
