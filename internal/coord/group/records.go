package group

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Versions of the keys of __consumer_offsets: they tell the kinds of records
// apart. 3 and above belong to the other group protocols (KIP-848, KIP-932).
const (
	keyOffset0  = 0
	keyOffset   = 1
	keyMetadata = 2
)

// Versions of the values that are written.
const (
	valueOffsetExpiring = 1 // the last with an expiry of its own
	valueOffset         = 3
	valueOffsetTopicID  = 4 // Kafka 4.1: the topic's id, so that a new topic of the name is told apart
	valueMetadata       = 3
)

// offsetRecord stores an offset, or forgets it if o is nil.
func offsetRecord(group, topic string, partition int32, o *offset) Record {
	k := kmsg.NewOffsetCommitKey()
	k.Version, k.Group, k.Topic, k.Partition = keyOffset, group, topic, partition
	r := Record{Key: k.AppendTo(nil)}
	if o == nil {
		return r
	}
	v := kmsg.NewOffsetCommitValue()
	v.Version = valueOffset
	v.Offset, v.LeaderEpoch, v.Metadata, v.CommitTimestamp = o.offset, o.leaderEpoch, o.metadata, o.committed
	switch {
	case o.expires >= 0:
		v.Version = valueOffsetExpiring
		v.ExpireTimestamp = o.expires
	case o.topicID != [16]byte{}:
		v.Version = valueOffsetTopicID
		v.TopicID = o.topicID
	}
	r.Value = v.AppendTo(nil)
	return r
}

// record stores the group's generation. Assignments are the members' by id; nil
// means those that they have.
func (g *group) record(assignments map[string][]byte) Record {
	v := kmsg.NewGroupMetadataValue()
	v.Version = valueMetadata
	v.ProtocolType = g.protocolType
	v.Generation = g.generation
	v.CurrentStateTimestamp = -1
	if !g.stateSince.IsZero() {
		v.CurrentStateTimestamp = g.stateSince.UnixMilli()
	}
	if g.protocol != "" {
		v.Protocol = kmsg.StringPtr(g.protocol)
	}
	if g.leader != "" {
		v.Leader = kmsg.StringPtr(g.leader)
	}
	for _, m := range g.members {
		gm := kmsg.NewGroupMetadataValueMember()
		gm.MemberID, gm.InstanceID = m.id, m.instance
		gm.ClientID, gm.ClientHost = m.clientID, m.clientHost
		gm.SessionTimeoutMillis = int32(m.session.Milliseconds())
		gm.RebalanceTimeoutMillis = int32(m.rebalance.Milliseconds())
		gm.Subscription = m.metadata(g.protocol)
		gm.Assignment = m.assignment
		if assignments != nil {
			gm.Assignment = assignments[m.id]
		}
		v.Members = append(v.Members, gm)
	}
	return Record{Key: g.key(), Value: v.AppendTo(nil)}
}

// tombstones delete what the log has of the group but its offsets.
func (g *group) tombstones() []Record {
	if g.modern != nil {
		return g.modern.tombstones()
	}
	return []Record{{Key: g.key()}}
}

func (g *group) key() []byte {
	k := kmsg.NewGroupMetadataKey()
	k.Version, k.Group = keyMetadata, g.id
	return k.AppendTo(nil)
}

// entry is a decoded record: exactly one of offsetKey and groupKey is set. A
// tombstone has no value.
type entry struct {
	offsetKey   *kmsg.OffsetCommitKey
	offsetValue *kmsg.OffsetCommitValue
	groupKey    *kmsg.GroupMetadataKey
	groupValue  *kmsg.GroupMetadataValue
}

// decode reads a record of __consumer_offsets; ok is false for kinds and
// versions that this coordinator does not know.
func decode(r Record) (e entry, ok bool, err error) {
	if len(r.Key) < 2 {
		return e, false, fmt.Errorf("group: a key of %d bytes has no version", len(r.Key))
	}
	switch binary.BigEndian.Uint16(r.Key) {
	case keyOffset0, keyOffset:
		e.offsetKey = new(kmsg.OffsetCommitKey)
		if err := e.offsetKey.ReadFrom(r.Key); err != nil {
			return e, false, fmt.Errorf("group: offset key: %w", err)
		}
		if r.Value == nil {
			return e, true, nil
		}
		if known, err := knows(r.Value, valueOffsetTopicID); !known {
			return e, false, err
		}
		e.offsetValue = new(kmsg.OffsetCommitValue)
		if err := readOffsetValue(r.Value, e.offsetValue); err != nil {
			return e, false, fmt.Errorf("group: offset value of group %q: %w", e.offsetKey.Group, err)
		}
	case keyMetadata:
		e.groupKey = new(kmsg.GroupMetadataKey)
		if err := e.groupKey.ReadFrom(r.Key); err != nil {
			return e, false, fmt.Errorf("group: group key: %w", err)
		}
		if r.Value == nil {
			return e, true, nil
		}
		if known, err := knows(r.Value, valueMetadata); !known {
			return e, false, err
		}
		e.groupValue = new(kmsg.GroupMetadataValue)
		if err := e.groupValue.ReadFrom(r.Value); err != nil {
			return e, false, fmt.Errorf("group: value of group %q: %w", e.groupKey.Group, err)
		}
	default:
		return e, false, nil
	}
	return e, true, nil
}

