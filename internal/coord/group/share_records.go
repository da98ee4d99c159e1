package group

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
)

// Kinds of records of share groups (KIP-932): the versions of their keys. Kafka's
// kind 15, which partitions the group has begun to read, is not written: that is in
// the partitions' own state.
const (
	keyShareMember    = 10
	keyShareGroup     = 11
	keyShareTarget    = 12
	keyShareTargetOne = 13
	keyShareCurrent   = 14
	keySharePlaces    = 15
)

// shareKind says whether a key is of a record of a share group.
func shareKind(key []byte) bool {
	if len(key) < 2 {
		return false
	}
	kind := int16(binary.BigEndian.Uint16(key))
	return kind >= keyShareMember && kind <= keySharePlaces
}

func shareGroupRecord(group string, epoch int32, hash int64) Record {
	b := kbin.AppendInt16(nil, 0)
	b = kbin.AppendInt32(b, epoch)
	b = kbin.AppendInt64(b, hash)
	return Record{Key: keyOf(keyShareGroup, group), Value: noTags(b)}
}

func shareMemberRecord(group string, m *shareMember) Record {
	b := kbin.AppendInt16(nil, 0)
	b = kbin.AppendCompactNullableString(b, m.rack)
	b = kbin.AppendCompactString(b, m.clientID)
	b = kbin.AppendCompactString(b, m.clientHost)
	b = appendStrings(b, m.topics)
	return Record{Key: keyOf(keyShareMember, group, m.id), Value: noTags(b)}
}

func shareTargetRecord(group string, epoch int32, at int64) Record {
	r := consumerTargetRecord(group, epoch, at) // the same fields
	r.Key = keyOf(keyShareTarget, group)
	return r
}

func shareTargetOneRecord(group, member string, ps []partition) Record {
	r := consumerTargetOneRecord(group, member, ps) // the same fields
	r.Key = keyOf(keyShareTargetOne, group, member)
	if len(ps) == 0 {
		r.Value = nil
	}
	return r
}

// stableShare is the only state of a member of a share group.
const stableShare = 0

func shareCurrentRecord(group string, m *shareMember, ps []partition) Record {
	b := kbin.AppendInt16(nil, 0)
	b = kbin.AppendInt32(b, m.epoch)
	b = kbin.AppendInt32(b, m.previous)
	b = kbin.AppendInt8(b, stableShare)
	b = kbin.AppendCompactArrayLen(b, countTopics(ps))
	for topic, ps := range byTopic(ps) {
		b = kbin.AppendUuid(b, topic)
		b = noTags(appendInt32s(b, indexes(ps)))
	}
	return Record{Key: keyOf(keyShareCurrent, group, m.id), Value: noTags(b)}
}

// replayShare takes in a record of a share group; false for one that is not known.
func (c *Coordinator) replayShare(r Record) (known bool, err error) {
	kind := int16(binary.BigEndian.Uint16(r.Key))
	named := 1
	if kind == keyShareGroup || kind == keyShareTarget || kind == keySharePlaces {
		named = 0
	}
	names, err := readKey(r.Key, 1+named)
	if err != nil {
		return false, fmt.Errorf("group: key of kind %d: %w", kind, err)
	}
	id, name := names[0], names[named]
	if kind == keySharePlaces {
		return true, nil
	}
	g := c.groups[id]
	if r.Value == nil {
		if g != nil && g.shares() != nil {
			c.forgetShare(g, kind, name)
		}
		return true, nil
	}
	sg := newShareGroup(nil)
	if g != nil && g.shares() != nil {
		sg = g.shares()
	}
	apply, known, err := sg.decode(kind, name, r.Value)
	if err != nil || !known {
		return false, err
	}
	if g == nil {
		g = newGroup(id, time.Time{})
		g.persisted = true
		c.groups[id] = g
	}
	if g.shares() == nil {
		g.modern, g.classicGroup = sg, newClassicGroup(time.Time{})
		sg.g = g
	}
	apply()
	return true, nil
}

// decode reads a value; apply does what it says.
func (sg *shareGroup) decode(kind int16, name string, value []byte) (apply func(), known bool, err error) {
	// A member's records may come in any order, compaction has moved them.
	m := shareMember{id: name}
	if old := sg.members[name]; old != nil {
		m = *old
	}
	switch kind {
	case keyShareGroup:
		var epoch int32
		var hash int64
		known, err = readValue("ShareGroupMetadata", value, func(f *fields) {
			epoch, hash = f.Int32(), f.Int64()
			f.tags(nil)
		})
		return func() { sg.epoch, sg.hash = epoch, hash }, known, err
	case keyShareMember:
		known, err = readValue("ShareGroupMemberMetadata", value, func(f *fields) {
			m.rack = f.CompactNullableString()
			m.clientID, m.clientHost = f.CompactString(), f.CompactString()
			m.topics = sortedSet(f.strings())
			f.tags(nil)
		})
		return func() { sg.members[name] = &m }, known, err
	case keyShareCurrent:
		known, err = readValue("ShareGroupCurrentMemberAssignment", value, func(f *fields) {
			m.epoch, m.previous = f.Int32(), f.Int32()
			f.Int8()
			for range f.length() {
				f.Uuid()
				f.int32s()
				f.tags(nil)
			}
			f.tags(nil)
		})
		return func() { sg.members[name] = &m }, known, err
	case keyShareTargetOne:
		ps, known, err := readConsumerTargetOne(value)
		return func() { sg.target[name] = ps }, known, err
	}
	return func() {}, true, nil // when the target was computed
}

// forgetShare does what a tombstone says.
func (c *Coordinator) forgetShare(g *group, kind int16, name string) {
	sg := g.shares()
	switch kind {
	case keyShareGroup:
		g.modern, g.classicGroup = nil, newClassicGroup(time.Time{})
		c.forgetEmpty(g)
	case keyShareMember:
		delete(sg.members, name)
	case keyShareTargetOne:
		delete(sg.target, name)
	}
}

// tombstones delete the group from the log.
func (sg *shareGroup) tombstones() []Record {
	id := sg.g.id
	var rs []Record
	for _, m := range sortedNames(sg.members) {
		rs = append(rs, tombstone(keyShareCurrent, id, m), tombstone(keyShareTargetOne, id, m), tombstone(keyShareMember, id, m))
	}
	return append(rs, tombstone(keyShareTarget, id), tombstone(keyShareGroup, id))
}
