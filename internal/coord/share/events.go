package share

import "time"

// Event is what goes into Step.
type Event interface{ event() }

// Mode is how many records an Acquire takes (KIP-1206).
type Mode int8

// The modes. BatchOptimized takes whole batches of the log, and so maybe more records
// than were asked for; RecordLimit never takes more.
const (
	BatchOptimized Mode = 0
	RecordLimit    Mode = 1
)

// Batch is a record batch as it lies in the log.
type Batch struct{ Base, Last int64 }

// Range is a range of offsets, both ends included.
type Range struct{ First, Last int64 }

// Acquire gives records to a member. Effects.Acquired has what it got.
type Acquire struct {
	Member string
	Mode   Mode
	// MaxRecords is how many to take; BatchSize how many one entry of the answer
	// should have at least before another begins.
	MaxRecords, BatchSize int
	// From is what Next said; Batches are those of the log from there on, in order,
	// without any that were left out between them.
	From    int64
	Batches []Batch
	// Skip are ranges that the group must not see: aborted transactions, markers. In
	// order.
	Skip []Range
}

// Type is how a record is acknowledged, in the numbers of the protocol.
type Type int8

// The types. A Gap is an offset at which the client found no record.
const (
	Gap     Type = 0
	Accept  Type = 1
	Release Type = 2
	Reject  Type = 3
	Renew   Type = 4
)

// Ack acknowledges a range: with one type for all of it, or one for each offset.
type Ack struct {
	First, Last int64
	Types       []int8
}

// Acknowledge is a member's verdict on records that it has acquired: all of it is
// carried out or, when Effects.Code is not 0, nothing.
type Acknowledge struct {
	Member string
	Acks   []Ack
	// Closing says that the member leaves with it: what it releases then has not
	// failed, it was only not begun or finished.
	Closing bool
}

// Leave takes back what a member holds. Lost says that it did not say good-bye: then
// its deliveries have failed, and locks that are kept stay.
type Leave struct {
	Member string
	Lost   bool
}

// LogStart says that the log begins at Offset: what is below is gone.
type LogStart struct{ Offset int64 }

// Tick tells the time.
type Tick struct{}

// Buried says that the dead letters of a range are about to be appended, together
// with the Write that this Step returns.
type Buried struct{ First, Last int64 }

// BuryFailed says that dead letters cannot be written now: the delivery is paused,
// and they are tried again after it.
type BuryFailed struct{ Why string }

// Appended says what became of the Write of the Step before: nil when it is in the
// log, though not yet durable.
type Appended struct{ Err error }

func (Acquire) event()     {}
func (Acknowledge) event() {}
func (Leave) event()       {}
func (LogStart) event()    {}
func (Tick) event()        {}
func (Buried) event()      {}
func (BuryFailed) event()  {}
func (Appended) event()    {}

// Got is a range that a member has acquired, with its delivery count.
type Got struct {
	First, Last int64
	Count       int16
}

// Effects is what a Step asks of its caller. It is valid until the next Step.
type Effects struct {
	// Code is the protocol's error code of an Acknowledge.
	Code int16
	// Acquired is what an Acquire got, in order.
	Acquired []Got
	// Write is to be appended; nil for nothing.
	Write *Write
	// Rejected says that records of an Acknowledge were rejected that become dead
	// letters: the verdict stands when these are written.
	Rejected bool
	// Wake says that there may be something to acquire for those who wait.
	Wake bool
	// Note is something for the operator's log; "" for nothing.
	Note string
}

// Write is a change of the durable state: Kafka's ShareUpdate. A Write is never
// changed once it was returned, until the next Step.
type Write struct {
	// Start is where unfinished records begin; Done counts the finished ones from
	// there on.
	Start   int64
	Done    int32
	Batches []Entry
}

// Entry is the durable state of a range. Times are in ms since 1970.
type Entry struct {
	First, Last int64
	// State is Available, Acknowledged or Archived, as Kafka has it.
	State State
	// Acquired and Failed are the counters.
	Acquired, Failed int16
	// Due is from when on it may be delivered again; 0 = at once.
	Due int64
	// Member holds it until Lock; "" for nobody.
	Member string
	Lock   int64
}

// Dead is a range of records that are to become dead letters.
type Dead struct {
	First, Last int64
	Count       int16 // deliveries
	Cause       Cause
}

// Info is a share-partition at a glance.
type Info struct {
	Start, End int64
	// Done counts finished records at or above Start.
	Done int64
	// Acquired and Waiting count records that are out, and that wait to be delivered
	// again, Dying among them.
	Acquired, Waiting int64
	// Dead counts the dead letters since the machine was made.
	Dead int64
	// Paused says why nothing is delivered at the moment; "" when it is. Until is for
	// how long.
	Paused string
	Until  time.Time
}
