package event

import (
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Identity is who an event is. It is the same each time the record is read, after
// a restart, and when a dead letter of it is redriven.
type Identity struct {
	// ID is the event's own id: its CloudEvents id, else Position.
	ID string
	// Root is the id of the event at the root of this one, carried as the
	// correlation id; the event's own id when it is a root itself.
	Root string
	// Topic, Partition and Offset are where the record was first read: of a
	// redriven one where it stood before it became a dead letter.
	Topic     string
	Partition int32
	Offset    int64
}

// Position returns topic/partition/offset of where the record was first read.
func (id Identity) Position() string {
	return id.Topic + "/" + strconv.Itoa(int(id.Partition)) + "/" + strconv.FormatInt(id.Offset, 10)
}

// Identify returns the identity of a record that was read from a topic.
func Identify(r *kgo.Record) Identity {
	id := Identity{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}
	id.ID = id.Position()
	id.Root = id.ID
	return id
}
