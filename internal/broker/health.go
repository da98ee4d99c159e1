package broker

import (
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/plog"
)

// Fenced reports whether a partition is neither read nor written since the start,
// because it is damaged below what was durable. It takes no lock.
func (b *Broker) Fenced(topic kafka.UUID, partition int32) bool {
	if len(b.Recovery.Fenced) == 0 {
		return false
	}
	_, fenced := b.Recovery.Fenced[plog.ID{Topic: topic, Partition: partition}]
	return fenced
}

// FencedPartitions returns how many partitions are fenced now; one whose topic was
// deleted is no more.
func (b *Broker) FencedPartitions() (n int) {
	for id := range b.Recovery.Fenced {
		if b.Store.Log(id) != nil {
			n++
		}
	}
	return n
}

// sayFenced logs every partition that is fenced, at the start.
func (b *Broker) sayFenced() {
	for _, l := range b.Store.Logs() {
		if reason := b.Recovery.Fenced[l.ID()]; reason != "" {
			b.Log.Error("partition is fenced: it is neither read nor written until somebody decides about its damage; stop the server and see the choices with `leat doctor`",
				"topic", l.Topic(), "partition", l.ID().Partition, "end", l.End(), "dir", b.dir, "reason", reason)
		}
	}
}
