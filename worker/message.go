package worker

import (
	"github.com/leatdev/leat/event"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Message is one record on its way through a worker. The record is shared: read
// it, do not change it.
type Message struct {
	*kgo.Record
	// Identity is who the record is, stable over repeats, restarts and redrives.
	Identity event.Identity
}

// IdempotencyKey names the work of one step on this record,
// topic/partition/offset/step of where it was first read: stable over retries,
// restarts and redrives.
func (m *Message) IdempotencyKey(step string) string {
	return m.Identity.Position() + "/" + step
}

// Settle gives the outcome of a message for which the handler answered Held. The
// first outcome counts; later ones, and those of messages whose partition went to
// another worker, do nothing. It does not wait for writes and may be called from
// any goroutine, even before the handler has returned. Held as an outcome does
// nothing.
func (m *Message) Settle(o Outcome) { SettleAll([]*Message{m}, o) }

// SettleAll settles held messages together: the outcome's records are written
// once, and when they are acknowledged all the messages are done (a join's row and
// its parts). Failed applies to each message by itself; so does a result that is
// too large for its topic.
func SettleAll(ms []*Message, o Outcome) { _ = ms; _ = o }
