package worker

import (
	"time"

	"github.com/leatdev/leat/event"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Message is one record on its way through a worker. The record is shared: read
// it, do not change it.
type Message struct {
	*kgo.Record
	// Identity is who the record is, stable over repeats, restarts and redrives.
	Identity event.Identity

	// All below is guarded by the worker's mutex.
	part   *partition
	number uint64 // in part.tracker
	state  messageState

	// for the queue
	seq     uint64
	arrived time.Time
	due     time.Time // not before; of a record that backs off
	probes  int
	lane    *lane
	solo    lane // its lane when it shares none
	inLane  bool // out, and its lane waits for it

	// for the breaker and the dead letter
	attempts    int    // failures of its own that counted
	firstFail   uint64 // tick of the first failed call that it was in, 0 for none
	firstFailAt time.Time
	lastFailAt  time.Time
	asked       bool // was in a call that was answered with "come back later"
}

type messageState int

const (
	waiting  messageState = iota // in the queue
	working                      // in a call, or its results are being written
	held                         // the handler owes its outcome
	settling                     // Settle came; what it asks for is being written
	finished
)

// IdempotencyKey names the work of one step on this record,
// topic/partition/offset/step of where it was first read: stable over retries,
// restarts and redrives.
func (m *Message) IdempotencyKey(step string) string {
	return m.Identity.Position() + "/" + step
}

// Settle gives the outcome of a message for which the handler answers Held. The
// first outcome counts; later ones, and those of messages whose partition went to
// another worker, do nothing. It does not wait for writes and may be called from
// any goroutine, even before the handler has returned. Held as an outcome does
// nothing.
func (m *Message) Settle(o Outcome) { SettleAll([]*Message{m}, o) }

// SettleAll settles held messages together: the outcome's records are written
// once, and when they are acknowledged all the messages are done (a join's row and
// its parts). Failed applies to each message by itself; so does a result that is
// too large for its topic. The messages must be of one worker.
func SettleAll(ms []*Message, o Outcome) {
	if len(ms) == 0 || o.kind == outcomeHeld {
		return
	}
	ms[0].part.w.settleHeld(ms, o)
}
