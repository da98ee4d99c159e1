package txn

import (
	"math"
	"slices"
)

// Fate is what a coordinator knows of a transaction of which a log has the beginning.
type Fate int

// The fates. What is Unknown was not committed, as far as can be told: it is not open,
// and a transaction that is open is known.
const (
	Unknown Fate = iota
	// Open: it is not decided, or not told yet; it will be.
	Open
	// Committed: it was the last one of its transactional id.
	Committed
)

// Fate says what has become of the transaction that a producer has begun in a partition
// with an epoch. Where each transaction has an epoch of its own (version 2) the last
// decision is known to be its.
func (c *Coordinator) Fate(producerID int64, epoch int16, p Partition) Fate {
	for _, t := range c.txns {
		mine := t.producerID == producerID
		switch {
		case mine && t.state == Ongoing && t.epoch == epoch && slices.Contains(t.partitions, p),
			mine && t.prepared() && (t.epoch == epoch || t.epoch == epoch+1) && slices.Contains(t.partitions, p):
			return Open
		case (t.state == CompleteCommit || t.state == PrepareCommit) && t.version >= 2 &&
			(mine && t.epoch == epoch+1 || t.previousID == producerID && t.epoch == 0 && epoch == math.MaxInt16-1):
			return Committed
		}
	}
	return Unknown
}
