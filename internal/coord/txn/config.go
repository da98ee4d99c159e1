package txn

import "time"

// Config are the broker's settings of transactions. Kafka's name of each in its
// comment.
type Config struct {
	// MaxTimeout is the longest time-out that a producer may ask for.
	// transaction.max.timeout.ms.
	MaxTimeout time.Duration
	// Expiration is how long a transactional id without an open transaction is kept.
	// transactional.id.expiration.ms.
	Expiration time.Duration
	// ExpirationCheckInterval is how often expired ids are looked for.
	// transaction.remove.expired.transaction.cleanup.interval.ms.
	ExpirationCheckInterval time.Duration
	// MaxPartitions bounds the partitions of one transaction: its decision is one unit
	// of the log. 0 is no bound.
	MaxPartitions int
	// NewProducerID gives out an id that nobody ever had.
	NewProducerID func() (int64, error)
	// Unreachable says whether a partition cannot be written, for longer than a moment;
	// nil: all can. When that ends before the next start, a Reachable event says so.
	Unreachable func(Partition) bool
}

// DefaultConfig is Kafka's defaults. NewProducerID is left to the caller.
func DefaultConfig() Config {
	return Config{
		MaxTimeout:              15 * time.Minute,
		Expiration:              7 * 24 * time.Hour,
		ExpirationCheckInterval: time.Hour,
	}
}
