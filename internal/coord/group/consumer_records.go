package group

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
)

// Kinds of records of consumer groups (KIP-848): the versions of their keys.
const (
	keyConsumerGroup            = 3
	keyConsumerPartitions       = 4 // what topics looked like, before the hash; only ever deleted
	keyConsumerMember           = 5
	keyConsumerTarget           = 6
	keyConsumerTargetOne        = 7
	keyConsumerCurrent          = 8
	keyConsumerExpression       = 16
	anyTopicsVersion      int64 = 0 // of an expression's topics: there is no such number here
)

func consumerGroupRecord(group string, epoch int32, hash int64) Record {
	return epochRecord(keyConsumerGroup, group, epoch, hash)
}

func readConsumerGroup(value []byte) (epoch int32, hash int64, known bool, err error) {
	return readEpoch("ConsumerGroupMetadata", value)
}

func consumerMemberRecord(group string, m *consumerMember) Record {
	b := kbin.AppendInt16(nil, 0)
	b = kbin.AppendCompactNullableString(b, m.instance)
	b = m.append(b)
	b = kbin.AppendCompactString(b, m.regex)
	b = kbin.AppendInt32(b, int32(m.rebalance.Milliseconds()))
	var assignor *string
	if m.assignor != "" {
		assignor = &m.assignor
	}
	b = kbin.AppendCompactNullableString(b, assignor)
	if m.classic == nil {
		return Record{Key: keyOf(keyConsumerMember, group, m.id), Value: noTags(b)}
	}
	c := []byte{1} // the struct is not null
	c = kbin.AppendInt32(c, int32(m.classic.session.Milliseconds()))
	c = kbin.AppendCompactArrayLen(c, len(m.classic.protocols))
	for _, p := range m.classic.protocols {
		c = kbin.AppendCompactString(c, p.name)
		c = noTags(kbin.AppendCompactBytes(c, p.metadata))
	}
	b = kbin.AppendUvarint(b, 1)
	return Record{Key: keyOf(keyConsumerMember, group, m.id), Value: appendTag(b, 0, noTags(c))}
}

// readConsumerMember reads what a member says of itself; the rest of it is as new.
func readConsumerMember(id string, value []byte) (m *consumerMember, known bool, err error) {
	m = newConsumerMember(id)
	known, err = readValue("ConsumerGroupMemberMetadata", value, func(f *fields) {
		m.instance = f.CompactNullableString()
		m.read(f)
		if regex := f.CompactNullableString(); regex != nil {
			m.regex = *regex
		}
		m.rebalance = time.Duration(f.Int32()) * time.Millisecond
		if assignor := f.CompactNullableString(); assignor != nil {
			m.assignor = *assignor
		}
		f.tags(map[uint32]func(*fields){0: func(f *fields) {
			if f.Uvarint() == 0 {
				return // null
			}
			m.classic = &classicSide{session: time.Duration(f.Int32()) * time.Millisecond}
			for range f.length() {
				m.classic.protocols = append(m.classic.protocols, protocol{f.CompactString(), slices.Clone(f.CompactBytes())})
				f.tags(nil)
			}
			f.tags(nil)
		}})
	})
	return m, known, err
}

func newConsumerMember(id string) *consumerMember {
	return &consumerMember{modernMember: modernMember{id: id}, state: stable, rebalance: -time.Millisecond}
}

func consumerTargetRecord(group string, epoch int32, at int64) Record {
	return epochRecord(keyConsumerTarget, group, epoch, at)
}

func readConsumerTarget(value []byte) (epoch int32, at int64, known bool, err error) {
	return readEpoch("ConsumerGroupTargetAssignmentMetadata", value)
}

func readConsumerTargetOne(value []byte) (ps []partition, known bool, err error) {
	return readTargetOne("ConsumerGroupTargetAssignmentMember", value)
}

func consumerCurrentRecord(group string, m *consumerMember) Record {
	b := kbin.AppendInt16(nil, 0)
	b = kbin.AppendInt32(b, m.epoch)
	b = kbin.AppendInt32(b, m.previous)
	b = kbin.AppendInt8(b, int8(m.state))
	b = appendAssigned(b, m.assigned)
	b = appendAssigned(b, m.revoking)
	return Record{Key: keyOf(keyConsumerCurrent, group, m.id), Value: noTags(b)}
}

func appendAssigned(b []byte, assigned map[partition]int32) []byte {
	ps := sortedKeys(assigned)
	b = kbin.AppendCompactArrayLen(b, countTopics(ps))
	for topic, ps := range byTopic(ps) {
		b = kbin.AppendUuid(b, topic)
		b = appendInt32s(b, indexes(ps))
		epochs := make([]int32, len(ps))
		for i, p := range ps {
			epochs[i] = assigned[p]
		}
		b = kbin.AppendUvarint(b, 1)
		b = appendTag(b, 0, appendInt32s(nil, epochs))
	}
	return b
}

// readConsumerCurrent returns m with what the value says of its assignment.
func readConsumerCurrent(m *consumerMember, value []byte) (n *consumerMember, known bool, err error) {
	c := *m
	known, err = readValue("ConsumerGroupCurrentMemberAssignment", value, func(f *fields) {
		c.epoch, c.previous = f.Int32(), f.Int32()
		c.state = memberState(f.Int8())
		c.assigned = readAssigned(f, c.epoch)
		c.revoking = readAssigned(f, c.epoch)
		f.tags(nil)
	})
	return &c, known, err
}

// readAssigned reads partitions; since is the epoch of those without one of their own,
// as brokers before KIP-1251 wrote them.
func readAssigned(f *fields, since int32) map[partition]int32 {
	assigned := make(map[partition]int32)
	for range f.length() {
		topic := f.Uuid()
		is := f.int32s()
		var epochs []int32
		f.tags(map[uint32]func(*fields){0: func(f *fields) { epochs = f.int32s() }})
		for i, index := range is {
			epoch := since
			if i < len(epochs) {
				epoch = epochs[i]
			}
			assigned[partition{topic, index}] = epoch
		}
	}
	return assigned
}

func consumerExpressionRecord(group, regex string, topics []string, at int64) Record {
	b := kbin.AppendInt16(nil, 0)
	b = appendStrings(b, topics)
	b = kbin.AppendInt64(b, anyTopicsVersion)
	b = kbin.AppendInt64(b, at)
	return Record{Key: keyOf(keyConsumerExpression, group, regex), Value: noTags(b)}
}

func readConsumerExpression(value []byte) (topics []string, known bool, err error) {
	known, err = readValue("ConsumerGroupRegularExpression", value, func(f *fields) {
		topics = sortedSet(f.strings())
		f.Int64()
		f.Int64()
		f.tags(nil)
	})
	return topics, known, err
}

// sortedSet sorts strings and drops doubles; it takes ss over.
func sortedSet(ss []string) []string {
	slices.Sort(ss)
	return slices.Compact(ss)
}
