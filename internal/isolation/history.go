package isolation

import (
	"math"
	"time"
)

// Never is the end of what nobody has seen end.
const Never = time.Duration(math.MaxInt64)

// Span is between what two moments something took effect, on any clock that all
// of a history share. End is Never where there was no answer.
type Span struct{ Start, End time.Duration }

// Record is a record at its place. Values are unique in a history.
type Record struct {
	Key    string // partition
	Offset int64  // -1: not known
	Value  string
}

// Outcome is what the client of a transaction was told of its end.
type Outcome int

const (
	// Unknown: nothing for sure. It counts as committed once it was read.
	Unknown Outcome = iota
	Committed
	Aborted
)

func (o Outcome) String() string {
	return [...]string{"of unknown outcome", "committed", "aborted"}[o]
}

// Txn is a transaction. End is from when its client asked for the end to the answer. Its
// start counts for one that is committed: another one may have been ended before, by
// a fence or by time.
type Txn struct {
	Name    string // for people
	Outcome Outcome
	End     Span
	// Init is the index in History.Inits of the incarnation that it belongs to; -1
	// when that is not known.
	Init int
	// Group and Offsets are what it commits for a group, the next offset by key;
	// nil for nothing.
	Group   string
	Offsets map[string]int64
}

// NoTxn is the Txn of what is done outside of transactions.
const NoTxn = -1

// Send is the append of a batch, or the attempt. (What is sent together and may lie in
// several batches has a Send for each record.) Txn is an index in History.Txns, or NoTxn.
type Send struct {
	Span
	Client  string
	Txn     int
	Records []Record
}

// Poll is what a reader of committed data has got, in order.
type Poll struct {
	Span
	Client  string
	Txn     int
	Records []Record
}

// Stable is an answer about last stable offsets.
type Stable struct {
	Span
	Client string
	Ends   map[string]int64 // by key
}

// Init is an InitProducerId that was answered: whoever had its transactional ID before is
// fenced, and has nothing open. Order grows with each one of an ID (producer
// id and epoch do).
type Init struct {
	Span
	Client, ID string
	Order      int64
}

// History is what clients did and were told.
type History struct {
	Txns    []Txn
	Sends   []Send
	Polls   []Poll
	Stables []Stable
	Inits   []Init
	// Groups is how far each group has come at last, by key, when all transactions
	// have ended and everything has been polled; nil where that is not known.
	Groups map[string]map[string]int64
	// AtOnce says that a transaction ends in all its partitions at one moment, before
	// that is answered.
	AtOnce bool
}
