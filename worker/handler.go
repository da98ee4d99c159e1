package worker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Handler is the work: it answers a batch of messages with one outcome each.
type Handler interface {
	// Handle returns exactly one outcome per message, in the messages' order, or
	// an error when the call failed as a whole; an error's class (NewError) says
	// what the worker does about it, one without a class counts as Retriable. It
	// may be called from Config.Concurrency goroutines at once and must return
	// when ctx ends. A panic counts as an error of the whole call.
	//
	// A batch that fails as a whole with Retriable or Poison is split until the
	// guilty records stand alone, so a record may be handed over several times;
	// once more, too, after it is done, when nothing else can tell whether the
	// backend or the records are at fault (the outcome is then thrown away). Work
	// that must not be done twice needs Message.IdempotencyKey.
	Handle(ctx context.Context, batch []*Message) ([]Outcome, error)
}

// HandlerFunc is a function as a Handler.
type HandlerFunc func(ctx context.Context, batch []*Message) ([]Outcome, error)

// Handle calls f.
func (f HandlerFunc) Handle(ctx context.Context, batch []*Message) ([]Outcome, error) {
	return f(ctx, batch)
}

type outcomeKind int

const (
	outcomeNone outcomeKind = iota
	outcomeDone
	outcomeFiltered
	outcomeFailed
	outcomeHeld
)

// Outcome is what became of one message. The zero value is not an outcome: a
// handler that returns it stops the worker, as one that forgets a message does.
type Outcome struct {
	kind    outcomeKind
	records []*kgo.Record
	err     error
}

// Done says that the message is processed and these records (none, one or
// several, to any topics) are its results. They are written, and only then is
// the message committed.
//
// Topic, Key, Value, Headers and Timestamp are the handler's to set; a zero
// Timestamp becomes the message's. The partition is chosen by the worker: a result
// whose key equals the message's goes to the partition with the message's number
// (modulo the topic's count), so that topics with equal counts stay in step
// whatever partitioner the first producer used; another key goes where Kafka's own
// partitioner (murmur2) puts it.
func Done(results ...*kgo.Record) Outcome {
	return Outcome{kind: outcomeDone, records: results}
}

// Filtered says that the message is deliberately not processed. Records are
// written as with Done (an announcement that there will be no result). Unlike Done
// it is no sign that the backend answers.
func Filtered(records ...*kgo.Record) Outcome {
	return Outcome{kind: outcomeFiltered, records: records}
}

// Failed says that this one message failed. err's class decides what follows.
func Failed(err error) Outcome { return Outcome{kind: outcomeFailed, err: err} }

// Held says that the message's outcome comes later, by Message.Settle or
// SettleAll, from any goroutine. Until then its offset, and those after it in its
// partition, are not committed; its key is free for later messages.
func Held() Outcome { return Outcome{kind: outcomeHeld} }
