package share

import (
	"math"
	"time"
)

// Config is what a group's configs say about its share-partitions.
type Config struct {
	// LockDuration is how long a record stays acquired.
	LockDuration time.Duration
	// KeepLocks is the lock duration above which an acquisition is part of the
	// durable state: it survives the consumer's connection and the broker.
	KeepLocks time.Duration
	// DeliveryLimit is how many failed deliveries a record may have.
	DeliveryLimit int
	// MaxLocks is about how many records may be acquired, or wait to be delivered
	// again, at a time.
	MaxLocks int
	// Renew says that locks may be renewed (KIP-1222).
	Renew bool
	// DeadLetters says that what is rejected or failed too often goes to a
	// dead-letter topic.
	DeadLetters bool
	// BackoffMin, BackoffMax and BackoffMultiplier say how long a record is held back
	// after its n-th failed delivery: min·multiplier^(n-1), at most max. 0 = not.
	BackoffMin, BackoffMax time.Duration
	BackoffMultiplier      float64
	// BreakerDead dead letters within BreakerWindow, if they outnumber the records
	// accepted in it, pause the delivery for BreakerPause. 0 = never.
	BreakerDead   int
	BreakerWindow time.Duration
	BreakerPause  time.Duration
}

// DefaultConfig is Kafka's defaults, and Leat's for what Kafka does not have.
func DefaultConfig() Config {
	return Config{
		LockDuration:      30 * time.Second,
		KeepLocks:         time.Minute,
		DeliveryLimit:     5,
		MaxLocks:          2000,
		Renew:             true,
		BackoffMultiplier: 2,
		BreakerDead:       1000,
		BreakerWindow:     time.Minute,
		BreakerPause:      30 * time.Second,
	}
}

// backoff is how long a record is held back after so many failed deliveries.
func (c *Config) backoff(failed int) time.Duration {
	if c.BackoffMin <= 0 || failed <= 0 {
		return 0
	}
	most := max(c.BackoffMax, c.BackoffMin)
	d := float64(c.BackoffMin) * math.Pow(max(c.BackoffMultiplier, 1), float64(failed-1))
	if d >= float64(most) {
		return most
	}
	return time.Duration(d)
}

// leastNarrow is the fewest failed deliveries after which batches are narrowed.
const leastNarrow = 2

// narrow is how many records of a run that failed so often may be delivered together
// (KAFKA-17541): fewer and fewer from half of the limit on, so that a poison record
// ends up alone before it takes its neighbours along. 0 = as many as are asked for.
func (c *Config) narrow(failed int, size int64) int64 {
	if c.DeliveryLimit > 2 && failed >= c.DeliveryLimit-1 {
		return 1
	}
	from := max(leastNarrow, (c.DeliveryLimit+1)/2)
	if failed < from {
		return 0
	}
	return max(1, size>>(failed-from+1))
}
