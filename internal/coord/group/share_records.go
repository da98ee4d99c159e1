package group

import (
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

func shareGroupRecord(group string, epoch int32, hash int64) Record {
	b := kbin.AppendInt16(nil, 0)
	b = kbin.AppendInt32(b, epoch)
	b = kbin.AppendInt64(b, hash)
	return Record{Key: keyOf(keyShareGroup, group), Value: noTags(b)}
}

func shareMemberRecord(group string, m *modernMember) Record {
	return Record{Key: keyOf(keyShareMember, group, m.id), Value: noTags(m.append(kbin.AppendInt16(nil, 0)))}
}

// stableShare is the only state of a member of a share group.
const stableShare = 0

func shareCurrentRecord(group string, m *modernMember, ps []partition) Record {
	b := kbin.AppendInt16(nil, 0)
	b = kbin.AppendInt32(b, m.epoch)
	b = kbin.AppendInt32(b, m.previous)
	b = kbin.AppendInt8(b, stableShare)
	b = appendPartitions(b, ps)
	return Record{Key: keyOf(keyShareCurrent, group, m.id), Value: noTags(b)}
}

// decode reads a value; apply does what it says.
func (sg *shareGroup) decode(kind int16, name string, value []byte) (apply func(), known bool, err error) {
	// A member's records may come in any order, compaction has moved them.
	m := modernMember{id: name}
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
			m.read(f)
			f.tags(nil)
		})
		return func() { sg.members[name] = &m }, known, err
	case keyShareCurrent:
		known, err = readValue("ShareGroupCurrentMemberAssignment", value, func(f *fields) {
			m.epoch, m.previous = f.Int32(), f.Int32()
			f.Int8()
			f.partitions()
			f.tags(nil)
		})
		return func() { sg.members[name] = &m }, known, err
	case keyShareTargetOne:
		ps, known, err := readTargetOne("ShareGroupTargetAssignmentMember", value)
		return func() { sg.target[name] = ps }, known, err
	}
	return func() {}, true, nil // when the target was computed
}

// forget does what a tombstone says.
func (sg *shareGroup) forget(kind int16, name string) {
	switch kind {
	case keyShareMember:
		delete(sg.members, name)
	case keyShareTargetOne:
		delete(sg.target, name)
	}
}

// shareMemberGone deletes a member from the log.
func shareMemberGone(group, m string) []Record {
	return []Record{tombstone(keyShareCurrent, group, m), tombstone(keyShareTargetOne, group, m), tombstone(keyShareMember, group, m)}
}

// tombstones delete the group from the log.
func (sg *shareGroup) tombstones() []Record {
	id := sg.g.id
	var rs []Record
	for _, m := range sortedNames(sg.members) {
		rs = append(rs, shareMemberGone(id, m)...)
	}
	return append(rs, tombstone(keyShareTarget, id), tombstone(keyShareGroup, id))
}
