package txn

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/coord/ledger"
)

// What all coordinators have: the caller's handle of a request, the answer to it, a note
// for the operator, a record of __transaction_state.
type (
	Token  = ledger.Token
	Reply  = ledger.Reply
	Note   = ledger.Note
	Record = ledger.Record
)

// Event is what goes into Step: a request, or news about the log or the time.
type Event interface{ event() }

// Partition is a partition of a topic, by name: Kafka's records have no ids.
type Partition struct {
	Topic     string
	Partition int32
}

// Init is an InitProducerId request with a transactional id. Answer: InitAnswer.
type Init struct {
	Token Token
	ID    string
	// TimeoutMillis is transaction.timeout.ms.
	TimeoutMillis int32
	// ProducerID and Epoch are those of a producer that goes on (KIP-360), else -1.
	ProducerID int64
	Epoch      int16
}

// InitAnswer has the producer's id and epoch; -1 with an error code.
type InitAnswer struct {
	Code       int16
	ProducerID int64
	Epoch      int16
}

// Add adds partitions to a transaction; the first ones begin it. Answer: AddAnswer.
type Add struct {
	Token      Token
	ID         string
	ProducerID int64
	Epoch      int16
	Partitions []Partition
	// Verify only asks whether they are in it.
	Verify bool
	// V2 says that the producer speaks transaction version 2 (KIP-890).
	V2 bool
}

// AddAnswer has an error code for all partitions; with Verify, and without such a
// code, one for each.
type AddAnswer struct {
	Code  int16
	Codes []int16
}

// Enter says that data of a transaction comes to a partition. It is taken when the
// partition is in the transaction; or, with Implicit (transaction version 2), when the
// partition can be added with it. Either the answer, an EnterAnswer, is in the Effects
// of this Step, or a Write is With the token.
type Enter struct {
	Token      Token
	ID         string
	ProducerID int64
	Epoch      int16
	Partition  Partition
	Implicit   bool
}

// EnterAnswer is 0 when the data may be appended.
type EnterAnswer struct{ Code int16 }

// End is an EndTxn request. Answer: EndAnswer.
type End struct {
	Token      Token
	ID         string
	ProducerID int64
	Epoch      int16
	Commit     bool
	// V2: the request is of transaction version 2: the epoch is bumped.
	V2 bool
}

// EndAnswer has the id and epoch to go on with, when the request was of version 2.
type EndAnswer struct {
	Code       int16
	ProducerID int64
	Epoch      int16
}

// Describe asks for one transactional id. Answer:
// kmsg.DescribeTransactionsResponseTransactionState.
type Describe struct {
	Token Token
	ID    string
}

// List asks for the transactional ids that Want takes. Answer: ListAnswer.
type List struct {
	Token Token
	// States and ProducerIDs name those that are wanted; empty means all.
	States      []State
	ProducerIDs []int64
	// OpenMillis: only those that are open for longer; negative means all.
	OpenMillis int64
	// Matches says whether an id is wanted; nil takes all.
	Matches func(id string) bool
}

// ListAnswer is sorted by transactional id.
type ListAnswer struct {
	Code         int16
	Transactions []kmsg.ListTransactionsResponseTransactionState
}

// Appended reports what became of a Write: nil when it is in the log (but not yet
// durable), else why it was refused.
type Appended struct {
	ID  uint64
	Err error
}

// Durable reports that the Writes up to ID are on disk, or that the flush failed for
// good.
type Durable struct {
	ID  uint64
	Err error
}

// Reachable says that what Config.Unreachable says of a topic's partitions has changed.
type Reachable struct{ Topic string }

// Tick tells the time.
type Tick struct{}

func (Init) event()      {}
func (Add) event()       {}
func (Enter) event()     {}
func (End) event()       {}
func (Describe) event()  {}
func (List) event()      {}
func (Appended) event()  {}
func (Durable) event()   {}
func (Reachable) event() {}
func (Tick) event()      {}

// Effects is what a Step asks of its caller; see the package comment.
type Effects struct {
	Writes  []Write
	Replies []Reply
	Notes   []Note
}

// Write is a unit for the log. IDs rise.
type Write struct {
	ID      uint64
	Records []Record
	// With, when not nil, is the token of the Enter whose data belongs to the unit.
	With Token
	// Decision, when not nil, has to be told to the logs of its partitions.
	Decision *Decision
}

// Decision is the end of a transaction.
type Decision struct {
	ProducerID int64
	// Epoch is what the markers carry.
	Epoch      int16
	Commit     bool
	Partitions []Partition
}
