package group

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Members that use the classic protocol put what they read and have into its metadata,
// and get what they shall have as bytes (Kafka's ConsumerProtocolSubscription and
// ConsumerProtocolAssignment). In a consumer group the broker reads and writes both.

// embedded is what a classic member says of itself.
type embedded struct {
	topics []string // sorted
	rack   *string
	owned  *owned
}

// embeddedOf reads a member's metadata; topics gives the ids of those that it has
// partitions of.
func embeddedOf(metadata []byte, topics Topics) (e embedded, err error) {
	names, err := subscription(metadata)
	if err != nil {
		return e, err
	}
	e.topics = sortedSet(names)
	e.owned = &owned{make(map[partition]bool)}
	m := kmsg.NewConsumerMemberMetadata()
	if err := m.ReadFrom(metadata); err != nil {
		return e, err
	}
	e.rack = m.Rack
	for _, o := range m.OwnedPartitions {
		id, _, ok := topics.Topic(o.Topic)
		if !ok {
			continue
		}
		for _, p := range o.Partitions {
			e.owned.ps[partition{id, p}] = true
		}
	}
	return e, nil
}

// assignedOf reads what a member of a classic group was assigned; custom says that it
// has more in it than partitions, which only the members' own assignor understands.
func assignedOf(assignment []byte, topics Topics) (ps []partition, custom bool, err error) {
	if len(assignment) == 0 {
		return nil, false, nil
	}
	a := kmsg.NewConsumerMemberAssignment()
	if err := a.ReadFrom(assignment); err != nil {
		return nil, false, err
	}
	for _, t := range a.Topics {
		id, n, ok := topics.Topic(t.Topic)
		for _, p := range t.Partitions {
			if ok && p >= 0 && p < n {
				ps = append(ps, partition{id, p})
			}
		}
	}
	return sortedPartitions(ps), len(a.UserData) > 0, nil
}

// assignmentBytes is what a member is told, in the version that its metadata has.
func assignmentBytes(ps []partition, metadata []byte, topics Topics) []byte {
	a := kmsg.NewConsumerMemberAssignment()
	if len(metadata) >= 2 {
		a.Version = int16(binary.BigEndian.Uint16(metadata))
	}
	for topic, ps := range byTopic(ps) {
		name, ok := topics.TopicName(topic)
		if !ok {
			continue // it was deleted meanwhile
		}
		t := kmsg.NewConsumerMemberAssignmentTopic()
		t.Topic, t.Partitions = name, indexes(ps)
		a.Topics = append(a.Topics, t)
	}
	return a.AppendTo(nil)
}
