package txn

import (
	"math"
	"slices"
	"time"
)

// State is the state of a transactional id, in the numbers of Kafka's records.
type State int8

// Kafka's states. Dead and PrepareEpochFence are never written.
const (
	Empty State = iota
	Ongoing
	PrepareCommit
	PrepareAbort
	CompleteCommit
	CompleteAbort
	Dead
	PrepareEpochFence
)

var stateNames = []string{"Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort", "Dead", "PrepareEpochFence"}

func (s State) String() string { return stateNames[s] }

// StateNamed returns the state of a name; false when there is none.
func StateNamed(name string) (State, bool) {
	i := slices.Index(stateNames, name)
	return State(i), i >= 0
}

// txn is a transactional id.
type txn struct {
	id string
	// producerID and epoch are the present producer's. previousID is the one before
	// the epochs of it ran out, nextID the one that follows a decision that is under
	// way; -1 when there is none.
	producerID, previousID, nextID int64
	epoch                          int16
	// lastEpoch is the one before, of a producer that has asked for the next by
	// naming it (KIP-360); -1 when there is none. It is not stored, as in Kafka.
	lastEpoch int16
	// fenced says that the last decision was somebody else's, who has no epoch yet:
	// what looks like a retry of it is the old producer's. It is not stored, either.
	fenced  bool
	timeout int32 // ms
	state   State
	version int16 // of transactions, as the producer speaks it
	// partitions of the open or prepared transaction, sorted.
	partitions       []Partition
	updated, started int64 // ms since 1970; started -1: never

	wakeAt    time.Time // of its alarm; zero when it has none
	said      bool      // what its decision waits for, or its time-out, has been noted
	lastWrite uint64    // newest Write that was appended
}

// noEpoch is the epoch of a transactional id that has given none out.
const noEpoch = -1

// exhausted says that the producer id has no epoch left to give out: the last is for
// fencing.
func (t *txn) exhausted() bool { return t.epoch >= math.MaxInt16-1 }

// closed says that no transaction is open or prepared.
func (t *txn) closed() bool {
	return t.state == Empty || t.state == CompleteCommit || t.state == CompleteAbort
}

// prepared says that a transaction is decided and not all its partitions know.
func (t *txn) prepared() bool { return t.state == PrepareCommit || t.state == PrepareAbort }

// has says whether a partition is in the open transaction.
func (t *txn) has(p Partition) bool {
	_, ok := slices.BinarySearchFunc(t.partitions, p, byPartition)
	return ok && t.state == Ongoing
}

// deadline is when the open transaction is aborted for taking too long.
func (t *txn) deadline() time.Time {
	return time.UnixMilli(t.started).Add(time.Duration(t.timeout) * time.Millisecond)
}

// with returns the transaction with more partitions, open from now (ms) on if it was
// not before.
func (t *txn) with(ps []Partition, now int64, v2 bool) txn {
	next := *t
	if next.state != Ongoing {
		next.state, next.started, next.partitions = Ongoing, now, nil
	}
	next.partitions = slices.Concat(next.partitions, ps)
	slices.SortFunc(next.partitions, byPartition)
	next.partitions = slices.Compact(next.partitions)
	next.updated = now
	next.version = 0
	if v2 {
		next.version = 2
	}
	return next
}