// knows says whether a value has a version up to highest; the error is for a
// value that has none.
func knows(v []byte, highest uint16) (bool, error) {
	if len(v) < 2 {
		return false, fmt.Errorf("group: a value of %d bytes has no version", len(v))
	}
	return binary.BigEndian.Uint16(v) <= highest, nil
}

var errOffsetValue = errors.New("it ends before its fields do")

// readOffsetValue decodes an offset. Version 4 is decoded here: kmsg would
// believe any count of tagged fields, and spin through four thousand million of
// them.
func readOffsetValue(b []byte, v *kmsg.OffsetCommitValue) error {
	if binary.BigEndian.Uint16(b) < valueOffsetTopicID {
		return v.ReadFrom(b)
	}
	if len(b) < 14 {
		return errOffsetValue
	}
	v.Version = valueOffsetTopicID
	v.Offset = int64(binary.BigEndian.Uint64(b[2:]))
	v.LeaderEpoch = int32(binary.BigEndian.Uint32(b[10:]))
	b = b[14:]
	n, ok := uvarint(&b)
	if !ok || n == 0 || uint64(len(b)) < n-1+8 {
		return errOffsetValue
	}
	v.Metadata = string(b[:n-1])
	v.CommitTimestamp = int64(binary.BigEndian.Uint64(b[n-1:]))
	b = b[n-1+8:]
	for tags, ok := uvarint(&b); tags > 0 || !ok; tags-- {
		tag, ok1 := uvarint(&b)
		size, ok2 := uvarint(&b)
		if !ok || !ok1 || !ok2 || uint64(len(b)) < size {
			return errOffsetValue
		}
		if tag == 0 {
			if size != 16 {
				return fmt.Errorf("its topic id has %d bytes instead of 16", size)
			}
			copy(v.TopicID[:], b)
		}
		b = b[size:]
	}
	return nil
}

// uvarint takes an unsigned 32-bit varint off b.
func uvarint(b *[]byte) (uint64, bool) {
	u, n := binary.Uvarint(*b)
	if n <= 0 || u > 1<<32-1 {
		return 0, false
	}
	*b = (*b)[n:]
	return u, true
}

// offsetOf is the offset that a value stores.
func offsetOf(v *kmsg.OffsetCommitValue) offset {
	o := offset{v.TopicID, v.Offset, v.LeaderEpoch, v.Metadata, v.CommitTimestamp, -1}
	if v.Version < 3 {
		o.leaderEpoch = -1
	}
	if v.Version == valueOffsetExpiring {
		o.expires = v.ExpireTimestamp
	}
	return o
}

// groupOf is the group that a value stores, as a broker that stopped left it:
// stable if it has members.
func groupOf(id string, v *kmsg.GroupMetadataValue) *group {
	g := newGroup(id, time.Time{})
	g.persisted = true
	g.generation = v.Generation
	g.protocolType = v.ProtocolType
	if v.Protocol != nil {
		g.protocol = *v.Protocol
	}
	if v.Version >= 2 && v.CurrentStateTimestamp >= 0 {
		g.stateSince = time.UnixMilli(v.CurrentStateTimestamp)
	}
	for _, vm := range v.Members {
		m := &member{
			id:           vm.MemberID,
			instance:     vm.InstanceID,
			clientID:     vm.ClientID,
			clientHost:   vm.ClientHost,
			session:      time.Duration(vm.SessionTimeoutMillis) * time.Millisecond,
			rebalance:    time.Duration(vm.RebalanceTimeoutMillis) * time.Millisecond,
			protocolType: v.ProtocolType,
			protocols:    []protocol{{g.protocol, bytes.Clone(vm.Subscription)}},
			assignment:   bytes.Clone(vm.Assignment),
		}
		if v.Version < 1 || m.rebalance <= 0 {
			m.rebalance = m.session
		}
		if g.byID[m.id] == nil && (m.instance == nil || g.statics[*m.instance] == nil) {
			g.add(m)
		}
	}
	if v.Leader != nil && g.byID[*v.Leader] != nil {
		g.leader = *v.Leader
	}
	if len(g.members) > 0 {
		g.state = Stable
	}
	g.subscribed = g.subscribedTopics()
	return g
}
